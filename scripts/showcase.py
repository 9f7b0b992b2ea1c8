"""Write what the README shows of a finished run: the record of its scores, and a picture."""

from pathlib import Path

from bioloom.files import read_json, write_json
from bioloom.pipeline.command import run
from bioloom.report.picture import take_picture
from bioloom.report.results import Result


def main(results: Path, record: Path, picture: Path) -> None:
    """Write the record (JSON: task -> scores) and the picture (PNG) of results/report.html."""
    metrics = {file.parent.name: read_json(file) for file in sorted(results.glob("*/metrics.json"))}
    write_json({name: Result(name, name, found).record for name, found in metrics.items()}, record)
    take_picture(results / "report.html", picture)


if __name__ == "__main__":
    run(__doc__, {"results": Path, "record": Path, "picture": Path}, main)
