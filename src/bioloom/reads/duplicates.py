"""Lanes of a sample to one BAM, in which copies of a fragment are marked.

A copy is made in a library, so it may lie on any of its lanes, and never in another library.
samtools markdup compares all reads of a file, or those of one read group: it gets a library.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pysam

from bioloom.files import replacing
from bioloom.formats.sample_sheet import LONG_READS, Lane


def merge_lanes(lanes: Iterable[tuple[Lane, Path]], threads: int, bam: Path) -> None:
    """Write the sorted BAM of a sample from those of its lanes, and its index (`.csi`) beside it.

    Long reads are not compared: their libraries are not amplified as a rule.
    """
    libraries: dict[tuple[str, bool], list[str]] = {}
    for lane, file in lanes:
        key = lane.library, lane.platform in LONG_READS
        libraries.setdefault(key, []).append(str(file))
    more = ["-@", str(threads - 1)]
    with replacing(bam) as merged, TemporaryDirectory(prefix=".merge-", dir=bam.parent) as work:
        marked = []
        for number, ((_, is_long), files) in enumerate(libraries.items()):
            one = files[0]
            if len(files) > 1:
                one = f"{work}/{number}.bam"
                pysam.samtools.merge("--no-PG", "-c", "-u", *more, "-o", one, *files)
            if not is_long:
                longest = ["-l", str(_longest(one))]
                pysam.samtools.markdup(
                    "--no-PG", *more, *longest, one, f"{work}/{number}.marked.bam"
                )
                one = f"{work}/{number}.marked.bam"
            marked.append(one)
        pysam.samtools.merge("--no-PG", "-c", *more, "-f", "-o", str(merged), *marked)
    # Unlike .bai, .csi has no longest contig.
    pysam.samtools.index("-c", *more, str(bam), f"{bam}.csi")


def _longest(bam: str) -> int:
    """The length of the longest read, which markdup has to know."""
    with pysam.AlignmentFile(bam, check_sq=False) as reads:
        return max((read.infer_read_length() or 0 for read in reads), default=0) or 1
