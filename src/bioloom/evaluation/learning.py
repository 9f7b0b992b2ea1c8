"""The score against the number of labels, and how many labels pretrained features are worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bioloom.evaluation.intervals import draw_groups, interval
from bioloom.evaluation.test_set import read_test_set, scores_of
from bioloom.kinds import Kind
from bioloom.metrics import Metric

MEAN = "mean"
"""In the column `draw`: the mean over draws."""
LETTERS = "no_foundation_model"
"""The baseline that tells what pretrained features are worth."""
PRETRAINED = "pretrained"
"""The baseline that tells it where the model itself has no such features."""
RESAMPLES = 200  # of each draw: enough for a plot


def learning_curve(
    answers: pd.DataFrame,
    held_out: pd.DataFrame,
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    kind: Kind,
    primary: str,
    settings: dict[str, Any],
    seed: int,
) -> pd.DataFrame:
    """`model, labels, rows, draw, value, low, high` of the metric `primary`, on the same test rows.

    `labels` were asked for, `rows` were there: training takes whole groups. `answers` are those of
    fewer labels (`training.learning_curve`), `held_out` those of all. The row `mean` of several
    draws has an interval over draws and groups together: where one draw of so many labels may lie.
    """
    first = splits[splits["repeat"] == 0]
    trained = (first["split"] == "train").groupby(first["fold"]).sum().mean()
    whole = held_out[held_out["repeat"] == 0].assign(draw=0)
    whole = whole.assign(labels=round(trained), rows=trained)
    whole = whole[whole["model"].isin(answers["model"].unique())]
    tables, draws = [], np.empty((0, 0))
    for (labels, draw), said in pd.concat([answers, whole]).groupby(["labels", "draw"]):
        test = read_test_set(
            samples, first, said.drop(columns=["labels", "rows", "draw"]), kind, settings
        )
        if not len(draws):
            draws = draw_groups(test.groups, min(settings["resamples"], RESAMPLES), seed)
        rows = said["rows"].mean()
        scores = scores_of(test, samples, kind, settings["by"], draws)
        tables += [
            {"model": name, "labels": labels, "rows": rows, "draw": draw, "drawn": of[primary]}
            for name, of in scores.items()
        ]
    table = pd.DataFrame(tables)
    means = [
        {"model": model, "labels": labels, "rows": of["rows"].mean(), "draw": MEAN}
        | _mean(of["drawn"], len(draws), kind, primary)
        for (model, labels), of in table.groupby(["model", "labels"], sort=False)
    ]
    each = table.assign(value=[drawn[0] for drawn in table["drawn"]]).drop(columns="drawn")
    return pd.concat([each, pd.DataFrame(means)], ignore_index=True)


def _mean(drawn: pd.Series, groups: int, kind: Kind, primary: str) -> dict[str, float]:
    """Value and interval of the draws `(B,)` of one model and number of labels together."""
    mean = np.mean([values[0] for values in drawn])
    together = np.concatenate([[mean], *(values[1:] for values in drawn)])
    return interval(together, groups, kind.metric(primary))


def labels_worth(curve: pd.DataFrame, metric: Metric) -> str:
    """How many labels without a foundation model score what n labels score with it, in words.

    The model has one and the baseline `LETTERS` none, or the baseline `PRETRAINED` has one and the
    model none. Between two numbers of labels, those that training had, scores are interpolated on
    the logarithm of these. Empty where fewer than two numbers have a score with and without.
    """
    known = curve[(curve["draw"] == MEAN) & np.isfinite(curve["value"])]
    means = known.pivot_table(index="rows", columns="model", values="value")
    learnt, plain = ("model", LETTERS) if LETTERS in means else (PRETRAINED, "model")
    means = means.reindex(columns=[learnt, plain]).dropna()
    if len(means) < 2:
        return ""
    sign = -1 if metric.lower_is_better else 1
    sizes, letters = np.log(means.index.to_numpy(float)), sign * means[plain].to_numpy()
    told = [
        f"{rows:,.0f} labels are worth {_reached(sizes, letters, score)}"
        for rows, score in (sign * means[learnt]).items()
    ]
    without = "without" if plain == LETTERS else "of the model, which has none"
    return f"{metric.label}: with pretrained features {', '.join(told)} {without}."


def _reached(sizes: np.ndarray, scores: np.ndarray, score: float) -> str:
    """The first number of labels, whose logarithms are `sizes`, with that score, in words."""
    place = int(np.argmax(scores >= score))
    if scores[place] < score:
        return f"more than all {np.exp(sizes[-1]):,.0f}"
    if place == 0:
        return f"{np.exp(sizes[0]):,.0f} or fewer"
    low, high = scores[place - 1 : place + 1]
    share = (score - low) / (high - low)
    return f"about {np.exp(sizes[place - 1] + share * np.diff(sizes)[place - 1]):,.0f}"
