"""What to train: one recipe for the task's model, one for each baseline."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

from bioloom.errors import DataError
from bioloom.features import Features
from bioloom.kinds import Kind
from bioloom.kinds.labels import Labels
from bioloom.models import check_parameters, get_model


@dataclass(frozen=True)
class Recipe:
    """One model to train: which features, which model with which parameters, how prepared."""

    features: Features
    model: str
    parameters: dict[str, Any]
    preprocess: dict[str, Any]
    search: dict[str, list[Any]]


def make_recipes(
    features: dict[str, Features], options: dict[str, Any], kind: Kind
) -> dict[str, Recipe]:
    """The task's recipe and those of its baselines; what a baseline leaves out is the task's."""
    floor = {"model": {"name": "separation" if kind == "per_pair" else "naive"}}
    chosen = {"model": {}, "naive": floor} | options.get("baselines", {})
    recipes = {}
    for name, changes in chosen.items():
        model = dict(changes.get("model", options["model"]))
        recipes[name] = Recipe(
            features=features.get(f"features.{name}", features["features"]),
            model=model.pop("name"),
            search=model.pop("search", {}),
            parameters=model,
            preprocess=changes.get("preprocess", options.get("preprocess", {})),
        )
    return recipes


def weighting(model: Any, labels: Labels, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The `sample_weight` of these rows, mean 1, for a model that takes weights; else nothing."""
    if labels.weight is None or "sample_weight" not in inspect.signature(model.fit).parameters:
        return {}
    weight = labels.weight[rows]
    return {"sample_weight": weight / weight.mean()}


def build_model(name: str, labels: Labels, seed: int, parameters: dict[str, Any]) -> Any:
    """The untrained model of this name for these labels; a parameter it lacks is refused."""
    check_parameters(name, parameters)
    model = get_model(name)
    if labels.kind == "per_pair" and not model.per_pair:
        raise DataError(f"Model {name} does not predict pairs", hint="take distance_cnn")
    # Where residues are rows, they are samples of several classes.
    rows = labels.kind == "per_residue" and not model.per_residue
    kind = "multiclass" if rows else labels.kind
    return model(kind=kind, n_outputs=len(labels.outputs), seed=seed, **parameters)
