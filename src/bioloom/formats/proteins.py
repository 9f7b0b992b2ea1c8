"""Protein sequences of FASTA and GenBank files as one table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioloom.formats.fasta import read_fasta
from bioloom.formats.genbank import is_genbank, read_proteins


def read_sequences(path: Path, locus: str = "locus_tag") -> tuple[pd.DataFrame, list[str]]:
    """`id, sequence` of each record, indexed by the line where it starts; and notes.

    The ids of a GenBank file are those of the qualifier `locus`.
    """
    notes = list[str]()
    if is_genbank(path):
        proteins, notes = read_proteins(path, locus)
        records = [(protein.locus_tag, protein.sequence, protein.row) for protein in proteins]
    else:
        records = [(record.id, record.sequence, record.row) for record in read_fasta(path)]
    ids, sequences, rows = zip(*records, strict=True)
    return pd.DataFrame({"id": ids, "sequence": sequences}, index=pd.Index(rows)), notes
