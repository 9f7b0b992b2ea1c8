"""Put the reports of all lanes and samples into one page, by MultiQC."""

from pathlib import Path

from bioloom.formats.sample_sheet import Lane
from bioloom.pipeline.command import json_objects, run
from bioloom.reads.multiqc import multiqc


def main(
    title: str, lanes: list, trimmed: list[Path], statistics: list[Path], report: Path
) -> None:
    """Write the page."""
    folders = zip([Lane(**lane) for lane in lanes], trimmed, strict=True)
    multiqc(title, list(folders), statistics, report)


if __name__ == "__main__":
    arguments = {
        "title": str,
        "lanes": json_objects,
        "trimmed": [Path],
        "statistics": [Path],
        "report": Path,
    }
    run(__doc__, arguments, main)
