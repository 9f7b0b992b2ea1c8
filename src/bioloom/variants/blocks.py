"""Where nothing is called: blocks of positions that are like the reference, as gVCF has them.

A position tells the reference from reads that differ by chance as `variants.genotypes` does, of
plain counts: of fragments that may lie elsewhere none, and a base counts by its quality.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

from bioloom.formats.vcf import Record
from bioloom.reads.pileup import Counting, pileup
from bioloom.variants.alleles import LETTERS, N
from bioloom.variants.candidates import PHRED, Theta
from bioloom.variants.evidence import Person, records_of
from bioloom.variants.records import MOST_QUALITY
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
    theta: Theta,
    called: Iterable[Record],
) -> Iterator[Record]:
    """Records of all positions of the regions that no called record covers.

    A block has the least GQ and the least depth of its positions, of each sample.
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
            yield from _stretch(people, reference, (contig, start, end), theta, free)


def _stretch(
    people: list[Person], reference: Reference, region: Region, theta: Theta, free: np.ndarray
) -> Iterator[Record]:
    """The blocks of a region, where it is free."""
    contig, start, end = region
    letters = reference.codes(contig, start, end)
    measured = [_quality(person, region, letters, theta) for person in people]
    qualities, depths = (np.stack(values) for values in zip(*measured, strict=True))
    bands = np.searchsorted(BANDS, qualities, side="right")
    changes = (np.diff(bands, axis=1) != 0).any(axis=0) | (np.diff(free) != 0)
    bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), end - start]
    for low, high in zip(bounds, bounds[1:], strict=False):
        if free[low]:
            values = [
                _values(int(quality), int(depth), person.copies(contig))
                for person, quality, depth in zip(
                    people,
                    qualities[:, low:high].min(axis=1),
                    depths[:, low:high].min(axis=1),
                    strict=True,
                )
            ]
            alleles = [LETTERS[letters[low]], ANY]
            yield Record(contig, start + low, alleles, None, [], f"END={start + high}", values)


def _quality(
    person: Person, region: Region, letters: np.ndarray, theta: Theta
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) GQ of the reference's genotype, and depth, at each position of a region."""
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
    likelihoods = [-other * PHRED, -same * PHRED + np.log(theta.snp)]
    if person.copies(contig) > 1:
        likelihoods.append(-depth * np.log(2) + np.log(theta.snp))
    logs = np.stack(likelihoods)
    logs -= logs.max(axis=0)
    p = np.exp(logs)
    wrong = p[1:].sum(axis=0) / p.sum(axis=0)
    quality = np.minimum(np.round(-10 * np.log10(np.maximum(wrong, 1e-99))), MOST_QUALITY)
    return np.where((depth > 0) & (letters < N), quality, 0).astype(int), depth


def _values(quality: int, depth: int, ploidy: int) -> list[str]:
    """GT, GQ, DP, AD and PL: where nothing is told, that is not the reference."""
    genotype = "/".join(("0" if quality else ".") * ploidy)
    return [genotype, str(quality), str(depth), ".", "."]
