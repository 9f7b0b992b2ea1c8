"""Unlabelled sequences as one text, and windows of it; what is held out never meets training.

Long records (genomes) are held out block by block along the sequence, short ones (proteins) whole.
A window lies within one stretch, so no training window touches a held-out position. Homologous
sequences and repeats may still lie on both sides: exact copies of a record are dropped, no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from bioloom.embedders import normalise_dna, normalise_protein
from bioloom.errors import DataError
from bioloom.formats.fasta import read_fasta

SHORTEST = 10  # letters; a shorter record says nothing
GAP = re.compile("N{10,}")  # a gap of an assembly separates two records

_COMPLEMENT = np.arange(256, dtype=np.uint8)
_COMPLEMENT[np.frombuffer(b"ACGT", dtype=np.uint8)] = np.frombuffer(b"TGCA", dtype=np.uint8)


@dataclass(frozen=True)
class Corpus:
    """`text (T,)` uint8 letters, and `stretches (S, 2)`: start and end of where windows may lie."""

    text: np.ndarray
    stretches: np.ndarray
    both_strands: bool

    def __len__(self) -> int:
        """Letters in all stretches."""
        return int(np.diff(self.stretches).sum())

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """A window of `size` letters, or a whole shorter stretch; DNA from either strand.

        Stretches are drawn in proportion to their length, then the window's place in it.
        """
        start, end = self.stretches[np.searchsorted(self._ends, rng.integers(len(self)), "right")]
        if end - start > size:
            start += rng.integers(end - start - size + 1)
            end = start + size
        window = self.text[start:end]
        return reverse_complement(window) if self.both_strands and rng.random() < 0.5 else window

    def windows(self, size: int, offset: int = 0) -> Iterator[np.ndarray]:
        """All stretches in windows of `size` letters side by side, from `offset`, forward only."""
        for start, end in self.stretches:
            for first in range(start + offset, end, size):
                if min(first + size, end) - first >= SHORTEST:
                    yield self.text[first : min(first + size, end)]

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.cumsum(np.diff(self.stretches)[:, 0])


def reverse_complement(window: np.ndarray) -> np.ndarray:
    """The other strand, read in its own direction."""
    return _COMPLEMENT[window[::-1]]


def read_records(path: str | Path, alphabet: str) -> list[str]:
    """The records of a FASTA file (plain or gzipped) by the rules of the embedders, gaps cut out.

    J (isoleucine or leucine) becomes X. Copies and records of under SHORTEST letters are dropped.
    """
    clean = normalise_dna if alphabet == "dna" else normalise_protein
    sequences: dict[str, None] = {}
    for record in read_fasta(path):
        try:
            sequence = clean(record.sequence)
        except DataError as error:
            raise DataError(f"{record.id}: {error}", file=path, row=record.row) from error
        pieces = GAP.split(sequence) if alphabet == "dna" else [sequence.replace("J", "X")]
        sequences |= dict.fromkeys(piece for piece in pieces if len(piece) >= SHORTEST)
    if not sequences:
        raise DataError(f"no sequence has {SHORTEST} letters or more", file=path)
    return list(sequences)


def split_corpus(
    records: list[str], alphabet: str, *, share: float, block: int, seed: int
) -> tuple[Corpus, Corpus]:
    """Training and held-out corpus over one text: `share` of the letters is held out.

    Records of over two blocks are cut into blocks; the others are one block each. Blocks are held
    out in random order; training blocks that touch are joined again.
    """
    text = np.frombuffer("".join(records).encode(), dtype=np.uint8)
    ends = np.cumsum([len(record) for record in records])
    blocks = np.array(
        [
            piece
            for end, record in zip(ends, records, strict=True)
            for piece in _blocks(int(end) - len(record), int(end), block)
        ]
    )
    order = np.random.default_rng(seed).permutation(len(blocks))
    taken = np.cumsum(np.diff(blocks[order])[:, 0])
    wanted = int(np.searchsorted(taken, share * len(text))) + 1
    if wanted >= len(blocks):
        raise DataError(
            f"the corpus of {len(text)} letters has too few blocks to hold some out",
            hint="give more sequences, or a smaller `training: block`",
        )
    held_out, train = np.sort(order[:wanted]), np.sort(order[wanted:])
    strands = alphabet == "dna"
    joined = _joined(blocks[train], set(ends.tolist()))
    return Corpus(text, joined, strands), Corpus(text, blocks[held_out], strands)


def _blocks(start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    count = (end - start) // size if end - start > 2 * size else 1
    edges = np.linspace(start, end, count + 1).astype(int).tolist()
    return zip(edges[:-1], edges[1:], strict=True)


def _joined(blocks: np.ndarray, record_ends: set[int]) -> np.ndarray:
    """Neighbouring blocks of one record as one stretch."""
    joined: list[list[int]] = []
    for start, end in blocks.tolist():
        if joined and joined[-1][1] == start and start not in record_ends:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return np.array(joined)


def read_corpora(files: Mapping[str, str | Path], alphabet: str) -> list[str]:
    """The records of all corpora, each different one once."""
    records: dict[str, None] = {}
    for file in files.values():
        records |= dict.fromkeys(read_records(file, alphabet))
    return list(records)
