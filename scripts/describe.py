"""Write what a task says, with all that was filled in for it."""

from pathlib import Path

from bioloom.files import replacing
from bioloom.pipeline.command import json_object, run
from bioloom.report.described import described


def main(content: dict, filled: list[str], task: Path) -> None:
    """Write task.yaml."""
    with replacing(task) as temporary:
        temporary.write_text(described(content, filled), encoding="utf-8")


if __name__ == "__main__":
    run(__doc__, {"content": json_object, "filled": [str], "task": Path}, main)
