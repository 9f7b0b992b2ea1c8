"""The samples table: `sample_id` (unique), `label` or `label.<target>`, `group`, typed columns.

A column `<block>.<name>` belongs to a block (`expression.FLT3`). The block `text` is free text,
which is read by those features alone that name its column as their `input`; the block `variant`
says where a variant lies, and what else is known of it that is no feature; the block `option`
which treatments are not for a patient (`samples.arms`). New data have no label.
Where each residue has a class, `label.residues` is a text as long as `sequence`. A pair has the ids
of its ends in `source` and `target`, and may have a `block` of groups that are held out together.
Two columns may come with the labels and are no features: `sample_weight` (how much a measurement
counts in training and in the scores, its number of reads for example) and `split` (a shipped
split).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype, is_string_dtype

from bioloom.errors import DataError
from bioloom.files import reading, replacing

PATIENT = "patient.id"
"""The column of the patient, where a group is more than one: a family, a centre."""

NO_FEATURES = ("sample_id", "group", PATIENT, "sample_weight", "split")
LINK_COLUMNS = ("source", "target", "block")
ENDS_BY = " with "
"""Between the families of both ends, where the group of a pair names them."""

TEXT = "text."
"""What the names of free text begin with: `text.note`. No value of it is told anywhere."""

VARIANT = "variant."
"""What the names of columns begin with that say where a variant lies, and of which alleles."""

OPTION = "option."
"""What the names of columns begin with that say by which rule an arm is not for a patient."""

WORDS = "words."
"""What the names of columns begin with that say which words rules of an arm met, but their own."""

SEPARATORS = {".csv": ",", ".tsv": "\t"}
FORMULA = re.compile(r"[=@\t\r]|[+-](?!$|\d*\.?\d*(e[+-]?\d+)?$)", re.IGNORECASE)
"""How a text begins that spreadsheets take for a formula; signed numbers, + and - are none."""
HIDDEN = re.compile(r"^'(?=[=@\t\r+-])")
"""The apostrophe that is written before such a text."""

RESIDUE_LABELS = "label.residues"

TIME, EVENT = "label.time", "label.event"
ENTRY, COMPETING = "label.entry", "label.competing"
"""Columns of a time to an event: how long, whether it was seen then, from when on a row was under
observation, and whether another event ended the time."""


def persons(samples: pd.DataFrame) -> pd.Series:
    """Whose the rows are, where samples are of persons."""
    return samples[PATIENT if PATIENT in samples else "group"]


@dataclass(frozen=True)
class Raw:
    """What `ingest` reads: a row a sample, and of links the table of the `nodes` that they join.

    `notes` are facts about the files that a reader of quality.json should know.
    """

    samples: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    nodes: pd.DataFrame | None = None


@dataclass(frozen=True)
class Cleaned:
    """What `clean` gives: the kept samples, and the dropped rows with the reason of each.

    `dropped` has `sample_id, reason`; of new data each such row appears in the predictions, without
    one. `notes` are facts about the data set that a reader of quality.json should know.
    """

    samples: pd.DataFrame
    dropped: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """How many rows were dropped for each reason."""
        counts = self.dropped["reason"].value_counts(sort=False)
        return {str(reason): int(count) for reason, count in counts.items()}


def label_columns(samples: pd.DataFrame) -> list[str]:
    """`["label"]`, or the `label.<target>` columns, or nothing for new data."""
    return [name for name in map(str, samples) if name == "label" or name.startswith("label.")]


def text_columns(samples: pd.DataFrame) -> list[str]:
    """The columns of free text: `text.<name>`."""
    return [name for name in map(str, samples) if name.startswith(TEXT)]


def feature_columns(samples: pd.DataFrame) -> list[str]:
    """The columns that are features as they are: no identifier, group, label, weight or split.

    Nor free text, of which an embedder makes features, nor what is beside a variant or an option.
    """
    others = {*NO_FEATURES, *label_columns(samples), *text_columns(samples)}
    others |= {name for name in map(str, samples) if name.startswith((VARIANT, OPTION, WORDS))}
    others |= {*(LINK_COLUMNS if is_links(samples) else ())}
    return [name for name in map(str, samples) if name not in others]


def is_links(samples: pd.DataFrame) -> bool:
    """Whether the samples are pairs of nodes: a clinical table may have a column `source`, too."""
    if not {"source", "target"} <= set(samples):
        return False
    named = samples["source"].astype(str) + "|" + samples["target"].astype(str)
    return bool(samples["sample_id"].eq(named).all())


def check_samples(samples: pd.DataFrame, file: str | Path) -> pd.DataFrame:
    """Raise DataError unless the table keeps the contract; give it back otherwise."""
    for column in ("sample_id", "group"):
        if column not in samples:
            raise DataError(f"Expected a column {column!r}", file=file)
    duplicated = samples["sample_id"].duplicated()
    if duplicated.any():
        raise DataError(f"{duplicated.sum()} sample ids occur more than once", file=file)
    return samples


def read_samples(path: str | Path) -> pd.DataFrame:
    """Read and check a samples table."""
    return check_samples(read_table(path), path)


def write_samples(samples: pd.DataFrame, path: str | Path) -> None:
    """Check and write a samples table."""
    write_table(check_samples(samples, path), path)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a Parquet table that a step made."""
    with reading(path):
        return pd.read_parquet(path)


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write any table as Parquet, or as CSV or TSV where the name says so.

    A spreadsheet runs a text such as `=cmd|...`: in CSV and TSV an apostrophe stands before it.
    """
    with replacing(path) as temporary:
        if separator := SEPARATORS.get(temporary.suffix):
            safe = table.rename(columns=_no_formula)
            for name in safe.columns[[not is_numeric_dtype(dtype) for dtype in safe.dtypes]]:
                safe[name] = safe[name].map(_no_formula)
            safe.to_csv(temporary, sep=separator, index=False, float_format="%.6g")
        else:
            table.to_parquet(temporary, index=False)


def read_written(path: Path, names: Iterable[str] = ()) -> pd.DataFrame:
    """A CSV as `write_table` wrote it: only what is empty is missing, and these columns are text.

    Pandas would take names such as `None` and `NA` for missing ones, and `01` for a number.
    """
    types = dict.fromkeys(names, str)
    table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=types)
    for name in table:
        if is_string_dtype(table[name]):
            table[name] = table[name].str.replace(HIDDEN, "", regex=True)
    return table


def _no_formula(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula; other values as they are."""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


COORDINATES = "label.coordinates"
"""Column with C-alpha and C-beta of each residue, L x 6 numbers end to end."""
