"""What a network says of single cases beyond the answer: on what it rests, what would help.

All of it is exact, and of the network alone: no calibration comes after it. A field "set" to a
state is one that were observed to be so, which is no intervention.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioloom.bayes.network import Network

LEAST = 1e-12  # below which a probability counts as this much in log odds


@dataclass(frozen=True)
class AboutField:
    """What a field (S states) has to do with the target (K states) in each of N cases.

    `joint (N, K, S)` is P(target, field | all other evidence); `possible (N,)` says where that
    evidence can be.
    """

    joint: np.ndarray
    possible: np.ndarray

    @property
    def without(self) -> np.ndarray:
        """P(target | evidence but that of the field), (N, K)."""
        return self.joint.sum(axis=2)

    @property
    def plausible(self) -> np.ndarray:
        """P(state of the field | all other evidence), (N, S)."""
        return self.joint.sum(axis=1)

    @property
    def what_if(self) -> np.ndarray:
        """P(target | all other evidence, field = state), (N, S, K); 0 where that cannot be."""
        plausible = self.plausible[:, None]
        known = np.where(plausible > 0, plausible, 1)
        return (self.joint / known).transpose(0, 2, 1)

    @property
    def information(self) -> np.ndarray:
        """Bits that the field would give of the target on average, (N,): mutual information."""
        both = entropy(self.joint.reshape(len(self.joint), -1))
        return np.maximum(entropy(self.without) + entropy(self.plausible) - both, 0)


def about(network: Network, codes: np.ndarray, target: int, field: int) -> AboutField:
    """What a field has to do with the target where all else is as in the cases (N, V)."""
    codes = codes.copy()
    codes[:, field] = -1
    belief = network.ask(codes, (target, field))
    return AboutField(belief.p, belief.possible)


def entropy(p: np.ndarray) -> np.ndarray:
    """Bits of each row of probabilities (N, K), (N,)."""
    return -(p * np.log2(np.where(p > 0, p, 1))).sum(axis=1)


def log_odds(p: np.ndarray) -> np.ndarray:
    """Natural logarithm of the odds, of any shape; bounded where p is 0 or 1."""
    p = p.clip(LEAST, 1 - LEAST)
    return np.log(p / (1 - p))
