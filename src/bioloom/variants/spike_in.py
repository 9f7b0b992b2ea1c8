"""Variants that are planted in real reads, which so get a truth: of a user's own, or of any.

The errors, qualities and depths that a network learns from are then those of one's own laboratory.
Where a sample varies anyway is, without a truth, not known: nothing is planted there, and nothing
learnt. Planting in reads is as BAMSurgeon does it (Ewing et al. 2015, Nat. Methods 12:623), but
that no read is aligned anew. The variants are drawn as in `simulate`.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pysam

from bioloom.errors import DataError
from bioloom.formats.sample_sheet import Lane, write_sheet
from bioloom.formats.vcf import Called, Field, write_vcf
from bioloom.options import Option
from bioloom.reads.cram import quiet
from bioloom.reads.groups import read_groups
from bioloom.reads.header import MAGIC
from bioloom.reads.pileup import COUNTING
from bioloom.reads.records import int32
from bioloom.samples import VARIANT
from bioloom.variants.candidates import Theta
from bioloom.variants.evidence import MARGIN, TILE, Person, candidates_of, records_of
from bioloom.variants.planting import Allele, plant
from bioloom.variants.reference import Reference
from bioloom.variants.regions import Region, difference, joined
from bioloom.variants.simulate import LONGEST, as_record, simulate_variants
from bioloom.variants.truth import read_truth

# What a data set's `spike_in` may say.
OPTIONS: dict[str, Any] = {
    "depths": Option(
        [None], about="reads over each base on average, a sample each; null is all that are there"
    ),
    "theta": Option(1e-3, type=float, minimum=0, maximum=0.1, about="SNPs planted a base"),
    "theta_indel": Option(
        1.25e-4, type=float, minimum=0, maximum=0.1, about="insertions and deletions planted a base"
    ),
    "seed": Option(1, minimum=0, about="of what is planted, and which reads are left out"),
}
BESIDE = 30  # bases to both sides of what varies anyway
HAPLOTYPES = 2


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
    """Write the sources `reads`, `truth` and `confident` of spiked-in samples; notes on them.

    Each sample is there once for each of the depths. `truth` is that of the reads, complete in
    `regions`, and goes into the new one; without any, `theta` are the variants that a sample is
    taken to have.
    """
    depths = options["depths"]
    if not depths or not all(depth is None or _is_depth(depth) for depth in depths):
        raise DataError(f"`spike_in: depths` are numbers above 0, or null, got {depths}")
    known = [_known(person, truth, reference, regions, theta) for person in people]
    confident = difference(regions, joined(r for person in known for r in person.unknown))
    varying = joined(_around(call) for person in known for call in person.calls)
    free = difference(confident, varying)
    if not free:
        hint = "`regions` may be too few, or the reads of another reference"
        raise DataError(
            "There is no place to plant variants in", file=people[0].reads.file, hint=hint
        )
    bases = sum(end - start for _, start, end in regions)
    lost = bases - sum(end - start for _, start, end in confident)
    notes = [f"Variants are planted in real reads; {lost:,} of {bases:,} bases are left out"]
    truths, lanes = folder / "truth", list[Lane]()
    truths.mkdir()
    for number, (person, own) in enumerate(zip(people, known, strict=True)):
        deep = _depth(person, regions)
        for place, depth in enumerate(depths, 1):
            salt = options["seed"], number, place
            planted = _planted(free, reference, options, person, np.random.default_rng(salt))
            name = f"{person.called}_{place}"
            file = folder / f"{len(lanes)}.bam"
            kept = 1.0 if depth is None else min(depth / max(deep, 1e-9), 1.0)
            _write_reads(person, name, regions, planted, salt, kept, file)
            _write_truth(truths / f"{name}.vcf.gz", name, [*own.calls, *planted], reference)
            lanes.append(Lane(name, bam=str(file)))
            notes.append(f"{name}: {len(planted)} variants in reads {deep * kept:.1f} deep")
    sheet, bed = folder / "samples.csv", folder / "confident.bed"
    write_sheet(lanes, sheet)
    bed.write_text("".join(f"{contig}\t{start}\t{end}\n" for contig, start, end in confident))
    return {"reads": sheet, "truth": truths, "confident": bed}, notes


def _is_depth(value: Any) -> bool:
    return type(value) in (int, float) and value > 0


class Known(NamedTuple):
    """What is known of one sample: its variants, and where there may be others."""

    calls: list[Called]
    unknown: list[Region]


def _known(
    person: Person,
    truth: Path | None,
    reference: Reference,
    regions: list[Region],
    theta: Theta,
) -> Known:
    if truth is not None:
        return Known(*read_truth(truth, person))
    likelier = candidates_of([person], reference, regions, theta, least=0.5)
    columns = [f"{VARIANT}{name}" for name in ("chrom", "pos", "ref")]
    varying = [
        (contig, max(0, pos - 1 - BESIDE), pos - 1 + len(ref) + BESIDE)
        for rows in likelier
        if len(rows)
        for contig, pos, ref in rows[columns].itertuples(index=False)
    ]
    return Known([], joined(varying))


def _around(call: Called) -> Region:
    return call.contig, max(0, call.start - BESIDE), call.start + len(call.alleles[0]) + BESIDE


def _depth(person: Person, regions: list[Region]) -> float:
    """Reads over a base of the regions, on average."""
    bases = covered = 0
    for contig, start, end in regions:
        bases += end - start
        for first in range(start, end, TILE * 50):
            last = min(first + TILE * 50, end)
            found = COUNTING.keep(records_of(person, contig, first, last))
            inside = np.minimum(found.end, last) - np.maximum(found.start, first)
            covered += int(inside.sum())
    return covered / max(bases, 1)


def _planted(
    free: list[Region],
    reference: Reference,
    options: Mapping[str, Any],
    person: Person,
    rng: np.random.Generator,
) -> list[Called]:
    """Variants in the free regions, away from their ends: none is written outside."""
    planted, theta = list[Called](), Theta(options["theta"], options["theta_indel"])
    for contig, start, end in free:
        if end - start <= 2 * LONGEST:
            continue
        letters = reference.codes(contig, start, end)
        drawn = simulate_variants(contig, letters, theta, rng, person.copies(contig))
        planted += [
            call._replace(start=start + call.start)
            for call in drawn
            if LONGEST <= call.start < len(letters) - LONGEST
        ]
    return planted


def _write_reads(
    person: Person,
    name: str,
    regions: list[Region],
    planted: list[Called],
    salt: tuple[int, int, int],
    kept: float,
    file: Path,
) -> None:
    """Write that share of the fragments, with the alleles of their haplotypes, as sorted BAM."""
    by_haplotype = [_alleles(planted, side) for side in range(HAPLOTYPES)]
    header = pysam.AlignmentHeader.from_text(person.reads.header.text).to_dict()
    groups = [group for group, sample in read_groups(person.reads.header).items()]
    header["RG"] = [{"ID": group, "SM": name} for group in groups]
    unsorted = file.with_suffix(".unsorted.bam")
    with pysam.AlignmentFile(str(unsorted), "wb0", header=header) as out:
        for read in _reads(person, regions, file.with_suffix(".raw")):
            draw = Draw.of(read.query_name or "", salt)
            if draw.share >= kept:
                continue
            if not read.is_unmapped:
                plant(read, _over(read, by_haplotype[draw.haplotype]))
            out.write(read)
    pysam.sort("-o", str(file), str(unsorted))
    unsorted.unlink()


def _alleles(planted: list[Called], side: int) -> dict[str, list[Allele]]:
    """The alleles of a haplotype on each contig, in order."""
    found: dict[str, list[Allele]] = {}
    for call in planted:
        if call.genotype[side if len(call.genotype) > 1 else 0]:
            ref, alt = call.alleles
            found.setdefault(call.contig, []).append((call.start, ref, alt))
    return found


def _over(read: pysam.AlignedSegment, alleles: dict[str, list[Allele]]) -> list[Allele]:
    """The alleles that begin where a read is aligned, or may end there."""
    here = alleles.get(read.reference_name or "", [])
    low = bisect_left(here, (read.reference_start - LONGEST - 1,))
    high = bisect_left(here, (read.reference_end or read.reference_start,))
    return here[low:high]


def _reads(person: Person, regions: list[Region], file: Path) -> Iterator[pysam.AlignedSegment]:
    """A sample's records on the regions and beside them, each once, by a file of raw records."""
    header = person.reads.header
    lengths = dict(zip(header.contigs, header.lengths, strict=True))
    wide = joined(
        (contig, max(0, start - MARGIN), min(end + MARGIN, lengths[contig]))
        for contig, start, end in regions
    )
    for contig, start, end in wide:
        for first in range(start, end, TILE * 50):
            records = records_of(person, contig, first, min(first + TILE * 50, end))
            # What begins before has been there already, but for what begins before the region.
            fresh = records.take(records.start >= first) if first > start else records
            sizes = [4 + int(int32(fresh.raw, at)) for at in fresh.at]
            with file.open("wb") as out:
                out.write(_binary(header.text, lengths))
                for at, size in zip(fresh.at.tolist(), sizes, strict=True):
                    out.write(fresh.raw[at : at + size].tobytes())
            with quiet(), pysam.AlignmentFile(str(file), "rb", check_sq=False) as reads:
                yield from reads
    file.unlink(missing_ok=True)


def _binary(text: str, lengths: Mapping[str, int]) -> bytes:
    """A header as BAM has it (SAM spec, 4.2), not compressed."""
    encoded = text.encode()
    parts = [MAGIC, struct.pack("<i", len(encoded)), encoded, struct.pack("<i", len(lengths))]
    for name, length in lengths.items():
        known = name.encode() + b"\0"
        parts += [struct.pack("<i", len(known)), known, struct.pack("<i", length)]
    return b"".join(parts)


def _write_truth(file: Path, name: str, calls: list[Called], reference: Reference) -> None:
    genotype = [Field("GT", "1", "String", "Genotype, of a truth or planted")]
    known = [as_record(call) for call in calls if call.contig in reference.lengths]
    rest: dict[str, Any] = {"filters": {}, "info": [], "format": genotype, "index": False}
    write_vcf(file, known, contigs=reference.lengths, samples=[name], **rest)
