"""What a task says of patients' records: which codes become columns, when, and of which unit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bioloom.clinical.units import check_unit, read_conversions
from bioloom.errors import DataError
from bioloom.formats.event_table import COLUMNS
from bioloom.options import Option, complete_options
from bioloom.privacy.names import age_unit

FORMATS = ("fhir", "meds", "omop", "table")
NUMERIC = ("mean", "min", "max", "slope")
ANSWERS = ("any", "time")
FOLLOWED = (*ANSWERS, "count")
"""What is known of an outcome only while a patient is followed."""
TAKES = ("last", "first", *NUMERIC, "count", "any")
REFUSE, LEAVE_OUT = "refuse", "leave_out"
KEEP, DROP = "keep", "drop"
LAST_EVENT, COMPLETE = "last_event", "complete"
ALL = "all"
EACH = "all"
"""Of index events: each is a row."""
LANDMARK = "landmark"
"""The feature that says at which landmark a row is."""

_VALUE: dict[str, Any] = {
    "codes": Option(
        None, about="a list, or codes to the unit of their values where none is written"
    ),
    "unit": Option(None, type=str, about="of the numbers, in UCUM; `'1'` for none"),
    "molar_mass": Option(None, type=float, above=0, about="g/mol, between mass and amount"),
    "convert": Option({}, about="another unit to the [factor, shift] that make `unit` of it"),
    "value": Option(
        None,
        type=str,
        choices=("number", "text", "code"),
        about="what of an event is meant; null is the number where a `unit` is said, else the text",
    ),
    "values": Option({}, about="text or code to its name; others do not count"),
    "text_numbers": Option(False, about="whether a text such as 105 is a number"),
}
FEATURE: dict[str, Any] = _VALUE | {
    "take": Option(
        None, type=str, choices=(*TAKES, "age"), about="which value of the window; slope is a day"
    ),
    "window": Option(
        None,
        about="before the index: `48 h`, `[365 d, 30 d]` (from, to) or all; else that of records",
    ),
    "static": Option(False, about="whether the value always holds and needs no time"),
}
OUTCOME: dict[str, Any] = _VALUE | {
    "take": Option("any", choices=("time", *TAKES), about="what of the time after the index"),
    "within": Option(None, type=str, about="how long after the index, such as `30 d`"),
    "followed": Option(
        None, about="until when patients were: last_event, complete, a day, or codes of contacts"
    ),
    "prevalent": Option(
        None, type=str, choices=(KEEP, DROP), about="what is done with who had it before the index"
    ),
}
INDEX: dict[str, Any] = {
    "codes": Option(None, about="of the event from which on is predicted"),
    "take": Option(
        "first",
        choices=("first", "last", EACH),
        about="which such event of a patient; `all` makes a row of each",
    ),
    "landmarks": Option(
        [], about="times after the index, such as `[0 d, 90 d]`, each a row of who is there then"
    ),
    "patient": Option(None, type=str, about="column of the source `index`"),
    "time": Option(None, type=str, about="column of the source `index`"),
    "site": Option(None, type=str, about="column of the source `index`, by which `time_zone` goes"),
    "keep": Option([], about="columns of the source `index` that are features"),
}
RECORDS: dict[str, Any] = {
    "format": Option(None, type=str, choices=FORMATS, about="of the source `clinical`"),
    "columns": Option(
        complete_options({}, COLUMNS, "columns"),
        options=COLUMNS,
        about="of `format: table`, the columns that have a role",
    ),
    "time_zone": Option(
        None, about="of times without offset, such as Europe/Berlin; or one for each site"
    ),
    "base_url": Option(None, type=str, about="of the FHIR server, where files name none"),
    "known_at_onset": Option(
        False, about="whether what says only when it began was known from then on"
    ),
    "index": Option(
        complete_options({}, INDEX, "index"),
        options=INDEX,
        about="the event from which on is predicted",
    ),
    "window": Option(None, about="of features that say none, before the index"),
    "features": Option({}, each=FEATURE, about="column to what was known before the index"),
    "outcomes": Option({}, each=OUTCOME, about="column to what happened after the index"),
    "spellings": Option({}, about="how the hospital writes a unit to what it is in UCUM"),
    "wrong_units": Option(
        REFUSE,
        choices=(REFUSE, LEAVE_OUT),
        about="whether values of another unit stop the run or are left out",
    ),
}
"""What `records` of a data set takes."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(min|h|d|wk)")
PATIENT = "patient"


@dataclass(frozen=True)
class Column:
    """One column of the table: which events it is made of, and how.

    `codes` have the unit that is said of them, or None. The window lies from `start` (None: ever)
    to `end` before the index, of an outcome to `within` after it.
    """

    name: str
    codes: Mapping[str, str | None]
    take: str
    value: str
    unit: str | None = None
    molar_mass: float | None = None
    convert: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    text_numbers: bool = False
    static: bool = False
    start: pd.Timedelta | None = None
    end: pd.Timedelta = pd.Timedelta(0)
    within: pd.Timedelta | None = None
    followed: Any = None
    prevalent: str | None = None


def features_of(records: Mapping[str, Any]) -> list[Column]:
    """The columns that are features, of `RECORDS` that are complete, checked."""
    columns = []
    for name, options in records["features"].items():
        place = f"records: features: {name}"
        if options["take"] is None:
            raise DataError(f"`{place}` needs `take`", hint=f"one of {', '.join(TAKES)}, age")
        if options["take"] == "age":
            if age_unit(str(name)) is None:
                raise DataError(
                    f"`{place}`: an age has to be called one, so that those over 89 are seen",
                    hint="such as `age`, or `age_at_index`",
                )
            columns.append(Column(str(name), {}, "age", "number"))
            continue
        start, end = None, pd.Timedelta(0)
        if not options["static"]:
            start, end = _window(options["window"] or records["window"], place)
        shared = _shared(name, options, place)
        columns.append(Column(**shared, static=options["static"], start=start, end=end))
    return columns


def outcomes_of(records: Mapping[str, Any]) -> list[Column]:
    """The columns that tell what happened after the index, of complete `RECORDS`, checked."""
    columns = []
    for name, options in records["outcomes"].items():
        place = f"records: outcomes: {name}"
        take, followed = options["take"], options["followed"]
        within = None if options["within"] is None else duration(options["within"], place)
        if within is None and take != "time":
            raise DataError(f"`{place}` needs `within`", hint="such as `within: 30 d`")
        if take not in FOLLOWED and followed is not None:
            raise DataError(
                f"`{place}`: `followed` says nothing of `take: {take}`",
                hint=f"it is of `take:` {', '.join(FOLLOWED)}",
            )
        if take in FOLLOWED and (followed is None or (take == "time" and followed == COMPLETE)):
            raise DataError(
                f"`{place}`: until when were patients followed? That is not guessed",
                hint="`followed: last_event`, the last day of the data such as 2023-12-31, codes "
                "such as [DEATH, VISIT]" + ("" if take == "time" else ", or complete"),
            )
        shared = _shared(name, options, place)
        extra = {key: options[key] for key in ("followed", "prevalent")}
        columns.append(Column(**shared, **extra, within=within))
    return columns


def _shared(name: Any, options: Mapping[str, Any], place: str) -> dict[str, Any]:
    """What features and outcomes have in common."""
    take, unit = options["take"], options["unit"]
    codes = codes_of(options["codes"], place)
    if unit is not None:
        check_unit(unit, place)
    value = options["value"] or ("number" if unit else "text")
    if take in NUMERIC and value != "number":
        raise DataError(
            f"`{place}: take: {take}` needs the `unit` of the numbers",
            hint="in UCUM, such as `unit: mg/dL`; `unit: '1'` for numbers without one",
        )
    if value == "number" and unit is None:
        raise DataError(f"`{place}` needs the `unit` of its numbers", hint="such as `unit: mg/dL`")
    return {
        "name": str(name),
        "codes": codes,
        "take": take,
        "value": value,
        "unit": unit,
        "molar_mass": options["molar_mass"],
        "convert": read_conversions(options["convert"], place),
        "values": {str(key): str(word) for key, word in options["values"].items()},
        "text_numbers": options["text_numbers"],
    }


def codes_of(given: Any, place: str) -> dict[str, str | None]:
    """Codes with the unit that is said of each, or None."""
    if isinstance(given, Mapping) and given:
        return {str(code): None if unit is None else str(unit) for code, unit in given.items()}
    listed = given if isinstance(given, list) else [] if given is None else [given]
    if not listed or not all(isinstance(code, str | int) for code in listed):
        raise DataError(
            f"`{place}: codes` takes codes, got {given!r}",
            hint="such as ['http://loinc.org|2339-0'], or a mapping of codes to units",
        )
    return dict.fromkeys(map(str, listed))


def landmarks_of(index: Mapping[str, Any]) -> list[pd.Timedelta]:
    """How long after the index event patients are looked at: 0 alone where nothing is said."""
    place = "records: index: landmarks"
    found = [duration(one, place) for one in index["landmarks"]]
    check_rising(found, index["landmarks"], place)
    return found or [pd.Timedelta(0)]


def check_rising(times: Sequence[Any], given: Sequence[Any], place: str) -> None:
    """DataError for times, as they were given, of which one is not later than the one before it."""
    if list(times) != sorted(set(times)):
        raise DataError(f"`{place}` rise, got {list(given)}")


def index_codes(index: Mapping[str, Any]) -> dict[str, str | None]:
    """The codes of the index event; none where a table says the index."""
    return codes_of(index["codes"], "records: index") if index.get("codes") else {}


def duration(given: Any, place: str) -> pd.Timedelta:
    """A length of time such as `48 h` or `30 d`; months and years have none."""
    match = _DURATION.fullmatch(str(given).strip())
    if not match:
        raise DataError(
            f"`{place}`: expected a length of time in min, h, d or wk, got {given!r}",
            hint="such as 48 h, or 365 d for a year",
        )
    minutes = {"min": 1, "h": 60, "d": 1440, "wk": 10080}[match[2]]
    return pd.Timedelta(minutes=float(match[1]) * minutes)


def _window(given: Any, place: str) -> tuple[pd.Timedelta | None, pd.Timedelta]:
    """How long before the index a window begins (None: ever), and how long before it ends."""
    parts = given if isinstance(given, list) else [given]
    if given is None or len(parts) not in (1, 2):
        raise DataError(
            f"`{place}` needs a `window` before the index",
            hint="`window: 48 h`, `window: [365 d, 30 d]` (from, to), or `window: all`",
        )
    start = None if parts[0] == ALL else duration(parts[0], f"{place}: window")
    end = duration(parts[1], f"{place}: window") if len(parts) == 2 else pd.Timedelta(0)
    if start is not None and start <= end:
        raise DataError(f"`{place}: window` begins at or after its end")
    return start, end
