"""Genome windows: 0-based, half-open, on their strand, or refused with the line."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioloom.errors import DataError
from bioloom.formats.dna import is_dna, reverse_complement, standard_dna
from bioloom.formats.intervals import read_genome, read_windows, window_sequences
from tests.toys import write

dna = st.text(alphabet="ACGTRYSWKMBDHVN", max_size=60)


@given(dna)
def test_the_reverse_complement_turns_back(sequence):
    assert reverse_complement(reverse_complement(sequence)) == sequence


@pytest.mark.slow
@given(dna, st.data())
def test_a_window_on_the_other_strand_is_the_reverse_complement_of_its_own(sequence, data):
    sequence += "A"
    start = data.draw(st.integers(0, len(sequence) - 1))
    end = data.draw(st.integers(start + 1, len(sequence)))
    columns = {"chrom": "c", "start": start, "end": end, "strand": ["+", "-"]}
    windows = pd.DataFrame(columns, index=[1, 2])
    forward, backward = window_sequences(windows, {"c": sequence}, Path("w.bed"))
    assert forward == sequence[start:end]
    assert backward == reverse_complement(forward)


def test_rna_and_lower_case_become_dna():
    assert standard_dna(pd.Series(["acgu n", None]), Path("f"))[0] == "ACGTN"
    assert is_dna(["ACGT", "NN"])
    assert not is_dna(["ACGT", "MKV"])


def test_a_table_of_windows_may_name_its_columns_otherwise(tmp_path):
    path = write(tmp_path / "w.tsv", "seqnames\tfrom\tto\ttpm\nchr1\t2\t5\t7.5\n")
    names = {"chrom": "seqnames", "start": "from", "end": "to"}
    windows = read_windows(path, names)
    assert windows[["chrom", "start", "end", "strand"]].to_numpy().tolist() == [["chr1", 2, 5, "+"]]
    assert windows["tpm"].tolist() == ["7.5"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("chr1\t5\t5\n", "ends at or before its start .*row 2"),
        ("chr1\t-1\t5\n", "starts before 0 .*row 2"),
        ("chr1\t1.5\t5\n", "start is no whole number .*row 2"),
        ("chr1\tx\t5\n", "Expected a number.*row 2, column start"),
        ("chr1\t1\t99\n", "ends beyond its chromosome .*row 2"),
        ("chr9\t1\t2\n", "no such chromosome; it has chr1 .*row 2"),
        ("chr1\t1\t2\tname\n", "Expected 3 fields, got 4 .*row 2"),
        ("chr1 1 2\n", "at least 3 fields, got 1 .*row 2.*tabs"),
    ],
)
def test_what_is_no_window_is_refused_with_its_line(tmp_path, line, expected):
    path = write(tmp_path / "w.bed", "chr1\t0\t4\n" + line)
    genome = read_genome(write(tmp_path / "g.fa", ">chr1\nAACCGG\n"))
    with pytest.raises(DataError, match=expected):
        window_sequences(read_windows(path), genome, path)


def test_a_strand_is_plus_minus_or_unknown(tmp_path):
    path = write(tmp_path / "w.bed", "c\t0\t4\tn\t0\t.\nc\t0\t4\tn\t0\t*\n")
    with pytest.raises(DataError, match="strand is not .*row 2"):
        read_windows(path)


def test_options_of_a_table_of_windows_are_read(tmp_path):
    (tmp_path / "w.tsv").write_text("a title\nchrom\tstart\tend\tsignal\nc\t0\t5\tnd\nc\t5\t9\t2\n")
    windows = read_windows(tmp_path / "w.tsv", skip=1, missing=["nd"])
    assert windows["signal"].isna().tolist() == [True, False]


def test_a_header_of_bed_is_to_be_removed(tmp_path):
    (tmp_path / "w.bed").write_text("# a comment\nchrom\tstart\tend\nc\t0\t5\n")
    with pytest.raises(DataError, match=r"got 'start' and 'end' .*row 2.*BED has no header"):
        read_windows(tmp_path / "w.bed")
