"""Put everything measured of a task into a page that opens offline, and write its record."""

from pathlib import Path

from bioloom.pipeline.command import json_files, json_object, run
from bioloom.report.page import build_page
from bioloom.report.record import write_record


def main(task: str, files: dict, about: dict, overview: str, page: Path, record: Path) -> None:
    """Write report.html of the task, and what reporting guidelines ask for."""
    paths = {name: Path(file) for name, file in files.items()}
    write_record(task, paths, record)
    build_page(task, paths, page, overview=Path(overview), **about)


if __name__ == "__main__":
    arguments = {
        "task": str,
        "files": json_files,
        "about": json_object,
        "overview": str,
        "page": Path,
        "record": Path,
    }
    run(__doc__, arguments, main)
