"""Train a task's model and its baselines on every partition, and predict the held-out rows.

Whatever is fitted is fitted on train rows; early stopping, calibration, threshold and conformal
quantile come from valid rows; of test rows only the features are read. `held_out.parquet` holds
the predictions of test rows, so that evaluation needs no model. The model for new data is then
refitted on all rows (`refit`). Samples with `sample_weight` are weighted in the loss of every model
that can, with a mean of 1 over its training rows, and where probabilities are calibrated; early
stopping, thresholds, sets and intervals count each valid row once; those of no weight stop nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from bioloom.application import get_application
from bioloom.arrays import Shaped, end_to_end, vectors
from bioloom.errors import DataError
from bioloom.features import Features
from bioloom.files import sha256
from bioloom.fitted import Fitted, model_rows
from bioloom.fitted.marginals import Marginals
from bioloom.fitted.novelty import Novelty
from bioloom.fitted.signature import make_signature
from bioloom.kinds import Kind, Labels, encode_labels, kind_of
from bioloom.progress import at
from bioloom.structures.distances import answer_offsets
from bioloom.training.calibrate import Answered, calibrate
from bioloom.training.recipe import Recipe, beside, build_model, make_recipes, member_of, prepare
from bioloom.training.search import select_parameters

FITTED_PARTS = ("train", "valid")
PACKAGES = ("bioloom", "numpy", "scikit-learn", "torch")


@dataclass(frozen=True)
class Partition:
    """One partition of the samples: row numbers of `train`, `valid`, `test`; units of all rows."""

    repeat: int
    fold: int
    rows: dict[str, np.ndarray]
    units: np.ndarray


def train_task(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    features: dict[str, Features],
    options: dict[str, Any],
    seed: int,
    inputs: Sequence[Path],
) -> tuple[Fitted, Fitted, pd.DataFrame]:
    """Train what a task's config asks for: its model, the naive baseline and its own baselines.

    `features` are by file name: `features`, and those of `own_sections` of the baselines;
    `options` are the task's keys application, kind, model, baselines, preprocess, positive,
    high_above, threshold, horizons, transform and refit. Returns the model for new data, the
    model before it was refitted, which has not seen the valid rows, and held_out.parquet.
    """
    labels = labels_of(samples, options)
    recipes = make_recipes(features, options, labels.kind)
    scored, held_out = train(samples, splits, labels, recipes, seed)
    final = next(partitions_of(samples, splits))
    settings = {
        "seed": seed,
        "features": features["features"].embedder,
        "packages": {name: version(name) for name in PACKAGES},
        "inputs": {str(path): sha256(path) for path in inputs},
        "feature_names": [str(name) for name in features["features"].names],
    }
    scored.settings = settings | known_of(samples.iloc[final.rows["train"]], labels, refitted=False)
    _tell(scored)
    fitted, rows = scored, final.rows["train"]
    scored.marginals = _marginals(scored, samples, features["features"], final, rows)
    if refits(options):
        with at("the model on all rows"):
            fitted = refit(scored, recipes["model"], labels, final, samples)
        rows = np.sort(np.concatenate(list(final.rows.values())))
        fitted.settings = settings | known_of(samples, labels, refitted=True)
        fitted.marginals = _marginals(fitted, samples, features["features"], final, rows)
    return fitted, scored, held_out


def _marginals(
    fitted: Fitted, samples: pd.DataFrame, features: Features, final: Partition, rows: np.ndarray
) -> Marginals:
    """Those of the rows that a model learnt from."""
    X = features.rows(samples["sample_id"].iloc[rows])
    return Marginals.fit(X, fitted.preprocess.transform(X), final.units[rows])


def refits(options: dict[str, Any]) -> bool:
    """Whether the model for new data learns from all rows, as it does unless a task says no."""
    return options.get("refit", True)


def known_of(samples: pd.DataFrame, labels: Labels, *, refitted: bool) -> dict[str, Any]:
    """What model.yaml says of the rows that a model learnt from."""
    kind = labels.kind
    return {
        "refitted": refitted,
        "rows": len(samples),
        **({"threshold_rule": labels.rule} if kind.threshold is not None else {}),
        **({"remembered": kind.given.remember(samples)} if kind.given is not None else {}),
        "signature": make_signature(samples),
    }


def labels_of(samples: pd.DataFrame, options: dict[str, Any]) -> Labels:
    """The labels of training data, of the kind that the task says or that they are of."""
    declared = options.get("kind")
    application = get_application(options["application"])
    kind = kind_of([declared] if declared else application.kinds, samples)
    said = ("positive", "high_above", "threshold", "horizons", "transform")
    return encode_labels(samples, kind, **{key: options.get(key) for key in said})


def train(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    labels: Labels,
    recipes: dict[str, Recipe],
    seed: int,
) -> tuple[Fitted, pd.DataFrame]:
    """Fit every recipe on every partition that has test rows, and `model` also on the first one.

    Returns that model, which is the one for new data before it is refitted, and the predictions of
    held-out rows (held_out.parquet). In cross-validation it is calibrated on all rows, each
    answered by the model of a fold that has not seen it. A baseline that is a member of the model,
    an ensemble, is taken from there.
    """
    partitions = list(partitions_of(samples, splits))
    tested = [partition for partition in partitions if len(partition.rows["test"])]
    # Cross-validation has a partition without test rows, hold-out has but one: it comes first.
    with at("the model for new data"):
        final = fit(recipes["model"], labels, partitions[0], samples, seed, keep=True)
    members = {n: member_of(recipes["model"], r, labels.kind) for n, r in recipes.items()}
    has_members = any(member is not None for member in members.values())
    tables, unseen = [], []
    wholes: list[Fitted] = []  # the model of each partition, where baselines are members of it
    for name, recipe in recipes.items():
        member = members[name]
        for number, partition in enumerate(tested, start=1):
            known = name == "model" and partition is partitions[0]
            with at(f"{name}, partition {number} of {len(tested)}"):
                if known:
                    fitted = final
                elif member is not None:
                    fitted = alone(wholes[number - 1], member, recipe, labels, partition, samples)
                else:
                    fitted = fit(recipe, labels, partition, samples, seed)
            if name == "model" and has_members:
                wholes.append(fitted)
            rows = partition.rows["test"]
            raw = fitted.raw(_prepared(fitted, recipe.features, samples.iloc[rows]))
            table = _answers(fitted, raw, samples.iloc[rows])
            place = {"repeat": partition.repeat, "fold": partition.fold}
            tables.append(table.assign(model=name, **place))
            if name == "model" and not known and partition.repeat == 0:
                own = _weighted(labels, samples, partition.rows["train"])
                unseen.append(Answered.of(raw, own, rows))
    if unseen:
        everything = np.concatenate([partitions[0].rows[part] for part in FITTED_PARTS])
        final.calibration = calibrate(final, labels, unseen, np.sort(everything))
    return final, pd.concat(tables, ignore_index=True)


def fit(
    recipe: Recipe,
    labels: Labels,
    partition: Partition,
    samples: pd.DataFrame,
    seed: int,
    *,
    keep: bool = False,
) -> Fitted:
    """Fit one recipe on the train rows of one partition, and the rest on its valid rows.

    A model to `keep`, for new data, also learns what is unlike its training data.
    """
    kind, rows = labels.kind, dict(partition.rows)
    labels = _weighted(labels, samples, rows["train"])
    rows["train"] = rows["train"][_counted(labels, rows["train"])]
    X = {part: recipe.features.rows(samples["sample_id"].iloc[rows[part]]) for part in FITTED_PARTS}
    y = {part: labels.taught[rows[part]] for part in FITTED_PARTS}
    if kind.unit != "sample":
        _check_units(kind, X, y)
    if kind.all_classes and len(np.unique(end_to_end(y["train"]))) < len(labels.outputs):
        raise DataError(
            "A class has no training row in a partition", hint="raise `clean: min_class_size`"
        )
    preprocess = prepare(recipe, kind, X["train"], y["train"])
    prepared = {part: preprocess.transform(X[part]) for part in FITTED_PARTS}
    units = partition.units[rows["train"]]
    parameters = select_parameters(recipe, labels, rows["train"], X, y, units, seed)
    model = build_model(recipe.model, labels, seed, parameters)
    stopping = [side["valid"][_counted(labels, rows["valid"])] for side in (prepared, y)]
    parts = [model_rows(kind, model, part) for part in (prepared["train"], y["train"], *stopping)]
    model.fit(*parts, **beside(recipe, model, preprocess, labels, rows["train"], units))
    fitted = Fitted(
        kind=kind,
        model_name=recipe.model,
        parameters=parameters,
        model=model,
        preprocess=preprocess,
        novelty=Novelty.fit(prepared["train"], prepared["valid"]) if keep else None,
        outputs=labels.outputs,
    )
    unseen = Answered.of(fitted.raw(prepared["valid"]), labels, rows["valid"])
    fitted.calibration = calibrate(fitted, labels, [unseen], rows["train"])
    if fitted.novelty is not None:
        fitted.novelty = fitted.novelty.measured(prepared["valid"], _wrong(fitted, unseen))
    return fitted


def alone(
    whole: Fitted,
    member: int,
    recipe: Recipe,
    labels: Labels,
    partition: Partition,
    samples: pd.DataFrame,
) -> Fitted:
    """A member of an ensemble that was fitted on this partition, as the model of its recipe."""
    train, valid = (partition.rows[part] for part in FITTED_PARTS)
    labels = _weighted(labels, samples, train)
    fitted = replace(
        whole,
        model_name=recipe.model,
        parameters=recipe.parameters,
        model=whole.model.models[member],
        novelty=None,
    )
    raw = fitted.raw(_prepared(fitted, recipe.features, samples.iloc[valid]))
    answered = Answered.of(raw, labels, valid)
    fitted.calibration = calibrate(fitted, labels, [answered], train[_counted(labels, train)])
    return fitted


def refit(
    fitted: Fitted, recipe: Recipe, labels: Labels, partition: Partition, samples: pd.DataFrame
) -> Fitted:
    """The model again, now trained on all rows of the partition on which it was fitted.

    It keeps the parameters that were chosen, stops where valid rows stopped it, and is calibrated
    as before: the rows that told so are now among those that it has learnt.
    """
    kind, rows = labels.kind, np.sort(np.concatenate(list(partition.rows.values())))
    labels = _weighted(labels, samples, rows)
    rows = rows[_counted(labels, rows)]
    X, y = recipe.features.rows(samples["sample_id"].iloc[rows]), labels.taught[rows]
    preprocess = prepare(recipe, kind, X, y)
    prepared = preprocess.transform(X)
    given = beside(recipe, fitted.model, preprocess, labels, rows, partition.units[rows])
    shown = (model_rows(kind, fitted.model, part) for part in (prepared, y))
    trained = np.isin(rows, partition.rows["train"])
    # What is like the training rows is told by rows that did not say so themselves.
    axes, others = (vectors(prepared)[part] for part in (trained, ~trained))
    return replace(
        fitted,
        model=fitted.model.refitted(*shown, **given),
        preprocess=preprocess,
        novelty=Novelty.fit(axes, others, fitted.novelty),
    )


def _wrong(fitted: Fitted, unseen: Answered) -> np.ndarray | None:
    """Which answers are wrong, (N,): another class, or more than the median error; 1, 0 or NaN.

    NaN where the outcome is not known. None where a sample has no single answer of that kind.
    """
    kind = fitted.kind
    scores = kind.scores(unseen.raw, fitted.calibration)
    if kind.unit != "sample" or kind.output not in ("classes", "values"):
        return None
    if kind.output == "classes":
        return (kind.decide(scores, fitted.calibration) != unseen.y).astype(float)
    if unseen.y.size != scores.size:
        return None
    error = pd.DataFrame(np.abs(scores - unseen.y.reshape(scores.shape))).mean(axis=1).to_numpy()
    return np.where(np.isnan(error), np.nan, error > np.nanmedian(error))


def _tell(fitted: Fitted) -> None:
    """Say once, and not of each row, what validation rows were too few for, or did not show."""
    novelty = cast(Novelty, fitted.novelty)
    tells = fitted.sets_tell
    if not tells.all():
        of = "" if not tells.any() else f" of {(~tells).sum()} of {len(tells)} outputs"
        told = f"validation rows are too few for 90 % sets or intervals{of}: these hold everything"
    elif np.isnan(novelty.separates[0]):
        told = "validation rows do not tell whether distance from training makes answers worse"
    elif not novelty.is_reason:
        told = "distance from training does not tell wrong answers of validation rows: no reason"
    else:
        return
    print(told, file=sys.stderr, flush=True)


def _weighted(labels: Labels, samples: pd.DataFrame, train: np.ndarray) -> Labels:
    """The labels, weighted by what these rows (numbers) tell where the kind asks for that."""
    if labels.kind.given is None:
        return labels
    return labels.kind.given.weighted(labels, samples, np.isin(np.arange(len(samples)), train))


def _counted(labels: Labels, rows: np.ndarray) -> np.ndarray:
    """Which of these rows a model may learn from, (N,) bool: those of no weight teach nothing.

    All where none has any.
    """
    known = np.ones(len(rows), bool) if labels.weight is None else labels.weight[rows] > 0
    return known if known.any() else ~known


def _check_units(kind: Kind, X: dict[str, Any], y: dict[str, Any]) -> None:
    """Each residue needs a feature row of its own, and each or each pair a label."""
    for part in FITTED_PARTS:
        answered = np.diff(answer_offsets(kind.unit, X[part]))
        if not np.array_equal(answered, y[part].lengths):
            raise DataError(
                "A label a residue needs a feature row a residue",
                hint="set `features: {pooling: tokens}`, and the same for baselines",
            )


def partitions_of(samples: pd.DataFrame, splits: pd.DataFrame) -> Iterator[Partition]:
    """All partitions in the order of repeat and fold, with the row numbers of their parts.

    The first is the one that the model for new data is fitted on.
    """
    position = pd.Index(samples["sample_id"])
    for (repeat, fold), part in splits.groupby(["repeat", "fold"]):
        chosen = position.get_indexer(pd.Index(part["sample_id"]))
        if (chosen < 0).any():
            raise DataError("The split names samples that are not in the samples table")
        rows = {name: np.sort(chosen[part["split"] == name]) for name in (*FITTED_PARTS, "test")}
        units = part["unit"].to_numpy()[np.argsort(chosen)]
        yield Partition(cast(int, repeat), cast(int, fold), rows, units)


def predict_rows(fitted: Fitted, features: Features, samples: pd.DataFrame) -> pd.DataFrame:
    """The keys and the answers of these samples, as held_out.parquet has them."""
    return _answers(fitted, fitted.raw(_prepared(fitted, features, samples)), samples)


def _prepared(fitted: Fitted, features: Features, samples: pd.DataFrame) -> Shaped:
    return fitted.preprocess.transform(features.rows(samples["sample_id"]))


def _answers(fitted: Fitted, raw: np.ndarray, samples: pd.DataFrame) -> pd.DataFrame:
    answers = fitted.answer(fitted.kind.scores(raw, fitted.calibration))
    keys = fitted.kind.rows(samples, fitted.outputs)[list(fitted.kind.keys)]
    return pd.concat([keys, answers], axis=1)
