"""Sample sheets: names stay text, and each fault is told with its row before any job."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path

import pytest

from bioloom.formats.sample_sheet import Lane, read_sheet, write_sheet
from tests.toys import refused, write

FILES = [f"reads/{name}_R{mate}.fq" for name in ("a", "b", "c") for mate in (1, 2)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A working folder with reads, and a folder of sheets in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reads").mkdir()
    (tmp_path / "sheets").mkdir()
    for name in FILES:
        write(tmp_path / name, "")
    write(tmp_path / "sheets/near.fq", "")
    return tmp_path


def sheet(*rows: str, header: str = "sample,lane,fastq_1,fastq_2") -> Path:
    return write(Path("sheets/s.csv"), "\n".join([header, *rows]) + "\n")


def test_names_that_look_like_numbers_stay_text(folder: Path):
    lanes = read_sheet(
        sheet(
            "007,1,reads/a_R1.fq,reads/a_R2.fq",
            "007,2,reads/b_R1.fq,",
            "1e5,1,reads/c_R1.fq,",
            "NA,,reads/c_R2.fq,",
        )
    )
    assert [lane.sample for lane in lanes] == ["007", "007", "1e5", "NA"]
    assert [lane.lane for lane in lanes] == ["1", "2", "1", "1"]
    assert lanes[0].fastq == ["reads/a_R1.fq", "reads/a_R2.fq"]
    assert lanes[1].read_group == {
        "ID": "007.2", "SM": "007", "LB": "007", "PL": "ILLUMINA", "PU": "2"
    }  # fmt: skip


def test_byte_order_mark_windows_ends_and_spaces(folder: Path):
    text = "\ufeffsample,lane,fastq_1,fastq_2\r\ns1,1,reads/a_R1.fq, reads/a_R2.fq \r\n\r\n"
    [lane] = read_sheet(write(Path("sheets/s.csv"), text))
    assert lane == Lane("s1", "reads/a_R1.fq", "reads/a_R2.fq", lane="1", library="s1")


def test_a_space_stays_in_a_name_and_leaves_file_names(folder: Path):
    [lane] = read_sheet(sheet("S 1,1,reads/a_R1.fq,"))
    assert (lane.sample, lane.folder, lane.read_group["SM"]) == ("S 1", "S_1", "S 1")


def test_a_path_is_looked_for_in_the_working_folder_then_beside_the_sheet(folder: Path):
    [lane] = read_sheet(sheet("s,1,near.fq,"))
    assert lane.fastq_1 == "sheets/near.fq"
    write(folder / "near.fq", "")
    [lane] = read_sheet(sheet("s,1,near.fq,"))
    assert lane.fastq_1 == "near.fq"


def test_a_sheet_is_read_as_it_was_written(folder: Path):
    lanes = [
        Lane("a", bam="reads/a_R1.fq", lane="1", library="x"),
        Lane("b", "reads/b_R1.fq", lane="3", library="b", platform="ont"),
    ]
    write_sheet(lanes, "sheets/out.tsv")
    assert read_sheet("sheets/out.tsv") == lanes


HEADER = "sample,lane,fastq_1,fastq_2"
BAM = "sample,fastq_1,fastq_2,bam"


@pytest.mark.parametrize(
    ("header", "rows", "expected"),
    [
        (HEADER, ["s,1,reads/a_R1.fq,reads/a_R1.fq"], "in this row.*row 2"),
        (HEADER, ["s,1,reads/a_R1.fq,", "t,1,reads/../reads/a_R1.fq,"], "first in row 2.*row 3"),
        (HEADER, ["s,1,reads/a_R1.fq,", "s,1,reads/b_R1.fq,"], "lane 1 of s.*row 3"),
        (HEADER, ["s,1,reads/d_R1.fq,"], "no such file.*row 2, column fastq_1"),
        ("sample,fastq_1,fastq2", ["s,reads/a_R1.fq,"], "row 1.*did you mean 'fastq_2'"),
        (HEADER, ["s1,1,reads/a_R1.fq,", "S1,1,reads/b_R1.fq,"], "s1 and S1.*row 3"),
        (HEADER, ["a b,1,reads/a_R1.fq,", "a_b,1,reads/b_R1.fq,"], "a b and a_b.*row 3"),
        (HEADER, ["a/b,1,reads/a_R1.fq,"], "a/b .*row 2, column sample"),
        (HEADER, ["../x,1,reads/a_R1.fq,"], "row 2, column sample"),
        (HEADER, ["-rf,1,reads/a_R1.fq,"], "row 2, column sample"),
        (HEADER, [",1,reads/a_R1.fq,"], "row 2, column sample"),
        (HEADER, ["s,1,,reads/a_R2.fq"], "fastq_2 alone.*row 2"),
        (HEADER, ["s,1,,"], "names no reads.*row 2"),
        (HEADER, ["s,1,reads/a_R1.fq,,more"], "columns.*row 2"),
        (HEADER, [], "no rows"),
        (BAM, ["s,reads/a_R1.fq,,reads/b_R1.fq"], "both FASTQ and BAM.*row 2"),
        (BAM, ["s,,,reads/a_R1.fq", "s,,,reads/b_R1.fq"], "a BAM and other rows.*row 2"),
        ("sample,lane", ["s,1"], "sample and fastq_1 or bam"),
        ("sample,sample,bam", ["s,s,x"], "there twice"),
        ("sample,platform,bam", ["s,ilumina,reads/a_R1.fq"], "row 2.*'illumina'"),
    ],
)
def test_faults_are_told_with_their_row(folder: Path, header: str, rows: list[str], expected: str):
    refused(lambda: read_sheet(sheet(*rows, header=header)), expected)


def test_samples_of_persons_are_told_apart_and_not_named(folder: Path):
    lanes = read_sheet(sheet("Doe_Jane,1,reads/a_R1.fq,", "Placeholder_Erika,1,reads/b_R1.fq,"))
    assert [lane.sample for lane in lanes] == ["Doe_Jane", "Placeholder_Erika"]
    rows = ("Doe_Jane,1,reads/a_R1.fq,", "Doe_Jane,1,reads/b_R1.fq,")
    told = refused(lambda: read_sheet(sheet(*rows)), "lane 1 of a name not shown is there twice")
    assert "Jane" not in told


@pytest.mark.parametrize("content", [codecs.BOM_UTF16_LE, codecs.BOM_UTF8, gzip.compress(b"")])
def test_a_sheet_of_nothing_has_no_rows(folder: Path, content: bytes):
    refused(lambda: read_sheet(write(Path("s.csv"), content)), "no rows")


def test_other_endings_are_refused(folder: Path):
    refused(lambda: read_sheet(write(Path("s.xlsx"), "sample")), r"Expected one of \.csv, \.tsv")
