"""Check reads that came aligned: that they are whole, sorted, and on this reference."""

from pathlib import Path

from bioloom.files import write_json
from bioloom.pipeline.command import json_files, run
from bioloom.pipeline.digests import refuse_damaged
from bioloom.pipeline.reads import reads_of
from bioloom.reads.checks import check_alignments


def main(reads: dict, reference: Path, checked: Path) -> None:
    """Write what was found of each file."""
    files = [Path(file) for file in reads_of(**reads).given]
    refuse_damaged(map(str, files))
    write_json(check_alignments(files, reference), checked)


if __name__ == "__main__":
    run(__doc__, {"reads": json_files, "reference": Path, "checked": Path}, main)
