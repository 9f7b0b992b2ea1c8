"""How many copies of an allele a sample has: none, one or two, as genotypes are written.

Scores count variants, not candidates: an allele of the truth that is no candidate is missed by
every model, and a call is right only with the right number of copies.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from bioloom.kinds import (
    Calibration,
    HeldOut,
    Labels,
    Learnt,
    Strata,
    TestSet,
    _classes,
    multiclass,
)
from bioloom.kinds._rows import Truth, join
from bioloom.metrics import Scores, coverage, variants
from bioloom.samples import VARIANT
from bioloom.samples.variants import DEPTH, FOUND, GENOTYPES, REPEAT

DEPTHS, REPEATS = (0, 5, 10, 20, 30, np.inf), (0, 3, 6, 11, np.inf)
QUALITIES = (0, 10, 20, 30, 50, np.inf)
REF, ALT = f"{VARIANT}ref", f"{VARIANT}alt"
CERTAIN = 1 - 1e-9
"""A probability of no copy that a candidate never has: rows that are none say nothing of others."""


def fits(samples: pd.DataFrame) -> bool:
    """Whether the labels are genotypes of alleles."""
    return FOUND in samples and "label" in samples and set(samples["label"]) <= set(GENOTYPES)


def outputs(samples: pd.DataFrame, positive: str | None) -> list[str]:
    """The genotypes, whichever occur: a haploid genome has two of them."""
    return list(GENOTYPES)


def calibrate(raw: np.ndarray, y: np.ndarray, labels: Labels, learnt: Learnt) -> Calibration:
    """As of all classes, and the probability of a variant from which one is called.

    It is the one with the best F1 of the valid rows. Rows of no weight are no candidates: what a
    model says of them tells nothing of others.
    """
    candidates = raw[:, 0] < CERTAIN
    if labels.weight is not None:
        candidates &= labels.weight > 0
    if not candidates.any():
        return Calibration(threshold=0.5, quantile=[[0.0] * len(GENOTYPES)])
    own = replace(labels, weight=None)
    fitted = _classes.calibrate(raw[candidates], y[candidates], own, learnt)
    return replace(fitted, threshold=best_threshold(_classes.scores(raw, fitted), y))


def best_threshold(scores: np.ndarray, y: np.ndarray) -> float:
    """The probability of a variant from which calls have the best F1, genotypes exact.

    0.5 where nothing is called right. Halfway to the next lower one, so that it is no row's own.
    """
    chance, genotype = 1 - scores[:, 0], 1 + scores[:, 1:].argmax(axis=1)
    order = np.argsort(-chance, kind="stable")
    right = np.cumsum((genotype == y)[order])
    f1 = 2 * right / (np.arange(1, len(y) + 1) + (y > 0).sum())
    ranked = chance[order]
    # Rows of one probability are called together.
    last = np.append(ranked[1:] < ranked[:-1], True)
    f1 = np.where(last, f1, 0.0)
    best = int(f1.argmax())
    if not right[best]:
        return 0.5
    below = ranked[best + 1] if best + 1 < len(y) else 0.0
    return float((ranked[best] + below) / 2)


def decide(scores: np.ndarray, calibration: Calibration) -> np.ndarray:
    """The likelier number of copies where a variant is likely enough, else none, (A,)."""
    genotype = 1 + scores[:, 1:].argmax(axis=1)
    return np.where(1 - scores[:, 0] >= calibration.threshold, genotype, 0)


def test_set(test: pd.DataFrame, held_out: pd.DataFrame, options: dict[str, Any]) -> TestSet:
    """Test rows, each with whether it is an indel, a candidate, and of what place."""
    # Rows that no model learns from are scored as all others.
    test = test.drop(columns="sample_weight", errors="ignore")
    truth = Truth(test, _classes.encode(test, list(GENOTYPES)), list(GENOTYPES))
    facts = {
        "indel": (test[REF].str.len() != test[ALT].str.len()).to_numpy(),
        "found": test[FOUND].to_numpy(bool),
        "depth": test[DEPTH].to_numpy(int),
        "repeat": test[REPEAT].to_numpy(int),
    }

    def said(table: pd.DataFrame, truth: Truth, model: str) -> dict[str, Any]:
        answered = _classes.said(table, truth, model) | {"facts": facts}
        if "inside" in answered:  # an allele that is no candidate has no set
            sets = answered["inside"], answered["own"]["set_size"]
            inside, size = (np.where(facts["found"], of_set, np.nan) for of_set in sets)
            answered |= {"inside": inside, "own": {"set_size": size}}
        return answered

    return join(truth, held_out, said)


def score(rows: HeldOut, weights: np.ndarray) -> Scores:
    """The metrics of variants, and how often sets hold the truth."""
    indel, found = rows.facts["indel"], rows.facts["found"]
    part = np.where(indel, variants.INDEL, variants.SNP)
    scores = variants.scores(rows.y, rows.call, rows.p, part, found, weights)
    return scores | coverage.coverage(rows.inside, weights)


def strata(rows: HeldOut) -> Strata:
    """Rows by depth and by the repeat that they lie in, calls by their quality (GQ).

    Of calls alone the precision says something.
    """
    chance = rows.p[np.arange(len(rows.y)), rows.call]
    quality = np.where(rows.call > 0, -10 * np.log10(np.maximum(1 - chance, 1e-10)), np.nan)
    ways = {
        "depth": (rows.facts["depth"], DEPTHS, ("recall", "precision")),
        "letters repeated": (rows.facts["repeat"], REPEATS, ("recall", "precision")),
        "GQ": (quality, QUALITIES, ("precision",)),
    }
    return {
        f"{name} {low} to {high - 1}" if np.isfinite(high) else f"{name} {low} and more": (
            (values >= low) & (values < high),
            metrics,
        )
        for name, (values, edges, metrics) in ways.items()
        for low, high in pairwise(edges)
    }


kind = replace(
    multiclass.kind,
    name="genotypes",
    fits=fits,
    outputs=outputs,
    calibrate=calibrate,
    decide=decide,
    answer=partial(_classes.answer_by, decide),
    test_set=test_set,
    score=score,
    metrics=(*variants.METRICS, *coverage.METRICS),
    primary="f1",
    strata=strata,
    facts=(REF, ALT, FOUND, DEPTH, REPEAT),
    all_classes=False,
)
