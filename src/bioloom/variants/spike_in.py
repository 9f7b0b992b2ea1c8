"""Variants that are planted in real reads, which so get a truth: of a user's own, or of any.

The errors, qualities and depths that a network learns from are then those of one's own laboratory.
Where a sample may vary anyway is, without a truth, not known: nothing is planted there, and nothing
learnt. Planting in reads is as BAMSurgeon does it (Ewing et al. 2015, Nat. Methods 12:623), but
that reads are laid anew on their own place alone. The variants are drawn as in `simulate`.
"""

from __future__ import annotations

import copy
import struct
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pysam

from bioloom.errors import DataError
from bioloom.files import file_names
from bioloom.formats.sample_sheet import Lane, write_sheet
from bioloom.formats.vcf import Called, Field, write_vcf
from bioloom.options import Option
from bioloom.reads.cram import quiet
from bioloom.reads.groups import read_groups
from bioloom.reads.header import MAGIC
from bioloom.reads.pileup import COUNTING
from bioloom.reads.records import int32
from bioloom.samples import VARIANT
from bioloom.variants.alleles import N, decode
from bioloom.variants.candidates import Theta
from bioloom.variants.evidence import MARGIN, Person, candidates_of, records_of
from bioloom.variants.planting import Allele, plant
from bioloom.variants.reference import Reference
from bioloom.variants.regions import Region, difference, joined
from bioloom.variants.simulate import LONGEST, as_record, simulate_variants
from bioloom.variants.truth import check_letters, read_truth, variants_inside

# What a data set's `spike_in` may say.
OPTIONS: dict[str, Any] = {
    "depths": Option(
        [None],
        items=Option(None, type=float, above=0),
        about="reads over each base on average, a sample each; null is all that are there",
    ),
    "theta": Option(
        None,
        type=float,
        minimum=0,
        maximum=0.1,
        about="SNPs planted a base; null is what the data set expects",
    ),
    "theta_indel": Option(
        None, type=float, minimum=0, maximum=0.1, about="insertions and deletions planted, the same"
    ),
    "seed": Option(
        1, minimum=0, maximum=2**31, about="of what is planted, and which reads are left out"
    ),
}
BESIDE = 30  # bases to both sides of what varies anyway
APART = 300  # bases between two gaps: of more than one in a read the second is not planted
MAY_VARY = 0.02  # probability from which on a site is left out where there is no truth
STRETCH = 100_000  # bases whose reads are looked at together


class Known(NamedTuple):
    """What is known of one sample: its variants, and where nothing can be learnt."""

    calls: list[Called]
    left_out: list[Region]


class Spiked(NamedTuple):
    """A sample that is made: who of, how much of its reads, and what is planted in these."""

    name: str
    file: Path
    share: float
    salt: tuple[int, int, int]
    planted: list[Called]


class Draw(NamedTuple):
    """What a fragment's name decides: a share on [0, 1), and on which haplotype it is."""

    share: float
    haplotype: int

    @classmethod
    def of(cls, name: str, salt: Sequence[int]) -> Draw:
        """The same for both mates, and whatever the order of the reads."""
        digest = blake2b(name.encode(), digest_size=8, key=struct.pack(f"<{len(salt)}q", *salt))
        number = int.from_bytes(digest.digest(), "little")
        return cls((number >> 1) / 2**63, number & 1)


def spike_in(
    people: list[Person],
    reference: Reference,
    regions: list[Region],
    theta: Theta,
    options: Mapping[str, Any],
    truth: Path | None,
    folder: Path,
) -> tuple[dict[str, Path], list[str]]:
    """Write the sources `reads`, `truth`, `confident` and `regions` of spiked-in samples; notes.

    Each sample is there once for each of the depths. `truth` is that of the reads, complete in
    `regions`, and goes into the new one; `theta` are the variants that a sample is taken to have,
    and as many are planted where `options` do not say. DataError where there is nothing to plant
    in, or no variant in the end.
    """
    known = [_known(person, truth, reference, regions, theta) for person in people]
    confident = difference(regions, joined(r for one in known for r in one.left_out))
    varying = joined(_around(call) for one in known for call in one.calls)
    free = difference(confident, varying)
    bases, lost = (sum(end - start for _, start, end in some) for some in (regions, confident))
    notes = [f"Variants are planted in real reads; {bases - lost:,} of {bases:,} bases left out"]
    snp, indel = options["theta"], options["theta_indel"]
    drawn = Theta(theta.snp if snp is None else snp, theta.indel if indel is None else indel)
    # They stand in file names, and in sheets.
    names = [name.lstrip("._-") for name in file_names([person.called for person in people])]
    truths, lanes = folder / "truth", list[Lane]()
    truths.mkdir()
    for number, (person, own, called) in enumerate(zip(people, known, names, strict=True)):
        deep, samples = _depth(person, regions), list[Spiked]()
        for place, depth in enumerate(options["depths"], 1):
            salt = options["seed"], number, place
            planted = _planted(free, reference, drawn, person, np.random.default_rng(salt))
            name, file = f"{called}_{place}", folder / f"{number}_{place}.bam"
            share = 1.0 if depth is None else min(depth / deep, 1.0)
            samples.append(Spiked(name, file, share, salt, planted))
            if not (calls := own.calls + planted):
                raise DataError(
                    f"Nothing is planted in {sum(e - s for _, s, e in free):,} bases",
                    file=person.reads.file,
                    hint="give larger `regions`, or more variants a base: `spike_in: {theta: ...}`",
                )
            _write_truth(truths / f"{name}.vcf.gz", name, calls, reference)
            notes.append(f"{name}: {len(planted)} planted, {deep * share:.1f} deep")
        _write_reads(person, regions, samples, reference)
        lanes += [Lane(sample.name, bam=str(sample.file)) for sample in samples]
    sheet, bed = folder / "samples.csv", folder / "confident.bed"
    write_sheet(lanes, sheet)
    bed.write_text("".join(f"{contig}\t{start}\t{end}\n" for contig, start, end in confident))
    return {"reads": sheet, "truth": truths, "confident": bed, "regions": bed}, notes


def _known(
    person: Person, truth: Path | None, reference: Reference, regions: list[Region], theta: Theta
) -> Known:
    if truth is not None:
        calls, unknown = read_truth(truth, person)
        check_letters(calls, reference, regions, truth)
        return Known(variants_inside(calls, regions, person, truth), unknown)
    may_vary = candidates_of([person], reference, regions, theta, least=MAY_VARY)
    columns = [f"{VARIANT}{name}" for name in ("chrom", "pos", "ref")]
    places = [
        place
        for rows in may_vary
        if len(rows)
        for place in rows[columns].itertuples(index=False, name=None)
    ]
    return Known([], joined(_beside(contig, pos - 1, len(ref)) for contig, pos, ref in places))


def _around(call: Called) -> Region:
    return _beside(call.contig, call.start, len(call.alleles[0]))


def _beside(contig: str, start: int, length: int) -> Region:
    return contig, max(0, start - BESIDE), start + length + BESIDE


def _depth(person: Person, regions: list[Region]) -> float:
    """Reads over a base of the regions, on average; DataError where there are none."""
    covered = 0
    for contig, start, end in _stretches(regions):
        found = COUNTING.keep(records_of(person, contig, start, end))
        covered += int((np.minimum(found.end, end) - np.maximum(found.start, start)).sum())
    if not covered:
        hint = "another build, other `regions`, or an empty file"
        raise DataError("No read is aligned to the regions", file=person.reads.file, hint=hint)
    return covered / sum(end - start for _, start, end in regions)


def _stretches(regions: list[Region]) -> Iterator[Region]:
    for contig, start, end in regions:
        for first in range(start, end, STRETCH):
            yield contig, first, min(first + STRETCH, end)


def _planted(
    free: list[Region],
    reference: Reference,
    theta: Theta,
    person: Person,
    rng: np.random.Generator,
) -> list[Called]:
    """Variants that lie in the free regions whole."""
    planted, gap = list[Called](), ("", 0)
    for contig, start, end in free:
        low = max(0, start - LONGEST - 1)
        letters = reference.codes(contig, low, min(end + LONGEST, reference.lengths[contig]))
        for call in simulate_variants(contig, letters, theta, rng, person.copies(contig)):
            call, (ref, alt) = call._replace(start=low + call.start), call.alleles
            is_gap = len(ref) != len(alt)
            if call.start < start or call.start + len(ref) > end:
                continue
            if is_gap and gap[0] == contig and call.start < gap[1] + APART:
                continue
            gap = (contig, call.start) if is_gap else gap
            planted.append(call)
    return planted


def _write_reads(
    person: Person, regions: list[Region], samples: list[Spiked], reference: Reference
) -> None:
    """Write each sample's share of the fragments, with the alleles of their haplotypes, as BAM."""
    header = person.reads.header
    sq = [{"SN": n, "LN": size} for n, size in zip(header.contigs, header.lengths, strict=True)]
    groups = read_groups(header)
    alleles = [[_alleles(one.planted, side) for side in (0, -1)] for one in samples]
    with ExitStack() as stack:
        stack.enter_context(quiet())
        outs = []
        for sample in samples:
            named = [{"ID": group, "SM": sample.name} for group in groups]
            whole = {"HD": {"VN": "1.6"}, "SQ": sq} | ({"RG": named} if named else {})
            path = str(sample.file.with_suffix(".unsorted"))
            outs.append(stack.enter_context(pysam.AlignmentFile(path, "wb0", header=whole)))
        for read in _reads(person, regions, samples[0].file.with_suffix(".raw")):
            contig = read.reference_name or ""
            letters = _letters_of(reference, contig) if contig in reference.lengths else None
            name = read.query_name or f"*{read.reference_start}"  # of which nothing is known
            for sample, sides, out in zip(samples, alleles, outs, strict=True):
                draw = Draw.of(name, sample.salt)
                if draw.share >= sample.share:
                    continue
                over = _over(read, sides[draw.haplotype])
                altered = copy.copy(read) if over else read
                if letters is None or not over or plant(altered, over, letters):
                    out.write(altered)
    for sample in samples:
        unsorted = sample.file.with_suffix(".unsorted")
        pysam.sort("-o", str(sample.file), str(unsorted))
        unsorted.unlink()


def _letters_of(reference: Reference, contig: str) -> Callable[[int, int], str]:
    """Letters of a contig, N beyond its ends."""
    length = reference.lengths[contig]

    def letters(start: int, end: int) -> str:
        codes = np.full(max(end - start, 0), N, np.uint8)
        low, high = max(start, 0), min(end, length)
        if low < high:
            codes[low - start : high - start] = reference.codes(contig, low, high)
        return decode(codes)

    return letters


def _alleles(planted: list[Called], side: int) -> dict[str, list[Allele]]:
    """The alleles of a haplotype on each contig, in order."""
    found: dict[str, list[Allele]] = {}
    for call in planted:
        if call.genotype[side]:
            ref, alt = call.alleles
            found.setdefault(call.contig, []).append((call.start, ref, alt))
    return found


def _over(read: pysam.AlignedSegment, alleles: dict[str, list[Allele]]) -> list[Allele]:
    """The alleles that begin where a read is aligned, or may end there."""
    here = alleles.get(read.reference_name or "", [])
    low = bisect_left(here, (read.reference_start - LONGEST - 1,))
    return here[low : bisect_left(here, (read.reference_end,))]


def _reads(person: Person, regions: list[Region], file: Path) -> Iterator[pysam.AlignedSegment]:
    """A sample's records on the regions and beside them, each once, by a file of raw records."""
    header = person.reads.header
    lengths = dict(zip(header.contigs, header.lengths, strict=True))
    wide = joined(
        (contig, max(0, start - MARGIN), min(end + MARGIN, lengths[contig]))
        for contig, start, end in regions
    )
    before, reached = "", 0
    for contig, start, end in _stretches(wide):
        records = records_of(person, contig, start, end)
        if contig == before:  # what begins further up has been there already
            records = records.take(records.start >= reached)
        before, reached = contig, end
        with file.open("wb") as out:
            out.write(_binary(lengths))
            for at in records.at.tolist():
                size = 4 + int(int32(records.raw, at))
                out.write(records.raw[at : at + size].tobytes())
        with pysam.AlignmentFile(str(file), "rb", check_sq=False) as reads:
            yield from reads
    file.unlink(missing_ok=True)


def _binary(lengths: Mapping[str, int]) -> bytes:
    """A header of contigs alone as BAM has it (SAM spec, 4.2), not compressed."""
    parts = [MAGIC, struct.pack("<ii", 0, len(lengths))]
    for name, length in lengths.items():
        known = name.encode() + b"\0"
        parts += [struct.pack("<i", len(known)), known, struct.pack("<i", length)]
    return b"".join(parts)


def _write_truth(file: Path, name: str, calls: list[Called], reference: Reference) -> None:
    genotype = [Field("GT", "1", "String", "Genotype, of a truth or planted")]
    rest: dict[str, Any] = {"filters": {}, "info": [], "format": genotype, "index": False}
    records = [as_record(call) for call in calls]
    write_vcf(file, records, contigs=reference.lengths, samples=[name], **rest)
