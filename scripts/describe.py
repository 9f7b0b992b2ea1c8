"""Write what a task says, with all that was filled in for it."""

from pathlib import Path

import yaml

from bioloom.files import replacing
from bioloom.pipeline.command import json_object, run


def main(content: dict, task: Path) -> None:
    """Write task.yaml."""
    with replacing(task) as temporary:
        temporary.write_text(yaml.safe_dump(content, allow_unicode=True, width=100))


if __name__ == "__main__":
    run(__doc__, {"content": json_object, "task": Path}, main)
