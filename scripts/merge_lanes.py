"""Merge the lanes of a sample, and mark its duplicates."""

from pathlib import Path

from bioloom.formats.sample_sheet import Lane
from bioloom.pipeline.command import json_objects, run
from bioloom.reads.duplicates import merge_lanes
from bioloom.reads.statistics import write_statistics


def main(lanes: list, bams: list[Path], threads: int, bam: Path, statistics: Path) -> None:
    """Write the sample's BAM, its index, and its figures."""
    merge_lanes(
        [(Lane(**lane), file) for lane, file in zip(lanes, bams, strict=True)], threads, bam
    )
    write_statistics(bam, statistics)


if __name__ == "__main__":
    arguments = {
        "lanes": json_objects,
        "bams": [Path],
        "threads": int,
        "bam": Path,
        "statistics": Path,
    }
    run(__doc__, arguments, main)
