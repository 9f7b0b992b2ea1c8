"""Trimming: the bases that are left, both mates in step, and why reads were left out."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from bioloom.files import read_json
from bioloom.formats.fastq import check_fastq
from bioloom.formats.sample_sheet import Lane
from bioloom.reads.choices import KITS, adapters_of
from bioloom.reads.trimming import trim
from tests.tiny_reads import complement, write_fastq
from tests.toys import refused, write

OPTIONS = {"adapters": "auto", "poly_g": None, "trim_quality": 0, "min_read_length": 20}
LENGTH = 75


def fragment(rng: np.random.Generator, length: int) -> tuple[str, str]:
    """Both mates of a fragment, with what follows where it is shorter than a read."""
    inside = "".join(rng.choice(list("AT"), length))  # no end looks like an adapter by chance
    mates = inside, complement(inside)
    read = [mate + adapter + "A" * 50 for mate, adapter in zip(mates, KITS["truseq"], strict=True)]
    return read[0][:LENGTH], read[1][:LENGTH]


@pytest.fixture
def lane(tmp_path: Path) -> Lane:
    """26 long fragments, 10 of 40 bases, 4 of 12, 8 dimers, 6 whose second mate gave no light."""
    rng = np.random.default_rng(1)
    lengths = [200] * 26 + [40] * 10 + [12] * 4 + [0] * 8
    pairs = [fragment(rng, length) for length in lengths]
    pairs += [(fragment(rng, 200)[0], "G" * LENGTH) for _ in range(6)]
    return Lane("part", *write_fastq(tmp_path, [pairs[i] for i in rng.permutation(len(pairs))]))


def trimmed(lane: Lane, folder: Path, **options) -> dict:
    trim(lane, OPTIONS | options, 1, folder)
    return read_json(folder / "trimmed.json")


def test_adapters_and_short_pairs(lane: Lane, tmp_path: Path):
    record = trimmed(lane, tmp_path / "out", poly_g=False)
    assert (record["fragments"], record["fragments_kept"], record["bases_kept"]) == (54, 42, 5600)
    assert (record["kit"], record["too_short"]) == ("truseq", 12)
    assert record["dimers"] == round(8 / 54, 4)
    assert record["cut"]["1"]["adapter"] == {"reads": 22, "whole_reads": 8}
    first, second = check_fastq([tmp_path / "out/1.fastq.gz", tmp_path / "out/2.fastq.gz"])
    assert (first.reads, second.reads, first.empty) == (42, 42, 0)


def test_poly_g_is_seen_and_cut(lane: Lane, tmp_path: Path):
    record = trimmed(lane, tmp_path / "out")
    assert record["poly_g"]
    assert (record["fragments_kept"], record["bases_kept"]) == (36, 4700)
    assert record["cut"]["2"]["polyG"]["whole_reads"] == 6


def test_a_quality_is_no_poly_g(tmp_path: Path):
    rng = np.random.default_rng(0)
    pairs = [fragment(rng, 200) for _ in range(50)]
    files = write_fastq(tmp_path, pairs, quality="G")
    record = trimmed(Lane("s", *files), tmp_path / "out")
    assert not record["poly_g"]
    assert record["bases_kept"] == record["bases"]


def test_adapters_may_be_given(lane: Lane, tmp_path: Path):
    sequences = {"adapters": ",".join(KITS["truseq"]), "poly_g": False}
    assert trimmed(lane, tmp_path / "given", **sequences)["bases_kept"] == 5600
    assert trimmed(lane, tmp_path / "none", adapters="none", poly_g=False)["bases_kept"] == 8100
    for wrong in ("trueseq", "ACGT,ACGT,ACGT", ""):
        refused(lambda: trim(lane, OPTIONS | {"adapters": wrong}, 1, tmp_path / "x"), "adapters")  # noqa: B023
    assert not (tmp_path / "x").exists()


def test_long_reads_have_no_adapters_of_illumina():
    assert adapters_of("auto", "truseq", "illumina") == KITS["truseq"]
    assert adapters_of("auto", "truseq", "ont") == adapters_of("auto", None, "illumina") == ()


def test_the_same_reads_give_the_same_report(lane: Lane, tmp_path: Path):
    trim(lane, OPTIONS, 1, tmp_path / "out")
    before = (tmp_path / "out/cutadapt.json").read_bytes()
    trim(lane, OPTIONS, 1, tmp_path / "out")
    assert (tmp_path / "out/cutadapt.json").read_bytes() == before


def test_only_dimers_leave_no_read(tmp_path: Path):
    rng = np.random.default_rng(2)
    files = write_fastq(tmp_path, [fragment(rng, 0) for _ in range(20)])
    record = trimmed(Lane("dimers", *files), tmp_path / "out")
    assert (record["fragments"], record["fragments_kept"], record["dimers"]) == (20, 0, 1.0)
    assert check_fastq([tmp_path / "out/1.fastq.gz"])[0].reads == 0


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)])
def test_no_reads_in_none_out(tmp_path: Path, content: bytes):
    file = write(tmp_path / "r.fastq.gz", content)
    record = trimmed(Lane("s", str(file)), tmp_path / "out")
    assert (record["fragments"], record["fragments_kept"]) == (0, 0)


def test_an_empty_read_is_left_out_and_windows_ends_are_no_bases(tmp_path: Path):
    reads = "".join(f"@{n}\r\n{s}\r\n+\r\n{'I' * len(s)}\r\n" for n, s in enumerate(["A" * 30, ""]))
    file = write(tmp_path / "r.fastq.gz", reads)  # and it is no gzip
    record = trimmed(Lane("s", str(file)), tmp_path / "out")
    assert (record["fragments"], record["fragments_kept"], record["bases_kept"]) == (2, 1, 30)


def test_phred_64_becomes_phred_33(tmp_path: Path):
    text = "".join(f"@{n}\n{'ACGT' * 10}\n+\n{'BQah' * 10}\n" for n in range(3))
    trim(Lane("s", str(write(tmp_path / "r.fq", text))), OPTIONS, 1, tmp_path / "out")
    with gzip.open(tmp_path / "out/1.fastq.gz", "rt") as reads:
        assert reads.read().splitlines()[3] == "#2BI" * 10


def test_a_damaged_file_leaves_nothing(tmp_path: Path):
    file = write(tmp_path / "r.fq", "@a\nACGT\n+\nIII\n")
    refused(lambda: trim(Lane("s", str(file)), OPTIONS, 1, tmp_path / "out"), "Record 1, 'a'")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.fq"]


@pytest.mark.parametrize("content", ["@a\nACGT\n+\nIIII\n\n", "@a 1:N:0:AC\nACGT\n+a\nIIII\n"])
def test_what_cutadapt_refuses_is_one_line(tmp_path: Path, content: str):
    lane = Lane("s", str(write(tmp_path / "a.fastq", content)))
    refused(lambda: trimmed(lane, tmp_path / "out"), "cutadapt cannot read this.*a.fastq")
    assert not (tmp_path / "out").exists()
