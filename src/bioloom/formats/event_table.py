"""A long table of events: a row a measurement, a code or a drug, in CSV, TSV or Parquet.

What its columns are called, `COLUMNS` says by their roles.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.columns import numbers, one_spelling, require_columns, text
from bioloom.formats.events import Records, left_out_table, typed
from bioloom.formats.table import read_table
from bioloom.formats.times import read_column, zones_of
from bioloom.options import Option

COLUMNS: dict[str, Any] = {
    "patient": Option(None, about="whose event it is"),
    "code": Option(None, about="what it is"),
    "time": Option(None, about="when it happened"),
    "known": Option(None, about="from when on it was known; else the time"),
    "value": Option(None, about="number or text that was found"),
    "unit": Option(None, about="of the value"),
    "text": Option(None, about="where the value is none"),
    "site": Option(None, about="the hospital, by which `time_zone` goes"),
}
NEEDED = ("patient", "code", "time")


def read_event_table(
    path: Path,
    columns: Mapping[str, str | None],
    time_zone: str | Mapping[str, str] | None,
    read: Mapping[str, Any],
) -> Records:
    """The events of a table; DataError, with row and column, for what cannot be read.

    `read` is how the table is (`formats.table.READ_OPTIONS`). A value that is no number is the
    text of its row.
    """
    named = {role: name for role, name in columns.items() if name}
    if lacking := [role for role in NEEDED if role not in named]:
        raise DataError(
            f"Which column holds the {lacking[0]}?",
            file=path,
            hint=f"`records: {{columns: {{{lacking[0]}: ...}}}}`",
        )
    table = read_table(path, [named["patient"], named["code"]], **read)
    require_columns(table, named.values(), path)
    of = {role: table[name] for role, name in named.items()}
    for role in ("patient", "code"):
        if (without := table.index[of[role].isna()]).size:
            raise DataError(f"A row without {role}", file=path, row=without[0], column=named[role])
    one_spelling(text(of["patient"]).rename(named["patient"]), path)
    sites = text(of["site"]) if "site" in of else None
    zones = zones_of(time_zone, sites, table.index, path)
    first, last = read_column(of["time"], zones, path)
    known = read_column(of["known"], zones, path)[1].fillna(last) if "known" in of else last
    value, words = _values(of, table.index, path)
    events = pd.DataFrame(
        {
            "patient": text(of["patient"]),
            "code": text(of["code"]),
            **{"time": first, "latest": last, "known": known.where(known > last, last)},
            "value": value,
            "unit": of.get("unit"),
            "text": words,
            "record": range(len(table)),
            "file": path.name,
            "line": table.index,
        }
    )
    return Records(typed(events), sorted(set(text(of["patient"]))), {}, left_out_table())


def _values(of: Mapping[str, pd.Series], rows: pd.Index, path: Path) -> tuple[Any, pd.Series]:
    """Numbers, and the text of each row: that of its column, else a value that is no number."""
    words = text(of["text"]) if "text" in of else pd.Series(None, rows, dtype="str")
    if "value" not in of:
        return None, words
    cells = of["value"]
    if not pd.api.types.is_string_dtype(cells):
        return numbers(cells, path), words
    value = pd.to_numeric(cells, errors="coerce").astype(float)
    value = value.where(value.abs().lt(float("inf")))
    is_code = cells.str.fullmatch(r"0\d+").fillna(False).astype(bool)  # which a number would lose
    return value, words.fillna(cells.where(value.isna() | is_code))
