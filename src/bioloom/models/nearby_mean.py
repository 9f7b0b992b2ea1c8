"""The mean effect of the training variants nearby: a floor for models of variants."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

import numpy as np

from bioloom.arrays import Shaped, Table
from bioloom.models._estimator import Estimator
from bioloom.models._variants import Variants


@dataclass(kw_only=True)
class Model(Estimator):
    """The mean within `reach` bases in the same element; that of the element, or of all."""

    takes = ("table",)
    gives = ("values",)
    scaled = False
    constants = True

    reach: int = 3
    """Bases on either side, the variant's own place among them."""

    def fit(self, X: Shaped, y: Shaped, X_valid: Shaped, y_valid: Shaped) -> Self:
        """Keep place and value of the training rows; valid rows are not used."""
        known = Variants.read(cast(Table, self.taken(X)), self.name)
        self.names, self.element = np.unique(known.element.astype(str), return_inverse=True)
        self.position, self.y = known.position, np.asarray(y, float).reshape(len(known), -1)
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """Values, (N, n_outputs)."""
        new = Variants.read(cast(Table, self.taken(X)), self.name)
        answers = np.tile(self.y.mean(axis=0), (len(new), 1))
        for code, name in enumerate(self.names):
            own, rows = self.element == code, np.flatnonzero(new.element == name)
            apart = np.abs(new.position[rows, None] - self.position[own])
            near = (apart <= self.reach).astype(float)
            near[near.sum(axis=1) == 0] = 1
            answers[rows] = near @ self.y[own] / near.sum(axis=1, keepdims=True)
        return answers

    def state(self) -> dict[str, np.ndarray]:
        """Element, position and value of the training rows."""
        return {"element": self.element, "position": self.position, "y": self.y}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over a state."""
        vars(self).update(arrays)

    def write_state(self, folder: Path) -> None:
        """Write model.safetensors, and the elements by name (elements.json)."""
        super().write_state(folder)
        (folder / "elements.json").write_text(json.dumps(self.names.tolist()) + "\n")

    def read_state(self, folder: Path) -> None:
        """Read both."""
        super().read_state(folder)
        self.names = np.array(json.loads((folder / "elements.json").read_text()), dtype=str)
