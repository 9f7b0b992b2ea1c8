"""GenBank flat files: the proteins of the annotated coding sequences.

The layout is that of the INSDC feature table: a feature key starts in column 6, qualifiers in
column 22, and a quoted value runs to its closing quote over any number of lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from bioloom.errors import DataError
from bioloom.formats.text import open_text

QUALIFIER = re.compile(r'/(locus_tag|gene|translation)="([^"]*)"')


class Protein(NamedTuple):
    """A translated coding sequence; `row` is the line where its feature starts."""

    locus_tag: str
    gene: str
    sequence: str
    row: int


def read_proteins(path: str | Path) -> list[Protein]:
    """The coding sequences that have a /translation, in the order of the file.

    Pseudogenes have none and are left out. Raises DataError for one without a /locus_tag, for a
    tag that is there twice, and for a file without any translation.
    """
    proteins: dict[str, Protein] = {}
    with open_text(path) as lines:
        for row, feature in _coding_sequences(lines):
            found = dict(QUALIFIER.findall(feature))
            if "translation" not in found:
                continue
            tag = found.get("locus_tag", "")
            if not tag or tag in proteins:
                problem = f"The locus tag {tag} is there twice" if tag else "No /locus_tag"
                raise DataError(f"{problem} in a CDS with a /translation", file=path, row=row)
            sequence = "".join(found["translation"].split())
            proteins[tag] = Protein(tag, found.get("gene", ""), sequence, row)
    if not proteins:
        raise DataError(
            "The file has no coding sequence with a /translation",
            file=path,
            hint="is it a GenBank flat file with annotation (.gb, .gbk, .gbff)?",
        )
    return list(proteins.values())


def _coding_sequences(lines: TextIO) -> Iterator[tuple[int, str]]:
    """(line number, qualifiers as one text) of each CDS feature."""
    start = 0
    parts: list[str] = []
    for row, line in enumerate(lines, start=1):
        in_feature = line.startswith(" " * 21)
        if start and not in_feature:
            yield start, " ".join(parts)
            start, parts = 0, []
        if line.startswith("     CDS "):
            start = row
        elif start:
            parts.append(line.strip())
    if start:
        yield start, " ".join(parts)
