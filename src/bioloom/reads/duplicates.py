"""Lanes of a sample to one BAM, in which copies of a fragment are marked.

A copy is made in a library, so it may lie on any of its lanes, and never in another library.
samtools markdup compares all reads of a file, or those of one read group: it gets a library.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import pysam

from bioloom.files import replacing, work_folder
from bioloom.formats.sample_sheet import LONG_READS, Lane

LONGEST = "1000"  # letters of a short read: so far apart markdup looks for its copies


def merge_lanes(lanes: Iterable[tuple[Lane, Path]], threads: int, bam: Path, index: Path) -> None:
    """Write the sorted BAM of a sample from those of its lanes, and its index (`.csi`).

    Long reads are not compared: their libraries are not amplified as a rule.
    """
    libraries: dict[tuple[str, bool], list[Path]] = {}
    for lane, file in lanes:
        key = lane.library, lane.platform in LONG_READS
        libraries.setdefault(key, []).append(file)
    with work_folder(bam) as work, replacing(bam) as merged:
        parts = []
        for number, ((_, is_long), files) in enumerate(libraries.items()):
            library, marked = (work / f"{number}{end}.bam" for end in ("", ".marked"))
            _merge(files, library, threads)
            if not is_long:
                _mark(library, marked, threads)
            parts.append(library if is_long else marked)
        _merge(parts, merged, threads)
    # Unlike .bai, .csi has no longest contig.
    pysam.samtools.index("-c", "-@", str(threads - 1), str(bam), str(index))


def _merge(files: Sequence[Path], out: Path, threads: int) -> None:
    if len(files) == 1:
        shutil.copyfile(files[0], out)
    else:
        # Records of programs get another name where lanes have the same; drawn, without a seed.
        options = ["--no-PG", "-c", "-s", "1", "-@", str(threads - 1), "-f", "-o", str(out)]
        pysam.samtools.merge(*options, *map(str, files))


def _mark(bam: Path, out: Path, threads: int) -> None:
    options = ["--no-PG", "-@", str(threads - 1), "-l", LONGEST]
    pysam.samtools.markdup(*options, str(bam), str(out))
