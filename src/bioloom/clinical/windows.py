"""Events of patients as columns, one row a patient: what was known in a window before an index.

A value counts by when it was known (`known`), strictly before the index, and from the lower edge
of the window on. `last`, `first` and `slope` go by when it happened. What lies on the day of the
index without an hour is not known to be before it, and does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bioloom.clinical import units
from bioloom.clinical.declared import REFUSE, Column
from bioloom.errors import DataError
from bioloom.formats.columns import rows_told
from bioloom.formats.decimal_comma import EXPONENT, numbers_of_texts
from bioloom.formats.events import left_out_of, left_out_table
from bioloom.privacy.small_cells import count_shown

LIMIT = r"\s*(<=|>=|<|>|≤|≥)\s*\d.*"
NUMBER = rf"\s*[+-]?\d+([.,]\d+)*{EXPONENT}\s*"
SECONDS = 86_400  # of a day
AFTER = "at or after the index"
LATER = "known only at or after the index"
NOT_PLACED = "on the day of the index, or of no exact day: not known to be before it"
UNTOLD = "nothing tells since when it was known"
UNDATED = "without a time"
IN_TEXT = "a number in a text"
UNSURE = "a number in a text whose comma or point may be of thousands"
TIES = "texts of one time that differ"


@dataclass(frozen=True)
class Rules:
    """How values are read.

    `spellings` of units come before all others. `wrong_units` says whether a unit that cannot be
    converted stops the run (`refuse`) or is left out, `decimal` which mark numbers in texts have.
    """

    spellings: Mapping[str, str] = field(default_factory=dict)
    wrong_units: str = REFUSE
    decimal: str = "point"


@dataclass(frozen=True)
class Made:
    """A column by patient, the events that were left out of it, and spellings of units by use."""

    values: pd.Series
    left_out: pd.DataFrame
    spelt: dict[str, int]


def of_column(events: pd.DataFrame, column: Column) -> pd.DataFrame:
    """The events that have one of a column's codes: each record once, with the `said` unit."""
    chosen = events[events["code"].isin(column.codes)].drop_duplicates("record")
    return chosen.assign(said=chosen["code"].map(column.codes))


def make_feature(events: pd.DataFrame, index: pd.Series, column: Column, rules: Rules) -> Made:
    """A feature of the patients of `index` (patient -> instant, in the order of the table).

    Raises DataError, with the lines, for units that cannot be converted where `rules` say so.
    """
    chosen = of_column(events, column)
    at = chosen["patient"].map(index)
    chosen, at = chosen[at.notna()], at[at.notna()]
    if column.static:
        inside = chosen["time"].isna()
        reasons = pd.Series("with a time, of what is static", at.index)
    else:
        inside, reasons = _inside(chosen, at, column)
    gone = [left_out_of(chosen[~inside], reasons[~inside])]
    return reduced(chosen[inside], index.index, column, rules, gone)


def _inside(chosen: pd.DataFrame, at: pd.Series, column: Column) -> tuple[pd.Series, pd.Series]:
    """Whether events are in the window, and why others are left out.

    Nothing is told of what lies before the window, or in a gap between it and the index: that is
    what the declaration asks for.
    """
    known, first, last = chosen["known"], chosen["time"], chosen["latest"]
    early = known < at - column.start if column.start is not None else known < first
    inside = (known < at - column.end) & ~early
    reasons = pd.Series("", chosen.index, dtype="str")
    reasons = reasons.mask((last < at) & (known >= at), LATER)
    reasons = reasons.mask((last < at) & known.isna(), UNTOLD)
    reasons = reasons.mask((last >= at), AFTER)
    reasons = reasons.mask((last >= at) & (first <= at) & (first < last), NOT_PLACED)
    return inside, reasons.mask(first.isna(), UNDATED)


def reduced(
    chosen: pd.DataFrame,
    patients: pd.Index,
    column: Column,
    rules: Rules,
    gone: list[pd.DataFrame],
) -> Made:
    """The chosen events of each patient as one value."""
    if column.take in ("count", "any"):
        counts = chosen.groupby("patient").size().reindex(patients, fill_value=0)
        made = counts if column.take == "count" else counts.gt(0)
        return Made(made.astype(float), pd.concat(gone), {})
    spelt: dict[str, int] = {}
    if column.value == "number":
        chosen, lost, spelt = _numbers(chosen, column, rules)
    else:
        chosen, lost = _texts(chosen, column)
    gone.append(lost)
    if column.take in ("first", "last"):
        values, differ = _end(chosen, column)
        gone.append(differ)
    elif column.take == "slope":
        values = _slopes(chosen)
    else:
        values = chosen.groupby("patient")["value"].agg(column.take)
    return Made(values.reindex(patients), pd.concat(gone), spelt)


def _numbers(
    chosen: pd.DataFrame, column: Column, rules: Rules
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """The events that have a number, in the wanted unit; DataError for units that none reads."""
    texts = chosen["text"].where(chosen["value"].isna())
    if column.text_numbers:
        read = numbers_of_texts(texts, rules.decimal)
        chosen = chosen.assign(value=chosen["value"].fillna(read))
    none = chosen["value"].isna()
    reasons = pd.Series("text and no number", chosen.index, dtype="str")
    reasons = reasons.mask(texts.isna(), "no value")
    why = UNSURE if column.text_numbers else IN_TEXT
    reasons = reasons.mask(texts.str.fullmatch(NUMBER).fillna(False), why)
    reasons = reasons.mask(
        texts.str.fullmatch(LIMIT).fillna(False), "a limit, such as < 5, and no value"
    )
    gone, kept = left_out_of(chosen[none], reasons[none]), chosen[~none]
    assert column.unit is not None
    wanted = units.Wanted(column.unit, column.molar_mass, column.convert, rules.spellings)
    values, wrong, spelt = units.convert(kept["value"], kept["unit"].fillna(kept["said"]), wanted)
    bad = wrong.notna()
    if bad.any() and rules.wrong_units == REFUSE:
        raise _refused(kept[bad], wrong[bad], column, wanted)
    lost = left_out_of(kept[bad], "a unit that is not converted: " + wrong[bad])
    return kept.assign(value=values)[~bad], pd.concat([gone, lost]), spelt


def _refused(
    bad: pd.DataFrame, wrong: pd.Series, column: Column, wanted: units.Wanted
) -> DataError:
    """The error for values of other units: it names the lines of each, and no value."""
    told = []
    for (reason, file), lines in bad.groupby([wrong, "file"], sort=False)["line"]:
        told.append(f"{reason}: {file} row {rows_told(sorted(lines))}")
    return DataError(
        f"{len(bad)} values have another unit than {column.unit} ({'; '.join(told)})",
        column=column.name,
        hint=units.hint(wanted) + "; of records also the unit of a code without one by `codes: "
        "{<code>: <unit>}`, or `wrong_units: leave_out`",
    )


def _texts(chosen: pd.DataFrame, column: Column) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The events with their text, or their code, as it is called in `values`."""
    words = chosen["code"] if column.value == "code" else chosen["text"]
    numbered = words.isna() & chosen["value"].notna()
    if column.value == "text":
        words = words.where(~numbered, chosen["value"].map("{:.15g}".format))
    reasons = pd.Series("no text", chosen.index, dtype="str")
    if column.values:
        reasons = reasons.mask(words.notna(), "a text that `values` does not list")
        words = words.map(column.values)
    none = words.isna()
    return chosen.assign(value=words.astype("str"))[~none], left_out_of(chosen[none], reasons[none])


def _end(chosen: pd.DataFrame, column: Column) -> tuple[pd.Series, pd.DataFrame]:
    """The first or last value of each patient.

    Several numbers of one time are their mean, so that no order of the file decides; texts that
    differ are none.
    """
    when = chosen["time"].astype("int64").where(chosen["time"].notna(), 0)
    edge = when.groupby(chosen["patient"]).transform("min" if column.take == "first" else "max")
    ends = chosen[when == edge]
    by_patient = ends.groupby("patient")["value"]
    if column.value == "number":
        return by_patient.mean(), left_out_table()
    differ = ends["patient"].map(by_patient.nunique()) > 1
    values = ends[~differ].groupby("patient")["value"].first()
    return values, left_out_of(ends[differ], pd.Series(TIES, ends.index[differ]))


def _slopes(chosen: pd.DataFrame) -> pd.Series:
    """The least squares slope a day of each patient; missing of a single time."""
    days = days_between(chosen["time"], pd.Series(chosen["time"].min(), chosen.index))
    grouped = pd.DataFrame({"patient": chosen["patient"], "x": days, "y": chosen["value"]})
    means = grouped.groupby("patient")[["x", "y"]].transform("mean")
    x, y = grouped["x"] - means["x"], grouped["y"] - means["y"]
    sums = pd.DataFrame({"xy": x * y, "xx": x * x}).groupby(grouped["patient"]).sum()
    # The squares of a single time are not always 0: its mean is rounded.
    several = chosen.groupby("patient")["time"].nunique() > 1
    return (sums["xy"] / sums["xx"]).where(several)


def days_between(later: pd.Series, earlier: pd.Series) -> pd.Series:
    """The days from one instant to the other, as floats."""
    return (later - earlier).dt.total_seconds() / SECONDS


def ages(births: Mapping[str, str], index: pd.Series) -> tuple[pd.Series, list[str]]:
    """Whole years at the index, by what is known of the date of birth; and notes.

    Of a year alone it is the difference of the years, which may be one too many. Who was born after
    the index has none.
    """
    made, partly, unborn = dict[Any, float](), 0, 0
    for patient, at in index.items():
        parts = [int(part) for part in births.get(str(patient), "").split("-") if part]
        if not parts:
            continue
        reached = [at.month, at.day][: len(parts) - 1] >= parts[1:]
        if (age := float(at.year - parts[0] - (not reached))) < 0:
            unborn += 1
            continue
        made[patient] = age
        partly += len(parts) < 3
    notes = [f"The age of {count_shown(partly)} patients is by year or month of birth"]
    notes += [f"{count_shown(unborn)} patients were born after the index: they have no age"]
    told = [note for note, n in zip(notes, (partly, unborn), strict=True) if n]
    return pd.Series(made, dtype=float).reindex(index.index), told
