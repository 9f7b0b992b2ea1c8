"""Figures of samples equal those of plain loops, and a sample without reads is left out by name."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pysam
import pytest

from bioloom.files import read_json
from bioloom.formats.sample_sheet import Lane, read_sheet
from bioloom.reads import programs
from bioloom.reads.multiqc import multiqc
from bioloom.reads.statistics import read_statistics, write_statistics
from bioloom.reads.summary import hints, list_reads, summarise_reads, write_summary
from bioloom.reads.trimming import trim
from tests.tiny_reads import Read, write_fastq, write_reads
from tests.toys import refused, write

OPTIONS = {"adapters": "none", "poly_g": False, "trim_quality": 0, "min_read_length": 30}


def lane(folder: Path, sample: str, number: str, lengths: list[int]) -> tuple[Lane, Path]:
    """A trimmed lane of reads of these lengths."""
    rng = np.random.default_rng(0)
    reads = [("".join(rng.choice(list("ACGT"), length)),) for length in lengths]
    files = write_fastq(folder / f"{sample}{number}", reads)
    one = Lane(sample, *files, lane=number, library=sample)
    trim(one, OPTIONS, 1, folder / f"trimmed/{one.folder}/{number}")
    return one, folder / f"trimmed/{one.folder}/{number}"


def test_a_sample_without_reads_is_left_out_by_name(tmp_path: Path):
    trimmed = [
        lane(tmp_path, "S 1", "1", [50, 20]),
        lane(tmp_path, "S 1", "2", [20]),
        lane(tmp_path, "short", "1", [20, 20]),
    ]
    given = Lane("g", bam=str(write_reads(tmp_path / "g.bam", [], {"c": 9})), lane="1", library="g")
    rows = [given, *(one for one, _ in trimmed)]
    list_reads(rows, trimmed, {}, tmp_path / "trimmed.csv")
    listed = read_sheet(tmp_path / "trimmed.csv")
    assert [(row.sample, row.lane) for row in listed] == [("g", "1"), ("S 1", "1")]
    assert listed[1].fastq == [str(tmp_path / "trimmed/S_1/1/1.fastq.gz")]

    bams = {name: write_reads(tmp_path / f"{name}.bam", [], {"c": 9}) for name in ("S 1", "short")}
    list_reads(rows, trimmed, bams, tmp_path / "aligned.csv")
    listed = read_sheet(tmp_path / "aligned.csv")
    assert [(row.sample, row.bam) for row in listed[1:]] == [("S 1", str(bams["S 1"]))]

    found = summarise_reads(trimmed, {}, None)
    assert (found["S 1"]["fragments"], found["S 1"]["fragments_kept"]) == (3, 1)
    assert found["short"]["hints"] == ["left out: 0 of 2 fragments are left after trimming"]
    write_summary(found, tmp_path / "summary.json", tmp_path / "summary.csv")
    assert read_json(tmp_path / "summary.json") == found
    with (tmp_path / "summary.csv").open() as stream:
        assert [row["fragments_kept"] for row in csv.DictReader(stream)] == ["1", "0"]


def test_no_sample_is_left(tmp_path: Path):
    trimmed = [lane(tmp_path, "s", "1", [20])]
    sheet = tmp_path / "trimmed.csv"
    lanes = [one for one, _ in trimmed]
    expected = r"No sample has reads.*s: 0 of 1", "min_read_length"
    refused(lambda: list_reads(lanes, trimmed, {}, sheet), *expected)
    assert not sheet.exists()


def test_figures_are_those_of_a_plain_loop(tmp_path: Path):
    rng = np.random.default_rng(0)
    reads = []
    for number in range(60):
        start, duplicate = int(rng.integers(0, 600)), 0x400 * (number % 10 == 0)
        for mate, (flag, at) in enumerate(((0x63, start), (0x93, start + 200))):
            letters = "".join(rng.choice(list("ACGT"), 50))
            place = {"flag": flag | duplicate, "mapping": 60 * (number % 3 > 0)}
            reads.append(Read(f"r{number}", at, "50M", letters, **place))
            assert mate == (flag >> 7 & 1)
    reads.append(Read("lost", -1, "", "ACGT", flag=4, contig=-1))
    lengths = {"c": 1000, "empty": 1000}
    fasta = write(tmp_path / "r.fa", "".join(f">{c}\n{'ACGT' * 250}\n" for c in lengths))
    bam = write_reads(tmp_path / "s.bam", reads, lengths)
    cram = write_reads(tmp_path / "s.cram", reads, lengths, reference_filename=str(fasta))
    (tmp_path / "r.fa.fai").unlink()
    write(tmp_path / "s.bam.bai", "of another file")
    for file in (bam, cram):
        write_statistics(file, "s.x", fasta, tmp_path / file.suffix)
    found = read_statistics(tmp_path / ".bam")
    # The BAM has no tag NM to know errors by.
    assert found["error_rate"] is None
    assert read_statistics(tmp_path / ".cram") | {"error_rate": None} == found
    assert not (tmp_path / "r.fa.fai").exists()
    [figures] = summarise_reads([], {"s": tmp_path / ".bam"}, None).values()
    assert figures == found | {"hints": []}
    depth, usable = np.zeros(2000), np.zeros(2000)
    with pysam.AlignmentFile(str(bam)) as records:
        for record in records:
            if not record.is_duplicate and not record.is_unmapped:
                depth[record.reference_start : record.reference_end] += 1
                usable[record.reference_start : record.reference_end] += record.mapping_quality > 0
    assert found["reads"] == 121
    assert found["mapped"] == round(120 / 121, 4)
    assert found["duplicates"] == round(12 / 121, 4)
    assert found["coverage"] == pytest.approx(depth.mean(), abs=0.01)
    assert found["covered"] == round(float((depth > 0).mean()), 4)
    # Reads that may lie elsewhere tell nothing of a genotype.
    assert found["without_data"] == round(float((usable == 0).mean()), 4) > 1 - found["covered"]


def test_hints_name_what_is_odd():
    usual = {
        "fragments": 9, "fragments_kept": 9, "frequent": {}, "dimers": 0.0, "adapter_reads": 0.1,
        "polyg_reads": 0.0, "gc": 0.41, "phred_64": [], "quality_offset_assumed": [],
        "mapped": 0.99, "duplicates": 0.1,
    }  # fmt: skip
    assert hints(usual, 0.42) == []
    odd = {
        "dimers": 0.2, "polyg_reads": 0.1, "gc": 0.6, "mapped": 0.3, "frequent": {"ACGT" * 9: 0.1}
    }  # fmt: skip
    said = " ".join(hints(usual | odd, 0.42))
    for word in ("dimers", "two colours", "GC", "another organism", "unknown origin"):
        assert word in said
    marked = {"reads": 1_000_000, "duplicates": 0.0001}
    assert hints(usual | marked, 0.42) == []
    assert "no copies are marked" in hints(usual | marked | {"duplicates": 0.0}, 0.42)[0]
    assert hints(usual | {"reads": 500, "duplicates": 0.0}, 0.42) == []
    assert "unknown origin" not in " ".join(hints(usual | {"frequent": {"G" * 50: 0.1}}, 0.42))


def test_what_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr(programs, "find_spec", lambda package: None)
    refused(lambda: programs.module("cutadapt"), "package cutadapt", r"bioloom\[reads\]")


@pytest.mark.slow
def test_names_that_look_like_suffixes_stay_apart_in_multiqc(tmp_path: Path):
    names = ("a", "a_1", "a_trimmed", "a.stats.b")
    trimmed = [lane(tmp_path, name, "1", [50] * 9) for name in names]
    statistics = []
    for name in names:
        reads = [Read(f"r{n}", n, "50M", "ACGTA" * 10) for n in range(9)]
        bam = write_reads(tmp_path / f"{name}.bam", reads, {"c": 100})
        statistics.append(tmp_path / f"statistics/{name}")
        write_statistics(bam, name, write(tmp_path / "r.fa", ""), statistics[-1])
    multiqc("toy, ward", trimmed, statistics, tmp_path / "multiqc.html")
    page = (tmp_path / "multiqc.html").read_text()
    for name in names:
        assert f'"{name}"' in page
        assert f'"{name}.1"' in page
    assert not list(tmp_path.glob("*multiqc_data"))
    assert 'reportUuid = "";' in page  # the same bytes of the same reads, wherever they lie
    assert "generated on" not in page
    assert str(tmp_path) not in page
