"""Put the reports of all lanes and samples into one page, by MultiQC."""

from pathlib import Path

from bioloom.pipeline.command import json_files, run
from bioloom.pipeline.reads import reads_of
from bioloom.reads.multiqc import multiqc


def main(reads: dict, title: str, report: Path) -> None:
    """Write the page."""
    made = reads_of(**reads)
    multiqc(title, made.trimmed_lanes, list(made.sample_statistics.values()), report)


if __name__ == "__main__":
    arguments = {"reads": json_files, "title": str, "report": Path}
    run(__doc__, arguments, main)
