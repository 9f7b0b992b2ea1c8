"""Make a reference ready for the aligners of all lanes."""

from pathlib import Path

from bioloom.formats.sample_sheet import Lane
from bioloom.pipeline.command import json_object, json_objects, run
from bioloom.reads.choices import aligner_of
from bioloom.reads.reference import index_reference


def main(fasta: Path, lanes: list, options: dict, folder: Path) -> None:
    """Write the folder of the reference."""
    aligners = {aligner_of(options["aligner"], Lane(**lane)) for lane in lanes}
    index_reference(fasta, sorted(aligners), folder)


if __name__ == "__main__":
    arguments = {"fasta": Path, "lanes": json_objects, "options": json_object, "folder": Path}
    run(__doc__, arguments, main)
