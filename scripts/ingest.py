"""Read a data set's source files into one raw table."""

from pathlib import Path

from bioloom.application import get_application
from bioloom.pipeline.command import json_object, run
from bioloom.samples import write_table


def main(application: str, files: dict, options: dict, raw: Path) -> None:
    """Write raw.parquet."""
    paths = {name: Path(file) for name, file in files.items()}
    write_table(get_application(application).ingest(paths, options), raw)


if __name__ == "__main__":
    arguments = {"application": str, "files": json_object, "options": json_object, "raw": Path}
    run(__doc__, arguments, main)
