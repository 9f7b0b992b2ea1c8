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
from bioloom.reads.groups import of_sample
from bioloom.reads.pileup import COUNTING, linked
from bioloom.reads.records import Records
from bioloom.samples import VARIANT
from bioloom.samples.variants import COPIES, FOUND, IMAGE, PRIOR
from bioloom.variants.alleles import LETTERS
from bioloom.variants.candidates import Site, Theta, haplotypes, propose, sites_of
from bioloom.variants.genotypes import (
    allele_depths,
    copies,
    fragment_likelihoods,
    likelihoods,
    posteriors,
    prior,
)
from bioloom.variants.images import image
from bioloom.variants.realignment import Evidence, fragments_of, gap_open, observe
from bioloom.variants.reference import Reference

TILE = 2000  # bases that are worked on at once
MARGIN = 500  # bases beside them whose reads are read, too
PROBABLE = 2e-3  # probability of a variant from which it is a candidate
SURE = -25.0  # logarithm of the least probability that is told
NEAR = 20  # bases within which a site may be the echo of an indel


@dataclass(frozen=True)
class Person:
    """One sample: its reads, how often bases of each quality are wrong in them, and its ploidy.

    `alone` is whether all reads of the file are its, whatever their groups are called.
    """

    name: str
    reads: Bam | Cram
    error: np.ndarray
    ploidy: Mapping[str, int] = field(default_factory=dict)
    alone: bool = True

    def copies(self, contig: str) -> int:
        """Copies of a contig: two unless said otherwise."""
        return self.ploidy.get(contig, 2)


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


class Reads(NamedTuple):
    """One sample's records of a window that count, and which are of one fragment."""

    person: Person
    records: Records
    following: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, person: Person, window: Window) -> Reads:
        """Those of a window."""
        records = person.reads.records(window.contig, window.origin, window.end)
        if not person.alone:
            records = of_sample(records, person.reads.header, person.name, person.reads.file)
        records = COUNTING.keep(records)
        following, _ = linked(records, COUNTING)
        return cls(person, records, following, fragments_of(following))


def region_evidence(
    people: list[Person], reference: Reference, contig: str, start: int, end: int, theta: Theta
) -> pd.DataFrame:
    """Rows of the sites that begin on [start, end); the same whatever the region's size.

    Sites near an indel are looked at twice: the second time each allele is shown with and without
    the indel, so that its echo is not taken for a variant of its own.
    """
    window = Window.of(reference, contig, start, end)
    # Neighbours may explain what is seen inside.
    span = max(window.origin, start - NEAR), min(window.end, end + NEAR)
    read = [Reads.of(person, window) for person in people]
    place = window.letters, window.origin
    proposed = [propose(r.records, *place, *span, theta=theta, first=r.first) for r in read]
    sites = sites_of(proposed, *place)
    alone = [_look(reads, sites, [[] for _ in sites], window) for reads in read]
    chances = [
        _chances(reads.person, window, sites, seen, theta)
        for reads, seen in zip(read, alone, strict=True)
    ]
    beside = _neighbours(sites, np.max(chances, axis=0))
    asked = [i for i, site in enumerate(sites) if start <= site.start < end]
    again = [i for i in asked if beside[i]]
    rows: list[dict[str, Any]] = []
    for reads, seen in zip(read, alone, strict=True):
        anew = _look(reads, [sites[i] for i in again], [beside[i] for i in again], window)
        for i, evidence in zip(again, anew, strict=True):
            seen[i] = evidence
        for i in asked:
            rows += _rows(reads.person, window, sites[i], seen[i], theta)
    return pd.DataFrame(rows)


def _look(
    reads: Reads, sites: list[Site], beside: list[list[Site]], window: Window
) -> list[Evidence]:
    """What a sample's fragments say of each site; of an allele's haplotypes the best counts."""
    arrays, owners = haplotypes(sites, beside, window.letters, window.origin)
    seen = observe(
        reads.records,
        reads.following,
        arrays,
        window.letters,
        window.origin,
        reads.person.error,
        unknown=COUNTING.unknown_quality,
        half=HALF,
    )
    bounds = np.searchsorted(seen.site, np.arange(len(sites) + 1))
    looks = []
    for number, owner in enumerate(owners):
        own = Evidence(*(values[bounds[number] : bounds[number + 1]] for values in seen))
        given = own.likelihood[:, : len(owner)]
        best = [given[:, owner == allele].max(axis=1) for allele in range(owner.max() + 1)]
        looks.append(own._replace(likelihood=np.column_stack(best)))
    return looks


def _chances(
    person: Person, window: Window, sites: list[Site], seen: list[Evidence], theta: Theta
) -> np.ndarray:
    """Probability of each site that the sample varies there, (S,)."""
    ploidy = person.copies(window.contig)
    logs = [_posterior(*one, ploidy, theta)[1][0] for one in zip(sites, seen, strict=True)]
    return 1 - np.exp(np.array(logs, dtype=float))


def _posterior(
    site: Site, own: Evidence, ploidy: int, theta: Theta
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of the likelihoods and of the posteriors of a site's genotypes."""
    size = len(site.alleles)
    lengths = [len(allele) - len(site.alleles[0]) for allele in site.alleles]
    given = likelihoods(fragment_likelihoods(own), size, ploidy)
    return given, posteriors(given + prior(lengths, ploidy, theta))


def _neighbours(sites: list[Site], chance: np.ndarray) -> list[list[Site]]:
    """Of each site those near it that are likelier than it, and have an indel."""
    sure = [
        i
        for i, site in enumerate(sites)
        if chance[i] > 0.5 and len(site.alleles[0]) != len(site.alleles[1])
    ]
    return [
        [
            sites[j]
            for j in sure
            if chance[j] > chance[i]
            and sites[j].start - NEAR <= site.start <= sites[j].reach + NEAR
        ][:2]
        for i, site in enumerate(sites)
    ]


def _rows(
    person: Person, window: Window, site: Site, own: Evidence, theta: Theta
) -> Iterator[dict[str, Any]]:
    """A row for each alternative allele of a site."""
    ploidy, size = person.copies(window.contig), len(site.alleles)
    given, posterior = _posterior(site, own, ploidy, theta)
    depths = allele_depths(own.likelihood)
    shared = {
        "person": person.name,
        "chrom": window.contig,
        "pos": site.start + 1,
        "ref": site.letters[0],
        "alts": ",".join(site.letters[1:]),
        "ploidy": ploidy,
        "depth": len(own.site),
        "depths": depths,
        "likelihoods": given.round(4),
        "posteriors": posterior.round(4),
    }
    for allele in range(1, size):
        logs = copies(posterior, allele, size, ploidy)
        logs = np.maximum(logs, SURE)
        logs = np.insert(logs, 1, NEVER) if ploidy == 1 else logs
        which = shared | {"alt": site.letters[allele], "allele": allele}
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
    quality = own.quality[:, own.quality.shape[1] // 2].astype(float)
    values = {
        "is_indel": float(len(ref) != len(alt)),
        "length": float(len(alt) - len(ref)),
        "depth_alt": float(depths[allele]),
        "depth_ref": float(depths[0]),
        "depth_other": float(depths.sum() - depths[0] - depths[allele]),
        "share": depths[allele] / total,
        "gap": float(-10 * np.log10(window.opening[min(at + 1, len(window.opening) - 1)])),
        "gc": float(np.isin(around, [1, 2]).mean()),
        "transition": float(_is_transition(ref, alt)),
        "alleles": float(len(site.alleles)),
        "uncertain": float((~for_it & ~against).sum()),
    }
    for name, rows in (("alt", for_it), ("ref", against)):
        values |= {
            f"odds_{name}": _mean(odds[rows]),
            f"reverse_{name}": _mean(own.reverse[rows]),
            f"quality_{name}": _mean(quality[rows]),
            f"mapping_{name}": _mean(own.mapping[rows]),
            f"mismatches_{name}": _mean(own.mismatches[rows]),
            f"end_{name}": _mean(own.end_distance[rows]),
            f"clipped_{name}": _mean(own.clipped[rows]),
        }
    return {f"site.{name}": value for name, value in values.items()}


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def _is_transition(ref: np.ndarray, alt: np.ndarray) -> bool:
    """Whether the first bases are both purines, or both pyrimidines."""
    pair = {LETTERS[ref[0]], LETTERS[alt[0]]}
    return len(ref) == len(alt) and pair in ({"A", "G"}, {"C", "T"})
