"""Calls against a truth, and alleles in their one form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.formats.vcf import Called
from bioloom.variants.alleles import decode, encode, left_aligned
from bioloom.variants.candidates import Theta
from bioloom.variants.compare import compare
from bioloom.variants.simulate import simulate_diploid

LETTERS = "ACGTTGCA" * 3 + "GCACACACAT" + "ACGGTACT" + "CATCAT" + "GGTCA" * 2 + "AGTCATTTGACC" * 3
CODES = encode(LETTERS)


def call(start: int, alleles: str, genotype: str) -> Called:
    letters = tuple(alleles.split(","))
    assert LETTERS[start : start + len(letters[0])] == letters[0]
    phased = "|" in genotype
    return Called(
        "c", start, letters, tuple(map(int, genotype.replace("|", "/").split("/"))), phased
    )


def shares(truth: list[Called], calls: list[Called]) -> tuple[list, list]:
    found = compare(truth, calls, CODES)
    return found.found.tolist(), found.right.tolist()


@pytest.mark.parametrize(
    ("truth", "calls"),
    [
        # two letters at once, or one by one
        ([(1, "CG,TA", "0/1")], [(1, "C,T", "0/1"), (2, "G,A", "0/1")]),
        # an indel of a repeat, at its other end
        ([(24, "GCA,G", "1/1")], [(30, "ACA,A", "1/1")]),
        # one record of two alternatives, or two records
        ([(42, "CAT,C,CA", "1/2")], [(42, "CAT,C", "0/1"), (43, "AT,A", "0/1")]),
        # on two chromosomes, with the mark of a spanning deletion and without
        (
            [(58, "AGTCA,A", "0/1"), (60, "T,G", "0/1")],
            [(58, "AGTCA,A", "0/1"), (60, "T,G,*", "1/2")],
        ),
    ],
)
def test_the_same_haplotypes_in_other_records(truth, calls):
    ours, theirs = ([call(*one) for one in side] for side in (truth, calls))
    assert shares(ours, theirs) == ([True] * len(ours), [True] * len(theirs))
    assert shares(theirs, ours) == ([True] * len(theirs), [True] * len(ours))


def test_on_one_chromosome_is_not_on_two():
    truth = [call(1, "C,T", "0|1"), call(2, "G,A", "1|0")]
    assert shares(truth, [call(1, "CG,TA", "0/1")]) == ([False, False], [False])


def test_a_wrong_genotype_is_missed_and_false_and_told_apart():
    truth, calls = [call(1, "C,T", "0/1")], [call(1, "C,T", "1/1")]
    found = compare(truth, calls, CODES)
    assert (found.recall, found.precision) == (0, 0)
    assert found.genotype_errors.tolist() == [True]
    assert compare(truth, [call(1, "C,A", "0/1")], CODES).genotype_errors.tolist() == [False]


def test_a_haploid_genotype_is_that_of_both_copies():
    truth = [Called("c", 1, ("C", "T"), (1,))]
    found = compare(truth, [Called("c", 1, ("C", "T"), (1,))], CODES)
    assert found.found.all()
    assert compare(truth, [call(1, "C,T", "1/1")], CODES).found.all()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_left_most_form_makes_the_same_sequence_and_goes_no_further(data):
    letters = data.draw(st.text("AC", min_size=12, max_size=30))
    start = data.draw(st.integers(1, len(letters) - 4))
    deleted = data.draw(st.integers(0, 3))
    inserted = data.draw(st.text("AC", min_size=0 if deleted else 1, max_size=3))
    ref = letters[start : start + 1 + deleted]
    alt = ref[0] + inserted
    if ref == alt:
        return
    codes = encode(letters)
    at, one, other = left_aligned(start, ref, alt, codes)
    made = letters[:start] + alt + letters[start + len(ref) :]
    assert letters[:at] + other + letters[at + len(one) :] == made
    assert letters[at : at + len(one)] == one
    assert left_aligned(at, one, other, codes) == (at, one, other)
    # No form of the same change that begins before it makes the same sequence.
    if len(one) != len(other) and min(len(one), len(other)) == 1:
        size = len(one) - len(other)
        for before in range(at):
            if size > 0:
                assert letters[: before + 1] + letters[before + 1 + size :] != made


def test_what_is_simulated_is_found_whatever_its_place():
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 4, 20_000).astype(np.uint8)
    codes[5000:5012] = 0
    made = simulate_diploid("c", codes, Theta(0.004, 0.002), rng)
    again = simulate_diploid("c", codes, Theta(0.004, 0.002), np.random.default_rng(4))
    assert len(made.variants) > 80
    assert compare(made.variants, made.variants, codes).found.all()
    assert compare(made.variants, again.variants, codes).recall < 0.2
    for side in (0, 1):
        letters, shift = decode(codes), 0
        for variant in made.variants:
            if variant.genotype[side]:
                at, (ref, alt) = variant.start + shift, variant.alleles
                assert letters[at : at + len(ref)] == ref
                letters = letters[:at] + alt + letters[at + len(ref) :]
                shift += len(alt) - len(ref)
        assert decode(made.haplotypes[side]) == letters
    indels = [v for v in made.variants if len(v.alleles[0]) != len(v.alleles[1])]
    assert 15 < len(indels) < len(made.variants) / 2
    for variant in indels:
        form = variant.start, *variant.alleles
        assert left_aligned(*form, codes) == form
