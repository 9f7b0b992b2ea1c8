"""Called variants against true ones, by the haplotypes that they make.

The same two sequences can be written as other records. So records near each other are replayed on
the reference, with every phasing that they leave open, and those count as found whose haplotypes
both sides can make (Cleary et al. 2015, vcfeval). Genotypes have to be right, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bioloom.formats.vcf import SPANNED, Called
from bioloom.variants.alleles import Edit, decode, edit_of, edited, encode, left_aligned

NEAR = 20  # bases: variants that are closer are replayed together
MOST = 8  # records of a side that are replayed together
Allele = tuple[int, str, str]


@dataclass(frozen=True)
class Comparison:
    """Which records of each side are matched, and those whose allele is right but not the genotype.

    Masks: `found` over the truth, `right` over the calls, `genotype_errors` over the calls.
    """

    found: np.ndarray
    right: np.ndarray
    genotype_errors: np.ndarray

    @property
    def recall(self) -> float:
        """Share of the truth that is found."""
        return float(self.found.mean()) if len(self.found) else float("nan")

    @property
    def precision(self) -> float:
        """Share of the calls that are right."""
        return float(self.right.mean()) if len(self.right) else float("nan")


def compare(truth: list[Called], calls: list[Called], reference: np.ndarray) -> Comparison:
    """Compare records of one contig; `reference` are its codes from the first base on."""
    found, right = np.zeros(len(truth), bool), np.zeros(len(calls), bool)
    for ours, theirs in clusters(truth, calls, reference):
        if not (ours and theirs):
            continue
        mine, other = match([truth[i] for i in ours], [calls[j] for j in theirs], reference)
        found[[ours[k] for k in mine]] = True
        right[[theirs[k] for k in other]] = True
    missed = {
        allele
        for call, seen in zip(truth, found, strict=True)
        if not seen
        for allele in _alleles(call, reference)
    }
    errors = [
        not good and bool(missed & set(_alleles(call, reference)))
        for call, good in zip(calls, right, strict=True)
    ]
    return Comparison(found, right, np.array(errors, bool))


def _alleles(call: Called, reference: np.ndarray) -> list[Allele]:
    """The alternative alleles of a genotype, each written left-most."""
    chosen = sorted({a for a in call.genotype if a and call.alleles[a] != SPANNED})
    return [left_aligned(call.start, call.alleles[0], call.alleles[a], reference) for a in chosen]


def clusters(
    truth: list[Called], calls: list[Called], reference: np.ndarray
) -> Iterator[tuple[list[int], list[int]]]:
    """Records of both sides that may be two ways to write one thing: their numbers."""
    spans = sorted(
        (*span(call, reference), side, number)
        for side, records in enumerate((truth, calls))
        for number, call in enumerate(records)
    )
    group: tuple[list[int], list[int]] = ([], [])
    reach = -NEAR - 1
    for start, end, side, number in spans:
        if start > reach + NEAR and reach >= 0:
            yield group
            group = ([], [])
        group[side].append(number)
        reach = max(reach, end)
    if any(group):
        yield group


def span(call: Called, reference: np.ndarray) -> tuple[int, int]:
    """From the left-most to the right-most way to write it."""
    start, end = call.start, call.start + len(call.alleles[0])
    for first, ref, alt in _alleles(call, reference):
        start = min(start, first)
        if len(ref) != len(alt):
            cycle = (ref if len(ref) > len(alt) else alt)[1:]
            at = first + len(ref)
            while (
                at < len(reference)
                and decode(reference[at : at + 1]) == cycle[(at - first - len(ref)) % len(cycle)]
            ):
                at += 1
            end = max(end, at)
    return start, end


def match(
    truth: list[Called], calls: list[Called], reference: np.ndarray
) -> tuple[list[int], list[int]]:
    """The most records of both sides that make the same two haplotypes: their numbers."""
    same = [
        (i, j)
        for i, ours in enumerate(truth)
        for j, theirs in enumerate(calls)
        if _key(ours, reference) == _key(theirs, reference)
    ]
    if max(len(truth), len(calls)) > MOST:
        return sorted({i for i, _ in same}), sorted({j for _, j in same})
    if len(same) == len(truth) == len(calls) and not any(c.phased for c in (*truth, *calls)):
        return list(range(len(truth))), list(range(len(calls)))
    low, high = _window([*truth, *calls], reference)
    ours, theirs = (dict(_haplotypes(side, reference, low, high)) for side in (truth, calls))
    common = ours.keys() & theirs.keys()
    best = max(common, key=lambda pair: (len(ours[pair]) + len(theirs[pair]), pair))
    return ours[best], theirs[best]


def explained(
    truth: list[Called], alleles: list[Allele], reference: np.ndarray
) -> tuple[list[int], list[int]]:
    """The most records of the truth that alleles make, and the fewest copies of alleles that do.

    Their numbers, twice that of an allele of both haplotypes. A record that others undo explains
    nothing. Of as few copies those of the first alleles are taken.
    """
    if len(truth) > MOST or len(alleles) > MOST:
        return [], []
    single = [written(allele) for allele in alleles]
    low, high = _window([*truth, *single], reference)
    true = dict(reversed(_haplotypes(truth, reference, low, high)))
    made = {one: used for (one, _), used in reversed(_haplotypes(single, reference, low, high))}
    return max(
        (
            (found, made[one] + made[other])
            for (one, other), found in true.items()
            if one in made and other in made
        ),
        key=lambda sides: (len(sides[0]), -len(sides[1])),
    )


def written(allele: Allele) -> Called:
    """An allele as the record of a single copy."""
    start, ref, alt = allele
    return Called("", start, (ref, alt), (1,))


def _window(calls: list[Called], reference: np.ndarray) -> tuple[int, int]:
    """The stretch of the reference that holds all records, and a base to each side."""
    start = min(call.start for call in calls)
    end = max(call.start + len(call.alleles[0]) for call in calls)
    return max(0, start - 1), min(len(reference), end + 1)


def _key(call: Called, reference: np.ndarray) -> tuple[object, ...]:
    """What two records share that are one variant with one genotype."""
    alleles = [
        left_aligned(call.start, call.alleles[0], call.alleles[a], reference)
        for a in call.genotype
        if a and call.alleles[a] != SPANNED
    ]
    return len(call.genotype), *sorted(alleles)


def _haplotypes(
    calls: list[Called], reference: np.ndarray, low: int, high: int
) -> list[tuple[tuple[bytes, bytes], list[int]]]:
    """Pairs of haplotypes on [low, high), and the records that make them: the fewest first."""
    states: list[tuple[list[int], list[Edit], list[Edit]]] = [([], [], [])]
    for number, call in enumerate(calls):
        states += [
            ([*used, number], one, other)
            for used, first, second in states
            for pair in _phasings(call)
            if (one := _with(first, call, pair[0])) is not None
            if (other := _with(second, call, pair[1])) is not None
        ]
    made = []
    for used, first, second in sorted(states, key=lambda state: len(state[0])):
        smaller, larger = sorted(
            edited(edits, reference, 0, low, high).tobytes() for edits in (first, second)
        )
        made.append(((smaller, larger), used))
    return made


def _phasings(call: Called) -> list[tuple[int, int]]:
    """Which alleles may lie on the first and the second haplotype; a single copy is on both."""
    one, other = call.genotype[0], call.genotype[-1]
    return [(one, other)] if call.phased or one == other else [(one, other), (other, one)]


def _with(edits: list[Edit], call: Called, allele: int) -> list[Edit] | None:
    """The edits with an allele of the record; None where it does not fit in beside them."""
    if not allele or call.alleles[allele] == SPANNED:
        return edits
    ref, alt = (encode(letters).tobytes() for letters in (call.alleles[0], call.alleles[allele]))
    new = edit_of(call.start, ref, alt)
    ordered = sorted([*edits, new])
    for before, after in pairwise(ordered):
        if after.start < before.end or before[:2] == after[:2]:
            return None
    return ordered
