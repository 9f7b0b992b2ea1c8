"""How good an assembly is: by itself, by the k-mers of the reads, and against a reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bioloom.reads.kmers import Table, count_kmers, kmers_of, look_up
from bioloom.reads.sequences import Reads, decode

LEAST = 500  # letters of a contig that counts against a reference, as in QUAST
GAP = 1000  # two parts of a contig may lie so much nearer or further, as in QUAST


def n50(lengths: Sequence[int], total: int | None = None) -> int:
    """The length of the contig with which half of the total is reached; 0 where none does.

    The total is that of the lengths (N50), or that of the genome (NG50).
    """
    ordered = np.sort(np.asarray(lengths, np.int64))[::-1]
    reached = np.cumsum(ordered) * 2 >= (ordered.sum() if total is None else total)
    return int(ordered[np.argmax(reached)]) if reached.any() else 0


def contiguity(contigs: Sequence[np.ndarray], genome_size: int) -> dict[str, float]:
    """Figures of the lengths; NG50 is by the genome size that the spectrum tells."""
    lengths = [len(contig) for contig in contigs]
    letters = np.concatenate(contigs)
    return {
        "contigs": len(lengths),
        "total_length": sum(lengths),
        "longest": max(lengths),
        "n50": n50(lengths),
        "ng50_of_spectrum": n50(lengths, genome_size),
        "gc": float(np.isin(letters, (1, 2)).mean()),
    }


def by_kmers(
    contigs: Sequence[np.ndarray], table: Table, threshold: int
) -> dict[str, float | None]:
    """Completeness and consensus quality by the k-mers of the reads (Rhie et al. 2020, Merqury).

    Completeness is the share of the reads' solid k-mers that the contigs have. The quality (QV) is
    Phred of the rate of wrong bases that k-mers tell which no read has; None where there is none.
    """
    offsets = np.concatenate([[0], np.cumsum([len(contig) for contig in contigs])])
    codes = np.concatenate(contigs)
    of_contigs = count_kmers(Reads(codes, codes, offsets.astype(np.int64)), table.k)
    solid = kmers_of(table, threshold)
    kmers = kmers_of(of_contigs, 1)
    missing = look_up(table, kmers) == 0
    copies = look_up(of_contigs, kmers).astype(float)
    wrong = 1 - (1 - copies[missing].sum() / copies.sum()) ** (1 / table.k)
    return {
        "kmer_completeness": float((look_up(of_contigs, solid) > 0).mean()),
        "kmers_of_no_read": int(missing.sum()),
        "qv": float(-10 * np.log10(wrong)) if wrong > 0 else None,
    }


def against_reference(
    contigs: Sequence[np.ndarray], reference: dict[str, str]
) -> dict[str, float | int]:
    """Figures of contigs of `LEAST` letters or more aligned to a reference by minimap2.

    A contig whose parts lie on other contigs, strands or further apart than `GAP` is misassembled
    once for each such join; each contig of the reference may be circular. NGA50 is of the aligned
    letters between such joins.
    """
    aligner = _aligner(reference)
    covered = {name: np.zeros(len(letters), np.bool_) for name, letters in reference.items()}
    size = sum(map(len, reference.values()))
    parts: list[int] = []
    counts = {"misassemblies": 0, "mismatches": 0, "indels": 0, "unaligned": 0}
    for contig in (contig for contig in contigs if len(contig) >= LEAST):
        hits = sorted(
            (h for h in aligner.map(decode(contig)) if h.is_primary), key=lambda h: h.q_st
        )
        aligned, last = np.zeros(len(contig), np.bool_), None
        for hit in hits:
            joins = last is None or _is_misassembly(last, hit)
            counts["misassemblies"] += joins and last is not None
            first, *others = _cover(covered[hit.ctg], hit)
            parts += [first] if joins else [parts.pop() + first]
            parts += others
            counts["misassemblies"] += len(others)
            aligned[hit.q_st : hit.q_en] = True
            last = hit
            gaps = [length for length, operation in hit.cigar if operation in (1, 2)]
            counts["indels"] += len(gaps)
            counts["mismatches"] += hit.NM - sum(gaps)
        counts["unaligned"] += int((~aligned).sum())
    reached = sum(int(own.sum()) for own in covered.values())
    return {
        "genome_fraction": reached / size,
        "ng50": n50([len(contig) for contig in contigs], size),
        "nga50": n50(parts, size),
        "misassemblies": counts["misassemblies"],
        "mismatches_per_100kb": counts["mismatches"] / max(reached, 1) * 1e5,
        "indels_per_100kb": counts["indels"] / max(reached, 1) * 1e5,
        "unaligned_length": counts["unaligned"],
    }


def _aligner(reference: dict[str, str]) -> Any:
    """minimap2 for contigs of a reference, which it reads from a file alone."""
    import mappy

    with TemporaryDirectory(prefix="bioloom-") as folder:
        fasta = Path(folder) / "reference.fa"
        fasta.write_text("".join(f">{name}\n{letters}\n" for name, letters in reference.items()))
        return mappy.Aligner(str(fasta), preset="asm5", best_n=50)


def _is_misassembly(one: Any, other: Any) -> bool:
    """Whether the reference, whose contigs may be circular, lacks what joins two parts."""
    if one.ctg != other.ctg or one.strand != other.strand:
        return True
    ahead = other.r_st - one.r_en if one.strand > 0 else one.r_st - other.r_en
    apart = abs(ahead - (other.q_st - one.q_en))
    return min(apart, one.ctg_len - apart) > GAP


def _cover(covered: np.ndarray, hit: Any) -> list[int]:
    """Mark the letters of a contig of the reference that a part has; how many, between gaps."""
    at, letters = hit.r_st, [0]
    for length, operation in hit.cigar:
        if operation in (0, 7, 8):
            covered[at : at + length] = True
            letters[-1] += length
        elif length > GAP:
            letters.append(0)
        at += length if operation in (0, 2, 3, 7, 8) else 0
    return letters
