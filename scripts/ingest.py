"""Read a data set's source files into raw tables: samples, and the nodes that links join."""

from pathlib import Path

import pandas as pd

from bioloom.application import get_application, read_data
from bioloom.files import write_json
from bioloom.pipeline.command import json_files, json_object, run
from bioloom.samples import write_table


def main(application: str, files: dict, options: dict, raw: Path, nodes: Path, notes: Path) -> None:
    """Write raw.parquet, nodes.parquet (empty where samples are no links) and notes.json."""
    paths = {name: Path(file) for name, file in files.items()}
    read = read_data(get_application(application), paths, options)
    write_table(read.samples, raw)
    write_table(pd.DataFrame() if read.nodes is None else read.nodes, nodes)
    write_json(read.notes, notes)


if __name__ == "__main__":
    arguments = {
        "application": str,
        "files": json_files,
        "options": json_object,
        "raw": Path,
        "nodes": Path,
        "notes": Path,
    }
    run(__doc__, arguments, main)
