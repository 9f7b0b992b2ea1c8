"""The untrained twin of a network: what of a score is the architecture's, not the training's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bioloom.options import Option

UNTRAINED = Option(
    None, minimum=0, type=int, about="seed of weights that are drawn in place of trained ones"
)
"""The option `untrained`: the seed of weights that stand in for the trained ones."""


def untrained(arrays: Mapping[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
    """Weights of the same names, shapes and types, drawn from normal distributions.

    Each array keeps its mean and standard deviation, so that signals stay as large as they were and
    nothing else is left of what was learnt.
    """
    drawn = {}
    for number, name in enumerate(sorted(arrays)):
        array, rng = arrays[name], np.random.default_rng([seed, number])
        values = rng.normal(array.mean(), array.std(), array.shape)
        drawn[name] = values.astype(array.dtype)
    return drawn
