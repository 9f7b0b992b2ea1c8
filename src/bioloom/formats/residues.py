"""Protein sequences as users give them: one standard form, and what is none told as DataError."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioloom.errors import DataError
from bioloom.limits import MOST_RESIDUES, raised_by

# IUPAC-IUB 1983: B is D or N, Z is E or Q, J is I or L, X any; U and O are rare residues of their
# own. What reads them, and how, is for the embedder.
RESIDUES = set("ABCDEFGHIKLMNPQRSTVWXYZJUO")
AMBIGUOUS = "[BJXZ]"
NUCLEOTIDES = set("ACGTUN")


def standard_sequences(sequences: pd.Series, path: Path) -> pd.Series:
    """Upper case without white space and closing stop.

    DataError for letters of no residue, and for a sequence longer than any protein.

    The index of `sequences` is the row in the file, which the error names.
    """
    sequences = sequences.str.replace(r"\s", "", regex=True).str.upper().str.removesuffix("*")
    letters: set[str] = set()
    for row, sequence in zip(sequences.index, sequences.fillna(""), strict=True):
        letters |= (found := set(sequence))
        if found - RESIDUES:
            wrong = sorted(found - RESIDUES)[0]
            raise DataError(
                f"{wrong!r} at position {sequence.index(wrong) + 1} is no amino acid",
                file=path,
                row=row,
                hint="sequences are one-letter codes without gaps; X stands for an unknown residue",
            )
        if len(sequence) > MOST_RESIDUES:
            raise DataError(
                f"A protein of {len(sequence):,} residues; {MOST_RESIDUES:,} are the most",
                file=path,
                row=row,
                hint="is a header missing between two? the longest protein known has 35,991; "
                + raised_by("MOST_RESIDUES"),
            )
    if letters <= NUCLEOTIDES and sequences.str.len().sum() >= 100:
        raise DataError(
            "The sequences look like DNA or RNA, not protein", file=path, hint="translate them"
        )
    return sequences


def spelling_notes(sequences: pd.Series) -> list[str]:
    """What `standard_sequences` changes or lets pass, counted in sequences; nothing where none."""
    text = sequences.fillna("").str.strip()
    counts = {
        "are written in lower case, at least in part": text.str.contains("[a-z]"),
        "end with a stop (*), which is removed": text.str.endswith("*"),
        f"have ambiguous residues ({AMBIGUOUS.strip('[]')})": text.str.upper().str.contains(
            AMBIGUOUS
        ),
        "have selenocysteine or pyrrolysine (U, O)": text.str.upper().str.contains("[UO]"),
    }
    return [f"{found.sum()} sequences {what}" for what, found in counts.items() if found.any()]
