"""What variants do to splicing: SpliceAI's delta scores (doi:10.1016/j.cell.2018.12.015).

The transcript around a variant, N beyond its ends, is read with the reference allele and with the
alternative one. The largest gain and the largest loss of a chance, of acceptors and of donors, are
the four scores, each with the base where it is, counted from the variant along the genome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam

from bioloom.errors import DataError
from bioloom.files import replacing
from bioloom.formats.builds import plain
from bioloom.formats.genes import Gene
from bioloom.formats.vcf import index_vcf, opened
from bioloom.progress import at, tell
from bioloom.variants.alleles import LETTERS, N, decode, encode
from bioloom.variants.reference import Reference

Chances = Callable[[np.ndarray], np.ndarray]
"""Codes (n + 2 CONTEXT,) to the chances (n, 3) of neither, acceptor and donor."""
CONTEXT = 5_000
ACCEPTOR, DONOR = 1, 2
FIELD = "SpliceAI"
MEANING = (
    "Delta scores of splicing: ALLELE|SYMBOL|DS_AG|DS_AL|DS_DG|DS_DL|DP_AG|DP_AL|DP_DG|DP_DL, gain "
    "and loss of acceptor and donor, and where they are from POS"
)
BASES = set(LETTERS[:N])


class Effect(NamedTuple):
    """Scores of an allele in a gene: acceptor gain and loss, donor gain and loss; and places."""

    allele: str
    gene: str
    scores: tuple[float, ...]
    places: tuple[int, ...]

    def field(self) -> str:
        """As INFO has it."""
        scores, places = (f"{x:.2f}" for x in self.scores), map(str, self.places)
        return "|".join([self.allele, self.gene, *scores, *places])


def effects(
    start: int,
    alleles: Sequence[str],
    gene: Gene,
    reference: Reference,
    contig: str,
    chances: Chances,
    *,
    distance: int,
    masked: bool,
) -> list[Effect]:
    """Effects of the alternative `alleles[1:]` of a record, whose first base `start` is from 1.

    Left out are alleles that are no letters, and those where neither side is one base: how their
    bases correspond is not told. `masked` sets gains of annotated sites, and losses of others, to
    zero.
    """
    ref, *others = (allele.upper() for allele in alleles)
    wanted = [
        other for other in others if set(ref + other) <= BASES and 1 in (len(ref), len(other))
    ]
    if not wanted or len(ref) > 2 * distance:
        return []
    half = CONTEXT + distance
    before = _transcript(reference, contig, gene, start - half, start + half)
    was = _on_strand(before, gene, chances)
    found = []
    for other in wanted:
        codes = [before[:half], encode(other), before[half + len(ref) :]]
        now = _on_strand(np.concatenate(codes), gene, chances)
        gain = _aligned(now, len(ref), len(other), distance) - was
        found.append(_largest(other, gain, start, gene, distance, masked))
    return found


def _transcript(reference: Reference, contig: str, gene: Gene, first: int, last: int) -> np.ndarray:
    """Codes of the bases first to last, from 1; N where the transcript is not."""
    codes = np.full(last - first + 1, N, np.uint8)
    start = max(first, gene.start, 1)
    end = min(last, gene.end, reference.lengths[contig])
    if start <= end:
        codes[start - first : end - first + 1] = reference.codes(contig, start - 1, end)
    return codes


def _on_strand(codes: np.ndarray, gene: Gene, chances: Chances) -> np.ndarray:
    """Chances along the genome, of a gene on either strand."""
    if gene.strand == "+":
        return chances(codes)
    turned = codes[::-1]
    return chances(np.where(turned < N, N - 1 - turned, N).astype(np.uint8))[::-1]


def _aligned(now: np.ndarray, ref: int, other: int, distance: int) -> np.ndarray:
    """Rows at the bases of the reference: none where they are deleted, the largest where inserted.

    An insertion's are those of the base before it.
    """
    at = distance
    if ref > other:
        gap = np.zeros((ref - other, now.shape[1]), now.dtype)
        return np.concatenate([now[: at + other], gap, now[at + other :]])
    inserted = now[at : at + other].max(axis=0, keepdims=True)
    return np.concatenate([now[:at], inserted, now[at + other :]]) if other > ref else now


def _largest(
    allele: str, gain: np.ndarray, start: int, gene: Gene, distance: int, masked: bool
) -> Effect:
    annotated = {place - start for place in gene.boundaries()}
    scores, places = [], []
    for site in (ACCEPTOR, DONOR):
        for sign in (1, -1):
            row = int((sign * gain[:, site]).argmax())
            place, score = row - distance, max(0.0, float(sign * gain[row, site]))
            if masked and (place in annotated) == (sign == 1):
                score = 0.0
            scores.append(score)
            places.append(place)
    return Effect(allele, gene.name, tuple(scores), tuple(places))


class Told(NamedTuple):
    """How many records there were, and how many have scores."""

    records: int
    scored: int


def write_effects(
    vcf: Path,
    genome: Path,
    genes: Mapping[str, Sequence[Gene]],
    chances: Chances,
    out: Path,
    *,
    distance: int,
    masked: bool,
) -> Told:
    """The VCF with the field `SpliceAI` of INFO, bgzipped and indexed, records in their order.

    DataError, before anything is computed, where a REF is not what the genome has there: then it is
    of another build. Chromosomes are found with and without "chr".
    """
    reference = Reference(genome)
    contigs = {plain(name): name for name in reference.lengths}
    count = _check_build(vcf, reference, contigs)
    scored = 0
    with at("effects"), opened(vcf) as records, replacing(out) as temporary:
        records.header.add_meta(
            "INFO",
            items=[
                ("ID", FIELD),
                ("Number", "."),
                ("Type", "String"),
                ("Description", MEANING),
            ],
        )
        with pysam.VariantFile(str(temporary), "wz", header=records.header) as written:
            for number, record in enumerate(records, 1):
                name = plain(record.chrom)
                around = [g for g in genes.get(name, ()) if g.start <= record.pos <= g.end]
                if around and record.alleles:
                    said = [
                        effect.field()
                        for gene in around
                        for effect in effects(
                            record.pos,
                            record.alleles,
                            gene,
                            reference,
                            contigs[name],
                            chances,
                            distance=distance,
                            masked=masked,
                        )
                    ]
                    if said:
                        record.info[FIELD] = said
                        scored += 1
                written.write(record)
                tell(f"{number} of {count} records")
    index_vcf(out)
    return Told(count, scored)


def _check_build(vcf: Path, reference: Reference, contigs: Mapping[str, str]) -> int:
    """How many records there are; DataError where one has another REF than the genome."""
    count, wrong, first = 0, 0, ""
    with opened(vcf) as records:
        for record in records:
            count += 1
            contig = contigs.get(plain(record.chrom))
            if contig is None:
                raise DataError(
                    f"The genome has no {record.chrom}",
                    file=vcf,
                    hint=f"it has {', '.join(list(reference.lengths)[:3])}",
                )
            ref = (record.ref or "").upper()
            end = min(record.start + len(ref), reference.lengths[contig])
            has = decode(reference.codes(contig, record.start, end)) if record.start < end else ""
            if ref != has and decode(encode(ref)) != has:
                wrong += 1
                first = first or f"{record.chrom}:{record.pos} {ref}, the genome {has or 'nothing'}"
    if wrong:
        raise DataError(
            f"{wrong} of {count} records have another REF than the genome; the first is {first}",
            file=vcf,
            hint="is the genome of the same build?",
        )
    return count
