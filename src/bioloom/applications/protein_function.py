"""Function of proteins and peptides: sequences with one label or several (EC, COG, GO ...).

Sources: `sequences` (FASTA, GenBank or a table) and, optionally, `table` (a table of labels joined
by id). Samples: `sample_id, label (or label.<name> ...), group, sequence`.
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
    groups_of,
    ids_or_rows,
    partner_rows,
    require_columns,
    select_rows,
    text,
)
from bioloom.formats.fasta import header_values, read_fasta
from bioloom.formats.genbank import is_genbank
from bioloom.formats.labels import read_labels
from bioloom.formats.proteins import read_sequences
from bioloom.formats.residues import AMBIGUOUS, spelling_notes, standard_sequences
from bioloom.formats.table import READ_OPTIONS, is_table, read_source
from bioloom.options import Option, column_names, complete_options
from bioloom.samples import Cleaned, Raw, label_columns
from bioloom.samples.cleaning import (
    LENGTHS,
    Rules,
    drop_rows,
    label_rules,
    merge_copies,
    merge_labels,
    require_labels,
    sequence_rules,
    unlabelled,
    without_rare_labels,
)
from bioloom.samples.columns import has_classes

OPTIONS: dict[str, Any] = {
    "columns": Option({}, about="the columns of the tables that have a role"),
    "read": Option({}, about="how each table is read, by source"),
    "keep": Option({}, about="column to values: rows that are kept", of="rows"),
    "exclude": Option({}, about="column to values: rows that are left out", of="rows"),
    "classes": Option({}, about="label in the file to its name", of="labels"),
    "unlabelled": Option([], about="words that stand for no label", of="labels"),
    "label_separator": Option(";|", about="characters between several labels", of="labels"),
    "locus": Option("locus_tag", about="GenBank qualifier that has the ids"),
    "kind": Option(None, about="of the task"),
}
COLUMNS: dict[str, Any] = {
    "id": Option(None, about="of the sequence"),
    "sequence": Option(None, about="letters"),
    "label": Option(
        None,
        several=True,
        about="what is predicted; a list of columns are several labels",
        of="labels",
    ),
    "group": Option(None, about="what stays on one side of a split", of="labels"),
}
CLEAN: dict[str, Any] = {
    **LENGTHS,
    "min_class_size": Option(1, about="sequences of a class; rarer ones are dropped"),
    # Where one source keeps the initiator methionine and another does not, it tells the source.
    "remove_initiator": Option(False, about="cut the first methionine"),
}


def ingest(files: dict[str, Path], options: dict[str, Any]) -> Raw:
    """Raw samples `sample_id, sequence, group` and label columns where `columns` names any.

    Sequences are upper case without a closing stop. With a source `table` they are those that have
    a row in it; what has no partner is noted.
    """
    options = complete_options(options, OPTIONS, "datasets")
    columns = column_names(options["columns"], COLUMNS)
    names = {role: name for role, name in columns.items() if name is not None}
    path = files["sequences"]
    samples, table, notes = _read_sequences(path, names, options)
    notes += spelling_notes(samples["sequence"])
    samples["sequence"] = standard_sequences(samples["sequence"], path)
    if "table" in files:
        path = files["table"]
        samples, table, joined = _join(samples, read_source(path, "table", options), names, path)
        notes += joined
    samples["group"] = samples["sample_id"]
    if table is None and (options["keep"] or options["exclude"] or {"label", "group"} & set(names)):
        table = _headers(path)
    if table is not None:
        table, selected = select_rows(table, options, path)
        annotated, taken = _annotations(table, names, options, path)
        samples = samples.loc[table.index].assign(**annotated)
        notes += [*selected, *taken]
    return Raw(samples.reset_index(drop=True), notes)


def _read_sequences(
    path: Path, names: Mapping[str, str], options: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame | None, list[str]]:
    """`sample_id, sequence`, and the whole table where the file is one, by the row; and notes."""
    if is_table(path):
        table = read_source(path, "sequences", options)
        column = names.get("sequence", "sequence")
        require_columns(table, [column], path)
        samples = pd.DataFrame({"sample_id": "", "sequence": text(table[column])})
        return samples.assign(sample_id=ids_or_rows(table, names.get("id"), path)), table, []
    sequences, notes = read_sequences(path, options["locus"])
    return sequences.rename(columns={"id": "sample_id"}), None, notes


def _headers(path: Path) -> pd.DataFrame:
    """What the headers of a FASTA file say by name; DataError where they say nothing."""
    table = pd.DataFrame() if is_genbank(path) else header_values(read_fasta(path))
    if table.columns.empty:
        raise DataError(
            "`columns`, `keep` or `exclude` name columns, but there is no table",
            file=path,
            hint="add the source `table`, or say it in FASTA headers (`>P1 label=binder`)",
        )
    return table


def _join(
    samples: pd.DataFrame, table: pd.DataFrame, names: Mapping[str, str], path: Path
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """The samples and rows that share an id, in the samples' order, indexed by the table's row."""
    rows, notes = partner_rows(samples["sample_id"], table, names.get("id", "id"), path)
    samples = samples[rows.notna()].set_axis(pd.Index(rows.dropna()), axis=0)
    return samples, table.loc[samples.index], notes


def _annotations(
    table: pd.DataFrame, names: Mapping[str, str], options: Mapping[str, Any], path: Path
) -> tuple[dict[str, pd.Series], list[str]]:
    """Label and group where they are named, and how the label was taken."""
    columns, notes = dict[str, pd.Series](), list[str]()
    if "label" in names:
        labels, notes = read_labels(table, names["label"], options, path)
        columns |= {str(name): label for name, label in labels.items()}
    if "group" in names:
        require_columns(table, [names["group"]], path)
        columns["group"] = groups_of(table[names["group"]], path)
    return columns, notes


def clean(raw: pd.DataFrame, options: dict[str, Any]) -> Cleaned:
    """Drop what cannot be learnt from, with the reasons counted.

    A sequence of two classes, or of labels that contradict, is dropped with all its copies; of
    other copies the first is kept, and has the mean of their labels where these are numbers, or all
    labels that one of them has known.
    New data keep their copies: each row of the user's file is to get a prediction.
    """
    options = complete_options(options, CLEAN, "clean")
    notes: list[str] = []
    if options["remove_initiator"]:
        starts = raw["sequence"].str.startswith("M").fillna(False)
        raw = raw.assign(sequence=raw["sequence"].str.removeprefix("M"))
        notes.append(f"The first methionine of {starts.sum()} sequences was removed")
    labels = label_columns(raw)
    rules = {**sequence_rules(options, AMBIGUOUS, "residues", labelled=bool(labels))}
    if "label" in raw and not has_classes(raw):
        usable = ~np.any([is_bad(raw) for is_bad in (*rules.values(), unlabelled)], axis=0)
        raw = merge_copies(raw, usable)
    if labels and "label" not in labels:
        raw = merge_labels(raw)
    if labels:
        raw, left_out = without_rare_labels(raw, options["min_class_size"])
        notes += left_out
        rules |= _label_rules(raw, options["min_class_size"])
    samples, dropped = drop_rows(raw, rules)
    if labels:
        require_labels(samples)
    columns = ["sample_id", *label_columns(samples), "group", "sequence"]
    return Cleaned(samples[columns], dropped, notes)


def _label_rules(samples: pd.DataFrame, min_class_size: int) -> Rules:
    """Rules for labelled sequences: each once, with one label."""
    copies: Rules = {"duplicate sequence": lambda s: s["sequence"].duplicated()}
    labels = label_columns(samples)
    if has_classes(samples) or labels != ["label"]:
        copies = {
            "sequence with contradicting labels": lambda s: (
                s.groupby("sequence", dropna=False)[labels].transform("nunique").gt(1).any(axis=1)
            ),
            **copies,
        }
    # A class is rare by what is left of it.
    last = label_rules(samples, min_class_size)
    return {"no label": last["no label"], **copies, **last}


def inputs(samples: pd.DataFrame) -> list[str]:
    """The sequences."""
    return samples["sequence"].tolist()


def defaults(task: dict[str, Any]) -> dict[str, Any]:
    """A Transformer with a kernel on UniRep, linear models of that and of dipeptides."""
    linear, transformer = {"name": "logistic_regression"}, {"name": "transformer"}
    alone = {} if "model" in task else {"transformer": {"model": transformer}}
    return {
        "features": {"embedder": "unirep", "size": 256, "pooling": "segments", "segments": 16},
        "model": {"name": "ensemble", "of": [transformer, {"name": "kernel"}]},
        "baselines": {
            **alone,
            "logistic_regression": {"model": linear},
            "dipeptides": {"features": {"embedder": "kmer", "k": 2}, "model": linear},
        },
    }


application = Application(
    kinds=("binary", "multiclass", "value", "multilabel"),
    noun="proteins",
    ingest=ingest,
    clean=clean,
    inputs=inputs,
    sources=("sequences",),
    optional_sources=("table",),
    measures=("sequence",),
    alphabet="protein",
    tables=dict.fromkeys(("sequences", "table"), READ_OPTIONS),
    divided={"sequences": ()},
    options=OPTIONS,
    columns=COLUMNS,
    clean_options=CLEAN,
    defaults=defaults,
)
