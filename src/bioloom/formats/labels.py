"""Label columns of a table: a class, a number, or several labels a sample.

The task says which by its `kind`; else the values do. No message shows one: the rows may be
persons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.columns import numbers, one_spelling, require_columns, text, without_point

VALUE = "value"  # the kind whose label is a number
MULTILABEL = "multilabel"  # the kind whose samples have any number of labels
MOST_CODES = 20  # whole numbers up to here may be codes of classes
NO_LABEL = "none"
TAKEN = ("residues", "coordinates", "time", "event", "arm", "outcome", "horizon", "sign",
         "propensity")  # fmt: skip
"""What `label.<name>` stands for in samples of other kinds."""
FLAGS = {
    **dict.fromkeys(("1", "1.0", "yes", "true"), True),
    **dict.fromkeys(("0", "0.0", "no", "false"), False),
}


def read_labels(
    table: pd.DataFrame, named: str | list[str], options: Mapping[str, Any], file: Path
) -> tuple[pd.DataFrame, list[str]]:
    """`label`, a class name or number each row, or `label.<name>`, true or false; and notes.

    `named` is one column, or several that are a label each: 1 or 0, yes or no, true or false. With
    `kind: multilabel` one column lists the labels of a row, as `a; b` or `a|b`, or between other
    characters that `label_separator` has; `none` is a row that has none of them. Without a kind
    numbers that look measured are numbers: a fraction, or more than `MOST_CODES` different ones,
    where no `classes` are named.
    A label is missing, not known, where the cell is empty or has one of the words `unlabelled`.
    """
    if isinstance(named, list):
        return _flags(table, named, options, file), []
    require_columns(table, [named], file)
    column, kind, classes = table[named], options["kind"], options["classes"]
    if kind == MULTILABEL:
        return _listed(column, options, file)
    if kind == VALUE and classes:
        raise DataError("`classes` names classes, but `kind: value` says that labels are numbers")
    known = column.mask(_stands_for_none(column, options["unlabelled"]))
    if kind == VALUE or (not kind and not classes and _is_measured(known)):
        note = f"The label {named} is taken as a number; `kind: multiclass` makes it classes"
        return pd.DataFrame({"label": numbers(known, file)}), [] if kind else [note]
    labels = class_labels(column, options, file)
    notes = ["Some labels hold a ';': `kind: multilabel` takes them as several labels of a sample"]
    several = not kind and labels.str.contains(";").any()
    return pd.DataFrame({"label": labels}), notes if several else []


def _stands_for_none(column: pd.Series, unlabelled: Iterable[Any]) -> pd.Series:
    """Rows whose label is a word, or by its value a number, for no label."""
    words = [str(value) for value in unlabelled]
    codes = pd.to_numeric(pd.Series(words, dtype="str"), errors="coerce").dropna()
    return text(column).isin(words) | pd.to_numeric(column, errors="coerce").isin(codes)


def _is_measured(column: pd.Series) -> bool:
    # More than half are numbers: what is none among them, or infinite, is then told by its row.
    known = pd.to_numeric(column, errors="coerce").dropna()
    if 2 * len(known) <= column.notna().sum():
        return False
    return bool(known.mod(1).ne(0).any()) or known.nunique() > MOST_CODES


def class_labels(column: pd.Series, options: Mapping[str, Any], file: Path) -> pd.Series:
    """Class labels as text: `unlabelled` values become missing, `classes` renames the others.

    Raises DataError for a label that `classes` does not name, where it is given; else for one that
    is there in two spellings, such as 1 and 1.0, or yes and Yes.
    """
    labels = text(column)
    none = without_point(pd.Series(options["unlabelled"], dtype="str"))
    labels = labels.mask(without_point(labels).isin(none))
    return _renamed(labels, options, file)


def _renamed(labels: pd.Series, options: Mapping[str, Any], file: Path) -> pd.Series:
    classes = {str(value): str(name) for value, name in options["classes"].items()}
    if not classes:
        hint = "write it alike in all rows, or name each spelling's class under `classes`"
        one_spelling(labels, file, words=True, hint=hint)
        return labels
    unknown = labels[labels.notna() & ~labels.isin(list(classes))]
    if len(unknown):
        raise DataError(
            f"{unknown.index.nunique()} rows have a label that `classes` does not name; "
            "the first one",
            file=file,
            row=unknown.index[0],
            column=str(labels.name),
            hint=f"`classes` has {', '.join(classes)}",
        )
    return labels.map(classes)


def _listed(
    column: pd.Series, options: Mapping[str, Any], file: Path
) -> tuple[pd.DataFrame, list[str]]:
    """The labels that one column lists, as a column of true and false each; and a note."""
    if not (separator := options["label_separator"]):
        raise DataError("`label_separator` has no character", hint="it is ';|' where left out")
    parts = text(column).dropna().str.split(re.compile(f"[{re.escape(separator)}]")).explode()
    parts = parts.str.strip()
    parts = parts[parts.ne("") & ~_stands_for_none(parts, options["unlabelled"])]
    known = pd.Series(column.index.isin(parts.index), index=column.index)
    nothing = parts.str.lower().eq(NO_LABEL)
    both = parts.index[nothing].intersection(parts.index[~nothing])
    if len(both):
        raise DataError(
            f"`{NO_LABEL}` stands beside a label", file=file, row=both[0], column=str(column.name)
        )
    parts = _renamed(parts[~nothing], options, file)
    if parts.empty:
        raise DataError("No row has a label", file=file, column=str(column.name))
    flags = pd.get_dummies(parts).groupby(level=0).any()
    flags = flags.reindex(column.index, fill_value=False).astype("boolean")
    alone = f"No row has two labels; is `label_separator` right? It is {separator!r}"
    notes = [] if parts.index.has_duplicates else [alone]
    return flags.mask(~known).rename(columns=_label_column), notes


def _label_column(name: str) -> str:
    """What the column of one of several labels is called."""
    return f"label.{name}_" if name in TAKEN else f"label.{name}"


def _flags(
    table: pd.DataFrame, named: list[str], options: Mapping[str, Any], file: Path
) -> pd.DataFrame:
    """Several columns that are a label each."""
    if options["kind"] not in (None, MULTILABEL) or options["classes"]:
        raise DataError(
            "Several label columns are several labels a sample",
            hint="leave `classes` out, and `kind`, or say `kind: multilabel`",
        )
    if len(set(named)) < len(named):
        raise DataError("`columns: label` names a column twice")
    require_columns(table, named, file)
    return pd.DataFrame({_label_column(name): _flag(table[name], options, file) for name in named})


def _flag(column: pd.Series, options: Mapping[str, Any], file: Path) -> pd.Series:
    cells = text(column).str.lower().mask(_stands_for_none(column, options["unlabelled"]))
    wrong = cells.index[cells.notna() & ~cells.isin(list(FLAGS))]
    if len(wrong):
        raise DataError(
            "Expected 1 or 0, yes or no, true or false, got something else "
            f"in {len(wrong)} rows; the first one",
            file=file,
            row=wrong[0],
            column=str(column.name),
            hint="empty cells, and words in `unlabelled`, are not known",
        )
    return cells.map(FLAGS).astype("boolean")
