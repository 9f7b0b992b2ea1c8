"""Sum up what is known of each sample, and say what is odd."""

from pathlib import Path

from bioloom.pipeline.command import json_files, optional_path, run
from bioloom.pipeline.reads import reads_of
from bioloom.reads.summary import summarise_reads, write_summary


def main(reads: dict, reference: list[Path], summary: Path, table: Path) -> None:
    """Write the summary, and its table."""
    made = reads_of(**reads)
    found = summarise_reads(made.trimmed_lanes, made.sample_statistics, optional_path(reference))
    write_summary(found, summary, table)
    for sample, figures in found.items():
        for hint in figures["hints"]:
            print(f"{sample}: {hint}")


if __name__ == "__main__":
    arguments = {"reads": json_files, "reference": [Path], "summary": Path, "table": Path}
    run(__doc__, arguments, main)
