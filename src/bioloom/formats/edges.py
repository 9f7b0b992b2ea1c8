"""Networks as files: tables of pairs, PSI-MITAB, tables of complexes; and the files that we write.

A pair table has one edge a row, in columns that the user names. MITAB 2.5 (HUPO-PSI molecular
interactions; 15 tab-separated columns and no header but a comment) has both ends in its first two
columns as `database:identifier`, alternatives behind `|`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
    path: Path, source: str = "source", target: str = "target", **read: Any
) -> pd.DataFrame:
    """The user's columns with `source` and `target` as text, indexed by the row in the file.

    DataError for a row without one of them.
    """
    table = _read_mitab(path) if is_mitab(path) else read_table(path, **read)
    if is_mitab(path):
        source, target = "source", "target"
    require_columns(table, [source, target], path)
    ends = {"source": text(table[source]), "target": text(table[target])}
    for name, column in (("source", source), ("target", target)):
        missing = table.index[ends[name].isna()]
        if len(missing):
            raise DataError("A pair without both ends", file=path, row=missing[0], column=column)
    return table.assign(**ends)


def _read_mitab(path: Path) -> pd.DataFrame:
    rows, pairs = [], []
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
            pairs.append([_identifier(field) for field in fields[:2]])
            rows.append(row)
    if not rows:
        raise DataError("The file has no interactions", file=path)
    return pd.DataFrame(pairs, index=pd.Index(rows), columns=["source", "target"], dtype="str")


def _identifier(field: str) -> str | None:
    """`uniprotkb:P12345|intact:EBI-1` -> `P12345`; `-` is a missing one."""
    first = field.split("|", 1)[0].strip()
    return None if first in ("", "-") else first.split(":", 1)[-1].strip('"')


def read_complexes(
    path: Path, id: str = "complex", members: str = "genes", **read: Any
) -> list[Complex]:
    """Complexes of a table whose members are `a(2) AND b(1)`, or separated by `;`, `,` or `|`.

    DataError for a row without members, and for members in another form.
    """
    table = read_table(path, **read)
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
