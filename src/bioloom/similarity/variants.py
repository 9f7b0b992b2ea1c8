"""How alike two variants of one sequence are: letter by letter, at the best shift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from bioloom.formats.dna import is_dna, reverse_complement
from bioloom.similarity import BLOCK, Compare, Nearest, sequence, sequences
from bioloom.similarity.chance import beyond_chance
from bioloom.similarity.shifts import nearest_shifted

EQUAL_BASES = 0.3
"""How often two bases are equal by chance, in sequences that are not even."""
UNLIKELY = 1e-3


def nearest_variants(queries: list[str], targets: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Like `sequence.nearest_sequences` for sequences of one length, compared letter by letter.

    The similarity is 1 - Hamming distance / length. All pairs are compared, as a product of
    one-hot matrices.
    """
    letters = sorted(set("".join([*queries, *targets]).upper()))
    query, target = (_one_hot(texts, letters) for texts in (queries, targets))
    similarity, nearest = np.zeros(len(queries)), np.full(len(queries), -1)
    if not len(queries) or not len(targets):
        return similarity, nearest
    size = max(1, BLOCK // len(targets))
    for start in range(0, len(queries), size):
        equal = query[start : start + size] @ target.T
        best = equal.argmax(axis=1)
        similarity[start : start + size] = equal[np.arange(len(best)), best]
        nearest[start : start + size] = best
    return similarity / len(queries[0]), np.where(similarity > 0, nearest, -1)


def _one_hot(texts: list[str], letters: list[str]) -> np.ndarray:
    """Letters of equally long texts as flags, (N, length * letters) float32."""
    codes = np.array([list(text.upper()) for text in texts])
    flags = codes[..., None] == np.array(letters)
    return flags.reshape(len(texts), -1).astype(np.float32)


def compare(samples: pd.DataFrame, nodes: pd.DataFrame | None, directed: bool) -> Compare:
    """Each query is compared with all targets, and with what overlaps it at another place.

    Of DNA also on the other strand, where that is no chance: an element may be tested in both
    directions.
    """
    texts = sequences(samples)
    has_strands = is_dna(map(str.upper, texts))

    def nearest(queries: np.ndarray, targets: np.ndarray) -> Nearest:
        own, others = list(texts[queries]), list(texts[targets])
        found = [nearest_variants(own, others), nearest_shifted(own, others)]
        if has_strands:
            turned = [reverse_complement(text.upper()) for text in own]
            same_place = _surely(nearest_variants(turned, others), own, others)
            found += [same_place, nearest_shifted(turned, others)]
        similarity, index = (np.array(values) for values in zip(*found, strict=True))
        best, row = similarity.argmax(axis=0), np.arange(len(queries))
        return similarity[best, row], index[best, row]

    return nearest


def _surely(found: Nearest, queries: list[str], targets: list[str]) -> Nearest:
    """What is nearest, but where that many equal letters are no wonder among so many pairs.

    Sequences that are each other's other strand have no places in common by which to tell.
    """
    from scipy.stats import binom

    similarity, index = found
    length, pairs = len(queries[0]) if queries else 0, len(queries) * len(targets)
    chance = binom.sf(np.round(similarity * length) - 1, length, EQUAL_BASES) * pairs
    sure = (similarity == 1) | (chance < UNLIKELY)
    return np.where(sure, similarity, 0.0), np.where(sure, index, -1)


def _beyond_chance(
    samples: pd.DataFrame, rows: np.ndarray, others: np.ndarray, compared: int
) -> np.ndarray:
    """By the letters at each place; what is unlike there and alike at a shift is no chance."""
    letters = np.array([list(text.upper()) for text in sequences(samples)])
    shifted = (letters[rows] == letters[others]).mean(axis=1) < 0.5
    return shifted | beyond_chance(pd.DataFrame(letters), rows, others, compared)


measure = replace(
    sequence.measure,
    name="variants",
    description="identical letters / length, at the same positions or the best shift and strand",
    fits=lambda samples: "sequence" in samples and samples["sequence"].str.len().nunique() == 1,
    compare=compare,
    beyond_chance=_beyond_chance,
)
