"""A polygenic score: which allele counts, what is absent, and what is refused; sums by hand."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest

from bioloom.application import get_application
from bioloom.features.extract import extract_features
from bioloom.formats.pgs import read_score
from bioloom.options import complete_options
from bioloom.pipeline.check import task_mistakes
from bioloom.pipeline.defaults import with_defaults
from bioloom.privacy.actions import KEY
from bioloom.variants.genetic_score import OPTIONS, read_genetic_score
from tests.toys import refused, write

RISK = get_application("disease_risk")
LENGTHS = {"GRCh37": 51304566, "GRCh38": 50818468}
SITES = [
    "100 . A G . PASS AF=0.3 GT 0/0 0/1 1/1",
    "110 . C T . PASS AF=0.2 GT 0/1 1/1 0/0",
    "120 rs3 G A,C . PASS AF=0.1,0.3 GT 0/2 1/2 2|2",
    "130 . AT A . PASS AF=0.4 GT 0/1 0/0 1/1",
    "140 . A T . PASS AF=0.1 GT 0/1 0/0 1/1",
    "150 . C G . PASS AF=0.9 GT 1/1 0/1 1/1",
    "160 . T G . PASS AF=0.5 GT 0/1 ./. 1/1",
]
ROWS = [
    "22 100 G A 6.4 0.3",
    "22 110 C T 0.2 0.8",
    "22 120 C G 0.4 0.3",
    "22 130 AT A 0.8 0.6",
    "22 140 T A 1.6 0.1",
    "22 150 G C 3.2 0.1",
    "22 160 C A 0.1 0.5",
]
ADDED = [
    [0, 1, 2],
    [1, 0, 2],
    [1, 1, 2],
    [1, 2, 0],
    [1, 0, 2],
    [0, 1, 0],  # the score's G is rare, the VCF's is common: its strand is the other one
    [1, 1, 2],  # a missing genotype is at twice the frequency
]
WEIGHTS = [6.4, 0.2, 0.4, 0.8, 1.6, 3.2, 0.1]
HEADER = "chr_name chr_position effect_allele other_allele effect_weight allelefrequency_effect"
COMPLEMENT = str.maketrans("ACGT", "TGCA")


def write_vcf(
    path: Path,
    sites: list[str],
    people: str = "A B C",
    build: str = "GRCh38",
    alleles: int | None = 1000,
) -> Path:
    """A file whose frequencies are of so many `alleles`; None: it does not say."""
    said = "" if alleles is None else f";AN={alleles}"
    declared = [] if alleles is None else ['##INFO=<ID=AN,Number=1,Type=Integer,Description="">']
    sites = [re.sub(r"AF=\S+", rf"\g<0>{said}", site) for site in sites]
    lines = [
        "##fileformat=VCFv4.2",
        f"##contig=<ID=chr22,length={LENGTHS.get(build, 500)}>",
        '##INFO=<ID=AF,Number=A,Type=Float,Description="">',
        *declared,
        '##INFO=<ID=END,Number=1,Type=Integer,Description="">',
        '##FILTER=<ID=LowQual,Description="">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="">',
        '##FORMAT=<ID=DS,Number=A,Type=Float,Description="">',
        '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="">',
        f"#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT {people}".replace(" ", "\t"),
    ]
    lines += [f"chr22 {site}".replace(" ", "\t") for site in sites]
    return write(path, "\n".join(lines) + "\n")


def write_score(path: Path, rows: list[str], header: str = HEADER, facts: str = "") -> Path:
    facts = facts or "#pgs_id=PGS000001\n#genome_build=GRCh38"
    table = "\n".join([header, *rows]).replace(" ", "\t")
    return write(path, f"###PGS CATALOG SCORING FILE\n{facts}\n{table}\n")


def ingest(folder: Path, genotypes: Path, score: Path, people: str = "A B C", **more):
    """The samples of a table of these people with their score, and the notes."""
    ids = people.split()
    table = pd.DataFrame(
        {"id": ids, "smokes": range(len(ids)), "ill": ["yes", *["no"] * (len(ids) - 1)]}
    )
    table.to_csv(folder / "people.csv", index=False)
    files = {"clinical": folder / "people.csv", "genotypes": genotypes, "score": score}
    files |= {
        name: more.pop(name) for name in ("reference", "callable", "group_scores") if name in more
    }
    return RISK.ingest(files, {"columns": {"id": "id", "label": "ill"}} | more)


def sums(*arguments, **more) -> list[float]:
    raw = ingest(*arguments, **more)
    [column] = [name for name in raw.samples if name.startswith("genetic.")]
    return raw.samples[column].tolist()


@pytest.fixture
def vcf(tmp_path: Path) -> Path:
    return write_vcf(tmp_path / "people.vcf", SITES)


@pytest.fixture
def score(tmp_path: Path) -> Path:
    return write_score(tmp_path / "score.txt", ROWS)


def test_the_sum_counts_the_effect_allele_on_its_strand(tmp_path, vcf, score):
    raw = ingest(tmp_path, vcf, score)
    expected = np.array(WEIGHTS) @ np.array(ADDED)
    assert raw.samples["genetic.PGS000001"].tolist() == pytest.approx(expected)
    notes = " ".join(raw.notes)
    assert "7 of 7 rows and 1.000 of the weight are used: 5 as written, 1 on the other" in notes
    assert "1 palindromes turned by frequency" in notes
    assert "Each person has at least 0.857 of the rows and 0.992 of the weight" in notes
    assert "1 missing genotypes are at the mean" in notes


def test_genotypes_are_found_by_what_pseudonyms_stand_for(tmp_path, vcf, score, monkeypatch):
    monkeypatch.setenv(KEY, "k" * 32)
    coded = ingest(tmp_path, vcf, score, privacy={"id": "pseudonym"}).samples
    assert coded["sample_id"].str.fullmatch("p[0-9a-f]{16}").all()
    plain = ingest(tmp_path, vcf, score).samples
    assert coded.filter(like="genetic.").equals(plain.filter(like="genetic."))


@pytest.mark.slow
def test_a_percentile_needs_a_group_that_is_named(tmp_path, vcf, score):
    plain = sums(tmp_path, vcf, score)
    known = sorted([min(plain) - 1] * 25 + [plain[1]] * 50 + [max(plain) + 1] * 25)
    group = write(tmp_path / "sums.csv", "sum\n" + "".join(f"{value!r}\n" for value in known))
    named = {"group_scores": group, "reference_group": "placeholder controls"}
    raw = ingest(tmp_path, vcf, score, **named)
    found = raw.samples["genetic.PGS000001_percentile"].to_numpy()
    sides = [np.searchsorted(known, plain, side) for side in ("left", "right")]
    np.testing.assert_allclose(found, np.mean(sides, axis=0))
    assert found[1] == 50
    assert any("among 100 persons: placeholder controls" in note for note in raw.notes)
    assert not any("no reference group is named" in note for note in raw.notes)
    for lacking in ({"group_scores": group}, {"reference_group": "placeholder controls"}):
        refused(lambda lacking=lacking: ingest(tmp_path, vcf, score, **lacking), "needs both")
    assert not any("outside of the reference group" in note for note in raw.notes)
    # A few may all lie beyond the group, but not many.
    write(group, "sum\n" + "1000\n" * 100)
    raw = ingest(tmp_path, vcf, score, **named)
    assert raw.samples["genetic.PGS000001_percentile"].tolist() == [0, 0, 0]
    assert any("fewer than 5 persons lie outside of the reference" in note for note in raw.notes)
    many = [f"P{n}" for n in range(20)]
    copies = [" ".join([*row.split()[:8], *row.split()[8:9] * 20]) for row in SITES]
    crowd = write_vcf(tmp_path / "many.vcf", copies, people=" ".join(many))
    refused(
        lambda: ingest(tmp_path, crowd, score, people=" ".join(many), **named),
        "No sum of a patient lies within",
    )
    write(group, "sum\n" + "1\n" * 99)
    refused(lambda: ingest(tmp_path, vcf, score, **named), "99 persons is too small")
    write(group, "sum,n\n1,1\n,2\n" + "1,1\n" * 99)
    refused(lambda: ingest(tmp_path, vcf, score, **named), "without a sum.*row 3")


def test_a_missing_genotype_may_add_nothing(tmp_path, vcf, score):
    filled, plain = sums(tmp_path, vcf, score), sums(tmp_path, vcf, score, missing_genotype="zero")
    assert np.subtract(filled, plain) == pytest.approx([0, 0.1, 0])


def test_order_strand_and_files_change_nothing(tmp_path, vcf, score):
    expected = sums(tmp_path, vcf, score)
    rng = random.Random(0)
    for round_ in range(3):
        rows = [row.split() for row in rng.sample(ROWS, len(ROWS))]
        for row in rows:  # of palindromes and indels the letters say which allele is meant
            if len(row[2] + row[3]) == 2 and {row[2], row[3]} not in ({"A", "T"}, {"C", "G"}):
                row[2:4] = [allele.translate(COMPLEMENT) for allele in row[2:4]]
        turned = write_score(tmp_path / "turned.txt", [" ".join(row) for row in rows])
        folder = tmp_path / f"folder_{round_}"
        folder.mkdir()
        sites = rng.sample(SITES, len(SITES))
        for number in range(2):
            half = sorted(sites[number::2], key=lambda site: int(site.split()[0]))
            name = folder / f"{rng.random()}.vcf"
            file = write_vcf(name, half)
            pysam.tabix_index(str(file), preset="vcf", force=True)
        people = "C A B"
        assert sums(tmp_path, folder, turned, people) == pytest.approx(np.roll(expected, 1))


def test_persons_alone_and_in_bcf_have_the_sums_that_they_have_together(tmp_path, vcf, score):
    expected = sums(tmp_path, vcf, score)
    bcf = tmp_path / "people.bcf"
    with (
        pysam.VariantFile(str(vcf)) as old,
        pysam.VariantFile(str(bcf), "wb", None, old.header) as new,
    ):
        for record in old:
            new.write(record)
    assert sums(tmp_path, bcf, score, "B X C")[::2] == pytest.approx(expected[1:])
    assert np.isnan(sums(tmp_path, bcf, score, "B X C")[1])


def test_other_alleles_and_palindromes_of_no_frequency_are_left_out_and_counted(tmp_path, score):
    sites = [site.replace("AF=0.1 ", ". ").replace("100 . A G", "100 . A C") for site in SITES]
    file = write_vcf(tmp_path / "other.vcf", sites)
    notes = " ".join(ingest(tmp_path, file, score, min_match=0.0).notes)
    assert "5 of 7 rows" in notes
    assert "1 ambiguous palindromes, 1 with other alleles" in notes
    refused(lambda: sums(tmp_path, file, score), "All persons have less than 0.75", "at most 0.714")
    filtered = write_vcf(tmp_path / "q.vcf", [s.replace("PASS", "LowQual") for s in SITES])
    refused(lambda: sums(tmp_path, filtered, score), "7 in records that did not pass")


def test_a_file_that_declares_no_frequency_is_sound(tmp_path):
    file = write_vcf(
        tmp_path / "x.vcf", ["100 . A G . PASS . GT 0/0 0/1 1/1", SITES[5]], alleles=None
    )
    lines = [line for line in file.read_text().splitlines(keepends=True) if "ID=AF" not in line]
    write(file, "".join(lines).replace("AF=0.9", "."))
    score = write_score(tmp_path / "score.txt", [ROWS[0], ROWS[5]])
    assert sums(tmp_path, file, score, min_match=0.0) == pytest.approx([0, 6.4, 2 * 6.4])


@pytest.mark.parametrize(("alleles", "many"), [(None, False), (98, False), (100, True)])
@pytest.mark.parametrize("number", ["A", "1"])
def test_a_frequency_of_few_persons_turns_no_palindrome(tmp_path, alleles, many, number):
    """AF of a person alone is 0, 0.5 or 1, and would turn what is rare."""
    file = write_vcf(tmp_path / "people.vcf", [SITES[0], SITES[5]], alleles=alleles)
    write(file, file.read_text().replace("ID=AF,Number=A", f"ID=AF,Number={number}"))
    score = write_score(tmp_path / "score.txt", [ROWS[0], ROWS[5]])
    raw = ingest(tmp_path, file, score, min_match=0.0)
    assert ("1 ambiguous palindromes" in " ".join(raw.notes)) != many
    of_both = [0, 6.4 + 3.2, 2 * 6.4] if many else [0, 6.4, 2 * 6.4]
    assert sums(tmp_path, file, score, min_match=0.0) == pytest.approx(of_both)


def test_the_share_of_the_weight_decides_as_well(tmp_path, vcf):
    rows = [*ROWS[1:], "22 499 A C 30 0.5"]
    heavy = write_score(tmp_path / "heavy.txt", rows)
    message = refused(lambda: sums(tmp_path, vcf, heavy), "rows and 0.174 of its weight", "gVCFs")
    assert "at most 0.857 of its rows" in message


def test_expected_copies_are_read_where_the_task_says_so(tmp_path):
    sites = ["100 . A G . PASS . GT:DS 0/0:0.25 0/1:1.5 1/1:.", "110 . C T . PASS . DS 1 0.5 2"]
    file, score = write_vcf(tmp_path / "ds.vcf", sites), write_score(tmp_path / "s.txt", ROWS[:2])
    expected = [6.4 * 0.25 + 0.2, 6.4 * 1.5 + 0.2 * 1.5, 6.4 * 0.6]
    assert sums(tmp_path, file, score, dosage="DS", min_match=0.0) == pytest.approx(expected)
    raw = ingest(tmp_path, file, score, min_match=0.0)
    assert "have expected copies, too: `dosage: DS`" in " ".join(raw.notes)


@pytest.mark.parametrize("field", ["GT", "DS"])
def test_a_haploid_genotype_has_one_copy_of_the_reference_at_most(tmp_path, field):
    file = write_vcf(tmp_path / "x.vcf", ["100 . A G . PASS . GT:DS 0:0 1:1 0/1:1"])
    of_reference = write_score(tmp_path / "a.txt", ["22 100 A G 1 0.7"])
    of_other = write_score(tmp_path / "b.txt", ["22 100 G A 1 0.3"])
    assert sums(tmp_path, file, of_reference, dosage=field) == pytest.approx([1, 0, 1])
    assert sums(tmp_path, file, of_other, dosage=field) == pytest.approx([0, 1, 1])


BLOCKS = [
    "1 . N <NON_REF> . . END=99 GT:DP 0/0:30",
    "100 . A G,<NON_REF> . . . GT:DP 0/1:30",
    "101 . N <NON_REF> . . END=129 GT:DP 0/0:30",
    "130 . N <NON_REF> . . END=145 GT:DP 0/0:0",
    "146 . N <NON_REF> . . END=200 GT:DP 0/0:30",
]
ABSENT = [
    "22 50 C T 0.5 0.9",
    "22 100 G A 1 0.3",
    "22 110 T C 2 0.2",
    "22 115 A G 4 0.3",  # on the other strand: the effect allele is the reference
    "22 140 A C 0.25 0.4",
    "22 150 G T 8 0.4",
]


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    letters = ["N"] * 300
    for position, letter in {50: "C", 100: "A", 110: "C", 115: "T", 140: "C", 150: "T"}.items():
        letters[position - 1] = letter
    return write(tmp_path / "ref.fa", ">chr22\n" + "".join(letters) + "\n")


def test_a_block_is_the_reference_where_the_fasta_has_the_base(tmp_path, fasta):
    score = write_score(tmp_path / "s.txt", ABSENT)
    file = write_vcf(tmp_path / "a.g.vcf", BLOCKS, "A")
    known = 2 * 0.5 + 1 + 2 * 4
    alone = {"people": "A", "reference": fasta}
    assert sums(tmp_path, file, score, **alone, missing_genotype="zero") == [known]
    assert sums(tmp_path, file, score, **alone) == pytest.approx([known + 0.25 * 0.8])
    refused(lambda: sums(tmp_path, file, score, "A"), "5 like a reference", "give `reference`")


def test_absent_sites_are_the_reference_only_where_they_are_callable(tmp_path, fasta):
    score = write_score(tmp_path / "s.txt", ABSENT)
    file = write_vcf(tmp_path / "wgs.vcf", ["100 . A G 50 PASS . GT 0/1 1/1"], "A B")
    refused(lambda: sums(tmp_path, file, score, "A B"), "5 absent", "not reference: give gVCFs")
    bed = write(tmp_path / "ok.bed", "chr22\t0\t139\nchr22\t140\t200\n")
    found = sums(tmp_path, file, score, "A B", reference=fasta, callable=bed)
    assert found == pytest.approx([10, 11])
    refused(lambda: sums(tmp_path, file, score, "A B", callable=bed), "which base the reference")
    other = write(tmp_path / "other.fa", fasta.read_text().replace("A", "G"))
    refused(lambda: sums(tmp_path, file, score, "A B", reference=other), "another letter")


MODELS = (
    f"{HEADER} is_dominant is_recessive is_haplotype is_interaction "
    "dosage_0_weight dosage_1_weight dosage_2_weight"
)


def test_dominant_recessive_and_dosage_rows_add_as_they_say(tmp_path, vcf):
    rows = [
        "22 100 G A 1 0.3 True False False False NA NA NA",
        "22 110 C T 2 0.8 False True False False NA NA NA",
        "22 120 C G NA 0.3 False False False False 0.5 4 3",
        "19 NA e4 NA 5 NA False False True False NA NA NA",
        "22 NA G_x_T NA 5 NA False False False True NA NA NA",
    ]
    score = write_score(tmp_path / "s.txt", rows, MODELS)
    message = refused(lambda: sums(tmp_path, vcf, score), "0.412 of its weight")
    assert "1 a haplotype, 1 an interaction" in message
    assert sums(tmp_path, vcf, score, min_match=0.4) == pytest.approx([4, 5, 6])


def test_ratios_are_asked_for_and_added_as_logarithms(tmp_path, vcf):
    facts = "#pgs_id=PGS1\n#genome_build=GRCh38\n#weight_type=OR"
    ratios = write_score(tmp_path / "or.txt", ROWS, facts=facts)
    refused(lambda: sums(tmp_path, vcf, ratios), "called ratios", "`weights: ratios`")
    expected = np.log(WEIGHTS) @ np.array(ADDED)
    assert sums(tmp_path, vcf, ratios, weights="ratios", min_match=0.0) == pytest.approx(expected)
    logs = [*ROWS[:1], "22 110 C T -0.2 0.8"]
    logs = write_score(tmp_path / "logs.txt", logs, facts=facts)
    assert sums(tmp_path, vcf, logs) == pytest.approx([-0.2, 6.4, 12.4])


@pytest.mark.slow
def test_another_build_is_refused_unless_positions_are_harmonised(tmp_path, vcf):
    facts = "#pgs_id=PGS1\n#genome_build=hg19"
    old = write_score(tmp_path / "37.txt", ROWS, facts=facts)
    refused(lambda: sums(tmp_path, vcf, old), "is of GRCh37, the genotypes are of GRCh38")
    rows = [f"{row.replace('22 1', '22 9')} 22 {row.split()[1]}" for row in ROWS]
    rows[1] = f"{' '.join(rows[1].split()[:6])} NA NA"
    harmonised = f"{facts}\n#HmPOS_build=GRCh38"
    new = write_score(tmp_path / "hm.txt", rows, f"{HEADER} hm_chr hm_pos", harmonised)
    expected = np.array(WEIGHTS) @ np.array(ADDED) - 0.2 * np.array(ADDED[1])
    refused(lambda: sums(tmp_path, vcf, new), "fewer than 5 persons have less than 0.75")
    most = {"min_match": 0.7}
    assert sums(tmp_path, vcf, new, **most) == pytest.approx(expected)
    assert "1 no position" in " ".join(ingest(tmp_path, vcf, new, **most).notes)
    unknown = write_vcf(tmp_path / "unknown.vcf", SITES, build="none")
    refused(lambda: sums(tmp_path, unknown, new), "does not tell the genotypes' build")
    said = sums(tmp_path, unknown, new, genotype_build="GRCh38", **most)
    assert said == pytest.approx(expected)
    refused(lambda: sums(tmp_path, vcf, new, genotype_build="GRCh37"), "the header says GRCh38")


def test_names_of_variants_are_compared_only_where_the_task_says_so(tmp_path, vcf):
    header = "rsID effect_allele effect_weight"
    score = write_score(tmp_path / "rs.txt", ["rs3 A 1", "rs4 A 0.1"], header)
    refused(lambda: sums(tmp_path, vcf, score), "no positions", "match: rsid")
    by_name = {"match": "rsid", "min_match": 0.5}
    assert sums(tmp_path, vcf, score, **by_name) == [0, 1, 0]
    palindrome = write_score(tmp_path / "cg.txt", ["rs3 C 1"], header)
    refused(lambda: sums(tmp_path, vcf, palindrome, **by_name), "1 ambiguous palindromes")


def test_format_1_and_rows_that_are_wrong(tmp_path):
    facts = "# PGS ID = PGS000009\n# Original Genome Build = hg19"
    header = "rsID chr_name chr_position effect_allele reference_allele effect_weight"
    found = read_score(write_score(tmp_path / "1.txt", ["rs1 chr1 5 a G 0.5"], header, facts))
    assert (found.name, found.build, found.harmonised) == ("PGS000009", "GRCh37", None)
    row = found.rows.iloc[0]
    assert (row["chrom"], row["pos"], row["effect"], row["other"]) == ("1", 5, "A", "G")
    wrong = {"without a weight .*row 5": ["1 5 A G NA .1"], "row 6": ["1 5 A G 1 .1"] * 2}
    for message, rows in wrong.items():
        refused(lambda rows=rows: read_score(write_score(tmp_path / "w.txt", rows)), message)


def test_two_files_that_tell_the_same_are_refused(tmp_path, vcf, score):
    folder = tmp_path / "two"
    folder.mkdir()
    for name in ("a.vcf", "b.vcf"):
        shutil.copy(vcf, folder / name)
    refused(lambda: sums(tmp_path, folder, score), "Two files have the same site")
    (folder / "b.vcf").unlink()
    write_vcf(folder / "b.vcf", SITES[:1], "C A")
    refused(lambda: sums(tmp_path, folder, score), "Two files have the same site")
    (folder / "b.vcf").unlink()
    write_vcf(folder / "b.vcf", ["100 . ATT A . PASS . GT 0/1 0/0 0/0"])  # another variant there
    assert sums(tmp_path, folder, score) == pytest.approx(np.array(WEIGHTS) @ np.array(ADDED))


def test_what_is_missing_beside_the_genotypes_is_named(tmp_path, vcf, score):
    refused(lambda: sums(tmp_path, vcf, score, "X Y"), "no patient of the clinical table")
    files = {"clinical": tmp_path / "people.csv", "genotypes": vcf}
    refused(lambda: RISK.ingest(files, {"columns": {"id": "id"}}), "genotypes without .*'score'")


def test_a_task_with_a_score_is_compared_with_the_same_model_without_it(tmp_path, vcf, score):
    ingest(tmp_path, vcf, score)
    files = {"clinical": tmp_path / "people.csv", "genotypes": vcf, "score": score}
    training = {name: str(path) for name, path in files.items()}
    training["columns"] = {"id": "id", "label": "ill"}
    content = {"application": "disease_risk", "datasets": {"training": training}}
    assert task_mistakes("risk", content) == []
    samples = RISK.clean(ingest(tmp_path, vcf, score).samples, {}).samples
    task = with_defaults(content)
    baseline = task["baselines"]["no_genetic_score"]
    features, _, _ = extract_features(samples, RISK, task["features"])
    assert features.names.tolist() == ["smokes", "genetic.PGS000001"]
    features, _, _ = extract_features(samples, RISK, baseline["features"])
    assert features.names.tolist() == ["smokes"]
    assert baseline == {"features": {"embedder": "table", "blocks": ["table"]}}
    without = {"training": {k: v for k, v in training.items() if k not in ("genotypes", "score")}}
    assert "no_genetic_score" not in with_defaults(content | {"datasets": without})["baselines"]


@pytest.mark.skipif(not shutil.which("plink2"), reason="plink2 is not installed")
def test_sums_are_those_of_plink2(tmp_path):
    rng = np.random.default_rng(0)
    people = [f"P{i}" for i in range(60)]
    sites, rows, plink = [], [], ["ID\tA\tW"]
    for i in range(40):
        ref, alt = rng.permutation(list("AC"))
        copies = rng.choice(["0/0", "0/1", "1/1", "./."], 60, p=[0.4, 0.3, 0.25, 0.05])
        sites.append(f"{100 + i} v{i} {ref} {alt} . PASS . GT {' '.join(copies)}")
        effect, other = rng.permutation([ref, alt])
        weight = round(rng.normal(), 3)
        rows.append(f"22 {100 + i} {effect} {other} {weight}")
        plink.append(f"v{i}\t{effect}\t{weight}")
    vcf = write_vcf(tmp_path / "p.vcf", sites, " ".join(people))
    score = write_score(tmp_path / "s.txt", rows, HEADER.rsplit(" ", 1)[0])
    table = write(tmp_path / "plink.txt", "\n".join(plink) + "\n")
    command = ["plink2", "--vcf", str(vcf), "--score", str(table), "1", "2", "3", "header"]
    command += ["cols=+scoresums", "--out", str(tmp_path / "out")]
    subprocess.run(command, check=True, capture_output=True)
    theirs = pd.read_csv(tmp_path / "out.sscore", sep="\t")
    [column] = [name for name in theirs if name.endswith("_SUM") and "DOSAGE" not in name]
    assert sums(tmp_path, vcf, score, " ".join(people)) == pytest.approx(theirs[column], abs=1e-4)


def copies_of(folder: Path, records: list[str], effect: str, other: str) -> list[float]:
    """Copies of the effect allele of three persons at 1:100; `records` are from REF on."""
    header = "##fileformat=VCFv4.2\n##contig=<ID=1,length=249250621>\n"
    header += '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n'
    header += "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tp1\tp2\tp3\n"
    lines = []
    for record in records:
        ref, alt, *genotypes = record.split()
        lines.append("\t".join(["1", "100", ".", ref, alt, ".", "PASS", ".", "GT", *genotypes]))
    vcf = write(folder / "g.vcf", header + "".join(f"{line}\n" for line in lines))
    columns = ["effect_allele", *["other_allele"] * bool(other)]
    text = "#pgs_id=PGS1\n#genome_build=GRCh37\n"
    text += "\t".join(["chr_name", "chr_position", *columns, "effect_weight"]) + "\n"
    text += "\t".join(["1", "100", effect, *[other] * bool(other), "1.0"]) + "\n"
    files = {"genotypes": vcf, "score": write(folder / "s.txt", text)}
    options = complete_options({"genotype_build": "GRCh37", "min_match": 0.0}, OPTIONS, "x")
    found, _ = read_genetic_score(files, pd.Series(["p1", "p2", "p3"]), options)
    return found.iloc[:, 0].tolist()


@pytest.mark.parametrize(
    ("effect", "other", "expected"),
    [("G", "", [0, 2, 1]), ("A", "", [2, 0, 0]), ("A", "G", [2, 0, 0])],
)
@pytest.mark.parametrize("apart", [False, True])
def test_alternatives_of_a_site_may_be_records_apart(tmp_path, effect, other, expected, apart):
    """As `bcftools norm -m-` writes them: what is another record's allele is called 0."""
    together = ["A C,G 0/0 2/2 1/2"]
    split = ["A C 0/0 0/0 1/0", "A G 0/0 1/1 0/1"]
    assert copies_of(tmp_path, split if apart else together, effect, other) == expected


@pytest.mark.parametrize(
    "beside", ["A C 0/0 0/1 1/1", "A ATT 1/1 0/1 0/0", "A G ./. ./. ./.", "AT A 0/1 0/0 0/0"]
)
def test_a_record_beside_takes_no_copy_of_the_reference(tmp_path, beside):
    """The same one again, an insertion behind the letter, one that nobody was called at."""
    for records in (["A C 0/0 0/1 1/1", beside], [beside, "A C 0/0 0/1 1/1"]):
        assert copies_of(tmp_path, records, "A", "C") == [2, 1, 0]
