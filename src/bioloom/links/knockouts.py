"""What changes in a cell that lacks a gene: its effect on all others, from measured expression."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.columns import require_columns, text


def lacking(
    table: pd.DataFrame,
    condition: str,
    gene: str,
    measured: pd.DataFrame,
    ids_of: Callable[[str], Iterable[str]],
    path: Path,
) -> dict[str, set[str]]:
    """The conditions that lack each gene that has expression, by its id.

    `table` says in the columns `condition` and `gene` what was knocked out where, `measured` is
    conditions x genes, `ids_of` the ids of a gene's name. DataError for a condition that was not
    measured, and where no such gene was.
    """
    require_columns(table, [condition, gene], path)
    unknown = ~text(table[condition]).isin(measured.index)
    if unknown.any():
        raise DataError(
            f"The expression has no condition {table[condition][unknown].iloc[0]!r}",
            file=path,
            row=int(table.index[unknown][0]),
            column=condition,
            hint=f"one that it has is {measured.index[0]!r}",
        )
    found: dict[str, set[str]] = {}
    named = table[text(table[gene]).notna()]  # a control lacks none
    for name, place in zip(text(named[gene]), text(named[condition]), strict=True):
        for id in ids_of(name):
            found.setdefault(id, set()).add(place)
    known = {id: places for id, places in sorted(found.items()) if id in measured.columns}
    if not known:
        raise DataError(
            "No gene that was knocked out has expression",
            file=path,
            column=gene,
            hint="are they called as in the expression? `genes` with `name` translates",
        )
    return known


def changes(measured: pd.DataFrame, lacking: dict[str, set[str]]) -> pd.DataFrame:
    """Genes x genes that were knocked out: the mean z-score of the conditions without the latter.

    z is by the mean and spread of a gene over all other conditions; 0 where it has no spread, NaN
    where it was not measured. No columns where nothing was knocked out.
    """
    found = {}
    for id, conditions in lacking.items():
        without = measured.index.isin(conditions)
        others = measured[~without]
        spread = others.std().where(lambda s: s > 0)
        change = measured[without].mean() - others.mean()
        found[id] = (change / spread).mask(spread.isna() & change.notna(), 0.0)
    return pd.DataFrame(found, index=measured.columns)
