"""What a Bayesian network predicts: the last of its fields, a class or a number in bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bioloom.bayes.coding import MISSING, Numbers
from bioloom.bayes.network import Belief, Network

Q = (0.05, 0.95)
"""The quantiles of a posterior over bins that are its interval."""


@dataclass(frozen=True)
class Outcome:
    """The last field of a network; of a number also its `bins`, and the mean in each, (states,)."""

    network: Network
    bins: Numbers | None = None
    means: np.ndarray | None = None

    @property
    def place(self) -> int:
        """Its place among the fields."""
        return len(self.network.nodes) - 1

    @property
    def states(self) -> tuple[str, ...]:
        """Its classes or bins."""
        return self.network.nodes[-1].states

    def named(self, states: Sequence[str]) -> Outcome:
        """The same with other names of its states."""
        *others, last = self.network.nodes
        return replace(self, network=Network((*others, replace(last, states=tuple(states)))))

    def unknown(self, evidence: np.ndarray) -> np.ndarray:
        """The states (N, columns) with the outcome, which is not known: (N, fields)."""
        return np.column_stack([evidence, np.full(len(evidence), MISSING)])

    def ask(self, evidence: np.ndarray) -> Belief:
        """The posterior given the states (N, columns), (N, states)."""
        return self.network.ask(self.unknown(evidence), [self.place])

    def posterior(self, evidence: np.ndarray) -> np.ndarray:
        """The same; where the evidence cannot be, as if nothing were known."""
        belief = self.ask(evidence)
        nothing = self.ask(np.full((1, evidence.shape[1]), MISSING)).p
        return np.where(belief.possible[:, None], belief.p, nothing)

    def impossible(self, evidence: np.ndarray) -> np.ndarray:
        """The columns whose states rule each other out, (N,) texts, or "" where none do."""
        found = np.full(len(evidence), "", dtype=object)
        for row in np.flatnonzero(~self.ask(evidence).possible):
            places = self.network.conflict(self.unknown(evidence[row : row + 1])[0])
            found[row] = ", ".join(self.network.names[place] for place in places)
        return found

    def interval(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The quantiles `Q` of posteriors over bins (N, states), even within a bin: two (N,)."""
        if self.bins is None:
            raise ValueError("only a number has an interval")
        edges = self.bins.edges.astype(np.float64)
        reached = np.hstack([np.zeros((len(p), 1)), np.cumsum(p, axis=1)])
        low, high = (np.array([np.interp(q, row, edges) for row in reached]) for q in Q)
        return low, high
