"""Align the trimmed reads of a lane."""

from pathlib import Path

from bioloom.formats.sample_sheet import Lane
from bioloom.pipeline.command import json_object, run
from bioloom.reads.align import align
from bioloom.reads.choices import aligner_of


def main(lane: dict, options: dict, reads: Path, index: Path, threads: int, bam: Path) -> None:
    """Write the sorted BAM of the lane."""
    one = Lane(**lane)
    aligner = aligner_of(options["aligner"], one)
    align(one, sorted(reads.glob("*.fastq.gz")), index, aligner, threads, bam)


if __name__ == "__main__":
    arguments = {
        "lane": json_object,
        "options": json_object,
        "reads": Path,
        "index": Path,
        "threads": int,
        "bam": Path,
    }
    run(__doc__, arguments, main)
