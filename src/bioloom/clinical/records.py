"""Patients' records (FHIR, MEDS, OMOP, or a table of events) as the table of patients.

What the option `records` declares is made: one row a patient with an index event, or one an index
event, or one of these a landmark, the columns `patient`, features of what was known before it, and
outcomes after it. See `docs/records.md`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.clinical import followup, windows
from bioloom.clinical.declared import (
    EACH,
    FORMATS,
    LANDMARK,
    PATIENT,
    Column,
    codes_of,
    features_of,
    index_codes,
    landmarks_of,
    outcomes_of,
)
from bioloom.errors import DataError
from bioloom.formats.columns import check_ids, one_spelling, places, require_columns, text
from bioloom.formats.event_table import read_event_table
from bioloom.formats.events import DEATH, OPEN, SEX, Records
from bioloom.formats.fhir import read_fhir
from bioloom.formats.meds import read_meds
from bioloom.formats.omop import read_omop
from bioloom.formats.table import read_options, read_source
from bioloom.formats.times import of_exact_day, read_column, zones_of
from bioloom.privacy.identifiers import Finding, find_own
from bioloom.privacy.small_cells import count_shown

BETWEEN = " "  # a patient and the number of an index event
DAY = pd.Timedelta(days=1)
SOURCE = "index"
"""The source of a table that says each patient's index."""


def read_table_of_patients(
    files: Mapping[str, Path], options: Mapping[str, Any], roles: Collection[str]
) -> tuple[pd.DataFrame, list[str], list[Finding]]:
    """The table of patients that `records` declares, notes on what was left out, and what tells.

    The latter are columns that have what the records themselves say of who a person is.

    Outcomes that no role of `columns` names (`roles`) are left out, so that new data may have the
    same declaration. The rows of the table are numbered from 1. Raises DataError for a declaration
    that is not complete, and for what the readers refuse.
    """
    said = options["records"]
    features, outcomes = features_of(said), outcomes_of(said)
    _check_names(features, outcomes, said["index"])
    records = read_records(files["clinical"], said, options)
    index, table, notes = _index(records, files, said, options)
    if index.empty:
        raise DataError("No patient has an index event", file=files["clinical"])
    named, landmarks = records, landmarks_of(said["index"])
    followup.refuse_dead(records.events, index)
    asked = [one for one in outcomes if {one.name, f"{one.name}_days"} & {*roles}]
    if said["index"]["landmarks"]:
        index, table, left = _at_landmarks(records, index, table, landmarks, followed=bool(asked))
        notes += left
        if index.empty:
            raise DataError(
                f"No patient has a row at `landmarks: {said['index']['landmarks']}`",
                file=files["clinical"],
                hint="; ".join(left),
            )
    if several := said["index"]["take"] == EACH:
        what = "landmarks of index events" if said["index"]["landmarks"] else "index events"
        rows, persons = count_shown(len(index)), count_shown(index.index.nunique())
        notes.append(f"{rows} {what} of {persons} patients are rows")
    if several := several or len(landmarks) > 1:
        records, index, table, whose = _each(records, index, table)
    notes += records.notes
    told = [records.left_out.assign(column="")]
    decimal = read_options("clinical", options)["decimal"]
    rules = windows.Rules(said["spellings"], said["wrong_units"], decimal)
    for column in features:
        if column.take == "age":
            # By the calendar of the place: of a midnight there the day in UTC is another one. A
            # table of events, which may have several zones, has no births.
            zone = said["time_zone"] if isinstance(said["time_zone"], str) else "UTC"
            days = index["time"].dt.tz_convert(zone)
            table[column.name], told_of_ages = windows.ages(records.births, days)
            notes += told_of_ages
            continue
        made = windows.make_feature(records.events, index["time"], column, rules)
        table[column.name] = made.values
        told.append(made.left_out.assign(column=column.name))
        notes += _spelt(made, column)
    notes += [
        f"{column.name} has no value in any patient: are its codes those of the records?"
        for column in features
        if len(table) and table[column.name].isna().all()
    ]
    gone = pd.Index([])
    for column in asked:
        columns, made, had = followup.make_outcome(records.events, index, column, said, rules)
        table = table.assign(**{name: columns[name] for name in columns if name in roles})
        told.append(made.left_out.assign(column=column.name))
        gone = gone.union(had)
        notes += _spelt(made, column)
    left_out = pd.concat(told)
    table = table[~table.index.isin(gone)]
    if several:
        left_out["patient"] = left_out["patient"].map(whose).fillna(left_out["patient"])
        # A record is told once, however many index events of its patient see it.
        left_out = left_out.drop_duplicates(["column", "reason", "patient", "file", "line"])
        table.index = table.index.map(whose)
    if len(gone):
        rows = f"{count_shown(len(gone))} rows of " if several else ""
        persons = count_shown(gone.map(whose).nunique() if several else len(gone))
        notes.append(f"{rows}{persons} patients had an outcome before the index: left out")
    notes += _told(left_out) + _unnamed(named, [*features, *outcomes], said["index"])
    table = table.rename_axis(PATIENT).reset_index()
    table = table.set_axis(pd.RangeIndex(1, len(table) + 1), axis=0)
    return table, notes, find_own(table, table[PATIENT], records.own)


def read_records(path: Path, said: Mapping[str, Any], options: Mapping[str, Any]) -> Records:
    """The events of the source `clinical`, by its `format`."""
    if said["format"] is None:
        raise DataError(
            "Which format do the records have?", hint=f"`format:` one of {', '.join(FORMATS)}"
        )
    if said["format"] != "table" and isinstance(said["time_zone"], Mapping):
        raise DataError(f"`time_zone` of {said['format'].upper()} is one for all", file=path)
    if said["format"] == "meds":
        return read_meds(path, said["time_zone"])
    if said["format"] == "fhir":
        return read_fhir(path, said["time_zone"], said["base_url"], said["known_at_onset"])
    if said["format"] == "omop":
        return read_omop(path, said["time_zone"])
    read = read_options("clinical", options)
    return read_event_table(path, said["columns"], said["time_zone"], read)


def _index(
    records: Records, files: Mapping[str, Path], said: Mapping[str, Any], options: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """The index of each patient, the table to fill with what its table keeps, and notes.

    The index has the columns `time, latest`, the instants between which it lies, by patient, who
    has several rows where each event is one.
    """
    index = said["index"]
    if (SOURCE in files) == bool(index["codes"]):
        raise DataError(
            "What is the index event of a patient?",
            hint="`records: {index: {codes: [...], take: first}}`, or a source `index`: a table "
            "with `records: {index: {patient: ..., time: ...}}`",
        )
    if SOURCE in files:
        found, kept, notes = _of_table(files[SOURCE], index, said["time_zone"], options)
        place = places(found.index.to_series(), pd.Index(records.patients))
        known = place >= 0
        if not known.any():
            raise DataError(
                "No patient with an index is in the records",
                file=files[SOURCE],
                column=index["patient"],
                hint="both name patients by the same ids",
            )
        if lost := int((~known).sum()):
            notes.append(f"{count_shown(lost)} patients with an index have no records: left out")
        same = pd.Index(records.patients, name=found.index.name)[place[known]]
        found, kept = found[known].set_axis(same), kept[known].set_axis(same)
    else:
        codes = codes_of(index["codes"], "records: index")
        events = records.events[records.events["code"].isin(codes)]
        exact = of_exact_day(events["time"], events["latest"])
        lost = events.loc[~exact, "patient"].nunique()
        notes = [f"{count_shown(lost)} patients have index events of no exact day"] if lost else []
        ordered = events[exact].sort_values(["time", "latest"])
        found = ordered.drop_duplicates(["patient", "time", "latest"])
        if index["take"] != EACH:
            found = found.drop_duplicates("patient", keep=index["take"])
        found = found.set_index("patient")[["time", "latest"]].sort_index(kind="stable")
        kept = pd.DataFrame(index=found.index)
    without = len(set(records.patients) - set(found.index))
    if without:
        notes.append(f"{count_shown(without)} patients have no index event: left out")
    return found.assign(since=pd.Timedelta(0)), kept, notes


def _at_landmarks(
    records: Records,
    index: pd.DataFrame,
    table: pd.DataFrame,
    landmarks: list[pd.Timedelta],
    *,
    followed: bool,
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Index and table with a row for each landmark that is reached; and notes on the others.

    `since` is how long after the index event a landmark is, which the feature `landmark` says in
    days. Left out is who had died by then, or may have; and where an outcome is asked for
    (`followed`), also whoever's landmark is later than all records.
    """
    parts, tables, notes = [], [], []
    deaths = records.events[records.events["code"] == DEATH].groupby("patient")
    first, surely = (deaths[end].min().reindex(index.index).array for end in ("time", "latest"))
    last = records.events.loc[records.events["time"].dt.year < OPEN, "latest"].max()
    for after in landmarks:
        moved = index.assign(time=index["time"] + after, latest=index["latest"] + after)
        later, at = after > pd.Timedelta(0), moved["time"].array
        died = np.asarray(surely <= at) & later
        unclear = np.asarray(first <= at) & ~died & later
        beyond = np.asarray(at > last) & ~died & ~unclear & followed
        reasons = {
            "had died by then": died,
            "have a death of which the day does not say whether it was by then": unclear,
            "have it after all records": beyond,
        }
        for reason, which in reasons.items():
            if which.any():
                persons = count_shown(index.index[which].nunique())
                notes.append(f"Landmark {after / DAY:g} d: {persons} patients {reason}: left out")
        here = ~(died | unclear | beyond)
        parts.append(moved[here].assign(since=after))
        tables.append(table[here].assign(**{LANDMARK: after / DAY}))
    found, rows = pd.concat(parts), pd.concat(tables)
    order = np.argsort(found.index, kind="stable")
    return found.iloc[order], rows.iloc[order], notes


def _each(
    records: Records, index: pd.DataFrame, table: pd.DataFrame
) -> tuple[Records, pd.DataFrame, pd.DataFrame, dict[str, str]]:
    """Records, index and table as if each index event were of a person of its own, and whose it is.

    The patient's events are those of each.
    """
    rows = pd.DataFrame({"patient": index.index, "at": index["time"].to_numpy()})
    number = rows.groupby("patient")["at"].rank(method="first").astype(int).astype(str)
    rows["own"] = rows["patient"] + BETWEEN + number
    whose = dict(zip(rows["own"], rows["patient"], strict=True))
    own = rows[["patient", "own"]]
    events = records.events.merge(own, on="patient").drop(columns="patient")
    events["record"] = events.groupby(["own", "record"], sort=False).ngroup()
    births = {one: records.births[who] for one, who in whose.items() if who in records.births}
    made = replace(records, events=events.rename(columns={"own": "patient"}), births=births)
    labels = pd.Index(rows["own"].to_numpy())
    return made, index.set_axis(labels, axis=0), table.set_axis(labels, axis=0), whose


def _of_table(
    path: Path, index: Mapping[str, Any], time_zone: Any, options: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Index and kept columns of a table of patients, by patient."""
    for role in ("patient", "time"):
        if index[role] is None:
            raise DataError(
                f"Which column holds the {role}?",
                file=path,
                hint=f"`records: {{index: {{{role}: ...}}}}`",
            )
    table = read_source(path, SOURCE, {**options, "columns": {}})
    named = [index[role] for role in ("patient", "time", "site") if index[role]]
    require_columns(table, [*named, *index["keep"]], path)
    patients = text(table[index["patient"]])
    if index["take"] != EACH:
        patients = check_ids(patients, path, hint=f"`take: {EACH}` makes a row of each index")
    elif (lacking := patients.index[patients.isna()]).size:
        raise DataError("An index of nobody", file=path, row=lacking[0], column=index["patient"])
    one_spelling(patients, path)
    sites = text(table[index["site"]]) if index["site"] else None
    first, last = read_column(
        table[index["time"]], zones_of(time_zone, sites, table.index, path), path
    )
    if (lacking := first.index[first.isna()]).size:
        raise DataError("A patient without index", file=path, row=lacking[0], column=index["time"])
    if (vague := first.index[~of_exact_day(first, last)]).size:
        raise DataError(
            "An index of no exact day",
            file=path,
            row=vague[0],
            column=index["time"],
            hint="a month or a year does not say what came before it: write the day, or the hour",
        )
    twice = pd.DataFrame({"patient": patients, "time": first, "latest": last}).duplicated()
    if twice.any():
        raise DataError("An index that is there twice", file=path, row=twice.index[twice][0])
    kept = table[index["keep"]].set_axis(patients.to_numpy(), axis=0)
    found = pd.DataFrame({"time": first, "latest": last}).set_axis(patients.to_numpy(), axis=0)
    return found, kept, []


def _check_names(features: list[Column], outcomes: list[Column], index: Mapping[str, Any]) -> None:
    """DataError for a column that is declared twice."""
    answers = [name for one in outcomes for name in (one.name, f"{one.name}_days")]
    own = [PATIENT, *([LANDMARK] if index["landmarks"] else [])]
    kept = map(str, index["keep"])
    names = Counter([*own, *kept, *(one.name for one in features), *answers])
    if repeated := [name for name, count in names.items() if count > 1]:
        raise DataError("`records` makes a column twice", column=repeated[0])


def _told(left_out: pd.DataFrame) -> list[str]:
    """A sentence on each reason: columns, records, persons, and the first place."""
    columns: dict[str, list[str]] = {}
    for (name, reason), rows in left_out.groupby(["column", "reason"], sort=False):
        first, persons = rows.iloc[0], rows["patient"].nunique()
        sentence = (
            f"{reason}: {count_shown(len(rows))} records of {count_shown(persons)} persons, the "
            f"first in {first['file']}, row {first['line']}"
        )
        columns.setdefault(sentence, []).append(str(name))
    return [
        f"Left out{' of ' if names[0] else ''}{', '.join(names)}: {sentence}"
        for sentence, names in columns.items()
    ]


def _spelt(made: windows.Made, column: Column) -> list[str]:
    """Notes on the spellings of units that were read as others."""
    return [f"{column.name}: {name} in {count_shown(n)} values" for name, n in made.spelt.items()]


def _unnamed(records: Records, columns: list[Column], index: Mapping[str, Any]) -> list[str]:
    """A note on records of which no declaration names a code."""
    named = {SEX, *(code for column in columns for code in column.codes)}
    named |= {*index_codes(index)}
    used = records.events["code"].isin(named).groupby(records.events["record"]).any()
    others = records.events[records.events["record"].isin(used.index[~used])]
    if others.empty:
        return []
    count = count_shown(others["record"].nunique())
    return [f"{count} records have codes that nothing names: {others['code'].nunique()} codes"]
