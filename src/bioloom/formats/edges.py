"""Networks as files: tables of pairs, PSI-MITAB, tables of complexes; and the files that we write.

A pair table has one edge a row, in columns that the user names. MITAB (HUPO-PSI molecular
interactions; 15 tab-separated columns in version 2.5, more in others, and no header but a comment)
has both ends in its first two columns as `database:identifier`, alternatives behind `|` and in the
next two; `true` in column 36 says that they do not interact.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from bioloom.errors import DataError
from bioloom.files import replacing
from bioloom.formats.columns import require_columns, text
from bioloom.formats.table import read_table
from bioloom.formats.text import open_text

MITAB = (".mitab", ".mitab25")
MITAB_COLUMNS = 15
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
EXPANSION, NEGATIVE = 15, 35  # columns of MITAB 2.6 on, counted from 0
MEMBER = re.compile(r"\s*([^\s()]+)\s*(?:\(\d*\))?\s*")  # an id, and how often it is in there


class Complex(NamedTuple):
    """A complex and the ids of its different members, in the order of the file."""

    id: str
    members: list[str]
    row: int


def is_mitab(path: Path) -> bool:
    """Whether the file is PSI-MITAB by its ending or, where it is plain text, by its first row."""
    if any(ending.lower() in MITAB for ending in path.suffixes):
        return True
    if not any(ending.lower() in (".txt", ".tsv") for ending in path.suffixes):
        return False
    with open_text(path) as lines:
        fields = next(lines, "").split("\t")
    ends = [field.lstrip("#").startswith("ID(s) interactor") or ":" in field for field in fields]
    return len(fields) >= MITAB_COLUMNS and all(ends[:2])


def read_links(
    path: Path,
    source: str = "source",
    target: str = "target",
    named: Sequence[str] = (),
    wanted: Container[str] = (),
    **read: Any,
) -> tuple[pd.DataFrame, list[str]]:
    """The user's columns with `source` and `target` as text, indexed by the row in the file; notes.

    `named` are further columns of labels. Of the identifiers that MITAB gives for an end the first
    that is `wanted` is taken, else the first. Its pairs that were found not to interact, and those
    with one partner, are left out and counted. DataError for a row of a table without both ends.
    """
    if is_mitab(path):
        return _read_mitab(path, wanted)
    table = read_table(path, [source, target, *named], **read)
    require_columns(table, [source, target], path)
    ends = {"source": text(table[source]), "target": text(table[target])}
    for name, column in (("source", source), ("target", target)):
        missing = table.index[ends[name].isna()]
        if len(missing):
            raise DataError(
                "A pair without both ends",
                file=path,
                row=missing[0],
                column=column,
                hint="remove the row; a name such as NA needs `not_missing: [NA]` under `read`",
            )
    return table.assign(**ends), []


def _read_mitab(path: Path, wanted: Container[str]) -> tuple[pd.DataFrame, list[str]]:
    rows, pairs = [], []
    counts = Counter[str]()
    with open_text(path) as lines:
        for row, line in enumerate(lines, start=1):
            if line.startswith("#") or not line.strip():
                continue
            fields = line.rstrip("\r\n").split("\t")
            if len(fields) < MITAB_COLUMNS:
                raise DataError(
                    f"Expected {MITAB_COLUMNS} tab-separated columns or more, got {len(fields)}",
                    file=path,
                    row=row,
                    hint="PSI-MITAB 2.5 has 15; a plain table of pairs ends in .tsv or .csv",
                )
            pair = [_identifier(fields[end], fields[end + 2], wanted) for end in (0, 1)]
            if len(fields) > NEGATIVE and fields[NEGATIVE].strip().lower() == "true":
                counts["pairs that were found not to interact are left out"] += 1
            elif None in pair:
                counts["interactions with one partner are left out"] += 1
            else:
                if len(fields) > EXPANSION and fields[EXPANSION].strip() not in ("", "-"):
                    counts["pairs are expanded from complexes"] += 1
                pairs.append(pair)
                rows.append(row)
    if not rows:
        raise DataError("The file has no interactions", file=path)
    table = pd.DataFrame(pairs, index=pd.Index(rows), columns=["source", "target"], dtype="str")
    return table, [f"{count} {what}" for what, count in counts.items()]


def _identifier(field: str, alternatives: str, wanted: Container[str]) -> str | None:
    """`uniprotkb:P12345|intact:EBI-1` -> `P12345`, unless another one is wanted; `-` is missing."""
    own, others = (
        [
            part.split(":", 1)[-1].strip('"')
            for part in ids.split("|")
            if part.strip() not in ("", "-")
        ]
        for ids in (field, alternatives)
    )
    return next((id for id in (*own, *others) if id in wanted), own[0] if own else None)


def read_complexes(
    path: Path, id: str = "complex", members: str = "genes", **read: Any
) -> list[Complex]:
    """Complexes of a table whose members are `a(2) AND b(1)`, or separated by `;`, `,` or `|`.

    DataError for a row without members, and for members in another form.
    """
    table = read_table(path, [id, members], **read)
    require_columns(table, [id, members], path)
    complexes = []
    for row, name, listed in zip(table.index, text(table[id]), text(table[members]), strict=True):
        if pd.isna(name) or pd.isna(listed):
            column = id if pd.isna(name) else members
            raise DataError("A complex without name or members", file=path, row=row, column=column)
        found = [MEMBER.fullmatch(part) for part in re.split(r" AND |[;,|]", listed)]
        if not all(found):
            raise DataError(
                f"Expected ids joined by AND or ;, got {listed[:60]!r}",
                file=path,
                row=row,
                column=members,
            )
        ids = dict.fromkeys(match[1] for match in found if match)
        complexes.append(Complex(name, list(ids), int(row)))
    return complexes


def pairs_of(complexes: list[Complex]) -> Iterator[tuple[str, str, str]]:
    """(member, other member, complex) of all pairs of different members, ids in order."""
    for group in complexes:
        for a, b in combinations(sorted(group.members), 2):
            yield a, b, group.id


def _xml(value: Any) -> Any:
    """A text with the codes of characters that XML 1.0 cannot hold; other values as they are."""
    if not isinstance(value, str):
        return value
    return NO_XML.sub(lambda found: ascii(found[0])[1:-1], value)


def write_graphml(
    edges: pd.DataFrame, names: Mapping[str, str], path: Path, *, directed: bool
) -> None:
    """Write edges `source, target` and further columns as GraphML; `names` label the nodes.

    A character that XML cannot hold is written as its code, such as `x01` behind a backslash.
    """
    import networkx

    graph = networkx.DiGraph() if directed else networkx.Graph()
    for edge in edges.to_dict("records"):
        ends = [_xml(edge.pop(end)) for end in ("source", "target")]
        graph.add_edge(*ends, **{_xml(str(key)): _xml(value) for key, value in edge.items()})
    called = {_xml(node): _xml(name) for node, name in names.items()}
    networkx.set_node_attributes(graph, {node: called.get(node, node) for node in graph}, "name")
    with replacing(path) as temporary:
        networkx.write_graphml(graph, temporary)
