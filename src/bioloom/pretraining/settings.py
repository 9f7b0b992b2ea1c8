"""The `pretrain:` block of one network: what it may hold, its defaults, and its checks.

Imported by the Snakefile, so nothing heavy is imported here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args

from bioloom.errors import DataError
from bioloom.options import complete_options

Alphabet = Literal["dna", "protein"]
TokenizerKind = Literal["characters", "kmer", "bpe"]
Precision = Literal["auto", "float32", "bfloat16"]

LETTERS = {"dna": 4, "protein": 20}
MOST_KMERS = 100_000  # different ones: each has a vector of its own to be learnt


@dataclass(frozen=True)
class Tokenizer:
    """`characters`; `kmer`: k letters a token, not overlapping; `bpe` with `vocabulary` tokens."""

    kind: TokenizerKind = "characters"
    """What a token is: a letter, k letters, or a frequent piece."""
    k: int = 6
    """Letters of a token; of `kind: kmer`."""
    vocabulary: int = 4096
    """Tokens; of `kind: bpe`."""

    def __post_init__(self) -> None:
        _one_of("tokenizer: kind", self.kind, get_args(TokenizerKind))
        _at_least("tokenizer: k", self.k, 1)
        _at_least("tokenizer: vocabulary", self.vocabulary, 32)

    def letters(self, alphabet: Alphabet) -> int:
        """Letters of a token; of BPE as many as if all texts of that length were tokens."""
        if self.kind == "bpe":
            return math.ceil(math.log(self.vocabulary, LETTERS[alphabet]))
        return self.k if self.kind == "kmer" else 1


@dataclass(frozen=True)
class Training:
    """Masked language modelling; a batch is tokens_per_batch / length full rows, no padding."""

    steps: int = 1000
    """Batches."""
    tokens_per_batch: int = 8192
    """Tokens of a step."""
    length: int = 512
    """Tokens a row, special ones among them."""
    learning_rate: float = 1e-3
    """Of AdamW, the highest."""
    warmup: float = 0.05
    """Share of the steps until then, before half a cosine down to zero."""
    weight_decay: float = 0.01
    """Of AdamW: how strongly weights are drawn to 0."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    mask: float = 0.15
    """Share of each row's tokens: 80 % of them masked, 10 % random, 10 % kept."""
    held_out: float = 0.05
    """Share of the letters that is never trained on."""
    block: int = 20_000
    """Letters: a longer record is held out in blocks of this size at most."""
    checkpoint_every: int = 100
    """Steps."""
    precision: Precision = "auto"
    """Of numbers in training: auto is bfloat16 where a GPU has it."""

    def __post_init__(self) -> None:
        _one_of("training: precision", self.precision, get_args(Precision))
        for name in ("steps", "checkpoint_every"):
            _at_least(f"training: {name}", getattr(self, name), 1)
        _at_least("training: length", self.length, 8)
        _at_least("training: tokens_per_batch", self.tokens_per_batch, self.length)
        for name in ("mask", "held_out"):
            if not 0 < getattr(self, name) < 1:
                raise DataError(f"training: {name} must lie between 0 and 1")
        for name in ("learning_rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise DataError(f"training: {name} must be a number above 0")
        if not 0 <= self.weight_decay < math.inf:
            raise DataError("training: weight_decay must be a number from 0 on")
        if not 0 <= self.warmup <= 1:
            raise DataError("training: warmup must be from 0 to 1")

    @property
    def rows(self) -> int:
        """Rows of a batch."""
        return self.tokens_per_batch // self.length


@dataclass(frozen=True)
class Settings:
    """All that decides a pretrained network, beside the corpora and the seed."""

    alphabet: Alphabet
    tokenizer: Tokenizer
    architecture: dict[str, Any]
    training: Training

    @classmethod
    def from_config(cls, section: Mapping[str, Any]) -> Self:
        """Read a `pretrain:` block; DataError names what is unknown or out of range."""
        alphabet = section.get("alphabet", "dna")
        _one_of("alphabet", alphabet, get_args(Alphabet))
        architecture = dict(section.get("architecture", {}))
        if not isinstance(architecture.get("model_type"), str):
            raise DataError("architecture: `model_type` (bert, esm, modernbert ...) is missing")
        tokenizer = _build(Tokenizer, "tokenizer", section.get("tokenizer", {}))
        if tokenizer.kind == "kmer" and tokenizer.k > math.log(MOST_KMERS, LETTERS[alphabet]):
            raise DataError(
                f"tokenizer: k = {tokenizer.k} gives over {MOST_KMERS:,} {alphabet} k-mers",
                hint="lower `k`, or use `kind: bpe`",
            )
        training = _build(Training, "training", section.get("training", {}))
        settings = cls(alphabet, tokenizer, architecture, training)
        _at_least("training: block (letters)", training.block, settings.row_letters)
        return settings

    @property
    def row_letters(self) -> int:
        """Letters that fill a row of tokens."""
        return self.training.length * self.tokenizer.letters(self.alphabet)


def _build(kind: type, place: str, given: Mapping[str, Any]) -> Any:
    defaults = {field.name: field.default for field in fields(kind)}
    return kind(**complete_options(given, defaults, place))


def _one_of(place: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise DataError(f"{place} must be one of {', '.join(known)}, got {value!r}")


def _at_least(place: str, value: float, least: int) -> None:
    if value < least:
        raise DataError(f"{place} must be at least {least}, got {value}")
