"""How well masked letters are predicted on held-out windows, and by counting instead.

Perplexity is exp(mean negative log likelihood) per masked token. The counting baselines are
interpolated k-mer models over the same tokens (each longer context smoothed by the shorter one):
`unigram`; `markov`, of the tokens before; `neighbours`, of the nearest tokens on both sides. They
are shown the true neighbours, also those that the network sees masked, and the strength of their
smoothing is chosen on the held-out tokens themselves: both favour the baselines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from bioloom.pretraining.corpus import Corpus, reverse_complement
from bioloom.pretraining.rows import IGNORED, Rows
from bioloom.pretraining.tokenizer import Codec

CELLS = 2**25  # of the largest table of counts
MOST_TOKENS = 40_000_000  # that are counted
PIECE = 10_000  # letters tokenised at a time
SMOOTHING = (1.0, 4.0, 16.0, 64.0, 256.0)
EDGE = -1
RESAMPLES = 1000


def count_baselines(corpus: Corpus, codec: Codec, rows: Rows) -> dict[str, np.ndarray]:
    """Negative log likelihood (M,) of each masked token of `rows`, by each baseline; nats."""
    train = _stream(corpus, codec)
    tokens = np.where(rows.targets == IGNORED, rows.tokens, rows.targets).ravel()
    tokens[tokens < codec.first_letter] = EDGE
    places = np.flatnonzero(rows.targets.ravel() != IGNORED)
    train, tokens, letters = _renumber(train, tokens)
    cells = min(CELLS, 16 * len(train))  # longer contexts than the corpus can fill tell nothing
    order = max(0, int(math.log(cells) / math.log(max(letters, 2))) - 1)
    before = [-distance for distance in range(1, order + 1)]
    around = [side * distance for distance in range(1, order // 2 + 1) for side in (-1, 1)]
    contexts = {"unigram": [], "markov": before, "neighbours": around}
    return {
        f"{name}_{len(offsets)}" if offsets else name: _best_smoothing(
            train, tokens, places, offsets, letters
        )
        for name, offsets in contexts.items()
        if offsets or name == "unigram"
    }


def summary(losses: dict[str, np.ndarray], rows: Rows, letters_per_token: float) -> dict[str, Any]:
    """Perplexity and bits a letter of each, and what the network gains over the best baseline.

    The gain (bits a letter) has a 95 % interval from resampling rows, paired.
    """
    predictors = {
        name: {
            "perplexity": math.exp(loss.mean()),
            "bits_per_letter": float(loss.mean()) / math.log(2) / letters_per_token,
        }
        for name, loss in losses.items()
    }
    best = min((n for n in losses if n != "model"), key=lambda name: losses[name].mean())
    row = np.nonzero(rows.targets != IGNORED)[0]
    gain = (losses[best] - losses["model"]) / math.log(2) / letters_per_token
    sums, counts = np.bincount(row, gain), np.bincount(row)
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(sums), size=(RESAMPLES, len(sums)))
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
    interval = {"value": float(gain.mean()), "low": float(low), "high": float(high)}
    return {
        "masked_tokens": len(gain),
        "predictors": predictors,
        "gain": {"unit": "bits per letter", **interval, "against": best},
    }


def _stream(corpus: Corpus, codec: Codec) -> np.ndarray:
    """The corpus as tokens, an EDGE after each piece: both strands, every frame of k-mers."""
    pieces: list[np.ndarray] = []
    total = 0
    for windows in _readings(corpus, codec):
        for tokens in codec.encode(windows):
            pieces += [tokens, np.array([EDGE])]
            total += len(tokens)
        if total > MOST_TOKENS:
            break
    return np.concatenate(pieces)[:MOST_TOKENS]


def _readings(corpus: Corpus, codec: Codec) -> Iterator[list[np.ndarray]]:
    frames = range(int(codec.letters_per_token)) if codec.letters_per_token % 1 == 0 else range(1)
    for frame in frames:
        forward = list(corpus.windows(PIECE, frame))
        yield forward
        if corpus.both_strands:
            yield [reverse_complement(window) for window in forward]


def _renumber(train: np.ndarray, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Both with the letters that occur numbered from 0, and how many they are; EDGE stays."""
    occurring = np.unique(np.concatenate([train, tokens]))
    occurring = occurring[occurring != EDGE]
    numbers = np.full(int(occurring.max()) + 2, EDGE, dtype=np.int64)  # the last for EDGE
    numbers[occurring] = np.arange(len(occurring))
    return numbers[train], numbers[tokens], len(occurring)


def _best_smoothing(
    train: np.ndarray, tokens: np.ndarray, places: np.ndarray, offsets: list[int], letters: int
) -> np.ndarray:
    """-log p of `tokens[places]` given the tokens at `offsets`, nearest first."""
    unigram = np.bincount(train[train != EDGE], minlength=letters) + 1.0
    asked = tokens[places]
    p = np.tile(unigram[asked] / unigram.sum(), (len(SMOOTHING), 1))
    here, known = np.flatnonzero(train != EDGE), np.arange(len(places))
    code, asked_code = np.zeros(len(here), np.int64), np.zeros(len(places), np.int64)
    strength = np.array(SMOOTHING)[:, None]
    for offset in offsets:
        here, code = _extend(train, here, code, offset, letters)
        there, asked_code = _extend(tokens, places[known], asked_code, offset, letters)
        known = known[np.isin(places[known], there, assume_unique=True)]
        table = np.bincount(code * letters + train[here])
        table = np.pad(table, (0, letters ** (len(offsets) + 1) - len(table)))
        joint = table[asked_code * letters + asked[known]]
        total = table[: table.size // letters * letters].reshape(-1, letters).sum(1)[asked_code]
        p[:, known] = (joint + strength * p[:, known]) / (total + strength)
    losses = -np.log(p)
    return losses[losses.mean(axis=1).argmin()]


def _extend(
    stream: np.ndarray, places: np.ndarray, code: np.ndarray, offset: int, letters: int
) -> tuple[np.ndarray, np.ndarray]:
    """The places whose neighbour at `offset` is a letter, and their contexts longer by it."""
    there = places + offset
    inside = (there >= 0) & (there < len(stream))
    neighbour = np.where(inside, stream[np.clip(there, 0, len(stream) - 1)], EDGE)
    kept = neighbour != EDGE
    return places[kept], code[kept] * letters + neighbour[kept]
