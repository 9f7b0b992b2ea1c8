"""Blocks of a gVCF: every position is told once, and what no read says is not the reference."""

from __future__ import annotations

import numpy as np
import pysam
import pysam.bcftools
import pytest

from bioloom.application import get_application
from bioloom.formats.vcf import write_vcf
from bioloom.reads.alignments import open_reads
from bioloom.variants.blocks import blocks
from bioloom.variants.evidence import Person
from bioloom.variants.recalibration import nominal
from bioloom.variants.records import END, FORMAT, INFO
from bioloom.variants.reference import Reference
from tests.tiny_reads import Read, write_reads
from tests.tiny_variants import random_letters, reads_over, write_reference

LETTERS = random_letters(900, 4)
OTHER = {"A": "G", "C": "T", "G": "A", "T": "C"}


def told(folder, reads: list[Read], letters: str = LETTERS, ploidy: int = 2) -> dict[int, tuple]:
    """Position -> (GT, GQ, DP) of its block, of [100, 800); each has to be in one."""
    reference = Reference(write_reference(folder, {"c": letters}))
    file = write_reads(folder / "x.bam", reads, {"c": len(letters)})
    one = Person("me", open_reads(file), nominal(), {"c": ploidy})
    found = {}
    for block in blocks([one], reference, [("c", 100, 800)], []):
        end = int(block.info.removeprefix("END="))
        assert block.alleles == [letters[block.start], "<*>"]
        for position in range(block.start, end):
            assert position not in found
            genotype, quality, depth, *_ = block.samples[0]
            found[position] = genotype, int(quality), int(depth)
    assert sorted(found) == list(range(100, 800))
    return found


def test_quality_grows_with_depth_and_no_reads_tell_nothing(tmp_path):
    reads = reads_over(LETTERS, [], 300, 4, "few") + reads_over(LETTERS, [], 600, 30, "many")
    at = told(tmp_path, reads)
    assert at[150] == ("./.", 0, 0)
    assert at[300][0] == at[600][0] == "0/0"
    # Each fragment halves the odds of a heterozygote. No prior comes on top: GQ is the second
    # least PL, likelihoods that joint callers combine with a prior of their own.
    few, many = at[300], at[600]
    assert few[2] <= 4
    assert few[1] == round(3.01 * few[2])
    assert many[1] > 50


@pytest.mark.parametrize(("ploidy", "quality", "likelihoods"), [(2, 3, "0,3,37"), (1, 37, "0,37")])
def test_one_read_is_hardly_a_reference(tmp_path, ploidy, quality, likelihoods):
    file = write_reads(
        tmp_path / "x.bam", [Read("r", 300, "80M", LETTERS[300:380], 37)], {"c": 900}
    )
    one = Person("me", open_reads(file), nominal(), {"c": ploidy})
    reference = Reference(write_reference(tmp_path, {"c": LETTERS}))
    [block] = blocks([one], reference, [("c", 310, 370)], [])
    genotype = "/".join("0" * ploidy)
    assert block.samples == [[genotype, str(quality), "1", ".", likelihoods]]


def test_depth_is_the_least_of_the_block_as_samtools_counts(tmp_path):
    reads = reads_over(LETTERS, [], 400, 17, "r") + reads_over(LETTERS, [], 440, 9, "s")
    at = told(tmp_path, reads)
    depths = pysam.samtools.depth("-a", str(tmp_path / "x.bam")).splitlines()
    true = {int(p) - 1: int(n) for _, p, n in (line.split("\t") for line in depths)}
    assert all(depth <= true[position] for position, (_, _, depth) in at.items())
    assert max(depth for _, _, depth in at.values()) > 12


@pytest.mark.parametrize("ploidy", [1, 2])
def test_what_differs_and_is_not_called_is_not_sure(tmp_path, ploidy):
    snp = (400, LETTERS[400], OTHER[LETTERS[400]])
    reads = reads_over(LETTERS, [], 400, 8, "r") + reads_over(LETTERS, [snp], 400, 8, "a")
    at = told(tmp_path, reads, ploidy=ploidy)
    assert at[400][1] <= 30 < at[390][1]
    deletion = (400, LETTERS[400:404], LETTERS[400])
    at = told(tmp_path, reads_over(LETTERS, [deletion], 400, 12, "d"), ploidy=ploidy)
    assert at[402][1] == 0
    insertion = (400, LETTERS[400], LETTERS[400] + "GATTACA")
    at = told(tmp_path, reads_over(LETTERS, [insertion], 400, 12, "i"), ploidy=ploidy)
    assert at[400][1] == 0


def test_unknown_letters_and_reads_that_may_lie_elsewhere_tell_nothing(tmp_path):
    masked = LETTERS[:400] + "N" * 10 + LETTERS[410:]
    at = told(tmp_path, reads_over(LETTERS, [], 400, 20, "r"), masked)
    assert at[405][:2] == ("./.", 0)
    lost = [r._replace(mapping=0) for r in reads_over(LETTERS, [], 400, 20, "r")]
    assert told(tmp_path, lost)[400] == ("./.", 0, 0)


def test_a_gvcf_that_bcftools_fills_up(tmp_path):
    """Blocks and calls cover each position once; bcftools writes them out one by one."""
    snp = (400, LETTERS[400], OTHER[LETTERS[400]])
    reads = reads_over(LETTERS, [], 400, 9, "r") + reads_over(LETTERS, [snp], 400, 9, "a")
    file = write_reads(tmp_path / "x.bam", reads, {"c": len(LETTERS)})
    reference = write_reference(tmp_path, {"c": LETTERS})
    application = get_application("variant_calling")
    files, options = {"reads": file, "reference": reference}, {"sample": "me", "gvcf": True}
    samples = application.ingest(files, options).samples
    called = samples[["sample_id"]].assign(prediction="0/1", abstain="", out_of_distribution=False)
    called = called.assign(**{"p.0/0": 0.01, "p.0/1": 0.98, "p.1/1": 0.01})
    application.write(samples, called, files, tmp_path, options)
    path = str(tmp_path / "variants.vcf.gz")
    with pysam.VariantFile(path) as variants:
        records = list(variants)
        assert [r.alleles for r in variants.fetch("c", 400, 401)] == [(LETTERS[400], snp[2])]
    covered = np.zeros(len(LETTERS), int)
    for record in records:
        covered[record.start : record.stop] += 1
    assert (covered == 1).all()
    pysam.samtools.faidx(str(reference))
    filled = pysam.bcftools.convert("--gvcf2vcf", "-f", str(reference), path)
    rows = [line.split("\t") for line in filled.splitlines() if not line.startswith("#")]
    assert "".join(row[3] for row in rows) == LETTERS


def test_parts_join_without_a_gap(tmp_path):
    reference = Reference(write_reference(tmp_path, {"c": LETTERS}))
    file = write_reads(
        tmp_path / "x.bam", reads_over(LETTERS, [], 400, 9, "r"), {"c": len(LETTERS)}
    )
    one = Person("me", open_reads(file), nominal())
    halves = [("c", 0, 420), ("c", 420, 900)]
    made = [list(blocks([one], reference, [half], [])) for half in halves]
    write_vcf(
        tmp_path / "x.vcf.gz",
        [record for half in made for record in half],
        contigs={"c": 900},
        samples=["me"],
        filters={},
        info=[*INFO, END],
        format=FORMAT,
    )
    with pysam.VariantFile(str(tmp_path / "x.vcf.gz")) as variants:
        spans = [(record.start, record.stop) for record in variants]
    assert [start for start, _ in spans] == [0, *(stop for _, stop in spans[:-1])]
    assert spans[-1][1] == 900
