"""List what is ready of the samples of a sheet, and sum up their figures."""

from pathlib import Path

from bioloom.formats.sample_sheet import Lane
from bioloom.pipeline.command import json_objects, optional_path, run
from bioloom.reads.summary import list_reads, write_summary


def main(
    lanes: list,
    trimmed: list[Path],
    bams: list[Path],
    statistics: list[Path],
    reference: list[Path],
    sheet: Path,
    summary: Path,
) -> None:
    """Write the sheet and the summary; say what is odd."""
    rows = [Lane(**lane) for lane in lanes]
    lanes_of = [row for row in rows if row.fastq]
    samples = dict.fromkeys(row.folder for row in lanes_of)
    by_sample = [dict(zip(samples, files, strict=False)) for files in (bams, statistics)]
    folders = list(zip(lanes_of, trimmed, strict=True))
    found = list_reads(rows, folders, *by_sample, optional_path(reference), sheet)
    write_summary(found, summary)
    for sample, figures in found.items():
        for hint in figures["hints"]:
            print(f"{sample}: {hint}")


if __name__ == "__main__":
    arguments = {
        "lanes": json_objects,
        "trimmed": [Path],
        "bams": [Path],
        "statistics": [Path],
        "reference": [Path],
        "sheet": Path,
        "summary": Path,
    }
    run(__doc__, arguments, main)
