"""What the task's model and its baselines make of fewer labels: the same test rows, nested subsets.

In each draw the training groups are put in an order, and n labels are those of its first groups: a
smaller subset is part of a larger one, and all models have the same. Valid rows, which stop and
calibrate, are labels, too: there are fewer of them in the same proportion.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bioloom.features import Features
from bioloom.kinds import Labels
from bioloom.progress import at
from bioloom.training.recipe import make_recipes
from bioloom.training.train import Partition, fit, labels_of, partitions_of, predict_rows

DRAWS = 3
OFF = 2
"""By what factor the rows of a draw may miss the number asked for."""


def learning_curve(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    features: dict[str, Features],
    options: dict[str, Any],
    seed: int,
) -> pd.DataFrame:
    """What all models but the naive one say of held-out rows after fewer training rows.

    As held_out.parquet has it, with `labels`, how many training rows were asked for, `rows`, how
    many there were of whole groups, and `draw`; one that is off by more than `OFF` is left out.
    `samples, splits, features, options, seed` are those of `train_task`; `options` also has
    `learning_curve`, the numbers of rows, of which those that training does not have are left out.
    Of repeated cross-validation it is the first repeat.
    """
    labels = labels_of(samples, options)
    recipes = make_recipes(features, options, labels.kind)
    del recipes["naive"]
    tested = [
        partition
        for partition in partitions_of(samples, splits)
        if partition.repeat == 0 and len(partition.rows["test"])
    ]
    fewest = min(len(partition.rows["train"]) for partition in tested)
    empty = {name: pd.Series(dtype=int) for name in ("labels", "rows", "draw")}
    tables = [pd.DataFrame({"model": pd.Series(dtype=str), **empty})]
    for size in sorted(set(options["learning_curve"])):
        if size >= fewest:
            print(f"{size} labels: training has but {fewest}", file=sys.stderr, flush=True)
            continue
        for draw in range(DRAWS):
            parts = [
                subset(whole, labels, size, np.random.default_rng([seed, draw, whole.fold]))
                for whole in tested
            ]
            taken = [len(part.rows["train"]) for part in parts]
            if min(taken) < size / OFF or max(taken) > size * OFF:
                told = f"{size} labels, draw {draw}: whole groups have {taken} rows, left out"
                print(told, file=sys.stderr, flush=True)
                continue
            for part, rows in zip(parts, taken, strict=True):
                place = {"repeat": 0, "fold": part.fold, "labels": size, "rows": rows, "draw": draw}
                for name, recipe in recipes.items():
                    with at(f"{size} labels, draw {draw + 1} of {DRAWS}, fold {part.fold}, {name}"):
                        fitted = fit(recipe, labels, part, samples, seed)
                    test = samples.iloc[part.rows["test"]]
                    answers = predict_rows(fitted, recipe.features, test)
                    tables.append(answers.assign(model=name, **place))
    return pd.concat(tables, ignore_index=True)


def subset(partition: Partition, labels: Labels, size: int, rng: np.random.Generator) -> Partition:
    """The partition with about `size` training rows, and valid rows in proportion.

    Whole groups are taken, until the next one would lead further away from the number than it is;
    where a kind needs each class in training, the first group of each class comes first, and all of
    these are taken.
    """
    train, valid = partition.rows["train"], partition.rows["valid"]
    valid_size = max(1, round(size * len(valid) / len(train)))
    classes = labels.y if labels.kind.all_classes and isinstance(labels.y, np.ndarray) else None
    chosen = {
        "train": _first_groups(train, partition.units, size, rng, classes),
        "valid": _first_groups(valid, partition.units, valid_size, rng, None),
    }
    return replace(partition, rows=partition.rows | chosen)


def _first_groups(
    rows: np.ndarray,
    units: np.ndarray,
    size: int,
    rng: np.random.Generator,
    classes: np.ndarray | None,
) -> np.ndarray:
    """The rows (sorted numbers) of the first groups of a drawn order, about `size` of them."""
    names, group = np.unique(units[rows], return_inverse=True)
    place = np.argsort(rng.permutation(len(names)))  # of each group in the order
    needed = 1
    if classes is not None:
        _, code = np.unique(classes[rows], return_inverse=True)
        earliest = np.full(code.max() + 1, len(names))
        np.minimum.at(earliest, code, place[group])
        first = np.isin(place, earliest)
        place, needed = np.where(first, place - len(names), place), first.sum()
    order = np.argsort(place)
    filled = np.cumsum(np.bincount(group)[order])
    last = max(needed - 1, int(np.abs(filled - size).argmin()))
    return rows[np.isin(group, order[: last + 1])]
