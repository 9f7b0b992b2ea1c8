"""A labelled data set that nothing was trained on: what the task's model and baselines make of it.

Its scores stand beside those of the held-out rows, which are what the model claims. Baselines are
trained as for new data; the labels of the data set are seen by the evaluation alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.evaluation.evaluate import evaluate
from bioloom.features import Features, align, features_file
from bioloom.fitted import Fitted
from bioloom.privacy.small_cells import count_shown
from bioloom.progress import at
from bioloom.samples import feature_columns, is_links, text_columns
from bioloom.samples.cleaning import unlabelled
from bioloom.training.recipe import make_recipes
from bioloom.training.train import fit, labels_of, partitions_of, predict_rows, refit

PLACE = {"repeat": 0, "fold": 0}


def with_labels(
    new: pd.DataFrame, raw: pd.DataFrame, known: list[str], fitted: Fitted
) -> tuple[pd.DataFrame, dict[str, int]]:
    """New samples with the labels of their raw rows, and how many are left out for which reason.

    `known` are the label columns of the training data; of several a row may lack some. DataError
    where no row is left.
    """
    labels = raw[["sample_id"]].join(raw.reindex(columns=known))
    table = new.join(labels.groupby("sample_id")[known].first(), on="sample_id")
    # As text: labels of residues and distances are arrays.
    again = labels[labels["sample_id"].duplicated(keep=False)].dropna(how="all", subset=known)
    differ = again.astype("str").groupby("sample_id")[known].nunique().gt(1).any(axis=1)
    left_out = {
        "without a label": unlabelled(table),
        "with labels that contradict": new["sample_id"].isin(differ.index[differ]),
    }
    if fitted.kind.output == "classes" and fitted.kind.unit == "sample":
        strange = ~table["label"].astype(str).isin(fitted.outputs)
        left_out["of a class that training did not have"] = strange & table["label"].notna()
    kept = table[~np.any(list(left_out.values()), axis=0)].reset_index(drop=True)
    counts = {reason: int(rows.sum()) for reason, rows in left_out.items() if rows.any()}
    if kept.empty:
        told = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        hint = "labels are named as in training; without any leave `scored` out"
        raise DataError(f"No row to compare predictions with: {told}", column="label", hint=hint)
    return kept, counts


def answer(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    features: dict[str, Features],
    options: dict[str, Any],
    seed: int,
    fitted: Fitted,
    new: pd.DataFrame,
    new_features: dict[str, Features],
) -> pd.DataFrame:
    """What all models say of the new samples, as held_out.parquet has it.

    `samples, splits, features, options, seed` are those of `train_task`, `fitted` is its model;
    `options` may have the `prior` of the new samples.
    """
    labels = labels_of(samples, options)
    final = next(partitions_of(samples, splits))
    baselines = options.get("baselines", {})
    tables = []
    for name, recipe in make_recipes(features, options, labels.kind).items():
        model = fitted
        if name != "model":
            with at(name):
                model = fit(recipe, labels, final, samples, seed)
                if fitted.settings["refitted"]:
                    model = refit(model, recipe, labels, final, samples)
        own = new_features[features_file(baselines.get(name, {}), baselines)]
        own = align(own, [str(n) for n in recipe.features.names], recipe.features.embedder)
        model = replace(model, settings=fitted.settings).at_prior(options.get("prior"))
        tables.append(predict_rows(model, own, new).assign(model=name, **PLACE))
    return pd.concat(tables, ignore_index=True)


def score(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    new: pd.DataFrame,
    answers: pd.DataFrame,
    fitted: Fitted,
    **described: Any,
) -> tuple[dict[str, Any], dict[str, pd.DataFrame]]:
    """(metrics.json, plot tables) of the new samples, which have labels.

    `fitted` is the model of `answers`, `described` what `evaluate` asks for beside. A training row
    of the same id gives way. A flag says where training samples come again.
    """
    final = splits[["repeat", "fold"]]
    first = splits[(final == final.min()).all(axis=1)]
    first = first.assign(split="train") if fitted.settings["refitted"] else first
    if "sample_weight" not in new:
        samples = samples.drop(columns="sample_weight", errors="ignore")
    elif new["sample_weight"].isna().any():
        raise DataError(
            f"{new['sample_weight'].isna().sum()} of the new samples have no weight",
            column="sample_weight",
            hint="give all of them one, or none: then each counts alike",
        )
    known = first[(first["split"] != "test") & ~first["sample_id"].isin(new["sample_id"])]
    tested = pd.DataFrame({"sample_id": new["sample_id"], "split": "test", "unit": new["group"]})
    parts = pd.concat([known, tested], ignore_index=True).assign(**PLACE)
    trained = samples[samples["sample_id"].isin(known["sample_id"])]
    table = pd.concat([trained, new], ignore_index=True)
    metrics, plots = evaluate(table, parts, answers, kind=fitted.kind, **described)
    if copies := _copies(samples, new):
        shown = count_shown(copies, described.get("private", False))
        told = f"{shown} of {len(new)} samples have the inputs of a training sample"
        metrics["flags"].append(told)
    return metrics, plots


def _copies(samples: pd.DataFrame, new: pd.DataFrame) -> int:
    """How many new samples have the inputs of a training sample; of pairs, its ends."""
    own_columns = [*feature_columns(samples), *text_columns(samples)]
    inputs = ["source", "target"] if is_links(new) else own_columns
    inputs = [name for name in inputs if name in new]
    known, own = (
        # As text: a column without any value has another type.
        pd.util.hash_pandas_object(table[inputs].astype("str").fillna(""), index=False)
        for table in (samples, new)
    )
    return int(own.isin(known).sum()) if inputs else 0
