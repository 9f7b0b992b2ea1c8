"""The reference genome as codes of letters, a contig's region at a time."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pysam

from bioloom.errors import DataError
from bioloom.reads.cram import quiet
from bioloom.reads.reference import FASTA, contigs_of, write_contig
from bioloom.variants.alleles import encode

CHUNK = 1 << 20


class Reference:
    """A FASTA, as text or compressed: `lengths` of its contigs, and their codes.

    Ambiguous letters are reduced (`alleles.encode`), lower case is as upper case.
    """

    def __init__(self, file: str | Path) -> None:
        """Index it in a temporary folder: its own may not be written to. DataError for no FASTA.

        In a file compressed by gzip, or with lines of any length, no region can be looked up: a
        copy is written there.
        """
        self.file = Path(file)
        if not self.file.is_file():
            raise DataError("There is no such reference", file=self.file)
        self._folder = TemporaryDirectory(prefix="bioloom-reference-")
        link, copy = (Path(self._folder.name) / name for name in (self.file.name, FASTA))
        link.symlink_to(self.file.resolve())
        try:
            with quiet():
                self._fasta = pysam.FastaFile(str(link))
        except (OSError, ValueError):
            link.unlink()  # it may be called as the copy
            with copy.open("w") as out:
                for contig in contigs_of(self.file):
                    write_contig(contig, out)
            self._fasta = pysam.FastaFile(str(copy))
        self.lengths = dict(zip(self._fasta.references, self._fasta.lengths, strict=True))
        self._chunks: dict[tuple[str, int], np.ndarray] = {}

    def codes(self, contig: str, start: int, end: int) -> np.ndarray:
        """uint8 codes of [start, end), which lies on the contig."""
        parts = [
            self._chunk(contig, at) for at in range(start // CHUNK, max(end - 1, 0) // CHUNK + 1)
        ]
        first = start // CHUNK * CHUNK
        return np.concatenate(parts)[start - first : end - first]

    def _chunk(self, contig: str, number: int) -> np.ndarray:
        """A part of a contig; the last few that were asked for are kept."""
        key = contig, number
        if key not in self._chunks:
            if len(self._chunks) > 2:
                self._chunks.clear()
            try:
                letters = self._fasta.fetch(contig, number * CHUNK, (number + 1) * CHUNK)
            except ValueError as error:  # no text
                message = f"The letters of {contig} are no bases"
                raise DataError(message, file=self.file, hint="damaged, or no FASTA") from error
            if len(letters) != min(CHUNK, self.lengths[contig] - number * CHUNK):
                message = f"{contig} has fewer letters than its lines promise"
                raise DataError(message, file=self.file, hint="damaged, or no FASTA")
            self._chunks[key] = encode(letters)
        return self._chunks[key]
