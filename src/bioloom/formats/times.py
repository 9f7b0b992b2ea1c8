"""Times as records write them (ISO 8601), as the instants between which they lie.

`2023-03` is some instant of March 2023, `2023-03-04` one of that day, and so is midnight, which
most systems write where they know no hour. No hour is made up: what must have been known before an
index is judged by the last of these instants, the order of events by the first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from bioloom.errors import DataError

_FORM = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
    r"\s?(Z|[+-]\d\d:?\d\d)?)?)?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC) - _EPOCH
_LAST = timedelta(microseconds=1)
DAY = pd.Timedelta(hours=25)
"""The longest one: on it clocks are turned back."""


class NoZone(ValueError):
    """A time without offset, where no time zone is said."""


@cache
def zone(name: str) -> ZoneInfo:
    """A time zone by its name in the IANA database; DataError for another name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise DataError(
            f"There is no time zone {name!r}", hint="names are such as Europe/Berlin, or UTC"
        ) from None


@lru_cache(maxsize=1 << 20)
def bounds(text: str, zone_name: str | None) -> tuple[int, int] | None:
    """The first and the last instant that a time may be, in microseconds since 1970; None for none.

    Raises NoZone for a time without offset where no zone is named. An hour that a change of clocks
    has twice may be either. Nothing comes after the year 9999, the usual end of open records.
    """
    match = _FORM.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    at = [int(part or 0) for part in (hour, minute, second)]
    micro = int(((fraction or "") + "000000")[:6])
    try:
        first = datetime(int(year), int(month or 1), int(day or 1), at[0], at[1], at[2], micro)
        last = _end_of(first, month, day, whole_day=not (any(at) or micro))
        if offset:
            away = _offset(offset)
            span = [moment.replace(tzinfo=UTC) - _EPOCH - away for moment in (first, last)]
        elif zone_name is None:
            raise NoZone(text)
        else:
            where = zone(zone_name)
            span = [
                moment.replace(tzinfo=where, fold=fold) - _EPOCH
                for moment in (first, last)
                for fold in (0, 1)
            ]
    except OverflowError:
        return None
    except ValueError as error:
        if isinstance(error, NoZone | DataError):
            raise
        return None
    low, high = min(span), max(span)
    if last > first and last != datetime.max:
        high -= _LAST
    low, high = min(low, _END), min(high, _END)
    return low // _LAST, high // _LAST


def _end_of(first: datetime, month: str | None, day: str | None, whole_day: bool) -> datetime:
    """The begin of what comes after a year, month or day; of an instant itself."""
    try:
        if day is not None:
            return first + timedelta(days=whole_day)
        if month is None:
            return first.replace(year=first.year + 1)
        return (first + timedelta(days=32)).replace(day=1)
    except (OverflowError, ValueError):
        return datetime.max


def _offset(text: str) -> timedelta:
    if text == "Z":
        return timedelta(0)
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 14 or minutes > 59:
        raise OverflowError
    return (timedelta(hours=hours, minutes=minutes)) * (-1 if text[0] == "-" else 1)


def instants(micros: list[int | None]) -> pd.Series:
    """Microseconds since 1970 as a column of instants; None is missing."""
    values = pd.Series(micros, dtype="Int64")
    return pd.to_datetime(values, unit="us", utc=True).dt.as_unit("us")


def of_exact_day(first: pd.Series, last: pd.Series) -> pd.Series:
    """Whether times are known to the day, or better: of each its first and last instant."""
    return first.notna() & (last - first < DAY)


def read_column(
    column: pd.Series, zones: pd.Series | str | None, file: Path
) -> tuple[pd.Series, pd.Series]:
    """The first and the last instants of a column of times, both missing where it is.

    `zones` is one time zone, or that of each row. Raises DataError, with the row, for what is no
    time of this form, and for one without offset and zone. No value is shown.
    """
    of_rows = zones if isinstance(zones, pd.Series) else pd.Series(zones, column.index, dtype="str")
    low, high = list[int | None](), list[int | None]()
    for row, text, where in zip(column.index, column, of_rows, strict=True):
        if pd.isna(text):
            low.append(None)
            high.append(None)
            continue
        try:
            found = bounds(str(text), None if pd.isna(where) else where)
        except NoZone:
            raise no_zone(file, row, str(column.name)) from None
        if found is None:
            raise DataError(
                "Expected a date or time such as 2023-03-04 or 2023-03-04T08:30:00+01:00",
                file=file,
                row=row,
                column=str(column.name),
                hint="other orders of day and month are not guessed: write it by ISO 8601",
            )
        low.append(found[0])
        high.append(found[1])
    made = (instants(values).set_axis(column.index) for values in (low, high))
    return next(made), next(made)


def no_zone(file: Path, row: int, column: str | None = None) -> DataError:
    """The error for a time without offset of which the hospital's zone is not said."""
    return DataError(
        "A time without offset from UTC, and no time zone is said",
        file=file,
        row=row,
        column=column,
        hint="`records: {time_zone: Europe/Berlin}`, that of the hospital's clocks",
    )


def zones_of(
    said: str | Mapping[str, str] | None, sites: pd.Series | None, index: pd.Index, file: Path
) -> pd.Series | str | None:
    """The time zone of all rows, or of each by its hospital; DataError for a hospital without."""
    if not isinstance(said, Mapping):
        if said is not None:
            zone(str(said))
        return said
    for name in said.values():
        zone(str(name))
    if sites is None:
        raise DataError(
            "`time_zone` is said by hospital, and no column of the table says the hospital",
            file=file,
            hint="name it as `site`, or say one `time_zone` for all",
        )
    known = sites.map({str(site): str(name) for site, name in said.items()})
    lacking = index[(known.isna()).to_numpy()]
    if len(lacking):
        raise DataError(
            "A hospital of which `time_zone` says nothing",
            file=file,
            row=lacking[0],
            column=str(sites.name),
        )
    return known.astype("str")
