"""How well masked letters are predicted on held-out windows, and by counting instead.

Perplexity is exp(mean negative log likelihood) per masked token. The counting baselines are
interpolated k-mer models over the same tokens (each longer context smoothed by the shorter one):
`unigram`; `markov`, of the tokens before; `neighbours`, of the nearest tokens on both sides. They
are shown the true neighbours, also those that the network sees masked, and the strength of their
smoothing is chosen on the held-out tokens themselves: both favour the baselines. Of a corpus with
more than MOST_TOKENS tokens (both strands and all frames of k-mers in) a random part is counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from bioloom.pretraining.corpus import Corpus, reverse_complement
from bioloom.pretraining.rows import IGNORED, Rows
from bioloom.pretraining.tokenizer import Codec

MOST_TOKENS = 40_000_000  # that are counted
PIECE = 10_000  # letters of a window
WINDOWS = 100  # tokenised at a time
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
    cells = 16 * len(train)  # longer contexts than the corpus can fill tell nothing
    order = max(1, int(math.log(cells) / math.log(max(letters, 2))) - 1)
    before = [-distance for distance in range(1, order + 1)]
    around = [side * d for d in range(1, max(1, order // 2) + 1) for side in (-1, 1)]
    contexts = {"unigram": [], f"markov_{order}": before, f"neighbours_{len(around)}": around}
    return {
        name: _best_smoothing(train, tokens, places, offsets, letters)
        for name, offsets in contexts.items()
    }


def summary(losses: dict[str, np.ndarray], rows: Rows, codec: Codec) -> dict[str, Any]:
    """Perplexity and bits a letter of each, and what the network gains over the best baseline.

    Letters are those of the masked tokens. The gain (bits a letter) has a 95 % interval from
    resampling rows, paired.
    """
    masked = rows.targets != IGNORED
    row, letters = np.nonzero(masked)[0], codec.token_letters[rows.targets[masked]]
    bits = {name: loss / math.log(2) for name, loss in losses.items()}
    predictors = {
        name: {
            "perplexity": math.exp(losses[name].mean()),
            "bits_per_letter": float(bits[name].sum() / letters.sum()),
        }
        for name in losses
    }
    best = min((n for n in losses if n != "model"), key=lambda name: losses[name].mean())
    gain = bits[best] - bits["model"]
    sums, counts = np.bincount(row, gain), np.bincount(row, letters)
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(sums), size=(RESAMPLES, len(sums)))
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
    value = float(gain.sum() / letters.sum())
    interval = {"value": value, "low": float(low), "high": float(high)}
    return {
        "masked_tokens": len(gain),
        "predictors": predictors,
        "gain": {"unit": "bits per letter", **interval, "against": best},
    }


def _stream(corpus: Corpus, codec: Codec) -> np.ndarray:
    """The corpus as tokens, an EDGE after each window; of a larger one MOST_TOKENS of them."""
    pieces: list[np.ndarray] = []
    total = 0
    for windows in _readings(corpus, codec):
        for tokens in codec.encode(windows):
            pieces += [tokens, np.array([EDGE])]
            total += len(tokens) + 1
        if total >= MOST_TOKENS:
            break
    return np.concatenate(pieces)[:MOST_TOKENS]


def _readings(corpus: Corpus, codec: Codec) -> Iterator[list[np.ndarray]]:
    """All windows in random order, so that the first ones stand for all: WINDOWS at a time.

    On both strands, and in every frame of k-mers.
    """
    rng = np.random.default_rng(0)
    for frame in range(int(codec.letters_per_token) if codec.fixed else 1):
        spans = rng.permutation(corpus.spans(PIECE, frame))
        for first in range(0, len(spans), WINDOWS):
            forward = [corpus.text[start:end] for start, end in spans[first : first + WINDOWS]]
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
    """-log p of `tokens[places]` given the tokens at `offsets`, nearest first.

    Only contexts that are asked for are counted, numbered anew at each length, so that neither
    long ones nor large vocabularies need large tables.
    """
    unigram = np.bincount(train[train != EDGE], minlength=letters) + 1.0
    asked = tokens[places]
    p = np.tile(unigram[asked] / unigram.sum(), (len(SMOOTHING), 1))
    here, known = np.flatnonzero(train != EDGE), np.arange(len(places))
    code, asked_code = np.zeros(len(here), np.int64), np.zeros(len(places), np.int64)
    strength = np.array(SMOOTHING)[:, None]
    for offset in offsets:
        kept, code = _extend(train, here, code, offset, letters)
        here = here[kept]
        kept, asked_code = _extend(tokens, places[known], asked_code, offset, letters)
        known = known[kept]
        asked_code, found, code = _number(asked_code, code)
        here = here[found]
        total = np.bincount(code, minlength=len(known))[asked_code]
        pair, _, train_pair = _number(
            asked_code * letters + asked[known], code * letters + train[here]
        )
        joint = np.bincount(train_pair, minlength=len(known))[pair]
        p[:, known] = (joint + strength * p[:, known]) / (total + strength)
    losses = -np.log(p)
    return losses[losses.mean(axis=1).argmin()]


def _extend(
    stream: np.ndarray, places: np.ndarray, code: np.ndarray, offset: int, letters: int
) -> tuple[np.ndarray, np.ndarray]:
    """Which places have a letter at `offset` beside them, and their contexts longer by it."""
    there = places + offset
    inside = (there >= 0) & (there < len(stream))
    neighbour = np.where(inside, stream[np.clip(there, 0, len(stream) - 1)], EDGE)
    kept = np.flatnonzero(neighbour != EDGE)
    return kept, code[kept] * letters + neighbour[kept]


def _number(asked: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The asked codes numbered from 0, which of `codes` are among them, and those's numbers."""
    kinds, numbers = np.unique(asked, return_inverse=True)
    if not len(kinds):
        return numbers, np.empty(0, np.int64), np.empty(0, np.int64)
    nearest = np.minimum(np.searchsorted(kinds, codes), len(kinds) - 1)
    found = np.flatnonzero(kinds[nearest] == codes)
    return numbers, found, nearest[found]
