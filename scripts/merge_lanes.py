"""Merge the lanes of a sample, and mark its duplicates."""

from pathlib import Path

from bioloom.formats.sample_sheet import Lane
from bioloom.pipeline.command import json_objects, run
from bioloom.reads.duplicates import merge_lanes


def main(lanes: list, bams: list[Path], threads: int, bam: Path, index: Path) -> None:
    """Write the sample's BAM and its index."""
    of_lanes = [(Lane(**lane), file) for lane, file in zip(lanes, bams, strict=True)]
    merge_lanes(of_lanes, threads, bam, index)


if __name__ == "__main__":
    arguments = {"lanes": json_objects, "bams": [Path], "threads": int, "bam": Path, "index": Path}
    run(__doc__, arguments, main)
