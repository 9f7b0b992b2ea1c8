"""Bidirectional LSTM over per-token features, behind a strided convolution; a row is a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bioloom.errors import DataError
from bioloom.models._estimator import Share
from bioloom.models._network import NetworkModel

if TYPE_CHECKING:
    from bioloom.models._networks.lstm import Network


@dataclass(kw_only=True)
class Model(NetworkModel):
    """A small recurrent network for sequences in which order and distance of motifs count."""

    filters: int = 64
    """Filters before the LSTM."""
    kernel: int = 7
    """Tokens that one filter sees."""
    stride: int = 3
    """Tokens from one step of the LSTM to the next."""
    hidden: int = 64
    """Width of the LSTM in each direction."""
    dropout: Share = 0.2
    """Share of the units that is hidden in training."""
    epochs: int = 20
    patience: int = 4
    batch_size: int = 128
    learning_rate: float = 3e-3

    takes = ("vectors", "tokens")

    def __post_init__(self) -> None:
        if self.stride > self.kernel:
            raise DataError(
                f"Model lstm: stride {self.stride} skips tokens that kernel {self.kernel} misses"
            )

    def build(self, n_features: int) -> Network:
        """The untrained network."""
        from bioloom.models._networks.lstm import Network

        return Network(
            n_features,
            self.n_outputs,
            self.filters,
            self.kernel,
            self.stride,
            self.hidden,
            self.dropout,
        )
