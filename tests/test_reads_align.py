"""From reads to alignments: planted variants are found by bcftools, flags are right."""

from __future__ import annotations

import gzip
import stat
import time
from hashlib import md5
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pysam
import pysam.bcftools
import pytest

from bioloom.formats.sample_sheet import Lane
from bioloom.reads import align as align_reads
from bioloom.reads.align import align
from bioloom.reads.choices import aligner_of
from bioloom.reads.duplicates import merge_lanes
from bioloom.reads.pairs import insert_bounds
from bioloom.reads.reference import index_reference
from bioloom.reads.trimming import trim
from tests.tiny_reads import complement, write_fastq
from tests.toys import refused, write

TRIMMING = {"adapters": "auto", "poly_g": None, "trim_quality": 0, "min_read_length": 30}
NEXT = str.maketrans("ACGT", "CGTA")


class Genome(NamedTuple):
    """Two contigs, and another haplotype of the first with variants at `sites` (0-based)."""

    fasta: Path
    index: Path
    contigs: dict[str, str]
    other: str
    sites: list[int]


@pytest.fixture(scope="module")
def genome(tmp_path_factory) -> Genome:
    folder, rng = tmp_path_factory.mktemp("genome"), np.random.default_rng(0)
    contigs = {
        name: "".join(rng.choice(list("ACGT"), n)) for name, n in (("c1", 9000), ("c2", 2000))
    }
    sites, letters = list(range(600, 8500, 500)), list(contigs["c1"])
    for site in sites:
        letters[site] = letters[site].translate(NEXT)
    text = "".join(f">{name} text\n{letters}\n" for name, letters in contigs.items())
    write(folder / "genome.fa", text)
    index_reference(folder / "genome.fa", ["bwa"], folder / "index")
    return Genome(folder / "genome.fa", folder / "index", contigs, "".join(letters), sites)


def fragment(haplotype: str, start: int, size: int, turned: bool = False) -> tuple[str, str]:
    inside = haplotype[start : start + size]
    mates = inside[:100], complement(inside)[:100]
    return mates[::-1] if turned else mates


def sequenced(genome: Genome, n: int, seed: int) -> list[tuple[str, str]]:
    rng = np.random.default_rng(seed)
    haplotypes = genome.contigs["c1"], genome.other
    starts, sizes = rng.integers(0, 8600, n), rng.normal(300, 30, n).astype(int)
    return [
        fragment(haplotypes[rng.integers(2)], *place, turned=bool(rng.integers(2)))
        for place in zip(starts, sizes, strict=True)
    ]


def aligned(
    genome: Genome, folder: Path, pairs: list, lane: Lane, aligner: str = "bwa", threads: int = 1
) -> Path:
    reads = [Path(file) for file in write_fastq(folder / f"fastq{lane.lane}", pairs)]
    align(lane, reads, genome.index, aligner, threads, folder / f"{lane.lane}.bam")
    return folder / f"{lane.lane}.bam"


@pytest.mark.slow
def test_planted_variants_are_found_by_bcftools(genome: Genome, tmp_path: Path):
    lanes = []
    for number in ("1", "2"):
        files = write_fastq(tmp_path / number, sequenced(genome, 700, int(number)))
        lane = Lane("S 1", *files, lane=number, library="L")
        trim(lane, TRIMMING, 1, tmp_path / f"trimmed{number}")
        reads = [tmp_path / f"trimmed{number}/{mate}.fastq.gz" for mate in (1, 2)]
        align(lane, reads, genome.index, "bwa", 1, tmp_path / f"{number}.bam")
        lanes.append((lane, tmp_path / f"{number}.bam"))
    bam = tmp_path / "S_1.bam"
    merge_lanes(lanes, 1, bam, tmp_path / "S_1.bam.csi")

    pileup, calls = tmp_path / "pileup.bcf", tmp_path / "calls.vcf"
    to_pileup = ["-f", str(genome.fasta), "-Ou", "-o", str(pileup), str(bam)]
    pysam.bcftools.mpileup(*to_pileup, catch_stdout=False)
    pysam.bcftools.call("-mv", "-o", str(calls), str(pileup), catch_stdout=False)
    with pysam.VariantFile(str(calls)) as found:
        assert list(found.header.samples) == ["S 1"]
        called = [(record.pos - 1, record.ref, record.samples[0]["GT"]) for record in found]
    assert called == [(site, genome.contigs["c1"][site], (0, 1)) for site in genome.sites]

    with pysam.AlignmentFile(str(bam)) as reads:
        assert [(sq["SN"], sq["M5"]) for sq in reads.header.to_dict()["SQ"]] == [
            (name, md5(letters.encode()).hexdigest()) for name, letters in genome.contigs.items()
        ]
        records = list(reads.fetch("c1"))  # by the index
    assert {record.get_tag("RG") for record in records} == {"S_1.1", "S_1.2"}
    assert all(record.is_proper_pair and record.has_tag("MC") for record in records)
    assert sum(record.is_read1 for record in records) == sum(r.is_read2 for r in records) == 1400
    assert not list(tmp_path.glob(".*"))


def test_what_is_no_proper_pair(genome: Genome, tmp_path: Path):
    c1, c2 = genome.contigs.values()
    far = (fragment(c1, 0, 300)[0], fragment(c1, 6000, 300)[1])
    other = (fragment(c1, 0, 300)[0], fragment(c2, 500, 300)[1])
    same_strand = (c1[1000:1100], c1[1200:1300])
    lost = (c1[2000:2100], "".join(np.random.default_rng(5).choice(list("ACGT"), 100)))
    odd = {"far": far, "other": other, "same strand": same_strand, "lost": lost}
    pairs = [*odd.values(), *sequenced(genome, 100, seed=3)]
    bam = aligned(genome, tmp_path, pairs, Lane("s", lane="1"))
    with pysam.AlignmentFile(str(bam)) as reads:
        records = list(reads.fetch(until_eof=True))
    assert len(records) == 208
    proper = {record.query_name for record in records if record.is_proper_pair}
    assert proper == {f"r{number}" for number in range(4, 104)}
    flags = {(r.query_name, r.is_read1): r for r in records}
    assert flags["r1", True].next_reference_name == "c2"
    assert flags["r3", True].mate_is_unmapped
    assert flags["r3", False].is_unmapped
    assert flags["r3", False].reference_start == flags["r3", True].reference_start


def test_bounds_of_inserts_are_those_of_bwa():
    # bwa mem -I says for quartiles of 321 and 376: proper from 156 to 541.
    inserts = np.sort(np.random.default_rng(0).normal(349, 40, 5000)).astype(int)
    low, high = insert_bounds(inserts)
    lower, upper = np.percentile(inserts, [25, 75], method="lower")
    assert (low, high) == (lower - 3 * (upper - lower), upper + 3 * (upper - lower))
    assert insert_bounds(np.array([300] * 5)) == (1, 1000)
    assert insert_bounds(np.array([300] * 50)) == (300, 300)


def test_a_few_pairs_are_proper_too(genome: Genome, tmp_path: Path):
    bam = aligned(genome, tmp_path, sequenced(genome, 3, 0), Lane("s", lane="1"))
    with pysam.AlignmentFile(str(bam)) as reads:
        assert [record.is_proper_pair for record in reads] == [True] * 6


@pytest.mark.slow
def test_copies_are_marked_within_a_library_across_its_lanes(genome: Genome, tmp_path: Path):
    pairs = sequenced(genome, 30, seed=4)
    lanes = [
        Lane("s", lane=number, library=library)
        for number, library in (("1", "A"), ("2", "A"), ("3", "B"))
    ]
    files = [(lane, aligned(genome, tmp_path, pairs, lane)) for lane in lanes]
    merge_lanes(files, 1, tmp_path / "s.bam", tmp_path / "s.bam.csi")
    with pysam.AlignmentFile(str(tmp_path / "s.bam")) as reads:
        kept = [r.get_tag("RG") for r in reads if not r.is_duplicate]
    assert kept.count("s.3") == 60
    assert kept.count("s.1") + kept.count("s.2") == 60
    time.sleep(1.1)  # samtools draws by the second
    merge_lanes(files, 4, tmp_path / "again.bam", tmp_path / "again.bam.csi")
    assert (tmp_path / "again.bam").read_bytes() == (tmp_path / "s.bam").read_bytes()


def test_single_reads_and_none(genome: Genome, tmp_path: Path):
    single = [(first,) for first, _ in sequenced(genome, 20, seed=6)]
    lanes = [
        (lane, aligned(genome, tmp_path, reads, lane))
        for lane, reads in ((Lane("s", lane="1", library="s"), single),)
    ]
    empty = write(tmp_path / "empty.fastq.gz", gzip.compress(b""))
    lane = Lane("s", lane="2", library="s")
    align(lane, [empty, empty], genome.index, "bwa", 1, tmp_path / "2.bam")
    merge_lanes([*lanes, (lane, tmp_path / "2.bam")], 1, tmp_path / "s.bam", tmp_path / "s.bam.csi")
    with pysam.AlignmentFile(str(tmp_path / "s.bam")) as reads:
        assert [record.is_paired for record in reads] == [False] * 20


def test_long_reads_by_mappy(genome: Genome, tmp_path: Path):
    c1 = genome.contigs["c1"]
    deleted = c1[1000:2000] + c1[2010:3000]
    chimera = c1[5000:6500] + complement(genome.contigs["c2"][200:1700])
    reads = [(deleted,), (complement(deleted),), (chimera,)]
    lane = Lane("s", lane="1", platform="ont")
    assert aligner_of("auto", lane) == "mappy"
    bam = aligned(genome, tmp_path, reads, lane, "mappy")
    with pysam.AlignmentFile(str(bam)) as found:
        records = {(r.query_name, r.is_supplementary): r for r in found}
    for name in ("r0", "r1"):
        record = records[name, False]
        assert (record.reference_start, record.reference_end) == (1000, 3000)
        assert record.get_tag("NM") == 10
        assert record.query_sequence == deleted
        assert record.get_reference_sequence().upper() == c1[1000:3000]
    first, second = records["r2", False], records["r2", True]
    assert {first.reference_name, second.reference_name} == {"c1", "c2"}
    assert first.get_tag("SA").startswith(second.reference_name)
    assert first.infer_read_length() == second.infer_read_length() == 3000
    refused(lambda: aligner_of("mappy", Lane("s", "R1.fq", "R2.fq")), "single reads")


def test_threads_and_batches_of_mappy_change_no_record(genome: Genome, tmp_path: Path, monkeypatch):
    reads = [(genome.contigs["c1"][at : at + 1500],) for at in range(0, 7000, 500)]
    lane, made = Lane("s", lane="1", platform="ont"), []
    for threads, batch in ((1, 1000), (3, 4)):
        monkeypatch.setattr(align_reads, "READS", batch)
        bam = aligned(genome, tmp_path, reads, lane, "mappy", threads)
        made.append(bam.read_bytes())
    assert made[0] == made[1]


def test_an_aligner_on_path(genome: Genome, tmp_path: Path, monkeypatch):
    refused(
        lambda: aligned(genome, tmp_path, [("ACGT",)], Lane("s", lane="1"), "bwa-mem2"),
        "no bwa-mem2 on PATH",
    )
    sam = "@SQ\tSN:c1\tLN:9000\n@SQ\tSN:c2\tLN:2000\nr\t0\tc2\t7\t60\t4M\t*\t0\t0\tACGT\tIIII\n"
    script = write(tmp_path / "minimap2", f"#!/bin/sh\ncat <<'END'\n{sam}END\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    bam = aligned(genome, tmp_path, [("ACGT",)], Lane("s", lane="1"), "minimap2")
    with pysam.AlignmentFile(str(bam)) as found:
        assert [(r.reference_name, r.get_tag("RG")) for r in found] == [("c2", "s.1")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (">c 1\nAC\n>c 2\nGT\n", "'c' is there twice.*row 3"),
        (">c\n>d\nAC\n", "'c' lacks"),
        ("ACGT\n", "header"),
    ],
)
def test_a_reference_that_is_none(tmp_path: Path, text: str, expected: str):
    fasta = write(tmp_path / "r.fa", text)
    refused(lambda: index_reference(fasta, [], tmp_path / "index"), expected)
    assert not (tmp_path / "index").exists()
