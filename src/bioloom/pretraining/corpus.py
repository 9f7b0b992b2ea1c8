"""Unlabelled sequences as one text, and windows of it; what is held out never meets training.

Long records (genomes) are held out block by block along the sequence, short ones (proteins) whole.
A window lies within one stretch, so no training window touches a held-out position. Homologous
sequences and repeats may still lie on both sides: exact copies of a record, for DNA on either
strand, are dropped, no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bioloom.embedders import normalise_dna, normalise_protein
from bioloom.errors import DataError
from bioloom.formats.fasta import iter_fasta
from bioloom.formats.genbank import is_genbank, iter_proteins

SHORTEST = 10  # letters; a shorter record says nothing
GAP = re.compile("N{10,}")  # a gap of an assembly separates two records

_PAIRS = str.maketrans("ACGT", "TGCA")
_COMPLEMENT = np.frombuffer(bytes.maketrans(b"ACGT", b"TGCA"), dtype=np.uint8)


@dataclass(frozen=True)
class Corpus:
    """`text (T,)` uint8 letters, and `stretches (S, 2)`: start and end of where windows may lie."""

    text: np.ndarray
    stretches: np.ndarray
    both_strands: bool
    _sums: dict[int, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        """Letters in all stretches."""
        return int(np.diff(self.stretches).sum())

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """A window of `size` letters, or a whole shorter stretch; DNA from either strand.

        Stretches are drawn in proportion to their length, then the window's place in it. One
        below `size` counts as `size`: as it gives fewer letters, it has to be drawn more often.
        """
        sums = self._cumulative(size)
        start, end = self.stretches[np.searchsorted(sums, rng.integers(sums[-1]), "right")]
        if end - start > size:
            start += rng.integers(end - start - size + 1)
            end = start + size
        window = self.text[start:end]
        return reverse_complement(window) if self.both_strands and rng.random() < 0.5 else window

    def windows(self, size: int) -> Iterator[np.ndarray]:
        """All stretches in windows of `size` letters side by side, forward only."""
        for start, end in self.spans(size):
            yield self.text[start:end]

    def spans(self, size: int, offset: int = 0) -> np.ndarray:
        """Start and end (W, 2) of windows of `size` letters side by side, from `offset` on.

        The last of a stretch is shorter, and left out below SHORTEST letters.
        """
        starts, ends = self.stretches.T
        counts = np.maximum(0, -((starts + offset - ends) // size))  # rounded up
        first = np.repeat(starts + offset, counts) + _places(counts) * size
        last = np.minimum(first + size, np.repeat(ends, counts))
        return np.stack([first, last], axis=1)[last - first >= SHORTEST]

    def _cumulative(self, size: int) -> np.ndarray:
        if size not in self._sums:
            self._sums[size] = np.cumsum(np.maximum(np.diff(self.stretches)[:, 0], size))
        return self._sums[size]


def reverse_complement(window: np.ndarray) -> np.ndarray:
    """The other strand, read in its own direction."""
    return _COMPLEMENT[window[::-1]]


def read_corpora(files: Mapping[str, str | Path], alphabet: str) -> list[str]:
    """The records of all corpora, each different one once, whichever strand it is given on.

    Files are FASTA (plain or gzipped) or, for proteins, GenBank; ids do not matter. Letters go by
    the rules of the embedders, and J (isoleucine or leucine) becomes X. Assemblies are cut at
    gaps; what is under SHORTEST letters is dropped. DataError: other letters, with their row.
    """
    records: dict[str, str] = {}
    for file in files.values():
        for piece in _read_pieces(Path(file), alphabet):
            records.setdefault(_either_strand(piece) if alphabet == "dna" else piece, piece)
    return list(records.values())


def _read_pieces(path: Path, alphabet: str) -> Iterator[str]:
    if path.is_dir():
        raise DataError("a corpus is a file, and this is a folder", file=path)
    clean = normalise_dna if alphabet == "dna" else normalise_protein
    found = False
    for name, sequence, row in _read_sequences(path, alphabet):
        try:
            sequence = clean(sequence) if sequence else ""
        except DataError as error:
            raise DataError(f"{name}: {error}", file=path, row=row) from error
        pieces = GAP.split(sequence) if alphabet == "dna" else [sequence.replace("J", "X")]
        for piece in pieces:
            if len(piece) >= SHORTEST:
                found = True
                yield piece
    if not found:
        raise DataError(f"no sequence has {SHORTEST} letters or more", file=path)


def _read_sequences(path: Path, alphabet: str) -> Iterator[tuple[str, str, int]]:
    """Name, sequence and row of each record."""
    if alphabet == "protein" and is_genbank(path):
        for protein in iter_proteins(path):
            yield protein.locus_tag, protein.sequence, protein.row
        return
    for record in iter_fasta(path):
        yield record.id, record.sequence, record.row


def _either_strand(sequence: str) -> str:
    """The same text for a sequence and its reverse complement."""
    return min(sequence, sequence.translate(_PAIRS)[::-1])


def join_records(records: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """The letters (T,) uint8 of all records end to end, and where each record ends (R,)."""
    text = np.frombuffer("".join(records).encode(), dtype=np.uint8)
    return text, np.cumsum([len(record) for record in records])


def split_corpus(
    text: np.ndarray,
    ends: np.ndarray,
    alphabet: str,
    *,
    share: float,
    block: int,
    seed: int,
    least: int = SHORTEST,
) -> tuple[Corpus, Corpus]:
    """Training and held-out corpus over one text: about `share` of the letters is held out.

    Records of over two blocks are cut into blocks, the others are one block each. A block of more
    than `share` of the text is made smaller, though not below `least` letters. The blocks to hold
    out are drawn and stay in that random order; training blocks that touch are joined again.
    """
    blocks = _blocks(ends, min(block, max(least, int(share * len(text)))))
    if len(blocks) < 2:
        raise DataError(
            f"the corpus of {len(text)} letters has too few blocks to hold some out",
            hint="give more sequences, or lower `training: length`",
        )
    order = np.random.default_rng(seed).permutation(len(blocks))
    taken = np.cumsum(np.diff(blocks[order])[:, 0])
    wanted = 1 + int(np.argmin(np.abs(taken[:-1] - share * len(text))))
    joined = _joined(blocks[np.sort(order[wanted:])], ends)
    strands = alphabet == "dna"
    return Corpus(text, joined, strands), Corpus(text, blocks[order[:wanted]], strands)


def _blocks(ends: np.ndarray, size: int) -> np.ndarray:
    """Start and end (B, 2) of blocks of `size` letters or some more, in the order of the text."""
    lengths = np.diff(ends, prepend=0)
    counts = np.where(lengths > 2 * size, lengths // size, 1)
    place, count, length = _places(counts), np.repeat(counts, counts), np.repeat(lengths, counts)
    start = np.repeat(ends - lengths, counts)
    edges = [start + place * length // count, start + (place + 1) * length // count]
    return np.stack(edges, axis=1)


def _places(counts: np.ndarray) -> np.ndarray:
    """0, 1 ... up to each count, end to end."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def _joined(blocks: np.ndarray, record_ends: np.ndarray) -> np.ndarray:
    """Neighbouring blocks of one record as one stretch."""
    starts, ends = blocks.T
    apart = (starts[1:] != ends[:-1]) | np.isin(starts[1:], record_ends)
    return np.stack([starts[np.append(True, apart)], ends[np.append(apart, True)]], axis=1)
