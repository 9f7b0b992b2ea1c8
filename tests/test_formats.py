"""Formats: what is read, and the place and reason of what cannot be."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bioloom.errors import DataError, in_yaml
from bioloom.formats.columns import (
    feature_names,
    infer_types,
    numbers,
    one_spelling,
    partner_rows,
    places,
    select_rows,
    text,
    unique_ids,
    without_row_numbers,
)
from bioloom.formats.expression import read_expression
from bioloom.formats.fasta import read_fasta
from bioloom.formats.genbank import read_proteins
from bioloom.formats.table import read_table
from bioloom.formats.text import open_text
from tests.toys import refused, write

HERE = Path("table.csv")


# Text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (
            gzip.compress(b"id\n" + bytes(range(65, 91)) * 99, mtime=0)[:-20],
            "gzip file is truncated",
        ),
        (b"\x1f\x8b\x08\x00broken", "gzip file is truncated"),
        (b"PK\x03\x04...", "spreadsheet.*save the sheet as CSV"),
        ("name\nM\u00fcller\n".encode("latin1"), "UTF-8 text, got the byte 0xfc.*row 2"),
        (gzip.compress(b"name\n\xfc\n", mtime=0), "UTF-8 text, got the byte 0xfc.*row 2"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, expected):
    path = write(tmp_path / "broken.csv", content)
    refused(lambda: read_table(path), expected, re.escape(f"file {path}"))


def test_gzip_is_known_by_content_and_a_byte_order_mark_is_skipped(tmp_path):
    content = "\ufeffid,x\na,1\n".encode()
    for name, data in (("a.csv", content), ("b.csv", gzip.compress(content))):
        with open_text(write(tmp_path / name, data)) as lines:
            assert next(lines).rstrip() == "id,x"


def test_a_gzip_bomb_is_refused_and_honest_text_is_not(tmp_path, monkeypatch):
    content = gzip.compress(b"id\n" + b"a\n" * 200_000)
    path = write(tmp_path / "a.csv", content)
    assert len(read_table(path)) == 200_000
    monkeypatch.setattr("bioloom.formats.text.UNPACKED_FREE", 1000)
    refused(lambda: read_table(path), "more than 200 times its size", "unpack it yourself")


def test_no_row_is_read_of_a_gzip_that_is_not_whole(tmp_path):
    """A mistake in its first row is not what is told."""
    content = gzip.compress(b"id,label\n" + b"a,b,c,d\n" * 200_000)
    path = write(tmp_path / "a.csv", content)
    refused(lambda: read_table(path), "Expected 2 fields, got 4", "row 2")
    refused(lambda: read_table(write(path, content[:-100])), "truncated or damaged", "gzip -t")


@pytest.mark.parametrize(
    ("said", "limit", "told"),
    [
        ("7", 7, ""),
        ("", 100_000, ""),
        ("many", 100_000, "takes a whole number above 0, got 'many': the limit stays 100,000"),
        ("0", 100_000, "got '0'"),
        ("1e6", 100_000, "got '1e6'"),
    ],
)
def test_the_environment_sets_a_limit(said, limit, told):
    command = [sys.executable, "-c", "from bioloom.limits import *; print(MOST_RESIDUES)"]
    env = os.environ | {"BIOLOOM_MOST_RESIDUES": said}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert int(done.stdout) == limit
    assert told in done.stderr
    assert bool(told) == bool(done.stderr)


def test_a_missing_file_is_named(tmp_path):
    refused(lambda: read_table(tmp_path / "no.csv"), "no such file", "no.csv")
    (tmp_path / "folder.csv").mkdir()
    refused(lambda: read_table(tmp_path / "folder.csv"), "got a folder")


# FASTA ---------------------------------------------------------------------------------------

names = st.text("abcdefgh|_.-0123456789", min_size=1, max_size=8)
residues = st.text("ACDEFGHIKLMNPQRSTVWY", min_size=1, max_size=90)


@given(st.dictionaries(names, residues, min_size=1, max_size=6), st.integers(1, 70), st.booleans())
def test_fasta_is_read_as_written(tmp_path_factory, records, width, zipped):
    lines = []
    for name, sequence in records.items():
        lines.append(f">{name} some protein")
        lines += [sequence[i : i + width] for i in range(0, len(sequence), width)]
    content = "\r\n".join(lines).encode()
    path = tmp_path_factory.mktemp("fasta") / "proteins.fasta"
    write(path, gzip.compress(content) if zipped else content)
    found = read_fasta(path)
    assert {record.id: record.sequence for record in found} == records
    assert all(record.description == "some protein" for record in found)
    assert all(lines[record.row - 1].startswith(f">{record.id} ") for record in found)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("MKV\n>a\nMKV\n", r"header that starts with '>'.*row 1\b"),
        (">a\nMKV\n\n>b\nMKV\n>a\nMKL\n", r"id a is there twice, first in line 1.*row 6"),
        (">a\nMKV\n>b\n>c\nMKV\n", "b has no sequence.*row 3"),
        (">a\nMKV\n>b\n", "b has no sequence.*row 3"),
        ("> \nMKV\n", "without an id.*row 1"),
        ("\n\n", "no FASTA records"),
        (">a\x01\nMKV\n", "control character in an id.*row 1"),
    ],
)
def test_a_broken_fasta_names_the_line(tmp_path, content, expected):
    refused(lambda: read_fasta(write(tmp_path / "broken.fasta", content)), expected)


# GenBank -------------------------------------------------------------------------------------

FEATURES = """\
LOCUS       XX000001                 120 bp    DNA     linear   BCT 01-JAN-2000
FEATURES             Location/Qualifiers
     source          1..120
                     /organism="Escherichia coli"
     gene            1..30
                     /gene="aaaA"
                     /locus_tag="x0001"
     CDS             join(1..15,
                     16..30)
                     /gene="aaaA"
                     /locus_tag="x0001"
                     /note="not a /translation=here"
                     /translation="MKVLA
                     AGW"
     CDS             complement(31..60)
                     /locus_tag="x0002"
                     /pseudo
     tRNA            61..70
                     /locus_tag="x0003"
     CDS             71..90
                     /locus_tag="x0004"
                     /translation="MST"
ORIGIN
        1 acgtacgtac
//
"""


def test_genbank_gives_the_translated_coding_sequences(tmp_path):
    proteins, notes = read_proteins(write(tmp_path / "genome.gb", FEATURES))
    assert [(p.locus_tag, p.gene, p.sequence, p.row) for p in proteins] == [
        ("x0001", "aaaA", "MKVLAAGW", 8),
        ("x0004", "", "MST", 20),
    ]
    assert notes == []


def test_odd_coding_sequences_are_left_out_and_counted(tmp_path):
    """A locus with two of them, as splicing and frameshifts make them, and one without a tag."""
    path = write(tmp_path / "a.gb", FEATURES.replace("x0004", "x0001"))
    proteins, notes = read_proteins(path)
    assert [protein.sequence for protein in proteins] == ["MKVLAAGW"]
    assert notes == ["1 further coding sequences of a locus are left out"]
    proteins, notes = read_proteins(path, "gene")
    assert [protein.locus_tag for protein in proteins] == ["aaaA"]
    assert notes == ["1 coding sequences without a /gene are left out"]


def test_a_genbank_without_the_tag_says_which_ones_it_has(tmp_path):
    path = write(tmp_path / "a.gb", FEATURES.replace("/locus_tag", "/protein_id"))
    refused(lambda: read_proteins(path), "has a /locus_tag", "`locus: protein_id` or `locus: gene`")
    assert [p.locus_tag for p in read_proteins(path, "protein_id")[0]] == ["x0001", "x0004"]
    refused(lambda: read_proteins(write(path, ">a\nMKV\n")), "no coding sequence")
    refused(lambda: read_proteins(path, "product"), "named by locus_tag, old_locus_tag, protein_id")


# Columns -------------------------------------------------------------------------------------


def frame(**columns: list) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    return pd.DataFrame(columns, index=range(2, rows + 2), dtype="str")


def test_a_missing_column_names_close_ones():
    table = frame(Diagnosis=["a"], age=["1"])
    refused(
        lambda: unique_ids(table, "diagnosis", HERE), "did you mean Diagnosis", "Diagnosis, age"
    )
    refused(lambda: unique_ids(table, None, HERE), "Which column holds the ids")
    refused(lambda: unique_ids(frame(**{"id;x": ["a;1"]}), "id", HERE), "one column only")


def test_ids_must_be_there_and_differ_and_are_not_shown():
    refused(
        lambda: unique_ids(frame(id=["a", None]), "id", HERE), "without an id.*row 3, column id"
    )
    table = frame(id=["secret", "b", "secret"])
    with pytest.raises(DataError) as error:
        unique_ids(table, "id", HERE)
    assert "row 4, column id" in str(error.value)
    assert "row 2" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.slow
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.none(), min_size=1))
def test_a_column_of_numbers_is_read_as_written(values):
    table = frame(x=[None if v is None else repr(v) for v in values])
    expected = np.array(values, dtype=float)
    np.testing.assert_allclose(infer_types(table, {}, HERE)["x"], expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ("4o", "types: {age: category}"),
        ("4,5", "decimal mark"),
        ("inf", "mend the value"),
        ("1,250", "one of thousands: remove it; if it is a decimal mark"),
        ("1,250,000", "one of thousands: remove it"),
        ("1 250.5", "one of thousands: remove it"),
    ],
)
def test_text_where_a_number_is_due_names_row_and_column_and_not_the_value(wrong, hint):
    table = frame(age=["1", "2", None, wrong, "5"])
    with pytest.raises(DataError) as error:
        infer_types(table, {}, HERE)
    message = str(error.value)
    assert "row 5, column age" in message
    assert hint in message
    assert f" {wrong} " not in message


def test_a_decimal_comma_is_named(tmp_path):
    column = pd.Series(["1,5", "2,25", "3"], index=[2, 3, 4], name="CRP [mg/L]", dtype="str")
    with pytest.raises(DataError, match=r"row 2, column CRP.*use a point as the decimal mark"):
        infer_types(column.to_frame(), {}, tmp_path)


@pytest.mark.parametrize(
    "values", [["1,250", "980,000"], ["1'250", "1"], ["1\u202f250", "1"], ["1,25,000", "2"]]
)
def test_a_mark_of_thousands_is_named_in_a_column_that_is_full_of_them(values):
    refused(lambda: infer_types(frame(x=values), {}, HERE), "thousands", "row 2")


@pytest.mark.parametrize("values", [["1,250", "1,5"], ["1.250,5", "3,0"]])
def test_a_column_with_decimal_commas_has_no_thousands(values):
    refused(lambda: infer_types(frame(x=values), {}, HERE), "row 2.*point as the decimal mark")


def test_all_columns_that_are_wrong_are_told_at_once():
    table = frame(age=["1", "2", "x"], sex=["F", "M", "F"], crp=["1", "low", "2"])
    message = refused(
        lambda: infer_types(table, {}, HERE), "row 4, column age", "row 3, column crp"
    )
    assert len(message.splitlines()) == 2


def test_a_hint_names_types_only_where_they_are_read():
    table = frame(start=["1", "2", "nd"])
    expected = "Hint: mend the value, leave it empty or list it as `missing` under `read`"
    refused(lambda: numbers(table["start"], HERE), f"{expected}$")
    refused(lambda: infer_types(table, {}, HERE), f"{expected}; `types: {{start: category}}`")


@pytest.mark.parametrize("values", [["0", "1", "2"], ["7.0", "3.0", "3.0"], ["5"]])
def test_a_nameless_column_of_whole_numbers_numbers_the_rows(values):
    """In any order and number of rows, so that new data lose what training data lost."""
    counts = [str(day) for day in range(len(values))]
    columns = {"1": values, "Unnamed: 0": values, "index": values, "SUBJID": counts, "day": counts}
    table, notes = without_row_numbers(frame(**columns), ["index"])
    assert table.columns.tolist() == ["index", "SUBJID", "day"]
    assert notes == ["Columns that number the rows are not read: 1, Unnamed: 0"]


@pytest.mark.parametrize("names", [("1", "3"), ("V1", "V2"), ("dose", "day")])
def test_columns_that_count_are_features_where_none_is_without_a_name(names):
    given = frame(**{name: [str(i) for i in range(14)] for name in names})
    table, notes = without_row_numbers(given, [])
    assert table.columns.tolist() == list(names)
    assert not notes


def test_a_nameless_column_of_measurements_is_a_feature():
    assert without_row_numbers(frame(**{"1": ["0.5", "1"], "x": ["2", "3"]}), [])[1] == []


@pytest.mark.parametrize("values", [["1", "0", "1.0"], ["7.00", "7"]])
def test_one_number_in_two_spellings_is_refused(values):
    table = frame(x=values)
    refused(lambda: one_spelling(table["x"], HERE), "two spellings", "column x")
    refused(lambda: unique_ids(table, "x", HERE), "two spellings")


def test_texts_that_only_look_alike_stay_apart():
    one_spelling(pd.Series(["1.1", "1.10", "01", "1", "yes", "Yes", None], dtype="str"), HERE)


def test_ids_keep_their_spelling_and_are_found_by_number():
    ids = pd.Series(["683600.0", "2.0", "9.0"])
    assert places(ids, pd.Series(["2", "683600"])).tolist() == [1, 0, -1]
    assert places(pd.Series(["2.0", "a"]), pd.Series(["2", "a"])).tolist() == [-1, 1]
    assert places(pd.Series(["2.0", "3"]), pd.Index(["2", "2.0"])).tolist() == [1, -1]
    table = frame(id=["2", "5", "683600"])
    rows, notes = partner_rows(ids, table, "id", HERE)
    assert rows.fillna(-1).tolist() == [4, 2, -1]
    assert notes == [
        "1 items have no row in the table and are left out, such as 9.0",
        "1 rows without an item are in the table and are left out, such as 5",
    ]
    other = frame(id=["p2", "p9"])
    refused(lambda: partner_rows(ids, other, "id", HERE), "one has 683600.0, this one p2")


def test_a_name_in_a_hint_is_yaml():
    assert in_yaml("age") == "age"
    assert yaml.safe_load(f"{{drop: [{in_yaml('CRP [mg/L]: a')}]}}") == {"drop": ["CRP [mg/L]: a"]}


def test_types_are_by_what_a_column_holds_or_by_config():
    table = frame(
        stage=["I", "II", "3", None], code=["1", "2", "2", "1"], empty=[None] * 4, none=["None"] * 4
    )
    types = infer_types(table, {"code": "category"}, HERE)
    assert types["stage"].dropna().tolist() == ["I", "II", "3"]
    assert types["code"].tolist() == ["1", "2", "2", "1"]
    assert types["empty"].isna().all()
    assert types["empty"].dtype == float
    assert types["none"].tolist() == ["None"] * 4
    refused(lambda: infer_types(table, {"stage": "number"}, HERE), "2 rows; the first", "row 2")
    refused(lambda: infer_types(table, {"stage": "text"}, HERE), "number, category, got text")
    refused(lambda: infer_types(table, {"stages": "number"}, HERE), "did you mean stage")


def test_rows_are_kept_and_excluded_by_value():
    table = frame(site=["A", "B", "A"], year=["1", "2", "3"])
    kept, notes = select_rows(table, {"keep": {"site": "A"}, "exclude": {"year": [3]}}, HERE)
    assert list(kept.index) == [2]
    assert notes == ["`keep: site` left 2 of 3 rows", "`exclude: year` left 1 of 2 rows"]
    refused(lambda: select_rows(table, {"keep": {"site": ["a"]}}, HERE), "no row has 'a'")
    kept, _ = select_rows(frame(year=["1.0", "2.0", None]), {"keep": {"year": 2}}, HERE)
    assert list(kept.index) == [3]


def test_close_values_are_shown_of_no_id_and_no_person():
    table = frame(site=["North", "South"], id=["N1", "N2"])
    wrong = {"keep": {"site": ["Nort"]}}
    refused(lambda: select_rows(table, wrong, HERE), "did you mean 'North'")
    ids = {"keep": {"id": ["N3"]}, "columns": {"id": "id"}}
    for options, private in ((wrong, True), (ids, False)):
        with pytest.raises(DataError, match="no row has") as error:
            select_rows(table, options, HERE, private=private)
        assert "did you mean" not in str(error.value)


def test_feature_names_have_no_dot_and_are_not_taken():
    assert feature_names(["PB.Blasts", "group"], HERE) == {
        "PB.Blasts": "PB_Blasts",
        "group": "group_",
    }
    refused(lambda: feature_names(["a.b", "a_b"], HERE), "become 'a_b'")


def test_numbers_of_any_dtype_and_text_of_any_dtype():
    assert numbers(pd.Series([1, 2]), HERE).dtype == float
    assert text(pd.Series([1.0, np.nan])).tolist()[0] == "1"
    assert text(pd.Series([" a ", None])).isna().tolist() == [False, True]


# Expression ----------------------------------------------------------------------------------


def test_expression_is_samples_by_genes_either_way_round(tmp_path):
    matrix = pd.DataFrame(
        [[1.5, np.nan, 3], [4, 5, 6]], index=["p1", "p2"], columns=["A", "B", "C"]
    )
    by_gene, by_sample = tmp_path / "genes.tsv", tmp_path / "samples.csv"
    matrix.T.to_csv(by_gene, sep="\t", index_label="gene")
    matrix.to_csv(by_sample)
    expected = matrix.astype("float32")
    pd.testing.assert_frame_equal(read_expression(by_gene), expected)
    pd.testing.assert_frame_equal(read_expression(by_sample, samples="rows"), expected)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("gene,p1\nA,1\nA,2\n", "more than once.*row 3, column gene"),
        ("gene,p1\nA,1\nB,high\n", "Expected a number.*row 3, column p1"),
        ("gene\nA\n", "a column of ids and columns of values"),
    ],
)
def test_a_broken_matrix_names_the_place(tmp_path, content, expected):
    refused(lambda: read_expression(write(tmp_path / "e.csv", content)), expected)
