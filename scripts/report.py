"""Put everything measured into one page that opens offline."""

from pathlib import Path

from bioloom.pipeline.command import json_files, json_object, run
from bioloom.report.page import build_report


def main(files: dict, about: dict, report: Path) -> None:
    """Write report.html."""
    tasks = {
        task: {name: Path(file) for name, file in kinds.items()} for task, kinds in files.items()
    }
    build_report(tasks, about, report)


if __name__ == "__main__":
    run(__doc__, {"files": json_files, "about": json_object, "report": Path}, main)
