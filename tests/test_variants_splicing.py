"""Delta scores of splicing by a rule whose sites are known, and by networks with drawn weights."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pysam
import pytest

from bioloom.cli.main import main
from bioloom.embedders import complete, spliceai
from bioloom.embedders.spliceai import CONTEXT
from bioloom.errors import DataError
from bioloom.formats.genes import Gene, read_genes
from bioloom.variants.reference import Reference
from bioloom.variants.splicing import Effect, effects, write_effects
from tests.tiny_models import spliceai_wheel

GENE = Gene("G", "1", "+", 1, 200, ((1, 60), (120, 200)))


def by_letters(text: str) -> np.ndarray:
    """A donor before each GT, an acceptor behind each AG: chances 1, else 0."""
    a, g, t = (np.array([letter == base for letter in text]) for base in "AGT")
    chances = np.zeros((len(text), 3))
    chances[1:-2, 2] = (g[2:-1] & t[3:])[: len(text) - 3]
    chances[2:, 1] = a[:-2] & g[1:-1]
    chances[:, 0] = 1 - chances[:, 1:].max(axis=1)
    return chances[CONTEXT:-CONTEXT]


def genome(folder: Path, text: str) -> Reference:
    path = folder / "genome.fa"
    path.write_text(f">chr1\n{text}\n")
    return Reference(path)


def scored(folder: Path, text: str, start: int, alleles: list[str], gene=GENE, **options):
    given = {"distance": 20, "masked": False} | options
    reference = genome(folder, text)
    return effects(start, alleles, gene, reference, "chr1", by_letters, **given)


def exon_and_intron(filler: str = "C") -> str:
    """A donor at base 60, whose GT is at 61 and 62; no other site."""
    return filler * 60 + "GT" + filler * 138


def test_a_lost_donor_is_told_where_it_was(tmp_path):
    [effect] = scored(tmp_path, exon_and_intron(), 61, ["G", "A"])
    assert effect == Effect("A", "G", (0, 0, 0, 1), (-20, -20, -20, -1))


def test_a_gained_acceptor_is_told_where_it_is(tmp_path):
    [effect] = scored(tmp_path, "C" * 100 + "A" + "C" * 99, 102, ["C", "G"])
    assert effect.scores == (1, 0, 0, 0)
    assert effect.places[0] == 1


def test_on_the_other_strand_it_is_the_mirror(tmp_path):
    text = exon_and_intron()
    turned = text[::-1].translate(str.maketrans("ACGT", "TGCA"))
    minus = GENE._replace(strand="-")
    [effect] = scored(tmp_path, turned, 200 - 61 + 1, ["C", "T"], minus)
    assert effect.scores == (0, 0, 0, 1)
    assert effect.places[3] == 1


@pytest.mark.parametrize(
    ("alleles", "scores", "place"),
    [
        (["CGT", "C"], (0, 0, 0, 1), 0),  # the two letters are deleted: no donor before them
        (["C", "CGT"], (0, 0, 0, 0), None),  # another GT before the old one: base 60 stays one
        (["C", "CAG"], (1, 0, 0, 0), None),  # the donor is the inserted G, told at base 60
    ],
)
def test_deleted_and_inserted_letters(tmp_path, alleles, scores, place):
    [effect] = scored(tmp_path, exon_and_intron(), 60, alleles)
    assert effect.scores == scores
    if place is not None:
        assert effect.places[3] == place


def test_letters_outside_the_transcript_are_not_read(tmp_path):
    gene = GENE._replace(end=61)
    [effect] = scored(tmp_path, exon_and_intron(), 61, ["G", "A"], gene)
    assert effect.scores == (0, 0, 0, 0)  # the T of the donor lies beyond its end


def test_masked_leaves_the_unexpected(tmp_path):
    lost = scored(tmp_path, exon_and_intron(), 61, ["G", "A"], masked=True)
    assert lost[0].scores == (0, 0, 0, 1)  # an annotated donor is lost
    elsewhere = GENE._replace(exons=((1, 40), (120, 200)))
    assert scored(tmp_path, exon_and_intron(), 61, ["G", "A"], elsewhere, masked=True)[
        0
    ].scores == (0, 0, 0, 0)
    gained = "C" * 60 + "GA" + "C" * 138
    assert scored(tmp_path, gained, 62, ["A", "T"])[0].scores == (0, 0, 1, 0)
    assert scored(tmp_path, gained, 62, ["A", "T"], masked=True)[0].scores == (0, 0, 0, 0)


def test_what_has_no_one_base_is_left_out(tmp_path):
    assert scored(tmp_path, exon_and_intron(), 61, ["GT", "AC", "<DEL>", "*"]) == []
    assert [e.allele for e in scored(tmp_path, exon_and_intron(), 61, ["G", "<DEL>", "T"])] == ["T"]


GTF = """#!genome-build toy
1\ttoy\tgene\t1\t200\t.\t+\t.\tgene_id "g1"; gene_name "G";
1\ttoy\texon\t120\t200\t.\t+\t.\tgene_id "g1"; transcript_id "t1"; gene_name "G";
1\ttoy\texon\t1\t60\t.\t+\t.\tgene_id "g1"; transcript_id "t1"; gene_name "G";
1\ttoy\texon\t1\t10\t.\t+\t.\tgene_id "g1"; transcript_id "t2"; gene_name "G";{tag}
"""
TABLE = "\t".join("#NAME CHROM STRAND TX_START TX_END EXON_START EXON_END".split())
TABLE += "\nG\tchr1\t+\t0\t200\t0,119,\t60,200,\n"


def test_genes_of_a_table_and_of_gtf_are_the_same(tmp_path):
    (tmp_path / "genes.txt").write_text(TABLE)
    (tmp_path / "genes.gtf").write_text(GTF.format(tag=""))
    assert read_genes(tmp_path / "genes.txt") == {"chr1": [GENE._replace(contig="chr1")]}
    assert read_genes(tmp_path / "genes.gtf") == {"1": [GENE]}
    (tmp_path / "genes.gtf").write_text(GTF.format(tag=' tag "MANE_Select";'))
    assert read_genes(tmp_path / "genes.gtf")["1"][0].exons == ((1, 10),)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "NAME\tCHROM\n", "no table of genes .*row 1"),
        ("a.txt", TABLE + "G\t1\t+\t0\t200\t0,x,\t60,200,\n", "no gene .*row 3"),
        ("a.txt", TABLE + "G\t1\t+\t0\t200\t0,\t60,200,\n", "no gene .*row 3"),
        ("a.gtf", "1\ttoy\texon\tx\t2\t.\t+\t.\tgene_id\n", "no exon .*row 1"),
        ("a.gtf", "1\ttoy\texon\t1\t2\t.\t.\t.\tgene_id\n", "no exon .*row 1"),
        ("a.gtf", "1\ttoy\texon\t3\t2\t.\t+\t.\tgene_id\n", "no exon .*row 1"),
        ("a.gtf", "1\ttoy\texon\t1\t2\t.\t+\t.\tgene_id\n", "without gene_id .*row 1"),
        ("a.gtf", "#nothing\n", "no genes"),
    ],
)
def test_genes_that_are_none(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_genes(tmp_path / name)


VCF = """##fileformat=VCFv4.2
##contig=<ID=chr1,length=200>
##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
chr1\t61\trs1\tG\tA,T\t50\tPASS\tDP=7
chr1\t100\t.\tC\tT\t.\t.\t.
"""


def test_a_vcf_keeps_what_it_had(tmp_path):
    vcf, out = tmp_path / "in.vcf", tmp_path / "out.vcf.gz"
    vcf.write_text(VCF)
    fasta = genome(tmp_path, exon_and_intron()).file
    options = {"distance": 20, "masked": False}
    told = write_effects(vcf, fasta, {"1": [GENE._replace(end=90)]}, by_letters, out, **options)
    assert told == (2, 1)
    with pysam.VariantFile(str(out)) as variants:
        first, second = variants
        assert [r.pos for r in variants.fetch("chr1", 90, 110)] == [100]
    assert (first.id, first.qual, first.info["DP"]) == ("rs1", 50, 7)
    assert first.info["SpliceAI"][0] == "A|G|0.00|0.00|0.00|1.00|-20|-20|-20|-1"
    assert len(first.info["SpliceAI"]) == 2
    assert "SpliceAI" not in second.info


def test_scores_of_another_run_are_replaced_and_names_are_no_field(tmp_path):
    vcf, out = tmp_path / "in.vcf", tmp_path / "out.vcf.gz"
    old = '##INFO=<ID=SpliceAI,Number=1,Type=Float,Description="old">\n#CHROM'
    vcf.write_text(
        VCF.replace("#CHROM", old, 1)
        .replace("DP=7", "DP=7;SpliceAI=0.9")
        .replace("\t.\n", "\tSpliceAI=1\n")
    )
    fasta = genome(tmp_path, exon_and_intron()).file
    genes = {"1": [GENE._replace(name="A;B=1,C", end=90)]}
    write_effects(vcf, fasta, genes, by_letters, out, distance=20, masked=False)
    with pysam.VariantFile(str(out)) as variants:
        first, second = variants
    assert first.info["SpliceAI"][0].startswith("A|A_B_1_C|0.00")
    assert "SpliceAI" not in second.info


def test_another_build_is_refused_before_anything_is_computed(tmp_path):
    vcf, out = tmp_path / "in.vcf", tmp_path / "out.vcf.gz"
    vcf.write_text(VCF.replace("rs1\tG\tA,T", "rs1\tC\tA,T"))
    fasta, genes = genome(tmp_path, exon_and_intron()).file, {"chr1": [GENE]}
    with pytest.raises(DataError, match="1 of 2 records have another REF .* chr1:61 C, the genome"):
        write_effects(vcf, fasta, genes, by_letters, out, distance=20, masked=False)
    vcf.write_text(VCF.replace("chr1\t", "chr9\t"))
    with pytest.raises(DataError, match="The genome has no chr9"):
        write_effects(vcf, fasta, genes, by_letters, out, distance=20, masked=False)
    *head, first, second = VCF.splitlines()
    vcf.write_text("\n".join([*head, second, first, ""]))
    with pytest.raises(DataError, match="chr1:61 is not in order"):
        write_effects(vcf, fasta, genes, by_letters, out, distance=20, masked=False)
    vcf.write_text(VCF)
    with pytest.raises(DataError, match="none of the genes' contigs, such as NC_1"):
        write_effects(vcf, fasta, {"NC_1": []}, by_letters, out, distance=20, masked=False)
    assert not out.exists()


@pytest.mark.slow
def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    spliceai_wheel(Path("spliceai.whl"), networks=2)
    Path("in.vcf").write_text(VCF)
    Path("genes.txt").write_text(TABLE)
    text = exon_and_intron("A")
    genome(tmp_path, text.replace("A" * 10, "ACCTG" * 2))
    text = Path("genome.fa").read_text().split()[1]
    Path("in.vcf").write_text(VCF.replace("100\t.\tC", f"100\t.\t{text[99]}"))
    arguments = ["effects", "in.vcf", "--genome", "genome.fa", "--genes", "genes.txt"]
    arguments += ["--networks", "2", "--weights", "spliceai.whl", "--out", "out.vcf.gz"]
    assert main(arguments) == 0
    assert "2 of 2 records have scores" in capsys.readouterr().out
    with pysam.VariantFile("out.vcf.gz") as variants:
        [allele, *_] = next(variants).info["SpliceAI"]
    options = complete({"embedder": "spliceai", "networks": 2, "pooling": "tokens"})
    encoder = spliceai.load(options, Path("spliceai.whl"), "cpu", "float32")
    padded = "N" * (CONTEXT + 50 - 60) + text + "N" * (CONTEXT + 50 - 139)
    was = encoder.chances(padded)
    now = encoder.chances(padded[: CONTEXT + 50] + "A" + padded[CONTEXT + 51 :])
    expected = [sign * (now - was)[:, site] for site in (1, 2) for sign in (1, -1)]
    assert allele.split("|")[2:6] == [f"{max(0, gain.max()):.2f}" for gain in expected]
    assert allele.split("|")[6:] == [str(gain.argmax() - 50) for gain in expected]


def test_contigs_one_by_one_are_the_whole(tmp_path):
    letters = exon_and_intron()
    fasta, out, vcf = (tmp_path / name for name in ("g.fa", "out.vcf.gz", "in.vcf"))
    fasta.write_text(f">chr1\n{letters}\n>chr2\n{letters}\n")
    header = VCF[: VCF.index("chr1\t61")].replace(
        "##contig=<ID=chr1,length=200>", "##contig=<ID=chr1>\n##contig=<ID=chr2>"
    )
    vcf.write_text(f"{header}chr1\t61\t.\tG\tA\t.\t.\t.\nchr2\t62\t.\tT\tC\t.\t.\t.\n")
    genes = {"1": [GENE], "2": [GENE]}

    def records(*contigs):
        told = write_effects(vcf, fasta, genes, by_letters, out, contigs=contigs)
        with pysam.VariantFile(str(out)) as found:
            return told.records, [str(record) for record in found]

    whole, first, second = records(), records("chr1"), records("chr2")
    assert (whole[0], first[0], second[0]) == (2, 1, 1)
    assert whole[1] == first[1] + second[1]
    with pytest.raises(DataError, match="Unknown contig 'chr3'"):
        records("chr1", "chr3")
    lines = vcf.read_text().splitlines(keepends=True)
    vcf.write_text("".join(lines[:-1]))
    assert records("chr2") == (0, [])  # a file a contig, also of one without a record
    with pytest.raises(DataError, match="There is no such VCF"):
        write_effects(tmp_path / "other.vcf", fasta, genes, by_letters, out)


PUBLISHED = {  # Illumina's own tests of spliceai 1.3.1, GRCh37, by bases to each side
    500: ["0.15|0.27|0.00|0.05|89|-23|-267|193", "0.01|0.18|0.15|0.62|-2|110|-190|0"],
    50: ["0.07|0.27|0.00|0.01|0|-23|19|-22", "0.01|0.00|0.11|0.62|-2|-6|-23|0"],
}
GRCH37 = "BIOLOOM_GRCH37"


@pytest.mark.slow
@pytest.mark.skipif(GRCH37 not in os.environ, reason=f"${GRCH37} names no FASTA of that build")
@pytest.mark.parametrize("distance", PUBLISHED)
def test_published_scores_come_out(tmp_path, distance):
    """The weights are fetched, or those that are there."""
    vcf, out = tmp_path / "in.vcf", tmp_path / "out.vcf.gz"
    header = VCF[: VCF.index("chr1\t61")].replace("chr1,length=200", "10,length=135534747")
    vcf.write_text(f"{header}10\t94077\t.\tA\tC\t.\t.\t.\n10\t94555\t.\tC\tT\t.\t.\t.\n")
    arguments = ["effects", str(vcf), "--genome", os.environ[GRCH37], "--genes", "grch37"]
    assert main([*arguments, "--distance", str(distance), "--out", str(out)]) == 0
    with pysam.VariantFile(str(out)) as variants:
        said = [record.info["SpliceAI"] for record in variants]
    first, second = PUBLISHED[distance]
    assert said == [(f"C|TUBB8|{first}",), (f"T|TUBB8|{second}",)]


def test_a_record_keeps_all_its_digits(tmp_path):
    vcf, out = tmp_path / "in.vcf", tmp_path / "out.vcf.gz"
    vcf.write_text(VCF.replace("A,T\t50\tPASS\tDP=7", "A,T\t29.9999999\tPASS\tDP=7;x=0.123456789"))
    fasta = genome(tmp_path, exon_and_intron()).file
    write_effects(vcf, fasta, {"1": [GENE._replace(end=90)]}, by_letters, out, distance=20)
    text = gzip.decompress(out.read_bytes()).decode()
    assert "A,T\t29.9999999\tPASS\tDP=7;x=0.123456789;SpliceAI=" in text
