"""What is fitted on validation rows: temperature and conformal quantiles."""

from __future__ import annotations

import numpy as np

COVERAGE = 0.9
"""Share of new samples whose prediction set or interval should hold the truth."""
DRAWN = 10
"""Rows that the common scores count as beside those of a class: few rows tell little."""
PARTS = 3
"""Parts of predicted numbers, from low to high, whose errors are looked at by themselves."""


def soften(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Class probabilities at a temperature: p^(1/T), normalised (Guo et al. 2017)."""
    logits = np.log(np.clip(np.asarray(probabilities, dtype=float), 1e-12, 1)) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(
    probabilities: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None
) -> float:
    """The temperature with the least log loss on valid rows (Guo et al. 2017), in [0.1, 10].

    The targets are smoothed by one part in n + 2, as Platt (1999) does, so that a valid set that
    the model separates without error does not sharpen it without end. `weight (N,)` is how much
    each row counts.
    """
    from scipy.optimize import minimize_scalar

    count, classes = probabilities.shape
    doubt = 1 / (count + 2)
    targets = np.full((count, classes), doubt / (classes - 1))
    targets[np.arange(count), y] = 1 - doubt
    if weight is not None and weight.any():
        targets *= weight[:, None]

    def loss(logarithm: float) -> float:
        return -(targets * np.log(soften(probabilities, float(np.exp(logarithm))) + 1e-15)).sum()

    return float(np.exp(minimize_scalar(loss, bounds=np.log([0.1, 10]), method="bounded").x))


def conformal_quantile(errors: np.ndarray, coverage: float) -> float:
    """The split-conformal quantile of nonconformity scores (n,), NaN left out.

    With n scores it is the ceil((n + 1) coverage)-th smallest, infinite where n is too small for
    the coverage (Vovk et al. 2005; Angelopoulos & Bates 2023).
    """
    errors = np.sort(errors[~np.isnan(errors)])
    rank = int(np.ceil((len(errors) + 1) * coverage))
    return float(errors[rank - 1]) if rank <= len(errors) else float("inf")


def quantile_of_part(scores: np.ndarray, part: np.ndarray) -> float:
    """The conformal quantile of the rows `part (n,) bool`, drawn towards that of all rows.

    The scores of the part have weight 1, all n scores together that of `DRAWN` rows; it is where
    the weights, with one more row for the new sample, reach the coverage. By class alone (Vovk et
    al. 2005) few rows give any quantile; one for all lets rare classes go uncovered. Infinite where
    all rows are too few for the coverage.
    """
    scores, part = scores[~np.isnan(scores)], part[~np.isnan(scores)]
    if not np.isfinite(conformal_quantile(scores, COVERAGE)):
        return float("inf")
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(part[order] + DRAWN / len(scores))
    place = np.searchsorted(reached, COVERAGE * (part.sum() + DRAWN + 1) - 1e-9)
    return float(scores[order][min(place, len(scores) - 1)])


def parts_by_size(values: np.ndarray) -> list[float]:
    """The cuts between `PARTS` equally large parts of predicted values (n,)."""
    return np.quantile(values, np.linspace(0, 1, PARTS + 1)[1:-1]).tolist()
