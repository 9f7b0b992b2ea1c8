"""Convolutional network over the reads of a site, on top of what their likelihood says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bioloom.arrays import Images, Shaped
from bioloom.models._estimator import Share
from bioloom.models._network import NetworkModel

if TYPE_CHECKING:
    import torch

    from bioloom.models._networks.pileup_cnn import Network


@dataclass(kw_only=True)
class Model(NetworkModel):
    """Reads are seen one by one and pooled by what they speak for, so their order is nothing.

    Untrained it gives the probabilities of the prior: the network learns where these are wrong.
    """

    width: int = 32
    """Channels."""
    dropout: Share = 0.2
    """Share of the channels that is hidden in training."""
    clamp: float = 6.0
    """The prior's logarithms are cut off here, so that the network can overrule it."""
    epochs: int = 5
    patience: int = 2
    batch_size: int = 128
    learning_rate: float = 1e-3

    takes = ("images",)
    answered_at_once = 512

    def build(self, n_features: int) -> Network:
        """The untrained network."""
        from bioloom.models._networks.pileup_cnn import Network

        return Network(n_features, self.n_outputs, self.width, self.dropout, self.clamp)

    def batch(self, X: Shaped, rows: np.ndarray, device: torch.device) -> tuple[Any, ...]:
        """The images' rows with the site of each, the table and the prior."""
        import torch

        chosen = cast(Images, X)[rows]
        site = np.repeat(np.arange(len(chosen)), np.diff(chosen.offsets))
        arrays = chosen.rows, site, chosen.offsets[:-1].copy(), chosen.table, chosen.prior
        return tuple(torch.from_numpy(array).to(device) for array in arrays)
