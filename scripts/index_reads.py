"""Index aligned reads once, for jobs that each read a part of them."""

from pathlib import Path

from bioloom.pipeline.command import run
from bioloom.reads.alignments import open_reads


def main(reads: Path, reference: Path, index: Path) -> None:
    """Write the index."""
    open_reads(reads, reference, index)


if __name__ == "__main__":
    run(__doc__, {"reads": Path, "reference": Path, "index": Path}, main)
