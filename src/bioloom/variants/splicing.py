"""What variants do to splicing: SpliceAI's delta scores (doi:10.1016/j.cell.2018.12.015).

The transcript around a variant, N beyond its ends, is read with the reference allele and with the
alternative one. The largest gain and the largest loss of a chance, of acceptors and of donors, are
the four scores, each with the base where it is, counted from the variant along the genome.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam

from bioloom.devices import claim_devices
from bioloom.embedders import complete, spliceai
from bioloom.embedders.spliceai import CONTEXT
from bioloom.errors import DataError, unknown_name
from bioloom.files import replacing
from bioloom.formats.builds import plain
from bioloom.formats.dna import reverse_complement
from bioloom.formats.fastq import is_gzip
from bioloom.formats.genes import Gene
from bioloom.formats.vcf import index_vcf, opened
from bioloom.progress import at, tell
from bioloom.variants.alleles import LETTERS, N, decode, encode
from bioloom.variants.reference import Reference

Chances = Callable[[str], np.ndarray]
"""A text of n + 2 CONTEXT letters to the chances (n, 3) of neither, acceptor and donor."""
NETWORKS = 5
"""All that there are."""
DISTANCE = 50
"""Bases to each side of a variant that are looked at, as in SpliceAI's own scores."""
ACCEPTOR, DONOR = 1, 2
FIELD = "SpliceAI"
MEANING = (
    "Delta scores of splicing: ALLELE|SYMBOL|DS_AG|DS_AL|DS_DG|DS_DL|DP_AG|DP_AL|DP_DG|DP_DL, gain "
    "and loss of acceptor and donor, and where they are from POS"
)
BASES = set(LETTERS[:N])


@contextmanager
def networks(wheel: Path, count: int = NETWORKS, device: str | None = None) -> Iterator[Chances]:
    """The chances that the first `count` networks of SpliceAI's wheel give in the mean."""
    options = complete({"embedder": "spliceai", "networks": count, "pooling": "tokens"})
    with claim_devices(device) as devices:
        yield spliceai.load(options, wheel, devices[0], "float32").chances


class Effect(NamedTuple):
    """Scores of an allele in a gene: acceptor gain and loss, donor gain and loss; and places."""

    allele: str
    gene: str
    scores: tuple[float, ...]
    places: tuple[int, ...]

    def field(self) -> str:
        """As INFO has it."""
        scores, places = (f"{x:.2f}" for x in self.scores), map(str, self.places)
        name = re.sub(r"[|;,=\s]", "_", self.gene)
        return "|".join([self.allele, name, *scores, *places])


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
    text = decode(codes)
    return chances(text) if gene.strand == "+" else chances(reverse_complement(text))[::-1]


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
    distance: int = DISTANCE,
    masked: bool = False,
    contigs: Collection[str] = (),
) -> Told:
    """The VCF with the field `SpliceAI` of INFO, bgzipped and indexed; all else stays as it is.

    With `contigs` only records of these, as the VCF names them. DataError, before anything is
    computed, where a REF is not what the genome has there (then it is of another build), where
    records are not sorted, where there is none, and where genome and genes have no contig in
    common. Contigs are found with and without "chr".
    """
    reference = Reference(genome)
    around = {contig: genes[own] for contig in reference.lengths if (own := _called(contig, genes))}
    if not around:
        raise DataError(
            f"The genome has none of the genes' contigs, such as {next(iter(genes))}",
            file=genome,
            hint=f"it has {', '.join(list(reference.lengths)[:3])}",
        )
    refuse_unknown(contigs, vcf)
    count = _check(vcf, reference, contigs)
    scored = 0
    with at("effects"), replacing(out) as temporary:
        with pysam.BGZFile(str(temporary), "wb", None) as lines:
            lines.write(_header(vcf).encode())
            both = zip(_records(vcf, contigs), _lines(vcf, contigs), strict=True)
            for number, (record, line) in enumerate(both, 1):
                contig = _called(record.chrom, reference.lengths)
                alleles = record.alleles or ("N",)
                has_letters = any(set(other.upper()) <= BASES for other in alleles[1:])
                # Of a block of a gVCF, and of <DEL>, there is nothing to say.
                genes_there = around.get(contig or "", ()) if has_letters else ()
                near = [gene for gene in genes_there if gene.start <= record.pos <= gene.end]
                said = [
                    effect.field()
                    for gene in near
                    for effect in effects(
                        record.pos,
                        alleles,
                        gene,
                        reference,
                        contig or "",
                        chances,
                        distance=distance,
                        masked=masked,
                    )
                ]
                lines.write(_with_field(line, said).encode(errors="surrogateescape"))
                scored += bool(said)
                tell(f"{number} of {count} records")
    index_vcf(out)
    return Told(count, scored)


def refuse_unknown(contigs: Collection[str], vcf: Path) -> None:
    """DataError for a contig that the VCF neither declares nor has a record on.

    On one that it declares there may be none: of a call a contig each is a file then, too.
    """
    with opened(vcf) as records:
        known = {str(name) for name in records.header.contigs}
        if not known.issuperset(contigs):
            known |= {str(record.chrom) for record in records}
    for name in contigs:
        if name not in known:
            raise unknown_name("contig", name, sorted(known), f" in {vcf}")


def _records(vcf: Path, contigs: Collection[str]) -> Iterator[pysam.VariantRecord]:
    """Each record, of these contigs if any; what goes wrong elsewhere is no fault of the file."""
    with opened(vcf) as records:
        for record in records:
            if not contigs or record.chrom in contigs:
                yield record


def _lines(vcf: Path, contigs: Collection[str]) -> Iterator[str]:
    """The lines of these records as they are: written by htslib numbers would lose digits."""
    with opened(vcf) as records:
        is_text = not records.is_bcf
    if not is_text:
        yield from map(str, _records(vcf, contigs))
        return
    with gzip.open(vcf, "rb") if is_gzip(vcf) else vcf.open("rb") as lines:
        for line in (raw.decode(errors="surrogateescape") for raw in lines):
            is_record = line.strip() and not line.startswith("#")
            if is_record and (not contigs or line.partition("\t")[0] in contigs):
                yield line


def _header(vcf: Path) -> str:
    """The header, with the field in place of what it may say of one of that name."""
    with opened(vcf) as records:
        lines = str(records.header).splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(f"##INFO=<ID={FIELD},")]
    field = f'##INFO=<ID={FIELD},Number=.,Type=String,Description="{MEANING}">\n'
    return "".join([*kept[:-1], field, kept[-1]])


def _with_field(line: str, said: Sequence[str]) -> str:
    """A record's line with these values of the field, and none of another run."""
    fields = line.rstrip("\r\n").split("\t")
    info = [part for part in fields[7].split(";") if not part.startswith(f"{FIELD}=")]
    info = [part for part in info if part != "."]
    fields[7] = ";".join([*info, *([f"{FIELD}={','.join(said)}"] if said else [])]) or "."
    return "\t".join(fields) + "\n"


def _called(name: str, known: Collection[str]) -> str | None:
    """What a contig is called among the known: the same, with or without chr, or 23 for X."""
    for spelling in (name, f"chr{name}", name.removeprefix("chr")):
        if spelling in known:
            return spelling
    return next((other for other in known if plain(other) == plain(name)), None)


def _check(vcf: Path, reference: Reference, contigs: Collection[str]) -> int:
    """How many records there are; DataError where they are not sorted, or not of this genome."""
    count, wrong, first = 0, 0, ""
    last, passed = ("", 0), set[str]()
    for record in _records(vcf, contigs):
        count += 1
        contig = _called(record.chrom, reference.lengths)
        if contig is None:
            raise DataError(
                f"The genome has no {record.chrom}",
                file=vcf,
                hint=f"it has {', '.join(list(reference.lengths)[:3])}",
            )
        if record.chrom in passed or (record.chrom == last[0] and record.pos < last[1]):
            place = f"{record.chrom}:{record.pos}"
            raise DataError(f"{place} is not in order", file=vcf, hint="`bcftools sort` sorts it")
        if record.chrom != last[0]:
            passed.add(last[0])
        last = record.chrom, record.pos
        ref = (record.ref or "").upper()
        if not set(ref) <= BASES:
            continue  # an N of a structural variant says nothing
        end = min(record.start + len(ref), reference.lengths[contig])
        has = decode(reference.codes(contig, record.start, end)) if record.start < end else ""
        if ref != has:
            wrong += 1
            first = first or f"{record.chrom}:{record.pos} {ref}, the genome {has or 'nothing'}"
    if wrong:
        raise DataError(
            f"{wrong} of {count} records have another REF than the genome; the first is {first}",
            file=vcf,
            hint="is the genome of the same build?",
        )
    return count
