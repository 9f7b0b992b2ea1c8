"""The `pretrain:` block of one network: what it may hold, its defaults, and its checks.

Imported by the Snakefile, so nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args

from bioloom.errors import DataError

Alphabet = Literal["dna", "protein"]
TokenizerKind = Literal["characters", "kmer", "bpe"]
Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class Tokenizer:
    """`characters`; `kmer`: k letters a token, not overlapping; `bpe` with `vocabulary` tokens."""

    kind: TokenizerKind = "characters"
    k: int = 6
    vocabulary: int = 4096

    def __post_init__(self) -> None:
        _one_of("tokenizer: kind", self.kind, get_args(TokenizerKind))
        _at_least("tokenizer: k", self.k, 1)
        _at_least("tokenizer: vocabulary", self.vocabulary, 32)


@dataclass(frozen=True)
class Training:
    """Masked language modelling; a batch is tokens_per_batch / length full rows, no padding."""

    steps: int = 1000
    tokens_per_batch: int = 8192
    length: int = 512  # tokens a row, special tokens in
    learning_rate: float = 1e-3
    warmup: float = 0.05  # share of the steps, before half a cosine down to zero
    weight_decay: float = 0.01
    clip: float = 1.0  # largest norm of the gradient
    mask: float = 0.15  # share of each row's tokens: 80 % of them masked, 10 % random, 10 % kept
    held_out: float = 0.05  # share of the letters that is never trained on
    block: int = 20_000  # letters: a longer record is held out in blocks of this size
    checkpoint_every: int = 100  # steps
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        _one_of("training: precision", self.precision, get_args(Precision))
        for name in ("steps", "checkpoint_every"):
            _at_least(f"training: {name}", getattr(self, name), 1)
        _at_least("training: length", self.length, 8)
        _at_least("training: block", self.block, self.length)
        _at_least("training: tokens_per_batch", self.tokens_per_batch, self.length)
        for name in ("mask", "held_out"):
            if not 0 < getattr(self, name) < 1:
                raise DataError(f"training: {name} must lie between 0 and 1")

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
        if tokenizer.kind == "kmer" and alphabet == "protein" and tokenizer.k > 3:
            raise DataError("tokenizer: k above 3 gives over 100,000 different protein k-mers")
        training = _build(Training, "training", section.get("training", {}))
        return cls(alphabet, tokenizer, architecture, training)


def _build(kind: type, place: str, given: Mapping[str, Any]) -> Any:
    known = {field.name: field for field in fields(kind)}
    if unknown := sorted(set(given) - set(known)):
        raise DataError(
            f"{place}: unknown key {', '.join(unknown)}", hint=f"it takes {', '.join(known)}"
        )
    for name, value in given.items():
        default = known[name].default
        expected = (int, float) if isinstance(default, float) else (type(default),)
        if not isinstance(value, expected) or isinstance(value, bool):
            raise DataError(f"{place}: {name} must be {expected[-1].__name__}, got {value!r}")
    return kind(**given)


def _one_of(place: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise DataError(f"{place} must be one of {', '.join(known)}, got {value!r}")


def _at_least(place: str, value: int, least: int) -> None:
    if value < least:
        raise DataError(f"{place} must be at least {least}, got {value}")
