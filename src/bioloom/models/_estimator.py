"""What every model is: parameters as dataclass fields, fit, predict, and two plain files.

X is (N, D) float32 without NaN, Ragged, Links, or a Table, which alone has categories and gaps. y
is class codes (N,) int64, values (N,) or (N, T), or labels (N, T) 0 and 1, both with NaN where one
is not known, or entry, time and event (N, 3), with a competing event beside it (N, 4). A model that
answers a residue, or a pair of residues, takes Ragged class codes and answers them end to end, (A,
classes). A fitted model is its parameters (parameters.json) and its state (model.safetensors);
nothing is pickled.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, cast

import numpy as np

from bioloom.arrays import Links, Shaped, cells, end_to_end, shape_of, token_lengths, vectors
from bioloom.errors import DataError
from bioloom.kinds import Output, Unit
from bioloom.models._folds import folds_of, learning_parts, part_of

SHAPES = {
    "tokens": "set `features: {pooling: tokens}`",
    "images": "set `features: {embedder: table, prior: likelihood}`, for alleles of aligned reads",
    "table": "set `features: {embedder: table}`; an `ensemble` gives its members vectors",
    "links": "it is for samples that are pairs of nodes; for a table take dnn",
}
"""Where a shape comes from, for a model that takes no other."""

Share = Annotated[float, "share"]
"""The type of a parameter that lies between 0 and 1."""

Edges = Annotated[list[list[str]], "edges"]
"""The type of a parameter that lists edges of a network: `[[from, to], ...]`."""

Members = Annotated[list[dict[str, Any]], "members"]
"""The type of a parameter that lists models: `[{name: <model>, <parameter>: ...}, ...]`."""

Altered = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Columns (P,) and R times other cells for them, (R, N, P), to R answers, (R, A, n_outputs)."""

MOST_COPIES = 8
COPIED_CELLS = 4_000_000
"""Of all copies of the rows that are answered at once."""


@dataclass(kw_only=True)
class Estimator(ABC):
    """The model contract: a model module's `Model` adds its parameters, `fit` and `outputs`."""

    output: Output
    n_outputs: int
    """Classes (two or more), labels, targets, or 1."""
    seed: int
    unit: Unit = "sample"
    times: list[float] = field(default_factory=list)
    """When, of a time to an event: `outputs` are the shares without it at these."""

    takes: ClassVar[tuple[str, ...]] = ("vectors",)
    """The shapes of X that it understands, of `arrays.shape_of`; others come as one vector each."""
    most_categories: ClassVar[float] = math.inf
    """Of a column of a table that it takes as it is; with more it comes as vectors."""
    gives: ClassVar[tuple[Output, ...]] = ("classes", "labels", "values")
    """What it can answer with."""
    scaled: ClassVar[bool] = True
    """Whether its numbers are standardised first, where a task does not say."""
    constants: ClassVar[bool] = False
    """Whether it also reads columns of which all training rows have one value, and who has another.
    """
    answers: ClassVar[tuple[Unit, ...]] = ("sample",)
    """What it can answer for; a model of samples sees residues as rows (`fitted`)."""
    tells: ClassVar[bool] = False
    """Whether it can say more of single rows than its answer: `tell`."""
    stop: ClassVar[Any] = None
    """Where a `refitted` model stops without valid rows; a model that uses these reads it in `fit`.
    """

    @property
    def name(self) -> str:
        """The name of the model in a task: its module's."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def fit(self, X: Shaped, y: Shaped, X_valid: Shaped, y_valid: Shaped) -> Self:
        """Learn from the training rows; valid rows may only say when to stop.

        A model whose signature goes on with one of these, each None where there is none, is given
        `sample_weight (N,)`, the weights of the training rows with mean 1; `groups (N,)`, of which
        none is on two sides of a split; `columns (D,)`, the names of the features, of links those
        of the nodes; `blocks (D,)`, the part of a `features` list that each column is of.
        """

    @property
    def stopped(self) -> Any:
        """Where valid rows stopped the fit; None of a model that does not use them."""
        return None

    def refitted(self, X: Shaped, y: Shaped, **given: np.ndarray) -> Self:
        """A new model with these parameters, trained on all of the rows, none of which is valid.

        It stops where this one did; `given` is what its `fit` asks for beside.
        """
        model, none = replace(self), np.arange(0)
        vars(model)["stop"] = self.stopped
        return model.fit(X, y, X[none], y[none], **given)

    def cross_fitted(self, X: Shaped, y: Shaped, **given: np.ndarray) -> np.ndarray:
        """Answers to the rows it was fitted on, each without its group: (N, n_outputs).

        `given` is what was known beside them. By refits without each of five folds; a model that
        need not refit says so here. It is for models of samples.
        """
        answers = np.zeros((len(X), self.n_outputs))
        for learnt, asked in learning_parts(
            folds_of(np.asarray(y), given.get("groups"), self.seed)
        ):
            known = asked_of(self, part_of(given, learnt))
            answers[asked] = self.refitted(X[learnt], y[learnt], **known)._outputs(X[asked])
        return answers

    def remark(self) -> str:
        """What is to be known of it beside its weight in an ensemble; of most nothing."""
        return ""

    @abstractmethod
    def outputs(self, X: Shaped) -> np.ndarray:
        """Probabilities of classes or labels, not yet calibrated, or values: (N, n_outputs)."""

    @property
    def classes(self) -> bool:
        """Whether it answers with the probabilities of classes, of which a sample has one."""
        return self.output == "classes"

    @property
    def labels(self) -> bool:
        """Whether it answers with the probabilities of labels, each by itself."""
        return self.output == "labels"

    def taken(self, X: Shaped) -> Shaped:
        """X in a shape that the model takes; DataError where it cannot be had."""
        if shape_of(X) in self.takes:
            return X
        if "vectors" in self.takes:
            return vectors(X)
        raise DataError(
            f"Model {self.name} takes {' or '.join(self.takes)}, the features are {shape_of(X)}",
            hint=SHAPES[self.takes[0]],
        )

    def why(self, X: Shaped) -> list[str] | None:
        """What each answer comes from, in words, where the model can tell."""
        return None

    def predict_proba(self, X: Shaped) -> np.ndarray:
        """Probabilities before calibration, (N, n_outputs) float64."""
        return self._outputs(X)

    def predict(self, X: Shaped) -> np.ndarray:
        """Values, float64: (N,) where there is one, (N, n_outputs) where there are targets."""
        values = self._outputs(X)
        return values[:, 0] if self.n_outputs == 1 else values

    def _outputs(self, X: Shaped) -> np.ndarray:
        # scikit-learn refuses a table of no rows; no samples have no answers.
        if len(X) == 0:
            return np.zeros((0, self.n_outputs))
        return np.asarray(self.outputs(X), dtype=np.float64)

    def altered(self, X: Shaped) -> Altered:
        """What it answers to X where some columns have other cells (of tokens, end to end).

        X is written to meanwhile. Few rows are answered several times at once; a model that need
        not go through all of X anew says so here.
        """
        copies = 1
        if isinstance(X, np.ndarray):
            copies = min(MOST_COPIES, max(1, COPIED_CELLS // max(X.size, 1)))
            X = np.tile(X, (copies, 1))
        values = cells(X) if token_lengths(X) is None else end_to_end(X)
        size = len(values) // copies

        def answers(columns: np.ndarray, others: np.ndarray) -> np.ndarray:
            own, given = values[:, columns].copy(), []
            for start in range(0, len(others), copies):
                some = others[start : start + copies]
                rows = values[: len(some) * size]
                rows[:, columns] = some.reshape(len(rows), -1)
                said = self._outputs(X if copies == 1 else rows)
                given.append(said.reshape(len(some), -1, said.shape[1]))
            values[:, columns] = own
            return np.concatenate(given)

        return answers

    def doubts(self, X: Shaped) -> np.ndarray:
        """Why not to rely on the answer to a row, by the names of columns: (N,) texts, or ""."""
        return np.full(len(X), "", dtype=object)

    def refusals(self, X: Shaped) -> np.ndarray:
        """Why a row can have no answer at all, (N,) texts, or "" where it has one.

        `outputs` of such a row are those of one of which nothing is known; predictions leave it
        empty.
        """
        return np.full(len(X), "", dtype=object)

    def tell(self, X: Shaped, outputs: Sequence[str]) -> dict[str, dict[str, np.ndarray]]:
        """What else it says of rows: tables by name, each of columns of which `row` is a row of X.

        `outputs` are the names of its classes, labels or targets.
        """
        raise NotImplementedError

    def export(self, folder: Path, outputs: Sequence[str]) -> None:  # noqa: B027
        """Write into the model's folder what other programs read of it; most have nothing."""

    def save(self, folder: Path) -> None:
        """Write parameters.json and the fitted state into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "parameters.json").write_text(json.dumps(asdict(self), indent=1) + "\n")
        self.write_state(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        model = cls(**json.loads((folder / "parameters.json").read_text()))
        model.read_state(folder)
        return model

    def write_state(self, folder: Path) -> None:
        """Write what `fit` learnt: model.safetensors, unless the model has another format."""
        from safetensors.numpy import save_file

        arrays = {name: np.ascontiguousarray(value) for name, value in self.state().items()}
        save_file(arrays, folder / "model.safetensors")

    def read_state(self, folder: Path) -> None:
        """Read what `write_state` wrote."""
        from safetensors.numpy import load_file

        self.restore(load_file(folder / "model.safetensors"))

    def state(self) -> dict[str, np.ndarray]:
        """What `fit` learnt, as named arrays."""
        raise NotImplementedError

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over a state."""
        raise NotImplementedError


def asked_of(model: Any, given: Mapping[str, np.ndarray | None]) -> dict[str, np.ndarray]:
    """Of what is known beside X and y, what a model's `fit` asks for by name."""
    asked = signature(model.fit).parameters
    return {name: value for name, value in given.items() if name in asked and value is not None}


def links_of_two_classes(model: Estimator, X: Shaped) -> Links:
    """X for a model that says whether two nodes are linked; DataError where that makes no sense."""
    if not model.classes or model.n_outputs != 2:
        raise DataError(f"Model {model.name} predicts whether two nodes are linked: two classes")
    return cast(Links, model.taken(X))


def target_matrix(y: Shaped, output: Output, n_outputs: int) -> np.ndarray:
    """Labels as (A, n_outputs) float64: one-hot classes, else as they are, NaN where not known."""
    if output == "classes":
        return np.eye(n_outputs)[end_to_end(y)]
    return np.asarray(y, dtype=np.float64).reshape(len(y), n_outputs)


def column_means(
    targets: np.ndarray, empty: np.ndarray | float, weight: np.ndarray | None = None
) -> np.ndarray:
    """Means of the measured values of each column, (T,); `empty` where a column has none.

    `weight (N,)`, or (N, 1) or (N, T): how much each row counts.
    """
    measured = ~np.isnan(targets)
    counted = 1.0 if weight is None else weight.reshape(len(targets), -1)
    weights = np.where(measured, counted, 0.0)
    counts = weights.sum(axis=0)
    totals = (weights * np.where(measured, targets, 0.0)).sum(axis=0)
    return np.where(counts > 0, totals / np.where(counts > 0, counts, 1), empty)
