"""Check reads that came aligned: that they are whole, sorted, and on this reference."""

from pathlib import Path

from bioloom.files import write_json
from bioloom.pipeline.command import run
from bioloom.reads.checks import check_alignments


def main(files: list[Path], reference: Path, checked: Path) -> None:
    """Write what was found of each file."""
    write_json(check_alignments(files, reference), checked)


if __name__ == "__main__":
    run(__doc__, {"files": [Path], "reference": Path, "checked": Path}, main)
