"""Put everything measured into one page that opens offline, and write the reporting records."""

from pathlib import Path

from bioloom.files import replacing_folder
from bioloom.pipeline.command import json_files, json_object, run
from bioloom.report.page import build_report
from bioloom.report.record import Facts, record


def main(files: dict, about: dict, report: Path, records: Path) -> None:
    """Write report.html, and a record a task."""
    tasks = {
        task: {name: Path(file) for name, file in kinds.items()} for task, kinds in files.items()
    }
    with replacing_folder(records) as folder:
        for task, paths in tasks.items():
            text = record(task, Facts.of(paths))
            (folder / f"{task}.md").write_text(text, encoding="utf-8")
    build_report(tasks, about, report)


if __name__ == "__main__":
    run(__doc__, {"files": json_files, "about": json_object, "report": Path, "records": Path}, main)
