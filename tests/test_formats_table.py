"""Tables: one rule for text tables and Parquet, and the place of what breaks it."""

from __future__ import annotations

import contextlib
import csv
import datetime
import gzip
import io
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioloom.errors import DataError
from bioloom.formats.columns import infer_types, numbers, text, unique_ids
from bioloom.formats.expression import read_expression
from bioloom.formats.table import MISSING, read_matrix, read_source, read_table
from tests.toys import refused, write

# Tables --------------------------------------------------------------------------------------

cell = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=6)
EMPTY = ["", *MISSING]
filled = cell.filter(lambda value: value not in EMPTY)


@pytest.mark.slow
@given(st.lists(st.tuples(filled, cell, cell), min_size=1, max_size=8), st.sampled_from(",\t"))
def test_a_table_is_read_as_written(tmp_path_factory, rows, separator):
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=separator).writerows([("a", "b", "c"), *rows])
    ending = "csv" if separator == "," else "tsv"
    path = write(tmp_path_factory.mktemp("table") / f"t.{ending}", buffer.getvalue())
    table = read_table(path)
    expected = [[None if value in EMPTY else value for value in row] for row in rows]
    assert table.astype(object).where(table.notna(), None).to_numpy().tolist() == expected
    assert list(table.index) == list(range(2, len(rows) + 2))


def test_rows_are_numbered_as_in_the_file(tmp_path):
    content = 'a comment\nid,x\n\nA,"two\nlines"\nB, 2\n'
    table = read_table(write(tmp_path / "t.csv", content), skip=1)
    assert list(table.index) == [5, 6]
    assert table["x"].tolist() == ["two\nlines", "2"]


def test_blank_lines_before_the_header_are_skipped(tmp_path):
    for content in ("\n \nid,x\nA,1\n\nB,2\n", '\n\n"id","x"\nA,1\n\nB,2\n'):
        table = read_table(write(tmp_path / "t.csv", content))
        assert table.to_dict("list") == {"id": ["A", "B"], "x": ["1", "2"]}
        assert list(table.index) == [
            content.split("\n").index("A,1") + 1,
            len(content.split("\n")) - 1,
        ]
    table = read_table(write(tmp_path / "t.csv", "\nA,1\n\nB,2\n"), header=False)
    assert table["1"].tolist() == ["A", "B"]
    assert list(table.index) == [2, 4]


def test_a_field_may_be_as_long_as_a_chromosome(tmp_path):
    table = read_table(write(tmp_path / "t.csv", "id,sequence\na," + "ACGT" * 50_000 + "\n"))
    assert len(table["sequence"].iloc[0]) == 200_000


def test_a_source_is_read_by_its_options(tmp_path):
    path = write(tmp_path / "t.csv", "a;1\nb;2\n")
    options = {"read": {"values": {"header": False, "separator": ";"}}}
    assert read_source(path, "values", options)["2"].tolist() == ["1", "2"]
    wrong = {"read": {"values": {"headers": False}}}
    refused(lambda: read_source(path, "values", wrong), "under `read: values`.*mean 'header'")
    refused(lambda: read_source(path, "values", {"read": {"values": 5}}), "takes options by name")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "x;y\n1;?\n"),
        ("a.csv", "x\ty\n1\t?\n"),
        ("a.tsv", "x,y\n1,?\n"),
        ("a.csv", "x,y\n1,?\n"),
    ],
)
def test_the_separator_is_seen_in_the_first_line_and_missing_values_have_any_spelling(
    tmp_path, name, text
):
    path = tmp_path / name
    path.write_text(text)
    table = read_table(path, missing=["?"])
    assert table.columns.tolist() == ["x", "y"]
    assert table["x"].tolist() == ["1"]
    assert table["y"].isna().all()


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("id;weight, kg\na;1,5\n", ["id", "weight, kg"]),
        ("\nid;1,25-OH vitamin D\na;1\n", ["id", "1,25-OH vitamin D"]),
        ("id;height;g,l\na;1;2\n", ["id", "height", "g,l"]),
        ('id,"a;b;c"\na,1\n', ["id", "a;b;c"]),
        ("id, weight; in kg, x\na, 1, 2\n", ["id", "weight; in kg", "x"]),
        ("id,a;b\na,1\n", ["id", "a;b"]),  # as many of both: that of the ending
        ("id\ta,b,c\na\t1\n", ["id", "a,b,c"]),
        ("id\na\n", ["id"]),
    ],
)
def test_the_separator_is_the_mark_that_the_header_is_made_of(tmp_path, content, names):
    assert read_table(write(tmp_path / "t.csv", content)).columns.tolist() == names


def test_without_a_header_a_list_in_a_field_is_none(tmp_path):
    table = read_table(write(tmp_path / "t.csv", "a,x;y;z\nb,x\n"), header=False)
    assert table["2"].tolist() == ["x;y;z", "x"]


def test_a_table_without_header_names_its_columns_by_number(tmp_path):
    table = read_table(write(tmp_path / "t.csv", "2,x\nMKV, 1\nMKL, 0\n"), header=False, skip=1)
    assert table.to_dict("list") == {"1": ["MKV", "MKL"], "2": ["1", "0"]}
    assert list(table.index) == [2, 3]
    unnamed = read_table(write(tmp_path / "u.csv", ",x\na,1\n"))
    assert list(unnamed.columns) == ["1", "x"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("id,x\n", "no rows"),
        ("\n\n", "no rows"),
        ("id,x\na,1\nb,2,3\n", "Expected 2 fields, got 3.*row 3"),
        ("id,x\na,1\n\nb\n", "Expected 2 fields, got 1.*row 4"),
        ("id,x,x\na,1,2\n", "there twice: x"),
        ("id,x\na,1\nid,x\nb,2\n", "header comes again.*row 3"),
        ('id,x\na,"1\nb,2\n', "quotation mark is not closed.*row 2"),
        ('id,x,y\na,"alpha,1\nb,"beta,2\n', "quotation mark.*row 2"),
        ("id,x\na,1\nb,\x01\n", "control character.*row 3, column x"),
        ("id,x\na,1\n\ufeffid,x\nb,2\n", "header comes again.*row 3"),
        ("id,x\na,1\n\ufeffb,2\n", "control character.*row 3, column id"),
        ("id,x\x07\na,1\n", "control character in the name"),
        ("id,x\na,1,\nb,2,\n", "rows end with a separator"),
        ("id,x\na,1,2\nb,2\n", "Expected 3 fields, got 2.*row 3"),
    ],
)
def test_a_broken_table_names_the_row(tmp_path, content, expected):
    refused(lambda: read_table(write(tmp_path / "t.csv", content)), expected)


def test_an_unknown_ending_is_refused(tmp_path):
    refused(lambda: read_table(write(tmp_path / "t.xls", "id\na\n")), r"Expected one of \.csv")


def test_a_mark_that_quotes_nothing_is_a_letter_of_tab_separated_text(tmp_path):
    """Databases write lines without any quoting; R and pandas quote fields of a line."""
    content = 'id\tname\tx\nA\t"alpha chain\t1\nB\t3\' end\t2\nC\t"beta" like\t3\nD\t"beta\t4\n'
    content += '"E"\t"gamma\tdelta"\t"5"\n"F"\t"5"" cap"\t""\n'
    table = read_table(write(tmp_path / "t.tsv", content))
    assert table["id"].tolist() == list("ABCDEF")
    names = ['"alpha chain', "3' end", '"beta" like', '"beta', "gamma\tdelta", '5" cap']
    assert table["name"].tolist() == names
    assert table["x"].tolist()[:5] == list("12345")
    assert table["x"].isna().tolist() == [False] * 5 + [True]


def test_a_line_break_inside_a_field_of_tab_separated_text_is_told(tmp_path):
    path = write(tmp_path / "t.tsv", 'id\tnote\tx\nA\t"two\nlines"\t1\n')
    refused(lambda: read_table(path), "Expected 3 fields, got 2.*row 2.*no line break")


def test_a_header_of_r_is_one_field_short(tmp_path):
    content = '"p1"\t"p2"\n"TP53"\t1.5\t2\n"KIT"\t0\tNA\n'
    table = read_table(write(tmp_path / "t.tsv", content))
    assert table.columns.tolist() == ["1", "p1", "p2"]
    matrix = read_expression(tmp_path / "t.tsv")
    assert matrix.index.tolist() == ["p1", "p2"]
    assert matrix["TP53"].tolist() == [1.5, 2]
    assert np.isnan(matrix.loc["p2", "KIT"])


@pytest.mark.parametrize("row", ["g\t1.5\t2", '"g"\t"1.5"\t"2"', "g\t 1.5\t2 ", "g,1.5,2"])
def test_a_short_header_names_all_columns_but_the_first(tmp_path, row):
    mark = "," if "," in row else "\t"
    path = write(tmp_path / "t.txt", f"p1{mark}p2\n{row}\n")
    assert read_table(path).to_dict("list") == {"1": ["g"], "p1": ["1.5"], "p2": ["2"]}


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "txt"])
def test_a_header_that_comes_again_is_told_in_any_file(tmp_path, ending):
    mark = "," if "csv" in ending else "\t"
    content = f'id{mark}x\na{mark}1\n"id"{mark}"x"\nb{mark}2\n'.encode()
    path = write(tmp_path / f"t.{ending}", gzip.compress(content) if "gz" in ending else content)
    refused(lambda: read_table(path), "header comes again.*row 3")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-8-sig"])
def test_unicode_text_is_known_by_its_byte_order_mark(tmp_path, encoding):
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    data = f"{mark}id\tname\r\n1\tM\u00fcller\r\n".encode(encoding)
    for content in (data, gzip.compress(data)):
        table = read_table(write(tmp_path / "t.txt", content))
        assert table.to_dict("list") == {"id": ["1"], "name": ["M\u00fcller"]}


def test_unicode_text_that_does_not_say_so_or_is_cut_is_refused(tmp_path):
    refused(lambda: read_table(write(tmp_path / "t.csv", "id,x".encode("utf-16-le"))), "UTF-16")
    cut = "id,x\n1,2\n".encode("utf-16")[:-1]
    refused(lambda: read_table(write(tmp_path / "t.csv", cut)), "damaged|UTF", "t.csv")


def test_a_wide_matrix_is_read_as_a_narrow_one(tmp_path):
    count = 40_000
    header = ",".join(f"g{i}" for i in range(count))
    path = write(tmp_path / "t.csv", f"id,{header}\na{',1.5' * count}\nb{',NA' * count}\n")
    matrix = read_expression(path, samples="rows")
    assert matrix.shape == (2, count)
    assert matrix.loc["a"].eq(1.5).all()
    assert matrix.loc["b"].isna().all()


@pytest.mark.parametrize("wrong", ["1,5", "inf", "nan1"])
def test_a_text_in_a_matrix_is_told_by_its_place(tmp_path, wrong):
    path = write(tmp_path / "t.csv", f'id,g1,g2\na,+1,2\nb,NA,"{wrong}"\n')
    refused(lambda: read_expression(path), "Expected a number.*row 3, column g2")


# Missing values ------------------------------------------------------------------------------


def test_a_word_for_missing_is_missing_in_numbers_and_features_and_told_among_labels(tmp_path):
    content = "id,stage,crp,segment\na,NA,1,HA\nb,I,NA,NA\nc,I,2,NA\n"
    path = write(tmp_path / "t.csv", content)
    table = read_table(path)
    assert table["stage"].isna().tolist() == [True, False, False]
    assert numbers(table["crp"], path).isna().tolist() == [False, True, False]
    options = {"read": {}, "columns": {"id": "id", "label": "segment"}}
    message = refused(lambda: read_source(path, "s", options), "2 rows.*row 3, column segment")
    assert 'not_missing: ["NA"]' in message

    def segment(**options) -> list:
        read = {"s": {name: words for name, words in options.items() if name != "unlabelled"}}
        given = {"columns": {"label": ["segment"]}, "read": read} | options
        return read_source(path, "s", given)["segment"].fillna("-").tolist()

    assert segment(not_missing=["NA"]) == ["HA", "NA", "NA"]
    assert segment(missing=["NA"]) == ["HA", "-", "-"]
    assert segment(unlabelled=["NA"]) == ["HA", "-", "-"]


@pytest.mark.parametrize("word", MISSING)
@pytest.mark.parametrize("role", ["id", "gene", "drug"])
def test_any_word_for_missing_may_be_a_name_among_ids_and_labels(tmp_path, word, role):
    path = write(tmp_path / "t.csv", f"name,x\nHA,1\n{word},2\n")
    options = {"read": {}, "columns": {role: "name"}}
    refused(lambda: read_source(path, "s", options), f'"{word}" may be missing.*row 3, column name')
    kept = options | {"read": {"s": {"not_missing": [word]}}}
    assert read_source(path, "s", kept)["name"].tolist() == ["HA", word]


def test_a_label_of_numbers_may_be_missing_by_a_word(tmp_path):
    path = write(tmp_path / "t.csv", "id,y\na,1\nb,NA\nc,0\n")
    options = {"read": {}, "columns": {"label": "y"}}
    assert read_source(path, "s", options)["y"].isna().tolist() == [False, True, False]


# Parquet -------------------------------------------------------------------------------------


def test_parquet_keeps_its_types(tmp_path):
    path = tmp_path / "t.parquet"
    frame = pd.DataFrame({"id": [7.0, 8.0], "sex": ["F", None], "old": [True, False], "x": [1, 2]})
    frame.to_parquet(path)
    table = read_table(path)
    assert unique_ids(table, "id", path).tolist() == ["7", "8"]
    types = infer_types(table, {}, path)
    assert {name: column.dtype.kind for name, column in types.items() if name in "idx"} == {
        "id": "f",
        "x": "f",
    }
    assert types["old"].tolist() == ["True", "False"]
    refused(lambda: read_table(write(path, "no parquet")), "Parquet file cannot be read")


def test_parquet_has_the_index_that_pandas_wrote_as_columns(tmp_path):
    path = tmp_path / "t.parquet"
    matrix = pd.DataFrame({"p1": [1.5, 2], "p2": [0, 1]}, index=["TP53", "KIT"])
    matrix.to_parquet(path)
    assert read_table(path).columns.tolist() == ["1", "p1", "p2"]
    assert read_expression(path).loc["p1", ["TP53", "KIT"]].tolist() == [1.5, 2]
    matrix.rename_axis("gene").to_parquet(path)
    assert read_table(path)["gene"].tolist() == ["TP53", "KIT"]
    matrix.reset_index(drop=True).to_parquet(path)
    assert read_table(path).columns.tolist() == ["p1", "p2"]


@pytest.mark.parametrize(
    ("index", "columns"),
    [
        (pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["id", "visit"]), ["id", "visit"]),
        (pd.CategoricalIndex(["a", "b"], name="id"), ["id"]),
        (pd.Index([17, 4], name="id"), ["id"]),
        (pd.DatetimeIndex(["2020-01-02", "2021-03-04"], name="day"), ["day"]),
        (pd.Index(["a", "b"]), ["1"]),
    ],
    ids=["levels", "categories", "numbers", "dates", "nameless"],
)
def test_any_index_of_parquet_is_columns(tmp_path, index, columns):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"x": [1.5, 2]}, index=index).to_parquet(path)
    table = read_table(path)
    assert table.columns.tolist() == [*columns, "x"]
    expected = index.to_frame().iloc[:, 0].astype("str").str[:10]  # without the hour
    assert text(table[columns[0]]).str[:10].tolist() == expected.tolist()


def test_parquet_of_a_database_has_decimals_dates_gaps_and_bytes(tmp_path):
    big = 2**60 + 1
    columns = {
        "id": pa.array([big, None, 3]),
        "crp": pa.array([Decimal("1.5"), None, Decimal("12.0")], pa.decimal128(10, 1)),
        "day": pa.array([datetime.date(2020, 1, 2), None, None]),
        "sex": pa.array([b"F", b" ", b"M"]),
        "site": pa.array(["A", "NA", "A"]).dictionary_encode(),
        "old": pa.array([True, None, False]),
        "empty": pa.nulls(3),
    }
    pq.write_table(pa.table(columns), path := tmp_path / "t.parquet")
    table = read_table(path)
    types = infer_types(table.drop(columns="id"), {}, path)
    assert text(table["id"]).fillna("-").tolist() == [str(big), "-", "3"]
    assert types["crp"].fillna(-1).tolist() == [1.5, -1, 12]
    assert types["day"].fillna("-").tolist() == ["2020-01-02", "-", "-"]
    assert types["sex"].fillna("-").tolist() == ["F", "-", "M"]
    assert types["site"].fillna("-").tolist() == ["A", "-", "A"]
    assert types["old"].fillna("-").tolist() == ["True", "-", "False"]
    assert types["empty"].isna().all()


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"id": ["a"], "label": [[1, 2]]}, "Expected text or numbers, got list.*column label"),
        ({"id": ["a"], "label": [b"\xff"]}, "Expected text or numbers, got binary.*column label"),
        ({"label": ["HA", "NA"]}, "may be missing.*row 2, column label"),
        ({"id": ["a", "b\x02"]}, "control character.*row 2, column id"),
        ({"id": []}, "no rows"),
        ({"id": pa.array([], pa.string())}, "no rows"),
    ],
)
def test_parquet_is_checked_as_text_is(tmp_path, columns, expected):
    pq.write_table(pa.table(columns), path := tmp_path / "t.parquet")
    refused(lambda: read_table(path, named=["label"]), expected)


def test_columns_of_parquet_that_hold_no_values_are_left_out_and_told(tmp_path, capsys):
    columns = {"id": ["a"], "x": [[1, 2]], "y": [{"z": 1}], "image": [b"\xff"], "crp": [1.5]}
    pq.write_table(pa.table(columns), path := tmp_path / "t.parquet")
    assert read_table(path, named=["id"]).to_dict("list") == {"id": ["a"], "crp": [1.5]}
    assert re.findall("the column (.*?) is not read", capsys.readouterr().err) == [
        "x",
        "y",
        "image",
    ]


@pytest.mark.parametrize("metadata", ["[]", "null", "3", '{"index_columns": {"x": 1}}'])
def test_metadata_of_pandas_that_are_none_are_no_index(tmp_path, metadata):
    table = pa.table({"id": ["a"], "x": [1]}).replace_schema_metadata({"pandas": metadata})
    pq.write_table(table, path := tmp_path / "t.parquet")
    assert sorted(read_table(path).columns) == ["id", "x"]


def test_a_code_for_missing_is_one_in_any_spelling_among_numbers_alone(tmp_path):
    content = "id,x,y,z\na,1,0.5,p\nb,-9.0,-9,-9.0\nc,-09,2,q\n"
    path = write(tmp_path / "t.csv", content)
    table = read_table(path, missing=["-9"])
    gaps = {"x": [False, True, True], "y": [False, True, False], "z": [False] * 3}
    assert table[list(gaps)].isna().to_dict("list") == gaps
    matrix = write(tmp_path / "m.csv", re.sub(",[^,]*\n", "\n", content))
    read = read_expression(matrix, samples="rows", missing=["-9"])
    assert read.isna().to_dict("list") == {name: gaps[name] for name in "xy"}


def test_a_code_for_missing_is_one_in_numbers_of_parquet_too(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"x": [1, -9, 3], "y": [0.5, -9, 2], "z": ["a", "-9", "b"]}).to_parquet(path)
    table = read_table(path, missing=[-9])
    assert table.isna().to_numpy().tolist() == [[False] * 3, [True] * 3, [False] * 3]


def test_a_damaged_parquet_is_refused(tmp_path):
    table = pa.table({"id": [f"p{i}" for i in range(40)], "x": np.arange(40.0)})
    pq.write_table(table, path := tmp_path / "t.parquet")
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(4, len(whole), 3):
            damaged[place] ^= 1 << int(rng.integers(8))
        with contextlib.suppress(DataError):  # any other error fails the test
            read_table(write(path, bytes(damaged)))
    refused(lambda: read_table(write(path, whole[:-20])), "Parquet file cannot be read")


def test_a_parquet_that_would_unpack_to_more_than_the_limit_is_refused(tmp_path, monkeypatch):
    pq.write_table(pa.table({"x": np.zeros(100)}), path := tmp_path / "t.parquet")
    monkeypatch.setattr("bioloom.formats.parquet.MOST_VALUES", 50)
    refused(lambda: read_table(path), "100 x 1 values are more than 50")


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz"])
def test_a_text_table_of_more_values_or_columns_than_the_limits_is_refused(
    tmp_path, monkeypatch, ending
):
    mark = "," if "csv" in ending else "\t"
    content = (f"id{mark}x\n" + f"a{mark}1\n" * 40).encode()
    path = write(tmp_path / f"t.{ending}", gzip.compress(content) if "gz" in ending else content)
    monkeypatch.setattr("bioloom.formats.delimited.BATCH", 10)
    monkeypatch.setattr("bioloom.formats.delimited.MOST_VALUES", 50)
    refused(lambda: read_table(path), "values or more; 50 are the most", "BIOLOOM_MOST_VALUES")
    monkeypatch.setattr("bioloom.formats.delimited.MOST_COLUMNS", 1)
    refused(lambda: read_table(path), "2 columns or more; 1 are the most", "BIOLOOM_MOST_COLUMNS")


def test_a_file_without_header_takes_the_names_that_are_given(tmp_path):
    path = tmp_path / "raw.data"
    path.write_text("1,2,x\n3,4,y\n")
    said = {"header": False, "column_names": ["a", "b", "class"]}
    assert list(read_table(path, **said).columns) == ["a", "b", "class"]
    refused(lambda: read_table(path, header=False, column_names=["a"]), "has 1, the file has 3")
    refused(lambda: read_table(path, column_names=["a", "b", "c"]), "header: false")


def test_a_comma_may_be_of_thousands_in_a_matrix_as_in_a_table(tmp_path):
    """1.250 beside 980 is one and a quarter, or more than a thousand."""
    path = write(tmp_path / "a.tsv", "gene\ts1\ts2\nA\t1.250\t980\nB\t12\t3.100\n")
    for read in (read_table, read_matrix):
        refused(lambda read=read: read(path, decimal="comma"), "row 2", "1.025 may be 1025")
    assert read_matrix(path)[1]["s1"].tolist() == [1.25, 12]
    write(path, "gene\ts1\ts2\nA\t1,250\t980\nB\t12\t3,100\n")
    assert read_matrix(path, decimal="comma")[1].to_numpy().tolist() == [[1.25, 980], [12, 3.1]]


def test_ids_of_a_database_keep_all_their_digits(tmp_path):
    ids = [Decimal(12345678901234567), Decimal(12345678901234569), None]
    for digits in (38, 18):
        column = pa.array(ids, pa.decimal128(digits, 0))
        pq.write_table(pa.table({"id": column, "x": [1, 2, 3]}), tmp_path / "ids.parquet")
        found = text(read_table(tmp_path / "ids.parquet")["id"])
        assert found.tolist()[:2] == ["12345678901234567", "12345678901234569"]
        assert found.isna().tolist() == [False, False, True]


def test_limits_of_a_laboratory_are_mistakes_and_no_categories():
    numbers = ["<5"] * 6 + ["9", "10", "11", "12"]
    column = pd.Series(numbers, index=range(2, 12), name="crp", dtype="str")
    refused(lambda: infer_types(column.to_frame(), {}, "t.csv"), "column crp")
    as_text = infer_types(column.to_frame(), {"crp": "category"}, "t.csv")
    assert as_text["crp"].iloc[0] == "<5"
    only = pd.Series(["<5", ">=60"] * 3, name="group", dtype="str")
    assert infer_types(only.to_frame(), {}, "t.csv")["group"].iloc[1] == ">=60"
