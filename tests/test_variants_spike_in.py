"""Variants planted in real reads: what a read becomes, and that the truth is that of the reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioloom.application import get_application
from bioloom.pipeline.check import task_mistakes
from bioloom.reads.records import DELETION, HARD_CLIP, INSERTION, MATCH, SOFT_CLIP
from bioloom.samples import VARIANT
from bioloom.samples.variants import FOUND
from bioloom.variants.planting import LEAST, plant
from bioloom.variants.regions import difference, inside
from bioloom.variants.spike_in import Draw
from tests.tiny_reads import write_reads
from tests.tiny_variants import haplotype, random_letters, read, reads_over, write_reference
from tests.toys import refused, write

LETTERS = random_letters(3000, 1)
OTHER = {"A": "G", "C": "T", "G": "A", "T": "C"}
HEADER = pysam.AlignmentHeader.from_dict({"SQ": [{"SN": "c", "LN": len(LETTERS)}]})
application = get_application("variant_calling")


def aligned(start: int, length: int, *, reverse: bool = False) -> pysam.AlignedSegment:
    """A read without an error."""
    made = pysam.AlignedSegment(HEADER)
    made.query_name, made.flag = "r", 16 if reverse else 0
    made.reference_id, made.reference_start = 0, start
    made.cigartuples = [(MATCH, length)]
    made.query_sequence = LETTERS[start : start + length]
    made.query_qualities = pysam.qualitystring_to_array("I" * length)
    made.set_tag("NM", 0)
    return made


@st.composite
def alleles(draw) -> tuple[int, str, str]:
    start = draw(st.integers(180, 320))
    kind = draw(st.sampled_from(["snp", "deletion", "insertion"]))
    if kind == "snp":
        return start, LETTERS[start], OTHER[LETTERS[start]]
    if kind == "deletion":
        return start, LETTERS[start : start + 1 + draw(st.integers(1, 12))], LETTERS[start]
    return start, LETTERS[start], LETTERS[start] + draw(st.text("ACGT", min_size=1, max_size=12))


@given(alleles(), st.booleans())
def test_a_read_is_one_of_the_molecule_with_the_allele(allele, reverse):
    made = aligned(200, 100, reverse=reverse)
    plant(made, [allele])
    molecule = haplotype(LETTERS, [allele])
    letters = "".join(letter for letter, _ in molecule)
    assert made.query_sequence in letters
    assert len(made.query_sequence) == len(made.query_qualities) == made.infer_query_length()
    assert len(made.query_sequence) <= 100
    at = letters.index(made.query_sequence)
    placed = [position for _, position in molecule[at:]]
    start, ref, alt = allele
    for query, position in made.get_aligned_pairs(matches_only=True):
        # A letter that is inserted in the middle of a read is not aligned.
        assert placed[query] == position, (made.cigarstring, allele)
    operations = {operation for operation, _ in made.cigartuples}
    if start + LEAST < 300 - len(ref) - len(alt) and start >= 200 + LEAST + len(alt):
        assert operations == {
            len(ref) > 1: {MATCH, DELETION},
            len(alt) > 1: {MATCH, INSERTION},
        }.get(True, {MATCH})
    assert made.has_tag("NM") == (start not in range(200 - len(ref) + 1, 300) or not changes(made))


def changes(made: pysam.AlignedSegment) -> bool:
    return made.query_sequence != LETTERS[200:300] or made.cigarstring != "100M"


def test_what_is_near_an_end_is_clipped_and_hard_clips_stay():
    made = aligned(200, 100)
    made.cigartuples = [(HARD_CLIP, 7), (MATCH, 100)]
    plant(made, [(296, LETTERS[296], LETTERS[296] + "TTTT")])
    assert made.cigartuples == [(HARD_CLIP, 7), (MATCH, 97), (SOFT_CLIP, 3)]
    assert made.query_sequence == LETTERS[200:297] + "TTT"
    made = aligned(200, 100)
    plant(made, [(202, LETTERS[202:206], LETTERS[202])])
    assert (made.reference_start, made.cigarstring) == (206, "3S94M")


def test_reads_with_a_gap_there_or_an_intron_are_left_as_they_are():
    for cigar in ([(MATCH, 50), (DELETION, 2), (MATCH, 50)], [(MATCH, 50), (3, 100), (MATCH, 50)]):
        made = aligned(200, 100)
        made.cigartuples = cigar
        before = made.to_string()
        plant(made, [(249, LETTERS[249:253], LETTERS[249])])
        assert made.to_string() == before


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
    head = f"##fileformat=VCFv4.3\n##contig=<ID=c,length={len(LETTERS)}>\n"
    head += '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    head += "\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT me".split()) + "\n"
    lines = [f"c\t{at + 1}\t.\t{ref}\t{alt}\t.\tPASS\t.\tGT\t0/1\n" for at, ref, alt in mine]
    # Of what does not pass nothing is known.
    lines[2] = lines[2].replace("PASS", "q10").replace("VCFv4.3\n", "VCFv4.3\n")
    head = head.replace("##contig", '##FILTER=<ID=q10,Description="x">\n##contig')
    truth = write(tmp_path / "truth.vcf", head + "".join(lines))
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


def test_reads_that_vary_everywhere_have_no_place(tmp_path):
    reads = write_reads(tmp_path / "x.bam", reads_over(LETTERS, [], 300, 9, "r"), {"c": 3000})
    bed = write(tmp_path / "sure.bed", "c\t100\t120\n")
    mine = [(110, LETTERS[110], OTHER[LETTERS[110]])]
    varying = reads_over(LETTERS, mine, 110, 9, "v")
    reads = write_reads(tmp_path / "y.bam", varying, {"c": 3000})
    refused(lambda: spiked_in(tmp_path, reads, confident=bed), "no place to plant", "y.bam")


def test_a_task_without_truth_may_plant_in_training_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_reads(tmp_path / "x.bam", reads_over(LETTERS, [], 300, 9, "r"), {"c": 3000})
    write_reference(tmp_path, {"c": LETTERS})
    given = {"reads": "x.bam", "reference": "reference.fa"}
    task = {"application": "variant_calling", "datasets": {"training": given}}
    assert "'truth' is missing" in "".join(task_mistakes("x", task))
    task["datasets"] = {"training": given | {"spike_in": {}}}
    assert task_mistakes("x", task) == []
    task["datasets"] = {"training": given | {"spike_in": {"depth": [8]}}}
    assert "'depth'" in "".join(task_mistakes("x", task))
    task["datasets"] = {"training": given | {"spike_in": {}}, "new": given | {"spike_in": {}}}
    assert "for `training` alone" in "".join(task_mistakes("x", task))


@pytest.mark.parametrize("depths", [[], ["x"], [0], [True]])
def test_depths_are_numbers_above_0(tmp_path, depths):
    refused(
        lambda: spiked_in(tmp_path, covered(tmp_path, []), {"depths": depths}), "numbers above 0"
    )
