"""Statistics of a sample's BAM in the formats of samtools, which MultiQC reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pysam

from bioloom.files import replacing_folder

TOOLS = ("stats", "flagstat", "idxstats", "coverage")


def write_statistics(bam: Path, folder: Path) -> None:
    """Write `<name of the BAM>.<tool>` for each of TOOLS."""
    with replacing_folder(folder) as new:
        for tool in TOOLS:
            text = getattr(pysam.samtools, tool)(str(bam))
            # Where the file lay is no part of what it holds.
            lines = [
                line for line in text.splitlines() if not line.startswith("# The command line")
            ]
            (new / f"{bam.stem}.{tool}").write_text("\n".join(lines) + "\n")


def read_statistics(folder: Path) -> dict[str, float]:
    """Of the reads: how many, shares mapped, in proper pairs and copies; errors, insert size.

    Coverage is the mean depth of all contigs, without copies, and the share of bases under a read.
    """
    [stats] = folder.glob("*.stats")
    numbers: dict[str, float] = {}
    for line in stats.read_text().splitlines():
        if line.startswith("SN\t"):
            name, value = line.split("\t")[1:3]
            numbers[name.rstrip(":")] = float(value)
    reads = numbers["raw total sequences"]
    return {
        "reads": int(reads),
        "mapped": _share(numbers["reads mapped"], reads),
        "proper_pairs": _share(numbers["reads properly paired"], reads),
        "duplicates": _share(numbers["reads duplicated"], reads),
        "error_rate": round(numbers["error rate"], 5),
        "insert_size": numbers["insert size average"],
        "insert_size_sd": numbers["insert size standard deviation"],
        **_coverage(stats.with_suffix(".coverage")),
    }


def _coverage(file: Path) -> dict[str, float]:
    header, *rows = [line.split("\t") for line in file.read_text().splitlines()]
    contigs = [dict(zip(header, row, strict=True)) for row in rows]
    length = sum(int(contig["endpos"]) for contig in contigs)
    depth = sum(float(c["meandepth"]) * int(c["endpos"]) for c in contigs)
    covered = sum(int(contig["covbases"]) for contig in contigs)
    return {"coverage": round(depth / length, 2), "covered": _share(covered, length)}


def _share(part: Any, whole: Any) -> float:
    return round(part / whole, 4) if whole else 0.0
