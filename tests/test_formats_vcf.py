"""VCF read and written: what pysam and bcftools make of it is what was meant."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pysam
import pysam.bcftools
import pytest

from bioloom.formats.vcf import (
    Called,
    Field,
    Record,
    read_calls,
    samples_of,
    unknown_places,
    write_vcf,
)
from bioloom.samples.variants import GENOTYPES
from bioloom.variants.genotypes import genotypes
from bioloom.variants.records import FILTERS, FORMAT, INFO, vcf_records
from tests.tiny_variants import evidence, person, random_letters, reads_over, write_reference
from tests.toys import refused

HEAD = """##fileformat=VCFv4.3
##contig=<ID=c,length=900>
##FILTER=<ID=LowQual,Description="low">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO	FORMAT	one	two
"""
LINES = """c	101	.	a	G	50	PASS	.	GT	0/1	0/0
c	102	.	A	G	50	LowQual	.	GT	0/1	0/1
c	103	.	A	G	.	.	.	GT	./.	1|0
c	104	.	T	G,*	7.5	PASS	.	GT	1/2	0/2
c	105	.	T	<DEL>	50	PASS	.	GT	0/1	0/0
c	106	.	T	TA	50	PASS	.	GT	1	0
"""


def test_genotypes_of_a_sample_that_pass_and_hold_an_alternative(tmp_path):
    path = tmp_path / "x.vcf"
    path.write_text(HEAD + LINES)
    assert samples_of(path) == ["one", "two"]
    one, two = read_calls(path, "one"), read_calls(path, "two")
    assert [(c.start, c.alleles, c.genotype) for c in one] == [
        (100, ("A", "G"), (0, 1)),
        (103, ("T", "G", "*"), (1, 2)),
        (105, ("T", "TA"), (1,)),
    ]
    assert one[1].quality == 7.5
    assert [(c.start, c.genotype, c.phased) for c in two] == [
        (102, (1, 0), True),
        (103, (0, 2), False),
    ]
    assert np.isnan(two[0].quality)


def test_places_of_which_nothing_is_told(tmp_path):
    path = tmp_path / "x.vcf"
    path.write_text(HEAD + LINES + "c\t201\t.\tTAC\tT\t50\tPASS\t.\tGT\t./1\t0/0\n")
    told = [(start, end) for _, start, end in unknown_places(path, "one")]
    assert told == [(101, 102), (102, 103), (104, 105), (200, 203)]
    assert [start for _, start, _ in unknown_places(path, "two")] == [101]


def test_what_is_no_vcf_or_lacks_the_sample_is_refused(tmp_path):
    path = tmp_path / "x.vcf"
    path.write_text(HEAD + LINES)
    refused(lambda: read_calls(path), "Which sample.*one, two")
    refused(lambda: read_calls(path, "three"), "No sample 'three'.*one, two")
    path.write_text(">c\nACGT\n")
    refused(lambda: read_calls(path), "no sound VCF")


def test_a_vcf_that_is_cut_is_told_by_row(tmp_path):
    path, text = tmp_path / "x.vcf", HEAD + LINES
    path.write_text(text.rpartition("\t")[0].rpartition("\t")[0] + "\n")
    message = refused(lambda: read_calls(path, "one"), "The header names 11 columns, here are 9")
    assert f"row {text.count(chr(10))}" in message
    packed = tmp_path / "x.vcf.gz"
    packed.write_bytes(gzip.compress(text.encode() * 50)[:-40])
    refused(lambda: read_calls(packed, "one"), "truncated or damaged")


def test_records_are_sorted_in_the_order_of_contigs_and_read_back(tmp_path):
    path = tmp_path / "x.vcf.gz"
    records = [
        Record("chr10", 4, ["A", "G"], 3.0, [], ".", [["0/1"]]),
        Record("chr2", 9, ["A", "G", "T"], None, ["Unsure"], ".", [["1/2"]]),
        Record("chr2", 3, ["AC", "A"], 3.0, [], ".", [["1/1"]]),
    ]
    write_vcf(
        path,
        records,
        contigs={"chr2": 20, "chr10": 600_000_000},
        samples=["S 1"],
        filters=FILTERS,
        info=[],
        format=[Field("GT", "1", "String", "Genotype")],
    )
    assert (tmp_path / "x.vcf.gz.csi").exists()
    with pysam.VariantFile(str(path)) as variants:
        assert [(v.chrom, v.pos) for v in variants] == [("chr2", 4), ("chr2", 10), ("chr10", 5)]
    assert read_calls(path) == [
        Called("chr2", 3, ("AC", "A"), (1, 1), False, 3.0),
        Called("chr10", 4, ("A", "G"), (0, 1), False, 3.0),
    ]


LETTERS = random_letters(1000, 3)


def sure_predictions(rows: pd.DataFrame) -> pd.DataFrame:
    """What the likelihood alone says."""
    logs = rows[["likelihood.none", "likelihood.one", "likelihood.two"]].to_numpy()
    p = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    table = pd.DataFrame(p, columns=[f"p.{name}" for name in GENOTYPES])
    called = np.array(GENOTYPES)[p.argmax(axis=1)]
    return table.assign(
        sample_id=rows["sample_id"].to_numpy(),
        prediction=called,
        abstain="",
        out_of_distribution=False,
    )


@pytest.fixture
def written(tmp_path) -> pysam.VariantFile:
    """Two samples of one diploid contig and one haploid: called, written, and opened again."""
    contigs = {"c": LETTERS, "plas": LETTERS}
    ref = LETTERS[300]
    one, other = [base for base in "ACGT" if base != ref][:2]
    both = [
        *reads_over(LETTERS, [(300, ref, one)], 300, 9, "a"),
        *reads_over(LETTERS, [(300, ref, other)], 300, 9, "b"),
        *reads_over(LETTERS, [(600, LETTERS[600:603], LETTERS[600])], 600, 12, "d"),
    ]
    single = reads_over(LETTERS, [(300, ref, one)], 300, 12, "p", contig=1)
    minor = (600, LETTERS[600], next(base for base in "ACGT" if base != LETTERS[600]))
    for edits, n in (([], 12), ([minor], 6)):
        single += reads_over(LETTERS, edits, 600, n, f"m{n}.", contig=1)
    plain = reads_over(LETTERS, [], 300, 12, "r")
    ploidy = {"plas": 1}
    people = [
        person(tmp_path, contigs, both + single, "S 1", ploidy=ploidy),
        person(tmp_path, contigs, plain, "S2", ploidy=ploidy),
    ]
    rows = evidence(tmp_path, contigs, people)
    rows["sample_id"] = [str(i) for i in range(len(rows))]
    path = tmp_path / "calls.vcf.gz"
    write_vcf(
        path,
        vcf_records(rows, sure_predictions(rows), ["S 1", "S2"]),
        contigs={name: len(letters) for name, letters in contigs.items()},
        samples=["S 1", "S2"],
        filters=FILTERS,
        info=INFO,
        format=FORMAT,
    )
    return pysam.VariantFile(str(path))


def test_one_record_a_site_with_all_samples_whose_fields_agree(written):
    records = list(written)
    places = [("c", 301), ("c", 601), ("plas", 301), ("plas", 601)]
    assert [(r.chrom, r.pos) for r in records] == places
    first, deletion, haploid, mixed = ([r.samples[n] for n in ("S 1", "S2")] for r in records)
    assert records[3].filter.keys() == ["Mixed"]
    assert (mixed[0]["GT"], mixed[0]["AD"]) == ((0,), (12, 6))
    assert first[0]["GT"] == (1, 2)
    assert first[0]["AD"] == (0, 9, 9)
    assert len(first[0]["PL"]) == 6
    assert first[1]["GT"] == (0, 0)
    assert deletion[0]["GT"] == (1, 1)
    # No read of the second sample reaches it: that is not the reference.
    assert deletion[1]["GT"] == (None, None)
    assert (deletion[1]["GQ"], deletion[1]["DP"]) == (0, 0)
    assert [(r.info["AC"], r.info["AN"]) for r in records[:3]] == [
        ((1, 1), 4),
        ((2,), 2),
        ((1,), 1),
    ]
    assert haploid[0]["GT"] == (1,)
    assert len(haploid[0]["PL"]) == 2
    for record in records:
        for sample in record.samples.values():
            if None not in sample["GT"]:
                place = genotypes(len(record.alleles), len(sample["GT"])).index(
                    tuple(sorted(sample["GT"]))
                )
                assert sample["PL"][place] == 0
                assert sum(sample["AD"]) <= sample["DP"]


@pytest.mark.parametrize(("copies", "missing"), [(2, (None, None)), (1, (None,))])
def test_reads_that_may_lie_anywhere_are_no_reference(tmp_path, copies, missing):
    contigs, ploidy = {"c": LETTERS}, {"c": copies}
    other = next(base for base in "ACGT" if base != LETTERS[300])
    edits = [(300, LETTERS[300], other)]
    reads = [reads_over(LETTERS, edits, 300, n, "r", mapping=q) for n, q in ((9, 60), (3, 0))]
    names = ["full", "hole"]
    people = [
        person(tmp_path, contigs, own, name, ploidy=ploidy)
        for own, name in zip(reads, names, strict=True)
    ]
    rows = evidence(tmp_path, contigs, people)
    rows["sample_id"] = [str(i) for i in range(len(rows))]
    path = tmp_path / "calls.vcf.gz"
    write_vcf(
        path,
        vcf_records(rows, sure_predictions(rows), names),
        contigs={"c": len(LETTERS)},
        samples=names,
        filters=FILTERS,
        info=INFO,
        format=FORMAT,
    )
    with pysam.VariantFile(str(path)) as variants:
        [record] = variants
    assert record.samples["full"]["GT"] == (1,) * copies
    hole = record.samples["hole"]
    assert (hole["GT"], hole["GQ"], hole["DP"], hole["AD"]) == (missing, 0, 3, (0, 0))


def test_bcftools_reads_it_and_leaves_it_as_it_is(written, tmp_path):
    fasta = write_reference(tmp_path, {"c": LETTERS, "plas": LETTERS})
    path = written.filename.decode()
    normal = pysam.bcftools.norm("-f", str(fasta), "-c", "e", path)
    lines = [line for line in normal.splitlines() if not line.startswith("#")]
    assert lines == [str(record).rstrip("\n") for record in written]


def test_probabilities_of_a_site_of_one_alternative_are_the_model_s(tmp_path):
    """GQ and PL are what predictions.csv says, however sure the likelihood was."""
    contigs = {"c": LETTERS}
    edit = (300, LETTERS[300], next(base for base in "ACGT" if base != LETTERS[300]))
    reads = reads_over(LETTERS, [], 300, 30, "r") + reads_over(LETTERS, [edit], 300, 30, "a")
    (tmp_path / "deep").mkdir()
    rows = evidence(tmp_path / "deep", contigs, [person(tmp_path / "deep", contigs, reads)])
    rows["sample_id"] = [str(i) for i in range(len(rows))]
    said = sure_predictions(rows)
    said[[f"p.{name}" for name in GENOTYPES]] = [0.01, 0.97, 0.02]
    [record] = vcf_records(rows, said, ["x"])
    genotype, quality, _, _, likelihoods = record.samples[0]
    assert (genotype, quality) == ("0/1", "15")
    assert likelihoods == "20,0,17"
    assert record.quality == pytest.approx(20, abs=0.01)


def records_of(tmp_path, reads, **predicted: str) -> list[Record]:
    """The records of samples with these reads, of some of which a genotype is predicted."""
    contigs = {"c": LETTERS}
    people = [person(tmp_path, contigs, own, name) for name, own in reads.items()]
    rows = evidence(tmp_path, contigs, people)
    rows["sample_id"] = [str(i) for i in range(len(rows))]
    said = sure_predictions(rows)
    for name, genotype in predicted.items():
        mine = (rows["variant.person"] == name).to_numpy()
        said.loc[mine, "prediction"] = genotype
        said.loc[mine, [f"p.{g}" for g in GENOTYPES]] = np.eye(3)[GENOTYPES.index(genotype)]
    return list(vcf_records(rows, said, list(reads)))


def told(tmp_path, reads, **predicted: str) -> dict[str, list[str]]:
    """GT, GQ, DP, AD and PL of samples with these reads at their first site."""
    return dict(zip(reads, records_of(tmp_path, reads, **predicted)[0].samples, strict=True))


EDIT = (300, LETTERS[300], next(base for base in "ACGT" if base != LETTERS[300]))


@pytest.mark.parametrize("n", [5, 10, 40])
def test_two_alternatives_of_a_model_that_is_less_sure_than_the_reads(tmp_path, n):
    """That either has one copy speaks for both, and for no two copies of one."""
    other = 300, EDIT[1], next(base for base in "ACGT" if base not in EDIT[1:])
    reads = reads_over(LETTERS, [EDIT], 300, n, "a") + reads_over(LETTERS, [other], 300, n, "b")
    rows = evidence(tmp_path, {"c": LETTERS}, [person(tmp_path, {"c": LETTERS}, reads)])
    rows["sample_id"] = [str(i) for i in range(len(rows))]
    said = sure_predictions(rows).assign(prediction="0/1")
    said[[f"p.{name}" for name in GENOTYPES]] = [1e-4, 0.9996, 3e-4]
    [record] = vcf_records(rows, said, ["x"])
    genotype, quality, _, depths, likelihoods = record.samples[0]
    assert (genotype, depths) == ("1/2", f"0,{n},{n}")
    assert int(quality) >= 30
    assert sorted(map(int, likelihoods.split(",")))[:1] == [0]
    assert likelihoods.split(",")[4] == "0"


@pytest.mark.parametrize(("n", "quality"), [(1, 3), (3, 9), (12, 36)])
def test_of_a_reference_quality_and_likelihoods_hold_no_prior(tmp_path, n, quality):
    reads = {
        "varies": reads_over(LETTERS, [EDIT], 300, 20, "a"),
        "like": reads_over(LETTERS, [], 300, n, "r"),
    }
    genotype, phred, depth, depths, likelihoods = told(tmp_path, reads)["like"]
    assert (genotype, depth, depths) == ("0/0", str(n), f"{n},0")
    assert int(phred) == pytest.approx(quality, abs=1)
    assert sorted(map(int, likelihoods.split(",")))[:2] == [0, int(phred)]


def test_a_genotype_that_the_reads_speak_against_is_not_told(tmp_path):
    """An alternative that no fragment has, and a reference of which a variant is likelier."""
    alike, other = reads_over(LETTERS, [], 300, 12, "r"), reads_over(LETTERS, [EDIT], 300, 12, "a")
    reads = {"varies": other, "alike": alike, "mixed": alike[::2] + other[::4]}
    found = told(tmp_path, reads, alike="0/1", mixed="0/0")
    assert found["varies"][0] == "1/1"
    assert found["alike"][:4] == ["./.", "0", "12", "12,0"]
    assert found["mixed"][:2] == ["./.", "0"]
    assert found["mixed"][4].split(",")[1] == "0"


def test_alleles_of_genotypes_that_are_not_told_are_left_out(tmp_path):
    """An allele that nobody has was a record of QUAL 20 without a FILTER."""
    other = 300, EDIT[1], next(base for base in "ACGT" if base not in EDIT[1:])
    alike, hidden, varies = (
        reads_over(LETTERS, edits, 300, 12, "r") for edits in ([], [other], [EDIT])
    )
    reads = {"alike": alike, "hidden": hidden}
    assert not records_of(tmp_path, reads, alike="0/1", hidden="0/0")
    reads["varies"] = varies
    [record] = records_of(tmp_path, reads, alike="0/1", hidden="0/0")
    assert (record.alleles, record.info) == ([*EDIT[1:]], "AC=2;AN=2")
    assert [values[:2] for values in record.samples[:2]] == [["./.", "0"]] * 2
