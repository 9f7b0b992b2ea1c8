"""Counts and rows of fragments, against pysam's columns and by hand."""

from __future__ import annotations

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.errors import DataError
from bioloom.reads.bam import Bam
from bioloom.reads.pileup import Counting, pileup
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
