"""From which probability on a class is called: a number, or a rule over validation rows.

A half of a calibrated probability is the default: it is fitted to nothing. The threshold with the
best F1 of a few dozen rows lands anywhere, and calls too often (Lipton et al. 2014).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bioloom.errors import DataError, unknown_name

HALF = 0.5
AT_LEAST = ("sensitivity", "specificity")
HINT = "`threshold: 0.3`, `balanced`, `f1`, `accuracy`, `youden`, or `sensitivity>=0.9`"


def check_threshold(rule: float | str) -> None:
    """Raise DataError for what is neither a probability nor a rule."""
    if isinstance(rule, str):
        name, limit = _parts(rule)
        known = AT_LEAST if limit is not None else ("balanced", *SCORES)
        if name not in known:
            shown = [f"{name}>=" for name in AT_LEAST] if limit is not None else list(known)
            raise unknown_name("rule", rule, shown, " as `threshold`")
        rule = HALF if limit is None else limit
    if not 0 < rule < 1:
        raise DataError(f"`threshold` is a probability above 0 and below 1, got {rule}", hint=HINT)


def choose_threshold(rule: float | str, positive: np.ndarray, y: np.ndarray, share: float) -> float:
    """The threshold by a rule, of the calibrated probabilities of valid rows and their classes.

    `share` is that of the positive class in training, which `balanced` takes: of a calibrated
    probability it is where both classes are told equally well on average. Fitted rules take the
    middle between two neighbouring probabilities, and a half where valid rows hold one class only,
    or all have one probability.
    """
    if not isinstance(rule, str):
        return float(rule)
    if rule == "balanced":
        return float(np.clip(share, 1e-6, 1 - 1e-6))
    if len(np.unique(y)) < 2 or np.ptp(positive) < 1e-9:
        return HALF
    order = np.argsort(-positive, kind="stable")
    ranked = positive[order]
    last = np.append(ranked[1:] < ranked[:-1], True)  # of equal ones all are called, or none
    hits, called = np.cumsum(y[order])[last], np.arange(1, len(y) + 1)[last]
    below = np.append(ranked[last][1:], ranked[-1])
    middle = (ranked[last] + below) / 2
    positives, negatives = y.sum(), (1 - y).sum()
    sensitivity, specificity = hits / positives, (negatives - (called - hits)) / negatives
    name, limit = _parts(rule)
    if limit is not None and name == "sensitivity":
        return float(middle[np.argmax(sensitivity >= limit)])
    if limit is not None:
        enough = np.flatnonzero(specificity >= limit)
        return float(middle[enough[-1]]) if len(enough) else float((1 + ranked[0]) / 2)
    scores = SCORES[name](hits, called, positives, negatives)
    if name == "accuracy" and negatives >= scores.max():
        return float((1 + ranked[0]) / 2)  # to call nobody is right as often
    return float(middle[np.flatnonzero(scores == scores.max())[-1]])  # of equal ones the lowest


def _parts(rule: str) -> tuple[str, float | None]:
    """The name of a rule, and its limit if it has one."""
    name, sign, limit = rule.replace(" ", "").partition(">=")
    try:
        return name, float(limit) if sign else None
    except ValueError:
        raise DataError(f"No number behind >= in `threshold: {rule}`", hint=HINT) from None


SCORES: dict[str, Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]] = {
    "f1": lambda hits, called, positives, negatives: 2 * hits / (called + positives),
    "accuracy": lambda hits, called, positives, negatives: negatives + 2 * hits - called,
    "youden": lambda hits, called, positives, negatives: (
        hits / positives - (called - hits) / negatives
    ),
}
"""What is largest at the threshold, of the `hits` among those `called`."""
