"""What is told of the gate: the list that stops a run, what was done, and how rare persons are.

Columns and counts are told, never a value; no count from 1 to 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from bioloom.errors import DataError, in_yaml
from bioloom.privacy import names
from bioloom.privacy.actions import DROP, GENERALISE, PSEUDONYM, YEAR
from bioloom.privacy.identifiers import Finding
from bioloom.privacy.small_cells import FEW, count_shown

USUAL = {names.DATES: YEAR, names.AGES: GENERALISE}
"""What the list offers for a kind; `drop` for all others."""


def stopped(findings: Sequence[Finding], ids: Sequence[str], file: Path) -> DataError:
    """The error that lists what may identify persons, with the lines that mend it."""
    listed = [
        f"  {found.column}: {found.kind}, {count_shown(found.count)} rows ({found.why})"
        for found in findings
    ]
    offered = {
        found.column: PSEUDONYM if found.column in ids else USUAL.get(found.kind, DROP)
        for found in findings
    }
    actions = [f"      {in_yaml(column)}: {action}" for column, action in offered.items()]
    columns = ", ".join(in_yaml(found.column) for found in findings)
    texts = [found.column for found in findings if found.kind == names.FREE_TEXT]
    number = f"{len(findings)} column{'s' * (len(findings) > 1)}"
    lines = [
        f"{number} may identify persons; nothing was written (file {file})",
        *listed,
        "  Hint: say under the data set what is to be done, such as",
        "    privacy:",
        *actions,
        f"  or, of those that identify nobody, `not_identifiers: [{columns}]`",
        *(f"  or as a text, `types: {{{in_yaml(t)}: text}}`" for t in texts),
    ]
    return DataError("\n".join(lines))


def done(
    findings: Sequence[Finding], actions: Mapping[str, str], cells: Mapping[str, int]
) -> list[str]:
    """A note on each column that something was done with."""
    kinds = {found.column: found.kind for found in findings}
    return [
        f"Privacy: {action} of {column} ({kinds.get(column, 'as the task says')}), "
        f"{count_shown(cells[column])} cells"
        for column, action in actions.items()
    ]


def kept(findings: Sequence[Finding], columns: Sequence[str]) -> list[str]:
    """A note on each column that looked like an identifier and was kept by `not_identifiers`."""
    return [
        f"Privacy: {found.column} is kept, which looks like {found.kind}, "
        f"{count_shown(found.count)} rows"
        for found in findings
        if found.column in columns
    ]


def anonymity(table: pd.DataFrame, columns: Sequence[str], persons: pd.Series) -> str:
    """The k of k-anonymity: how many persons are alike in all of the columns, at the least.

    A gap is a value. `persons` says of whom a row is.
    """
    alike = table[list(columns)].astype("str").fillna("").apply(tuple, axis=1)
    sizes = persons.groupby(alike.to_numpy()).nunique()
    few = sizes.index[sizes < FEW]
    rows = int(alike.isin(few).sum())
    return (
        f"Privacy: k = {int(sizes.min())} over {', '.join(columns)}; {len(few)} of {len(sizes)} "
        f"combinations are of fewer than {FEW} persons, {count_shown(rows)} rows"
    )
