"""Whether a claimed score holds on rows that were set aside, table by table.

`python -m bench.outside` prints a table of `docs/scores.md`. Of each table of a package a random
third is outside data. The rest is split, trained on and refitted as by a task that says no more
than its application, but for the model, a logistic regression, which takes seconds; `--model dnn`
is the application's own. Then the rows outside are scored as labelled new data. Nothing is chosen
on them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from bench.claims import MOST, tables
from bioloom.application import get_application
from bioloom.evaluation.evaluate import evaluate
from bioloom.features.extract import extract_features
from bioloom.splits.split import chosen_options, split_samples
from bioloom.training.scored import answer, score
from bioloom.training.train import train_task

APPLICATION, SEED = "disease_diagnosis", 1


def more_tables() -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Those of `bench.claims`, of a number its highest quarter, and three more."""
    from sklearn.datasets import load_digits
    from statsmodels import datasets

    for name, kind, X, y in tables():
        if kind == "value":
            yield name, "binary", X, np.where(y > np.quantile(y, 0.75), "high", "low")
        else:
            yield name, kind, X, y
    X, y = load_digits(return_X_y=True)
    yield "digits", "multiclass", X, y.astype(str)
    for name, column in (("star98", "NABOVE"), ("heart", "survival")):
        table = getattr(datasets, name).load_pandas().data.select_dtypes("number").dropna()
        y = table.pop(column).to_numpy()
        cut = np.quantile(y, 0.75)
        yield name, "binary", table.to_numpy(), np.where(y >= cut, "high", "low")


def held(X: np.ndarray, y: np.ndarray, model: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """metrics.json of the rows inside and of those outside."""
    rows = np.random.default_rng(SEED).permutation(len(y))[:MOST]
    ids = np.array([f"s{row}" for row in rows])
    known = pd.DataFrame({"sample_id": ids, "group": ids, "label": y[rows]})
    columns = [f"x{i}" for i in range(X.shape[1])]
    table = pd.concat([known, pd.DataFrame(X[rows], columns=columns)], axis=1)
    size = len(rows) // 3
    outside, inside = table[:size].reset_index(drop=True), table[size:].reset_index(drop=True)
    application = get_application(APPLICATION)
    splits = split_samples(inside, chosen_options(inside, {"method": "auto"}), SEED)
    made, given = (
        {"features": extract_features(part, application, {"embedder": "table"})[0]}
        for part in (inside, outside)
    )
    options = {"application": APPLICATION, "model": {"name": model}, "preprocess": {}}
    fitted, _, held_out = train_task(inside, splits, made, options, SEED, [])
    how = {"task": "outside", "application": APPLICATION, "options": {}, "seed": SEED}
    claimed, _ = evaluate(inside, splits, held_out, kind=fitted.kind, **how)
    answers = answer(inside, splits, made, options, SEED, fitted, outside, given)
    return claimed, score(inside, splits, outside, answers, fitted, **how)[0]


def main() -> None:
    """Print a line a table, then how many scores were inside, below and above, and coverages.

    A score of a few rows outside has an interval of its own, which stands beside it.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="logistic_regression")
    model = parser.parse_args().model
    found = []
    for name, _, X, y in more_tables():
        claimed, outside = held(X, y, model)
        metric = claimed["primary"]
        (low, high, _), (_, _, value) = ends = [
            [part["test"][f"{metric}{end}"] for end in ("_low", "_high", "")]
            for part in (claimed, outside)
        ]
        inside = "below" if value < low else "above" if value > high else "inside"
        said = [f"{at:.3f} ({least:.3f} to {most:.3f})" for least, most, at in ends]
        coverages = [part["test"]["coverage"] for part in (claimed, outside)]
        found.append((inside, *coverages))
        rows = f"{claimed['n']['test_groups']} + {outside['n']['test_groups']}"
        line = [name, rows, metric, *said, inside, *(f"{c:.3f}" for c in coverages)]
        print("| " + " | ".join(line) + " |", flush=True)
    places, promised, measured = zip(*found, strict=True)
    counts = ", ".join(f"{places.count(p)} {p}" for p in ("inside", "below", "above"))
    print(
        f"{counts}; coverage {np.mean(promised):.3f} claimed, {np.mean(measured):.3f} outside, "
        f"at least {min(measured):.3f}"
    )


if __name__ == "__main__":
    main()
