"""Full rows of tokens, `(B, length)` without padding, and what is masked in them.

A row holds windows end to end, each as <cls> letters <sep>; the last is cut where the row ends.
Row i of step s depends on (seed, s, i) alone: a resumed run, or one on more processes, sees the
same rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bioloom.errors import DataError
from bioloom.pretraining.corpus import Corpus
from bioloom.pretraining.tokenizer import Codec

IGNORED = -100  # the target of a token that is not predicted
SPARE = 1.25  # BPE takes more letters for some windows than for others: so many times the mean


class Rows(NamedTuple):
    """`tokens (B, L)` as the network sees them, `targets` (IGNORED elsewhere), `documents`.

    `documents (B, L)` numbers the windows of a row: a token attends to its own window only.
    """

    tokens: np.ndarray
    targets: np.ndarray
    documents: np.ndarray


def draw_rows(
    corpus: Corpus, codec: Codec, *, length: int, mask: float, seed: int, step: int, rows: range
) -> Rows:
    """The training rows numbered `rows` of a step."""
    drawn = []
    for row in rows:
        rng = np.random.default_rng([seed, step, row])
        tokens, documents = next(_fill(_drawn_pieces(corpus, codec, length, rng), codec, length))
        drawn.append((*_mask(tokens, codec, mask, rng, all_masked=False), documents))
    return Rows(*map(np.stack, zip(*drawn, strict=True)))


def held_out_rows(corpus: Corpus, codec: Codec, *, length: int, mask: float, most: int) -> Rows:
    """Rows that tile the corpus once, at most `most`; every chosen letter is masked."""
    size = int((length - 2) * codec.letters_per_token)
    pieces = (codec.encode([window])[0] for window in corpus.windows(size))
    rng = np.random.default_rng(0)
    tiled = []
    for tokens, documents in _fill(pieces, codec, length):
        tiled.append((*_mask(tokens, codec, mask, rng, all_masked=True), documents))
        if len(tiled) == most:
            break
    if not tiled:
        raise DataError(
            f"the {len(corpus)} held-out letters do not fill one row of {length} tokens",
            hint="raise `training: held_out`, or lower `length`",
        )
    return Rows(*map(np.stack, zip(*tiled, strict=True)))


def _drawn_pieces(
    corpus: Corpus, codec: Codec, length: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Windows of at most `length` tokens with <cls> and <sep>, cut at random where longer."""
    room = length - 2
    size = int(room * codec.letters_per_token * (1 if codec.fixed else SPARE))
    while True:
        tokens = codec.encode([corpus.draw(size, rng)])[0]
        first = rng.integers(max(0, len(tokens) - room) + 1)
        yield tokens[first : first + room]


def _fill(
    pieces: Iterator[np.ndarray], codec: Codec, length: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Full rows of tokens and document numbers; what is left over at the end is dropped."""
    cls, sep = codec.id("cls"), codec.id("sep")
    row = np.empty(length, dtype=np.int64)
    documents = np.empty(length, dtype=np.int64)
    filled = number = 0
    for piece in pieces:
        document = np.concatenate([[cls], piece, [sep]])[: length - filled]
        row[filled : filled + len(document)] = document
        documents[filled : filled + len(document)] = number
        filled, number = filled + len(document), number + 1
        if filled == length:
            yield row.copy(), documents.copy()
            filled = number = 0


def _mask(
    tokens: np.ndarray, codec: Codec, share: float, rng: np.random.Generator, *, all_masked: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Hide letters, as many as `share` of the row's tokens: the same number in every row.

    As in BERT, 80 % of them become <mask>, 10 % a random letter and 10 % stay; or all <mask>.
    """
    letters = np.flatnonzero(tokens >= codec.first_letter)
    count = min(max(1, round(share * len(tokens))), len(letters))
    chosen = rng.choice(letters, count, replace=False)
    seen, targets = tokens.copy(), np.full_like(tokens, IGNORED)
    targets[chosen] = tokens[chosen]
    fate = np.zeros(len(chosen)) if all_masked else rng.random(len(chosen))
    seen[chosen[fate < 0.8]] = codec.id("mask")
    random = chosen[(fate >= 0.8) & (fate < 0.9)]
    seen[random] = rng.integers(codec.first_letter, len(codec.tokenizer), len(random))
    return seen, targets
