"""Predicted copies of alleles as the records of a VCF: one a site, with all samples' genotypes.

A site with several alternatives gets those probabilities of genotypes that are nearest to their
posterior and give each allele's copies those of the model. Alleles that nobody has, by the
genotypes that are told, are left out.

GQ and PL of a genotype with an alternative are of these probabilities. Those of the reference are
of the likelihoods alone: joint callers bring the prior, and where another sample varies it is not
that of any site.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from bioloom.formats.vcf import Field, Record
from bioloom.samples import VARIANT
from bioloom.samples.variants import GENOTYPES, IMAGE
from bioloom.variants.candidates import PHRED
from bioloom.variants.genotypes import genotypes

MOST_QUALITY = 99
MOST_SCALED = 999  # of PL
LEAST = -600.0  # natural logarithm of the least probability before the model's are known
TINY = 1e-12  # the least probability of copies
ROUNDS = 20  # until probabilities of copies fit
SILENT = 0.1  # natural logarithm between the likelihoods of genotypes, of reads that say nothing
FILTERS = {
    "Unsure": "the prediction set of a genotype holds more than the one called",
    "Mixed": "fragments of a contig that there is one copy of show two alleles",
    "Unlike": "reads unlike those that the model was trained on",
}
INFO = [
    Field("AC", "A", "Integer", "Copies of each alternative allele in all genotypes"),
    Field("AN", "1", "Integer", "Alleles in all genotypes"),
]
END = Field("END", "1", "Integer", "Last position of a block that is like the reference")
FORMAT = [
    Field("GT", "1", "String", "Genotype"),
    Field(
        "GQ",
        "1",
        "Integer",
        "Phred of the calibrated probability that GT is wrong; of 0/0 the second least PL",
    ),
    Field("DP", "1", "Integer", "Fragments that reach the site; the least in a block"),
    Field("AD", "R", "Integer", "Fragments that each allele alone explains clearly best"),
    Field(
        "PL",
        "G",
        "Integer",
        "Phred of the calibrated probabilities of genotypes, best is 0; of 0/0 of the likelihoods, "
        "without a prior; the least in a block",
    ),
]


SITE = [f"{VARIANT}{name}" for name in ("chrom", "pos", "ref", "alts")]
MIXED = f"{VARIANT}mixed"
PERSON, ALLELE = f"{VARIANT}person", f"{VARIANT}allele"
Row = dict[Hashable, Any]


def vcf_records(
    samples: pd.DataFrame, predictions: pd.DataFrame, people: list[str]
) -> Iterator[Record]:
    """The records of all sites where anybody has an alternative allele, or a mixture of two."""
    columns = ["sample_id", "prediction", "abstain", "out_of_distribution"]
    columns += [f"p.{name}" for name in GENOTYPES]
    known = samples.drop(columns=[IMAGE, *(n for n in samples if str(n).startswith("site."))])
    table = known.merge(predictions[columns], on="sample_id", validate="one_to_one")
    is_called = (table["prediction"] != GENOTYPES[0]) | table[MIXED]
    table = table[is_called.groupby([table[name] for name in SITE]).transform("any")]
    rows = table.sort_values([*SITE, PERSON, ALLELE]).to_dict("records")
    for (chrom, pos, ref, alts), site in groupby(rows, key=itemgetter(*SITE)):
        alleles = [ref, *alts.split(",")]
        own = {
            name: _Genotype(list(mine), len(alleles))
            for name, mine in groupby(site, key=itemgetter(PERSON))
        }
        used = sorted({0, *(a for one in own.values() for a in one.shown)})
        if len(used) > 1:
            yield _record(chrom, pos - 1, alleles, used, own, people)


class _Genotype:
    """The genotype of one sample at a site, by the probabilities of each allele's copies."""

    def __init__(self, rows: list[Row], size: int) -> None:
        """`rows` are those of the alternative alleles, in their order."""
        self.ploidy: int = rows[0][f"{VARIANT}ploidy"]
        self.depth: int = rows[0][f"{VARIANT}depth"]
        self.depths: list[int] = [int(n) for n in rows[0][f"{VARIANT}depths"]]
        self.known = genotypes(size, self.ploidy)
        self.likelihoods = np.array(rows[0][f"{VARIANT}likelihoods"], dtype=float)
        self.is_measured = bool(self.depth) and np.ptp(self.likelihoods) > SILENT
        places = [0, 2] if self.ploidy == 1 else [0, 1, 2]
        after = np.array([[row[f"p.{GENOTYPES[n]}"] for n in places] for row in rows])
        held = np.array([[g.count(a) for a in range(1, size)] for g in self.known])
        self.p = with_copies(np.array(rows[0][f"{VARIANT}posteriors"], float), held, after)
        called = {a for a, row in enumerate(rows, 1) if row["prediction"] != GENOTYPES[0]}
        allowed = [
            bool(set(g) - {0}) == bool(called) and set(g) <= {0, *called} for g in self.known
        ]
        self.best = int(np.argmax(np.where(allowed, self.p, -1)))
        self.genotype = self.known[self.best]
        # Alternatives by a fragment each, the reference by the likelihoods: else fields disagree.
        carried = set(self.genotype) - {0}
        likeliest = int(np.argmax(self.likelihoods))
        is_seen = all(self.depths[a] for a in carried) if carried else likeliest == 0
        # What counts among the alleles of all samples.
        self.told = self.genotype if self.is_measured and is_seen else ()
        self.is_mixed = bool(rows[0][MIXED])
        # A mixture shows the allele that is most of the rest, too.
        most = 1 + int(np.argmax(self.depths[1:]))
        self.shown = {*self.told, *([most] if self.is_mixed else [])}
        doubted = [row for a, row in enumerate(rows, 1) if a in called or not called]
        # A set that is empty holds nothing else.
        self.unsure = any("set holds" in row["abstain"] for row in doubted)
        self.unlike = any(row["out_of_distribution"] for row in doubted)


def with_copies(logs: np.ndarray, held: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """Probabilities of genotypes (n,) by which each allele has the probabilities of its `copies`.

    Of all that do so they are nearest to the posterior, whose natural logarithms are `logs` (n,):
    iterative proportional fitting (Deming and Stephan 1940). `held` (n, alleles) has the copies of
    each genotype, `copies` (alleles, most + 1) how probable none, one and so on are.
    """
    p = np.exp(np.maximum(logs - logs.max(), LEAST))
    for _ in range(ROUNDS):
        for mine, wanted in zip(held.T, copies, strict=True):
            had = np.bincount(mine, p, len(wanted))
            p = p * (np.maximum(wanted, TINY) / np.maximum(had, np.exp(LEAST)))[mine]
    return p / p.sum()


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
    callers = [one for one in own.values() if any(one.genotype) or one.is_mixed]
    flags = {"Unsure": "unsure", "Mixed": "is_mixed", "Unlike": "unlike"}
    filters = [n for n, flag in flags.items() if any(getattr(one, flag) for one in callers)]
    [ploidy] = {one.ploidy for one in own.values()}
    values = [
        _values(own[name], used)
        if name in own and own[name].is_measured
        else _missing(used, ploidy, own[name].depth if name in own else 0)
        for name in people
    ]
    carried = [a for name in people if name in own for a in own[name].told]
    counts = ",".join(str(carried.count(a)) for a in used[1:])
    info = f"AC={counts};AN={len(carried)}"
    return Record(chrom, start, letters, _phred(none), filters, info, values)


def _values(one: _Genotype, used: list[int]) -> list[str]:
    """GT, GQ, DP, AD and PL of the alleles that are used."""
    place = {allele: number for number, allele in enumerate(used)}
    kept = [n for n, genotype in enumerate(one.known) if all(a in place for a in genotype)]
    p = one.p[kept] / one.p[kept].sum()
    scaled = phred_scaled(np.log(p) if any(one.genotype) else one.likelihoods[kept])
    alleles, quality = ["."] * len(one.genotype), 0.0
    if one.told:
        alleles = [str(place[a]) for a in one.told]
        quality = _phred(1 - p[kept.index(one.best)]) if any(one.told) else np.sort(scaled)[1]
    shown = str(min(int(quality), MOST_QUALITY))
    depths = ",".join(str(one.depths[a]) for a in used)
    return ["/".join(alleles), shown, str(one.depth), depths, ",".join(map(str, scaled))]


def phred_scaled(logs: np.ndarray) -> np.ndarray:
    """Whole Phred of natural logarithms of likelihoods, the best one's 0; (genotypes, ...)."""
    scaled = (logs.max(axis=0) - logs) / PHRED
    return np.minimum(np.round(scaled), MOST_SCALED).astype(int)


def _missing(used: list[int], ploidy: int, depth: int) -> list[str]:
    """Nothing is known where no read says anything: that is not the reference."""
    return ["/".join("." * ploidy), "0", str(depth), ",".join("0" for _ in used), "."]


def _phred(p: float) -> float:
    return float(-10 * np.log10(max(float(p), 1e-99)))
