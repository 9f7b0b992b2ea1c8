"""Counts and rows of fragments, against pysam's columns and by hand."""

from __future__ import annotations

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.errors import DataError
from bioloom.reads.bam import Bam
from bioloom.reads.pileup import COUNTING, Counting, pileup
from bioloom.reads.rows import fragment_rows
from tests.tiny_reads import Read, inflated, slow_counts, write_blocks, write_reads

LENGTH = 120
CONTIGS = {"chr1": LENGTH, "chr2": 50}
EVERY = Counting(fragments=False)


@st.composite
def reads(draw) -> Read:
    """A record with any CIGAR that has a base on the reference."""
    length = st.integers(1, 6)
    inner = draw(st.lists(st.tuples(length, st.sampled_from("MIDNP=X")), max_size=6))
    at = draw(st.integers(0, len(inner)))
    inner.insert(at, (draw(length), "M"))
    left, right = (draw(st.sampled_from(["", "3H", "2S", "1H2S"])) for _ in range(2))
    cigar = left + "".join(f"{n}{operation}" for n, operation in inner)
    cigar += {"1H2S": "2S1H"}.get(right, right)
    n = sum(n for n, operation in inner if operation in "MI=X") + 2 * cigar.count("S")
    letters = draw(st.text("ACGTACGTNR", min_size=n, max_size=n))
    qualities = draw(st.none() | st.lists(st.integers(0, 41), min_size=n, max_size=n))
    flag = draw(st.sampled_from([0, 16, 99, 147, 83, 163, 4, 256, 512, 1024, 2048, 2064]))
    name = draw(st.sampled_from(["a", "ab", "b", "c", "d"]))
    start, mapping = draw(st.integers(0, 25)), draw(st.sampled_from([0, 20, 60]))
    return Read(name, start, cigar, letters, qualities, flag, mapping)


RULES = st.builds(
    Counting,
    mapping_quality=st.sampled_from([0, 1, 30]),
    base_quality=st.sampled_from([0, 1, 15]),
    unknown_quality=st.sampled_from([0, 10]),
    excluded=st.sampled_from([0x704, 0xF04, 0x4]),
    fragments=st.booleans(),
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(reads(), min_size=1, max_size=8), RULES, st.integers(20, 400))
def test_counts_are_those_of_pysam_cell_for_cell(tmp_path_factory, records, rules, size):
    path = write_reads(tmp_path_factory.mktemp("reads") / "reads.bam", records, CONTIGS)
    pysam.index(str(path))
    blocks = write_blocks(path.with_name("blocks.bam"), inflated(path), size)
    found = Bam(blocks)
    whole = pileup(found.records("chr1", 0, LENGTH), 0, LENGTH, rules)
    counts, qualities, insertions = slow_counts(path, "chr1", 0, LENGTH, rules)
    np.testing.assert_array_equal(whole.counts, counts)
    np.testing.assert_array_equal(whole.qualities, qualities)
    np.testing.assert_array_equal(whole.insertions, insertions)
    assert whole.depth.tolist() == counts.sum(axis=(1, 2)).tolist()
    for width in (1, 7, 50):
        starts = range(0, LENGTH, width)
        parts = [
            pileup(
                found.records("chr1", a, min(a + width, LENGTH)), a, min(a + width, LENGTH), rules
            )
            for a in starts
        ]
        for part, all_of_it in (("counts", counts), ("insertions", insertions)):
            joined = np.concatenate([getattr(p, part) for p in parts])
            np.testing.assert_array_equal(joined, all_of_it)
    rows = fragment_rows(found.records("chr1", 0, LENGTH), 0, LENGTH, rules)
    seen = np.stack([(rows.code == code).sum(axis=0) for code in range(5)], axis=1)
    np.testing.assert_array_equal(seen, counts.sum(axis=2))
    np.testing.assert_array_equal((rows.insertion > 0).sum(axis=0), insertions.sum(axis=1))


def counted(tmp_path, records, rules=COUNTING, start=0, end=LENGTH):
    path = write_reads(tmp_path / "reads.bam", records, CONTIGS)
    return pileup(Bam(path).records("chr1", start, end), start, end, rules)


def pair(letters, qualities, cigars=("1M", "1M"), name="f", start=5):
    """Two mates over one position, the second on the reverse strand."""
    both = zip((99, 147), letters, qualities, cigars, strict=True)
    return [Read(name, start, cigar, letter, q, flag) for flag, letter, q, cigar in both]


@pytest.mark.parametrize(
    ("letters", "qualities", "count", "quality"),
    [
        ("AA", (30, 37), [0, 1, 0, 0, 0, 0, 0, 0, 0, 0], 37),  # the better, of the second mate
        ("AA", (30, 30), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 30),
        ("AG", (12, 37), [0, 0, 0, 0, 0, 1, 0, 0, 0, 0], 25),
        ("AG", (37, 12), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 25),
        ("AG", (37, 37), [0] * 10, 0),  # nobody knows
        ("NG", (37, 12), [0, 0, 0, 0, 0, 1, 0, 0, 0, 0], 12),  # N says nothing
    ],
)
def test_overlapping_mates_are_one_witness(tmp_path, letters, qualities, count, quality):
    found = counted(tmp_path, pair(letters, qualities))
    assert found.counts[5].ravel().tolist() == count
    assert found.qualities.sum() == quality
    assert found.depth.sum() == sum(count)


def test_mates_that_differ_in_an_insertion_or_deletion_are_one_witness(tmp_path):
    inserted = pair(("ATTC", "AC"), (37, 12), ("1M2I1M", "2M"))
    found = counted(tmp_path, inserted)
    assert found.insertions[5].tolist() == [1, 0]
    assert found.depth[5:8].tolist() == [1, 1, 0]
    deleted = pair(("ACG", "ATG"), (37, 12), ("1M1D2M", "3M"))
    found = counted(tmp_path, deleted)
    assert found.counts[6].ravel().tolist() == [0] * 8 + [1, 0]
    assert found.qualities[6].sum() == 25


def test_an_insertion_is_not_denied_by_a_mate_that_ends_before_it(tmp_path):
    found = counted(tmp_path, pair(("ATTC", "A"), (37, 37), ("1M2I1M", "1M1H")))
    assert found.insertions[5].tolist() == [1, 0]


def test_the_threshold_is_on_the_base_before_an_insertion_not_on_its_letters(tmp_path):
    read = Read("f", 5, "1M2I1M", "ATTC", [30, 2, 2, 30])
    assert counted(tmp_path, [read], Counting(base_quality=20)).insertions[5].sum() == 1


def test_a_deletion_has_the_lower_quality_of_its_neighbours(tmp_path):
    read = Read("f", 5, "1M2D1M", "AC", [30, 7])
    found = counted(tmp_path, [read])
    assert found.qualities[5:9].sum(axis=2).max(axis=1).tolist() == [30, 7, 7, 7]
    assert counted(tmp_path, [read], Counting(base_quality=20)).depth.sum() == 1


def test_parts_of_a_split_read_are_one_witness_where_they_overlap(tmp_path):
    split = [Read("f", 5, "4M4H", "ACGT"), Read("f", 7, "4H4M", "GTAA", 30, 2048)]
    assert counted(tmp_path, split).depth[5:11].tolist() == [1] * 6
    assert counted(tmp_path, split, EVERY).depth[5:11].tolist() == [1, 1, 2, 2, 1, 1]


def test_a_name_that_is_missing_joins_nobody(tmp_path):
    assert counted(tmp_path, [Read("*", 5, "1M", "A")] * 3).depth[5] == 3


def test_what_counts_as_a_read(tmp_path):
    flags = {"plain": 0, "not proper": 65, "mate unmapped": 73, "supplementary": 2048}
    never = {"duplicate": 1024, "failed": 512, "secondary": 256, "unmapped": 4}
    records = [Read(name, 5, "1M", "A", 30, flag) for name, flag in (flags | never).items()]
    assert counted(tmp_path, records).depth[5] == len(flags)
    assert counted(tmp_path, records, Counting(excluded=0)).depth[5] == len(flags) + 3
    poor = [Read("poor", 5, "1M", "A", mapping=0)]
    assert counted(tmp_path, poor, Counting(mapping_quality=1)).depth.sum() == 0


def test_a_missing_quality_is_low_not_perfect(tmp_path):
    found = counted(tmp_path, [Read("f", 5, "2M", "AC", None)])
    assert found.qualities.sum() == 20
    assert (
        counted(tmp_path, [Read("f", 5, "2M", "AC", None)], Counting(base_quality=11)).depth.sum()
        == 0
    )


def test_deep_columns(tmp_path):
    records = [Read(f"f{i // 2}", 5, "9M", "ACGTACGTA", 30, (99, 147)[i % 2]) for i in range(1000)]
    found = counted(tmp_path, records)
    assert found.depth[5:14].tolist() == [500] * 9
    assert len(fragment_rows(Bam(tmp_path / "reads.bam").records("chr1", 4, 6), 4, 6)) == 500


def test_reads_without_letters_or_cigar_say_nothing(tmp_path):
    records = [Read("f", 5, "9M", "", None), Read("g", 5, "", "ACG")]
    assert counted(tmp_path, records).depth.sum() == 0


def test_a_letter_as_the_reference_is_refused(tmp_path):
    with pytest.raises(DataError, match="calmd"):
        counted(tmp_path, [Read("f", 5, "3M", "A=G")])
    records = Bam(tmp_path / "reads.bam").records("chr1", 0, 9)
    with pytest.raises(DataError, match="calmd"):
        fragment_rows(records, 0, 9)


def test_an_empty_region_and_one_without_reads(tmp_path):
    path = write_reads(tmp_path / "reads.bam", [Read("f", 5, "3M", "ACG")], CONTIGS)
    found = Bam(path)
    assert pileup(found.records("chr1", 6, 6), 6, 6).counts.shape == (0, 5, 2)
    for contig, start, end in (("chr1", 8, 20), ("chr1", 0, 5), ("chr2", 0, 50)):
        records = found.records(contig, start, end)
        assert pileup(records, start, end).depth.sum() == 0
        assert fragment_rows(records, start, end).code.shape == (0, end - start)


def test_rows_lie_on_the_reference(tmp_path):
    mates = [Read("f", 2, "3M", "ACG", [30, 31, 32], 99), Read("f", 4, "1M2I2M", "GTTCA", 20, 147)]
    alone = Read("g", 3, "2S1M2D1M", "TTAC", [9, 9, 30, 20], 16, 17)
    path = write_reads(tmp_path / "reads.bam", [*mates, alone], CONTIGS)
    rows = fragment_rows(Bam(path).records("chr1", 0, 8), 0, 8)
    assert rows.code.tolist() == [[5, 5, 0, 1, 2, 1, 0, 5], [5, 5, 5, 0, 4, 4, 1, 5]]
    assert rows.quality.tolist() == [[0, 0, 30, 31, 32, 20, 20, 0], [0, 0, 0, 30, 20, 20, 20, 0]]
    assert rows.insertion.tolist() == [[0, 0, 0, 0, 2, 0, 0, 0], [0] * 8]
    assert rows.reverse.astype(int).tolist() == [[0, 0, 0, 0, 0, 1, 1, 0], [0, 0, 0, 1, 1, 1, 1, 0]]
    assert rows.mapping_quality.tolist() == [60, 17]


def test_reads_of_two_lanes_are_two_witnesses_though_they_have_one_name(tmp_path):
    """As where reads were numbered anew."""
    groups = [[("RG", "one")], [("RG", "two")], [("RG", "one"), ("XX", 7)], []]
    records = [Read("1", 5, "1M", "A", tags=tuple(tags)) for tags in groups]
    assert counted(tmp_path, records).depth[5] == 3
