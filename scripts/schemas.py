"""Write the JSON schemas that editors check task files and config.yaml by."""

from pathlib import Path

from bioloom.pipeline.command import run
from bioloom.pipeline.editor_schema import as_text, config_schema, task_schema


def main(folder: Path) -> None:
    """Write task.schema.json and config.schema.json."""
    for name, schema in {"task": task_schema(), "config": config_schema()}.items():
        (folder / f"{name}.schema.json").write_text(as_text(schema))


if __name__ == "__main__":
    run(__doc__, {"folder": Path}, main)
