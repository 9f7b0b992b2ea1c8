"""What became of patients: the time to an event, or whether it happened by a horizon.

Which value stands for the event is declared: 1 and 2, or yes and no, cannot be told apart by
looking. Nothing is shifted, and no row is left out, without a word.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.clinical import labels
from bioloom.errors import DataError, in_yaml
from bioloom.formats.columns import numbers, require_columns, rows_told, text, without_point
from bioloom.kinds.survival import longest
from bioloom.metrics.survival import uncensored
from bioloom.options import Option, named_columns
from bioloom.privacy.small_cells import FEW, count_shown
from bioloom.samples import COMPETING, ENTRY, EVENT, TIME

OPTIONS: dict[str, Any] = {
    "event": Option(
        None, about="the value, or values, of the column that stand for the event", of="labels"
    ),
    "censored": Option(
        None, about="those of no event, where more values than one are left", of="labels"
    ),
    "competing": Option([], about="those of other events that end the time as well", of="labels"),
    "horizon": Option(
        None,
        type=float,
        above=0,
        about="in the unit of the time; asks for yes or no by then",
        of="labels",
    ),
    "at_start": Option([], about="columns that only look as if they were known later", of="labels"),
}
COLUMNS: dict[str, Any] = {
    "time": Option(None, about="until the event or the end of follow-up, in one unit", of="labels"),
    "event": Option(None, about="what ended the time", of="labels"),
    "entry": Option(
        None, about="from when on the row was followed, in the unit of the time", of="labels"
    ),
}
FEW_VALUES = 20  # that a message lists
FEW_KNOWN = 20  # values of a column that is looked at
NEARLY_ALL = 0.95  # of them: a typing error makes no feature of it
COMPARABLE = 0.25  # of the longest time: what only reaches less is no time


def read_outcome(
    table: pd.DataFrame, columns: Mapping[str, Any], options: dict[str, Any], file: Path
) -> tuple[pd.DataFrame, list[str]]:
    """The outcome that a task names: times to an event, these by a horizon, or labels."""
    timed = is_timed(columns)
    if timed and columns["label"]:
        raise DataError("`columns` names a label and a time: one is the outcome")
    if not timed and (options["event"] is not None or options["horizon"] is not None):
        raise DataError("`event` and `horizon` are of a time", hint="name `columns: time, event`")
    if not timed:
        return labels.read(table, columns, options, file)
    times, notes = read_times(table, columns, options, file)
    refuse_later(table, named_columns(columns), times[TIME], options, file)
    if options["horizon"] is None:
        return times, notes
    if {ENTRY, COMPETING} & set(times):
        raise DataError(
            "`horizon` makes yes and no of times that all begin at 0 and end by one event",
            hint="leave `horizon` out: curves know late entry and competing events",
        )
    answers, lost = by_horizon(times, options["horizon"])
    return answers, notes + lost


def is_timed(columns: Mapping[str, Any]) -> bool:
    """Whether a time to an event is named; DataError for half of it."""
    named = [name for name in COLUMNS if columns[name]]
    if named and not {"time", "event"} <= set(named):
        raise DataError(
            f"`columns` names {' and '.join(named)} alone",
            hint="a time to an event needs `columns: {time: ..., event: ...}`",
        )
    return bool(named)


def read_times(
    table: pd.DataFrame, columns: Mapping[str, Any], options: Mapping[str, Any], file: Path
) -> tuple[pd.DataFrame, list[str]]:
    """`label.time`, `label.event`, and `label.entry`, `label.competing` where named; and notes.

    A row without time and event has no outcome. DataError for one of the two alone, a time below 0,
    an entry at or after it, and a value of the event that is not declared.
    """
    names = [columns[name] for name in COLUMNS if columns[name]]
    require_columns(table, names, file)
    time = numbers(table[columns["time"]], file)
    event, other = _events(table[columns["event"]], options, file)
    wrong = {
        "a time below 0": time < 0,
        "no time, but an event": time.isna() & event.notna(),
        "a time, but nothing in the column of the event": time.notna() & event.isna(),
    }
    found = pd.DataFrame({TIME: time, EVENT: event})
    if columns["entry"]:
        found[ENTRY] = numbers(table[columns["entry"]], file)
        wrong["no entry"] = found[ENTRY].isna() & time.notna()
        wrong["an entry at or after the end"] = found[ENTRY] >= time
    if options["competing"]:
        found[COMPETING] = other
    found = found.mask(time.isna() & event.isna())  # an entry alone is no outcome
    _refuse_rows(wrong, file, columns["time"])
    zero = int((time == 0).sum())
    notes = [f"{count_shown(zero)} rows have the time 0; they are kept"] if zero else []
    return found, notes


def _events(
    column: pd.Series, options: Mapping[str, Any], file: Path
) -> tuple[pd.Series, pd.Series]:
    """Whether the event, and whether a competing one, ended the time; missing where not known."""
    cells = without_point(text(column).str.casefold())
    counts = cells.value_counts()
    shown = _shown(counts)
    event, competing, censored = (
        _words(options[key]) for key in ("event", "competing", "censored")
    )
    if not event:
        raise DataError(
            f"Which value is the event? There are {shown}",
            file=file,
            column=str(column.name),
            hint="say it under `datasets`, such as `event: 1`",
        )
    left = [word for word in counts.index if word not in event + competing]
    if not set(left) <= set(censored or left[:1]):
        absent = [word for word in event + competing if word not in counts.index]
        raise DataError(
            f"No row has {absent[0]!r}, which is said to be an event; there are {shown}"
            if absent
            else f"Which values are no event? There are {shown}",
            file=file,
            column=str(column.name),
            hint="say `censored: ...`, and `competing: [...]` of events that end the time as well",
        )
    known = cells.notna()
    return (
        cells.isin(event).astype("boolean").mask(~known),
        cells.isin(competing).astype("boolean").mask(~known),
    )


def _shown(counts: pd.Series) -> str:
    """Values with their rows: none of a few, nor any of a column that has many, maybe names."""
    if len(counts) > FEW_VALUES:
        return f"{len(counts)} different values"
    told = [f"{name}: {n} rows" for name, n in counts.items() if n >= FEW]
    rare = len(counts) - len(told)
    return ", ".join([*told, *([f"{rare} of fewer than {FEW} rows"] if rare else [])])


def _words(value: Any) -> list[str]:
    """A value, or a list of them, as the cells of a column are compared."""
    values = value if isinstance(value, list) else [] if value is None else [value]
    return list(without_point(pd.Series([str(v).strip().casefold() for v in values], dtype="str")))


def _refuse_rows(wrong: Mapping[str, pd.Series], file: Path, column: str) -> None:
    """DataError that names the rows of each mistake."""
    told = []
    for what, rows in wrong.items():
        at = rows.index[rows.fillna(False)]
        if len(at):
            told.append(f"{what}: row {rows_told(at)}")
    if told:
        raise DataError(
            "; ".join(told),
            file=file,
            column=column,
            hint="mend these rows, or leave them out by `exclude`; nothing is shifted or guessed",
        )


def refuse_later(
    table: pd.DataFrame,
    roles: Collection[str],
    time: pd.Series,
    options: Mapping[str, Any],
    file: Path,
) -> None:
    """DataError for columns of days that only happened to those who lived to see them.

    `roles` are columns that are no features. Such a column is known of some rows alone, never later
    than their end, and reaches far into the time: a transplantation, a progression. A model that
    knows it at the start knows that the patient lived so long (immortal time; Suissa 2008, Am J
    Epidemiol 167, 492).
    """
    unused = {*roles, *options["drop"], *options["at_start"], *options["identifiers"]}
    for name in [name for name in map(str, table) if name not in unused]:
        days = pd.to_numeric(table[name], errors="coerce")
        known = days.notna() & time.notna()
        if known.sum() < FEW_KNOWN or known.sum() == time.notna().sum():
            continue
        inside = ((days[known] <= time[known]) & (days[known] >= 0)).mean()
        if inside >= NEARLY_ALL and days[known].max() > COMPARABLE * time.max():
            raise DataError(
                "This may be a time after the start: it is known of some rows, never after the end",
                file=file,
                column=name,
                hint="who has one lived to see it. Leave it and what was made of it out by `clean: "
                f"{{drop: [{in_yaml(name)}]}}`; look at patients again when it is known, by "
                f"`landmarks` with `later: [{in_yaml(name)}]` (disease_risk); or say "
                f"`at_start: [{in_yaml(name)}]`",
            )


def by_horizon(times: pd.DataFrame, horizon: float) -> tuple[pd.DataFrame, list[str]]:
    """`label` yes or no at the horizon and `sample_weight`; and notes.

    Who was censored before it has no label: those like them that were followed count for them, by
    the inverse of the probability of not being censored until then, which is that of all rows
    (Robins and Rotnitzky 1992).
    """
    known = times[TIME].notna()
    end, event = times.loc[known, TIME].to_numpy(), times.loc[known, EVENT].to_numpy(bool)
    if not known.any() or horizon > (last := longest(end)):
        raise DataError(
            f"Too few rows were followed to `horizon: {horizon:g}`",
            hint=f"the largest horizon is {last:g}" if known.any() else None,
        )
    y = np.column_stack([np.full(len(end), -np.inf), end, event])
    yes = known & (times[TIME] <= horizon) & times[EVENT].fillna(False)
    no = known & (times[TIME] >= horizon) & ~yes
    label = pd.Series(pd.NA, index=times.index, dtype="str").mask(no, "no").mask(yes, "yes")
    weight = pd.Series(np.nan, index=times.index)
    weight[known] = 1 / uncensored(y, np.minimum(end, horizon), before=True)
    lost = int((known & label.isna()).sum())
    notes = [
        f"{count_shown(lost)} rows were censored before the horizon: rows that were followed "
        "longer count for them"
    ]
    return pd.DataFrame({"label": label, "sample_weight": weight}), notes if lost else []
