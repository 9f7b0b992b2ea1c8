"""A trained model with everything that was fitted beside it, and its folder `model/`.

Holds the preprocessing, the network, the calibration, the threshold, the conformal quantile and
the novelty limit and the marginals; each comes from training or validation rows alone. The folder
holds safetensors, skops and `model.yaml`, never a pickle, and no row of the training data unless
the model itself is made of rows (a support vector machine). SHA256SUMS has the digests of all of
them: a folder that was altered does not load.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from bioloom.arrays import Shaped, end_to_end
from bioloom.errors import DataError
from bioloom.files import check_sums, replacing_folder, write_sums
from bioloom.fitted.marginals import Marginals
from bioloom.fitted.novelty import Novelty
from bioloom.fitted.preprocess import Preprocess
from bioloom.kinds import Calibration, Kind, get_kind
from bioloom.kinds._calibration import COVERAGE
from bioloom.models import get_model

ALTERED = "a model altered after training is not used: remove its folder, and it will be made again"


@dataclass
class Fitted:
    """A model ready to predict: `settings` is what model.yaml says beyond the fields here."""

    kind: Kind
    model_name: str
    parameters: dict[str, Any]
    model: Any
    preprocess: Preprocess
    novelty: Novelty | None
    """Of a model for new data; those that only predict held-out rows have none."""
    outputs: list[str]
    """Names of classes, labels or targets, or ["label"]."""
    calibration: Calibration = field(default_factory=Calibration)
    settings: dict[str, Any] = field(default_factory=dict)
    marginals: Marginals | None = None
    """Of the models that are saved; those trained before there were any have none."""

    def scores(self, X: Shaped) -> np.ndarray:
        """Calibrated probabilities of classes or labels (A, C), or predicted values (A, targets).

        A counts answers: residues, sample after sample, where the kind is of residues.
        """
        return self.scores_of_prepared(self.preprocess.transform(X))

    def scores_of_prepared(self, prepared: Shaped) -> np.ndarray:
        """The same of features that `preprocess` has transformed."""
        return self.kind.scores(self.raw(prepared), self.calibration)

    def raw(self, prepared: Shaped) -> np.ndarray:
        """The model's answers before calibration, (A, outputs)."""
        return raw_answers(self.kind, self.model, prepared)

    def outside(self, prepared: Shaped) -> np.ndarray:
        """Whether each sample is unlike the training data, (N,) bool."""
        if self.novelty is None:
            raise ValueError("only a model for new data knows what is unlike its training data")
        return self.novelty.outside(prepared)

    @property
    def distance_tells(self) -> bool:
        """Whether to be far from the training data is a reason to doubt an answer."""
        return self.novelty is not None and self.novelty.is_reason

    @property
    def sets_tell(self) -> np.ndarray:
        """Whether rows were enough for sets and intervals, which else hold everything; bool.

        (outputs,) of labels and targets, else (1,).
        """
        return np.array([np.isfinite(ends).all() for ends in self.calibration.quantile or [[0.0]]])

    def answer(self, scores: np.ndarray) -> pd.DataFrame:
        """The columns of predictions."""
        return self.kind.answer(scores, self.outputs, self.calibration)

    def at_prior(self, prior: float | None) -> Fitted:
        """The model for samples of which the share `prior` is positive; None: as in training.

        DataError where it does not predict two classes.
        """
        if prior is None:
            return self
        if self.kind.at_prior is None:
            raise DataError(f"`prior` is of two classes, the model predicts {self.kind.name}")
        rule = self.settings["threshold_rule"]
        return replace(self, calibration=self.kind.at_prior(self.calibration, prior, rule))

    def save(self, folder: Path) -> None:
        """Write the model folder: all of it or none, for jobs with new data may look meanwhile."""
        if self.novelty is None:
            raise ValueError("only a model for new data is saved")
        calibration = {
            name: np.asarray(value, float).tolist()
            for name, value in asdict(self.calibration).items()
            if value not in (None, [])
        }
        described = {
            "model": self.model_name,
            "kind": self.kind.name,
            "parameters": self.parameters,
            "outputs": self.outputs,
            **calibration,
            "coverage": COVERAGE,
            **self.settings,
        }
        with replacing_folder(folder) as made:
            self.model.save(made)
            self.model.export(made, self.outputs)
            self.preprocess.save(made)
            self.novelty.save(made)
            if self.marginals is not None:
                self.marginals.save(made)
            (made / "model.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
            write_sums(made)

    @classmethod
    def load(cls, folder: Path) -> Fitted:
        """Read a model folder; `settings["id"]` identifies its content.

        Raises DataError where a file is not what `save` wrote, and for a model of events that
        compete of an older version, whose curves are others.
        """
        digest = check_sums(folder, hint=ALTERED)
        described = yaml.safe_load((folder / "model.yaml").read_text())
        if "competing" in described:
            raise DataError(
                "The model was trained by an older version, which had no curves of its own for "
                "events that compete",
                file=folder / "model.yaml",
                hint="train it again",
            )
        known = {name: described.pop(name) for name in ("parameters", "outputs")}
        fitted = {f.name: described.pop(f.name) for f in fields(Calibration) if f.name in described}
        described.pop("coverage")
        name = described.pop("model")
        return cls(
            kind=get_kind(described.pop("kind")),
            model_name=name,
            model=get_model(name).load(folder),
            preprocess=Preprocess.load(folder),
            novelty=Novelty.load(folder),
            marginals=Marginals.load(folder),
            calibration=Calibration(**fitted),
            settings=described | {"id": digest[:12]},
            **known,
        )


def raw_answers(kind: Kind, model: Any, prepared: Shaped) -> np.ndarray:
    """A model's answers before calibration, (A, outputs); what it sees are `model_rows`."""
    rows = model_rows(kind, model, prepared)
    if kind.output != "values":
        return model.predict_proba(rows)
    return np.asarray(model.predict(rows)).reshape(len(prepared), -1)


def model_rows(kind: Kind, model: Any, values: Shaped) -> Shaped:
    """Features or labels as the model takes them.

    Where residues have classes, a model that does not answer per residue sees each as a row.
    """
    apart = kind.unit == "residue" and kind.unit not in model.answers
    return end_to_end(values) if apart else values
