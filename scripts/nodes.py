"""Read the nodes of a network: what its pairs are made of."""

from pathlib import Path

from bioloom.application import get_application
from bioloom.errors import DataError
from bioloom.pipeline.command import json_object, run
from bioloom.samples import write_table


def main(application: str, files: dict, options: dict, nodes: Path) -> None:
    """Write nodes.parquet."""
    read = get_application(application).nodes
    if read is None:
        raise DataError(f"The samples of {application} are no pairs, they have no nodes")
    write_table(read({name: Path(file) for name, file in files.items()}, options), nodes)


if __name__ == "__main__":
    arguments = {"application": str, "files": json_object, "options": json_object, "nodes": Path}
    run(__doc__, arguments, main)
