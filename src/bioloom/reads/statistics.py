"""Statistics of a sample's BAM in the formats of samtools, which MultiQC reads."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pysam

from bioloom.files import read_json, replacing_folder, write_json
from bioloom.reads.cram import quiet

TOOLS = ("stats", "flagstat", "idxstats", "coverage")
DECODING = ("stats", "coverage")  # look at bases
USABLE = "usable.json"
KNOWN_PLACE = 1  # mapping quality from which on a read counts where variants are called


def write_statistics(file: Path, name: str, reference: Path, folder: Path) -> None:
    """Write `<name>.<tool>` for each of TOOLS, of a BAM or CRAM; the latter needs its FASTA.

    And USABLE, of the reads whose place is known: MultiQC would take a table for another sample.
    """
    with replacing_folder(folder) as new, TemporaryDirectory(prefix="bioloom-reads-") as work:
        # By links: an index beside a file may be of another, and an index of the FASTA is written.
        reads, fasta = Path(work) / "reads", Path(work) / reference.name
        reads.symlink_to(file.resolve())
        fasta.symlink_to(reference.resolve())
        with file.open("rb") as stream:
            is_cram = stream.read(4) == b"CRAM"
        decoding = ["--reference", str(fasta)] if is_cram else []
        with quiet():
            for tool in TOOLS:
                options = decoding if tool in DECODING else []
                text = getattr(pysam.samtools, tool)(*options, str(reads))
                # Where the file lay is no part of what it holds.
                lines = [
                    line for line in text.splitlines() if not line.startswith("# The command line")
                ]
                (new / f"{name}.{tool}").write_text("\n".join(lines) + "\n")
            placed = pysam.samtools.coverage("-q", str(KNOWN_PLACE), *decoding, str(reads))
        known = _coverage(str(placed))["covered"]
        write_json({"without_data": round(1 - known, 4)}, new / USABLE)


def read_statistics(folder: Path) -> dict[str, float | None]:
    """Of the reads: how many, shares mapped, in proper pairs and copies; errors, insert size.

    Errors are those that records tell (tag NM), None where none tells any. Coverage is the mean
    depth of all contigs, without copies, and the share of bases under a read; `without_data` is the
    share of those under no read of mapping quality `KNOWN_PLACE`.
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
        "error_rate": round(numbers["error rate"], 5) if numbers["mismatches"] else None,
        "insert_size": numbers["insert size average"],
        "insert_size_sd": numbers["insert size standard deviation"],
        **_coverage(stats.with_suffix(".coverage").read_text()),
        **read_json(folder / USABLE),
    }


def _coverage(table: str) -> dict[str, float]:
    header, *rows = [line.split("\t") for line in table.splitlines()]
    contigs = [dict(zip(header, row, strict=True)) for row in rows]
    length = sum(int(contig["endpos"]) for contig in contigs)
    depth = sum(float(c["meandepth"]) * int(c["endpos"]) for c in contigs)
    covered = sum(int(contig["covbases"]) for contig in contigs)
    return {"coverage": round(depth / max(length, 1), 2), "covered": _share(covered, length)}


def _share(part: Any, whole: Any) -> float:
    return round(part / whole, 4) if whole else 0.0
