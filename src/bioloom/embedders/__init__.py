"""Foundation models and cheap features behind one contract; the name in a task is the file.

An embedder is a module that imports cheaply (no torch at its top) and has
- `OPTIONS`: what the `features:` block may hold, name -> `Option`;
- `normalise(sequence, options) -> str`: the exact text that is hashed and embedded. It states the
  rule for lower case, unknown letters, stops and `<mask>`, and raises DataError on other letters;
- `weights_source(options) -> dict | None`: the pinned source of its default weights;
and one of
- `features(sequences, options) -> (X, names)`: nothing learnt, so cheap that it is never stored;
- `load(options, weights, device, dtype) -> Encoder`: a pretrained network; `LICENCE` is that of the
  weights of its `weights_source`. One that reads DNA alone says `ALPHABET = "dna"`.

What becomes of letters:

    white space, lower case   dropped; made upper case
    * (stop)                  protein: dropped at the end, X inside; DNA: refused
    <mask>                    X (DNA: N); `huggingface`: the mask token, if the model has one
    B J X Z (protein)         unknown: no column of cheap features, one letter of `unirep`;
                              `huggingface`: the tokenizer's letter or unknown token, J as X
    O U (protein)             the same, but `unirep` has letters of their own
    U, IUPAC codes (DNA)      T; N, which is no column of cheap features
    other letters, or none    DataError that names the sequence, and the letter's position
    30,000 letters            as any others; `huggingface`: windows where they exceed `max_length`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from bioloom.errors import DataError
from bioloom.options import complete_options
from bioloom.registry import find, names_in

if TYPE_CHECKING:
    import torch

Section = dict[str, Any]

AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
BASES = "ACGT"
# IUPAC: B is D or N, Z is E or Q, J is I or L; U and O are selenocysteine and pyrrolysine.
PROTEIN_LETTERS = AMINO_ACIDS.encode() + b"BJOUXZ"
DNA_LETTERS = BASES.encode() + b"UNRYSWKMBDHV"

TABLE = "table"
"""The embedder of samples that are a table: their own columns. It has no module of its own."""

POOLINGS = ("mean", "cls", "max", "tokens", "segments")


class States(NamedTuple):
    """Hidden states of a batch: `values (T, D)` holds sequence after sequence, special tokens in.

    `order (n,)` are the positions of the sequences in the list that was given to `encode`,
    `lengths (n,)` their numbers of tokens.
    """

    order: np.ndarray
    values: torch.Tensor
    lengths: np.ndarray


def states_in_order(batches: Iterable[States], n: int) -> list[np.ndarray]:
    """The states of n sequences, (tokens, D) float32 each, in the order that they were given in."""
    states: list[np.ndarray] = [np.empty(0)] * n
    for batch in batches:
        values = np.split(batch.values.float().cpu().numpy(), np.cumsum(batch.lengths)[:-1])
        for i, value in zip(batch.order, values, strict=True):
            states[i] = value
    return states


class SequenceError(DataError):
    """A sequence that cannot be encoded: `sequence`, as it was given to the encoder."""

    def __init__(self, message: str, sequence: str = "", *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.sequence = sequence


class Encoder(Protocol):
    """A loaded network. Its vectors must not depend on what else is in the batch."""

    identity: dict[str, Any]  # JSON-able: all that decides the numbers (weights hash, dtype ...)
    info: dict[str, Any]  # JSON-able: device and other facts worth keeping beside the features
    special: tuple[int, int]  # special tokens before and after the residues
    mean_special: bool  # whether mean pooling counts them

    def encode(self, sequences: Sequence[str]) -> Iterator[States]:
        """The states of all sequences, in batches and in an order of the encoder's choice."""

    def reference(self, sequences: Sequence[str]) -> list[np.ndarray]:
        """The states of a few sequences by the plainest fp32 path, to check `encode` against."""


def embedder_names() -> list[str]:
    """The names that `features: embedder` takes; a module with an underscore is shared by them."""
    return names_in(__name__)


def get_embedder(name: str) -> ModuleType:
    """The module of an embedder; DataError names the known ones."""
    return find(__name__, name, "embedder")


def parts_of(features: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> dict[str, Section]:
    """The parts of a `features:` section by name: a mapping is one part, a list may have several.

    A part is called as its embedder is, with a number where several have it: `kmer_1`, `kmer_2`.

    >>> list(parts_of([{"embedder": "kmer", "k": 2}, {"embedder": "kmer", "k": 3}]))
    ['kmer_1', 'kmer_2']
    """
    parts = [features] if isinstance(features, Mapping) else features
    embedders = [str(part["embedder"]) for part in parts]
    numbers = [embedders[: i + 1].count(name) for i, name in enumerate(embedders)]
    names = [
        f"{name}_{number}" if embedders.count(name) > 1 else name
        for name, number in zip(embedders, numbers, strict=True)
    ]
    return {name: dict(part) for name, part in zip(names, parts, strict=True)}


def complete(options: Mapping[str, Any]) -> dict[str, Any]:
    """The `features:` block with every default filled in; DataError on unknown keys or values."""
    if "embedder" not in options:
        raise DataError("features: `embedder` is missing")
    embedder = options["embedder"]
    given = {name: value for name, value in options.items() if name != "embedder"}
    known = get_embedder(embedder).OPTIONS
    return {"embedder": embedder, **complete_options(given, known, f"features of {embedder}")}


def is_learnt(part: Mapping[str, Any]) -> bool:
    """Whether a network makes the vectors of a part of a `features:` section."""
    embedder = part["embedder"]
    return embedder in embedder_names() and hasattr(get_embedder(embedder), "load")


def weights_source(options: Mapping[str, Any]) -> dict[str, str] | None:
    """Where the weights of a `features:` block come from by default; None: no pinned source."""
    if options.get("embedder") == TABLE:
        return None
    section = complete(options)
    return get_embedder(section["embedder"]).weights_source(section)


def model_files(folder: Path) -> list[Path]:
    """What of a model's folder decides its vectors: weights, configuration and tokenizer.

    Not notes, and not bioloom's own records of how it was made, which tell times and devices.
    """
    records = ("training.json", "finetuning.json")
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in (".safetensors", ".json", ".txt", ".model") and path.name not in records
    ]


def normalise_all(
    sequences: Sequence[str],
    ids: Sequence[Any],
    module: ModuleType,
    options: Mapping[str, Any],
) -> list[str]:
    """Every sequence as the embedder will see it; DataError names the sequence that cannot be."""
    texts = []
    for name, sequence in zip(ids, sequences, strict=True):
        try:
            texts.append(module.normalise(sequence, options))
        except DataError as error:
            raise DataError(f"sequence {name}: {error}") from error
    return texts


def normalise_protein(sequence: str) -> str:
    """Upper case without white space; a last `*` is dropped; `*` inside and `<mask>` become X.

    >>> normalise_protein(" mkt*<mask> "), normalise_protein("MKT*")
    ('MKTXX', 'MKT')
    """
    text = "".join(sequence.replace("<mask>", "X").split()).removesuffix("*").replace("*", "X")
    _refuse_other_letters(text, PROTEIN_LETTERS, "an amino-acid letter")
    return text.upper()


def normalise_dna(sequence: str) -> str:
    """Upper case without white space; U becomes T; every ambiguity code and `<mask>` becomes N.

    >>> normalise_dna("acgu ry")
    'ACGTNN'
    """
    text = "".join(sequence.replace("<mask>", "N").split())
    _refuse_other_letters(text, DNA_LETTERS, "a nucleotide letter")
    return text.upper().encode().translate(_TO_ACGTN).decode()


_TO_ACGTN = bytes.maketrans(b"URYSWKMBDHV", b"TNNNNNNNNNN")


def _refuse_other_letters(text: str, letters: bytes, expected: str) -> None:
    letters += letters.lower()
    if text.encode().translate(None, delete=letters):  # bytes: twenty times faster than a set
        position, letter = next((i, c) for i, c in enumerate(text, 1) if c.encode() not in letters)
        raise DataError(
            f"{letter!r} at position {position} is not {expected}",
            hint="remove gaps and digits, or check the `alphabet` of the features block",
        )
    if not text:
        raise DataError("the sequence is empty", hint="drop empty sequences in `clean`")
