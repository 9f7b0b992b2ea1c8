"""List what is ready of the samples of a sheet."""

from pathlib import Path

from bioloom.pipeline.command import run
from bioloom.pipeline.reads import reads_of
from bioloom.reads.summary import list_reads


def main(source: Path, goal: str, folder: Path, sheet: Path) -> None:
    """Write the sheet."""
    reads = reads_of(str(source), goal, str(folder))
    list_reads(reads.rows, reads.trimmed_lanes, reads.sample_bams, sheet)


if __name__ == "__main__":
    run(__doc__, {"source": Path, "goal": str, "folder": Path, "sheet": Path}, main)
