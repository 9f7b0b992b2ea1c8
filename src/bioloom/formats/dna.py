"""DNA as text: letters checked and standardised, the reverse complement."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from bioloom.errors import DataError

BASES = "ACGT"
# IUPAC-IUB 1984: R, Y, S, W, K, M, B, D, H and V stand for two or three bases, N for any.
LETTERS = BASES + "RYSWKMBDHVN"
AMBIGUOUS = f"[^{BASES}]"
_NO_LETTER = re.compile(f"[^{LETTERS}]")
_COMPLEMENT = str.maketrans(LETTERS, "TGCAYRSWMKVHDBN")


def standard_dna(sequences: pd.Series, file: Path) -> pd.Series:
    """Upper case without white space, U as T; missing stays missing.

    `sequences` is indexed by the row in the file. DataError for what is no letter of DNA or RNA.
    """
    standard = sequences.str.replace(r"\s", "", regex=True).str.upper().str.replace("U", "T")
    known = standard.dropna()
    for row, sequence in zip(known.index, known, strict=True):
        if found := _NO_LETTER.search(sequence):
            raise DataError(
                f"{found[0]!r} at position {found.start() + 1} is no letter of DNA or RNA",
                file=file,
                row=row,
                hint="sequences are letters without gaps; N stands for any base",
            )
    return standard


def reverse_complement(sequence: str) -> str:
    """The other strand, read in its own direction.

    >>> reverse_complement("AACGN")
    'NCGTT'
    """
    return sequence.translate(_COMPLEMENT)[::-1]


def is_dna(sequences: Iterable[str]) -> bool:
    """Whether only bases and N occur; a protein of these letters alone would be a rare one.

    >>> is_dna(["ACGT", "ACN"]), is_dna(["MKV"])
    (True, False)
    """
    return not set().union(*map(set, sequences)) - set(BASES + "N")
