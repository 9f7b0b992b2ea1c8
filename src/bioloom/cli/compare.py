"""Compare two tasks, or two runs of one: both scores, and the interval of the difference.

Both are compared on the rows that both were tested on, row by row.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from bioloom.errors import DataError
from bioloom.evaluation.evaluate import measure
from bioloom.files import read_json
from bioloom.kinds import get_kind
from bioloom.metrics import told_difference
from bioloom.samples import label_columns, read_samples, read_table
from bioloom.splits import read_splits

HELP = "two tasks or runs side by side, paired by test row"
KEYS = ["repeat", "sample_id"]
SAMPLES, HELD_OUT, SPLITS = "training/samples.parquet", "held_out.parquet", "splits.parquet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Two results folders."""
    parser.add_argument("first", type=Path, help="results/<task>, here or of another run")
    parser.add_argument("second", type=Path)


def main(first: Path, second: Path) -> None:
    """Print both scores and their difference; DataError where no test row is common."""
    found = compared(first, second)
    metric = get_kind(found["kind"]).metric(found["primary"])
    if "second" not in found["differences"]:
        raise DataError(f"{metric.label} is not defined for both", file=second)
    for name, scores in ((first, found["test"]), (second, found["baselines"]["second"])):
        print(f"{name}: {metric.told(scores)}")
    apart = told_difference(found["differences"]["second"])
    print(f"difference {apart} on {found['n']['test']} samples of both")


def compared(first: Path, second: Path) -> dict[str, Any]:
    """metrics.json of the first one, with the second as its only baseline."""
    metrics, others = (_metrics(folder) for folder in (first, second))
    kind = get_kind(metrics["kind"])
    if kind.name != others["kind"]:
        raise DataError("The two predict different kinds of labels", file=second)
    samples = read_samples(first / SAMPLES)
    splits = read_splits(first / SPLITS, samples)
    own, other = (_answers(folder) for folder in (first, second))
    common = own[KEYS].drop_duplicates().merge(other[KEYS].drop_duplicates())
    if common.empty:
        raise DataError("No sample was tested by both", file=second, hint="are the ids the same?")
    own, other = own.merge(common), other.merge(common)
    theirs = read_samples(second / SAMPLES)
    _refuse_other_labels(samples, theirs, set(common["sample_id"]), second)
    # Where the second one was tested in other folds, its rows count in those of the first.
    folds = own[[*KEYS, "fold"]].drop_duplicates()
    other = other.drop(columns="fold").merge(folds, on=KEYS)
    tested = splits[splits["split"] == "test"].merge(common)
    rest = splits[splits["split"] != "test"]
    described = yaml.safe_load((first / "task.yaml").read_text()) if _has_task(first) else {}
    return measure(
        samples,
        pd.concat([tested, rest], ignore_index=True),
        pd.concat([own.assign(model="model"), other.assign(model="second")], ignore_index=True),
        task=metrics["task"],
        application=metrics["application"],
        kind=kind,
        options={**(described.get("evaluate") or {}), "primary": metrics["primary"]},
        seed=metrics["bootstrap"]["seed"],
    ).metrics


def _refuse_other_labels(
    samples: pd.DataFrame, theirs: pd.DataFrame, ids: set[str], folder: Path
) -> None:
    """Raise DataError where the same sample has another label in the second run."""
    names = label_columns(samples)
    if names != label_columns(theirs):
        raise DataError("The two have other labels", file=folder)
    # As text: labels of residues and distances are arrays.
    mine, other = (
        table[table["sample_id"].isin(ids)].set_index("sample_id")[names].astype("str").sort_index()
        for table in (samples, theirs)
    )
    differ = int((mine != other).any(axis=1).sum()) if mine.index.equals(other.index) else len(mine)
    if differ:
        raise DataError(f"{differ} samples have another label in the second one", file=folder)


def _metrics(folder: Path) -> dict[str, Any]:
    if not (folder / "metrics.json").is_file():
        raise DataError("No results of a task", file=folder, hint="such a folder is results/<task>")
    for name in (SAMPLES, HELD_OUT, SPLITS):
        if not (folder / name).is_file():
            hint = "`dvc pull` brings results that were pushed, `bioloom run` makes them"
            raise DataError("This result is not here", file=folder / name, hint=hint)
    return read_json(folder / "metrics.json")


def _answers(folder: Path) -> pd.DataFrame:
    held_out = read_table(folder / HELD_OUT)
    return held_out[held_out["model"] == "model"].drop(columns="model")


def _has_task(folder: Path) -> bool:
    return (folder / "task.yaml").is_file()
