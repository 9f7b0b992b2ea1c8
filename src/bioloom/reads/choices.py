"""What the options of trimming and alignment mean for a lane. Light: asked before any job runs."""

from __future__ import annotations

import re

from bioloom.errors import DataError
from bioloom.formats.sample_sheet import LONG_READS, Lane

# What is sequenced behind a short fragment, of the first and of the second mate, as the makers of
# the kits publish it.
KITS = {
    "truseq": ("AGATCGGAAGAGCACACGTCTGAACTCCAGTCA", "AGATCGGAAGAGCGTCGTGTAGGGAAAGAGTGT"),
    "nextera": ("CTGTCTCTTATACACATCT", "CTGTCTCTTATACACATCT"),
    "small_rna": ("TGGAATTCTCGGGTGCCAAGG", "GATCGTCGGACTGTAGAACTCTGAAC"),
    "dnbseq": ("AAGTCGGAGGCCAAGCGGTCTTAGGAAGACAA", "AAGTCGGATCGTAGCCATGTCGTTCTGTGAGCCAAGGAGTTG"),
}


def adapters_of(option: str, kit: str | None, platform: str) -> tuple[str, ...]:
    """The adapters of both mates, or none; `kit` is the one that the reads show.

    DataError for an option that is neither a word, nor a kit, nor sequences.
    """
    if option == "auto":
        return KITS[kit] if kit and platform not in LONG_READS else ()
    if option == "none":
        return ()
    if option in KITS:
        return KITS[option]
    sequences = tuple(option.upper().replace(",", " ").split())
    letters = all(re.fullmatch("[ACGTUNRYSWKMBDHV]+", sequence) for sequence in sequences)
    if not 1 <= len(sequences) <= 2 or not letters:
        known = ", ".join(("auto", "none", *KITS))
        hint = f"{known}, or the sequences behind the first and the second mate"
        raise DataError(f"Unknown adapters {option!r}", hint=hint)
    return sequences * 2 if len(sequences) == 1 else sequences


def aligner_of(option: str, lane: Lane) -> str:
    """The aligner of a lane: `auto` is bwa for short reads, and mappy for long ones.

    DataError for mappy and pairs.
    """
    if option == "auto":
        option = "mappy" if lane.platform in LONG_READS else "bwa"
    if option == "mappy" and len(lane.fastq) == 2:
        hint = "`aligner: bwa` takes pairs, or `minimap2` where it is on PATH"
        raise DataError(f"mappy is for single reads, and {lane.sample} has pairs", hint=hint)
    return option
