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

QUALIFIER = re.compile(r'/(locus_tag|old_locus_tag|gene|translation)="([^"]*)"')
TAGS = ("locus_tag", "old_locus_tag")
ENDINGS = (".gb", ".gbk", ".gbff", ".genbank")


class Protein(NamedTuple):
    """A translated coding sequence under the tag asked for; `row` is the line where it starts."""

    locus_tag: str
    gene: str
    sequence: str
    row: int


def is_genbank(path: Path) -> bool:
    """Whether a file's name says that it is a GenBank file, compressed or not."""
    return any(ending.lower() in ENDINGS for ending in path.suffixes)


def read_proteins(path: str | Path, tag: str = "locus_tag") -> list[Protein]:
    """The coding sequences that have a /translation, in the order of the file.

    `tag` is the qualifier that names them: locus_tag or old_locus_tag. Raises DataError for one
    without that tag, for a tag that is there twice, and for a file without any translation.
    """
    if tag not in TAGS:
        raise DataError(f"A locus is named by {' or '.join(TAGS)}, got {tag!r}", file=path)
    proteins: dict[str, Protein] = {}
    for protein in iter_proteins(path, tag):
        locus = protein.locus_tag
        if not locus or locus in proteins:
            problem = f"The locus tag {locus} is there twice" if locus else f"No /{tag}"
            raise DataError(f"{problem} in a CDS with a /translation", file=path, row=protein.row)
        proteins[locus] = protein
    return list(proteins.values())


def iter_proteins(path: str | Path, tag: str = "locus_tag") -> Iterator[Protein]:
    """The translations one by one as they stand: tags may repeat or miss.

    Pseudogenes have no translation and are left out. DataError: a file without any translation.
    """
    protein = None
    with open_text(path) as lines:
        for row, feature in _coding_sequences(lines):
            found = dict(QUALIFIER.findall(feature))
            if "translation" in found:
                sequence = "".join(found["translation"].split())
                protein = Protein(found.get(tag, ""), found.get("gene", ""), sequence, row)
                yield protein
    if protein is None:
        raise DataError(
            "The file has no coding sequence with a /translation",
            file=path,
            hint="is it a GenBank flat file with annotation (.gb, .gbk, .gbff)?",
        )


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
