"""Reads of FASTQ files as packed arrays, and back: letters as codes, A C G T N as 0 to 4."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bioloom.errors import DataError
from bioloom.reads.programs import require

if TYPE_CHECKING:
    from dnaio import SequenceRecord

UNKNOWN = 4  # N and every other letter that is no base
CODES = np.full(256, UNKNOWN, np.uint8)
CODES[np.frombuffer(b"ACGTacgt", np.uint8)] = [0, 1, 2, 3, 0, 1, 2, 3]
LETTERS = np.frombuffer(b"ACGTN", np.uint8)
CHUNK = 1 << 16  # reads taken at a time


class Reads(NamedTuple):
    """n reads, one after another; those of a first file before those of a second."""

    codes: np.ndarray  # (letters,) uint8
    qualities: np.ndarray  # (letters,) uint8, Phred
    offsets: np.ndarray  # (n + 1,) int64, where each begins and the last ends

    def take(self, chosen: np.ndarray) -> Reads:
        """The reads at places `chosen`."""
        at = letters_of(self, chosen)
        offsets = np.concatenate([[0], np.cumsum(np.diff(self.offsets)[chosen])])
        return Reads(self.codes[at], self.qualities[at], offsets)


def letters_of(reads: Reads, chosen: np.ndarray) -> np.ndarray:
    """Where the letters of the reads at places `chosen` stand, read after read."""
    lengths = np.diff(reads.offsets)[chosen]
    ends = np.cumsum(lengths)
    return np.arange(lengths.sum()) + np.repeat(reads.offsets[chosen] - ends + lengths, lengths)


def encode(text: str) -> np.ndarray:
    """Codes of letters of either case."""
    return CODES[np.frombuffer(text.encode(), np.uint8)]


def decode(codes: np.ndarray) -> str:
    """Letters of codes."""
    return LETTERS[codes].tobytes().decode()


def load_reads(file: str | Path) -> Reads:
    """All reads of a FASTQ file, plain or gzip-compressed, with qualities of Phred+33.

    DataError for a file that is cut off or no FASTQ.
    """
    parts = []
    stream = fastq_records(file)
    while records := list(islice(stream, CHUNK)):
        text = "".join(record.qualities or "" for record in records)
        offsets = np.cumsum([0, *map(len, records)], dtype=np.int64)
        codes = encode("".join(record.sequence for record in records))
        parts.append(Reads(codes, np.frombuffer(text.encode(), np.uint8) - 33, offsets))
    return joined(parts)


def joined(parts: Sequence[Reads]) -> Reads:
    """The reads of all parts, one after another."""
    parts = [Reads(np.empty(0, np.uint8), np.empty(0, np.uint8), np.zeros(1, np.int64)), *parts]
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    codes, qualities = (np.concatenate(arrays) for arrays in list(zip(*parts, strict=True))[:2])
    return Reads(codes, qualities, np.concatenate([[0], np.cumsum(lengths)]))


def fastq_records(file: str | Path) -> Iterator[SequenceRecord]:
    """The records of a FASTQ file one by one; DataError where it is cut off or no FASTQ."""
    require("dnaio")
    import dnaio
    from isal import isal_zlib

    try:
        with dnaio.open(file, fileformat="fastq", open_threads=0) as records:
            yield from records
    except FileNotFoundError:
        raise DataError("There is no such file", file=file) from None
    # The stubs of isal take the class of its errors for one of them.
    except (dnaio.FileFormatError, EOFError, OSError, zlib.error, isal_zlib.error) as error:  # type: ignore[misc]
        raise DataError(
            f"Expected FASTQ that is whole: {error}",
            file=file,
            hint="copy or download it again; `gzip -t` tests what is compressed",
        ) from None
