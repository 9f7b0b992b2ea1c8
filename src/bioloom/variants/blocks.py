"""Where nothing is called: blocks of positions that are like the reference, as gVCF has them.

A position tells the reference from reads that differ by chance as `variants.genotypes` does, of
plain counts: of fragments that may lie elsewhere none, and a base counts by its quality. GQ and PL
are of the likelihoods: one read leaves a variant half as likely as the reference, whatever the
prior, which is for joint callers to bring.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

from bioloom.formats.vcf import Record
from bioloom.reads.pileup import Counting, pileup
from bioloom.variants.alleles import LETTERS, N
from bioloom.variants.candidates import PHRED
from bioloom.variants.evidence import Person, records_of
from bioloom.variants.records import MOST_QUALITY, phred_scaled
from bioloom.variants.reference import Reference
from bioloom.variants.regions import Region

ANY = "<*>"
"""Any allele but the reference's (VCF 4.3, section 5.5)."""
BANDS = np.array(
    [1, 10, 20, 30, 40, 60, 80]
)  # of GQ: positions of one band of all samples are one block
STRETCH = 100_000  # positions that are counted at once; no block is longer
COUNTING = Counting(mapping_quality=1)


def blocks(
    people: list[Person],
    reference: Reference,
    regions: Iterable[Region],
    called: Iterable[Record],
) -> Iterator[Record]:
    """Records of all positions of the regions that no called record covers.

    A block has the least depth and PL of its positions, of each sample, so their least GQ.
    """
    spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for record in called:
        spans[record.contig].append((record.start, record.start + len(record.alleles[0])))
    by_contig = {contig: np.array(own) for contig, own in spans.items()}
    for contig, first, last in regions:
        covered = by_contig.get(contig, np.empty((0, 2), int))
        for start in range(first, last, STRETCH):
            end = min(start + STRETCH, last)
            free = np.ones(end - start, bool)
            for low, high in covered[(covered[:, 0] < end) & (covered[:, 1] > start)] - start:
                free[max(low, 0) : high] = False
            yield from _stretch(people, reference, (contig, start, end), free)


def _stretch(
    people: list[Person], reference: Reference, region: Region, free: np.ndarray
) -> Iterator[Record]:
    """The blocks of a region, where it is free."""
    contig, start, end = region
    letters = reference.codes(contig, start, end)
    measured = [_measure(person, region, letters) for person in people]
    bands = np.stack([np.searchsorted(BANDS, _quality(own), side="right") for own, _ in measured])
    changes = (np.diff(bands, axis=1) != 0).any(axis=0) | (np.diff(free) != 0)
    bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), end - start]
    for low, high in zip(bounds, bounds[1:], strict=False):
        if free[low]:
            values = [
                _values(scaled[:, low:high].min(axis=1), int(depth[low:high].min()))
                for scaled, depth in measured
            ]
            alleles = [LETTERS[letters[low]], ANY]
            yield Record(contig, start + low, alleles, None, [], f"END={start + high}", values)


def _measure(person: Person, region: Region, letters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(genotypes, n) PL at each position of a region, 0 where nothing is known, and (n,) depth."""
    contig, start, end = region
    counted = pileup(records_of(person, contig, start, end), start, end, COUNTING)
    counts, sums = counted.counts.sum(axis=2), counted.qualities.sum(axis=2)
    inserted = counted.insertions.sum(axis=1)
    place = np.arange(len(letters)), np.where(letters < N, letters, 0)
    depth = counts.sum(axis=1)
    mean = sums.sum(axis=1) / np.maximum(depth, 1)
    # An insertion is an observation of its own, as sure as the letters here.
    same = sums[place] - inserted * mean
    other = sums.sum(axis=1) - same
    one, two = -depth * np.log(2), -same * PHRED  # copies of another allele
    copies = [one, two] if person.copies(contig) > 1 else [two]
    scaled = phred_scaled(np.stack([-other * PHRED, *copies]))
    return np.where((depth > 0) & (letters < N), scaled, 0), depth


def _quality(scaled: np.ndarray) -> np.ndarray:
    """GQ of the reference: the second least PL, or 0 where another genotype is likelier."""
    return np.where(scaled[0] == 0, np.minimum(scaled[1:].min(axis=0), MOST_QUALITY), 0)


def _values(scaled: np.ndarray, depth: int) -> list[str]:
    """GT, GQ, DP, AD and PL: where nothing is told, that is not the reference."""
    quality, ploidy = int(_quality(scaled)), len(scaled) - 1
    genotype = "/".join(("0" if quality else ".") * ploidy)
    likelihoods = ",".join(map(str, scaled)) if quality else "."
    return [genotype, str(quality), str(depth), ".", likelihoods]
