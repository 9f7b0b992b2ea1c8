"""Put the scores of all tasks into one page that opens offline and leads to the tasks' pages."""

from pathlib import Path

from bioloom.pipeline.command import json_files, json_object, run
from bioloom.report.overview import build_overview


def main(files: dict, titles: dict, report: Path) -> None:
    """Write report.html."""
    tasks = {
        task: {name: Path(file) for name, file in kinds.items()} for task, kinds in files.items()
    }
    build_overview(tasks, titles, report)


if __name__ == "__main__":
    run(__doc__, {"files": json_files, "titles": json_object, "report": Path}, main)
