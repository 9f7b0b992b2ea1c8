"""Everything that reads of all samples say of a region's candidate sites: a row an allele.

A row is one sample's evidence on one alternative allele; see `bioloom.samples.variants`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bioloom.arrays.images import HALF, NEVER
from bioloom.reads.bam import Bam
from bioloom.reads.cram import Cram
from bioloom.reads.fragments import link
from bioloom.reads.groups import of_sample
from bioloom.reads.pileup import COUNTING
from bioloom.reads.records import Records
from bioloom.samples import VARIANT
from bioloom.samples.variants import COPIES, FOUND, IMAGE, PRIOR
from bioloom.variants.alleles import LETTERS
from bioloom.variants.candidates import LONGEST, Site, Theta, haplotypes, propose, sites_of
from bioloom.variants.genotypes import (
    allele_depths,
    copies,
    fragment_likelihoods,
    likelihoods,
    posteriors,
    prior,
)
from bioloom.variants.images import image
from bioloom.variants.realignment import (
    Evidence,
    fragments_of,
    gap_open,
    observe,
    repeated,
    spans,
)
from bioloom.variants.reference import Reference
from bioloom.variants.regions import Region

TILE = 2000  # bases that are worked on at once
MARGIN = 500  # bases beside them whose reads are read, too; above `realignment.NEARBY`
SURE = -25.0  # logarithm of the least probability that is told
MIXED = 10.0  # logarithm by which two copies must explain fragments of one better
NEAR = 20  # bases within which a site may be the echo of an indel
FARTHEST = NEAR + 2 * LONGEST + 1  # bases behind the start of an indel that it may be near to


@dataclass(frozen=True)
class Person:
    """One sample: its reads, how often bases of each quality are wrong in them, and its ploidy.

    `alone` is whether all reads of the file are its, whatever their groups are called. `name` is
    that of the file; results have `code` in its place where there is one.
    """

    name: str
    reads: Bam | Cram
    error: np.ndarray
    ploidy: Mapping[str, int] = field(default_factory=dict)
    alone: bool = True
    code: str | None = None

    @property
    def called(self) -> str:
        """What results call it."""
        return self.code or self.name

    def copies(self, contig: str) -> int:
        """Copies of a contig: two unless said otherwise."""
        return self.ploidy.get(contig, 2)


def records_of(person: Person, contig: str, start: int, end: int) -> Records:
    """A sample's records that overlap a region, of any flag."""
    records = person.reads.records(contig, start, end)
    if person.alone:
        return records
    return of_sample(records, person.reads.header, person.name, person.reads.file)


@dataclass(frozen=True)
class Window:
    """A stretch of a contig with what lies on it: codes of the reference from `origin` on."""

    contig: str
    origin: int
    letters: np.ndarray
    opening: np.ndarray  # probability of a gap at each letter

    @classmethod
    def of(cls, reference: Reference, contig: str, start: int, end: int) -> Window:
        """The region with `MARGIN` to both sides."""
        low, high = max(0, start - MARGIN), min(reference.lengths[contig], end + MARGIN)
        letters = reference.codes(contig, low, high)
        opening = np.empty(len(letters))
        gap_open(letters, opening)
        return cls(contig, low, letters, opening)

    @property
    def end(self) -> int:
        """Behind its last base."""
        return self.origin + len(self.letters)

    def opening_at(self, start: int) -> float:
        """The probability of a gap behind a position."""
        return float(self.opening[min(start - self.origin + 1, len(self.opening) - 1)])


class Reads(NamedTuple):
    """One sample's records of a window that count, and the first one of each one's fragment.

    Of one fragment are those that overlap with their clips laid out: both mates may show one
    insertion.
    """

    person: Person
    records: Records
    first: np.ndarray

    @classmethod
    def of(cls, person: Person, window: Window) -> Reads:
        """Those of a window."""
        records = COUNTING.keep(records_of(person, window.contig, window.origin, window.end))
        following, _ = link(records.raw, records.at, *spans(records.columns))
        return cls(person, records, fragments_of(following))


class Seen(NamedTuple):
    """What one sample's fragments say of a site: evidence, and its genotypes in logarithms."""

    own: Evidence
    likelihoods: np.ndarray
    posteriors: np.ndarray
    is_mixed: bool  # of a single copy, of which fragments show two alleles

    @property
    def chance(self) -> float:
        """Probability that the sample varies here."""
        return float(-np.expm1(self.posteriors[0]))

    @property
    def certainty(self) -> float:
        """The same as the logarithm of one over what is left: it tells sure ones apart."""
        return float(-self.posteriors[0])


def region_evidence(
    people: list[Person],
    reference: Reference,
    contig: str,
    start: int,
    end: int,
    theta: Theta,
    least: float = 0.0,
) -> pd.DataFrame:
    """Rows of the sites that begin on [start, end); the same whatever the region's size.

    They are all alleles of the sites where any of the samples varies with a probability above
    `least`, or has a single copy and shows two alleles. Sites near an indel are looked at twice:
    the second time each allele is shown with and without the indel, so that its echo is not taken
    for a variant of its own.
    """
    window = Window.of(reference, contig, start, end)
    # Neighbours may explain what is seen inside, and begin far before it.
    span = max(window.origin, start - FARTHEST), min(window.end, end + NEAR)
    read = [Reads.of(person, window) for person in people]
    place = window.letters, window.origin
    proposed = [
        propose(r.records, *place, *span, theta=theta, first=r.first, opening=window.opening)
        for r in read
    ]
    sites = [site for site in sites_of(proposed, *place) if site.reach + NEAR >= start]
    looks = [_look(reads, sites, [[] for _ in sites], window, theta) for reads in read]
    certainties = np.array([[seen.certainty for seen in look] for look in looks])
    beside = _neighbours(sites, certainties.max(axis=0))
    asked = [i for i, site in enumerate(sites) if start <= site.start < end]
    again = [i for i in asked if beside[i]]
    for reads, look in zip(read, looks, strict=True):
        chosen = [sites[i] for i in again], [beside[i] for i in again]
        for i, seen in zip(again, _look(reads, *chosen, window, theta), strict=True):
            look[i] = seen
    likely = [i for i in asked if any(look[i].chance > least or look[i].is_mixed for look in looks)]
    return pd.DataFrame(
        row
        for person, look in zip(people, looks, strict=True)
        for i in likely
        for row in _rows(person, window, sites[i], look[i])
    )


def candidates_of(
    people: list[Person], reference: Reference, regions: list[Region], theta: Theta, least: float
) -> Iterator[pd.DataFrame]:
    """Rows of all of these samples at sites where any of them may vary, with all alleles there."""
    for contig, first, last in regions:
        for start in range(first, last, TILE):
            end = min(start + TILE, last)
            yield region_evidence(people, reference, contig, start, end, theta, least)


def _look(
    reads: Reads, sites: list[Site], beside: list[list[Site]], window: Window, theta: Theta
) -> list[Seen]:
    """What a sample's fragments say of each site; of an allele's haplotypes the best counts."""
    arrays, owners = haplotypes(sites, beside, window.letters, window.origin)
    seen = observe(
        reads.records,
        reads.first,
        arrays,
        window.letters,
        window.origin,
        reads.person.error,
        unknown=COUNTING.unknown_quality,
        half=HALF,
    )
    bounds = np.searchsorted(seen.site, np.arange(len(sites) + 1))
    ploidy = reads.person.copies(window.contig)
    looks = []
    for number, (site, owner) in enumerate(zip(sites, owners, strict=True)):
        own = Evidence(*(values[bounds[number] : bounds[number + 1]] for values in seen))
        given = own.likelihood[:, : len(owner)]
        best = [given[:, owner == allele].max(axis=1) for allele in range(len(site.alleles))]
        own = own._replace(likelihood=np.column_stack(best))
        fragments, size = fragment_likelihoods(own), len(site.alleles)
        logs = likelihoods(fragments, size, ploidy)
        posterior = posteriors(logs + prior(site.is_indel, ploidy, theta))
        two = ploidy == 1 and likelihoods(fragments, size, 2).max() - logs.max() > MIXED
        looks.append(Seen(own, logs, posterior, bool(two)))
    return looks


def _neighbours(sites: list[Site], certainty: np.ndarray) -> list[list[Site]]:
    """Of each site the likely indels near it that are likelier than it, or delete its letter."""
    sure = [i for i, site in enumerate(sites) if certainty[i] > np.log(2) and site.is_indel[0]]
    return [
        [
            sites[j]
            for j in sure
            if (certainty[j] > certainty[i] or _deletes(sites[j], site))
            and sites[j].start - NEAR <= site.start <= sites[j].reach + NEAR
        ][:2]
        for i, site in enumerate(sites)
    ]


def _deletes(indel: Site, site: Site) -> bool:
    """Whether the first alternative of one leaves no room for the other, which is no indel."""
    deleted = len(indel.alleles[0]) - len(indel.alleles[1])
    return not any(site.is_indel) and indel.start < site.start <= indel.start + deleted


def _rows(person: Person, window: Window, site: Site, seen: Seen) -> Iterator[dict[str, Any]]:
    """A row for each alternative allele of a site."""
    ploidy, size = person.copies(window.contig), len(site.alleles)
    own, letters = seen.own, site.letters
    depths = allele_depths(own.likelihood)
    shared = {
        "person": person.called,
        "chrom": window.contig,
        "pos": site.start + 1,
        "ref": letters[0],
        "alts": ",".join(letters[1:]),
        "ploidy": ploidy,
        "depth": len(own.site),
        "mixed": seen.is_mixed,
        "repeat": repeated(window.opening_at(site.start)),
        "depths": depths,
        "likelihoods": seen.likelihoods.round(4),
        "posteriors": seen.posteriors.round(4),
    }
    for allele in range(1, size):
        logs = copies(seen.posteriors, allele, size, ploidy)
        logs = np.maximum(logs, SURE)
        logs = np.insert(logs, 1, NEVER) if ploidy == 1 else logs
        which = shared | {"alt": letters[allele], "allele": allele}
        yield (
            {f"{VARIANT}{name}": value for name, value in which.items()}
            | {f"{PRIOR}.{n}": value for n, value in zip(COPIES, logs.tolist(), strict=True)}
            | _site_values(own, site, allele, depths, window)
            | {FOUND: True, IMAGE: image(own, site, allele, window.letters, window.origin)}
        )


def _site_values(
    own: Evidence, site: Site, allele: int, depths: np.ndarray, window: Window
) -> dict[str, float]:
    """What a site's fragments look like, for models that are not shown the fragments."""
    odds = own.likelihood[:, allele] - np.delete(own.likelihood, allele, axis=1).max(axis=1)
    for_it, against = odds > 1, odds < -1
    at = site.start - window.origin
    around = window.letters[max(0, at - 20) : at + 21]
    ref, alt = site.alleles[0], site.alleles[allele]
    total = max(int(depths.sum()), 1)
    values = {
        "is_indel": float(len(ref) != len(alt)),
        "length": float(len(alt) - len(ref)),
        "depth_alt": float(depths[allele]),
        "depth_ref": float(depths[0]),
        "depth_other": float(depths.sum() - depths[0] - depths[allele]),
        "share": depths[allele] / total,
        "gap": float(-10 * np.log10(window.opening_at(site.start))),
        "gc": float(((around == 1) | (around == 2)).mean()),
        "transition": float(_is_transition(ref, alt)),
        "alleles": float(len(site.alleles)),
        "uncertain": float((~for_it & ~against).sum()),
    }
    facts = {
        "odds": odds,
        "reverse": own.reverse,
        "quality": own.quality[:, own.quality.shape[1] // 2],
        "mapping": own.mapping,
        "mismatches": own.mismatches,
        "end": own.end_distance,
        "clipped": own.clipped,
    }
    table = np.column_stack([fact.astype(float) for fact in facts.values()])
    for side, rows in (("alt", for_it), ("ref", against)):
        means = table[rows].mean(axis=0) if rows.any() else np.full(len(facts), np.nan)
        values |= {f"{n}_{side}": mean for n, mean in zip(facts, means.tolist(), strict=True)}
    return {f"site.{name}": value for name, value in values.items()}


def _is_transition(ref: np.ndarray, alt: np.ndarray) -> bool:
    """Whether the first bases are both purines, or both pyrimidines."""
    pair = {LETTERS[ref[0]], LETTERS[alt[0]]}
    return len(ref) == len(alt) and pair in ({"A", "G"}, {"C", "T"})
