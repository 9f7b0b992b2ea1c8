"""Say what the task's model looks at: permutation importance or in-silico mutagenesis.

`explanation.parquet`: `item, position, feature, importance, low, high`. For tables a row a
column (item and position empty): the loss in score when its values are shuffled; for pairs of
nodes a row a block of features, or the context edges. For sequences a row an item, position and
letter: how much the mutation lowers the predicted score. With `mean_over` an item "mean of N" comes
first: the mean map of N sequences, with the `site` of each position.
All of it on validation rows of the partition that the saved model was fitted on.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.arrays import shape_of
from bioloom.explanation.mutagenesis import (
    LETTERS,
    alphabet_of,
    mark_sites,
    mask_residues,
    mean_map,
    mutate,
)
from bioloom.explanation.permutation import permute, permute_links
from bioloom.features import Features, align
from bioloom.fitted import Fitted
from bioloom.options import complete_options

DEFAULTS: dict[str, Any] = {"items": 4, "window": 1, "repeats": 5, "mean_over": 0, "sites": {}}


def explain(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    features: Features,
    fitted: Fitted,
    application: Application,
    options: dict[str, Any],
    *,
    embedder: dict[str, Any],
    weights: Path | None,
    seed: int,
) -> pd.DataFrame:
    """The explanation that fits the inputs: of columns for a table, of letters for sequences."""
    options = complete_options(options, DEFAULTS, "explain")
    fold = splits[["repeat", "fold"]].min()
    chosen = splits[(splits["fold"] == fold["fold"]) & (splits["repeat"] == fold["repeat"])]
    valid = chosen.loc[chosen["split"] == "valid", "sample_id"]
    rows = samples[samples["sample_id"].isin(valid)].reset_index(drop=True)
    if shape_of(features.X) == "links":
        return permute_links(rows, features, fitted, options["repeats"], seed, embedder)
    if not isinstance(application.inputs(rows), list):
        return permute(rows, features, fitted, options["repeats"], seed)

    def score(sequences: list[str]) -> np.ndarray:
        # by name: explaining a table is not made anew when the engine changes (see `pipeline.code`)
        embed = import_module("bioloom.features.engine").embed
        embedding = embed(sequences, embedder, weights=weights)
        ids, names = np.array(sequences), np.array(embedding.names)
        made = Features(ids, embedding.X, names, features.embedder)
        return fitted.scores(align(made, list(features.names), features.embedder).X)

    alphabet = alphabet_of(embedder, application, list(rows["sequence"]))
    given = rows, features.rows(rows["sample_id"]), fitted, score, alphabet
    if fitted.kind.unit != "sample":
        return mask_residues(*given, options["items"], options["window"])
    maps = [mutate(*given, options["items"], options["window"])]
    if options["mean_over"]:
        chosen_rows = np.random.default_rng(seed).permutation(len(rows))[: options["mean_over"]]
        mean = mean_map(list(rows["sequence"].iloc[chosen_rows]), fitted, score, LETTERS[alphabet])
        maps.insert(0, mark_sites(mean, options["sites"]))
    return pd.concat(maps, ignore_index=True)
