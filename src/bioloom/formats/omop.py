"""OMOP Common Data Model 5.3 and 5.4: a folder of its tables as CSV (or Parquet), as events.

The code of a row is its concept id. Concept 0 is no concept: such a row goes by its source value,
as `measurement|KAL-X`, and is used where a task names that. A unit is that of `unit_concept_id`,
which the vocabulary (`CONCEPT.csv`, if it lies there) or `omop.csv` says in UCUM, or the text
`unit_source_value`; where it is in doubt it is a text that nothing converts, so that the value is
refused and the event still one. `< 40` by its operator is no 40. `death` is the event `DEATH`.
With `drug_strength` an exposure has the codes of its ingredients and doses (`_omop_doses`).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from bioloom.errors import DataError
from bioloom.formats import _omop_doses, ucum
from bioloom.formats.columns import numbers, require_columns, text, unique_ids, without_point
from bioloom.formats.events import DEATH, SEX, Records, left_out_of, left_out_table, typed
from bioloom.formats.table import read_table
from bioloom.formats.times import read_column
from bioloom.privacy.small_cells import count_shown

NONE = "0"
EQUAL = ("4172703", NONE)
OPERATORS = {"4171756": "<", "4171754": "<=", "4172704": ">", "4171755": ">="}
SEXES = {"8507": "male", "8532": "female"}
NOT_HERE = "its person is not in the table person"


@dataclass(frozen=True)
class Table:
    """What a table calls the concept of a row, and its time (`<when>_date`, `<when>_datetime`)."""

    concept: str
    when: str

    @property
    def source(self) -> str:
        """The column of what the source called it."""
        return self.concept.replace("_concept_id", "_source_value")


TABLES = {
    "condition_occurrence": Table("condition_concept_id", "condition_start"),
    "measurement": Table("measurement_concept_id", "measurement"),
    "observation": Table("observation_concept_id", "observation"),
    "drug_exposure": Table("drug_concept_id", "drug_exposure_start"),
    "procedure_occurrence": Table("procedure_concept_id", "procedure"),
    "visit_occurrence": Table("visit_concept_id", "visit_start"),
}


def read_omop(path: Path, time_zone: str | None) -> Records:
    """The events of a folder of OMOP tables, of which `person` must be there.

    Raises DataError for a column that lacks, and for times and numbers that are none, by row.
    """
    files = _files(path)
    if "person" not in files:
        raise DataError(
            "There is no table person, such as person.csv",
            file=path,
            hint="a source of OMOP is the folder of its tables",
        )
    person = _read(files["person"])
    require_columns(person, ["person_id", "gender_concept_id", "year_of_birth"], files["person"])
    patients = without_point(unique_ids(person, "person_id", files["person"]))
    units = dict(_units()) | (_vocabulary(files["concept"]) if "concept" in files else {})
    parts, gone = [_sexes(person, patients, files["person"])], list[pd.DataFrame]()
    notes = list[str]()
    for name in [name for name in (*TABLES, "death") if name in files]:
        table, file = _read(files[name]), files[name]
        events, lost = _events(table, name, file, time_zone, units)
        here = events["patient"].isin(patients)
        gone += [lost, left_out_of(events[~here].assign(patient=None), NOT_HERE)]
        events = events[here]
        if name == "drug_exposure" and "drug_strength" in files:
            strength = files["drug_strength"]
            strengths = _omop_doses.read_strengths(_read(strength), strength, units)
            events = _omop_doses.with_doses(events, table, file, strengths)
        parts.append(events)
        sources = events["code"][events["code"].str.startswith(f"{name}|")]
        if len(sources):
            notes.append(
                f"{name}: {count_shown(len(sources))} rows of concept 0, with {sources.nunique()} "
                "source values, go by these"
            )
    events = pd.concat(parts, ignore_index=True)
    events["record"] = events.groupby(["file", "line"]).ngroup()
    left_out = pd.concat([*gone, left_out_table()], ignore_index=True)
    born = _births(person, patients, files["person"])
    return Records(typed(events), sorted(patients), born, left_out, notes)


def _files(path: Path) -> dict[str, Path]:
    if not path.is_dir():
        raise DataError("A source of OMOP is the folder of its tables", file=path)
    files: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        if (name := file.name.split(".")[0].lower()) not in _NAMES:
            part = _PART.fullmatch(name)
            if part and file.suffix in (".csv", ".tsv", ".parquet", ".gz"):
                raise DataError(
                    f"The table {part[1]} is in several files, such as {file.name}",
                    file=path,
                    hint=f"make one file {part[1]}{''.join(file.suffixes)} of them",
                )
            continue
        if name in files:
            raise DataError(
                f"Two files of the table {name}: {files[name].name} and {file.name}",
                file=path,
                hint="make one of them, or move the one that is a copy away",
            )
        files[name] = file
    return files


_NAMES = ("person", "death", "concept", "drug_strength", *TABLES)
_PART = re.compile(rf"({'|'.join(_NAMES)})[-_]?(?:part)?[-_]?\d+")


def _read(file: Path) -> pd.DataFrame:
    table = read_table(file)
    table.columns = table.columns.str.lower()
    return table


def _events(
    table: pd.DataFrame, name: str, file: Path, time_zone: str | None, units: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of a table as events, and those left out."""
    when = TABLES[name].when if name in TABLES else "death"
    needed = ["person_id", f"{when}_date", *([TABLES[name].concept] if name in TABLES else [])]
    require_columns(table, needed, file)
    days = text(table[f"{when}_date"])
    exact = table[f"{when}_datetime"] if f"{when}_datetime" in table else days
    times = text(exact).fillna(days).rename(f"{when}_date")
    first, last = read_column(times, time_zone, file)
    events = pd.DataFrame(
        {
            "patient": without_point(text(table["person_id"])),
            **{"time": first, "latest": last, "known": last},
            "file": file.name,
            "line": table.index,
        },
        index=table.index,
    )
    if name not in TABLES:
        return events.assign(code=DEATH), left_out_table()
    concept = _concept(table, TABLES[name].concept)
    source = _text(table, TABLES[name].source)
    named = concept.mask(concept == NONE, name + "|" + source)
    events = _valued(events.assign(code=named), table, file)
    if "value" in events:
        events["unit"] = _units_of(table, units)
    reasons = pd.Series("", events.index, dtype="str")
    reasons = reasons.mask(named.isna(), "neither a concept nor a source value")
    reasons = reasons.mask(first.isna(), "no date")
    bad = reasons != ""
    return events[~bad], left_out_of(events[bad], reasons[bad])


def _valued(events: pd.DataFrame, table: pd.DataFrame, file: Path) -> pd.DataFrame:
    """With the number of each row, and what stands for it where there is none."""
    if "value_as_number" not in table:
        return events
    value = numbers(table["value_as_number"], file)
    concept = _concept(table, "value_as_concept_id")
    words = concept.mask(concept == NONE).fillna(_text(table, "value_as_string"))
    operator = _concept(table, "operator_concept_id")
    limited = ~operator.isin(EQUAL) & value.notna()
    sign = operator.map(OPERATORS).fillna("?")
    words = words.mask(limited, sign + " " + value.map("{:.15g}".format))
    return events.assign(value=value.mask(limited), text=words)


def _units_of(table: pd.DataFrame, units: Mapping[str, str]) -> pd.Series:
    """The unit of each row; in doubt what its concept and its text say, which no list has."""
    concept, written = _concept(table, "unit_concept_id"), _text(table, "unit_source_value")
    by_concept = concept.mask(concept == NONE).map(units)
    unread = (concept != NONE) & by_concept.isna() & written.isna()
    pairs = pd.DataFrame({"concept": by_concept, "written": written}).dropna().drop_duplicates()
    wrong = {(a, b) for a, b in pairs.to_numpy() if ucum.differ(str(b), str(a))}
    both = pd.Series(list(zip(by_concept, written, strict=True)), table.index)
    found = by_concept.fillna(written).mask(unread, "concept " + concept)
    return found.mask(both.isin(wrong), written + " or " + by_concept)


def _concept(table: pd.DataFrame, column: str) -> pd.Series:
    """Concept ids as text, 0 where there is none."""
    return without_point(_text(table, column)).fillna(NONE)


def _text(table: pd.DataFrame, column: str) -> pd.Series:
    if column not in table:
        return pd.Series(None, table.index, dtype="str")
    return text(table[column])


def _sexes(person: pd.DataFrame, patients: pd.Series, file: Path) -> pd.DataFrame:
    """The sex of those of whom a concept says it; source values are not guessed."""
    sex = _concept(person, "gender_concept_id").map(SEXES)
    known = sex.notna()
    rows = {"patient": patients[known], "code": SEX, "text": sex[known], "file": file.name}
    return pd.DataFrame({**rows, "line": person.index[known]})


def _births(person: pd.DataFrame, patients: pd.Series, file: Path) -> dict[str, str]:
    """Year, month and day of birth as far as they are known: no first of January is made up."""
    parts = [
        numbers(person[f"{part}_of_birth"], file)
        if f"{part}_of_birth" in person
        else pd.Series(float("nan"), person.index)
        for part in ("year", "month", "day")
    ]
    births = {}
    for patient, year, month, day in zip(patients, *parts, strict=True):
        if pd.notna(year):
            known = [f"{year:04.0f}", *(f"{part:02.0f}" for part in (month, day))]
            births[patient] = "-".join(known).split("-nan")[0]
    return births


@cache
def _units() -> Mapping[str, str]:
    with Path(__file__).with_suffix(".csv").open(newline="", encoding="utf-8") as file:
        return {row["concept_id"]: row["ucum"] for row in csv.DictReader(file)}


def _vocabulary(file: Path) -> dict[str, str]:
    """The units of a vocabulary's table CONCEPT."""
    table = _read(file)
    require_columns(table, ["concept_id", "concept_code", "vocabulary_id"], file)
    units = table[table["vocabulary_id"] == "UCUM"]
    codes = text(units["concept_code"])
    return dict(zip(without_point(text(units["concept_id"])), codes, strict=True))
