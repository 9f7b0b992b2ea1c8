"""Labels of a table: a class, a number, or several labels a sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bioloom.formats.labels import class_labels, read_labels
from tests.toys import refused

OPTIONS = {"kind": None, "classes": {}, "unlabelled": [], "label_separator": ";|"}
SEVERAL = {"kind": "multilabel"}
HERE = Path("table.csv")


def read(column: pd.Series, **options: Any) -> tuple[pd.DataFrame, list[str]]:
    """Labels of a column that is called y."""
    return read_labels(pd.DataFrame({"y": column}), "y", OPTIONS | options, HERE)


def cells(*values: str | None) -> pd.Series:
    """A column of text whose first row is row 2 of the file."""
    return pd.Series(values, index=range(2, len(values) + 2), dtype="str")


@pytest.mark.parametrize(
    ("values", "options", "number"),
    [
        (["0.5", "1.5", "2.25"], {}, True),
        ([str(code) for code in range(30)], {}, True),
        (["1", "2", "1"], {}, False),
        (["1", "2", "other"], {}, False),
        (["0.5", "1.5"], {"classes": {"0.5": "low", "1.5": "high"}}, False),
        (["0.5", "1.5"], {"kind": "multiclass"}, False),
        (["1", "2", "1"], {"kind": "value"}, True),
        (["0.5", "unknown", "2.25"], {"unlabelled": ["unknown"]}, True),
    ],
)
def test_a_label_that_was_measured_is_a_number(values, options, number):
    table, _ = read(pd.Series(values, dtype="str"), **options)
    assert pd.api.types.is_numeric_dtype(table["label"]) == number


@pytest.mark.parametrize("wrong", ["inf", "n.d."])
def test_what_is_no_number_among_measured_labels_is_told_by_its_row(wrong):
    column = pd.Series(["0.5", "1.25", wrong, "3.5"], index=[2, 3, 4, 5], dtype="str")
    refused(lambda: read(column), "row 4, column y")


def test_an_infinite_label_of_a_typed_column_is_told_by_its_row():
    column = pd.Series([0.5, 1.25, np.inf, np.nan], index=[2, 3, 4, 5])
    refused(lambda: read(column), "row 4, column y")


def test_a_missing_code_among_measured_labels_is_no_label():
    known, notes = read(pd.Series([0.5, 1.5, -9, 3.2]), unlabelled=[-9])
    assert known["label"].isna().tolist() == [False, False, True, False]
    assert "taken as a number" in notes[0]


def test_class_labels_are_renamed_and_some_are_no_label():
    column = pd.Series(["1", "0", "?", None], index=[2, 3, 4, 5], dtype="str", name="y")
    options = {"unlabelled": ["?"], "classes": {1: "yes", 0: "no"}}
    labels = class_labels(column, options, HERE)
    assert labels.tolist()[:2] == ["yes", "no"]
    assert labels.isna().tolist() == [False, False, True, True]
    refused(
        lambda: class_labels(column, options | {"unlabelled": []}, HERE),
        "1 rows have a label that `classes` does not name.*row 4, column y",
    )


@pytest.mark.parametrize(("one", "other"), [("1", "1.0"), ("yes", "Yes"), ("TRUE", "true")])
def test_a_label_in_two_spellings_is_refused_unless_classes_names_both(one, other):
    column = cells(one, "x", other)
    refused(lambda: read(column), "two spellings.*row 2.*row 4, column y", "classes")
    table, _ = read(column, classes={one: "ill", other: "ill", "x": "well"})
    assert table["label"].tolist() == ["ill", "well", "ill"]
    refused(lambda: read(cells(f"{one};a", other), **SEVERAL), "two spellings")


def test_a_code_for_no_label_is_known_as_a_number():
    table, _ = read(cells("0.0", "1.0", "-9.0"), unlabelled=[-9])
    assert table["label"].fillna("-").tolist() == ["0.0", "1.0", "-"]


# Several labels ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "listed", ["binding; transport", "transport|binding", "transport;binding;"]
)
def test_one_column_lists_the_labels_of_a_sample(listed):
    column = cells(listed, "binding; ?", "none", None, "?", ";")
    table, notes = read(column, **SEVERAL, unlabelled=["?"])
    assert list(table) == ["label.binding", "label.transport"]
    assert table.iloc[:3].astype(bool).to_numpy().tolist() == [[1, 1], [1, 0], [0, 0]]
    assert table.iloc[3:].isna().all().all()  # an empty cell is not known, "none" is none of them
    assert notes == []


def test_a_list_without_a_separator_is_noted_and_an_empty_one_refused():
    assert "label_separator" in read(cells("a, b", "a"), **SEVERAL)[1][0]
    refused(lambda: read(cells("a", "b"), **SEVERAL, label_separator=""), "label_separator")


def test_none_beside_a_label_is_told_by_its_row():
    refused(lambda: read(cells("a", "none; a"), **SEVERAL), "row 3, column y")


def test_labels_may_stand_between_other_characters():
    table, _ = read(cells("GO:1,GO:2", "GO:2"), **SEVERAL, label_separator=",")
    assert list(table) == ["label.GO:1", "label.GO:2"]
    table, _ = read(cells("a^b", "a-c"), **SEVERAL, label_separator="^-")
    assert list(table) == ["label.a", "label.b", "label.c"]


def test_listed_labels_are_renamed_and_unknown_ones_named_by_row():
    classes = {"1": "binding", "2": "transport"}
    table, _ = read(cells("1;2", "2"), **SEVERAL, classes=classes)
    assert list(table) == ["label.binding", "label.transport"]
    refused(lambda: read(cells("1;2", "2; 3"), **SEVERAL, classes=classes), "row 3, column y")


def test_a_class_with_a_semicolon_stays_one_and_a_note_says_how_to_take_it_apart():
    table, notes = read(cells("membrane; multi-pass", "cytosol"))
    assert table["label"].tolist() == ["membrane; multi-pass", "cytosol"]
    assert "kind: multilabel" in notes[0]
    assert "membrane" not in notes[0]  # rows may be persons
    assert read(cells("membrane; multi-pass", "cytosol"), kind="multiclass")[1] == []


def test_several_columns_are_a_label_each():
    table = pd.DataFrame({"a": cells("1", "0", None), "b": cells("Yes", "no", "-9.0")})
    table["c"], table["d"] = [True, False, True], ["1.0", "0.0", "0"]
    options = OPTIONS | {"unlabelled": [-9]}
    flags, _ = read_labels(table, ["a", "b", "c", "d"], options, HERE)
    assert list(flags) == ["label.a", "label.b", "label.c", "label.d"]
    assert flags.astype("object").where(flags.notna(), None).to_numpy().tolist() == [
        [True, True, True, True],
        [False, False, False, False],
        [None, None, True, False],
    ]


@pytest.mark.parametrize(
    ("named", "options", "expected"),
    [
        (["a", "b"], {}, "Expected 1 or 0.*row 3, column b"),
        (["a", "c"], {}, "no such column"),
        (["a", "a"], {}, "twice"),
        (["a"], {"kind": "value"}, "Several label columns"),
        (["a"], {"classes": {"1": "ill"}}, "leave `classes` out"),
    ],
)
def test_columns_that_are_no_labels_are_refused(named, options, expected):
    table = pd.DataFrame({"a": cells("1", "0"), "b": cells("1", "2")})
    refused(lambda: read_labels(table, named, OPTIONS | options, HERE), expected)
