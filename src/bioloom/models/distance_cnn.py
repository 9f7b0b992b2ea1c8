"""Distances of residue pairs: 1-D CNN over embeddings, pairs of its states, 2-D dilated CNN.

A pair is what both residues say and how far apart they are in the sequence; answers are the bins
of `bioloom.structures.distances` for pairs i < j. Long chains are trained in windows of `crop`
residues.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, cast

import numpy as np

from bioloom.arrays import Ragged, Shaped
from bioloom.models._estimator import Share
from bioloom.models._network import NetworkModel
from bioloom.structures.distances import pair_offsets, square, upper

if TYPE_CHECKING:
    from bioloom.models._networks.distance_cnn import Network


@dataclass(kw_only=True)
class Model(NetworkModel):
    """Sized for some hundred short chains on a CPU; on a GPU take more of everything."""

    trunk_width: int = 48
    """Channels over residues."""
    trunk_layers: int = 3
    """Blocks over residues."""
    width: int = 16
    """Channels over pairs of residues."""
    layers: int = 4
    """Blocks over pairs of residues."""
    dropout: Share = 0.1
    """Share of the channels that is hidden in training."""
    crop: int = 128
    """Residues of a stretch that is trained on at once."""
    epochs: int = 8
    patience: int = 3
    batch_size: int = 4
    learning_rate: float = 2e-3

    takes = ("tokens",)
    answers = ("residue_pair",)
    answered_at_once = 8

    def build(self, n_features: int) -> Network:
        """The untrained network."""
        from bioloom.models._networks.cnn import Trunk
        from bioloom.models._networks.distance_cnn import Network

        trunk = Trunk(n_features, self.trunk_width, 5, self.trunk_layers, self.dropout)
        return Network(trunk, self.n_outputs, self.width, self.layers, self.dropout)

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Train on windows of the chains; `y` are the bins of their pairs, Ragged."""
        inside, labels = windows(cast(Ragged, self.taken(X)), cast(Ragged, y), self.crop)
        return super().fit(inside, labels, X_valid, y_valid, sample_weight)


def windows(X: Ragged, y: Ragged, size: int) -> tuple[Ragged, Ragged]:
    """Features and pair bins of windows of at most `size` residues, which overlap by half."""
    tokens, pairs, lengths = [], [], []
    for i, length in enumerate(X.lengths):
        count = max(1, int(np.ceil((length - size) / (size / 2))) + 1)
        bins = square(y.item(i), length)
        for start in np.linspace(0, max(0, length - size), count).astype(int):
            inside = slice(start, start + size)
            tokens.append(X.item(i)[inside])
            pairs.append(upper(bins[inside, inside]))
            lengths.append(len(tokens[-1]))
    sizes = np.array(lengths)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    features = Ragged(np.concatenate(tokens), offsets)
    return features, Ragged(np.concatenate(pairs), pair_offsets(sizes))
