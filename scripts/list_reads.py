"""List what is ready of the samples of a sheet."""

from pathlib import Path

from bioloom.pipeline.command import json_files, run
from bioloom.pipeline.reads import reads_of
from bioloom.reads.summary import list_reads


def main(reads: dict, sheet: Path) -> None:
    """Write the sheet."""
    made = reads_of(**reads)
    list_reads(made.rows, made.trimmed_lanes, made.sample_bams, sheet)


if __name__ == "__main__":
    run(__doc__, {"reads": json_files, "sheet": Path}, main)
