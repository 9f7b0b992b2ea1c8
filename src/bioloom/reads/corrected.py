"""Corrected reads as FASTQ, each in its place and under its name, and each change as a row."""

from __future__ import annotations

from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from bioloom.files import replacing, replacing_gzip
from bioloom.reads.sequences import LETTERS, Reads, decode, fastq_records

if TYPE_CHECKING:
    from dnaio import SequenceRecord

COLUMNS = ("file", "record", "name", "position", "read", "corrected", "quality", "by")


def write_corrected(
    files: Sequence[Path], raw: Reads, spectrum: Reads, final: Reads, folder: Path
) -> int:
    """Write corrected_<n>.fastq.gz of file n and changes.tsv.gz; how many letters were changed.

    The reads are those of `files` in their order: as read, by the spectrum alone, and in the end.
    A change that the spectrum alone would not have made is the autoencoder's. Records and positions
    count from 1. Letters that are not changed keep their case.
    """
    import dnaio

    read = total = 0
    changes = folder / "changes.tsv.gz"
    with replacing_gzip(changes) as packed, TextIOWrapper(packed, newline="\n") as log:
        log.write("\t".join(COLUMNS) + "\n")
        for number, file in enumerate(files, start=1):
            with (
                replacing(file_of(folder, number)) as out,
                dnaio.open(out, mode="w", fileformat="fastq", open_threads=0) as writer,
            ):
                for record, entry in enumerate(fastq_records(file), start=1):
                    letters = slice(raw.offsets[read], raw.offsets[read + 1])
                    own = raw.codes[letters], spectrum.codes[letters], final.codes[letters]
                    changed = np.flatnonzero(own[0] != own[2])
                    if len(changed):
                        total += len(changed)
                        _log(log, (number, record), entry, own, changed)
                        entry.sequence = _changed(entry.sequence, own[2], changed)
                    writer.write(entry)
                    read += 1
    return total


def file_of(folder: Path, number: int) -> Path:
    """The corrected reads of file `number`, from 1."""
    return folder / f"corrected_{number}.fastq.gz"


def _changed(sequence: str, codes: np.ndarray, at: np.ndarray) -> str:
    letters = np.frombuffer(sequence.encode(), np.uint8).copy()
    letters[at] = LETTERS[codes[at]]
    return letters.tobytes().decode()


def _log(
    log: TextIO,
    place: tuple[int, int],
    entry: SequenceRecord,
    own: tuple[np.ndarray, np.ndarray, np.ndarray],
    changed: np.ndarray,
) -> None:
    read, spectrum, final = own
    for at in changed.tolist():
        by = "spectrum" if spectrum[at] == final[at] else "autoencoder"
        quality = ord((entry.qualities or "!" * len(read))[at]) - 33
        letters = entry.sequence[at], decode(final[at : at + 1])
        row = *place, entry.name.split()[0], at + 1, *letters, quality, by
        log.write("\t".join(map(str, row)) + "\n")
