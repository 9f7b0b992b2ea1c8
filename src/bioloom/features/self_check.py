"""The check of every run: a few sequences by the fast and by the plain path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bioloom.embedders import Encoder, SequenceError, states_in_order

SEQUENCES, LETTERS = 4, 400
LOWEST_COSINE = 0.99
NO_NUMBER = -1.0  # the cosine of what is not finite
ROUNDING = 1e-4  # vectors nearer than this share of their length are equal


def self_check(encoder: Encoder, texts: Sequence[str]) -> dict[str, Any]:
    """A few sequences by the fast and by the plain fp32 path: a JSON-able record.

    `centred_cosine` is the lowest of their mean vectors, of which the mean over these sequences is
    subtracted: plain cosines of embeddings are near 1 whatever goes wrong. With fewer than three
    different sequences it is that of all tokens of one, less their mean. `lowest` is the sequence
    that has it.
    """
    by_length = sorted({text[:LETTERS] for text in texts}, key=lambda t: (len(t), t))
    spread = np.linspace(0, len(by_length) - 1, SEQUENCES).round().astype(int)
    chosen = [by_length[i] for i in np.unique(spread)]
    plain = encoder.reference(chosen)
    fast = states_in_order(encoder.encode(chosen), len(chosen))
    if len(chosen) > 2:
        means = [np.stack([states.mean(axis=0) for states in side]) for side in (fast, plain)]
        cosine = centred_cosine(*means)
    else:
        pairs = zip(fast, plain, strict=True)
        cosine = np.array([_cosine_of_all(a, b, b.mean(axis=0)) for a, b in pairs])
    worst = int(cosine.argmin())
    return {
        "centred_cosine": round(float(cosine[worst]), 6),
        "compared": len(chosen),
        "of": "sequences" if len(chosen) > 2 else "tokens",
        "lowest": chosen[worst],
    }


def disagreement(check: dict[str, Any]) -> SequenceError:
    """The error for a check that failed in full precision: the vectors cannot be trusted."""
    if check["centred_cosine"] == NO_NUMBER:
        return SequenceError(
            "the model gives it values that are not finite numbers",
            check["lowest"],
            hint="are its weights whole?",
        )
    return SequenceError(
        f"the fast path has a centred cosine of {check['centred_cosine']:.4f} to the plain one, "
        f"at least {LOWEST_COSINE} is asked for",
        check["lowest"],
        hint="the model's vectors depend on how it is run; leave it, and please report it",
    )


def centred_cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of each row of `a (N, D)` with that of `b`, both less the mean row of `b`, (N,).

    1 where both rows are equal up to ROUNDING: of sequences that the model takes for the same, what
    is left after the mean is noise. -1 where a value is no finite number.
    """
    centre = b.mean(axis=0)
    return np.array([_cosine_of_all(x, y, centre) for x, y in zip(a, b, strict=True)])


def _cosine_of_all(a: np.ndarray, b: np.ndarray, centre: np.ndarray) -> float:
    """The cosine of all numbers of `a` with those of `b`, both less `centre`."""
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return NO_NUMBER
    if np.linalg.norm(a - b) <= ROUNDING * np.linalg.norm(b):
        return 1.0
    a, b = a - centre, b - centre
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / norms if norms else 0.0
