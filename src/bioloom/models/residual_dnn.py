"""A linear model and small networks on top of it that start at zero and may stay there.

The networks learn what the `linear` model leaves: their answer is added to its decisions, and
their last layers begin as zeros. Each of a committee is trained without one fold of the training
rows, on decisions of linear models that have not seen a row's fold. All stop where the committee's
answers to the folds that it has not seen are best; where these gain no more on the linear model's
than their standard error, it sleeps, and the answers are those of the linear model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd

from bioloom.arrays import Shaped, vectors
from bioloom.devices import repeatable
from bioloom.models._estimator import Altered, Estimator, Share, column_means, target_matrix
from bioloom.models._folds import held_out_together
from bioloom.models.linear import Model as Linear

if TYPE_CHECKING:
    from bioloom.models._networks.residual_dnn import Committee

MANY_ROWS = 2_000
"""Of more rows each fold has half as many networks."""
MOST_AXES = 256
"""Of the rows, that the networks see."""
ROWS = 4_096
"""That are answered at once."""


@dataclass(kw_only=True)
class Model(Estimator):
    """The linear model's decisions, and the mean correction of the networks."""

    width: int = 64
    """Units of each of the two hidden layers."""
    networks: int = 4
    """Of each fold; half as many where rows are many."""
    dropout: Share = 0.2
    """Share of the units that is hidden in training."""
    epochs: int = 150
    """Passes over the rows, at most."""
    patience: int = 30
    """Passes without better left-out answers before training stops."""
    learning_rate: float = 1e-2
    """Of AdamW."""
    weight_decay: float = 1e-2
    """Of AdamW: how strongly weights are drawn to 0."""
    class_weight: Literal["balanced"] | None = None
    """`balanced`: a rare class counts as much as a frequent one."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> Self:
        """Learn from the training rows; valid rows are not used.

        `groups (N,)` are held out together.
        """
        from bioloom.models._networks.residual_dnn import train

        X, y = vectors(X), np.asarray(y)
        told: dict[str, Any] = {"output": self.output, "n_outputs": self.n_outputs}
        self.linear = Linear(seed=self.seed, class_weight=self.class_weight, **told)
        self.linear.fit(X, y, X_valid, y_valid, sample_weight, groups)
        self.turn = _turn(X)
        targets = target_matrix(y, self.output, self.n_outputs)
        self.spread = np.ones(self.n_outputs)
        if self.output == "values":
            left = column_means((targets - self.linear.decisions) ** 2, empty=1.0)
            self.spread = np.where(left > 0, np.sqrt(left), 1.0)
        folds = np.unique(self.linear.folds)
        each = self.networks if len(X) <= MANY_ROWS else max(1, self.networks // 2)
        weight = self._weight(targets, sample_weight)
        with repeatable(self.seed, "cpu"):
            self.committee = self._built(self.turn.shape[1], each * len(folds))
            correction = train(
                self,
                X @ self.turn,
                targets,
                np.tile(folds, each),
                weight,
                held_out_together(len(X), groups),
            )
        self.awake = correction is not None
        self.decisions = self.linear.decisions + (0 if correction is None else correction)
        return self

    def _built(self, n_features: int, networks: int) -> Committee:
        from bioloom.models._networks.residual_dnn import Committee

        return Committee(networks, n_features, self.n_outputs, self.width, self.dropout)

    def _weight(self, targets: np.ndarray, sample_weight: np.ndarray | None) -> np.ndarray:
        """How much each label counts, (N, n_outputs)."""
        known = ~np.isnan(targets)
        weight = known * (1.0 if sample_weight is None else sample_weight[:, None])
        if not self.class_weight or self.output == "values":
            return weight
        having, without = (np.where(known, part, 0).sum(axis=0) for part in (targets, 1 - targets))
        if self.classes:
            return weight * len(targets) / (np.maximum(having, 1) * (having > 0).sum())
        sizes = np.where(targets == 1, having, without)
        return weight * known.sum(axis=0) / (2 * np.maximum(sizes, 1))

    def remark(self) -> str:
        """Whether the networks add anything."""
        return "networks awake" if self.awake else "networks asleep"

    def cross_fitted(self, X: Shaped, y: Shaped, **given: np.ndarray) -> np.ndarray:
        """Those of the folds by which it was fitted."""
        return self.linear.said(self.decisions)

    def outputs(self, X: Shaped) -> np.ndarray:
        """Probabilities or values, (N, n_outputs)."""
        X = vectors(X)
        return self.linear.said(self.linear.decided(X) + self._corrected(X))

    def _corrected(self, X: np.ndarray) -> np.ndarray:
        """What the networks add to decisions, (N, n_outputs)."""
        import torch

        if not self.awake:
            return np.zeros((len(X), self.n_outputs))
        rows = torch.from_numpy(X @ self.turn).float()
        with torch.inference_mode():
            means = [self.committee(some).double().mean(dim=0) for some in rows.split(ROWS)]
        return torch.cat(means).numpy() * self.spread

    def altered(self, X: Shaped) -> Altered:
        """Other cells of a column change the decisions, and the first layers, by a term."""
        import torch

        if not self.awake:
            return self.linear.altered(X)
        X = vectors(X)
        decided, turn = self.linear.decided(X), self.turn.astype(np.float32)
        starts = range(0, len(X), ROWS)
        with torch.inference_mode():
            hidden = self.committee.first(torch.from_numpy(X @ turn))

        def answers(columns: np.ndarray, others: np.ndarray) -> np.ndarray:
            change = others - X[:, columns]
            decisions = decided + change @ self.linear.weights[columns]
            with torch.inference_mode():
                moved = torch.from_numpy(turn[columns]) @ self.committee.weights[0]
                for place, one in enumerate(torch.from_numpy(change)):
                    for start in starts:
                        some = slice(start, start + ROWS)
                        said = self.committee.later(hidden[:, some] + one[some] @ moved)
                        decisions[place, some] += said.double().mean(dim=0).numpy() * self.spread
            return self.linear.said(decisions)

        return answers

    def export(self, folder: Path, outputs: Sequence[str]) -> None:
        """Write members.csv: the linear model, and whether the networks add to it."""
        table = {"member": ["linear", "networks"], "weight": [1.0, float(self.awake)]}
        pd.DataFrame(table).to_csv(folder / "members.csv", index=False)

    def state(self) -> dict[str, np.ndarray]:
        """The linear model, and the networks where they are awake."""
        linear = {f"linear.{name}": value for name, value in self.linear.state().items()}
        if not self.awake:
            return linear
        weights = {f"network.{k}": v.numpy() for k, v in self.committee.state_dict().items()}
        return linear | weights | {"turn": self.turn, "spread": self.spread}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take them over."""
        import torch

        parts: dict[str, dict[str, np.ndarray]] = {"linear": {}, "network": {}}
        for name, value in arrays.items():
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = value
        told: dict[str, Any] = {"output": self.output, "n_outputs": self.n_outputs}
        self.linear = Linear(seed=self.seed, **told)
        self.linear.restore(parts["linear"])
        self.awake = bool(parts["network"])
        if not self.awake:
            return
        self.turn, self.spread = arrays["turn"], arrays["spread"]
        weights = {name: torch.from_numpy(value) for name, value in parts["network"].items()}
        self.committee = self._built(len(self.turn.T), len(weights["weights.0"]))
        self.committee.load_state_dict(weights)
        self.committee.eval()


def _turn(X: np.ndarray) -> np.ndarray:
    """The axes along which the rows (N, D) spread most, (D, dimensions), at most `MOST_AXES`.

    On them the mean square of a number is 1.
    """
    from scipy.linalg import eigh

    X = X.astype(np.float64)
    wide = X.shape[1] > len(X)
    products = X @ X.T if wide else X.T @ X
    last = len(products) - 1
    most = (last + 1 - MOST_AXES, last) if last >= MOST_AXES else None
    values, axes = eigh(products, subset_by_index=most)
    kept = values > max(1e-8 * values.max(initial=0), 1e-12)
    axes = axes[:, kept]
    if wide:
        axes = X.T @ axes / np.sqrt(values[kept])
    return axes * np.sqrt(kept.sum() * len(X) / max(values[kept].sum(), 1e-12))
