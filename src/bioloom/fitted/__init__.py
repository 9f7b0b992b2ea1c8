"""A trained model with everything that was fitted beside it, and its folder `model/`.

Holds the preprocessing, the network, the calibration, the threshold, the conformal quantile and
the novelty limit; each comes from training or validation rows alone. The folder
holds safetensors, skops and `model.yaml`, never a pickle, and no row of the training data unless
the model itself is made of rows (a support vector machine).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bioloom.arrays import Links, Ragged
from bioloom.files import sha256
from bioloom.fitted.novelty import Novelty
from bioloom.fitted.preprocess import Preprocess
from bioloom.kinds import CLASSIFICATION, Kind
from bioloom.models import get_model

COVERAGE = 0.9
"""Share of new samples whose prediction set or interval should hold the truth."""


@dataclass
class Fitted:
    """A model ready to predict: `settings` is what model.yaml says beyond the fields here."""

    kind: Kind
    model_name: str
    parameters: dict[str, Any]
    model: Any
    preprocess: Preprocess
    novelty: Novelty
    outputs: list[str]
    """Class names, or target names of a multiregression, or ["label"]."""
    temperature: float = 1.0
    threshold: float | None = None
    """Probability of the positive class from which it is called, or value above which is high."""
    quantile: list[float] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def scores(self, X: np.ndarray | Ragged | Links) -> np.ndarray:
        """Calibrated class probabilities (N, C), or predicted values (N, targets).

        N counts residues, sample after sample, where the kind is "per_residue".
        """
        return self.scores_of_prepared(self.preprocess.transform(X))

    def scores_of_prepared(self, prepared: np.ndarray | Ragged | Links) -> np.ndarray:
        """The same of features that `preprocess` has transformed."""
        rows = model_rows(self.kind, self.model, prepared)
        if self.kind in CLASSIFICATION:
            return soften(self.model.predict_proba(rows), self.temperature)
        return np.asarray(self.model.predict(rows)).reshape(len(prepared), -1)

    def decide(self, scores: np.ndarray) -> np.ndarray:
        """The predicted class names (N,)."""
        return np.array(self.outputs)[self.decide_codes(scores)]

    def decide_codes(self, scores: np.ndarray) -> np.ndarray:
        """The predicted classes as columns of the scores (N,).

        Binary ones are decided by the threshold chosen on valid.
        """
        if self.kind == "binary":
            return (scores[:, 1] >= self.threshold).astype(int)
        return scores.argmax(axis=1)

    def save(self, folder: Path) -> None:
        """Write the model folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.save(folder)
        self.preprocess.save(folder)
        self.novelty.save(folder)
        described = {
            "model": self.model_name,
            "kind": self.kind,
            "parameters": self.parameters,
            "outputs": self.outputs,
            "temperature": float(self.temperature),
            "threshold": None if self.threshold is None else float(self.threshold),
            "quantile": [float(value) for value in self.quantile],
            "coverage": COVERAGE,
            **self.settings,
        }
        (folder / "model.yaml").write_text(yaml.safe_dump(described, sort_keys=False))

    @classmethod
    def load(cls, folder: Path) -> Fitted:
        """Read a model folder; `settings["id"]` identifies its content."""
        described = yaml.safe_load((folder / "model.yaml").read_text())
        known = {name: described.pop(name) for name in _DESCRIBED}
        described.pop("coverage")
        name = described.pop("model")
        return cls(
            model_name=name,
            model=get_model(name).load(folder),
            preprocess=Preprocess.load(folder),
            novelty=Novelty.load(folder),
            settings=described | {"id": sha256(folder)[:12]},
            **known,
        )


_DESCRIBED = ("kind", "parameters", "outputs", "temperature", "threshold", "quantile")


def model_rows(
    kind: Kind, model: Any, values: np.ndarray | Ragged | Links
) -> np.ndarray | Ragged | Links:
    """Features or labels as the model takes them.

    Where residues have classes, a model that does not answer per residue sees each as a row.
    """
    if kind == "per_residue" and isinstance(values, Ragged) and not model.per_residue:
        return values.values
    return values


def soften(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Class probabilities at a temperature: p^(1/T), normalised (Guo et al. 2017)."""
    logits = np.log(np.clip(np.asarray(probabilities, dtype=float), 1e-12, 1)) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)
