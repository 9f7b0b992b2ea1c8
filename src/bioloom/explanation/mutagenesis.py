"""In-silico mutagenesis: how much the score falls when letters are replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.arrays import Ragged
from bioloom.embedders import AMINO_ACIDS, BASES, Section, parts_of
from bioloom.errors import DataError
from bioloom.explanation.budget import affordable_texts, affordable_window
from bioloom.fitted import Fitted
from bioloom.formats.dna import is_dna
from bioloom.structures.distances import answer_offsets

LETTERS = {"protein": AMINO_ACIDS, "dna": BASES}
UNKNOWN = {"protein": "X", "dna": "N"}

Score = Callable[[list[str]], np.ndarray]
"""Sequences to the model's calibrated scores, (N, n_outputs)."""


def alphabet_of(
    embedder: Section | list[Section], application: Application, sequences: list[str]
) -> str:
    """Of which letters sequences are: as the features say, or the application, else a guess."""
    of_parts = [part.get("alphabet") for part in parts_of(embedder).values()]
    for said in (*of_parts, application.alphabet):
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
    letters: float = np.inf,
) -> pd.DataFrame:
    """In-silico mutagenesis of the items that the model is surest of, or that it scores highest.

    `X` are the features of the samples. With `window` 1 every letter is replaced by every other
    one; with a larger one each window of letters is replaced by the unknown letter. Importance is
    the fall of the log odds of the predicted class (of the value in a regression). Where more than
    so many `letters` would be read, windows are wider, then items fewer.
    """
    scores = fitted.scores(X)
    values = fitted.kind.output == "values"
    said = fitted.kind.decide(scores, fitted.calibration)
    chosen, window = _afforded(samples, _spread(scores, said, items), alphabet, window, letters)
    tables = []
    for row in chosen:
        output = int(said[row])
        table = _mutants(samples["sequence"].iloc[row], alphabet, window)
        after = score(list(table.pop("mutant")))
        fall = _strength(scores[row : row + 1], output, fitted) - _strength(after, output, fitted)
        table = table.assign(importance=fall, low=fall, high=fall)
        predicted = f"{scores[row, output]:.2f}" if values else fitted.outputs[output]
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
    letters: float = np.inf,
) -> pd.DataFrame:
    """What each stretch of a few chains does for what is predicted of the whole chain.

    Windows of letters are replaced by the unknown letter, one at a time. Importance is the fall of
    the log odds of the classes predicted before, the mean over the chain's residues (or pairs of
    them). The chains are those that the model is surest of, of different kinds.
    """
    kind, scores = fitted.kind, fitted.scores(X)
    offsets = answer_offsets(kind.unit, X)
    chains = Ragged(scores, offsets)
    codes = Ragged(kind.decide(scores, fitted.calibration), offsets)
    mostly = np.array([np.bincount(codes.item(i)).argmax() for i in range(len(codes))])
    chosen = _spread(chains.mean(), mostly, items)
    chosen, window = _afforded(samples, chosen, alphabet, max(window, 2), letters)
    tables = []
    for row in chosen:
        before = chains.item(row)
        table = _mutants(samples["sequence"].iloc[row], alphabet, window)
        after = score(list(table.pop("mutant"))).reshape(len(table), *before.shape)
        said = np.arange(len(before)), codes.item(row)
        fall = (_log_odds(before[said]) - _log_odds(after[:, *said])).mean(axis=1)
        table = table.drop(columns="reference").assign(importance=fall, low=fall, high=fall)
        mostly_said = f"mostly {fitted.outputs[mostly[row]]}"
        predicted = "distances" if kind.unit == "residue_pair" else mostly_said
        tables.append(table.assign(item=samples["sample_id"].iloc[row], predicted=predicted))
    return pd.concat(tables, ignore_index=True)


def mean_map(
    sequences: list[str], fitted: Fitted, score: Score, letters: str, read: float = np.inf
) -> pd.DataFrame:
    """What each letter of the consensus is worth, as a mean over many sequences of one register.

    Importance is the mean fall of the score (log odds of the last class in a classification) when
    a position has another letter in place of the consensus', all else as in each sequence; `low`
    and `high` are its 95 % interval over the sequences. Only the commonest length is used, and so
    many sequences that no more than `read` letters are read.
    """
    if len(fitted.outputs) > (2 if fitted.kind.output == "classes" else 1):
        raise DataError(
            f"`explain: mean_over` needs one value a sample, the task predicts {fitted.kind.name}"
        )
    length = pd.Series(sequences).str.len().mode()[0]
    texts = [s for s in sequences if len(s) == length]
    consensus = [pd.Series([s[p] for s in texts]).mode()[0] for p in range(length)]
    texts = texts[: affordable_texts(read, length, len(letters) - 1, len(texts))]
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


def _afforded(
    samples: pd.DataFrame, chosen: np.ndarray, alphabet: str, window: int, letters: float
) -> tuple[np.ndarray, int]:
    """Of the chosen rows those, and the window, for which no more letters are read."""
    lengths = samples["sequence"].iloc[chosen].str.len().tolist()
    items, window = affordable_window(letters, lengths, window, len(LETTERS[alphabet]) - 1)
    return chosen[:items], window


def _strength(scores: np.ndarray, output: int, fitted: Fitted) -> np.ndarray:
    if fitted.kind.output == "values":
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
