"""What to train: one recipe for the task's model, one for each baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bioloom.arrays import Shaped, Table, end_to_end, token_lengths
from bioloom.features import Features, features_file, precisions
from bioloom.fitted.preprocess import Preprocess
from bioloom.kinds import Kind, Labels
from bioloom.models import check_parameters, get_model, unit_of
from bioloom.models._estimator import Estimator, asked_of


@dataclass(frozen=True)
class Recipe:
    """One model to train: which features, which model with which parameters, how prepared."""

    features: Features
    model: str
    parameters: dict[str, Any]
    preprocess: dict[str, Any]
    search: dict[str, list[Any]]

    def blocks(self, preprocess: Preprocess) -> np.ndarray | None:
        """The part of the features that each column is of, (D,); None where there is one part."""
        if len(precisions(self.features.embedder)) == 1:
            return None
        parts = [str(name).split(".", 1)[0] for name in self.features.names]
        return np.unique(parts, return_inverse=True)[1][preprocess.support]


def make_recipes(
    features: dict[str, Features], options: dict[str, Any], kind: Kind
) -> dict[str, Recipe]:
    """The task's recipe and those of its baselines; what a baseline leaves out is the task's."""
    baselines = options.get("baselines", {})
    chosen = {"model": {}, "naive": {"model": {"name": kind.floor}}} | baselines
    recipes = {}
    for name, changes in chosen.items():
        model = dict(changes.get("model", options["model"]))
        model_name = model.pop("name")
        recipes[name] = Recipe(
            features=features[features_file(changes, baselines)],
            model=model_name,
            search=model.pop("search", {}),
            parameters=model,
            preprocess={"scale": get_model(model_name).scaled}
            | changes.get("preprocess", options.get("preprocess", {})),
        )
    return recipes


def member_of(whole: Recipe, recipe: Recipe, kind: Kind) -> int | None:
    """Which member of an ensemble is this recipe's model, fitted on the same; None where none is.

    To a model that takes a table as it is, an ensemble gives another: dissolved; and its members
    answer a sample, also those that by themselves would answer each of its residues.
    """
    same = (
        whole.features is recipe.features
        and whole.preprocess == recipe.preprocess
        and unit_of(whole.model, kind) == unit_of(recipe.model, kind)
    )
    told = {"name": recipe.model} | recipe.parameters
    if not same or whole.search or recipe.search or "table" in get_model(recipe.model).takes:
        return None
    given = {key: value for key, value in whole.parameters.items() if key == "class_weight"}
    members = [given | member for member in whole.parameters.get("of", [])]
    return members.index(told) if told in members else None


def prepare(recipe: Recipe, kind: Kind, X: Shaped, y: Shaped) -> Preprocess:
    """The preprocessing fitted on these training rows."""
    labels = end_to_end(y)
    by = labels if kind.as_number is None else kind.as_number(labels)
    model = get_model(recipe.model)
    takes = model.takes
    if isinstance(X, Table) and max(map(len, X.categories), default=0) > model.most_categories:
        takes = tuple(shape for shape in takes if shape != "table")
    return Preprocess.fit(X, by, recipe.preprocess, takes, constants=model.constants)


def beside(
    recipe: Recipe,
    model: Estimator,
    preprocess: Preprocess,
    labels: Labels,
    rows: np.ndarray,
    units: np.ndarray,
) -> dict[str, np.ndarray]:
    """What of these training rows the model asks for by the names of its `fit`'s arguments.

    `units (N,)`: those of which none is on two sides of a split. A residue is in that of its chain.
    """
    lengths = token_lengths(labels.taught[rows])
    if lengths is not None and labels.kind.unit not in model.answers:
        units = np.repeat(units, lengths)
    given = {"groups": units, "blocks": recipe.blocks(preprocess)}
    given["columns"] = np.array(recipe.features.names, dtype=str)[preprocess.support]
    if labels.weight is not None:
        weight = labels.weight[rows]
        given["sample_weight"] = weight / weight.mean()
    return asked_of(model, given)


def build_model(name: str, labels: Labels, seed: int, parameters: dict[str, Any]) -> Any:
    """The untrained model, told what it is to answer; DataError where it cannot."""
    check_parameters(name, parameters)
    kind, size, model = labels.kind, len(labels.outputs), get_model(name)
    known: dict[str, Any] = {"unit": unit_of(name, kind), "output": kind.output}
    if kind.output == "survival":
        known["times"] = [float(time) for time in labels.outputs]
    return model(n_outputs=size, seed=seed, **known, **parameters)
