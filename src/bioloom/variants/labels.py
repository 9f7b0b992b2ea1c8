"""True copies of each candidate allele, and rows for what is true, or what a peer calls, beside.

An allele is the same however it is written: all are left-aligned, and of letters that change side
by side each is one. Where the truth still has an allele that is no candidate, such as a letter and
a deletion in one record, or a candidate is both in one, the fewest candidates near it that make its
haplotypes are true (as in the haplotype labeler of Poplin et al. 2018, DeepVariant). A row that no
candidate is behind says that there is no copy, and no model learns from it; what is missed so is
counted as missed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from bioloom.arrays.images import NEVER, WIDTH
from bioloom.formats.vcf import SPANNED, Called
from bioloom.reads.pileup import pileup
from bioloom.samples import VARIANT
from bioloom.samples.variants import COPIES, DEPTH, FOUND, GENOTYPES, IMAGE, PEER, PRIOR, REPEAT
from bioloom.variants.alleles import left_aligned
from bioloom.variants.compare import Allele, clusters, explained, span, written
from bioloom.variants.evidence import SURE, Person, records_of
from bioloom.variants.realignment import gap_open, repeated
from bioloom.variants.regions import Region, inside

AROUND = 100  # letters to both sides that a repeat is looked for in
UNSURE = 1e-3  # share of a peer's probability that is left to the genotype that it did not call


def label_rows(
    rows: pd.DataFrame,
    truth: list[Called],
    peer: list[Called],
    reference: np.ndarray,
    person: Person,
    contig: str,
    regions: Sequence[Region],
) -> pd.DataFrame:
    """The rows of one sample on one contig with `label`, the peer's answer and `sample_weight`.

    `reference` are the contig's codes from its first base on. Alleles of truth and peer that are no
    candidates are rows, too, in the `regions`.
    """
    called = _peer_answers(peer, reference)
    mine = [
        left_aligned(pos - 1, ref, alt, reference)
        for pos, ref, alt in rows[
            [f"{VARIANT}{name}" for name in ("pos", "ref", "alt")]
        ].itertuples(index=False)
    ]
    true = _copies_of_candidates(truth, mine, reference)
    beside = sorted((true.keys() | called.keys()) - set(mine))
    starts = np.array([start for start, _, _ in beside], int)
    kept = inside(np.full(len(starts), contig), starts, regions)
    beside = [allele for allele, is_kept in zip(beside, kept, strict=True) if is_kept]
    table = rows.copy()
    if beside:  # of an empty table pandas makes numbers of any kind floats
        others = pd.DataFrame(
            _row_beside(allele, person, contig) | _place_of(allele, person, contig, reference)
            for allele in beside
        )
        table = pd.concat([rows, others.reindex(columns=rows.columns)], ignore_index=True)
    alleles = [*mine, *beside]
    table["label"] = [GENOTYPES[min(true[allele], 2)] for allele in alleles]
    answers = np.array([called.get(allele, NOT_CALLED) for allele in alleles]).reshape(-1, 3)
    for place, name in enumerate(COPIES):
        table[f"{PEER}.{name}"] = answers[:, place]
    table["sample_weight"] = table[FOUND].astype(float)
    return table


def copies_of(calls: list[Called], reference: np.ndarray) -> Counter[Allele]:
    """Copies of each allele; a single copy of a haploid contig is as two."""
    copies: Counter[Allele] = Counter()
    for call in calls:
        for a in call.genotype:
            for allele in _simple(call, a, reference):
                copies[allele] += 1 if len(call.genotype) > 1 else 2
    return copies


def _copies_of_candidates(
    truth: list[Called], candidates: list[Allele], reference: np.ndarray
) -> Counter[Allele]:
    """`copies_of` the truth, in the candidates' alleles where these make its haplotypes."""
    copies = copies_of(truth, reference)
    for true, near in _groups(truth, sorted(set(candidates)), reference):
        told = copies_of(true, reference)
        others = set(near) - told.keys()
        if near and (told.keys() - set(near) or any(map(_is_combined, others))):
            found, used = explained(true, near, reference)
            copies.subtract(copies_of([true[i] for i in found], reference))
            copies.update(near[j] for j in used)
    return +copies


def _groups(
    truth: list[Called], alleles: list[Allele], reference: np.ndarray
) -> Iterator[tuple[list[Called], list[Allele]]]:
    """Records of the truth that are near each other, and the alleles that touch them.

    Others change letters that the records do not. `alleles` are in order.
    """
    ends = [span(written(allele), reference)[1] for allele in alleles]
    reach = list(accumulate(ends, max))
    for numbers, _ in clusters(truth, [], reference):
        true = [truth[i] for i in numbers]
        starts, stops = zip(*(span(call, reference) for call in true), strict=True)
        low, high = min(starts), max(stops)
        first, last = bisect_left(reach, low), bisect_right(alleles, high, key=itemgetter(0))
        yield true, [alleles[j] for j in range(first, last) if ends[j] >= low]


def _is_combined(allele: Allele) -> bool:
    """Whether it is an indel and a change of the letter before it."""
    _, ref, alt = allele
    return len(ref) != len(alt) and ref[0] != alt[0]


def _simple(call: Called, a: int, reference: np.ndarray) -> list[Allele]:
    """An allele of a call as changes of single letters, or as one indel written left-most."""
    ref, alt = call.alleles[0], call.alleles[a]
    if not a or alt == SPANNED:
        return []
    if len(ref) == len(alt):
        pairs = enumerate(zip(ref, alt, strict=True))
        return [(call.start + at, one, other) for at, (one, other) in pairs if one != other]
    return [left_aligned(call.start, ref, alt, reference)]


NOT_CALLED = (0.0, NEVER, NEVER)


def _peer_answers(
    calls: list[Called], reference: np.ndarray
) -> dict[Allele, tuple[float, float, float]]:
    """Logarithms of the probabilities of no, one and two copies, from QUAL and the genotype."""
    answers = {}
    copies = copies_of(calls, reference)
    for call in calls:
        none = min(max(-call.quality * np.log(10) / 10, SURE), -1e-4)
        some = np.log1p(-np.exp(none))
        for a in set(call.genotype):
            for allele in _simple(call, a, reference):
                two = copies[allele] > 1
                unsure, sure = some + np.log(UNSURE), some + np.log1p(-UNSURE)
                answers[allele] = (none, unsure, sure) if two else (none, sure, unsure)
    return answers


def _row_beside(allele: Allele, person: Person, contig: str) -> dict[str, Any]:
    """The row of an allele that is no candidate."""
    start, ref, alt = allele
    which = {"person": person.called, "chrom": contig, "pos": start + 1, "ref": ref, "alts": alt}
    which |= {"alt": alt, "allele": 1, "ploidy": person.copies(contig), "mixed": False}
    row: dict[str, Any] = {f"{VARIANT}{name}": value for name, value in which.items()}
    row |= {f"{PRIOR}.{name}": p for name, p in zip(COPIES, NOT_CALLED, strict=True)}
    row |= {"site.is_indel": float(len(ref) != len(alt)), "site.length": float(len(alt) - len(ref))}
    return row | {FOUND: False, IMAGE: bytes(WIDTH)}


def _place_of(allele: Allele, person: Person, contig: str, reference: np.ndarray) -> dict[str, Any]:
    """How many fragments reach it, and of how many letters the repeat there is."""
    start = allele[0]
    depth = pileup(records_of(person, contig, start, start + 1), start, start + 1).depth[0]
    low = max(0, start - AROUND)
    opening = np.empty(len(reference[low : start + AROUND]))
    gap_open(reference[low : start + AROUND], opening)
    at = min(start + 1 - low, len(opening) - 1)
    return {DEPTH: int(depth), REPEAT: repeated(opening[at])}
