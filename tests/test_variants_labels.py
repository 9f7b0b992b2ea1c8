"""Copies of candidates where the truth is written otherwise, or some candidates are errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bioloom.formats.vcf import Called
from bioloom.samples import VARIANT
from bioloom.samples.variants import FOUND
from bioloom.variants.alleles import encode
from bioloom.variants.evidence import Person
from bioloom.variants.labels import label_rows

LETTERS = "GATCAGCTAGGCATCGATCC" + "TTTTTTT" + "GACGTCAGCTAGCATCGCCATAGCAGTCGATTACA"
Allele = tuple[int, str, str]
LETTER, DELETION, BOTH = (33, "A", "T"), (33, "AGC", "A"), (33, "AGC", "T")


def true(allele: Allele, genotype: tuple[int, ...] = (0, 1), *, phased: bool = False) -> Called:
    start, *letters = allele
    assert LETTERS[start:].startswith(letters[0])
    return Called("c", start, tuple(letters), genotype, phased)


def letter(at: int) -> Allele:
    """A substitution."""
    return at, LETTERS[at], "A" if LETTERS[at] != "A" else "C"


def labels(candidates: list[Allele], truth: list[Called]) -> list[str]:
    """The label of each candidate."""
    rows = pd.DataFrame(candidates, columns=[f"{VARIANT}{name}" for name in ("pos", "ref", "alt")])
    rows[f"{VARIANT}pos"] += 1
    someone = Person("x", Path("unread.bam"), np.zeros(0))
    codes = encode(LETTERS)
    return label_rows(rows.assign(**{FOUND: True}), truth, [], codes, someone, "c", [])[
        "label"
    ].tolist()


def test_errors_that_undo_each_other_are_not_true():
    errors = [(19, "C", "CT"), (19, "CT", "C")]
    truth = [true(letter(16)), true(BOTH)]
    found = labels([letter(16), LETTER, DELETION, *errors], truth)
    assert found == ["0/1", "0/1", "0/1", "0/0", "0/0"]


def test_variants_that_would_undo_each_other_on_one_chromosome_are_on_two():
    pair = [(19, "C", "CT"), (19, "CT", "C")]
    found = labels([*pair, LETTER, DELETION], [*map(true, pair), true(BOTH, (1, 1))])
    assert found == ["0/1", "0/1", "1/1", "1/1"]


def test_a_missed_variant_beside_takes_no_label():
    assert labels([LETTER, DELETION], [true(letter(40)), true(BOTH, (1,))]) == ["1/1", "1/1"]


def test_of_a_letter_and_an_indel_on_one_chromosome_the_candidate_that_is_both_is_true():
    """Its parts, as candidates beside it, had the labels, and so it hung on noise."""
    one = [true(part, phased=True) for part in (LETTER, DELETION)]
    assert labels([LETTER, DELETION, BOTH], one) == ["0/0", "0/0", "0/1"]
    two = [true(LETTER, (0, 1), phased=True), true(DELETION, (1, 0), phased=True)]
    assert labels([LETTER, DELETION, BOTH], two) == ["0/1", "0/1", "0/0"]


def test_candidates_that_touch_no_truth_take_no_part():
    """Five, each with one copy or two, were too many, and a truth lost its labels."""
    others = [letter(at) for at in (*range(22, 33, 2), *range(37, 48, 2))]
    assert labels([LETTER, DELETION, *others], [true(BOTH)]) == ["0/1"] * 2 + ["0/0"] * 12
