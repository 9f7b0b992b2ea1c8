"""Denoising autoencoder of reads: what it adds to the proposal of the k-mer spectrum.

A letter is changed where the network is surer than a threshold. The threshold comes from the valid
rows, with "change nothing" among the choices: then the answer is the proposal.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from bioloom.arrays import Shaped, end_to_end
from bioloom.embedders.read_evidence import PROPOSED
from bioloom.models._network import NetworkModel
from bioloom.models.as_read import nearly_sure

if TYPE_CHECKING:
    from bioloom.models._networks.denoising_autoencoder import Network

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98)
NEVER = 2.0  # a threshold that no probability reaches
LEAST = 2.0
"""Standard errors by which a threshold must beat the proposal: each change is a coin."""


@dataclass(kw_only=True)
class Model(NetworkModel):
    """A residual 1-D convolutional encoder-decoder with skips, of three widths."""

    width: int = 32
    """Channels of the outermost of three steps."""
    epochs: int = 16
    patience: int = 6
    batch_size: int = 32
    learning_rate: float = 2e-3

    takes = ("tokens",)
    answers = ("residue",)

    def build(self, n_features: int) -> Network:
        """The untrained network, whose answer is the proposal."""
        from bioloom.models._networks.denoising_autoencoder import Network

        return Network(n_features, self.width)

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Train, then choose the threshold on the valid rows."""
        super().fit(X, y, X_valid, y_valid, sample_weight)
        self.threshold, self.removed = NEVER, 0
        if not len(X_valid):
            return self
        proposed = _proposed(X_valid)
        p, truth = super().outputs(X_valid), end_to_end(y_valid)
        self.threshold, self.removed = _choose(p, proposed, truth)
        said = "change nothing" if self.threshold == NEVER else f"change at {self.threshold}"
        errors = int((proposed != truth).sum())
        print(f"{said}: {self.removed} of {errors} errors of valid reads go", file=sys.stderr)
        return self

    def refitted(self, X: Shaped, y: Shaped, **given: np.ndarray) -> Self:
        """As of all networks, with this one's threshold."""
        model = super().refitted(X, y, **given)
        model.threshold, model.removed = self.threshold, self.removed
        return model

    def outputs(self, X: Shaped) -> np.ndarray:
        """The network's probabilities where it changes a letter, else those of the proposal."""
        p = super().outputs(X)
        stays = ~_changes(p, _proposed(X), self.threshold)
        p[stays] = nearly_sure(end_to_end(X)[stays, PROPOSED])
        return p

    def state(self) -> dict[str, np.ndarray]:
        """The weights, the threshold, and how many errors of valid reads it removed."""
        decision = {"threshold": np.array([self.threshold]), "removed": np.array([self.removed])}
        return super().state() | decision

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over weights and decision."""
        super().restore(arrays)
        self.threshold, self.removed = float(arrays["threshold"][0]), int(arrays["removed"][0])


def _proposed(X: Shaped) -> np.ndarray:
    """The codes of the proposal (T,)."""
    return end_to_end(X)[:, PROPOSED].argmax(axis=1)


def _changes(p: np.ndarray, proposed: np.ndarray, threshold: float) -> np.ndarray:
    """Where the network changes the proposal (T,)."""
    return (p.argmax(axis=1) != proposed) & (p.max(axis=1) >= threshold)


def _choose(p: np.ndarray, proposed: np.ndarray, truth: np.ndarray) -> tuple[float, int]:
    """The threshold that removes most errors, and how many; NEVER where that may be luck."""
    best = (NEVER, 0)
    for threshold in THRESHOLDS:
        changed = _changes(p, proposed, threshold)
        right = int((p.argmax(axis=1) == truth)[changed].sum())
        harm = int((proposed == truth)[changed].sum())
        if right - harm > max(best[1], LEAST * np.sqrt(right + harm)):
            best = (threshold, right - harm)
    return best
