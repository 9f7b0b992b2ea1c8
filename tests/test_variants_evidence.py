"""Alleles, genotypes and depths of reads whose haplotypes are known."""

from __future__ import annotations

import gzip

import numpy as np
import pysam
import pytest

from bioloom.reads.rows import fragment_rows
from bioloom.samples import VARIANT
from bioloom.samples.variants import IMAGE
from bioloom.variants import recalibration
from bioloom.variants.alleles import encode
from bioloom.variants.recalibration import error_rates
from bioloom.variants.reference import Reference
from tests.tiny_reads import Read
from tests.tiny_variants import (
    calls,
    evidence,
    haplotype,
    person,
    random_letters,
    read,
    reads_over,
    write_reference,
)
from tests.toys import refused, write

LETTERS = random_letters(1200, 1)
OTHER = {"A": "G", "C": "T", "G": "A", "T": "C"}


def snp(at: int, letters: str = LETTERS) -> tuple[int, str, str]:
    return at, letters[at], OTHER[letters[at]]


def called(tmp_path, reads: list[Read], letters: str = LETTERS, **options) -> list[tuple]:
    contigs = {"c": letters}
    return calls(evidence(tmp_path, contigs, [person(tmp_path, contigs, reads, **options)]))


def heterozygous(edits, site: int, letters: str = LETTERS, n: int = 8, **options) -> list[Read]:
    return [
        *reads_over(letters, [], site, n, "ref", **options),
        *reads_over(letters, edits, site, n, "alt", **options),
    ]


def test_letters_that_change_on_one_and_on_both_chromosomes(tmp_path):
    one, both = snp(300), snp(700)
    reads = heterozygous([one], 300) + reads_over(LETTERS, [both], 700, 12, "hom")
    assert called(tmp_path, reads) == [
        (301, one[1], one[2], (0, 1), (8, 8)),
        (701, both[1], both[2], (1, 1), (0, 12)),
    ]


def test_an_indel_written_at_three_places_is_one_left_aligned_record(tmp_path):
    """Bcftools call gives two records of such a deletion."""
    letters = LETTERS[:400] + "G" + "CA" * 8 + "T" + LETTERS[417:]
    reads = reads_over(letters, [], 408, 9, "ref", length=100)
    for place in (400, 406, 412):
        edit = (place, letters[place : place + 3], letters[place])
        reads += reads_over(letters, [edit], 408, 4, f"alt{place}", length=100)
    assert called(tmp_path, reads, letters) == [(401, "GCA", "G", (0, 1), (9, 12))]


def test_a_long_insertion_near_the_end_of_a_contig(tmp_path):
    insertion = 1189, LETTERS[1189], LETTERS[1189] + "GATTACAGATTTGCCATGCA"
    places = haplotype(LETTERS, [insertion])
    reads = [read(f"r{i}", places[1100 + i :]) for i in range(12)]
    assert called(tmp_path, reads) == [(1190, *insertion[1:], (1, 1), (0, 12))]


def test_mates_that_overlap_are_one_witness_of_letters_and_of_indels(tmp_path):
    deletion = (800, LETTERS[800:804], LETTERS[800])
    reads = []
    for i in range(12):
        edits = [snp(300), deletion] if i % 2 else []
        places = haplotype(LETTERS, edits)
        for at in (300, 800):
            for start, flag in ((at - 50, 99), (at - 40, 147)):
                begin = next(k for k, (_, p) in enumerate(places) if p == start)
                mate = read(f"{at}.{i}", places[begin : begin + 80], flag=flag)
                reads.append(mate)
    assert [(pos, genotype, depths) for pos, _, _, genotype, depths in called(tmp_path, reads)] == [
        (301, (0, 1), (6, 6)),
        (801, (0, 1), (6, 6)),
    ]


def test_mates_that_meet_in_their_clips_are_one_witness(tmp_path):
    """An insertion between them, of which each shows a part."""
    inserted = "GATTACAGATTTGCCATGCA"
    insertion = 600, LETTERS[600], LETTERS[600] + inserted
    reads = reads_over(LETTERS, [insertion], 600, 4, "x")
    for i in range(3):
        one, other = LETTERS[530 + i : 601] + inserted[:12], inserted[8:] + LETTERS[601:670]
        reads.append(Read(f"f{i}", 530 + i, f"{71 - i}M12S", one, flag=99))
        reads.append(Read(f"f{i}", 601, "12S69M", other, flag=147))
    found = called(tmp_path, reads)
    assert [c[3:] for c in found if c[2] == insertion[2]] == [((1, 1), (0, 7))]


def test_one_molecule_read_twice_is_no_variant(tmp_path):
    places, other = haplotype(LETTERS, []), haplotype(LETTERS, [snp(300)])
    reads = [read(f"r{i}", places[240 + i : 330 + i], flag=99) for i in range(8)]
    reads += [read("odd", other[250:330], flag=99), read("odd", other[260:340], flag=147)]
    assert called(tmp_path, reads) == []


@pytest.mark.parametrize("size", [100, 300, 1200])
def test_regions_of_any_size_give_the_same_rows(tmp_path, size):
    letters = LETTERS[:597] + "TTTTTTTT" + LETTERS[605:]
    contigs = {"chr2": letters, "HLA-X*01:01": LETTERS}
    edits = [snp(299, letters), snp(300, letters), (602, "TTT", "T"), snp(899, letters)]
    reads = []
    for edit in edits:
        reads += heterozygous([edit], edit[0], letters)
    reads += [r._replace(contig=1) for r in heterozygous([snp(299)], 299)]
    rows = evidence(tmp_path, contigs, [person(tmp_path, contigs, reads)], size)
    assert [(p, g) for p, _, _, g, _ in calls(rows)] == [
        (300, (0, 1)), (301, (0, 1)), (597, (0, 1)), (900, (0, 1)), (300, (0, 1)),
    ]  # fmt: skip
    assert rows[f"{VARIANT}chrom"].iloc[-1] == "HLA-X*01:01"
    whole = evidence(tmp_path, contigs, [person(tmp_path, contigs, reads)], 1200)
    assert rows.drop(columns=IMAGE).astype(str).equals(whole.drop(columns=IMAGE).astype(str))
    assert rows[IMAGE].equals(whole[IMAGE])


@pytest.mark.parametrize("size", [100, 300, 1200])
def test_an_indel_that_begins_in_a_region_before_explains_what_it_reaches(tmp_path, size):
    deletion = 270, LETTERS[270:331], LETTERS[270]
    reads = reads_over(LETTERS, [deletion], 270, 10, "d")
    reads += reads_over(LETTERS, [snp(315)], 315, 10, "s")
    contigs = {"c": LETTERS}
    rows = evidence(tmp_path, contigs, [person(tmp_path, contigs, reads)], size)
    assert [c[3:] for c in calls(rows)] == [((0, 1), (10, 10)), ((0, 1), (10, 10))]


@pytest.mark.slow
def test_long_reads_look_the_same_in_regions_of_any_size(tmp_path):
    letters = random_letters(3000, 4)
    rng, contigs = np.random.default_rng(0), {"c": letters}
    reads = []
    for i in range(6):
        wrong = {int(at): OTHER[letters[at]] for at in [*rng.choice(3000, 90), 1500]}
        reads.append(Read(f"r{i}", 0, "3000M", "".join(map(wrong.get, range(3000), letters))))
    one = person(tmp_path, contigs, reads)
    few, whole = (evidence(tmp_path, contigs, [one], size) for size in (250, 3000))
    assert len(few)
    assert few.drop(columns=IMAGE).astype(str).equals(whole.drop(columns=IMAGE).astype(str))
    assert few[IMAGE].equals(whole[IMAGE])


def test_what_no_caller_counts_and_what_all_should(tmp_path):
    wrong = [0x400, 0x200, 0x100, 0x4]  # duplicate, failed, secondary, unmapped
    reads = reads_over(LETTERS, [], 300, 9, "plain")
    for flag in wrong:
        reads += reads_over(LETTERS, [snp(300)], 300, 6, f"flag{flag}.", flag=flag)
    assert called(tmp_path, reads) == []
    pairs = heterozygous([snp(600)], 600, flag=0x1 | 0x40)  # paired, but not properly
    assert [c[3:] for c in called(tmp_path, reads + pairs)] == [((0, 1), (8, 8))]


def test_a_read_that_may_lie_anywhere_says_nothing(tmp_path):
    contigs = {"c": LETTERS}
    full = person(tmp_path, contigs, reads_over(LETTERS, [snp(300)], 300, 9, "r"), "full")
    hole = person(
        tmp_path, contigs, reads_over(LETTERS, [snp(300)], 300, 3, "r", mapping=0), "hole"
    )
    rows = evidence(tmp_path, contigs, [full, hole]).set_index(f"{VARIANT}person")
    known, unknown = (np.array(rows.loc[n, f"{VARIANT}likelihoods"]) for n in ("full", "hole"))
    assert known.argmax() == 2
    assert np.allclose(unknown, unknown[0])


def test_two_alternatives_at_one_place(tmp_path):
    letters = LETTERS[:800] + "G" + "CA" * 10 + "T" + LETTERS[822:]
    ref = letters[300]
    first, second = [base for base in "ACGT" if base != ref][:2]
    reads = reads_over(letters, [(300, ref, first)], 300, 11, "a")
    reads += reads_over(letters, [(300, ref, second)], 300, 11, "b")
    reads += reads_over(letters, [(800, "GCACA", "G")], 810, 11, "c", length=110)
    reads += reads_over(letters, [(800, "G", "GCA")], 810, 11, "d", length=110)
    both = called(tmp_path, reads, letters)
    assert set(both[0][2].split(",")) == {first, second}
    assert both[0][3:] == ((1, 2), (0, 11, 11))
    assert both[1][:2] == (801, "GCACA")
    assert set(both[1][2].split(",")) == {"G", "GCACACA"}
    assert both[1][3] == (1, 2)
    assert len(both) == 2


def test_a_letter_before_a_deletion_and_the_deletion_share_a_record(tmp_path):
    # not a place from which the deletion could be shifted to the left
    at = next(at for at in range(500, 600) if LETTERS[at] != LETTERS[at + 2])
    other = next(base for base in "ACGT" if base not in LETTERS[at : at + 2])
    reads = reads_over(LETTERS, [(at, LETTERS[at], other)], at, 10, "a")
    reads += reads_over(LETTERS, [(at, LETTERS[at : at + 3], LETTERS[at])], at, 10, "b")
    [(pos, ref, alts, genotype, depths)] = called(tmp_path, reads)
    assert (pos, ref, genotype, depths) == (at + 1, LETTERS[at : at + 3], (1, 2), (0, 10, 10))
    assert set(alts.split(",")) == {LETTERS[at], other + LETTERS[at + 1 : at + 3]}


@pytest.mark.parametrize("n", [0, 12])  # reads of the other chromosome, the reference
@pytest.mark.parametrize("inserted", ["", "GATTA"])
def test_a_letter_and_an_indel_behind_it_on_one_chromosome_are_one_allele(tmp_path, n, inserted):
    # not a place from which the whole could be shifted to the left
    at = next(at for at in range(500, 600) if LETTERS[at] not in LETTERS[at + 2] + "A")
    other = next(base for base in "ACGT" if base not in LETTERS[at : at + 3])
    edit = (at, LETTERS[at : at + (1 if inserted else 3)], other + inserted)
    reads = reads_over(LETTERS, [], at, n, "r") + reads_over(LETTERS, [edit], at, 12, "a")
    [(pos, ref, alts, genotype, depths)] = called(tmp_path, reads)
    shown = alts.split(",").index(edit[2]) + 1
    assert (pos, ref) == (at + 1, edit[1])
    assert genotype == ((0, shown) if n else (shown, shown))
    assert (depths[0], depths[shown], sum(depths)) == (n, 12, n + 12)


def test_a_deletion_that_is_aligned_with_a_letter_changed_is_the_deletion(tmp_path):
    """ACA to C is a letter changed and CA deleted, or AC deleted from one base before."""
    letters = LETTERS[:500] + "GACATT" + LETTERS[506:]
    edit = (501, "ACA", "C")
    reads = heterozygous([edit], 501, letters, n=12)
    assert called(tmp_path, reads, letters) == [(501, "GAC", "G", (0, 1), (12, 12))]


@pytest.mark.parametrize("at", [500, 516, 531])
@pytest.mark.parametrize("n", [5, 30])
def test_a_letter_that_the_other_chromosome_deletes_has_one_copy(tmp_path, at, n):
    """Reads of the deletion say nothing for the letter, however sure both are."""
    deletion = at, LETTERS[at : at + 5], LETTERS[at]
    reads = reads_over(LETTERS, [deletion], at, n, "d")
    reads += reads_over(LETTERS, [snp(at + 3)], at, n, "s")
    assert [c[3:] for c in called(tmp_path, reads)] == [((0, 1), (n, n)), ((0, 1), (n, n))]


def test_the_echo_of_an_indel_is_no_variant_of_its_own(tmp_path):
    """Reads that end in an insertion are written by aligners with letters that differ."""
    insertion = (500, LETTERS[500], LETTERS[500] + "GATTACAGATT")
    reads = heterozygous([insertion], 500, n=10)
    places = haplotype(LETTERS, [insertion])
    for i in range(5):
        # The read ends four letters into the insertion, which are laid on the reference.
        letters = "".join(letter for letter, _ in places[430 + i : 505])
        reads.append(Read(f"echo{i}", 430 + i, f"{len(letters)}M", letters))
    assert [(pos, alts) for pos, _, alts, _, _ in called(tmp_path, reads)] == [(501, insertion[2])]


def test_an_insertion_that_is_only_in_clips(tmp_path):
    """Bcftools misses it: no alignment shows it."""
    inserted = random_letters(40, 9)
    insertion = (500, LETTERS[500], LETTERS[500] + inserted)
    places = haplotype(LETTERS, [insertion])
    letters = "".join(letter for letter, _ in places)
    reads = []
    for i in range(12):
        right, left = 430 + 2 * i, 512 + 2 * i  # the read ends, or begins, inside the insertion
        reads.append(
            Read(f"r{i}", right, f"{501 - right}M{right - 401}S", letters[right : right + 100])
        )
        clip = 541 - left
        reads.append(Read(f"l{i}", 501, f"{clip}S{100 - clip}M", letters[left : left + 100]))
    [(pos, ref, alt, genotype, _)] = called(tmp_path, reads)
    assert (pos, ref, alt, genotype) == (501, LETTERS[500], insertion[2], (1, 1))


@pytest.mark.parametrize("name", ["packed.fa.gz", "reference.fa"])
@pytest.mark.parametrize("level", [1, 6, 9])
def test_a_reference_of_plain_gzip_is_read_as_the_text(tmp_path, level, name):
    """UCSC, NCBI and Ensembl have no other."""
    plain = write_reference(tmp_path, {"c": LETTERS, "d": "acgtn" * 20})
    folder = tmp_path / "packed"
    folder.mkdir()
    packed = Reference(write(folder / name, gzip.compress(plain.read_bytes(), level)))
    assert packed.lengths == {"c": len(LETTERS), "d": 100}
    expected = Reference(plain)
    for contig, start, end in (("c", 7, 1190), ("d", 3, 100)):
        assert np.array_equal(*(r.codes(contig, start, end) for r in (packed, expected)))
    assert [file.name for file in folder.iterdir()] == [name]
    pysam.tabix_compress(str(plain), str(tmp_path / "blocks.fa.gz"))
    assert Reference(tmp_path / "blocks.fa.gz").lengths == packed.lengths


def test_a_reference_with_lines_of_any_length(tmp_path):
    ragged = f">c of a strain\n{LETTERS[:100]}\n{LETTERS[100:130]}\n\n{LETTERS[130:]}\n"
    reference = Reference(write(tmp_path / "reference.fa", ragged))
    assert np.array_equal(reference.codes("c", 0, 1200), encode(LETTERS))
    twice = write(tmp_path / "twice.fa", ragged + ragged)
    refused(lambda: Reference(twice), "'c' is there twice.*twice.fa")
    refused(lambda: Reference(write(tmp_path / "no.fa", "no reference")), "starts with '>'.*no.fa")


def test_ambiguous_and_masked_letters_of_the_reference(tmp_path):
    """VCF 4.3: an ambiguous letter is written as the first of its bases; case says nothing."""
    plain = LETTERS[:400] + "C" + LETTERS[401:500] + "A" + LETTERS[501:]
    shown = plain[:400] + "S" + plain[401:500] + "M" + plain[501:700] + plain[700:].lower()
    reads = reads_over(plain, [(400, "C", "G")], 400, 12, "s")
    reads += heterozygous([(500, "A", "C")], 500, plain) + heterozygous([snp(800)], 800, plain)
    contigs = {"c": shown}
    rows = evidence(tmp_path, contigs, [person(tmp_path, contigs, reads)])
    assert [(p, r, a, g) for p, r, a, g, _ in calls(rows)] == [
        (401, "C", "G", (1, 1)),
        (501, "A", "C", (0, 1)),
        (801, *snp(800)[1:], (0, 1)),
    ]


def test_a_contig_of_one_copy(tmp_path):
    reads = reads_over(LETTERS, [snp(300)], 300, 12, "r") + heterozygous([snp(600)], 600)
    reads += reads_over(LETTERS, [], 600, 8, "more")
    contigs = {"c": LETTERS}
    rows = evidence(tmp_path, contigs, [person(tmp_path, contigs, reads, ploidy={"c": 1})])
    assert [(c[0], c[3]) for c in calls(rows)] == [(301, (1,))]
    # A third of the fragments disagree, which one copy cannot give: told, and no genotype.
    assert dict(zip(rows[f"{VARIANT}pos"], rows[f"{VARIANT}mixed"], strict=True)) == {
        301: False,
        601: True,
    }


def test_error_rates_are_counted_and_deep_reads_bounded(tmp_path, monkeypatch):
    rng, contigs = np.random.default_rng(1), {"c": LETTERS}
    reads, shown = [], []
    for i in range(600):
        start = int(rng.integers(0, 1100))
        letters = [OTHER[x] if rng.random() < 0.02 else x for x in LETTERS[start : start + 100]]
        reads.append(Read(f"r{i}", start, "100M", "".join(letters)))
    one = person(tmp_path, contigs, reads)
    reference = Reference(write_reference(tmp_path, contigs))

    def rows_of(records, start, end):
        shown.append(len(records) * (end - start))
        return fragment_rows(records, start, end)

    monkeypatch.setattr(recalibration, "fragment_rows", rows_of)
    for most in (10_000_000, 120_000):
        monkeypatch.setattr(recalibration, "CELLS", most)
        rates = error_rates(one.reads, reference, [("c", 0, len(LETTERS))])
        assert rates[30] == pytest.approx(0.02, rel=0.25)
        assert rates[20] == pytest.approx(0.01)
        assert shown[-1] <= most


def test_error_rates_of_a_panel_are_those_of_its_regions(tmp_path):
    """Sixty short ones of a long contig, each base once; what lies between them is not counted."""
    contigs = {"c": random_letters(400_000, 2)}
    regions = [("c", start, start + 50) for start in range(4000, 400_000, 6600)]
    reads = []
    for n, (_, start, end) in enumerate(regions):
        letters = contigs["c"][start:end]
        wrong = letters[: n % 50] + OTHER[letters[n % 50]] + letters[n % 50 + 1 :]
        reads += [Read(f"r{n}.{i}", start, "50M", letters) for i in range(7)]
        reads.append(Read(f"w{n}", start, "50M", wrong))
        between = contigs["c"][end + 3000 : end + 3050]
        reads.append(Read(f"b{n}", end + 3000, "50M", "".join(OTHER[x] for x in between)))
    one = person(tmp_path, contigs, reads)
    rates = error_rates(one.reads, Reference(write_reference(tmp_path, contigs)), regions)
    errors, bases = len(regions), len(regions) * 50 * 8
    assert rates[30] == pytest.approx((errors + 200 * 0.001) / (bases + 200))


def test_a_deep_site_keeps_its_evidence(tmp_path):
    reads = [r for k in range(40) for r in heterozygous([snp(300)], 300, n=6 + 0 * k)]
    reads = [r._replace(name=f"{r.name}.{i}") for i, r in enumerate(reads)]
    assert called(tmp_path, reads)[0][3:] == ((0, 1), (240, 240))


def test_records_without_a_sequence_are_no_witnesses(tmp_path):
    reads = heterozygous([snp(300)], 300)
    bare = [Read(f"bare{i}", 260, "100M", "", None, tags=(("XX", "Q" * 150),)) for i in range(30)]
    assert called(tmp_path, reads + bare) == called(tmp_path, reads)
