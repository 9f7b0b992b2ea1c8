"""Several models on the same features, joined by how much each is worth beside the others.

Stacking (Wolpert 1992) with weights that are never negative: classes are the softmax of the
weighted sum of the members' log probabilities, labels the sigmoid of that of their log odds, values
the weighted sum of theirs. Weights are found on the valid rows, or on left-out answers to the
training rows, and drawn to equal ones where those are few; a member of weight 0 sleeps.
`members.csv` in the model folder says who earns what.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from bioloom.arrays import Links, Shaped
from bioloom.errors import DataError
from bioloom.kinds import Output
from bioloom.models import get_model, without_name
from bioloom.models._estimator import Altered, Estimator, Members, asked_of, target_matrix
from bioloom.progress import at

PRIOR_ROWS = 10
"""So many rows speak for equal weights."""
SMALLEST = 1e-6
"""A probability is taken for no less."""


@dataclass(kw_only=True)
class Model(Estimator):
    """The members of `of`, each `{name: <model>, <parameter>: ...}`, fitted on the same rows."""

    takes = ("vectors", "tokens", "links")

    of: Members = field(default_factory=list)
    """The members, each `{name: <model>, <parameter>: ...}`."""
    weighed_on: Literal["valid", "left_out"] = "valid"
    """`left_out`: the answers of members that are refitted without each of five folds."""
    class_weight: Literal["balanced"] | None = None
    """Of all members, which must have it, but for those that say another."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
        groups: np.ndarray | None = None,
        blocks: np.ndarray | None = None,
        columns: np.ndarray | None = None,
    ) -> Self:
        """Fit the members on the training rows; their weights there, too, or on the valid ones."""
        named = ("sample_weight", "groups", "blocks", "columns")
        given = dict(zip(named, (sample_weight, groups, blocks, columns), strict=True))
        X, X_valid = self.taken(X), self.taken(X_valid)
        left_out = self.weighed_on == "left_out"
        if left_out and (self.unit != "sample" or isinstance(X, Links)):
            raise DataError(
                "Model ensemble with `weighed_on: left_out` is for samples that stand alone",
                hint="set `weighed_on: valid`",
            )
        self.models, answers = [], []
        for model in self._built():
            with at(model.name):
                fitted = model.fit(X, y, X_valid, y_valid, **asked_of(model, given))
                if left_out:
                    answers.append(fitted.cross_fitted(X, y, **given))
            self.models.append(fitted)
        if left_out:
            targets = target_matrix(y, self.output, self.n_outputs)
            self.weights = joined_weights(np.stack(answers), targets, self.output, sample_weight)
        else:
            targets = target_matrix(y_valid, self.output, self.n_outputs)
            self.weights = joined_weights(self._answers(X_valid), targets, self.output)
        return self

    def refitted(self, X: Shaped, y: Shaped, **given: np.ndarray) -> Self:
        """The members refitted, with the weights that they have."""
        model, X = replace(self), self.taken(X)
        model.weights = self.weights
        model.models = [each.refitted(X, y, **asked_of(each, given)) for each in self.models]
        return model

    def outputs(self, X: Shaped) -> np.ndarray:
        """Probabilities or values, (N, n_outputs)."""
        return joined(self._answers(self.taken(X)), self.weights, self.output)

    def altered(self, X: Shaped) -> Altered:
        """What the members answer, joined."""
        X = self.taken(X)
        members = [model.altered(X) for model in self.models]

        def answers(columns: np.ndarray, others: np.ndarray) -> np.ndarray:
            given = np.stack([member(columns, others) for member in members])
            flat = given.reshape(len(given), -1, given.shape[-1])
            return joined(flat, self.weights, self.output).reshape(given.shape[1:])

        return answers

    def _answers(self, X: Shaped) -> np.ndarray:
        """What each member says, (M, N, n_outputs)."""
        return np.stack([model._outputs(X) for model in self.models])

    def _built(self) -> list[Any]:
        if len(self.of) < 2:
            raise DataError("Model ensemble needs two members or more", hint="list them under `of`")
        told: dict[str, Any] = {
            "output": self.output,
            "n_outputs": self.n_outputs,
            "unit": self.unit,
            "seed": self.seed,
        }
        if self.class_weight:
            told["class_weight"] = self.class_weight
        return [get_model(member["name"])(**{**told, **without_name(member)}) for member in self.of]

    def export(self, folder: Path, outputs: Sequence[str]) -> None:
        """Write members.csv: each member, its weight, and what is to be known of it."""
        remarks = [model.remark() for model in self.models]
        names = [member["name"] for member in self.of]
        table = pd.DataFrame({"member": names, "weight": self.weights, "remark": remarks})
        table.to_csv(folder / "members.csv", index=False, float_format="%.4f")

    def write_state(self, folder: Path) -> None:
        """Write weights.json and a folder a member."""
        (folder / "weights.json").write_text(json.dumps(self.weights.tolist()) + "\n")
        for number, model in enumerate(self.models):
            model.save(folder / f"member_{number}")

    def read_state(self, folder: Path) -> None:
        """Read them."""
        self.weights = np.array(json.loads((folder / "weights.json").read_text()))
        self.models = [
            get_model(member["name"]).load(folder / f"member_{number}")
            for number, member in enumerate(self.of)
        ]


def joined(answers: np.ndarray, weights: np.ndarray, output: Output) -> np.ndarray:
    """The answers of members (M, N, C) as one, (N, C)."""
    from scipy.special import expit, logit, softmax

    if output == "values":
        return np.tensordot(weights, answers, 1)
    likely = answers.clip(SMALLEST, 1 - SMALLEST)
    if output == "labels":
        return expit(np.tensordot(weights, logit(likely), 1))
    return softmax(np.tensordot(weights, np.log(likely), 1), axis=1)


def joined_weights(
    answers: np.ndarray,
    targets: np.ndarray,
    output: Output,
    sample_weight: np.ndarray | None = None,
) -> np.ndarray:
    """The weights (M,) of the least loss of `joined` answers (M, N, C) to `targets (N, C)`.

    Log loss of classes and labels, squared error of values in units of their variance; what is NaN
    is not known. Equal ones where there are no rows. `sample_weight (N,)` is how much each counts.
    """
    from scipy.optimize import minimize

    equal = np.full(len(answers), 1 / len(answers))
    known = ~np.isnan(targets)
    if not known.any():
        return equal
    variance = max(float(np.nanvar(targets)), 1e-12)
    share = np.ones(len(targets)) if sample_weight is None else sample_weight
    counts = np.broadcast_to(share[:, None], targets.shape)

    def loss(weights: np.ndarray) -> float:
        said = joined(answers, weights, output)
        if output == "values":
            error = (counts * (said - targets) ** 2)[known].sum() / variance
        else:
            error = -(counts * np.log(said.clip(SMALLEST)))[targets == 1].sum()
            if output == "labels":
                error -= (counts * np.log((1 - said).clip(SMALLEST)))[targets == 0].sum()
        return float(error + PRIOR_ROWS * ((weights - equal) ** 2).sum()) / len(targets)

    bounds = [(0, None)] * len(answers)
    return np.asarray(minimize(loss, equal, bounds=bounds, method="L-BFGS-B").x)
