"""Shares of a file are the file, row by row and with its numbers."""

import gzip
import os

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioloom.errors import DataError
from bioloom.formats.fasta import read_fasta
from bioloom.formats.shares import share
from bioloom.formats.table import READ_OPTIONS, read_table, separator_of
from bioloom.options import complete_options

FIELDS = st.lists(
    st.sampled_from(["", "x", "7", "a,b", 'say "yes"', "two\nlines", "ö"]), min_size=1
)
IN_FOLDER = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)


def written(folder, name, rows, **options):
    path = folder / name
    table = pd.DataFrame({"id": [f"p{i}" for i in range(len(rows))], "value": rows})
    table.to_csv(path, index=False, **options)
    return path


def options_of(path, **read):
    options = complete_options(read, READ_OPTIONS, "read")
    if path.suffix == ".parquet":
        return options
    return options | {"separator": separator_of(path, options)}


def shares_of(path, parts, reader=read_table, **read):
    options = options_of(path, **read) if reader is read_table else None
    found = []
    for part in range(1, parts + 1):
        with share(path, part, parts, options) as own:
            assert own.name == path.name
            found.append(reader(own, **read))
    return found


@pytest.mark.slow
@given(
    FIELDS, st.integers(1, 4), st.sampled_from([("t.csv", ","), ("t.csv", ";"), ("t.tsv", "\t")])
)
@IN_FOLDER
def test_shares_together_are_the_table(tmp_path, rows, parts, form):
    name, separator = form
    if separator == "\t":
        rows = [row.replace("\n", " ") for row in rows]
    path = written(tmp_path, name, rows, sep=separator)
    parts = min(parts, len(rows))
    found = shares_of(path, parts)
    pd.testing.assert_frame_equal(pd.concat(found), read_table(path))
    sizes = [len(part) for part in found]
    assert max(sizes) - min(sizes) <= 1


def test_lines_before_the_header_and_none_at_all(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("made by a\nmachine\n\nid,value\n\na,1\nb,2\n\nc,3\n")
    for read in ({"skip": 2}, {"skip": 6, "header": False, "separator": ","}):
        whole = read_table(path, **read)
        pd.testing.assert_frame_equal(pd.concat(shares_of(path, len(whole), **read)), whole)


def test_shares_of_packed_tables(tmp_path):
    plain = written(tmp_path, "t.csv", list("abcdefg"))
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(plain.read_bytes()))
    pd.testing.assert_frame_equal(pd.concat(shares_of(path, 3)), read_table(path))


def test_shares_of_parquet_know_their_rows(tmp_path):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"id": list("abcdefg"), "age": range(7)}).to_parquet(path, row_group_size=2)
    pd.testing.assert_frame_equal(pd.concat(shares_of(path, 3)), read_table(path))


def test_shares_of_fasta_keep_the_lines(tmp_path):
    path = tmp_path / "p.fasta"
    path.write_text("\n>a one\nMKV\nLL\n\n>b\nMA\n>c\nMG\n")
    assert sum(shares_of(path, 2, read_fasta), []) == read_fasta(path)


def test_what_is_wrong_is_told_of_the_file_itself(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,value\na,1\nb,2\nc,3,4\n")
    with pytest.raises(DataError) as told, share(path, 2, 2, options_of(path)) as own:
        read_table(own)
    assert f"file {path}, row 4" in str(told.value)
    with pytest.raises(DataError, match=f"Part 1 of 4 would have no row .file {path}"):
        shares_of(path, 4)


def test_a_mark_inside_a_plain_field_is_a_letter(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('id,value\na,5" pipe\nb,1\nc,"two\nlines"\nd,2\n')
    found = shares_of(path, 4)
    pd.testing.assert_frame_equal(pd.concat(found), read_table(path))
    assert [len(part) for part in found] == [1, 1, 1, 1]


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="files in memory are Linux's")
def test_no_disk_holds_a_share(tmp_path):
    path = written(tmp_path, "t.csv", list("abcd"))
    with share(path, 1, 2, options_of(path)) as own:
        assert own.is_symlink()
        assert str(own.readlink()).startswith("/proc/self/fd/")
    assert not own.parent.exists()


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.csv.gz"])
def test_a_damaged_file_is_told_as_one(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"id,value\na,1\n" * 999)[:-9] if name.endswith("gz") else b"")
    with pytest.raises(DataError, match=f"file {path}"):
        shares_of(path, 2)
