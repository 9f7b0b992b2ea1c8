"""What is done with columns that identify persons: `privacy: {<column>: <action>}` of a data set.

- `drop` leaves the column out.
- `pseudonym` puts a code in the place of each value: the same one wherever the key is the same.
- `shift` makes days out of dates: those since the first date of the patient in the table.
- `keyed_shift` moves all dates of a patient by the same days, which the key tells: days since 1970.
- `year` keeps the year of a date.
- `generalise` keeps the year of a date, makes 90 of an age over 89, and keeps the first three
  digits of a ZIP code (000 of areas with few people).

The key of pseudonyms and of shifts is a secret that no task file holds: see `secret_key`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from bioloom.errors import DataError, unknown_name
from bioloom.privacy import dates, names
from bioloom.privacy.identifiers import OLDEST, cells_of
from bioloom.privacy.values import SMALL_AREAS

DROP, PSEUDONYM, SHIFT, YEAR, GENERALISE = "drop", "pseudonym", "shift", "year", "generalise"
KEYED_SHIFT = "keyed_shift"
ACTIONS = (DROP, PSEUDONYM, SHIFT, KEYED_SHIFT, YEAR, GENERALISE)
KEY, KEY_FILE = "BIOLOOM_PRIVACY_KEY", "BIOLOOM_PRIVACY_KEY_FILE"
SHORTEST_KEY = 16
MOST_SHIFTED = 365  # days that a keyed shift moves dates back, at the most; at least one
EPOCH = date(1970, 1, 1).toordinal()
CODE = 16  # characters of a pseudonym: 64 bits, so that a million of them hardly ever meet


def checked(actions: Mapping[str, str]) -> dict[str, str]:
    """The actions by column; DataError for one that is not known."""
    for column, action in actions.items():
        if action not in ACTIONS:
            raise unknown_name("action", str(action), ACTIONS, f" under `privacy: {column}`")
    return {str(column): action for column, action in actions.items()}


def secret_key() -> bytes:
    """The key, of the environment or of a file that it names; DataError for none."""
    key, place = os.environ.get(KEY, ""), os.environ.get(KEY_FILE, "")
    if not key and place:
        try:
            key = Path(place).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"The file that {KEY_FILE} names cannot be read") from error
    if len(key) < SHORTEST_KEY:
        problem = "is too short" if key else "is missing"
        raise DataError(
            f"The key of pseudonyms and shifts {problem}: at least {SHORTEST_KEY} characters",
            hint=f"keep a random one outside the project: `export {KEY_FILE}=~/.bioloom_key`, "
            "made by `openssl rand -hex 32`. It is never written into a task file",
        )
    return key.encode()


def apply(
    table: pd.DataFrame, actions: Mapping[str, str], patient: str | None, file: Path
) -> tuple[pd.DataFrame, dict[str, int]]:
    """The table after the actions, and of each column how many cells were changed.

    `patient` is the column that says of whom a row is; where the table has none, each row is of
    another, and a keyed shift is a DataError. So are cells that are not what the action takes: it
    names the first row, and shows no value.
    """
    if patient not in table and KEYED_SHIFT in actions.values():
        raise DataError(
            f"`{KEYED_SHIFT}` goes by the patient, and no column of the table says who that is",
            file=file,
            hint="name it: `columns: {patient: ...}`; the number of a row is of nobody",
        )
    persons = table[patient] if patient in table else pd.Series(table.index, index=table.index)
    counts = {name: len(cells_of(table[name])) for name in actions}
    shifted = [name for name, action in actions.items() if action == SHIFT]
    changed: dict[str, pd.Series] = _shifted(table[shifted], persons, file) if shifted else {}
    for name, action in actions.items():
        if action == PSEUDONYM:
            changed[name] = pseudonyms(table[name])
        elif action == KEYED_SHIFT:
            changed[name] = _moved(table[name], persons, file)
        elif action == YEAR:
            changed[name] = _years(table[name], file)
        elif action == GENERALISE:
            changed[name] = _generalised(table[name], file)
    dropped = [name for name, action in actions.items() if action == DROP]
    return table.assign(**changed).drop(columns=dropped), counts


def pseudonyms(column: pd.Series) -> pd.Series:
    """The codes of the cells by the secret key: the same one for the same cell of any table."""
    key = secret_key()
    codes = cells_of(column).map(lambda cell: _digest(key, cell)[:CODE])
    # A letter in front, so that no code is read as a number such as 12e45.
    return ("p" + codes).reindex(column.index).astype("str")


def _digest(key: bytes, text: str) -> str:
    """HMAC-SHA256 of a text, in hexadecimal digits."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def days_of(column: pd.Series, file: Path) -> pd.Series:
    """The days of a column of dates, NaN where it is empty."""
    cells = cells_of(column)
    first = dates.day_first(cells)
    days = cells.map(lambda cell: dates.read(cell, first is not False))
    _refuse(cells.index[days.isna()], column, "A date", file)
    turned = cells.map(lambda cell: dates.read(cell, False))
    if first is None and not days.equals(turned):
        raise DataError(
            "Which is the day and which the month cannot be told",
            file=file,
            column=str(column.name),
            hint="write dates as 2001-12-31, or take `year`",
        )
    return days.map(date.toordinal).astype(float).reindex(column.index)


def _shifted(table: pd.DataFrame, persons: pd.Series, file: Path) -> dict[str, pd.Series]:
    """Days since the patient's first date in any of the columns; 90 years where it is more."""
    days = pd.DataFrame({str(name): days_of(table[name], file) for name in table})
    first = days.min(axis=1).groupby(persons.to_numpy()).transform("min")
    return {
        str(name): _text((days[name] - first).clip(upper=(OLDEST + 1) * 365.25 // 1))
        for name in days
    }


def _moved(column: pd.Series, persons: pd.Series, file: Path) -> pd.Series:
    """Days since 1970, moved back by days that are each patient's own; births as in `_years`."""
    key, days = secret_key(), days_of(column, file)
    ids = cells_of(persons)
    back = ids.map(lambda one: int(_digest(key, f"{KEYED_SHIFT} {one}"), 16) % MOST_SHIFTED + 1)
    moved = days - back.reindex(column.index).astype(float)
    if names.is_birth(str(column.name)):
        # After the move: a day that all know, moved, would tell by how much.
        moved = moved.clip(lower=date(_oldest_birth(), 1, 1).toordinal())
    return _text(moved - EPOCH)


def _oldest_birth() -> int:
    """The year of birth that stands for all earlier ones: that of persons of 90."""
    return date.today().year - OLDEST - 1


def _years(column: pd.Series, file: Path) -> pd.Series:
    """The year of each date; of birth not before that of persons of 90."""
    cells = cells_of(column)
    years = cells.map(dates.year).astype(float)
    _refuse(cells.index[years.isna()], column, "A date", file)
    if names.is_birth(str(column.name)):
        years = years.clip(lower=_oldest_birth())
    return _text(years.reindex(column.index))


def _generalised(column: pd.Series, file: Path) -> pd.Series:
    name, cells = str(column.name), cells_of(column)
    numeric = pd.to_numeric(cells, errors="coerce").astype(float)
    if (per := names.age_unit(name)) is not None:
        _refuse(cells.index[numeric.isna()], column, "An age in numbers", file)
        oldest = (OLDEST + 1) * per
        if pd.api.types.is_numeric_dtype(column):  # of Parquet, which keeps its types
            return numeric.clip(upper=oldest).reindex(column.index)
        old = (numeric >= oldest).reindex(column.index, fill_value=False)
        return column.mask(old, f"{oldest:g}")
    digits = cells.str.fullmatch(r"\d{3}(\d{2}(-?\d{4})?)?")
    is_day = cells.map(lambda cell: dates.year(cell) is not None)
    if is_day.all() and not digits.all():
        return _years(column, file)
    _refuse(cells.index[~digits], column, "A date, an age or a ZIP code", file)
    areas = cells.str[:3].mask(cells.str[:3].isin(SMALL_AREAS), "000")
    return areas.reindex(column.index).astype("str")


def _refuse(rows: Iterable[int], column: pd.Series, what: str, file: Path) -> None:
    if wrong := list(rows):
        raise DataError(
            f"{what} is needed, and {len(wrong)} rows have something else; the first",
            file=file,
            row=wrong[0],
            column=str(column.name),
            hint="mend the values, or say `drop` under `privacy`",
        )


def _text(numbers: pd.Series) -> pd.Series:
    """Whole numbers as a table has them: text, and gaps."""
    return numbers.map(lambda n: np.nan if np.isnan(n) else f"{n:.0f}").astype("str")
