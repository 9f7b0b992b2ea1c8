"""Put the reports of all lanes and samples into one page, by MultiQC."""

from pathlib import Path

from bioloom.pipeline.command import run
from bioloom.pipeline.reads import reads_of
from bioloom.reads.multiqc import multiqc


def main(source: Path, goal: str, folder: Path, title: str, report: Path) -> None:
    """Write the page."""
    reads = reads_of(str(source), goal, str(folder))
    multiqc(title, reads.trimmed_lanes, list(reads.sample_statistics.values()), report)


if __name__ == "__main__":
    arguments = {"source": Path, "goal": str, "folder": Path, "title": str, "report": Path}
    run(__doc__, arguments, main)
