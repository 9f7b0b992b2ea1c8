"""Measure the aligned reads of a sample."""

from pathlib import Path

from bioloom.pipeline.command import run
from bioloom.reads.statistics import write_statistics


def main(reads: Path, sample: str, reference: Path, folder: Path) -> None:
    """Write the figures of samtools."""
    write_statistics(reads, sample, reference, folder)


if __name__ == "__main__":
    run(__doc__, {"reads": Path, "sample": str, "reference": Path, "folder": Path}, main)
