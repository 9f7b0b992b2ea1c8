"""Check the FASTQ of a lane, and trim it."""

from pathlib import Path

from bioloom.formats.sample_sheet import Lane
from bioloom.pipeline.command import json_files, json_object, run
from bioloom.reads.trimming import trim


def main(lane: dict, options: dict, threads: int, folder: Path) -> None:
    """Write trimmed reads, cutadapt.json and trimmed.json."""
    trim(Lane(**lane), options, threads, folder)


if __name__ == "__main__":
    run(__doc__, {"lane": json_files, "options": json_object, "threads": int, "folder": Path}, main)
