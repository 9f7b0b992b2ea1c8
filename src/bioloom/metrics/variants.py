"""Scores of called alleles, right only with the right genotype; see `bioloom.metrics`."""

from __future__ import annotations

import numpy as np

from bioloom.metrics import Metric, Scores
from bioloom.metrics._weighted import ratio
from bioloom.metrics.classification import call_scores_of_classes

SNP, INDEL = 0, 1
PARTS = {"snp": SNP, "indel": INDEL}
METRICS = (
    Metric("f1", "F1 of variants, genotypes exact", short="F1"),
    Metric("recall", "Recall of variants"),
    Metric("precision", "Precision of calls"),
    Metric("snp_f1", "F1 of SNPs"),
    Metric("snp_recall", "Recall of SNPs"),
    Metric("snp_precision", "Precision of SNPs"),
    Metric("indel_f1", "F1 of indels"),
    Metric("indel_recall", "Recall of indels"),
    Metric("indel_precision", "Precision of indels"),
    Metric("allele_f1", "F1 of alleles, whatever their genotype"),
    Metric("genotype_accuracy", "Right genotypes among alleles found"),
    Metric("not_found", "Variants that are no candidates", lower_is_better=True),
    Metric("accuracy", "Accuracy over candidates"),
    Metric("brier", "Brier score", lower_is_better=True, most=2.0),
    Metric("ece", "Calibration error (ECE)", lower_is_better=True, interval=False),
)


def scores(
    y: np.ndarray,
    call: np.ndarray,
    p: np.ndarray,
    part: np.ndarray,
    found: np.ndarray,
    weights: np.ndarray,
) -> Scores:
    """Scores of `y`, `call (N,)` copies of an allele (0 to 2), with probabilities `p (N, 3)`.

    `part (N,)` is SNP or INDEL, `found (N,)` whether the allele is a candidate. A wrong genotype is
    a variant missed and a false call. Without a variant or a call recall, or precision, is not
    defined, and F1 only without both.
    """
    variant, called, right = y > 0, call > 0, (call == y) & (y > 0)
    result = _f1(variant, called, right, weights)
    for name, number in PARTS.items():
        mine = part == number
        part_scores = _f1(variant & mine, called & mine, right & mine, weights)
        result |= {f"{name}_{key}": value for key, value in part_scores.items()}
    both = (variant & called) @ weights
    result["allele_f1"] = _f1(variant, called, variant & called, weights)["f1"]
    result["genotype_accuracy"] = ratio(right @ weights, both)
    result["not_found"] = ratio((variant & ~found) @ weights, variant @ weights)
    among = call_scores_of_classes(y[found], call[found], p[found], weights[found])
    return result | {name: among[name] for name in ("accuracy", "brier", "ece")}


def _f1(variant: np.ndarray, called: np.ndarray, right: np.ndarray, weights: np.ndarray) -> Scores:
    true, said, hit = (mask.astype(float) @ weights for mask in (variant, called, right))
    return {
        "f1": ratio(2 * hit, true + said),
        "recall": ratio(hit, true),
        "precision": ratio(hit, said),
    }
