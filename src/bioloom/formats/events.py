"""Records of patients as one long table of events, whatever format they come in.

`events` has a row for each code of each record:

- `patient`: whose it is, as text
- `code`: as the format writes it: `http://loinc.org|2339-0` in FHIR, `LAB//GLUCOSE` in MEDS, a
  concept id in OMOP
- `time, latest`: the first and the last instant at which it may have happened (`formats.times`);
  missing of what always holds, such as the sex
- `known`: the last instant at which it may have become known: a result counts from then on;
  missing where nothing tells it
- `value` (a number), `unit` (as written), `text` (a category, or what else stands for the value)
- `record`: a number; rows of one record are its several codes
- `file, line`: where it is told

What is odd in a record is left out: `left_out` has `reason, patient, file, line` of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bioloom.formats.times import instants

COLUMNS = ("patient", "code", "time", "latest", "known", "value", "unit", "text")
PLACES = ("record", "file", "line")
TIMES = ("time", "latest", "known")
TEXTS = ("patient", "code", "unit", "text", "file")
BIRTH, DEATH, SEX = "BIRTH", "DEATH", "SEX"
"""Codes of what formats write in ways of their own. Birth is no event of care, and never a row."""

OPEN = 9999
"""The year by which systems write that something is still going on."""

LEFT_OUT = ("reason", "patient", "file", "line")


@dataclass(frozen=True)
class Records:
    """What a reader gives: see above.

    `patients` are all persons, `births` of some the date of birth as far as it is known
    (`1950-02`). `notes` are facts about the files. `own` are texts that tell who a person is, each
    with its kind (`privacy.names`), where a format has them: they are looked for, and never shown.
    """

    events: pd.DataFrame
    patients: list[str]
    births: Mapping[str, str]
    left_out: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    own: Mapping[str, list[tuple[str, str]]] = field(default_factory=dict)


def event_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Events of rows whose times are microseconds since 1970, or None."""
    table = pd.DataFrame(list(rows), columns=[*COLUMNS, *PLACES])
    for name in TIMES:
        table[name] = instants([None if pd.isna(t) else int(t) for t in table[name]])
    return typed(table)


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Events with the columns of the contract in their types and order; what lacks is missing."""
    table = table.reindex(columns=[*COLUMNS, *PLACES])
    for name in TIMES:
        table[name] = pd.to_datetime(table[name], utc=True).dt.as_unit("us")
    types = dict.fromkeys(TEXTS, "str") | {"value": "float64", "record": "int64", "line": "int64"}
    return table.astype(types).reset_index(drop=True)


def left_out_of(events: pd.DataFrame, reasons: Any) -> pd.DataFrame:
    """Events that were left out, each with its reason; one whose reason is "" is not told."""
    return events.assign(reason=reasons)[[*LEFT_OUT]].query("reason != ''")


def left_out_table(rows: Iterable[tuple[str, str | None, str, int]] = ()) -> pd.DataFrame:
    """Left out records, as `Records` has them."""
    table = pd.DataFrame(list(rows), columns=LEFT_OUT)
    return table.astype({"reason": "str", "patient": "str", "file": "str", "line": "int64"})
