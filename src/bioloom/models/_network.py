"""What all torch models are: the parameters of their training, and weights in and out.

The networks and the loop that trains them are in `_networks`: torch is imported when a model is
fitted or loaded, and not to ask for its parameters.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from bioloom.arrays import Shaped, end_to_end
from bioloom.devices import claim_devices, enough_memory, repeatable
from bioloom.models._estimator import Estimator, column_means, target_matrix

if TYPE_CHECKING:
    import torch

ANOTHER = "take another device: CUDA_VISIBLE_DEVICES='' is the CPU"


@dataclass(kw_only=True)
class NetworkModel(Estimator):
    """A model that trains the torch network which `build` gives."""

    epochs: int = 60
    """Times that all training rows are seen, at most."""
    patience: int = 10
    """Epochs without a better valid loss before training stops."""
    batch_size: int = 32
    """Rows of a step."""
    learning_rate: float = 1e-3
    """Of AdamW."""
    weight_decay: float = 1e-2
    """Of AdamW: how strongly weights are drawn to 0."""
    class_weight: Literal["balanced"] | None = None
    """`balanced`: a rare class counts as much as a frequent one."""

    answered_at_once = 1024

    @abstractmethod
    def build(self, n_features: int) -> torch.nn.Module:
        """An untrained network: `forward(x, mask)` gives logits or standardised values."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Train until the valid loss no longer falls; without valid rows to `stop` or the end."""
        from bioloom.models._networks._loop import train

        target = target_matrix(y, self.output, self.n_outputs)
        self.centre, self.spread = self._standard(target)
        target_valid = target_matrix(y_valid, self.output, self.n_outputs)
        X, X_valid = self.taken(X), self.taken(X_valid)
        self.n_features = end_to_end(X).shape[1]
        with (
            claim_devices(None) as [device],
            repeatable(self.seed, device),
            enough_memory("Training", f"lower `model: batch_size`, or {ANOTHER}"),
        ):
            self.network = self.build(self.n_features).to(device)
            scaled, scaled_valid = self._scaled(target), self._scaled(target_valid)
            self._epochs = train(self, X, scaled, sample_weight, X_valid, scaled_valid)
        return self

    @property
    def stopped(self) -> int:
        """The epochs after which the valid loss was lowest."""
        return self._epochs

    def outputs(self, X: Shaped) -> np.ndarray:
        """Softmax or sigmoid probabilities, or values in the unit of the label."""
        from bioloom.models._networks._loop import forward

        with claim_devices(None) as [device], enough_memory("The model", ANOTHER):
            self.network.to(device)
            return self._said(forward(self, self.taken(X)))

    def _said(self, raw: torch.Tensor) -> np.ndarray:
        """What the network gives (A, n_outputs), as probabilities or values."""
        raw = raw.double()
        if self.classes:
            return raw.softmax(dim=1).numpy()
        if self.labels:
            return raw.sigmoid().numpy()
        return raw.numpy() * self.spread + self.centre

    def state(self) -> dict[str, np.ndarray]:
        """Weights, the scale of the targets, and the width of X."""
        weights = {f"network.{k}": v.cpu().numpy() for k, v in self.network.state_dict().items()}
        width = np.array([self.n_features])
        return weights | {"centre": self.centre, "spread": self.spread, "n_features": width}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Build the network and take over its weights."""
        import torch

        self.centre, self.spread = arrays["centre"], arrays["spread"]
        self.n_features = int(arrays["n_features"][0])
        self.network = self.build(self.n_features)
        start = "network."
        weights = {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
        self.network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        self.network.eval()

    def batch(self, X: Shaped, rows: np.ndarray, device: torch.device) -> tuple[Any, ...]:
        """What the network takes of some rows."""
        from bioloom.models._networks._loop import take

        return take(X, rows, device)

    def _standard(self, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of each value over its measured rows; 0 and 1 for probabilities."""
        if self.output != "values":
            return np.zeros(self.n_outputs), np.ones(self.n_outputs)
        centre = column_means(target, empty=0.0)
        spread = np.sqrt(column_means((target - centre) ** 2, empty=1.0))
        return centre, np.where(spread > 0, spread, 1.0)

    def _scaled(self, target: np.ndarray) -> np.ndarray:
        return ((target - self.centre) / self.spread).astype(np.float32)
