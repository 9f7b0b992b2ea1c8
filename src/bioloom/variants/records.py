"""Predicted copies of alleles as the records of a VCF: one a site, with all samples' genotypes.

A site with several alternatives gets the posterior of its genotypes times how much the model
changed the probability of each allele's copies. Alleles that nobody has are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pandas as pd

from bioloom.formats.vcf import Field, Record
from bioloom.samples import VARIANT
from bioloom.samples.variants import COPIES, GENOTYPES, PRIOR
from bioloom.variants.genotypes import genotypes

MOST_QUALITY = 99
FILTERS = {
    "Unsure": "the prediction set of a genotype holds more than the one called",
    "Unlike": "reads unlike those that the model was trained on",
}
INFO: list[Field] = []
FORMAT = [
    Field("GT", "1", "String", "Genotype"),
    Field("GQ", "1", "Integer", "Phred of the calibrated probability that the genotype is wrong"),
    Field("DP", "1", "Integer", "Fragments that reach the site"),
    Field("AD", "R", "Integer", "Fragments that each allele alone explains clearly best"),
    Field("PL", "G", "Integer", "Phred of the calibrated probabilities of genotypes, best is 0"),
]


def vcf_records(
    samples: pd.DataFrame, predictions: pd.DataFrame, people: list[str]
) -> Iterator[Record]:
    """The records of all sites where anybody has an alternative allele."""
    columns = ["sample_id", "prediction", "abstain", "out_of_distribution"]
    columns += [f"p.{name}" for name in GENOTYPES]
    table = samples.merge(predictions[columns], on="sample_id", validate="one_to_one")
    sites = table.groupby(
        [f"{VARIANT}{name}" for name in ("chrom", "pos", "ref", "alts")], sort=False
    )
    for place, rows in sites:
        chrom, pos, ref, alts = cast(tuple[str, int, str, str], place)
        alleles = [ref, *alts.split(",")]
        if not (rows["prediction"] != GENOTYPES[0]).any():
            continue
        own = {
            str(name): _Genotype(mine.sort_values(f"{VARIANT}allele"), len(alleles))
            for name, mine in rows.groupby(f"{VARIANT}person")
        }
        used = sorted({0, *(a for one in own.values() for a in one.genotype)})
        yield _record(chrom, pos - 1, alleles, used, own, people)


class _Genotype:
    """The genotype of one sample at a site, by the probabilities of each allele's copies."""

    def __init__(self, rows: pd.DataFrame, size: int) -> None:
        self.ploidy = int(rows[f"{VARIANT}ploidy"].iloc[0])
        self.depth = int(rows[f"{VARIANT}depth"].iloc[0])
        self.depths = np.asarray(rows[f"{VARIANT}depths"].iloc[0], dtype=int)
        self.known = genotypes(size, self.ploidy)
        logs = np.array(rows[f"{VARIANT}posteriors"].iloc[0], dtype=float)
        places = [0, 2] if self.ploidy == 1 else [0, 1, 2]
        before = rows[[f"{PRIOR}.{COPIES[n]}" for n in places]].to_numpy(float)
        after = np.log(rows[[f"p.{GENOTYPES[n]}" for n in places]].to_numpy(float).clip(1e-12))
        for number, genotype in enumerate(self.known):
            for allele in range(1, size):
                copies = genotype.count(allele)
                logs[number] += after[allele - 1, copies] - before[allele - 1, copies]
        p = np.exp(logs - logs.max())
        self.p = p / p.sum()
        called = (rows["prediction"] != GENOTYPES[0]).to_numpy()
        allowed = [
            any(genotype) == called.any() and all(not a or called[a - 1] for a in genotype)
            for genotype in self.known
        ]
        self.best = int(np.argmax(np.where(allowed, self.p, -1)))
        self.genotype = self.known[self.best]
        doubts = rows.loc[called] if called.any() else rows
        self.unsure = bool(doubts["abstain"].str.contains("prediction set").any())
        self.unlike = bool(doubts["out_of_distribution"].any())


def _record(
    chrom: str,
    start: int,
    alleles: list[str],
    used: list[int],
    own: dict[str, _Genotype],
    people: list[str],
) -> Record:
    """One line, of the alleles that are used."""
    letters = [alleles[a] for a in used]
    while len(letters) > 1 and min(map(len, letters)) > 1 and len({s[-1] for s in letters}) == 1:
        letters = [s[:-1] for s in letters]
    none = float(np.prod([one.p[0] for one in own.values()]))
    callers = [one for one in own.values() if any(one.genotype)]
    filters = [
        name
        for name, flag in (("Unsure", "unsure"), ("Unlike", "unlike"))
        if any(getattr(one, flag) for one in callers)
    ]
    values = [_values(own[name], used) if name in own else _missing(used) for name in people]
    return Record(chrom, start, letters, _phred(none), filters, ".", values)


def _values(one: _Genotype, used: list[int]) -> list[str]:
    """GT, GQ, DP, AD and PL of the alleles that are used."""
    if not one.depth:
        return _missing(used)
    place = {allele: number for number, allele in enumerate(used)}
    kept = [n for n, genotype in enumerate(one.known) if all(a in place for a in genotype)]
    p = one.p[kept] / one.p[kept].sum()
    best = kept.index(one.best)
    likelihoods = np.minimum(np.round(-10 * np.log10((p / p.max()).clip(1e-99))), 999).astype(int)
    genotype = "/".join(str(place[a]) for a in one.genotype)
    quality = min(int(_phred(1 - p[best])), MOST_QUALITY)
    depths = ",".join(str(one.depths[a]) for a in used)
    return [genotype, str(quality), str(one.depth), depths, ",".join(map(str, likelihoods))]


def _missing(used: list[int]) -> list[str]:
    """Nothing is known where there are no reads: that is not the reference."""
    return ["./.", "0", "0", ",".join("0" for _ in used), "."]


def _phred(p: float) -> float:
    return cast(Any, -10 * np.log10(max(float(p), 1e-99)))
