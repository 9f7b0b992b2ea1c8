"""variant_calling: from reads of one or several samples to a VCF, and what it refuses."""

from __future__ import annotations

import re
from hashlib import md5
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest
import yaml

from bioloom.application import get_application
from bioloom.features.extract import extract_features
from bioloom.fitted import Fitted
from bioloom.formats.vcf import Called, read_calls
from bioloom.pipeline.check import task_mistakes
from bioloom.predictions.predict import predict
from bioloom.privacy.actions import KEY
from bioloom.samples import VARIANT
from bioloom.samples.variants import FOUND, PEER, PRIOR
from bioloom.variants.compare import compare
from bioloom.variants.evidence import Person
from bioloom.variants.labels import label_rows
from bioloom.variants.reference import Reference
from bioloom.variants.simulate import OPTIONS, simulate_sample
from bioloom.variants.truth import read_truth
from tests.tiny_models import spliceai_wheel
from tests.tiny_project import ROOT, Project
from tests.tiny_reads import Read, write_reads
from tests.tiny_variants import evidence, person, random_letters, reads_over, write_reference
from tests.toys import refused, write

LETTERS = random_letters(1200, 1)
OTHER = {"A": "G", "C": "T", "G": "A", "T": "C"}
application = get_application("variant_calling")


def snp(at: int) -> tuple[int, str, str]:
    return at, LETTERS[at], OTHER[LETTERS[at]]


def tagged(reads: list[Read], group: str | None) -> list[Read]:
    tags = (("RG", group),) if group else ()
    return [r._replace(tags=tags, name=f"{group}.{r.name}") for r in reads]


def grouped(path: Path, reads: list[Read], groups: dict[str, str]) -> Path:
    """A BAM with read groups, ID -> SM."""
    write_reads(path, reads, {"c": len(LETTERS)})
    header = path.with_suffix(".sam")
    lines = [f"@RG\tID:{name}\tSM:{sample}\n" for name, sample in groups.items()]
    header.write_text(
        f"@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:c\tLN:{len(LETTERS)}\n" + "".join(lines)
    )
    pysam.samtools.reheader(str(header), str(path), catch_stdout=False, save_stdout=str(path) + "2")
    Path(str(path) + "2").rename(path)
    return path


def ingest(folder: Path, reads: Path, options: dict | None = None, **files: Path) -> pd.DataFrame:
    reference = write_reference(folder, {"c": LETTERS})
    given = {"reads": reads, "reference": reference, **files}
    return application.ingest(given, options or {}).samples


GROUPS = {"fc1.L1": "S 1", "fc1.L2": "S 1", "fc1.L3": "S2"}


def two_samples() -> list[Read]:
    het = reads_over(LETTERS, [], 300, 6, "r") + reads_over(LETTERS, [snp(300)], 300, 6, "a")
    plain = reads_over(LETTERS, [], 300, 12, "p")
    return tagged(het[::2], "fc1.L1") + tagged(het[1::2], "fc1.L2") + tagged(plain, "fc1.L3")


@pytest.mark.slow
def test_samples_of_one_file_are_told_apart_by_their_groups(tmp_path):
    rows = ingest(tmp_path, grouped(tmp_path / "x.bam", two_samples(), GROUPS))
    by_name = rows[rows[f"{VARIANT}pos"] == 301].set_index(f"{VARIANT}person")
    assert set(by_name.index) == {"S 1", "S2"}
    assert by_name.loc["S 1", f"{VARIANT}depths"].tolist() == [6, 6]
    assert by_name.loc["S2", f"{VARIANT}depths"].tolist() == [12, 0]


@pytest.mark.parametrize(("group", "what"), [(None, "no read group"), ("fc9", "an unknown")])
def test_reads_of_nobody_are_no_sample_s(tmp_path, group, what):
    lost = tagged(reads_over(LETTERS, [snp(300)], 300, 1, "lost"), group)
    path = grouped(tmp_path / "x.bam", two_samples() + lost, GROUPS)
    refused(lambda: ingest(tmp_path, path), f"lost300.0 names {what}.*several samples")


def test_a_group_without_a_sample_is_of_nobody(tmp_path):
    path = grouped(tmp_path / "x.bam", two_samples(), GROUPS | {"fc1.L2": ""})
    refused(lambda: ingest(tmp_path, path), "names a read group without a sample")


def test_names_of_groups_may_be_of_any_letters(tmp_path):
    """SAM: the header is UTF-8."""
    named = [("fc1.ü", reads_over(LETTERS, [], 300, 9, "r")), ("fc2", two_samples()[:6])]
    reads = [one for group, some in named for one in tagged(some, None)]
    tags = [group for group, some in named for _ in some]
    reads = [r._replace(tags=(("RG", tag),)) for r, tag in zip(reads, tags, strict=True)]
    path = grouped(tmp_path / "x.bam", reads, {"fc1.ü": "Jürgen", "fc2": "S2"})
    assert set(ingest(tmp_path, path)[f"{VARIANT}person"]) == {"Jürgen", "S2"}


def test_without_groups_the_name_is_asked_for(tmp_path):
    path = write_reads(
        tmp_path / "x.bam", reads_over(LETTERS, [snp(300)], 300, 8, "a"), {"c": 1200}
    )
    refused(lambda: ingest(tmp_path, path), "name no sample.*`sample: <name>`")
    assert set(ingest(tmp_path, path, {"sample": "me"})[f"{VARIANT}person"]) == {"me"}


def test_the_name_of_a_sheet_wins_with_a_word(tmp_path):
    path = grouped(tmp_path / "x.bam", tagged(two_samples(), "g"), {"g": "sample"})
    sheet = write(tmp_path / "sheet.csv", f"sample,bam\n007,{path}\n")
    reference = write_reference(tmp_path, {"c": LETTERS})
    made = application.ingest({"reads": sheet, "reference": reference}, {})
    assert set(made.samples[f"{VARIANT}person"]) == {"007"}
    assert any("007 is called sample in" in note for note in made.notes)
    refused(
        lambda: ingest(
            tmp_path, grouped(tmp_path / "y.bam", two_samples(), GROUPS), {"sample": "S3"}
        ),
        "samples S 1, S2",
    )


@pytest.mark.slow
def test_a_name_of_a_person_in_a_header_is_in_no_result(tmp_path, monkeypatch):
    reads = tagged(reads_over(LETTERS, [snp(300)], 300, 12, "a"), "g")
    path = grouped(tmp_path / "x.bam", reads, {"g": "PLACEHOLDER^JANE"})
    message = refused(lambda: ingest(tmp_path, path), "Names of samples may identify persons")
    assert "JANE" not in message
    monkeypatch.setenv(KEY, "k" * 32)
    options = {"privacy": {"sample": "pseudonym"}}
    files = {"reads": path, "reference": tmp_path / "reference.fa"}
    told = truth(tmp_path, [line(snp(300), "1/1")], "PLACEHOLDER^JANE")
    made = application.ingest(files | {"truth": told}, options)
    assert made.samples[f"{VARIANT}person"].str.fullmatch("p[0-9a-f]{16}").all()
    assert made.samples["label"].tolist() == ["1/1"]
    assert "JANE" not in f"{made.samples.to_csv()}{made.notes}"
    application.write(made.samples.iloc[:0], pd.DataFrame(), files, tmp_path, options)
    with pysam.VariantFile(str(tmp_path / "variants.vcf.gz")) as variants:
        assert [*variants.header.samples] == made.samples[f"{VARIANT}person"].unique().tolist()
    # A sheet names the sample; what the header calls it is not told either.
    sheet = write(tmp_path / "sheet.csv", f"sample,bam\n007,{path}\n")
    made = application.ingest(files | {"reads": sheet}, {})
    assert any("007 is called a name not shown in" in note for note in made.notes)


def truth(folder: Path, lines: list[str], name: str = "me") -> Path:
    head = "##fileformat=VCFv4.3\n##contig=<ID=c,length=1200>\n"
    head += '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    columns = "\t".join("#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split() + [name])
    return write(folder / "truth.vcf", head + columns + "\n" + "\n".join(lines) + "\n")


def line(edit: tuple[int, str, str], genotype: str) -> str:
    start, ref, alt = edit
    return f"c\t{start + 1}\t.\t{ref}\t{alt}\t.\tPASS\t.\tGT\t{genotype}"


def test_labels_are_copies_and_what_is_missed_is_a_row(tmp_path):
    reads = reads_over(LETTERS, [], 300, 7, "r") + reads_over(LETTERS, [snp(300)], 300, 7, "a")
    reads += reads_over(LETTERS, [snp(700)], 700, 9, "b")
    path = write_reads(tmp_path / "x.bam", reads, {"c": 1200})
    true = truth(tmp_path, [line(snp(300), "0/1"), line(snp(700), "1|1"), line(snp(1000), "0/1")])
    rows = ingest(tmp_path, path, {"sample": "me"}, truth=true).set_index(f"{VARIANT}pos")
    assert rows["label"].to_dict() == {301: "0/1", 701: "1/1", 1001: "0/1"}
    assert rows[FOUND].to_dict() == {301: True, 701: True, 1001: False}
    assert rows["sample_weight"].tolist() == [1, 1, 0]
    assert rows[f"{PEER}.two"].idxmax() == 701
    assert rows[f"{PEER}.none"].loc[1001] == 0


def test_a_vcf_of_one_sample_is_of_whom_it_is_given_for_in_a_folder_too(tmp_path):
    path = write_reads(
        tmp_path / "x.bam", reads_over(LETTERS, [snp(300)], 300, 9, "a"), {"c": 1200}
    )
    (tmp_path / "truths").mkdir()
    file = truth(tmp_path, [line(snp(300), "1/1")], "HG001").rename(tmp_path / "truths/me.vcf.gz")
    given = {"reads": path, "reference": write_reference(tmp_path, {"c": LETTERS})}
    made = application.ingest(given | {"truth": file.parent}, {"sample": "me"})
    assert made.samples["label"].tolist() == ["1/1"]
    assert "The truth of HG001 is taken for me" in made.notes
    [peer] = [note for note in made.notes if note.startswith("bcftools: ")]
    assert re.search(r"\d mpileup .* -q 1 .*BAQ.* call -m .*--ploidy-file.* norm", peer)


def test_scored_samples_of_which_all_is_found_are_written_in_whole_numbers(tmp_path):
    """Two samples with a truth each: at each site one of them has no read."""
    (tmp_path / "truths").mkdir()
    lanes = ["sample,bam"]
    for name, at in {"one": 300, "two": 700}.items():
        reads = reads_over(LETTERS, [snp(at)], at, 9, "a")
        lanes.append(f"{name},{write_reads(tmp_path / f'{name}.bam', reads, {'c': 1200})}")
        truth(tmp_path, [line(snp(at), "1/1")], name).rename(tmp_path / f"truths/{name}.vcf.gz")
    sheet = write(tmp_path / "sheet.csv", "\n".join(lanes) + "\n")
    files = {"reads": sheet, "reference": write_reference(tmp_path, {"c": LETTERS})}
    given = files | {"truth": tmp_path / "truths"}
    rows = application.ingest(given, {"scored": True}).samples
    assert all(rows[f"{VARIANT}{name}"].dtype == int for name in ("pos", "ploidy", "depth"))
    assert rows["sample_id"].str.contains(":301:", regex=False).any()
    probabilities = np.exp(rows[[f"{PRIOR}.{n}" for n in ("none", "one", "two")]].to_numpy())
    named = dict(zip((f"p.{g}" for g in ("0/0", "0/1", "1/1")), probabilities.T, strict=True))
    best = np.array(["0/0", "0/1", "1/1"])[probabilities.argmax(axis=1)]
    said = {"prediction": best, "abstain": "", "out_of_distribution": False} | named
    predictions = pd.DataFrame({"sample_id": rows["sample_id"]} | said)
    application.write(rows, predictions, given, tmp_path, {})
    with pysam.VariantFile(str(tmp_path / "variants.vcf.gz")) as variants:
        found = {r.pos: [dict(one)["GT"] for one in r.samples.values()] for r in variants}
    assert found == {301: [(1, 1), (None, None)], 701: [(None, None), (1, 1)]}


def test_each_sample_has_confident_regions_of_its_own(tmp_path):
    for name in ("truths", "sure"):
        (tmp_path / name).mkdir()
    lanes = ["sample,bam"]
    for name, region in {"one": (200, 400), "two": (600, 800)}.items():
        reads = [r for at in (300, 700) for r in reads_over(LETTERS, [snp(at)], at, 9, "a")]
        lanes.append(f"{name},{write_reads(tmp_path / f'{name}.bam', reads, {'c': 1200})}")
        true = truth(tmp_path, [line(snp(at), "1/1") for at in (300, 700)], name)
        true.rename(tmp_path / f"truths/{name}.vcf.gz")
        write(tmp_path / f"sure/{name}.bed", "c\t{}\t{}\n".format(*region))
    sheet = write(tmp_path / "sheet.csv", "\n".join(lanes) + "\n")
    given = {"truth": tmp_path / "truths", "confident": tmp_path / "sure"}
    rows = ingest(tmp_path, sheet, **given)
    assert rows[[f"{VARIANT}person", f"{VARIANT}pos"]].values.tolist() == [
        ["one", 301],
        ["two", 701],
    ]
    (tmp_path / "sure/two.bed").unlink()
    refused(lambda: ingest(tmp_path, sheet, **given), "no such file.*/sure")


@pytest.mark.slow
@pytest.mark.parametrize("letter", ["R", LETTERS[500]])
def test_cram_has_the_calls_of_bam(tmp_path, letter):
    """An ambiguous letter is reduced for bcftools, and only contigs with regions are given it."""
    contigs = {"d": LETTERS[::-1], "c": LETTERS[:500] + letter + LETTERS[501:]}
    reference = write_reference(tmp_path, contigs)
    reads = [r for at in (300, 700) for r in reads_over(LETTERS, [snp(at)], at, 9, "a")]
    reads = [r._replace(contig=1) for r in reads] + reads_over(LETTERS[::-1], [], 600, 9, "d")
    sums = {name: md5(text.encode()).hexdigest() for name, text in contigs.items()}
    sq = [{"SN": name, "LN": 1200, "M5": m5} for name, m5 in sums.items()]
    bam = write_reads(tmp_path / "x.bam", reads, {}, sq=sq)
    given = {"reference_filename": str(reference), "format_options": [b"multi_seq_per_slice=0"]}
    cram = write_reads(tmp_path / "x.cram", reads, {}, sq=sq, **given)
    # Not where the header of the CRAM names it, from where htslib would take it.
    reference = reference.rename(tmp_path / "genome.fa")
    true = truth(tmp_path, [line(snp(300), "1/1"), line(snp(700), "1/1")])
    bed = write(tmp_path / "regions.bed", "c\t0\t1200\n")
    files = {"reference": reference, "truth": true, "regions": bed}
    rows = [
        application.ingest(files | {"reads": path}, {"sample": "me"}).samples
        for path in (bam, cram)
    ]
    pd.testing.assert_frame_equal(*rows)
    assert rows[1][f"{PEER}.two"].gt(-1).tolist() == [True, True]
    sure = {"confident": write(tmp_path / "sure.bed", "d\t0\t9\n")}
    for path in (bam, cram):
        given = files | sure | {"reads": path}
        refused(lambda given=given: application.ingest(given, {"sample": "me"}), "No true variant")


def test_what_is_true_outside_the_regions_makes_no_row(tmp_path):
    """Of a genome's truth a panel would look up each allele, to drop it later."""
    contigs = {"c": LETTERS}
    reads = reads_over(LETTERS, [snp(300)], 300, 9, "a") + reads_over(LETTERS, [], 600, 9, "b")
    one = person(tmp_path, contigs, reads)
    rows = evidence(tmp_path, contigs, [one])
    true = [Called("c", at, snp(at)[1:], (0, 1)) for at in (50, 300, 600, 1000)]
    peer = [Called("c", at, snp(at)[1:], (0, 1), quality=30.0) for at in (50, 350)]
    codes = Reference(tmp_path / "reference.fa").codes("c", 0, len(LETTERS))
    inside, whole = (
        label_rows(rows, true, peer, codes, one, "c", [("c", start, end)])
        for start, end in ((200, 700), (0, 1200))
    )
    assert inside[f"{VARIANT}pos"].tolist() == [301, 351, 601]
    assert whole[f"{VARIANT}pos"].tolist() == [301, 51, 351, 601, 1001]
    among = whole[whole[f"{VARIANT}pos"].between(200, 700)].reset_index(drop=True)
    pd.testing.assert_frame_equal(inside, among)


def test_where_the_truth_is_silent_nothing_is_labelled(tmp_path):
    reads = [r for at in (300, 700) for r in reads_over(LETTERS, [snp(at)], at, 9, "a")]
    path = write_reads(tmp_path / "x.bam", reads, {"c": 1200})
    true = truth(tmp_path, [line(snp(300), "./1"), line(snp(700), "1/1")])
    rows = ingest(tmp_path, path, {"sample": "me"}, truth=true)
    assert rows[f"{VARIANT}pos"].tolist() == [701]


def test_only_confident_regions_are_labelled_and_regions_looked_at(tmp_path):
    reads = [r for at in (300, 700) for r in reads_over(LETTERS, [snp(at)], at, 9, "a")]
    path = write_reads(tmp_path / "x.bam", reads, {"c": 1200})
    true = truth(tmp_path, [line(snp(300), "1/1"), line(snp(700), "1/1")])
    bed = write(tmp_path / "sure.bed", "c\t200\t400\n")
    options = {"sample": "me"}
    inside = ingest(tmp_path, path, options, truth=true, confident=bed)
    assert inside[f"{VARIANT}pos"].tolist() == [301]
    assert ingest(tmp_path, path, options, regions=bed)[f"{VARIANT}pos"].tolist() == [301]
    beyond = write(tmp_path / "beyond.bed", "c\t200\t4000\n")
    refused(
        lambda: ingest(tmp_path, path, options, regions=beyond), "4000, does not lie.*beyond.bed"
    )
    other = write(tmp_path / "other.bed", "c\t900\t1000\n")
    refused(
        lambda: ingest(tmp_path, path, options, truth=true, confident=other),
        "No true variant of me.*another build",
    )


def test_an_allele_lies_where_it_is_however_its_record_begins(tmp_path):
    """Two letters in one record that begins outside; a deletion written at its right end inside."""
    at = next(at for at in range(400, 900) if LETTERS[at : at + 2] == LETTERS[at + 2 : at + 4])
    double = 300, LETTERS[300:302], OTHER[LETTERS[300]] + OTHER[LETTERS[301]]
    shifted = at + 1, LETTERS[at + 1 : at + 4], LETTERS[at + 1]
    reads = reads_over(LETTERS, [double], 300, 9, "a") + reads_over(LETTERS, [shifted], at, 9, "b")
    path = write_reads(tmp_path / "x.bam", reads, {"c": 1200})
    true = truth(tmp_path, [line(double, "1/1"), line(shifted, "1/1")])
    bed = write(tmp_path / "sure.bed", f"c\t301\t390\nc\t{at + 1}\t1200\n")
    rows = ingest(tmp_path, path, {"sample": "me"}, truth=true, confident=bed)
    assert rows[[f"{VARIANT}pos", "label"]].values.tolist() == [[302, "1/1"]]


def in_one_record(*edits: tuple[int, str, str]) -> tuple[int, str, str]:
    """Edits in order as one, from the first one's start to the last one's end."""
    start, end = edits[0][0], edits[-1][0] + len(edits[-1][1])
    letters, at = "", start
    for place, ref, alt in edits:
        letters, at = letters + LETTERS[at:place] + alt, place + len(ref)
    return start, LETTERS[start:end], letters


@pytest.mark.parametrize("genotype", ["0/1", "1/1"])
@pytest.mark.parametrize("apart", [False, True])
def test_a_letter_and_a_deletion_in_one_record_are_the_candidates_that_make_them(
    tmp_path, genotype, apart
):
    """Both are true of reads that show both; as other alleles a network learnt them as errors."""
    at = next(at for at in range(400, 500) if LETTERS[at] != LETTERS[at + 3])
    deletion = at, LETTERS[at : at + 4], LETTERS[at]
    edits = [deletion, snp(at + 6)] if apart else [snp(at - 3), deletion]
    reads = reads_over(LETTERS, [], at, 10 * (genotype == "0/1"), "r")
    reads += reads_over(LETTERS, edits, at, 10, "a")
    path = write_reads(tmp_path / "x.bam", reads, {"c": 1200})
    true = truth(tmp_path, [line(in_one_record(*edits), genotype)])
    rows = ingest(tmp_path, path, {"sample": "me"}, truth=true)
    assert rows["label"].tolist() == [genotype] * 2
    assert rows[FOUND].all()


def test_a_letter_and_a_deletion_in_two_records_are_the_candidate_that_has_both(tmp_path):
    at = next(at for at in range(400, 500) if LETTERS[at] != LETTERS[at + 2])
    other = next(base for base in "ACGT" if base not in LETTERS[at : at + 3])
    both, letter = (at, LETTERS[at : at + 3], other), (at, LETTERS[at], other)
    deletion = at, LETTERS[at : at + 3], LETTERS[at]
    reads = reads_over(LETTERS, [], at, 10, "r") + reads_over(LETTERS, [both], at, 10, "a")
    path = write_reads(tmp_path / "x.bam", reads, {"c": 1200})
    true = truth(tmp_path, [line(letter, "0|1"), line(deletion, "0|1")])
    rows = ingest(tmp_path, path, {"sample": "me"}, truth=true)
    rows = rows[rows[FOUND].astype(bool)]  # not what bcftools calls: the deletion alone
    labels = dict(zip(rows[f"{VARIANT}alt"], rows["label"], strict=True))
    assert labels == {other: "0/1", other + LETTERS[at + 1 : at + 3]: "0/0"}


def test_a_record_that_no_candidates_make_stays_missed(tmp_path):
    reads = reads_over(LETTERS, [snp(403)], 403, 10, "a")
    path = write_reads(tmp_path / "x.bam", reads, {"c": 1200})
    written = in_one_record((400, LETTERS[400:402], LETTERS[400]), snp(403))
    true = truth(tmp_path, [line(written, "1/1")])
    rows = ingest(tmp_path, path, {"sample": "me"}, truth=true)
    assert rows[["label", FOUND]].values.tolist() == [["0/0", True], ["1/1", False]]


def test_a_truth_of_another_build_is_refused(tmp_path):
    path = write_reads(
        tmp_path / "x.bam", reads_over(LETTERS, [snp(300)], 300, 9, "a"), {"c": 1200}
    )
    start, ref, alt = snp(300)
    true = truth(tmp_path, [line((start, alt, ref), "0/1")])
    refused(
        lambda: ingest(tmp_path, path, {"sample": "me"}, truth=true),
        "REF of c:301 is not what.*truth.vcf",
    )


def test_regions_that_overlap_are_one(tmp_path):
    reads = reads_over(LETTERS, [snp(300)], 300, 9, "a") + reads_over(
        LETTERS, [snp(700)], 700, 9, "b"
    )
    path = write_reads(tmp_path / "x.bam", reads, {"c": 1200})
    bed = write(tmp_path / "sure.bed", "c\t600\t1000\nc\t200\t400\nc\t250\t260\nc\t260\t500\n")
    true = truth(tmp_path, [line(snp(300), "1/1"), line(snp(700), "1/1")])
    options = {"sample": "me"}
    for given in ({"regions": bed}, {"confident": bed, "truth": true}):
        rows = ingest(tmp_path, path, options, **given)
        assert rows[f"{VARIANT}pos"].tolist() == [301, 701]


def test_reads_on_no_region_are_refused(tmp_path):
    options = {"sample": "me"}
    path = write_reads(tmp_path / "x.bam", [], {"c": 1200})
    refused(lambda: ingest(tmp_path, path, options), "No read is aligned.*x.bam")
    path = write_reads(tmp_path / "y.bam", [], {"chr1": 1200})
    refused(lambda: ingest(tmp_path, path, options), "No region.*y.bam.*chr1")


@pytest.mark.slow
def test_called_variants_have_scores_of_splicing_where_there_are_genes(tmp_path):
    path = write_reads(
        tmp_path / "x.bam", reads_over(LETTERS, [snp(300)], 300, 9, "a"), {"c": 1200}
    )
    options = {"sample": "me"}
    samples = application.clean(ingest(tmp_path, path, options), {}).samples
    section = {"embedder": "table", "prior": PRIOR}
    features, _, _ = extract_features(samples, application, section)
    fitted = Fitted.load(ROOT / "data/models/variant_calling")
    predictions = predict(samples, features, fitted, path)
    exon = 'c\tme\texon\t201\t900\t.\t+\t.\tgene_id "G"; transcript_id "T"; gene_name "G";\n'
    files = {
        "reads": path,
        "reference": tmp_path / "reference.fa",
        "genes": write(tmp_path / "genes.gtf", exon),
    }
    missing = refused(lambda: application.ingest(files, options))
    assert "need the source `splicing`" in missing
    spliceai_wheel(tmp_path / "spliceai.whl", networks=5)
    files["splicing"] = tmp_path / "spliceai.whl"
    application.write(samples, predictions, files, tmp_path, options)
    with pysam.VariantFile(str(tmp_path / "variants.vcf.gz")) as variants:
        [record] = variants
    [scores] = record.info["SpliceAI"]
    assert scores.startswith(f"{record.alts[0]}|G|")


def test_reads_that_nowhere_differ_become_a_vcf_without_records(tmp_path):
    path = write_reads(tmp_path / "x.bam", reads_over(LETTERS, [], 300, 9, "r"), {"c": 1200})
    options = {"sample": "me"}
    samples = application.clean(ingest(tmp_path, path, options), {}).samples
    features, _, _ = extract_features(samples, application, {"embedder": "table"})
    fitted = Fitted.load(ROOT / "data/models/variant_calling")
    predictions = predict(samples, features, fitted, path)
    assert {"prediction", "p.0/1", "abstain"} <= set(predictions)
    files = {"reads": path, "reference": tmp_path / "reference.fa"}
    (tmp_path / "export").mkdir()
    application.write(samples, predictions, files, tmp_path / "export", options)
    with pysam.VariantFile(str(tmp_path / "export/variants.vcf.gz")) as variants:
        assert list(variants.header.samples) == ["me"]
        assert list(variants) == []


def test_a_contig_that_one_file_has_alone_is_told(tmp_path):
    reads = reads_over(LETTERS, [snp(300)], 300, 9, "a")
    one = write_reads(tmp_path / "x.bam", reads, {"c": 1200, "d": 1200})
    other = write_reads(tmp_path / "y.bam", reads, {"c": 1200})
    sheet = write(tmp_path / "sheet.csv", f"sample,bam\na,{one}\nb,{other}\n")
    reference = write_reference(tmp_path, {"c": LETTERS, "d": LETTERS})
    made = application.ingest({"reads": sheet, "reference": reference}, {})
    assert "Not looked at, for not all files have them: d" in made.notes


def test_a_region_on_a_contig_without_reads_is_told(tmp_path):
    path = write_reads(tmp_path / "x.bam", reads_over(LETTERS, [], 300, 9, "r"), {"c": 1200})
    reference = write_reference(tmp_path, {"c": LETTERS, "chrM": LETTERS})
    files = {"reads": path, "reference": reference}
    bed = write(tmp_path / "regions.bed", "c\t200\t400\nchrM\t0\t300\n")
    told = "`regions` not looked at, for no file has them: chrM"
    assert told in application.ingest(files | {"regions": bed}, {"sample": "me"}).notes
    # Nobody asked for what a reference has beside.
    assert told not in application.ingest(files, {"sample": "me"}).notes


def test_a_haploid_contig_by_name(tmp_path):
    path = write_reads(
        tmp_path / "x.bam", reads_over(LETTERS, [snp(300)], 300, 9, "a"), {"c": 1200}
    )
    rows = ingest(tmp_path, path, {"sample": "me", "haploid": ["c"]})
    assert rows[f"{VARIANT}ploidy"].tolist() == [1]
    refused(
        lambda: ingest(tmp_path, path, {"sample": "me", "haploid": ["chrM"]}),
        "'chrM' under `haploid`",
    )


def test_simulate_takes_the_place_of_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_reference(tmp_path, {"c": LETTERS})
    training = {"reference": "reference.fa", "simulate": {"depths": [8]}}
    task = {"application": "variant_calling", "datasets": {"training": training}}
    assert task_mistakes("x", task) == []
    training["simulate"] = {"depth": 8}
    assert "'depth'" in "".join(task_mistakes("x", task))
    for depths in ([], ["x"], [-3, 8]):
        training["simulate"] = {"depths": depths}
        assert "simulate: depths` " in "".join(task_mistakes("x", task))
    training["simulate"] = {"depths": [8]}
    write(tmp_path / "t.vcf", "x")
    training["truth"] = "t.vcf"
    assert "takes the place of" in "".join(task_mistakes("x", task))
    del training["truth"], training["simulate"]
    assert "'reads' is missing" in "".join(task_mistakes("x", task))


TASK = {
    "application": "variant_calling",
    "datasets": {
        "training": {
            "reference": "data/genome.fa",
            "simulate": {"depths": [12, 16]},
            "block": 2000,
        },
        "mine": {"reference": "data/genome.fa", "reads": "data/sheet.csv", "parts": 2},
    },
    "split": {"method": "holdout", "test": 0.25, "valid": 0.25},
    "model": {"name": "pileup_cnn", "epochs": 2, "width": 8},
    "baselines": {"likelihood": {"model": {"name": "posterior"}}},
    "explain": {"repeats": 1},
}
TARGETS = ("results/calls/mine/export", "results/report.html")


@pytest.mark.long
def test_a_pair_of_fastq_files_becomes_a_vcf_that_is_right(tmp_path):
    """As a new user would: a genome, two files of reads, and a task of a few lines."""
    lab, data = Project(tmp_path), tmp_path / "data"
    for folder in (data, tmp_path / "tasks"):
        folder.mkdir()
    rng = np.random.default_rng(7)
    letters = "".join("ACGT"[i] for i in rng.integers(0, 4, 16_000))
    genome = write_reference(data, {"chr1": letters[:14_000], "chr2": letters[14_000:]})
    genome = genome.rename(data / "genome.fa")
    options = {name: option.default for name, option in OPTIONS.items()} | {"depths": [25]}
    fastq = data / "a_1.fastq.gz", data / "a_2.fastq.gz"
    simulate_sample(genome, options, "a_1", 5, fastq, data / "truth.vcf.gz")
    write(data / "sheet.csv", "sample,fastq_1,fastq_2\na_1,a_1.fastq.gz,a_2.fastq.gz\n")
    write(tmp_path / "tasks/calls.yaml", yaml.safe_dump(TASK))
    command = ("--snakefile", str(ROOT / "Snakefile"), *TARGETS)
    lab.snakemake(*command)
    called = read_calls(lab.path("results/calls/mine/export/variants.vcf.gz"))
    true = read_calls(data / "truth.vcf.gz")
    assert len(true) > 20
    codes = Reference(genome).codes("chr1", 0, 14_000)
    sides = [[call for call in side if call.contig == "chr1"] for side in (true, called)]
    found = compare(*sides, codes)
    assert found.recall > 0.9
    assert found.precision > 0.9
    assert lab.planned(*command) == set()
    mine = lab.path("results/calls/mine")
    parts = [pd.read_parquet(mine / f"part_{n}/predictions.parquet") for n in (1, 2)]
    assert all(len(part) for part in parts)
    joined = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(pd.read_parquet(mine / "predictions.parquet"), joined)
    assert len(pd.read_csv(mine / "predictions.csv")) == len(joined)


def test_parts_have_the_rows_of_the_whole(tmp_path):
    reads = [r for at in (300, 599, 700) for r in reads_over(LETTERS, [snp(at)], at, 9, "a")]
    path = write_reads(tmp_path / "x.bam", reads, {"c": 1200, "d": 1200})
    reference = write_reference(tmp_path, {"c": LETTERS, "d": LETTERS})
    files = {"reads": path, "reference": reference, "indexes": tmp_path / "indexes"}
    (tmp_path / "indexes").mkdir()
    one = {"sample": "me"}
    whole = application.ingest(files, one).samples
    assert (tmp_path / "indexes/reads").exists()
    for count in (2, 4, 7):
        made = [
            application.ingest(files, {**one, "parts": count, "part": part + 1}).samples
            for part in range(count)
        ]
        ids = [i for part in made for i in part["sample_id"]]
        assert ids == whole["sample_id"].tolist()
        assert made[-1].empty
    assert application.ingest(files, {**one, "parts": 5000, "part": 1}).samples.empty


def test_a_model_is_not_trained_in_parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_reference(tmp_path, {"c": LETTERS})
    training = {"reference": "reference.fa", "simulate": {"depths": [8]}, "parts": 2}
    task = {"application": "variant_calling", "datasets": {"training": training}}
    assert "trained on all data at once" in "".join(task_mistakes("x", task))


def test_reads_that_nowhere_differ_teach_nothing(tmp_path):
    path = write_reads(tmp_path / "x.bam", reads_over(LETTERS, [], 300, 9, "r"), {"c": 1200})
    true = truth(tmp_path, [line(snp(300), "0/1")])
    refused(
        lambda: ingest(tmp_path, path, {"sample": "me"}, truth=true),
        "No read differs.*nothing to compare.*x.bam",
    )


def test_a_truth_that_scores_changes_no_call(tmp_path):
    """Candidates that it says nothing of stay, without a label; those that reads lack are rows."""
    reads = [r for at in (300, 700) for r in reads_over(LETTERS, [snp(at)], at, 9, "a")]
    path = write_reads(tmp_path / "x.bam", reads, {"c": 1200})
    true = truth(tmp_path, [line(snp(300), "1/1"), line(snp(350), "0/1")])
    bed = write(tmp_path / "sure.bed", "c\t200\t400\n")
    options = {"sample": "me", "scored": True}
    rows = ingest(tmp_path, path, options, truth=true, confident=bed)
    plain = ingest(tmp_path, path, {"sample": "me"})
    called = rows[rows[FOUND].astype(bool)]
    assert called[f"{VARIANT}pos"].tolist() == plain[f"{VARIANT}pos"].tolist() == [301, 701]
    labels = rows.set_index(f"{VARIANT}pos")["label"].fillna("").to_dict()
    assert labels == {301: "1/1", 351: "0/1", 701: ""}


def test_a_truth_that_cannot_be_read_shows_no_name_of_a_person(tmp_path):
    reads = write(tmp_path / "unread.bam", "")
    person = Person("DOE^JANE", reads, np.zeros(0), code="p0")
    (tmp_path / "truths").mkdir()
    for content in (None, "no VCF"):
        if content:
            write(tmp_path / "truths" / "DOE^JANE.vcf.gz", content)
        told = "no sound VCF.*truths" if content else "no such VCF.*truths"
        message = refused(lambda: read_truth(tmp_path / "truths", person), told)
        assert "DOE" not in message
    true = truth(tmp_path, [line(snp(300), "1/1")])
    assert "DOE" not in refused(lambda: read_calls(true, "DOE^JANE"), "No sample")


def test_a_truth_of_new_data_goes_with_scored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_reference(tmp_path, {"c": LETTERS})
    for name in ("x.bam", "t.vcf"):
        write(tmp_path / name, "x")
    new = {"reads": "x.bam", "reference": "reference.fa", "truth": "t.vcf"}
    training = {"reference": "reference.fa", "simulate": {"depths": [8]}}
    task = {"application": "variant_calling", "datasets": {"training": training, "new": new}}
    assert "compared with predictions under `scored: true`" in "".join(task_mistakes("x", task))
