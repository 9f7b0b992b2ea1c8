"""Sum up what is known of each sample, and say what is odd."""

from pathlib import Path

from bioloom.pipeline.command import optional_path, run
from bioloom.pipeline.reads import reads_of
from bioloom.reads.summary import summarise_reads, write_summary


def main(source: Path, goal: str, folder: Path, reference: list[Path], summary: Path) -> None:
    """Write the summary."""
    reads = reads_of(str(source), goal, str(folder))
    found = summarise_reads(reads.trimmed_lanes, reads.sample_statistics, optional_path(reference))
    write_summary(found, summary)
    for sample, figures in found.items():
        for hint in figures["hints"]:
            print(f"{sample}: {hint}")


if __name__ == "__main__":
    arguments = {
        "source": Path,
        "goal": str,
        "folder": Path,
        "reference": [Path],
        "summary": Path,
    }
    run(__doc__, arguments, main)
