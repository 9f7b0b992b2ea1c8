"""GenBank flat files: the proteins of the annotated coding sequences.

The layout is that of the INSDC feature table: a feature key starts in column 6, qualifiers in
column 22, and a quoted value runs to its closing quote over any number of lines.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from bioloom.errors import DataError
from bioloom.formats.text import open_text

QUALIFIER = re.compile(r'/(locus_tag|old_locus_tag|protein_id|gene|translation)="([^"]*)"')
TAGS = ("locus_tag", "old_locus_tag", "protein_id", "gene")
ENDINGS = (".gb", ".gbk", ".gbff", ".genbank")


class Protein(NamedTuple):
    """A translated coding sequence under the tag asked for, and which of `TAGS` it has.

    `row` is the line where it starts.
    """

    locus_tag: str
    gene: str
    sequence: str
    row: int
    tags: tuple[str, ...]


def is_genbank(path: Path) -> bool:
    """Whether a file's name says that it is a GenBank file, compressed or not."""
    return any(ending.lower() in ENDINGS for ending in path.suffixes)


def read_proteins(path: str | Path, tag: str = "locus_tag") -> tuple[list[Protein], list[str]]:
    """The coding sequences that have a /translation, in the order of the file; and notes.

    `tag` is the qualifier that names them, of `TAGS`. What lacks it, and of a locus with several
    coding sequences all but the first, is left out and counted. Raises DataError for a file
    without any translation, or without any such tag.
    """
    if tag not in TAGS:
        raise DataError(f"A locus is named by {', '.join(TAGS)}, got {tag!r}", file=path)
    proteins: dict[str, Protein] = {}
    counts, tags = Counter[str](), Counter[str]()
    for protein in iter_proteins(path, tag):
        tags.update(protein.tags)
        if not protein.locus_tag:
            counts[f"coding sequences without a /{tag} are left out"] += 1
        elif protein.locus_tag in proteins:
            counts["further coding sequences of a locus are left out"] += 1
        else:
            proteins[protein.locus_tag] = protein
    if not proteins:
        known = [f"`locus: {name}`" for name in TAGS if tags[name]]
        raise DataError(
            f"No coding sequence has a /{tag}",
            file=path,
            hint=f"what it has is read by {' or '.join(known)}" if known else None,
        )
    return list(proteins.values()), [f"{count} {what}" for what, count in counts.items()]


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
                tags = tuple(name for name in TAGS if name in found)
                name, gene = found.get(tag, ""), found.get("gene", "")
                protein = Protein(name, gene, sequence, row, tags)
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
