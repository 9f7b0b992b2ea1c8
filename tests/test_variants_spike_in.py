"""Variants planted in real reads: what a read becomes, and that the truth is that of the reads."""

from __future__ import annotations

import re
import struct
from functools import partial
from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.application import get_application
from bioloom.formats.sample_sheet import read_sheet
from bioloom.pipeline.check import task_mistakes
from bioloom.reads.alignments import open_reads
from bioloom.reads.records import DELETION, HARD_CLIP, INSERTION, MATCH, SOFT_CLIP
from bioloom.samples import VARIANT
from bioloom.samples.variants import FOUND
from bioloom.variants.alleles import encode, left_aligned
from bioloom.variants.candidates import Theta
from bioloom.variants.evidence import Person
from bioloom.variants.planting import plant
from bioloom.variants.recalibration import nominal
from bioloom.variants.reference import Reference
from bioloom.variants.regions import difference, inside
from bioloom.variants.spike_in import Draw, spike_in
from tests.tiny_reads import Read, inflated, write_blocks, write_reads
from tests.tiny_variants import haplotype, random_letters, read, reads_over, write_reference
from tests.toys import refused, write

LETTERS = random_letters(3000, 1)
OTHER = {"A": "G", "C": "T", "G": "A", "T": "C"}
HEADER = pysam.AlignmentHeader.from_dict({"SQ": [{"SN": "c", "LN": len(LETTERS)}]})
application = get_application("variant_calling")


def letters_of(start: int, end: int, text: str = LETTERS) -> str:
    """Letters of the contig, N beyond its ends."""
    return "".join(text[i] if 0 <= i < len(text) else "N" for i in range(start, end))


def aligned(start: int, length: int, text: str = LETTERS) -> pysam.AlignedSegment:
    """A read without an error."""
    made = pysam.AlignedSegment(HEADER)
    made.query_name, made.flag = "r", 0
    made.reference_id, made.reference_start = 0, start
    made.cigartuples = [(MATCH, length)]
    made.query_sequence = text[start : start + length]
    made.query_qualities = pysam.qualitystring_to_array("I" * length)
    made.set_tag("NM", 0)
    return made


def score_of(made: pysam.AlignedSegment, text: str) -> int:
    """By bwa's scores: 1, -4, gaps 6 and 1 a letter; an end that is not clipped gives 5."""
    pairs = made.get_aligned_pairs(matches_only=True)
    total = sum(1 if made.query_sequence[q] == text[r] else -4 for q, r in pairs)
    total -= sum(6 + n for op, n in made.cigartuples if op in (INSERTION, DELETION))
    return total + 5 * sum(made.cigartuples[i][0] != SOFT_CLIP for i in (0, -1))


def best_score(letters: str, text: str) -> int:
    """Of all alignments, the slow way: Gotoh's, with what an end that is not clipped gives."""
    n, least = len(text), -(10**6)
    best, before = least, [5] * (n + 1)  # a letter may be the first one anywhere
    deleted = [least] * (n + 1)
    inserted = [least] * (n + 1)
    for i, letter in enumerate(letters, 1):
        here, gap = [0] + [least] * n, least
        opened = [max(a, b - 6) - 1 for a, b in zip(inserted, before, strict=True)]
        for j in range(1, n + 1):
            matched = before[j - 1] + (1 if letter == text[j - 1] else -4)
            gap = max(gap, here[j - 1] - 6) - 1
            here[j] = max(0, matched, gap, opened[j])
            best = max(best, matched + 5 * (i == len(letters)))
        before, inserted, deleted = here, opened, deleted
    return best


REPEATS = random_letters(200, 4) + "A" * 12 + random_letters(30, 5) + "CA" * 9
REPEATS += random_letters(300, 6)


@st.composite
def alleles(draw, text: str) -> tuple[int, str, str]:
    start = draw(st.integers(180, 320))
    kind = draw(st.sampled_from(["snp", "deletion", "insertion"]))
    if kind == "snp":
        return start, text[start], OTHER[text[start]]
    if kind == "deletion":
        made = start, text[start : start + 1 + draw(st.integers(1, 20))], text[start]
    else:
        made = start, text[start], text[start] + draw(st.text("ACGT", min_size=1, max_size=20))
    return left_aligned(*made, encode(text))


@pytest.mark.slow
@pytest.mark.parametrize("text", [LETTERS[:600], REPEATS], ids=["random", "repeats"])
@settings(deadline=None)
@given(data=st.data())
def test_a_read_is_one_of_the_molecule_and_lies_as_bwa_would_lay_it(text, data):
    allele = data.draw(alleles(text))
    made = aligned(200, 100, text)
    start, ref, alt = allele
    is_there = plant(made, [allele], partial(letters_of, text=text))
    assert is_there == (not start + 1 <= 200 < start + len(ref))
    if not is_there:
        return
    molecule = text[:start] + alt + text[start + len(ref) :]
    assert made.query_sequence in molecule
    assert len(made.query_sequence) == len(made.query_qualities) == made.infer_query_length() == 100
    # Nothing of an allele is planted in reads that do not reach both sides of it.
    if made.to_string() != aligned(200, 100, text).to_string():
        assert score_of(made, text) == best_score(made.query_sequence, text[100:500])
        assert made.has_tag("NM") == (made.query_sequence == text[200:300])


def test_gaps_near_an_end_and_in_repeats():
    """An end that is not clipped gives as much as five letters."""
    made = aligned(200, 100)
    made.cigartuples = [(HARD_CLIP, 7), (MATCH, 100)]
    plant(made, [(296, LETTERS[296], LETTERS[296] + "TTTT")], letters_of)
    assert made.cigartuples == [(HARD_CLIP, 7), (MATCH, 97), (SOFT_CLIP, 3)]
    assert made.query_sequence == LETTERS[200:297] + "TTT"
    made = aligned(200, 100)
    plant(made, [(298, LETTERS[298], LETTERS[298] + OTHER[LETTERS[299]])], letters_of)
    assert made.cigarstring == "100M"
    made = aligned(150, 60, REPEATS)
    plant(made, [(199, REPEATS[199:201], REPEATS[199])], partial(letters_of, text=REPEATS))
    assert made.cigarstring == "60M"  # it ends in the run of A


def test_two_alleles_of_one_read():
    snp, deletion = (230, LETTERS[230], OTHER[LETTERS[230]]), (260, LETTERS[260:264], LETTERS[260])
    made = aligned(200, 100)
    plant(made, [snp, deletion], letters_of)
    molecule = LETTERS[:230] + snp[2] + LETTERS[231:261] + LETTERS[264:]
    assert made.query_sequence == molecule[200:300]
    assert made.cigarstring == "61M3D39M"


def test_a_letter_that_is_read_wrong_stays_and_no_quality_is_none():
    made = aligned(200, 100)
    wrong = LETTERS[200:230] + "N" + LETTERS[231:300]
    made.query_sequence = wrong
    plant(made, [(230, LETTERS[230], OTHER[LETTERS[230]])], letters_of)
    assert made.query_sequence == wrong
    plant(made, [(250, LETTERS[250], LETTERS[250] + "AC")], letters_of)
    assert made.query_qualities is None
    assert made.cigarstring == "50M2I48M"  # left-most


def test_a_gap_beside_a_gap_and_none_in_what_is_spliced():
    made = aligned(200, 100)
    made.cigarstring = "30M2I68M"
    made.query_sequence = LETTERS[200:230] + "TT" + LETTERS[230:298]
    assert plant(made, [(270, LETTERS[270:274], LETTERS[270])], letters_of)
    assert made.query_sequence == LETTERS[200:230] + "TT" + LETTERS[230:271] + LETTERS[274:301]
    assert made.cigarstring == "30M2I40M3D28M"
    made = aligned(200, 100)
    made.cigarstring = "50M100N50M"
    before = made.to_string()
    assert plant(made, [(220, LETTERS[220:224], LETTERS[220])], letters_of)
    assert made.to_string() == before


def test_no_read_begins_in_what_is_deleted():
    deletion = (195, LETTERS[195:211], LETTERS[195])
    assert not plant(aligned(200, 100), [deletion], letters_of)
    assert plant(aligned(211, 100), [deletion], letters_of)


def test_a_fragment_s_name_decides_evenly_and_otherwise_for_each_sample():
    draws = [[Draw.of(f"r{i}", salt) for i in range(2000)] for salt in ([1, 0, 1], [1, 0, 2])]
    for drawn in draws:
        assert np.mean([draw.share for draw in drawn]) == pytest.approx(0.5, abs=0.03)
        assert np.mean([draw.haplotype for draw in drawn]) == pytest.approx(0.5, abs=0.05)
    for field in range(2):
        one, other = (np.array([draw[field] for draw in drawn], float) for drawn in draws)
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.1


def test_a_difference_of_regions():
    regions = [("a", 0, 100), ("a", 200, 300), ("b", 5, 10)]
    others = [("a", 0, 10), ("a", 90, 210), ("c", 0, 5)]
    assert difference(regions, others) == [("a", 10, 90), ("a", 210, 300), ("b", 5, 10)]


def covered(folder: Path, edits: list[tuple[int, str, str]], depth: int = 16) -> Path:
    """Reads over all of the contig, half of them of a haplotype with edits."""
    step = 80 * 2 // depth
    reads = [
        read(f"{side}.{at}", haplotype(LETTERS, edits if side else [])[at : at + 80])
        for side in range(2)
        for at in range(0, len(LETTERS) - 80, step)
    ]
    return write_reads(folder / "x.bam", reads, {"c": len(LETTERS)})


def truth_of(folder: Path, known: list[tuple[int, str, str, str]], contig: str = "c") -> Path:
    """A VCF of heterozygous variants: place from 0, letters, FILTER."""
    head = f"##fileformat=VCFv4.3\n##contig=<ID={contig},length={len(LETTERS)}>\n"
    head += '##FILTER=<ID=q10,Description="x">\n'
    head += '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    head += "\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT me".split()) + "\n"
    lines = [f"{contig}\t{a + 1}\t.\t{r}\t{o}\t.\t{f}\t.\tGT\t0/1\n" for a, r, o, f in known]
    return write(folder / "truth.vcf", head + "".join(lines))


OPTIONS_HERE = {"depths": [None], "theta": 0.1, "theta_indel": 0.0, "seed": 1}
SPIKE_IN = {"depths": [None, 8], "theta": 0.01, "theta_indel": 0.004}


def spiked_in(folder: Path, reads: Path, said: dict | None = None, **files: Path):
    reference = write_reference(folder, {"c": LETTERS})
    options = {"sample": "me", "spike_in": SPIKE_IN | (said or {})}
    return application.ingest({"reads": reads, "reference": reference, **files}, options)


@pytest.mark.slow
def test_what_is_planted_is_found_and_where_reads_vary_anyway_nothing_is_learnt(tmp_path):
    mine = [(at, LETTERS[at], OTHER[LETTERS[at]]) for at in (700, 1500, 2222)]
    made = spiked_in(tmp_path, covered(tmp_path, mine))
    rows = made.samples
    assert {*rows[f"{VARIANT}person"]} == {"me_1", "me_2"}
    places = rows[f"{VARIANT}pos"].to_numpy() - 1
    away = [("c", at - 25, at + 25) for at, _, _ in mine]
    assert not inside(rows[f"{VARIANT}chrom"].to_numpy(), places, away).any()
    deep = rows[rows[f"{VARIANT}person"] == "me_1"]
    true = deep[deep["label"] != "0/0"]
    assert len(true) > 15
    assert {"0/1", "1/1"} == {*true["label"]}
    assert {True, False} == {*(true["site.is_indel"] > 0)}
    assert true[FOUND].mean() > 0.9
    likeliest = true[[f"likelihood.{n}" for n in ("none", "one", "two")]].to_numpy().argmax(axis=1)
    assert (likeliest == true["label"].map({"0/1": 1, "1/1": 2})).mean() > 0.8
    thin = rows[rows[f"{VARIANT}person"] == "me_2"]
    assert thin[f"{VARIANT}depth"].mean() == pytest.approx(8, abs=2)
    assert any("planted in real reads" in note for note in made.notes)
    again = spiked_in(tmp_path, tmp_path / "x.bam").samples
    assert again.equals(rows)
    other = spiked_in(tmp_path, tmp_path / "x.bam", {"seed": 2}).samples
    assert not other["sample_id"].isin(rows["sample_id"]).all()


@pytest.mark.slow
def test_a_truth_goes_into_the_new_one_and_thinning_alone_plants_nothing(tmp_path):
    mine = [(at, LETTERS[at], OTHER[LETTERS[at]]) for at in (700, 1500, 2222)]
    reads = covered(tmp_path, mine)
    # Of what does not pass nothing is known.
    passed = ["PASS", "PASS", "q10"]
    known = [(*edit, word) for edit, word in zip(mine, passed, strict=True)]
    truth = truth_of(tmp_path, known)
    none = {"depths": [8, 12], "theta": 0, "theta_indel": 0}
    rows = spiked_in(tmp_path, reads, none, truth=truth).samples
    true = rows[rows["label"] != "0/0"]
    assert sorted(true[f"{VARIANT}pos"].unique()) == [701, 1501]
    assert {"0/1"} == {*true["label"]}
    assert len(true) == 4
    both = spiked_in(tmp_path, reads, truth=truth).samples
    true = both[both["label"] != "0/0"]
    assert {701, 1501} < {*true[f"{VARIANT}pos"]}
    assert not (both[f"{VARIANT}pos"] == 2223).any()


def test_what_leaves_nothing_to_learn_is_told_with_the_user_s_file(tmp_path):
    mine = [(110, LETTERS[110], OTHER[LETTERS[110]])]
    reads = write_reads(tmp_path / "y.bam", reads_over(LETTERS, mine, 110, 9, "v"), {"c": 3000})
    bed = write(tmp_path / "sure.bed", "c\t100\t120\n")
    refused(lambda: spiked_in(tmp_path, reads, confident=bed), "Nothing is planted.*y.bam.*regions")
    far = write(tmp_path / "far.bed", "c\t2000\t2900\n")
    refused(lambda: spiked_in(tmp_path, reads, confident=far), "No read is aligned.*y.bam")
    other = truth_of(tmp_path, [(701, LETTERS[701], "A", "PASS")], contig="chrc")
    refused(lambda: spiked_in(tmp_path, reads, truth=other), "No true variant.*truth.vcf.*spelled")
    wrong = truth_of(tmp_path, [(701, OTHER[LETTERS[701]], LETTERS[701], "PASS")])
    refused(lambda: spiked_in(tmp_path, reads, truth=wrong), "REF of c:702.*truth.vcf")


def test_reads_of_a_header_without_text_and_of_odd_names_are_each_there_once(tmp_path):
    """Windows lie close, and a read reaches over two of them."""
    reads = write_reads(
        tmp_path / "x.bam",
        [Read(f"r{at}", at, "150M", LETTERS[at : at + 150]) for at in range(0, 2800, 7)],
        {"c": 3000},
    )
    raw = inflated(reads)
    size = struct.unpack("<i", raw[4:8])[0]
    write_blocks(reads, raw[:4] + struct.pack("<i", 0) + raw[8 + size :], 5000)
    person = Person("a/b(2)", open_reads(reads), nominal())
    regions = [("c", 600, 700), ("c", 1710, 1800), ("c", 2810, 2900)]
    given = Reference(write_reference(tmp_path, {"c": LETTERS})), regions, Theta(), OPTIONS_HERE
    made, _ = spike_in([person], *given, None, tmp_path)
    lanes = read_sheet(made["reads"])
    [name] = [lane.sample for lane in lanes]
    assert re.fullmatch(r"a_b_2-[0-9a-f]{8}_1", name)
    with pysam.AlignmentFile(lanes[0].bam) as found:
        names = [read.query_name for read in found]
    assert len(names) == len({*names}) > 300


def test_a_task_without_truth_may_plant_in_training_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_reads(tmp_path / "x.bam", reads_over(LETTERS, [], 300, 9, "r"), {"c": 3000})
    write_reference(tmp_path, {"c": LETTERS})
    given = {"reads": "x.bam", "reference": "reference.fa"}
    task = {"application": "variant_calling", "datasets": {"training": given}}
    assert "'truth' is missing" in "".join(task_mistakes("x", task))
    task["datasets"] = {"training": given | {"spike_in": {}}}
    assert task_mistakes("x", task) == []
    task["datasets"] = {"training": given | {"spike_in": None}}
    assert "'truth' is missing" in "".join(task_mistakes("x", task))
    task["datasets"] = {"training": given | {"spike_in": {"depth": [8]}}}
    assert "'depth'" in "".join(task_mistakes("x", task))
    task["datasets"] = {"training": given | {"spike_in": {}}, "new": given | {"spike_in": {}}}
    assert "makes labels" in "".join(task_mistakes("x", task))
    task["datasets"]["new"] = given | {"spike_in": {}, "scored": True}
    assert task_mistakes("x", task) == []


@pytest.mark.parametrize("depths", [[], ["x"], [0], [True]])
def test_depths_are_numbers_above_0(tmp_path, monkeypatch, depths):
    monkeypatch.chdir(tmp_path)
    write_reads(tmp_path / "x.bam", reads_over(LETTERS, [], 300, 9, "r"), {"c": 3000})
    write_reference(tmp_path, {"c": LETTERS})
    given = {"reads": "x.bam", "reference": "reference.fa", "spike_in": {"depths": depths}}
    task = {"application": "variant_calling", "datasets": {"training": given}}
    assert "depths`" in "".join(task_mistakes("x", task))
