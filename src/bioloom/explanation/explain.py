"""Say what the task's model looks at: permutation importance or in-silico mutagenesis.

`explanation.parquet`: `item, position, feature, importance, low, high`. For tables a row a column
(item and position empty): the loss in score when its values are shuffled, all of what an embedder
says of a text together; for pairs of nodes a row a block of features, or the context edges. For
sequences a row an item, position and letter: how much the mutation lowers the predicted score. With
`mean_over` an item "mean of N" comes first: the mean map of N sequences, with the `site` of each
position.
All of it on validation rows of the partition that the saved model was fitted on. Where it would
take more than `budget`, of `bioloom.explanation.budget`, less is done, and the log says what; of a
budget of 0 the table has no rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.arrays import Shaped, shape_of
from bioloom.embedders import Section, parts_of
from bioloom.explanation.budget import letters_for
from bioloom.explanation.mutagenesis import (
    LETTERS,
    alphabet_of,
    mark_sites,
    mask_residues,
    mean_map,
    mutate,
)
from bioloom.explanation.permutation import permute, permute_links
from bioloom.features import Features, align, precisions
from bioloom.features.parts import Made, in_precision, side_by_side
from bioloom.fitted import Fitted
from bioloom.options import Option, complete_options

DEFAULTS: dict[str, Any] = {
    "items": 4,
    "window": 1,
    "repeats": 5,
    "mean_over": 0,
    "sites": {},
    "budget": Option(60, type=float, minimum=0),
}
COLUMNS = ["feature", "importance", "low", "high", "item", "position"]


def explain(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    features: Features,
    fitted: Fitted,
    application: Application,
    options: dict[str, Any],
    *,
    embedder: Section | list[Section],
    weights: Mapping[str, Path] | None,
    seed: int,
) -> pd.DataFrame:
    """The explanation that fits the inputs: of columns for a table, of letters for sequences.

    `embedder` is the task's `features` section, `weights` those of its parts by name.
    """
    options = complete_options(options, DEFAULTS, "explain")
    seconds = options["budget"]
    if not seconds:
        return pd.DataFrame(columns=COLUMNS)
    rows = _valid_rows(samples, splits)
    parts = parts_of(embedder)
    if shape_of(features.X) == "links":
        [part] = parts.values()
        return permute_links(rows, features, fitted, options["repeats"], seed, part, seconds)
    inputs = application.inputs(rows)
    # What is made of more than a sequence cannot be made anew of a mutated one.
    of_sequences = isinstance(inputs, list) and inputs == rows["sequence"].tolist()
    if not of_sequences or any("input" in part for part in parts.values()):
        return permute(rows, features, fitted, options["repeats"], seed, parts, seconds)

    def score(sequences: list[str]) -> np.ndarray:
        X, names = _embedded(sequences, parts, weights or {}, features.embedder)
        made = Features(np.array(sequences), X, np.array(names), features.embedder)
        return fitted.scores(align(made, list(features.names), features.embedder).X)

    alphabet = alphabet_of(embedder, application, list(rows["sequence"]))
    letters = letters_for(seconds, parts)
    shared = letters / 2 if options["mean_over"] else letters
    given = rows, features.rows(rows["sample_id"]), fitted, score, alphabet
    if fitted.kind.unit != "sample":
        return mask_residues(*given, options["items"], options["window"], letters)
    maps = [mutate(*given, options["items"], options["window"], shared)]
    if options["mean_over"]:
        drawn = np.random.default_rng(seed).permutation(len(rows))[: options["mean_over"]]
        texts = list(rows["sequence"].iloc[drawn])
        mean = mean_map(texts, fitted, score, LETTERS[alphabet], shared)
        maps.insert(0, mark_sites(mean, options["sites"]))
    return pd.concat(maps, ignore_index=True)


def _valid_rows(samples: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """Those of the partition that the saved model was fitted on."""
    fold = splits[["repeat", "fold"]].min()
    chosen = splits[(splits["fold"] == fold["fold"]) & (splits["repeat"] == fold["repeat"])]
    valid = chosen.loc[chosen["split"] == "valid", "sample_id"]
    return samples[samples["sample_id"].isin(valid)].reset_index(drop=True)


def _embedded(
    sequences: list[str], parts: Mapping[str, Section], weights: Mapping[str, Path], identity: str
) -> tuple[Shaped, list[str]]:
    """Features of other sequences, in the precision of those of this identity, and their names."""
    # by name: explaining a table is not made anew when the engine changes (see `pipeline.code`)
    embed = import_module("bioloom.features.engine").embed
    made = {}
    known = dict(zip(parts, precisions(identity), strict=False))
    for name, part in parts.items():
        section = in_precision(part, known.get(name, ""))
        embedding = embed(sequences, section, weights=weights.get(name))
        made[name] = Made(embedding.X, embedding.names, embedding.info, embedding.run)
    joined = side_by_side(made)
    return joined.X, joined.names
