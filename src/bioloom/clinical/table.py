"""Patients of a clinical table, with or without gene expression: what clinical applications read.

Sources: `clinical` (one row a patient or visit) and, optionally, `expression` (genes x patients).
Samples: `sample_id, group` (the patient), the outcome, clinical columns, `text.<column>` of free
text, `expression.<gene>` columns.
What identifies a person stops here, before anything is written, until the task says what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.clinical import codebook
from bioloom.clinical.declared import RECORDS
from bioloom.clinical.index_day import refuse_later_days
from bioloom.clinical.records import SOURCE, read_table_of_patients
from bioloom.errors import DataError
from bioloom.formats.columns import (
    TYPES,
    as_block,
    feature_names,
    ids_or_rows,
    infer_types,
    one_spelling,
    places,
    require_columns,
    select_rows,
    text,
    unique_ids,
    without_row_numbers,
)
from bioloom.formats.expression import OPTIONS as MATRIX_OPTIONS
from bioloom.formats.expression import read_expression_source
from bioloom.formats.table import READ_OPTIONS, read_source
from bioloom.options import Option, column_names, named_columns
from bioloom.privacy import actions, audit
from bioloom.privacy.identifiers import Finding, find
from bioloom.privacy.small_cells import count_shown
from bioloom.samples import (
    PATIENT,
    TEXT,
    Raw,
    feature_columns,
    label_columns,
)

# `privacy` says what is done with a column that identifies persons (`privacy.actions`);
# `identifiers` are those to drop, `not_identifiers` those that only look like one. Of
# `quasi_identifiers` it is told how many persons are alike in all of them. Of `types`, text is free
# text: no feature, but what a part of the features may embed.
OPTIONS: dict[str, Any] = {
    "columns": Option({}, about="the columns of the table that have a role"),
    "read": Option({}, about="how each table is read, by source"),
    "records": Option({}, options=RECORDS, about="what `clinical` becomes where it is an export"),
    "codebook": Option(
        {}, each=codebook.CODEBOOK, about="column to what its values mean", of="columns"
    ),
    "keep": Option({}, about="column to values: rows that are kept", of="rows"),
    "exclude": Option({}, about="column to values: rows that are left out", of="rows"),
    "types": Option({}, about="column to number, category or text", of="columns"),
    "privacy": Option({}, about="column that identifies to what is done with it", of="columns"),
    "identifiers": Option([], about="columns that are dropped as identifying", of="columns"),
    "quasi_identifiers": Option(
        [], about="columns in which it is told how many persons are alike", of="columns"
    ),
    "not_identifiers": Option([], about="columns that only look like identifiers", of="columns"),
    "kind": Option(None, about="of the task"),
    "drop": Option([], about="columns that are no features"),
}
COLUMNS: dict[str, Any] = {
    "id": Option(None, about="of the row"),
    "patient": Option(None, about="whose rows stay on one side of a split"),
    "group": Option(
        None, about="a family or a centre, whose patients stay on one side of a split", of="columns"
    ),
    "index": Option(None, about="the day from which on is predicted: later days are no features"),
}
TABLES = {"clinical": READ_OPTIONS, "expression": MATRIX_OPTIONS, SOURCE: READ_OPTIONS}
OPTIONAL_SOURCES = ("expression", SOURCE)
BLOCK = "expression."
FREE_TEXT = "text"
ROW = "row"

Outcome = Callable[
    [pd.DataFrame, Mapping[str, Any], dict[str, Any], Path], tuple[pd.DataFrame, list[str]]
]
"""`outcome(table, columns, options, path)`: the columns of the label, by row, and notes on them."""


def read_patients(
    files: Mapping[str, Path], options: dict[str, Any], columns: Mapping[str, Any], outcome: Outcome
) -> Raw:
    """Raw samples `sample_id, group, <outcome>, <clinical>, text.<name>, expression.<gene> ...`.

    `options` are complete; `columns` are what their `columns` may name, each with its default: the
    `id` of a row, the `patient` where one has several rows, the `group` where patients belong
    together, the day of the `index`, and what `outcome` reads.
    A patient without expression has an empty block.
    """
    named = column_names(options["columns"], columns)
    path = files["clinical"]
    table, told, own = _table(files, options, named)
    table, notes = select_rows(table, options, path, private=True)
    if index := named["index"]:
        said = {name: action for name, action in options["privacy"].items() if name != index}
        dropped = [name for name, action in said.items() if action == actions.DROP]
        unused = [*named_columns(named), *options["drop"], *options["identifiers"], *dropped]
        refuse_later_days(table, index, unused, path)
        # Nothing of it is left, so that nothing has to be done with it either.
        harmless = [name for name in options["not_identifiers"] if name != index]
        options = {**options, "privacy": said, "not_identifiers": harmless}
        table, named = table.drop(columns=index), {**named, "index": None}
    samples = _identity(table, named, path)
    table, audited = _gate(table, named, options, path, own)
    if {named["id"], named["patient"]} & {*options["privacy"]}:
        samples = _identity(table, named, path)
    labels, taken = outcome(table, named, options, path)
    roles = [name for name in named_columns(named) if name in table]
    clinical, left_out = _clinical(table, roles, options, path)
    notes = [*told, *notes, *audited, *taken, *left_out]
    if quasi := options["quasi_identifiers"]:
        require_columns(table, quasi, path)
        notes.append(audit.anonymity(table, quasi, samples["group"]))
    groups = _groups(
        table, samples["group"], named["group"], path, is_new=not label_columns(labels)
    )
    belongs = {} if groups is None else {"group": groups, PATIENT: samples["group"]}
    blocks = [samples.assign(**belongs).join(labels), clinical]
    if "expression" in files:
        expression, facts = _expression(files, samples["group"], options, are_coded(options, named))
        blocks.append(expression.set_axis(samples.index, axis=0))
        notes += facts
    return Raw(pd.concat(blocks, axis=1).reset_index(drop=True), notes)


def are_coded(options: Mapping[str, Any], columns: Mapping[str, Any]) -> bool:
    """Whether patients are called by pseudonyms, and other sources by what they stand for."""
    patient = columns["patient"] or columns["id"]
    return bool(options["privacy"].get(patient) == actions.PSEUDONYM)


def _table(
    files: Mapping[str, Path], options: Mapping[str, Any], columns: Mapping[str, Any]
) -> tuple[pd.DataFrame, list[str], list[Finding]]:
    """The table of patients: the file, or what `records` makes of one; notes, and what tells."""
    if options["records"]:
        if options["codebook"]:
            raise DataError("`codebook` is of a table of patients, and `records` say their own")
        return read_table_of_patients(files, options, named_columns(columns))
    if SOURCE in files:
        raise DataError(f"The source `{SOURCE}` is of `records`", file=files[SOURCE])
    table = read_source(files["clinical"], "clinical", options)
    return *codebook.apply(table, options["codebook"], files["clinical"]), []


def _gate(
    table: pd.DataFrame,
    columns: Mapping[str, Any],
    options: Mapping[str, Any],
    path: Path,
    own: list[Finding],
) -> tuple[pd.DataFrame, list[str]]:
    """The table after what the task says is done with identifiers, and the record of it.

    `own` are columns that records know to identify.
    Raises DataError that lists all columns which may identify persons and of which nothing is said.
    """
    chosen = actions.checked(options["privacy"])
    chosen |= dict.fromkeys(map(str, options["identifiers"]), actions.DROP)
    harmless = [str(name) for name in options["not_identifiers"]]
    require_columns(table, [*chosen, *harmless], path)
    if both := [name for name in harmless if name in chosen]:
        raise DataError("`not_identifiers` names a column that `privacy` changes", column=both[0])
    ids = [str(columns[role]) for role in ("id", "patient") if columns[role]]
    roles = [name for name in named_columns(columns) if name not in ids]
    if dropped := [name for name in (*ids, *roles) if chosen.get(name) == actions.DROP]:
        raise DataError("A column that `columns` names cannot be dropped", column=dropped[0])
    texts = [name for name, type_ in options["types"].items() if type_ == FREE_TEXT]
    outcomes = [name for name in roles if name != columns["group"]]
    found = find(table, ids=ids, outcomes=outcomes, texts=texts)
    seen = {one.column for one in found}
    found += [one for one in own if one.column not in seen]
    if unsaid := [one for one in found if one.column not in (*chosen, *harmless)]:
        raise audit.stopped(unsaid, ids, path)
    patient = columns["patient"] or columns["id"]
    changed, cells = actions.apply(table, chosen, patient, path)
    return changed, [*audit.done(found, chosen, cells), *audit.kept(found, harmless)]


def _identity(table: pd.DataFrame, columns: Mapping[str, Any], path: Path) -> pd.DataFrame:
    """`sample_id` (the row) and `group` (the patient); `id: row` numbers rows that have no id."""
    named = columns["id"] or columns["patient"]
    by_number = named == ROW and ROW not in table
    ids = ids_or_rows(table, None, path) if by_number else unique_ids(table, named, path)
    patients = ids
    if not by_number and not columns["patient"]:
        one_spelling(ids, path, words=True)
    if columns["patient"]:
        require_columns(table, [columns["patient"]], path)
        patients = text(table[columns["patient"]])
        one_spelling(patients, path, words=True)
        missing = patients.index[patients.isna()]
        if len(missing):
            raise DataError(
                "A row without a patient", file=path, row=missing[0], column=columns["patient"]
            )
    return pd.DataFrame({"sample_id": ids, "group": patients})


def _groups(
    table: pd.DataFrame, patients: pd.Series, column: str | None, path: Path, *, is_new: bool
) -> pd.Series | None:
    """What the patient of each row belongs to; None where that is nothing.

    New data, which are not split, need not have the column.
    """
    if column is None or (is_new and column not in table):
        return None
    require_columns(table, [column], path)
    groups = text(table[column])
    one_spelling(groups, path)
    missing = groups.index[groups.isna()]
    if len(missing):
        raise DataError("A row without a group", file=path, row=missing[0], column=column)
    apart = groups.groupby(patients).nunique().gt(1).sum()
    if apart:
        raise DataError(
            f"{apart} patients are in several groups",
            file=path,
            column=column,
            hint="what a patient has in several of is no group: leave it among the features",
        )
    return groups


def _clinical(
    table: pd.DataFrame, roles: list[str], options: Mapping[str, Any], path: Path
) -> tuple[pd.DataFrame, list[str]]:
    """Numbers, categories and free text; and a note on columns that number the rows."""
    features = table.drop(columns=[*dict.fromkeys(roles)])
    types = options["types"]
    names = feature_names(features.columns, path)
    unused = [name for name, ours in names.items() if ours in options["drop"]]
    features, numbering = without_row_numbers(features, [*types, *unused])
    typed = infer_types(features, types, path, (*TYPES, FREE_TEXT), unused)
    columns = {
        f"{TEXT}{names[name]}" if types.get(name) == FREE_TEXT else names[name]: column
        for name, column in typed.items()
    }
    return pd.DataFrame(columns, index=table.index), numbering


def _expression(
    files: Mapping[str, Path], patients: pd.Series, options: Mapping[str, Any], coded: bool
) -> tuple[pd.DataFrame, list[str]]:
    """The patients' rows of the matrix, empty where it has none, and what did not match.

    The `patients` may be `coded`, as pseudonyms of what the matrix calls them.
    """
    matrix = read_expression_source(files, "expression", options, private=True)
    if coded:
        matrix.index = pd.Index(actions.pseudonyms(pd.Series(matrix.index)))
    found = places(patients, matrix.index)
    without, extra = (found < 0).sum(), len(matrix) - len(np.unique(found[found >= 0]))
    if without == len(patients):
        turned = (places(patients, matrix.columns) >= 0).any()
        by_rows = options["read"].get("expression", {}).get("samples") == "rows"
        other = "columns" if by_rows else "rows"
        raise DataError(
            "The expression matrix has no patient of the clinical table",
            file=files["expression"],
            hint=f"the patients are in its {other}: `read: {{expression: {{samples: {other}}}}}`"
            if turned
            else "its samples must be named by the patient ids of the clinical table",
        )
    notes = [f"{count_shown(without)} rows have no expression"] if without else []
    notes += (
        [f"{count_shown(extra)} samples of the expression matrix are not used"] if extra else []
    )
    matrix = as_block(matrix, BLOCK, files["expression"])
    return matrix.reset_index(drop=True).reindex(found), notes


def patient_columns(samples: pd.DataFrame) -> pd.DataFrame:
    """What features are made of: clinical and expression columns."""
    return samples[feature_columns(samples)]
