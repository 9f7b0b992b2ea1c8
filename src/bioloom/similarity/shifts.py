"""Sequences of one length that are the same stretch, shifted: windows that overlap on a genome.

Compared letter by letter such windows are unlike. Here words of 16 letters are looked up that lie
at different places in two sequences; each such shift is then compared letter by letter.
"""

from __future__ import annotations

import numpy as np

WORD = 16
STEP = 4
"""Targets have a word looked up every so many letters, so that a stretch of 19 is never missed."""
TRIED = 8
"""Of the shifts of a query so many, the smallest, are compared letter by letter."""
BLOCK = 2000  # queries at a time


def nearest_shifted(queries: list[str], targets: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Equal letters / length at the best shift but none, (Q,), and its target, (Q,); 0 and -1.

    The sequences have one length; what one of them has beyond the other counts as unequal.
    """
    similarity, nearest = np.zeros(len(queries)), np.full(len(queries), -1)
    if not queries or not targets or len(queries[0]) < WORD:
        return similarity, nearest
    query, target = (_letters(texts) for texts in (queries, targets))
    known = _distinct(*_words(target, STEP))
    length = query.shape[1]
    for first in range(0, len(query), BLOCK):
        for i, j, shift in _shifts(query[first : first + BLOCK], known):
            overlap = length - abs(shift)
            own = query[first + i, max(shift, 0) :][:overlap]
            equal = (own == target[j, max(-shift, 0) :][:overlap]).sum() / length
            if equal > similarity[first + i]:
                similarity[first + i], nearest[first + i] = equal, j
    return similarity, nearest


def _letters(texts: list[str]) -> np.ndarray:
    return np.array([list(text.upper().encode()) for text in texts], dtype=np.uint8)


Words = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Numbers of words, whose each is, and where it begins."""


def _shifts(query: np.ndarray, known: Words) -> np.ndarray:
    """(query, target, place in the query - place in the target) that share a word, each once."""
    words, item, place = known
    own, query_item, query_place = _words(query, 1)
    start, end = (np.searchsorted(words, own, side=side) for side in ("left", "right"))
    counts = end - start
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    at = np.repeat(start, counts) + within
    shift = np.repeat(query_place, counts) - place[at]
    found = np.stack([np.repeat(query_item, counts), item[at], shift], axis=1)
    found = np.unique(found[shift != 0], axis=0)
    found = found[np.lexsort((np.abs(found[:, 2]), found[:, 0]))]
    _, begin, size = np.unique(found[:, 0], return_index=True, return_counts=True)
    return found[np.arange(len(found)) - np.repeat(begin, size) < TRIED]


def _distinct(words: np.ndarray, item: np.ndarray, place: np.ndarray) -> Words:
    """Each word at each place once, in order: variants of one sequence share nearly all."""
    order = np.lexsort((place, words))
    words, item, place = words[order], item[order], place[order]
    new = (np.diff(words, prepend=words[:1] + 1) != 0) | (np.diff(place, prepend=-1) != 0)
    return words[new], item[new], place[new]


def _words(codes: np.ndarray, step: int) -> Words:
    """The words of all sequences, one every `step` letters."""
    powers = np.random.default_rng(0).integers(1, 2**62, WORD, dtype=np.uint64)
    places = np.arange(0, codes.shape[1] - WORD + 1, step)
    words = np.zeros((len(codes), len(places)), dtype=np.uint64)
    for shift, power in enumerate(powers):
        words += codes[:, places + shift] * power
    item, column = np.indices(words.shape)
    return words.ravel(), item.ravel(), places[column.ravel()]
