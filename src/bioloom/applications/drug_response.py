"""Drug response of cell lines: genomic features and tissue in, ln IC50 of each drug out.

Sources: `features` (one row a cell line) and, where there is something to learn, `response` (cell
lines x drugs, or one row a measurement). Samples: one row a cell line, `label.<drug>` columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.errors import DataError
from bioloom.formats.columns import (
    feature_names,
    groups_of,
    infer_types,
    no_partner,
    numbers,
    one_spelling,
    places,
    require_columns,
    select_rows,
    text,
    unique_ids,
    without_row_numbers,
)
from bioloom.formats.table import READ_OPTIONS, read_source
from bioloom.options import Option, column_names, complete_options
from bioloom.samples import Cleaned, Raw, feature_columns, label_columns
from bioloom.samples.cleaning import drop_columns, drop_rows

OPTIONS: dict[str, Any] = {
    "columns": Option({}, about="the columns of the tables that have a role"),
    "read": Option({}, about="how each table is read, by source"),
    "keep": Option({}, about="column to values: rows that are kept", of="rows"),
    "exclude": Option({}, about="column to values: rows that are left out", of="rows"),
    "types": Option({}, about="column to number or category", of="columns"),
    "response_suffix": Option("", about="what names of drugs end with, and is cut", of="labels"),
    "drop": Option([], about="columns that are no features"),
}
COLUMNS: dict[str, Any] = {
    "id": Option(None, about="of the cell line, in both tables"),
    "tissue": Option(None, about="that a line is of, a category"),
    "msi": Option(None, about="microsatellite instability, a category"),
    "drug": Option(None, about="of a response table with a row a measurement", of="labels"),
    "response": Option(None, about="of the same, such as ln IC50 in micromolar", of="labels"),
    "group": Option(
        None, about="what is held out together, as the patient of several lines", of="labels"
    ),
}
CLEAN: dict[str, Any] = {
    "min_cell_lines": Option(50, about="in which a drug was measured"),
    "drugs": Option([], about="that are kept; all where none is said"),
    "drop": Option([], about="columns that are no features"),
}
LABEL = "label."


def ingest(files: dict[str, Path], options: dict[str, Any]) -> Raw:
    """Raw samples `sample_id, group, label.<drug> ..., <feature> ...`, one row a cell line."""
    options = complete_options(options, OPTIONS, "datasets")
    columns = column_names(options["columns"], COLUMNS)
    path = files["features"]
    table = read_source(path, "features", options)
    table, notes = select_rows(table, options, path)
    ids = unique_ids(table, columns["id"], path)
    groups = ids
    if columns["group"]:
        require_columns(table, [columns["group"]], path)
        groups = groups_of(table[columns["group"]], path)
        if columns["group"] not in (columns["tissue"], columns["msi"]):
            table = table.drop(columns=columns["group"])
    samples = pd.DataFrame({"sample_id": ids.to_numpy(), "group": groups.to_numpy()})
    blocks = [samples]
    if "response" in files:
        response = _read_response(files["response"], columns, options)
        found = places(ids, response.index)
        if (found < 0).all():
            message = "No cell line of the response table is in the features table"
            path = files["response"]
            raise no_partner(message, ids, response.index, path, columns["id"])
        if extra := len(response) - len(np.unique(found[found >= 0])):
            notes.append(f"{extra} cell lines of the response table have no selected features row")
        measured = response.reset_index(drop=True).reindex(found)
        blocks.append(measured.add_prefix(LABEL).reset_index(drop=True))
    features, numbering = _features(table, columns, options, path)
    blocks.append(features)
    raw = pd.concat(blocks, axis=1)
    return Raw(raw, [*notes, *numbering])


def _features(
    table: pd.DataFrame, columns: Mapping[str, Any], options: Mapping[str, Any], path: Path
) -> tuple[pd.DataFrame, list[str]]:
    """All columns but the id and row numbers, each a number or a category; and a note."""
    roles = {columns[role]: role for role in ("tissue", "msi") if columns[role]}
    require_columns(table, [*roles, *options["types"]], path)
    table = table.drop(columns=columns["id"]).rename(columns=roles)
    types = {roles.get(name, name): type_ for name, type_ in options["types"].items()}
    types |= dict.fromkeys(roles.values(), "category")
    names = feature_names(table.columns, path)
    unused = [name for name, ours in names.items() if ours in options["drop"]]
    table, notes = without_row_numbers(table, [*types, *unused])
    typed = infer_types(table, types, path, unused=unused)
    features = {names[name]: column for name, column in typed.items()}
    return pd.DataFrame(features).reset_index(drop=True), notes


def _read_response(
    path: Path, columns: Mapping[str, Any], options: Mapping[str, Any]
) -> pd.DataFrame:
    """Cell lines x drugs, floats with NaN for what was not measured."""
    table = read_source(path, "response", options)
    require_columns(table, [columns["id"]], path)
    if columns["drug"] or columns["response"]:
        return _pivot(table, columns, path)
    ids = unique_ids(table, columns["id"], path)
    drugs = [name for name in map(str, table.columns) if name != columns["id"]]
    values = {name.removesuffix(options["response_suffix"]): table[name] for name in drugs}
    if len(values) < len(drugs):
        raise DataError("Two drugs have the same name without `response_suffix`", file=path)
    measured = pd.DataFrame({drug: numbers(column, path) for drug, column in values.items()})
    return measured.set_axis(ids.to_numpy(), axis=0)


def _pivot(table: pd.DataFrame, columns: Mapping[str, Any], path: Path) -> pd.DataFrame:
    """From one row a measurement; replicates of a cell line and drug are averaged."""
    if not (columns["drug"] and columns["response"]):
        raise DataError("`columns` names only one of drug and response", file=path)
    require_columns(table, [columns["drug"], columns["response"]], path)
    long = pd.DataFrame(
        {
            "id": text(table[columns["id"]]),
            "drug": text(table[columns["drug"]]),
            "response": numbers(table[columns["response"]], path),
        }
    )
    incomplete = long.index[long[["id", "drug"]].isna().any(axis=1)]
    if len(incomplete):
        raise DataError("A measurement without cell line or drug", file=path, row=incomplete[0])
    for name in ("id", "drug"):
        one_spelling(long[name].rename(columns[name]), path)
    return long.pivot_table(index="id", columns="drug", values="response", aggfunc="mean")


def clean(raw: pd.DataFrame, options: dict[str, Any]) -> Cleaned:
    """Leave out drugs measured in few cell lines, and cell lines without any measurement."""
    options = complete_options(options, CLEAN, "clean")
    notes: list[str] = []
    drugs = label_columns(raw)
    samples = drop_columns(raw, options["drop"], training=bool(drugs))
    if drugs:
        chosen = _chosen_drugs(samples, drugs, options)
        if len(chosen) < len(drugs):
            notes.append(f"{len(drugs) - len(chosen)} of {len(drugs)} drugs are left out")
        samples = samples[["sample_id", "group", *chosen, *feature_columns(samples)]]
        rules = {"no measured response": lambda s: s[chosen].isna().all(axis=1)}
        samples, dropped = drop_rows(samples, rules)
    else:
        samples, dropped = drop_rows(samples, {})
    return Cleaned(samples, dropped, notes)


def _chosen_drugs(samples: pd.DataFrame, drugs: list[str], options: Mapping[str, Any]) -> list[str]:
    wanted = [LABEL + str(drug) for drug in options["drugs"]] or drugs
    missing = [name.removeprefix(LABEL) for name in wanted if name not in drugs]
    if missing:
        raise DataError(
            f"`clean: drugs` names drugs that were not measured: {', '.join(missing[:5])}",
            hint=f"drugs are called like {drugs[0].removeprefix(LABEL)}",
        )
    chosen = [name for name in wanted if samples[name].count() >= options["min_cell_lines"]]
    if not chosen:
        raise DataError(
            f"No drug was measured in {options['min_cell_lines']} cell lines",
            hint="lower `clean: min_cell_lines`",
        )
    return chosen


def inputs(samples: pd.DataFrame) -> pd.DataFrame:
    """The features table."""
    return samples[feature_columns(samples)]


def defaults(task: dict[str, Any]) -> dict[str, Any]:
    """What drugs share and what each has of its own; where the tissue is known, what it tells."""
    chosen: dict[str, Any] = {
        "features": {"embedder": "table"},
        "preprocess": {"scale_flags": False},
        "model": {"name": "response_kernel"},
        "baselines": {"svm": {"model": {"name": "svm"}}},
    }
    columns = task["datasets"]["training"].get("columns")
    if isinstance(columns, dict) and "tissue" in columns:
        tissue = {"embedder": "table", "columns": ["tissue"]}
        chosen["baselines"] |= {
            "tissue_mean": {"features": tissue, "model": {"name": "category_mean"}},
            "tissue_only": {"features": tissue, "model": {"name": "svm"}},
        }
    return chosen


application = Application(
    kinds=("targets",),
    noun="cell lines",
    ingest=ingest,
    clean=clean,
    inputs=inputs,
    sources=("features",),
    optional_sources=("response",),
    tables=dict.fromkeys(("features", "response"), READ_OPTIONS),
    divided={"features": ()},
    options=OPTIONS,
    columns=COLUMNS,
    clean_options=CLEAN,
    defaults=defaults,
)
