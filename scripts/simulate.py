"""Simulate the reads of one sample of a reference, and its true variants."""

from pathlib import Path

from bioloom.pipeline.command import json_object, run
from bioloom.variants.simulate import simulate_sample


def main(
    reference: Path,
    options: dict,
    sample: str,
    seed: int,
    fastq_1: Path,
    fastq_2: Path,
    truth: Path,
) -> None:
    """Write both mates as FASTQ, and the truth as VCF."""
    simulate_sample(reference, options, sample, seed, (fastq_1, fastq_2), truth)


if __name__ == "__main__":
    arguments = {
        "reference": Path,
        "options": json_object,
        "sample": str,
        "seed": int,
        "fastq_1": Path,
        "fastq_2": Path,
        "truth": Path,
    }
    run(__doc__, arguments, main)
