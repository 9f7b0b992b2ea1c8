"""Gene expression from DNA, or from the expression of other genes: a regression.

Sources, one of four: `sequences` (a table or FASTA), `windows` with `genome` (BED or a table, and
FASTA), `expression` (a matrix or .h5ad), `variants` (a table of changes of one letter) with the
sequences of their `elements`; `values` has what was measured where the first source does not. The
label is a column, the mean bin of sorted reads (`bins`), or one gene of the matrix. Samples:
`sample_id, label, group, sample_weight?, split?` and `sequence`, `expression.<gene>`, or `element,
position, ref, alt` and the letters around.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.errors import DataError
from bioloom.formats.bins import counts, mean_bin
from bioloom.formats.columns import (
    as_block,
    groups_of,
    ids_or_rows,
    numbers,
    partner_rows,
    require_columns,
    select_rows,
    text,
    unique_ids,
)
from bioloom.formats.dna import AMBIGUOUS, standard_dna
from bioloom.formats.element_variants import element_variants
from bioloom.formats.expression import OPTIONS as MATRIX_OPTIONS
from bioloom.formats.expression import read_expression_source
from bioloom.formats.fasta import read_fasta
from bioloom.formats.h5ad import is_h5ad, read_h5ad
from bioloom.formats.intervals import read_genome, read_windows, window_sequences
from bioloom.formats.table import READ_OPTIONS, is_table, read_options, read_source
from bioloom.options import Option, column_names, complete_options
from bioloom.samples import Cleaned, Raw, feature_columns
from bioloom.samples.cleaning import (
    LENGTHS,
    drop_columns,
    drop_rows,
    merge_copies,
    require_labels,
    sequence_rules,
    unlabelled,
)

OPTIONS: dict[str, Any] = {
    "columns": Option({}, about="the columns of the tables that have a role"),
    "read": Option({}, about="how each table is read, by source"),
    "keep": Option({}, about="column to values: rows that are kept", of="rows"),
    "exclude": Option({}, about="column to values: rows that are left out", of="rows"),
    "bins": Option(
        {},
        about="column of read counts to the value of its bin: the label is the mean over the "
        "reads, its weight their number",
        of="labels",
    ),
    "block": Option(
        1, minimum=1, about="bases of an element whose variants stay on one side of a split"
    ),
}
COLUMNS: dict[str, Any] = {
    "id": Option(None, about="of the sequence"),
    "sequence": Option(None, about="letters"),
    "label": Option(
        None, about="what is predicted, a number; or a gene of the matrix", of="labels"
    ),
    "weight": Option(None, about="how much a row counts, such as its reads", of="labels"),
    "group": Option(None, about="what stays on one side of a split", of="labels"),
    "split": Option(None, about="train, valid or test, for `split: {method: column}`", of="labels"),
    "chrom": Option(None, about="of a window, as the genome names it"),
    "start": Option(None, about="of a window, bases from 0"),
    "end": Option(None, about="of a window, the base behind it"),
    "strand": Option(None, about="of a window, + or -"),
    "element": Option(None, about="that a variant is of, such as a promoter"),
    "position": Option(None, about="of a variant in its element, from 1"),
    "ref": Option(None, about="letter that a variant changes"),
    "alt": Option(None, about="letter that it has instead, - where it is deleted"),
    "reference": Option(None, about="letters of the element, where `sequence` has those changed"),
}
CLEAN: dict[str, Any] = {
    **LENGTHS,
    "min_weight": Option(0.0, about="of a row, reads where the weight counts them"),
    "drop": Option([], about="columns, or genes of the matrix, that are no features"),
}
SOURCES = ("sequences", "windows", "expression", "variants")
BLOCK = "expression."
SAME = {"sequence": ["sequence"], "variant": ["element", "position", "ref", "alt"]}
"""The columns by which samples are copies of each other."""


def ingest(files: dict[str, Path], options: dict[str, Any]) -> Raw:
    """Raw samples; without `columns: {label: ...}` and `bins` they are new data."""
    options = complete_options(options, OPTIONS, "datasets")
    columns = column_names(options["columns"], COLUMNS)
    names = {role: name for role, name in columns.items() if name is not None}
    given = [name for name in SOURCES if name in files]
    if len(given) != 1:
        raise DataError(f"Expected one of the sources {', '.join(SOURCES)}, got {given or 'none'}")
    read = {
        "sequences": _read_sequences,
        "windows": _read_windows,
        "expression": _read_matrix,
        "variants": _read_variants,
    }
    path = files[given[0]]
    items, table = read[given[0]](files, names, options)
    notes: list[str] = []
    if "values" in files:
        path = files["values"]
        table = read_source(path, "values", options)
        rows, notes = partner_rows(items["sample_id"], table, names.get("id", "id"), path)
        items = items[rows.notna()].set_axis(pd.Index(rows.dropna()), axis=0)
        table = table.loc[items.index]
    if table is None:
        if options["keep"] or options["exclude"] or options["bins"] or "label" in names:
            raise DataError(
                "`columns`, `bins`, `keep` or `exclude` name columns, but there is no table",
                file=path,
                hint="add the source `values`, or remove them",
            )
    else:
        table, selected = select_rows(table, options, path)
        items = items.loc[table.index]
        gene = str(names.get("label")).replace("=", "_")  # as `as_block` has it
        if f"{BLOCK}{gene}" in items and names["label"] not in table:
            items, table = _take_gene(items, table, gene)
            names = {**names, "label": gene}
        elif _is_text_matrix(files) and "label" in names and names["label"] not in table:
            raise DataError(
                "The matrix has no such gene",
                file=path,
                column=names["label"],
                hint="`read: {expression: {samples: rows}}` where its rows are the samples; a "
                "table beside it is the source `values`",
            )
        items = items.assign(**_measured(table, names, options["bins"], path))
        notes += selected
    return Raw(items.reset_index(drop=True), notes)


Items = tuple[pd.DataFrame, pd.DataFrame | None]
"""`sample_id, group` and the inputs; and the table that they came from, of the same index."""


def _read_sequences(
    files: Mapping[str, Path], names: Mapping[str, str], options: Mapping[str, Any]
) -> Items:
    path = files["sequences"]
    if is_table(path):
        table = read_source(path, "sequences", options)
        column = names.get("sequence", "sequence")
        require_columns(table, [column], path)
        ids, sequences = ids_or_rows(table, names.get("id"), path), text(table[column])
    else:
        table, records = None, read_fasta(path)
        rows = [record.row for record in records]
        ids = pd.Series([record.id for record in records], index=rows)
        sequences = pd.Series([record.sequence for record in records], index=rows)
    sequences = standard_dna(sequences, path)
    return pd.DataFrame({"sample_id": ids, "group": ids, "sequence": sequences}), table


def _read_windows(
    files: Mapping[str, Path], names: Mapping[str, str], options: Mapping[str, Any]
) -> Items:
    """Windows are named by their place where they have no id; their group is the chromosome."""
    path = files["windows"]
    if "genome" not in files:
        raise DataError("Windows need the source `genome`, a FASTA file", file=path)
    table = read_windows(path, names, **read_options("windows", options))
    sequences = window_sequences(table, read_genome(files["genome"]), path)
    ends = table["start"].astype(str) + "-" + table["end"].astype(str)
    ids = table["chrom"] + ":" + ends + "(" + table["strand"] + ")"
    if "id" in names or "values" in files:
        ids = unique_ids(table, names.get("id", "name"), path)
    elif ids.duplicated().any():
        raise DataError(
            "A window that is there twice",
            file=path,
            row=ids.index[ids.duplicated()][0],
            hint="`columns: {id: ...}` names a column that tells them apart",
        )
    sequences = standard_dna(sequences, files["genome"])
    items = pd.DataFrame({"sample_id": ids, "group": table["chrom"], "sequence": sequences})
    return items, table


def _read_matrix(
    files: Mapping[str, Path], names: Mapping[str, str], options: Mapping[str, Any]
) -> Items:
    """One sample a row of the matrix; the table is `obs` of an .h5ad, empty for a plain matrix."""
    path = files["expression"]
    if is_h5ad(path):
        matrix, table = read_h5ad(path)
    else:
        matrix = read_expression_source(files, "expression", options)
        table = pd.DataFrame(index=matrix.index)
    ids = pd.Series(matrix.index.astype(str), index=matrix.index)
    frame = pd.DataFrame({"sample_id": ids, "group": ids})
    return pd.concat([frame, as_block(matrix, BLOCK, path)], axis=1), table


def _read_variants(
    files: Mapping[str, Path], names: Mapping[str, str], options: Mapping[str, Any]
) -> Items:
    """A group is a site of an element, or a block of them."""
    path = files["variants"]
    table = read_source(path, "variants", options)
    items = element_variants(table, names, files.get("elements"), path)
    block = (items["position"] - 1) // options["block"]
    group = items["element"] + ":" + block.astype("Int64").astype("string").astype(object)
    items.insert(0, "sample_id", ids_or_rows(table, names.get("id"), path))
    items.insert(1, "group", group.fillna(items["sample_id"]))
    return items, table


def _take_gene(
    items: pd.DataFrame, table: pd.DataFrame, gene: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The gene to be predicted, moved from the inputs to what was measured."""
    column = f"{BLOCK}{gene}"
    return items.drop(columns=column), table.assign(**{gene: items[column]})


def _measured(
    table: pd.DataFrame, names: Mapping[str, str], bins: Mapping[str, float], path: Path
) -> dict[str, pd.Series]:
    """`label`, `sample_weight`, `group` and `split`, as far as the user names their columns."""
    roles = ("label", "weight", "group", "split")
    require_columns(table, [*(names[role] for role in roles if role in names), *bins], path)
    columns: dict[str, pd.Series] = {}
    if bins:
        if {"label", "weight"} & set(names):
            raise DataError("`bins` gives label and weight: `columns` must not name them")
        columns = mean_bin(table, bins, path)
    if "label" in names:
        columns["label"] = numbers(table[names["label"]], path)
    if "weight" in names:
        columns["sample_weight"] = counts(table[names["weight"]], path)
    if "group" in names:
        columns["group"] = groups_of(table[names["group"]], path)
    if "split" in names:
        columns["split"] = text(table[names["split"]])
    return columns


def clean(raw: pd.DataFrame, options: dict[str, Any]) -> Cleaned:
    """Drop what cannot be learnt from, with the reasons counted.

    Copies of a labelled sequence, or variant, become one sample, with the mean of their labels by
    weight. New data keep their copies: each row of the user's file is to get a prediction.
    """
    options = complete_options(options, CLEAN, "clean")
    rules: dict[str, Any] = {}
    labelled = "label" in raw
    samples = drop_columns(raw, _features_named(options["drop"], raw), training=labelled)
    if "alt" in raw:
        rules["no change of one known letter"] = lambda s: s["alt"].isna()
    if "sequence" in raw:
        rules |= sequence_rules(options, AMBIGUOUS, "bases", labelled=labelled)
    if labelled:
        rules["no label"] = unlabelled
    if "sample_weight" in samples:
        # A sample that weighs nothing teaches nothing.
        least = max(options["min_weight"], np.finfo(float).tiny)
        rules["weight below min_weight"] = lambda s: s["sample_weight"] < least
    copies = ((what, names) for what, names in SAME.items() if set(names) <= set(samples))
    what, same = next(copies, ("", []))
    if labelled and same:
        usable = ~np.any([is_bad(samples) for is_bad in rules.values()], axis=0)
        samples = merge_copies(samples, usable, same)
        rules[f"copy of an earlier {what}, its label averaged in"] = lambda s: s.duplicated(same)
    samples, dropped = drop_rows(samples, rules)
    if labelled:
        require_labels(samples)
    beside = [name for name in ("label", "group", "sample_weight", "split") if name in samples]
    samples = samples[["sample_id", *beside, *feature_columns(samples)]]
    return Cleaned(samples, dropped)


def _is_text_matrix(files: Mapping[str, Path]) -> bool:
    """Whether genes and samples may have changed places, and no table is beside them."""
    return {*files} == {"expression"} and not is_h5ad(files["expression"])


def _features_named(names: list[Any], raw: pd.DataFrame) -> list[str]:
    """The features that are called so: a gene also by its own name, which the matrix has."""
    given = [(str(name), f"{BLOCK}{str(name).replace('=', '_')}") for name in names]
    return [gene if gene in raw else name for name, gene in given]


def inputs(samples: pd.DataFrame) -> list[str] | pd.DataFrame:
    """The sequences, or the table of genes or variants where there are none."""
    if "sequence" in samples:
        return samples["sequence"].tolist()
    return samples[feature_columns(samples)]


def defaults(task: dict[str, Any]) -> dict[str, Any]:
    """A recurrent network on letters, or on a table of expression; simple models on less.

    Of variants a kernel of places and words: a network of few sites learns nothing of others.
    """
    if "expression" in task["datasets"]["training"]:
        return {
            "features": {"embedder": "table"},
            "model": {"name": "lstm"},
            "baselines": {
                "ridge": {"model": {"name": "logistic_regression"}},
                "gradient_boosting": {"model": {"name": "gradient_boosting"}},
            },
        }
    if "variants" in task["datasets"]["training"]:
        return {
            "features": {"embedder": "table"},
            "model": {"name": "variant_kernel"},
            "baselines": {
                "nearby_mean": {"model": {"name": "nearby_mean"}},
                "gradient_boosting": {"model": {"name": "gradient_boosting"}},
            },
        }
    kmers = {"embedder": "kmer", "alphabet": "dna", "k": 4}
    return {
        "features": {"embedder": "one_hot", "alphabet": "dna", "pooling": "tokens"},
        "model": {"name": "lstm"},
        "baselines": {
            "ridge": {"features": kmers, "model": {"name": "logistic_regression"}},
            "gradient_boosting": {"features": kmers, "model": {"name": "gradient_boosting"}},
        },
    }


application = Application(
    kinds=("value",),
    noun="sequences",
    ingest=ingest,
    clean=clean,
    inputs=inputs,
    sources=(),
    optional_sources=(
        "sequences",
        "windows",
        "genome",
        "expression",
        "variants",
        "elements",
        "values",
    ),
    measures=("variants", "sequence", "table"),
    alphabet="dna",
    tables=dict.fromkeys(("sequences", "windows", "variants", "values"), READ_OPTIONS)
    | {"expression": MATRIX_OPTIONS},
    knowledge=("genome", "elements"),
    divided={"sequences": (), "windows": ("genome",), "variants": ("elements",)},
    options=OPTIONS,
    columns=COLUMNS,
    clean_options=CLEAN,
    defaults=defaults,
)
