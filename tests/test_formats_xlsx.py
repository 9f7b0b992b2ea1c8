"""Excel: what a spreadsheet is sure of is read; all else is refused by row."""

from __future__ import annotations

import re
import zipfile
from datetime import datetime
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.formats.archive import check_members
from bioloom.formats.decimal_comma import numbers_of_texts
from bioloom.formats.table import read_matrix, read_table
from tests.tiny_records import csv
from tests.toys import refused, write

HEADER = ["id", "seen", "crp", "gene", "ward"]
DAY = datetime(2022, 3, 4)
SERIAL = 44624  # 2022-03-04
ROWS = [
    ["P1", DAY, "3,5", "TP53", "0012"],
    ["P2", SERIAL, "1.250,5", "KRAS", "0013"],
    ["P3", "04.05.2022", 7, "DEC1", "0014"],
    ["P4", "2022-03-07", "12,0", "#N/A", "0012"],
    ["P5", "13/03/2022", 71.5, "BRCA2", 12],
    ["P6", None, None, "TP53", "0013"],
]


def book(path: Path, rows: list[list], header: list[list] | None = None, **sheets: list) -> Path:
    made = openpyxl.Workbook()
    made.active.title = "data"
    for row in [*(header or [HEADER]), *rows]:
        made.active.append(row)
    for name, content in sheets.items():
        made.create_sheet(name).append(content)
    made.save(path)
    return path


def computed(path: Path, value: str) -> Path:
    """A copy of a workbook in which each formula has this value, as if a program had saved it."""
    copy = path.with_stem(f"{path.stem}_{len(value)}")
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(copy, "w") as packed:
        for name in whole.namelist():
            content = whole.read(name).decode()
            if not value:
                content = re.sub(r"<c ([^>]*)><f>", r'<c \1 t="str"><f>', content)
            packed.writestr(name, re.sub(r"</f><v ?/>", f"</f><v>{value}</v>", content))
    return copy


def changed(row: int, column: str, value) -> list[list]:
    rows = [[*r] for r in ROWS]
    rows[row][HEADER.index(column)] = value
    return rows


def test_dates_commas_and_zeros_in_front_are_kept(tmp_path, capsys):
    table = read_table(book(tmp_path / "a.xlsx", ROWS), decimal="comma")
    assert table.index.tolist() == [2, 3, 4, 5, 6, 7]
    days = ["2022-03-04", "2022-03-04", "2022-05-04", "2022-03-07", "2022-03-13"]
    assert table["seen"].tolist()[:5] == days  # day first, as 13/03 proves
    assert table["seen"].isna().tolist()[5:] == [True]
    assert table["crp"].astype(float).tolist()[:5] == [3.5, 1250.5, 7, 12, 71.5]
    assert table["ward"].tolist() == ["0012", "0013", "0014", "0012", "12", "0013"]
    assert table["gene"].isna().sum() == 1
    assert "ward is text, and a number in row 6" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "column", "value", "expected"),
    [
        (2, "crp", "4.1", "a comma, in row 3, 4"),
        (2, "crp", "1.025", "a comma, in row 3, 4"),
        (2, "seen", "March 2022", "No day.*row 4"),
        (2, "seen", "29.02.2022", "no calendar, in row 4"),
        (2, "gene", datetime(2022, 9, 2), "gene names such as SEPT2"),
        (5, "id", "Mean", "notes.*: 7.*last_row: 6"),
        (2, "ward", "#REF!", "A formula that failed, in row 4"),
    ],
)
def test_what_may_mean_several_things_is_refused_by_row(tmp_path, row, column, value, expected):
    path = book(tmp_path / "a.xlsx", changed(row, column, value))
    assert "1.250" not in refused(lambda: read_table(path, decimal="comma"), expected)


def test_a_date_becomes_no_gene_and_neither_do_serials_beside_it(tmp_path):
    rows = changed(0, "gene", datetime(2022, 9, 2))
    rows[5][3] = SERIAL
    refused(lambda: read_table(book(tmp_path / "a.xlsx", rows)), "something else, in row 2, 7")


def test_a_number_that_became_a_date_is_refused(tmp_path):
    rows = changed(2, "crp", datetime(2022, 5, 1))
    refused(lambda: read_table(book(tmp_path / "a.xlsx", rows)), "something else", "row 4")


def test_an_order_of_dates_that_nothing_proves_is_asked_for(tmp_path):
    rows = [["P1", "04/05/2022"], ["P2", "06/07/2022"]]
    path = book(tmp_path / "a.xlsx", rows, [["id", "seen"]])
    refused(lambda: read_table(path), "cannot be told, in row 2, 3", "date_order")
    assert read_table(path, date_order="month first")["seen"].tolist()[0] == "2022-04-05"


def test_notes_below_a_table_end_it_by_declaration(tmp_path, capsys):
    notes = [["Mean", None, "=AVERAGE(C2:C7)", None, None], [], ["* after transfusion"]]
    path = book(tmp_path / "a.xlsx", ROWS + notes)
    refused(lambda: read_table(path), "rows of the table: 8, 10", "last_row: 7")
    capsys.readouterr()
    assert len(read_table(path, last_row=7)) == 6
    assert "2 rows below `last_row` are not read" in capsys.readouterr().err


def test_patients_are_no_sums(tmp_path):
    """Words and lonely cells tell at the end alone, and may be declared as patients there."""
    rows = [["Y", "P1", 3], ["N", "P2", 4], ["sd", None, None], ["N", "P3", 2], ["N", "P4", 2]]
    path = book(tmp_path / "a.xlsx", rows, [["smoker", "id", "crp"]])
    assert len(read_table(path)) == 5
    path = book(tmp_path / "b.xlsx", [*rows[:1], *rows[3:4]], [["smoker", "id", "crp"]])
    refused(lambda: read_table(path), "rows of the table: 3", "last_row: 2.*last_row: 3")
    assert len(read_table(path, last_row=3)) == 2
    path = book(tmp_path / "d.xlsx", [*rows[:2], ["Mean", 3, 4], ["sd", 1, 1], ["n", 2, 2]])
    refused(lambda: read_table(path), "rows of the table: 4, 5, 6", "last_row: 3")
    path = book(tmp_path / "e.xlsx", [*rows[:2], ["Mean", None, 3.5]])
    refused(lambda: read_table(path), "rows of the table: 4 .*last_row: 3")
    alone = book(tmp_path / "c.xlsx", [["P1", None, None], ["P2", None, None]], [["id", "a", "b"]])
    assert len(read_table(alone)) == 2


def test_a_formula_along_a_row_is_of_a_patient_and_over_rows_is_not(tmp_path):
    header = [["id", "a", "b", "sum"]]
    rows = [[f"P{i}", i, i, f"=SUM(B{i}:C{i})"] for i in range(2, 6)]
    assert len(read_table(computed(book(tmp_path / "a.xlsx", rows, header), "4"))) == 4
    rows[2] = ["all", None, "=SUM(C2:C3)", None]
    message = refused(lambda: read_table(book(tmp_path / "b.xlsx", rows, header)), "table: 4")
    assert "last_row" not in message


def test_formulas_that_were_never_computed_are_refused_by_row(tmp_path):
    """A program that writes formulas leaves their values to the first that opens the file."""
    rows = [[f"P{i}", 80, 1.8, f"=B{i}/(C{i}*C{i})"] for i in range(2, 6)]
    path = book(tmp_path / "a.xlsx", rows, [["id", "weight", "height", "bmi"]])
    refused(lambda: read_table(path), "never computed.*row 2.*save it")
    assert read_table(computed(path, "24.7"))["bmi"].tolist() == ["24.7"] * 4
    # An empty text that was computed is a missing value.
    assert read_table(computed(path, ""))["bmi"].isna().all()


def test_a_filled_column_without_a_name_is_named_by_its_number_as_in_text(tmp_path):
    header, rows = ["id", "weight"], [["P1", 80, 5], ["P2", 70, 6]]
    sheet = read_table(book(tmp_path / "a.xlsx", rows, [header]))
    text = read_table(csv(tmp_path / "a.csv", "id,weight,", "P1,80,5", "P2,70,6"))
    assert list(sheet) == list(text) == ["id", "weight", "3"]
    assert sheet["3"].tolist() == text["3"].tolist() == ["5", "6"]
    empty = [[*row[:2], None, " "] for row in rows]
    assert list(read_table(book(tmp_path / "b.xlsx", empty, [header]))) == header
    note = book(tmp_path / "c.xlsx", [*empty, [None, None, "a note below"]], [header])
    assert list(read_table(note, last_row=3)) == header


def test_sheets_and_lines_of_names_are_declared(tmp_path, capsys):
    top = ["", "Baseline", "", "Follow-up"]
    path = book(tmp_path / "a.xlsx", [["P1", 1, 2, 3]], [top, ["id", "crp", "bmi", "crp"]], old=[1])
    made = openpyxl.load_workbook(path)
    made["data"].merge_cells("B1:C1")
    made.save(path)
    refused(lambda: read_table(path), "Which sheet", "data, old")
    refused(lambda: read_table(path, sheet="new"), "no sheet 'new'")
    refused(lambda: read_table(path, sheet="data", skip=1), "there twice: crp", "header_lines: 2")
    table = read_table(path, sheet="data", header_lines=2)
    assert list(table) == ["id", "Baseline crp", "Baseline bmi", "Follow-up crp"]
    made["old"].sheet_state = "hidden"
    made.save(path)
    read_table(path, header_lines=2)
    assert "1 hidden sheets" in capsys.readouterr().err


def test_a_workbook_of_the_other_calendar_has_the_same_days(tmp_path):
    made = openpyxl.Workbook()
    made.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    for row in (["id", "seen"], ["P1", DAY], ["P2", SERIAL - 1462]):
        made.active.append(row)
    made.save(tmp_path / "a.xlsx")
    assert read_table(tmp_path / "a.xlsx")["seen"].tolist() == ["2022-03-04", "2022-03-04"]


def test_patients_may_come_as_a_sheet(tmp_path):
    rows = [[f"P{i}", 40 + i, "ill" if i % 2 else "well"] for i in range(12)]
    path = book(tmp_path / "a.xlsx", rows, [["id", "age", "state"]])
    options = {"columns": {"id": "id", "label": "state"}}
    samples = get_application("disease_diagnosis").ingest({"clinical": path}, options).samples
    assert samples["age"].tolist() == [40.0 + i for i in range(12)]


def test_what_is_no_workbook_is_refused(tmp_path):
    refused(lambda: read_table(write(tmp_path / "a.xlsx", b"PK\x03\x04 broken")), "cannot be read")
    refused(lambda: read_table(tmp_path / "b.xlsx"), "no such file")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1,5E-05", 1.5e-5),
        ("1\u00a0250,5", 1250.5),
        ("1\u202f250,5", 1250.5),
        ("-2,0e3", -2000),
        ("5e-08", 5e-8),
    ],
)
def test_a_decimal_comma_has_exponents_and_narrow_marks(tmp_path, cell, value):
    path = tmp_path / "a.tsv"
    path.write_text(f"id\tcrp\na\t{cell}\nb\t3,5\n")
    assert read_matrix(path, decimal="comma")[1]["crp"].tolist() == [value, 3.5]
    assert numbers_of_texts(pd.Series([cell], dtype="str"), "comma").tolist() == [value]
    texts = pd.Series(["1.5E-05", "5e-08"], dtype="str")
    assert numbers_of_texts(texts, "point").tolist() == [1.5e-5, 5e-8]


def test_text_tables_may_have_decimal_commas_too(tmp_path):
    path = csv(tmp_path / "a.csv", "id;crp", "P1;3,5", "P2;1.250,5", "P3;7")
    table = read_table(path, decimal="comma")
    assert table["crp"].astype(float).tolist() == [3.5, 1250.5, 7]
    assert read_matrix(path, decimal="comma")[1]["crp"].tolist() == [3.5, 1250.5, 7]
    mixed = csv(tmp_path / "b.csv", "id;crp", "P1;3,5", "P2;1.025")
    refused(lambda: read_table(mixed, decimal="comma"), "row 3", "may be 1025")


@pytest.mark.parametrize("formula", [None, "=SUM(B2:B6)"])
def test_a_workbook_without_formulas_is_parsed_once(tmp_path, monkeypatch, formula):
    path = book(tmp_path / "a.xlsx", [["P1", 1], ["P2", 2]], header=[["id", "crp"]])
    if formula:
        path = book(tmp_path / "b.xlsx", [["P1", formula]], header=[["id", "crp"]])
    parsed, load = [], openpyxl.load_workbook
    monkeypatch.setattr(
        openpyxl,
        "load_workbook",
        lambda *args, **given: parsed.append(given) or load(*args, **given),
    )
    if formula:
        refused(lambda: read_table(path), "look like sums")
    else:
        assert read_table(path)["crp"].tolist() == ["1", "2"]
    assert len(parsed) == (2 if formula else 1)


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_compression_that_workbooks_do_not_have_is_damage(tmp_path, compression):
    """A flipped bit makes LZMA of deflate, and what follows asks for gigabytes of memory."""
    with zipfile.ZipFile(book(tmp_path / "a.xlsx", ROWS)) as whole:
        content = {name: whole.read(name) for name in whole.namelist()}
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w", compression) as packed:
        for name, data in content.items():
            packed.writestr(name, data)
    refused(lambda: read_table(tmp_path / "b.xlsx"), "cannot be read: is the file whole")


def test_a_member_that_is_larger_than_its_archive_is_damage(tmp_path):
    """Memory is asked for by what the directory says."""
    path = book(tmp_path / "a.xlsx", ROWS)
    with zipfile.ZipFile(path) as whole:
        [styles] = [member for member in whole.infolist() if member.filename == "xl/styles.xml"]
    content = path.read_bytes()
    place = content.rindex(b"PK\x01\x02", 0, content.rindex(b"xl/styles.xml")) + 20
    assert int.from_bytes(content[place : place + 4], "little") == styles.compress_size
    path.write_bytes(content[:place] + (2**31).to_bytes(4, "little") + content[place + 4 :])
    with zipfile.ZipFile(path) as damaged, pytest.raises(zipfile.BadZipFile, match="styles.xml is"):
        check_members(damaged, path)
    refused(lambda: read_table(path), "cannot be read: is the file whole")
