"""BIF, the interchange format of Bayesian networks: https://www.cs.cmu.edu/~fgcozman/Research/.

Names are words there: `<=20` is written as `le_20`, and whatever else is no letter, digit, `_`, `-`
or `.` as `_`. Numbers are written in full, so that what is read back is what was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np

from bioloom.bayes.network import Network, Node
from bioloom.errors import DataError
from bioloom.files import reading, replacing

VARIABLE = re.compile(
    r"variable\s+([^\s{]+)\s*\{[^}]*?type\s+discrete\s*\[\s*(\d+)\s*\]\s*\{([^}]*)\}"
)
PROBABILITY = re.compile(r"probability\s*\(\s*([^\s|)]+)\s*(?:\|([^)]*))?\)\s*\{([^}]*)\}")
ROW = re.compile(r"\(([^)]*)\)([^;]*);")
SIGNS = {"<=": "le_", ">=": "ge_", "<": "lt_", ">": "gt_"}
TABLE = re.compile(r"\btable\b([^;]*);")


def write_bif(network: Network, path: Path, name: str = "network") -> None:
    """Write a network."""
    names = words(network.names)
    states = [words(node.states) for node in network.nodes]
    lines = [f"network {_word(name)} {{", "}"]
    for own, values in zip(names, states, strict=True):
        type_ = f"  type discrete [ {len(values)} ] {{ {', '.join(values)} }};"
        lines += [f"variable {own} {{", type_, "}"]
    for own, node in zip(names, network.nodes, strict=True):
        given = f" | {', '.join(names[parent] for parent in node.parents)}" if node.parents else ""
        lines.append(f"probability ( {own}{given} ) {{")
        if not node.parents:
            lines.append(f"  table {_numbers(node.table)};")
        for codes in product(*(range(size) for size in node.table.shape[:-1])):
            if codes:
                of = [states[p][code] for p, code in zip(node.parents, codes, strict=True)]
                lines.append(f"  ({', '.join(of)}) {_numbers(node.table[codes])};")
        lines.append("}")
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_bif(path: Path) -> Network:
    """Read a network; DataError names the field whose table is not there or not whole."""
    with reading(path):
        text = re.sub(r"//[^\n]*", "", path.read_text(encoding="utf-8"))
    states = {name: tuple(_listed(values)) for name, _, values in VARIABLE.findall(text)}
    tables = {name: (_listed(given), body) for name, given, body in PROBABILITY.findall(text)}
    if not states:
        raise DataError("No variable of a Bayesian network", file=path, hint="expected BIF")
    place = {name: number for number, name in enumerate(states)}
    nodes = []
    for name, own in states.items():
        parents, body = tables.get(name, ([], ""))
        unknown = [parent for parent in parents if parent not in place]
        table = None if unknown else _table(body, own, [states[parent] for parent in parents])
        if table is None:
            raise DataError("The probability table is missing or not whole", file=path, column=name)
        nodes.append(Node(name, own, tuple(place[parent] for parent in parents), table))
    return Network(tuple(nodes))


def _table(body: str, states: tuple[str, ...], given: list[tuple[str, ...]]) -> np.ndarray | None:
    """P(state | parents), or None where a row is not there, twice there, or of other states."""
    shape = (*map(len, given), len(states))
    rows: dict[tuple[str, ...], str] = {}
    if given:
        rows = {tuple(_listed(of)): numbers for of, numbers in ROW.findall(body)}
    elif found := TABLE.search(body):
        rows = {(): found[1]}
    table = np.empty(shape)
    if rows.keys() != {*product(*given)}:
        return None
    for of, numbers in rows.items():
        try:
            values = [float(number) for number in _listed(numbers)]
        except ValueError:
            return None
        if len(values) != len(states):
            return None
        place = tuple(known.index(state) for known, state in zip(given, of, strict=True))
        table[place] = values
    return table


def _listed(text: str) -> list[str]:
    return [part for part in re.split(r"[,\s]+", text) if part]


def _numbers(values: np.ndarray) -> str:
    return ", ".join(repr(float(value)) for value in values)


def words(names: Iterable[str]) -> list[str]:
    """Words for names, no two alike."""
    words: list[str] = []
    for own in map(_word, names):
        taken, count = own, 1
        while taken in words:
            count += 1
            taken = f"{own}_{count}"
        words.append(taken)
    return words


def _word(name: str) -> str:
    for sign, letters in SIGNS.items():
        name = name.replace(sign, letters)
    return re.sub(r"[^\w.-]", "_", name) or "_"
