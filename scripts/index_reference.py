"""Make a reference ready for aligners."""

from pathlib import Path

from bioloom.pipeline.command import run
from bioloom.reads.reference import index_reference


def main(fasta: Path, aligners: list[str], folder: Path) -> None:
    """Write the folder of the reference."""
    index_reference(fasta, aligners, folder)


if __name__ == "__main__":
    run(__doc__, {"fasta": Path, "aligners": [str], "folder": Path}, main)
