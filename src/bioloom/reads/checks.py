"""Whether aligned reads lie on the reference that is given: names, lengths, M5, and bases.

A name and a length prove nothing: builds share them. The checksum M5 of the header does (SAM
specification, section 1.3.2); where it is missing, the reads themselves are asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import md5
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bioloom.errors import DataError
from bioloom.formats.fasta import iter_fasta
from bioloom.reads.alignments import open_reads
from bioloom.reads.bam import Bam
from bioloom.reads.cram import Cram
from bioloom.reads.pileup import pileup

WINDOW, WINDOWS = 5_000, 40  # bases, and how many of a contig are looked at
BLOCK = 200  # positions that are judged together
ENOUGH = 200  # observations in a block
# Of bases differ: reads with errors stay below, also long ones; another sequence is far above.
OTHER = 0.3


class Contig(NamedTuple):
    """A contig as a header or a FASTA says it; a checksum may be missing in a header."""

    length: int
    m5: str


def check_alignments(files: Sequence[Path], reference: Path) -> dict[str, dict[str, Any]]:
    """Check BAM or CRAM files; of each the samples, contigs, and the share of bases that differ.

    DataError for a file that is damaged, cut off or not sorted, for a contig of another length or
    checksum than the reference's, for names that it does not have (another spelling is offered
    where length and M5 agree), and, without M5, for bases that differ as those of another build do.
    """
    opened = {str(file): open_reads(file, reference) for file in files}
    headers = {file: header_contigs(reads.header.text) for file, reads in opened.items()}
    differ: dict[str, list[np.ndarray]] = {file: [] for file in opened}
    known: dict[str, Contig] = {}
    for record in iter_fasta(reference):
        letters = record.sequence.upper()
        contig = Contig(len(letters), md5(letters.encode()).hexdigest())
        if record.id in known:
            message = f"The contig {record.id!r} is there twice"
            raise DataError(message, file=reference, row=record.row)
        known[record.id] = contig
        for file, contigs in headers.items():
            if record.id in contigs:
                _check_same(record.id, contigs[record.id], contig, file, reference)
                differ[file] += _differing(opened[file], record.id, letters)
    for file, contigs in headers.items():
        _check_names(contigs, known, file, reference)
        _check_bases(np.array(differ[file]).reshape(-1, 2), file, reference)
    return {
        file: {
            "samples": _samples(reads.header.text),
            "contigs": sum(name in known for name in headers[file]),
            "other_contigs": [name for name in headers[file] if name not in known][:20],
            "differing_bases": _share(np.array(differ[file]).reshape(-1, 2).sum(axis=0)),
        }
        for file, reads in opened.items()
    }


def header_contigs(text: str) -> dict[str, Contig]:
    """Name -> length and M5 of the @SQ lines of a header."""
    tags = [_tags(line) for line in text.splitlines() if line.startswith("@SQ\t")]
    return {sq["SN"]: Contig(int(sq["LN"]), sq.get("M5", "").lower()) for sq in tags}


def _tags(line: str) -> dict[str, str]:
    fields = (field.partition(":") for field in line.split("\t")[1:])
    return {name: value for name, _, value in fields}


def _samples(text: str) -> list[str]:
    groups = [_tags(line) for line in text.splitlines() if line.startswith("@RG\t")]
    return sorted({group["SM"] for group in groups if "SM" in group})


def _check_same(name: str, reads: Contig, given: Contig, file: str, reference: Path) -> None:
    if reads.length != given.length:
        what = f"has {given.length} bases, and {reads.length} in {file}"
    elif reads.m5 and reads.m5 != given.m5:
        what = f"is another sequence: its M5 is {given.m5}, and {reads.m5} in {file}"
    else:
        return
    hint = "give the FASTA that the reads were aligned to, or align them to this one"
    raise DataError(f"{name} {what}", file=reference, hint=hint)


def _check_names(
    contigs: Mapping[str, Contig], known: Mapping[str, Contig], file: str, reference: Path
) -> None:
    """Refuse another spelling of names, and a reference that has none of the contigs."""
    if not contigs:
        hint = "`samtools fastq` writes FASTQ, which a sample sheet takes"
        raise DataError("These reads are not aligned", file=file, hint=hint)
    alike = {name: spelt for name in contigs if (spelt := _spelt(name, contigs, known))}
    if not alike and any(name in known for name in contigs):
        return
    here, there = (", ".join([*names][:10]) for names in (contigs, known))
    same = {name: other for name, other in alike.items() if contigs[name] == known[other]}
    unsure = [
        f"{name} ({contigs[name].length} bases) is not proven to be {o} ({known[o].length})"
        for name, o in alike.items()
        if name not in same
    ]
    hint = "; ".join([*(f"{name} is {other}" for name, other in same.items()), *unsure])
    if same:
        hint += f"; rename what is the same: {rename_command(same, file)}"
    hint = hint or "give the FASTA that the reads were aligned to"
    message = f"The reads lie on {here}, and the reference {reference} has {there}"
    raise DataError(message, file=file, hint=hint)


def rename_command(names: Mapping[str, str], file: str) -> str:
    """The call of samtools that gives contigs of a BAM other names."""
    edits = (f"s/SN:{re.escape(name)}\\t/SN:{other}\\t/" for name, other in names.items())
    return f"samtools reheader -c \"sed '{'; '.join(edits)}'\" {file} > renamed.bam"


def _spelt(name: str, contigs: Mapping[str, Contig], known: Mapping[str, Contig]) -> str | None:
    """Another spelling of a contig that the reference has, and the reads do not."""
    if name in known:
        return None
    bare = name.removeprefix("chr")
    others = {"M": ("MT", "chrM"), "MT": ("M", "chrM")}.get(bare, (bare, f"chr{bare}"))
    return next((o for o in others if o in known and o not in contigs), None)


def _differing(reads: Bam | Cram, contig: str, letters: str) -> list[np.ndarray]:
    """[bases that differ, all bases] of the observed blocks of windows along a contig."""
    codes = np.full(256, 4, np.int64)
    codes[np.frombuffer(b"ACGT", np.uint8)] = range(4)
    starts = np.unique(np.linspace(0, max(len(letters) - WINDOW, 0), WINDOWS).astype(int))
    found = []
    for start in starts:
        end = min(int(start) + WINDOW, len(letters))
        records = reads.records(contig, int(start), end)
        if not len(records):
            continue
        counts = pileup(records, int(start), end).counts.sum(axis=2)
        counts[:, 4] = 0  # a gap differs in no base, and N tells nothing
        code = codes[np.frombuffer(letters[start:end].encode(), np.uint8)]
        depth = np.where(code < 4, counts.sum(axis=1), 0)
        same = np.where(code < 4, counts[np.arange(len(code)), code], 0)
        blocks = np.arange(0, len(code), BLOCK)
        tally = np.add.reduceat(np.stack([depth - same, depth], axis=1), blocks)
        found += list(tally[tally[:, 1] > 0])
    return found


def _check_bases(blocks: np.ndarray, file: str, reference: Path) -> None:
    judged = blocks[blocks[:, 1] >= ENOUGH]
    bad = judged[judged[:, 0] > OTHER * judged[:, 1]]
    if len(bad) > max(1, 0.01 * len(judged)) or _share(blocks.sum(axis=0)) > OTHER:
        raise DataError(
            f"{_share(blocks.sum(axis=0)):.1%} of the reads' bases differ from the reference "
            f"{reference}; in {len(bad)} of {len(judged)} stretches of {BLOCK} bases more than "
            f"{OTHER:.0%} do",
            file=file,
            hint="another build has contigs of the same names and lengths: give the FASTA that the "
            "reads were aligned to",
        )


def _share(counts: np.ndarray) -> float:
    """Of [part, whole]."""
    return round(float(counts[0] / max(counts[1], 1)), 5)
