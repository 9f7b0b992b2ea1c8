"""The check of every run: a few sequences by the fast and by the plain path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bioloom.embedders import Encoder, SequenceError, states_in_order

SEQUENCES, LETTERS = 4, 400
LOWEST_COSINE = 0.99
ROUNDING = 1e-4  # vectors nearer than this share of their length are equal


def self_check(encoder: Encoder, texts: Sequence[str]) -> dict[str, Any]:
    """A few sequences by the fast and by the plain fp32 path: a JSON-able record.

    `centred_cosine` is the lowest of their mean vectors, of which the mean over these sequences is
    subtracted: plain cosines of embeddings are near 1 whatever goes wrong. With fewer than three
    different sequences their tokens are compared instead. `lowest` is the sequence that has it.
    """
    by_length = sorted({text[:LETTERS] for text in texts}, key=lambda t: (len(t), t))
    spread = np.linspace(0, len(by_length) - 1, SEQUENCES).round().astype(int)
    chosen = [by_length[i] for i in np.unique(spread)]
    plain = encoder.reference(chosen)
    fast = states_in_order(encoder.encode(chosen), len(chosen))
    owner = np.repeat(np.arange(len(chosen)), [len(value) for value in plain])
    what = "sequences" if len(chosen) > 2 else "tokens"
    if what == "sequences":
        plain, fast = ([value.mean(0) for value in side] for side in (plain, fast))
        owner = np.arange(len(chosen))
    cosine = centred_cosine(np.vstack(fast), np.vstack(plain))
    worst = int(cosine.argmin())
    return {
        "centred_cosine": round(float(cosine[worst]), 6),
        "compared": len(cosine),
        "of": what,
        "lowest": chosen[owner[worst]],
    }


def disagreement(check: dict[str, Any]) -> SequenceError:
    """The error for a check that failed in full precision: the vectors cannot be trusted."""
    return SequenceError(
        f"the fast path has a centred cosine of {check['centred_cosine']:.4f} to the plain one, "
        f"at least {LOWEST_COSINE} is asked for",
        check["lowest"],
        hint="the model's vectors depend on how it is run; leave it, and please report it",
    )


def centred_cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of each row of `a (N, D)` with that of `b`, both less the mean row of `b`, (N,).

    1 where both rows are equal up to ROUNDING: of sequences that the model takes for the same, what
    is left after the mean is noise. -1 for all where a value is no finite number: such vectors
    agree with nothing.
    """
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return np.full(len(a), -1.0)
    equal = np.linalg.norm(a - b, axis=1) <= ROUNDING * np.linalg.norm(b, axis=1)
    centre = b.mean(axis=0)
    a, b = a - centre, b - centre
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = (a * b).sum(axis=1) / np.maximum(norms, 1e-30)
    return np.where(equal | (norms == 0), 1.0, cosine)
