"""BGZF, the index of our own, and regions: what is damaged or foreign is refused by name."""

from __future__ import annotations

import shutil
import struct
import zlib

import numpy as np
import pysam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.errors import DataError
from bioloom.reads import bgzf
from bioloom.reads.alignments import open_reads
from bioloom.reads.bam import Bam
from bioloom.reads.bgzf import END_BLOCK, read_blocks
from bioloom.reads.pileup import pileup
from tests.tiny_reads import Read, block, inflated, write_blocks, write_reads

CONTIGS = {"chr1": 3000, "chr2": 500, "HLA-X*01:01": 100}


def some_reads(n: int, seed: int = 0) -> list[Read]:
    rng = np.random.default_rng(seed)
    letters = "".join(rng.choice(list("ACGT"), 50))
    places = zip(rng.integers(0, 2, n), rng.integers(0, 400, n), strict=True)
    return [
        Read(f"r{i}", int(start) * (6 if not contig else 1), "50M", letters, contig=int(contig))
        for i, (contig, start) in enumerate(places)
    ]


@pytest.fixture
def bam(tmp_path):
    """150 reads on two contigs, one that is placed but not mapped, and two without a place."""
    placed = Read("placed", 60, "", "ACGT", flag=4)
    lost = [Read(f"lost{i}", -1, "", "ACGT", flag=4, contig=-1) for i in range(2)]
    reads = sorted([*some_reads(150), placed], key=lambda r: (r.contig, r.start)) + lost
    return write_reads(tmp_path / "reads.bam", reads, CONTIGS, sort=False)


def names(records) -> list[str]:
    return [records.name(row) for row in range(len(records))]


def fetched(path, contig, start, end) -> list[str]:
    with pysam.AlignmentFile(str(path)) as reads:
        return [r.query_name for r in reads.fetch(contig, start, end) if not r.is_unmapped]


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 40, 300, 60_000])
def test_regions_have_the_records_that_pysam_fetches(tmp_path, bam, size):
    pysam.index(str(bam))
    found = Bam(write_blocks(tmp_path / "blocks.bam", inflated(bam), size))
    assert found.index.records.tolist()[2:] == [0, 2]
    assert found.index.records.sum() == 153
    for contig, length in CONTIGS.items():
        for start in range(0, length, 37):
            for end in {start, start + 1, min(start + 90, length), length}:
                records = found.records(contig, start, min(end, length))
                assert names(records) == fetched(bam, contig, start, min(end, length))


def test_a_long_gap_reaches_over_many_blocks(tmp_path):
    reads = [Read("far", 10, "5M2000N5M", "ACGTACGTAC"), *some_reads(100)]
    path = write_reads(tmp_path / "reads.bam", reads, CONTIGS)
    found = Bam(write_blocks(tmp_path / "blocks.bam", inflated(path), 200))
    assert "far" in names(found.records("chr1", 2012, 2013))
    assert "far" not in names(found.records("chr1", 2020, 2021))


def test_contigs_beyond_the_end_of_bai(tmp_path):
    reads = [Read("near", 5, "3M", "ACG"), Read("far", 550_000_000, "3M", "ACG")]
    path = write_reads(tmp_path / "reads.bam", reads, {"big": 600_000_000})
    assert names(Bam(path).records("big", 550_000_001, 550_000_010)) == ["far"]


def test_an_index_of_another_file_is_never_asked(tmp_path, bam):
    old = write_reads(tmp_path / "old.bam", some_reads(20, seed=1), CONTIGS)
    pysam.index(str(old))
    shutil.copy(f"{old}.bai", f"{bam}.bai")
    assert len(Bam(bam).records("chr1", 0, 3000)) + len(Bam(bam).records("chr2", 0, 500)) == 150


def test_an_index_is_kept_and_bound_to_its_file(tmp_path, bam):
    kept = tmp_path / "work/reads.npz"
    first = names(Bam(bam, kept).records("chr2", 100, 300))
    assert kept.exists()
    assert names(Bam(bam, kept).records("chr2", 100, 300)) == first
    assert sorted(p.name for p in bam.parent.glob("reads*")) == ["reads.bam"]
    raw = bytearray(inflated(bam))
    raw[-300] ^= 1
    for other in (inflated(bam) + raw[-200:], bytes(raw)):
        write_blocks(bam, other, 60_000)
        with pytest.raises(DataError, match="not the one that its index was made of"):
            Bam(bam, kept).records("chr2", 100, 300)
    kept.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(DataError, match="remove it; a new one is made"):
        Bam(bam, kept)


def test_a_file_of_the_same_size_with_another_block_is_refused(tmp_path, bam):
    kept, size = tmp_path / "reads.npz", 60_000
    data = inflated(bam)
    stored = [data, data[:-1] + bytes([data[-1] ^ 1])]
    files = [_stored(d, size) for d in stored]
    bam.write_bytes(files[0])
    Bam(bam, kept)
    bam.write_bytes(files[1])
    with pytest.raises(DataError, match="not the one that its index was made of"):
        Bam(bam, kept).records("chr1", 0, 3000)


def _stored(data: bytes, size: int) -> bytes:
    """Blocks that are not compressed."""
    out = b""
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        packer = zlib.compressobj(0, wbits=-15)
        packed = packer.compress(piece) + packer.flush()
        head = block(b"")[:16] + struct.pack("<H", len(packed) + 25)
        out += head + packed + struct.pack("<II", zlib.crc32(piece), len(piece))
    return out + END_BLOCK


def test_unsorted_reads_are_refused_with_record_name_and_place(tmp_path):
    reads = [Read("a", 20, "3M", "ACG"), Read("b", 9, "3M", "ACG")]
    path = write_reads(tmp_path / "reads.bam", reads, CONTIGS, sort=False)
    with pytest.raises(DataError, match=r"record 2, 'b', at chr1:10 comes after chr1:21.*sort"):
        Bam(path)
    mixed = [Read("a", 20, "3M", "ACG", contig=1), Read("b", 9, "3M", "ACG")]
    path = write_reads(tmp_path / "reads.bam", mixed, CONTIGS, sort=False)
    with pytest.raises(DataError, match="'b', at chr1:10 comes after chr2:21"):
        Bam(path)


@pytest.mark.parametrize(
    ("contig", "start", "end", "message"),
    [
        ("1", 0, 9, "No contig '1'.*'chr1'"),
        ("chrM", 0, 9, "No contig 'chrM'"),
        ("HLA-X", 0, 9, "No contig"),
        ("chr1", 0, 3001, "does not lie on chr1, of 3000 bases"),
        ("chr1", -1, 9, "does not lie"),
        ("chr1", 9, 8, "does not lie"),
    ],
)
def test_a_region_that_is_not_there(bam, contig, start, end, message):
    with pytest.raises(DataError, match=message):
        Bam(bam).records(contig, start, end)


def test_a_name_with_colon_and_star_is_a_name(tmp_path):
    path = write_reads(tmp_path / "r.bam", [Read("a", 5, "3M", "ACG", contig=2)], CONTIGS)
    assert names(Bam(path).records("HLA-X*01:01", 0, 100)) == ["a"]


def test_more_operations_than_the_field_holds(tmp_path):
    n = 66_000
    cigar = "1M1I" * (n // 2)
    read = Read("long", 7, cigar, "AC" * (n // 2), tags=(("XA", [1, 2]), ("XZ", "CG")))
    path = write_reads(tmp_path / "reads.bam", [read], {"chr1": 100_000})
    found = pileup(Bam(path).records("chr1", 0, 100_000), 0, 100_000)
    assert found.counts[:, 0, 0].sum() == found.insertions[:, 0].sum() == n // 2
    data = inflated(path)
    cut = data[: data.rindex(b"CGBI")] + b"XYBI" + data[data.rindex(b"CGBI") + 4 :]
    with pytest.raises(DataError, match="record 1 has more than 65,535 CIGAR operations"):
        Bam(write_blocks(path, cut, 60_000))


def damaged_file(whole: bytes, kind: str) -> bytes:
    """Of three blocks and the end block, the second one damaged."""
    first, second, third, end = (
        whole[a:b] for a, b in zip(_begins(whole), [*_begins(whole)[1:], None], strict=True)
    )
    at = len(second) // 2
    return {
        "cut in a block": first + second[:at],
        "cut in a header": first + second[:9],
        "cut in the extra field": first + second[:15],
        "cut between blocks": first + second,
        "no end block": first + second + third,
        "garbled": first + second[:30] + b"\xff" * 20 + second[50:] + third + end,
        "wrong checksum": first + second[:-8] + b"\0\0\0\0" + second[-4:] + third + end,
        "wrong length": first + second[:-4] + b"\1\0\0\0" + third + end,
        "absurd length": first + second[:-4] + b"\xff\xff\xff\xff" + third + end,
        "text in between": first + b"some text\n" + second + third + end,
        "text at the end": whole + b"some text\n",
        "zeros at the end": whole + bytes(512),
        "plain gzip": first + zlib.compress(b"x", wbits=31) + end,
        "no size": first + second[:12] + b"XX" + second[14:] + third + end,
        "impossible size": first + second[:16] + b"\x05\0" + second[18:] + third + end,
    }[kind]


def _begins(whole: bytes) -> list[int]:
    begins, at = [], 0
    while at < len(whole):
        begins.append(at)
        at += struct.unpack_from("<H", whole, at + 16)[0] + 1
    return begins


KINDS = {
    "cut in a block": "cut off.*byte {at}",
    "cut in a header": "cut off.*byte {at}",
    "cut in the extra field": "cut off.*byte {at}",
    "cut between blocks": "cut off",
    "no end block": "cut off.*end-of-file block",
    "garbled": "block at byte {at} (does not inflate|holds|has another)",
    "wrong checksum": "block at byte {at} has another checksum",
    "wrong length": "block at byte {at}",
    "absurd length": "block at byte {at} says that it holds",
    "text in between": "No BGZF block begins at byte {at}",
    "text at the end": "No BGZF block begins at byte",
    "zeros at the end": "No BGZF block begins at byte",
    "plain gzip": "No BGZF block begins at byte {at}",
    "no size": "byte {at} does not say its size",
    "impossible size": "byte {at} does not say its size",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("inflater", [bgzf.inflater, zlib], ids=["installed", "zlib"])
def test_each_damage_is_named_with_file_and_byte(tmp_path, bam, kind, inflater, monkeypatch):
    monkeypatch.setattr(bgzf, "inflater", inflater)
    data = inflated(bam)
    write_blocks(bam, data, len(data) // 3 + 1)
    whole = bam.read_bytes()
    bam.write_bytes(damaged_file(whole, kind))
    with pytest.raises(DataError, match=KINDS[kind].format(at=_begins(whole)[1])) as error:
        open_reads(bam)
    assert str(bam) in str(error.value)


@pytest.mark.parametrize("content", [b"", b"@HD\tVN:1.6\n", b"\x1f\x8b", END_BLOCK, b"BAM\1"])
def test_what_is_no_bam(tmp_path, content):
    path = tmp_path / "reads.bam"
    path.write_bytes(content)
    with pytest.raises(DataError, match="neither BAM nor CRAM|is no BAM"):
        open_reads(path)
    with pytest.raises(DataError, match="no such file"):
        open_reads(tmp_path / "other.bam")


def test_empty_blocks_between_others_are_no_end(tmp_path, bam):
    data = inflated(bam)
    joined = b"".join([block(data[:500]), END_BLOCK, block(data[500:]), END_BLOCK])
    bam.write_bytes(joined)
    assert Bam(bam).index.records.sum() == 153
    assert sum(len(b.data) for b in read_blocks(bam)) == len(data)


def test_a_file_that_ends_inside_a_record(bam):
    write_blocks(bam, inflated(bam)[:-7], 300)
    with pytest.raises(DataError, match="ends inside record 153"):
        Bam(bam)


def test_a_file_without_reads(tmp_path):
    found = Bam(write_reads(tmp_path / "reads.bam", [], CONTIGS))
    assert len(found.records("chr1", 0, 3000)) == 0


@pytest.mark.parametrize(
    ("at", "form", "value", "message"),
    [
        (0, "<i", 5, "impossible size"),
        (0, "<i", -1, "impossible size"),
        (0, "<i", 1 << 30, "impossible size"),
        (4, "<i", 3, "contig"),
        (4, "<i", -2, "contig"),
        (8, "<i", -2, "before or beyond"),
        (12, "<B", 0, "shorter than"),
        (12, "<B", 4, "shorter than"),
        (36 + 2, "<B", 65, "name that does not end"),
        (16, "<H", 60_000, "shorter than"),
        (20, "<i", -1, "shorter than"),
        (20, "<i", 1 << 30, "shorter than"),
        (20, "<i", 49, "does not fit its sequence"),
        (36 + 3, "<I", 50 << 4 | 9, "unknown operation"),
        (36 + 3, "<I", (1 << 28) - 1 << 4, "does not fit its sequence"),
    ],
)
def test_each_damage_of_a_record_is_named(tmp_path, at, form, value, message):
    reads = [Read(f"q{i}", 5 + i, "50M", "A" * 50) for i in range(3)]
    path = write_reads(tmp_path / "reads.bam", reads, CONTIGS)
    data = bytearray(inflated(path))
    struct.pack_into(form, data, data.index(b"q1\0") - 36 + at, value)
    with pytest.raises(DataError, match=f"record 2 .*({message})"):
        Bam(write_blocks(path, bytes(data), 60_000))


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_bytes_at_random_never_crash(tmp_path_factory, changes):
    """A sound container around garbled records: an error for the user, or an answer."""
    folder = tmp_path_factory.getbasetemp()
    path = write_reads(folder / "garbled.bam", some_reads(12), CONTIGS)
    data = bytearray(inflated(path))
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    try:
        found = Bam(write_blocks(path, bytes(data), 500))
        for contig, length in zip(found.header.contigs, found.header.lengths, strict=True):
            end = min(length, 3000)
            pileup(found.records(contig, 0, end), 0, end)
    except DataError:
        pass


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.floats(0, 1), st.integers(1, 255), st.booleans())
def test_one_wrong_byte_of_the_file_changes_no_answer(tmp_path_factory, place, change, cut):
    """Refused, or a byte that says nothing, such as the time in a block's header."""
    folder = tmp_path_factory.getbasetemp()
    path = write_reads(folder / "flipped.bam", some_reads(12), CONTIGS)
    data = inflated(path)
    whole = bytearray(write_blocks(path, data, 700).read_bytes())
    at = int(place * (len(whole) - 1))
    whole[at] ^= change
    path.write_bytes(whole[:at] if cut else whole)
    try:
        found = Bam(path)
        assert b"".join(b.data for b in read_blocks(path)) == data
        assert len(found.records("chr1", 0, 3000)) + len(found.records("chr2", 0, 500)) == 12
    except DataError:
        pass
