"""Predicted links in the order in which they are believed."""

from __future__ import annotations

import pandas as pd


def rank_links(
    samples: pd.DataFrame, nodes: pd.DataFrame, predictions: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """All predicted pairs, best first; those called linked; the nodes' names by id.

    `score` is the calibrated probability of the last (positive) class.
    """
    positive = [name for name in map(str, predictions) if name.startswith("p.")][-1]
    # Rows that `clean` dropped have no prediction; a pair given twice has one of them.
    predicted = predictions[predictions["prediction"].notna()]
    table = samples[["sample_id", "source", "target"]].merge(predicted, on="sample_id")
    named = nodes["name"] if "name" in nodes else nodes["node_id"]
    names = dict(zip(nodes["node_id"], named.fillna(nodes["node_id"]), strict=True))
    ranked = pd.DataFrame({"source": table["source"], "target": table["target"]})
    for end in ("source", "target"):
        ranked[f"{end}_name"] = ranked[end].map(names)
    ranked["score"] = table[positive]
    ranked[["prediction", "abstain", "model_id"]] = table[["prediction", "abstain", "model_id"]]
    ranked = ranked.sort_values("score", ascending=False, kind="stable", ignore_index=True)
    linked = ranked[ranked["prediction"] == positive.removeprefix("p.")]
    return ranked, linked[["source", "target", "score"]], names
