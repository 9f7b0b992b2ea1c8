"""CRAM gives what BAM gives; a reference that is wrong or missing is named as such."""

from __future__ import annotations

from hashlib import md5

import numpy as np
import pysam
import pytest

from bioloom.errors import DataError
from bioloom.reads.alignments import header_of, open_reads
from bioloom.reads.pileup import pileup
from tests.tiny_reads import Read, write_reads
from tests.toys import refused

LENGTH = 2000
REFERENCE = "".join(np.random.default_rng(0).choice(list("ACGT"), LENGTH))


def fasta(path, letters=REFERENCE, name="chr1", width=60):
    lines = [letters[at : at + width] for at in range(0, len(letters), width)]
    path.write_text("\n".join([f">{name} from the tests", *lines, ""]))
    return path


def some_reads() -> list[Read]:
    starts = np.random.default_rng(1).integers(0, LENGTH - 60, 200)
    reads = [Read(f"r{i}", int(s), "50M", REFERENCE[s : s + 50]) for i, s in enumerate(starts)]
    changed = REFERENCE[700:720] + "TT" + REFERENCE[720:740] + REFERENCE[743:760]
    return [*reads, Read("changed", 700, "20M2I20M3D17M", changed, flag=16)]


@pytest.fixture
def folder(tmp_path):
    """reads.bam, reads.cram with M5 in its header, embedded.cram, ref.fasta; no index."""
    reference = fasta(tmp_path / "made.fasta")
    m5 = md5(REFERENCE.encode()).hexdigest()
    sq = [{"SN": "chr1", "LN": LENGTH, "M5": m5}]
    for name, options in (
        ("reads.bam", {}),
        ("reads.cram", {"reference_filename": str(reference)}),
        (
            "embedded.cram",
            {"reference_filename": str(reference), "format_options": [b"embed_ref=1"]},
        ),
    ):
        write_reads(tmp_path / name, some_reads(), {}, sq=sq, **options)
    # The header names the place where it was.
    reference.with_name("made.fasta.fai").unlink()
    reference.rename(tmp_path / "ref.fasta")
    return tmp_path


@pytest.mark.parametrize("name", ["reads.cram", "embedded.cram"])
def test_cram_gives_what_bam_gives(folder, name):
    bam, cram = open_reads(folder / "reads.bam"), open_reads(folder / name, folder / "ref.fasta")
    for start, end in ((0, LENGTH), (690, 760), (719, 720), (0, 0)):
        ours, theirs = bam.records("chr1", start, end), cram.records("chr1", start, end)
        assert [ours.name(r) for r in range(len(ours))] == [
            theirs.name(r) for r in range(len(theirs))
        ]
        one, other = (pileup(records, start, end) for records in (ours, theirs))
        np.testing.assert_array_equal(one.counts, other.counts)
        np.testing.assert_array_equal(one.qualities, other.qualities)
        np.testing.assert_array_equal(one.insertions, other.insertions)
    assert not list(folder.glob("*.fai")) + list(folder.glob("*.crai"))


def test_a_reference_in_lower_case_and_other_lines_is_the_same(folder):
    lower = fasta(folder / "lower.fasta", REFERENCE[:300].lower() + REFERENCE[300:], width=70)
    records = open_reads(folder / "reads.cram", lower).records("chr1", 0, LENGTH)
    assert len(records) == 201
    assert pileup(records, 0, LENGTH).depth.sum() == 200 * 50 + 60


def test_a_file_with_its_reference_inside_needs_no_other(folder):
    found, wanted = (
        pileup(open_reads(folder / name).records("chr1", 0, LENGTH), 0, LENGTH).counts
        for name in ("embedded.cram", "reads.bam")
    )
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", ["reads.cram", "embedded.cram"])
def test_another_reference_is_told_by_its_checksum(folder, name):
    letters = "A" if REFERENCE[1000] != "A" else "C"
    other = fasta(folder / "other.fasta", REFERENCE[:1000] + letters + REFERENCE[1001:])
    with pytest.raises(
        DataError, match="Another reference: the M5 of chr1 is [0-9a-f]{32}"
    ) as error:
        open_reads(folder / name, other).records("chr1", 0, 10)
    assert md5(REFERENCE.encode()).hexdigest() in str(error.value)
    with pytest.raises(DataError, match="has no contig 'chr1'"):
        open_reads(folder / name, fasta(folder / "2.fasta", name="2")).records("chr1", 0, 10)


@pytest.mark.parametrize("name", ["reads.cram", "embedded.cram"])
def test_without_checksums_in_the_header_no_reference_is_trusted(folder, name):
    """Here the header is as it would be in a file of another program."""
    cram = open_reads(folder / name, fasta(folder / "other.fasta", REFERENCE[::-1]))
    del cram._contigs[0]["M5"]
    if name == "embedded.cram":
        wanted = open_reads(folder / "reads.bam").records("chr1", 0, LENGTH)
        found = cram.records("chr1", 0, LENGTH)
        both = [pileup(records, 0, LENGTH).counts for records in (found, wanted)]
        np.testing.assert_array_equal(*both)
    else:
        with pytest.raises(DataError, match="no checksum .M5. of chr1"):
            cram.records("chr1", 0, LENGTH)


def test_a_missing_reference_is_asked_for(folder, capfd):
    with pytest.raises(DataError, match="chr1 cannot be decoded without their reference.*give"):
        open_reads(folder / "reads.cram").records("chr1", 0, LENGTH)
    # The place that the header names is not followed in silence.
    place = fasta(folder / "made.fasta")
    with pytest.raises(DataError, match=f"without their reference.*{place}"):
        open_reads(folder / "reads.cram").records("chr1", 0, LENGTH)
    with pytest.raises(DataError, match="no such reference"):
        open_reads(folder / "reads.cram", folder / "nothing.fasta")
    (folder / "text.fasta").write_text("no sequence\n")
    with pytest.raises(DataError, match="No reference|has no contig"):
        open_reads(folder / "reads.cram", folder / "text.fasta").records("chr1", 0, 10)
    assert capfd.readouterr().err == ""


def test_an_index_of_another_file_is_never_asked(folder):
    few = write_reads(
        folder / "few.cram",
        [some_reads()[0]],
        {"chr1": LENGTH},
        reference_filename=str(folder / "ref.fasta"),
    )
    pysam.index(str(few))
    (folder / "few.cram.crai").rename(folder / "reads.cram.crai")
    reads = open_reads(folder / "reads.cram", folder / "ref.fasta")
    assert len(reads.records("chr1", 0, LENGTH)) == 201


def test_an_index_that_an_earlier_pass_left_is_taken(folder, monkeypatch):
    kept = folder / "kept"
    first = open_reads(folder / "reads.cram", folder / "ref.fasta", kept)
    expected = len(first.records("chr1", 690, 760))
    monkeypatch.setattr(pysam.samtools, "index", None)  # no second pass
    again = open_reads(folder / "reads.cram", folder / "ref.fasta", kept)
    assert len(again.records("chr1", 690, 760)) == expected > 0


def test_the_header_alone_says_what_the_file_does(folder):
    for name in ("reads.bam", "reads.cram"):
        assert header_of(folder / name).contigs == ("chr1",)
    refused(lambda: header_of(folder / "ref.fasta"), "neither BAM nor CRAM")


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.99])
def test_a_file_that_is_cut_off(folder, keep):
    path = folder / "reads.cram"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    with pytest.raises(DataError, match="cut off or damaged") as error:
        open_reads(path, folder / "ref.fasta").records("chr1", 0, LENGTH)
    assert str(path) in str(error.value)


def test_a_file_that_is_garbled_or_not_sorted(folder):
    path = folder / "reads.cram"
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        open_reads(path, folder / "ref.fasta").records("chr1", 0, LENGTH)
    unsorted = write_reads(
        folder / "unsorted.cram",
        some_reads()[::-1],
        {"chr1": LENGTH},
        sort=False,
        reference_filename=str(folder / "ref.fasta"),
    )
    with pytest.raises(DataError, match="not sorted: record [23] at chr1:[0-9]+ comes after chr1"):
        open_reads(unsorted, folder / "ref.fasta")
