"""Say what the task's model looks at: permutation importance or in-silico mutagenesis.

`explanation.parquet`: `item, position, feature, importance, low, high`. For tables a row a
column (item and position empty): the loss in score when its values are shuffled; for pairs of
nodes a row a block of features, or the context edges. For sequences a row an item, position and
letter: how much the mutation lowers the predicted score. With `mean_over` an item "mean of N" comes
first: the mean map of N sequences, with the `site` of each position.
All of it on validation rows of the partition that the saved model was fitted on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import CLASSIFICATION, Application
from bioloom.arrays import Ragged
from bioloom.distances import pair_offsets
from bioloom.embedders import AMINO_ACIDS, BASES
from bioloom.errors import DataError
from bioloom.features import Features
from bioloom.fitted import Fitted
from bioloom.formats.dna import is_dna
from bioloom.pairs import EXPRESSION, Pairs
from bioloom.predictions import align
from bioloom.samples import label_columns

DEFAULTS: dict[str, Any] = {"items": 4, "window": 1, "repeats": 10, "mean_over": 0, "sites": {}}

LETTERS = {"protein": AMINO_ACIDS, "dna": BASES}
UNKNOWN = {"protein": "X", "dna": "N"}

Score = Callable[[list[str]], np.ndarray]
"""Sequences to the model's calibrated scores, (N, n_outputs)."""


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
    options = DEFAULTS | options
    fold = splits[["repeat", "fold"]].min()
    chosen = splits[(splits["fold"] == fold["fold"]) & (splits["repeat"] == fold["repeat"])]
    valid = chosen.loc[chosen["split"] == "valid", "sample_id"]
    rows = samples[samples["sample_id"].isin(valid)].reset_index(drop=True)
    if isinstance(features.X, Pairs):
        return permute_pairs(rows, features, fitted, options["repeats"], seed, embedder)
    if not isinstance(application.inputs(rows), list):
        return permute(rows, features, fitted, options["repeats"], seed)

    def score(sequences: list[str]) -> np.ndarray:
        # by name: explaining a table is not made anew when the engine changes (see `provenance`)
        embed = import_module("bioloom.engine").embed
        embedding = embed(sequences, embedder, weights=weights)
        ids, names = np.array(sequences), np.array(embedding.names)
        made = Features(ids, embedding.X, names, features.embedder)
        return fitted.scores(align(made, list(features.names), features.embedder).X)

    alphabet = alphabet_of(embedder, application, list(rows["sequence"]))
    given = rows, features.rows(rows["sample_id"]), fitted, score, alphabet
    if fitted.kind in ("per_residue", "per_pair"):
        return mask_residues(*given, options["items"], options["window"])
    maps = [mutate(*given, options["items"], options["window"])]
    if options["mean_over"]:
        chosen_rows = np.random.default_rng(seed).permutation(len(rows))[: options["mean_over"]]
        mean = mean_map(list(rows["sequence"].iloc[chosen_rows]), fitted, score, LETTERS[alphabet])
        maps.insert(0, mark_sites(mean, options["sites"]))
    return pd.concat(maps, ignore_index=True)


def permute(
    samples: pd.DataFrame, features: Features, fitted: Fitted, repeats: int, seed: int
) -> pd.DataFrame:
    """Permutation importance (Breiman 2001): rise of the loss when one column is shuffled.

    The loss is log loss for classes and squared error for values; the columns of one category
    are shuffled together. `low` and `high` are the extremes over the repeats.
    """
    rng = np.random.default_rng(seed)
    X = np.asarray(features.rows(samples["sample_id"]))
    base = _loss(fitted, X, samples)
    seen = set(fitted.preprocess.support)
    columns: dict[str, list[int]] = {}
    for index, name in enumerate(features.names):
        if index in seen:
            columns.setdefault(str(name).split("=", 1)[0], []).append(index)
    found = []
    for name, indices in columns.items():
        rises = []
        for _ in range(repeats):
            shuffled = X.copy()
            shuffled[:, indices] = X[rng.permutation(len(X))][:, indices]
            rises.append(_loss(fitted, shuffled, samples) - base)
        found.append((name, float(np.mean(rises)), float(np.min(rises)), float(np.max(rises))))
    table = pd.DataFrame(found, columns=["feature", "importance", "low", "high"])
    table = table.sort_values("importance", ascending=False, ignore_index=True)
    return table.assign(item="", position=0)


def permute_pairs(
    samples: pd.DataFrame,
    features: Features,
    fitted: Fitted,
    repeats: int,
    seed: int,
    embedder: dict[str, Any],
) -> pd.DataFrame:
    """Rise of the loss when one source of knowledge about pairs is spoilt.

    Features of pairs are shuffled one by one; features of nodes block by block (all that an
    embedder says of sequences, all of expression), as if nodes were others; the context edges are
    given to other nodes.
    """
    rng = np.random.default_rng(seed)
    X = features.rows(samples["sample_id"])
    if not isinstance(X, Pairs):
        raise ValueError("the features are no pairs")
    base, size = _loss(fitted, X, samples), len(X.network.node_id)
    spoilt: dict[str, Callable[[], Pairs]] = {}
    names = [str(name) for name in features.names]
    blocks = pd.Series([_block(name, embedder["embedder"]) for name in names[: X.shape[1]]])
    for block, columns in blocks.groupby(blocks).groups.items():
        spoilt[f"nodes: {block}"] = partial(_other_nodes, X, np.array(columns), rng)
    for column, name in enumerate(names[X.shape[1] :]):
        spoilt[name.replace("pair.", "pairs: ")] = partial(_other_pairs, X, column, rng)
    if X.network.context.shape[1]:
        spoilt["context edges"] = partial(_other_context, X, rng, size)
    found = []
    for name, spoil in spoilt.items():
        rises = [_loss(fitted, spoil(), samples) - base for _ in range(repeats)]
        found.append((name, float(np.mean(rises)), float(np.min(rises)), float(np.max(rises))))
    table = pd.DataFrame(found, columns=["feature", "importance", "low", "high"])
    table = table.sort_values("importance", ascending=False, ignore_index=True)
    return table.assign(item="", position=0)


def _block(name: str, embedder: str) -> str:
    """What a feature of nodes is shuffled with: a table's columns are shuffled one by one."""
    if name.startswith(EXPRESSION):
        return EXPRESSION.rstrip(".")
    return name.split("=", 1)[0] if embedder == "table" else embedder


def _other_nodes(X: Pairs, columns: np.ndarray, rng: np.random.Generator) -> Pairs:
    """Some features of the nodes that the pairs are made of, shuffled among these nodes."""
    values, used = X.network.X.copy(), X.used_nodes()
    values[np.ix_(used, columns)] = X.network.X[np.ix_(rng.permutation(used), columns)]
    return replace(X, network=replace(X.network, X=values))


def _other_pairs(X: Pairs, column: int, rng: np.random.Generator) -> Pairs:
    values = X.X.copy()
    values[:, column] = rng.permutation(values[:, column])
    return replace(X, X=values)


def _other_context(X: Pairs, rng: np.random.Generator, size: int) -> Pairs:
    return replace(X, network=replace(X.network, context=rng.permutation(size)[X.network.context]))


def _loss(fitted: Fitted, X: np.ndarray | Pairs, samples: pd.DataFrame) -> float:
    scores = fitted.scores(X)
    if fitted.kind in CLASSIFICATION:
        codes = samples["label"].map({name: i for i, name in enumerate(fitted.outputs)})
        right = scores[np.arange(len(X)), codes.to_numpy(dtype=int)]
        return float(-np.log(np.clip(right, 1e-6, 1)).mean())
    truth = samples[label_columns(samples)].to_numpy(dtype=float)
    return float(np.nanmean((scores - truth) ** 2))


def alphabet_of(embedder: dict[str, Any], application: Application, sequences: list[str]) -> str:
    """Of which letters sequences are: as the features say, or the application, else a guess."""
    for said in (embedder.get("alphabet"), application.alphabet):
        if said in LETTERS:
            return said
    return "dna" if is_dna(sequences) else "protein"


def mutate(
    samples: pd.DataFrame,
    X: Any,
    fitted: Fitted,
    score: Score,
    alphabet: str,
    items: int,
    window: int,
) -> pd.DataFrame:
    """In-silico mutagenesis of the items that the model is surest of, or that it scores highest.

    `X` are the features of the samples. With `window` 1 every letter is replaced by every other
    one; with a larger one each window of letters is replaced by the unknown letter. Importance is
    the fall of the log odds of the predicted class (of the value in a regression).
    """
    scores = fitted.scores(X)
    regression = fitted.kind not in CLASSIFICATION
    said = scores.argmax(axis=1) if regression else fitted.decide_codes(scores)
    tables = []
    for row in _spread(scores, said, items):
        output = int(said[row])
        table = _mutants(samples["sequence"].iloc[row], alphabet, window)
        after = score(list(table.pop("mutant")))
        fall = _strength(scores[row : row + 1], output, fitted) - _strength(after, output, fitted)
        table = table.assign(importance=fall, low=fall, high=fall)
        predicted = f"{scores[row, output]:.2f}" if regression else fitted.outputs[output]
        tables.append(table.assign(item=samples["sample_id"].iloc[row], predicted=predicted))
    return pd.concat(tables, ignore_index=True)


def mask_residues(
    samples: pd.DataFrame,
    X: Any,
    fitted: Fitted,
    score: Score,
    alphabet: str,
    items: int,
    window: int,
) -> pd.DataFrame:
    """What each stretch of a few chains does for what is predicted of the whole chain.

    Windows of letters are replaced by the unknown letter, one at a time. Importance is the fall of
    the log odds of the classes predicted before, the mean over the chain's residues (or pairs of
    them). The chains are those that the model is surest of, of different kinds.
    """
    pairs = fitted.kind == "per_pair"
    offsets = pair_offsets(X.lengths) if pairs else X.offsets
    scores = fitted.scores(X)
    chains, codes = Ragged(scores, offsets), Ragged(fitted.decide_codes(scores), offsets)
    mostly = np.array([np.bincount(codes.item(i)).argmax() for i in range(len(codes))])
    tables = []
    for row in _spread(chains.mean(), mostly, items):
        before = chains.item(row)
        table = _mutants(samples["sequence"].iloc[row], alphabet, max(window, 2))
        after = score(list(table.pop("mutant"))).reshape(len(table), *before.shape)
        said = np.arange(len(before)), codes.item(row)
        fall = (_log_odds(before[said]) - _log_odds(after[:, *said])).mean(axis=1)
        table = table.drop(columns="reference").assign(importance=fall, low=fall, high=fall)
        predicted = "distances" if pairs else f"mostly {fitted.outputs[mostly[row]]}"
        tables.append(table.assign(item=samples["sample_id"].iloc[row], predicted=predicted))
    return pd.concat(tables, ignore_index=True)


def mean_map(sequences: list[str], fitted: Fitted, score: Score, letters: str) -> pd.DataFrame:
    """What each letter of the consensus is worth, as a mean over many sequences of one register.

    Importance is the mean fall of the score (log odds of the last class in a classification) when
    a position has another letter in place of the consensus', all else as in each sequence; `low`
    and `high` are its 95 % interval over the sequences. Only the commonest length is used.
    """
    if fitted.kind in ("multiclass", "multiregression"):
        raise DataError(f"`explain: mean_over` needs one value a sample, the task is {fitted.kind}")
    length = pd.Series(sequences).str.len().mode()[0]
    texts = [s for s in sequences if len(s) == length]
    consensus = [pd.Series([s[p] for s in texts]).mode()[0] for p in range(length)]
    changed = [
        s[:p] + letter + s[p + 1 :] for s in texts for p in range(length) for letter in letters
    ]
    unique = list(dict.fromkeys(changed))  # a letter in its own place gives the sequence itself
    strength = pd.Series(_strength(score(unique), len(fitted.outputs) - 1, fitted), index=unique)
    values = strength[changed].to_numpy().reshape(len(texts), length, len(letters))
    rows = []
    for position, reference in enumerate(consensus):
        if reference not in letters:
            continue
        kept = values[:, position, letters.index(reference)]
        for column, letter in enumerate(letters):
            if letter != reference:
                fall = kept - values[:, position, column]
                error = 1.96 * fall.std() / np.sqrt(len(fall))
                rows.append((position, letter, reference, fall.mean(), error))
    table = pd.DataFrame(rows, columns=["position", "feature", "reference", "importance", "error"])
    table["low"], table["high"] = (table["importance"] + s * table["error"] for s in (-1, 1))
    return table.drop(columns="error").assign(item=f"mean of {len(texts)}")


def mark_sites(table: pd.DataFrame, sites: dict[str, str]) -> pd.DataFrame:
    """The mean map with a column `site`: the name of the stretch that a position is in, or ""."""
    consensus = "".join(table.drop_duplicates("position")["reference"])
    positions = table["position"].drop_duplicates().to_numpy()
    named = pd.Series("", index=positions)
    for name, stretch in sites.items():
        if consensus.count(stretch) != 1:
            raise DataError(
                f"`explain: sites`: {name} is {consensus.count(stretch)} times in the consensus",
                hint=f"the consensus of the sequences is {consensus}",
            )
        start = consensus.index(stretch)
        named.iloc[start : start + len(stretch)] = name
    return table.assign(site=named[table["position"]].to_numpy())


def _spread(scores: np.ndarray, predicted: np.ndarray, items: int) -> np.ndarray:
    """The surest rows, as many of each predicted class as possible."""
    order = np.argsort(-scores[np.arange(len(scores)), predicted], kind="stable")
    rank = pd.Series(predicted[order]).groupby(predicted[order]).cumcount().to_numpy()
    return order[np.argsort(rank, kind="stable")][:items]


def _strength(scores: np.ndarray, output: int, fitted: Fitted) -> np.ndarray:
    if fitted.kind not in CLASSIFICATION:
        return scores[:, output]
    return _log_odds(scores[:, output])


def _log_odds(p: np.ndarray) -> np.ndarray:
    clipped = np.clip(p, 1e-6, 1 - 1e-6)
    return np.log(clipped / (1 - clipped))


def _mutants(sequence: str, alphabet: str, window: int) -> pd.DataFrame:
    """`position, feature, reference, mutant` of every substitution, or of every masked window."""
    rows = []
    for start in range(0, len(sequence), window):
        reference = sequence[start : start + window]
        for letter in LETTERS[alphabet] if window == 1 else UNKNOWN[alphabet]:
            if letter != reference:
                new = letter * len(reference)
                mutant = sequence[:start] + new + sequence[start + window :]
                rows.append((start, letter, reference, mutant))
    return pd.DataFrame(rows, columns=["position", "feature", "reference", "mutant"])
