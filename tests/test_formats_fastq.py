"""FASTQ: what goes on was checked record by record, and what is wrong is told with its record."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pysam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bioloom.formats.fastq import check_fastq
from tests.tiny_reads import END_BLOCK, block
from tests.toys import refused, write


def fastq(names: list[str], letters: str = "ACGTN", quality: str = "#:IKF", end="\n") -> str:
    return "".join(end.join([f"@{name}", letters, "+", quality, ""]) for name in names)


def pair(folder: Path, first: list[str], second: list[str]) -> list[Path]:
    mates = zip((1, 2), (first, second), strict=True)
    return [write(folder / f"R{mate}.fq", fastq(names)) for mate, names in mates]


NUMBERS = range(1, 41)
SPELLINGS = {
    "slash": ("m:{}/1", "m:{}/2"),
    "casava": ("m:{} 1:N:0:ATC", "m:{} 2:N:0:ATC"),
    "umi": ("m:{} 1:N:0:ATC", "m:{} 3:N:0:ATC"),
    "plain": ("m:{}", "m:{}"),
    "sra": ("SRX7.{0} {0} length=5", "SRX7.{0} {0} length=5"),
    "sra ids": ("SRX7.{0}.1 {0} length=5", "SRX7.{0}.2 {0} length=5"),
    "dots": ("run.3.{}", "run.3.{}"),
    "tab": ("m:{}\tBX:Z:A", "m:{}\tBX:Z:C"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_usual_spellings_of_mates(tmp_path: Path, spelling: str):
    names = [[form.format(n) for n in NUMBERS] for form in SPELLINGS[spelling]]
    first, second = check_fastq(pair(tmp_path, *names))
    assert first.reads == second.reads == 40
    for shift in (1, -1):  # a file that lost a read
        files = pair(tmp_path, names[0], names[1][shift:] + names[1][:shift])
        refused(lambda: check_fastq(files), r"record \d+ is '.+R1.fq.*'|record \d+")  # noqa: B023


def test_mates_exchanged_late(tmp_path: Path):
    names = [f"m:{n}" for n in range(50_000)]  # so that files come in several pieces
    other = [*names[:-3], names[-2], names[-3], names[-1]]
    refused(lambda: check_fastq(pair(tmp_path, names, other)), "record 49998 .*'m:49997'")


def test_exchanged_files(tmp_path: Path):
    files = pair(tmp_path, ["m/2"], ["m/1"])
    refused(lambda: check_fastq(files), "fastq_1 holds the second mates")


def test_a_mate_file_that_ends_early(tmp_path: Path):
    names = [f"m:{n}" for n in NUMBERS]
    files = pair(tmp_path, names[:20], names)
    refused(lambda: check_fastq(files), "R1.fq ends after record 20, .*R2.fq goes on with 'm:21'")


@pytest.mark.parametrize(
    "names", [["a", "a", "b", "b"], ["a/1", "a/2"], ["a/1", "b/1", "a/2", "b/2"]]
)
def test_both_mates_in_one_file(tmp_path: Path, names: list[str]):
    file = write(tmp_path / "r.fq", fastq(names))
    refused(lambda: check_fastq([file]), "Both mates are in one file", "fastq_2")


def packed(text: str, form: str) -> bytes:
    data = text.encode()
    return {
        "plain": data,
        "gzip": gzip.compress(data),
        "members": gzip.compress(data[:333]) + gzip.compress(data[333:]),
        "BGZF": block(data[:700]) + block(data[700:]) + END_BLOCK,
        "padded": gzip.compress(data) + bytes(512),
    }[form]


@pytest.mark.parametrize("form", ["plain", "gzip", "members", "BGZF", "padded"])
@pytest.mark.parametrize("name", ["r.fastq", "r.fastq.gz"])
def test_all_of_a_file_is_read_whatever_it_is_called(tmp_path: Path, form: str, name: str):
    text = fastq([f"m:{n}" for n in NUMBERS])
    [found] = check_fastq([write(tmp_path / name, packed(text, form))])
    assert (found.reads, found.bases, found.gc, found.longest) == (40, 200, 80, 5)


def test_a_file_that_is_cut_off(tmp_path: Path):
    rng = np.random.default_rng(0)
    text = "".join(fastq([f"m:{n}"], "".join(rng.choice(list("ACGT"), 5))) for n in range(1, 2001))
    whole = gzip.compress(text.encode())
    cut = write(tmp_path / "cut.gz", whole[: len(whole) // 2])
    found = refused(lambda: check_fastq([cut]), "cut off; 9|cut off; 1", "the last is 'm:")
    last = found.split("the last is 'm:")[1].split("'")[0]
    assert f" {last} whole records" in found
    bad = write(tmp_path / "crc.gz", whole[:-8] + b"\0\0\0\0" + whole[-4:])
    refused(lambda: check_fastq([bad]), "damaged", "checksum")
    tail = write(tmp_path / "tail.gz", whole + b"more")
    refused(lambda: check_fastq([tail]), "cut off|damaged")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (fastq(["a", "b"]) + "@c\nACGT\n+\nIII\n", "Record 3, 'c', .*different lengths.*row 9"),
        (fastq(["a"]) + "@c\nACGT\n", "cut off; 1 whole"),
        ("@c\nACGT\n+\nIII", "different lengths"),
        (fastq(["a"]) + ">c\nACGT\n+\nIIII\n", "Record 2 does not begin with '@'"),
        ("@ c\nACGT\n+\nIIII\n", "does not begin with '@' and a name"),
        (f"@{'n' * 255}\nA\n+\nI\n", "more than 254 characters"),
        ("@c\nACGT\n-\nIIII\n", "has no line that begins with"),
        ("@c\nAC-T\n+\nIIII\n", "letter"),
        ("@c\nACGT\n+\nII I\n", "quality character"),
        (fastq(["a"]) + "\n" + fastq(["b"]), "Record 2 does not begin with '@'"),
    ],
)
def test_a_record_that_is_none(tmp_path: Path, text: str, expected: str):
    refused(lambda: check_fastq([write(tmp_path / "r.fq", text)]), expected)


def qualities(folder: Path, *groups: tuple[str, str, int]) -> Path:
    """Records of random characters of a range, so many of each."""
    rng = np.random.default_rng(0)
    text = ""
    for low, high, n in groups:
        for _ in range(n):
            letters = [low, high, *map(chr, rng.integers(ord(low), ord(high) + 1, 48))]
            text += f"@q{len(text)}\n{'A' * 50}\n+\n{''.join(letters)}\n"
    return write(folder / "q.fq", text)


@pytest.mark.parametrize(
    ("groups", "offset", "is_assumed"),
    [
        ([("#", "J", 30)], 33, False),
        ([("B", "h", 30)], 64, False),
        ([("E", "K", 30)], 33, True),
        ([("B", "B", 10)], 33, True),
        ([("#", "S", 30), ("F", "S", 5), ("#", "9", 5)], 33, False),  # above Q42, in one read
        ([("~", "~", 30)], 33, False),  # of long reads
    ],
)
def test_the_encoding_is_told_by_the_whole_range(tmp_path, groups, offset, is_assumed):
    [found] = check_fastq([qualities(tmp_path, *groups)])
    assert (found.quality_offset, found.is_offset_assumed) == (offset, is_assumed)


def test_two_encodings_in_a_file(tmp_path: Path):
    mixed = qualities(tmp_path, ("#", "J", 20), ("B", "h", 20))
    refused(lambda: check_fastq([mixed]), "Record 21 .*row 81")


def test_windows_line_ends_and_empty_reads(tmp_path: Path):
    text = fastq(["a", "b"], end="\r\n") + fastq(["c"], "", "") + fastq(["d"])[:-1]
    [found] = check_fastq([write(tmp_path / "r.fq", text)])
    assert (found.reads, found.bases, found.empty) == (4, 15, 1)


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0), b"\n\n"])
def test_no_reads_are_no_mistake(tmp_path: Path, content: bytes):
    assert check_fastq([write(tmp_path / "r.fq", content)])[0].reads == 0


letters = st.text("ACGTNacgtn", max_size=30)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reads=st.lists(letters, max_size=30), data=st.data())
def test_counts_are_those_of_htslib(tmp_path: Path, reads: list[str], data):
    form = data.draw(st.sampled_from(["plain", "gzip", "BGZF"]))
    text = "".join(fastq([f"r{i} x"], s, "I" * len(s)) for i, s in enumerate(reads))
    file = write(tmp_path / "r.fq", packed(text, form))
    [found] = check_fastq([file])
    with pysam.FastxFile(str(file)) as records:
        seen = [record.sequence or "" for record in records]
    assert (found.reads, found.bases) == (len(seen), sum(map(len, seen)))
    assert found.gc == sum(s.upper().count("G") + s.upper().count("C") for s in seen)
    assert found.empty == seen.count("")
