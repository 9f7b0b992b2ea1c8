"""Reads that came aligned: another build, other names, and damage are refused."""

from __future__ import annotations

from hashlib import md5
from pathlib import Path

import numpy as np
import pysam
import pytest

from bioloom.reads.checks import check_alignments
from tests.tiny_reads import Read, write_reads
from tests.toys import refused, write

RNG = np.random.default_rng(0)
SEQUENCES = {
    "20": "".join(RNG.choice(list("ACGT"), 2000)),
    "MT": "".join(RNG.choice(list("ACGT"), 300)),
}
OTHER = SEQUENCES["20"][:600] + "A" + SEQUENCES["20"][600:1400] + SEQUENCES["20"][1401:]


def fasta(path: Path, **contigs: str) -> Path:
    return write(path, "".join(f">{name} text\n{letters}\n" for name, letters in contigs.items()))


def sq(name: str, m5: bool) -> dict:
    checksum = {"M5": md5(SEQUENCES[name].encode()).hexdigest()} if m5 else {}
    return {"SN": name, "LN": len(SEQUENCES[name]), **checksum}


def bam(folder: Path, m5: bool = True, **options) -> Path:
    """Reads along contig 20, an error in each of a hundred bases."""
    rng, reads = np.random.default_rng(1), []
    for number, start in enumerate(range(0, 1900, 5)):
        letters = np.array(list(SEQUENCES["20"][start : start + 100]))
        wrong = rng.random(100) < 0.01
        letters[wrong] = rng.choice(list("ACGT"), wrong.sum())
        reads.append(Read(f"r{number}", start, "100M", "".join(letters)))
    lengths = {name: len(letters) for name, letters in SEQUENCES.items()}
    return write_reads(
        folder / "r.bam", reads, lengths, sq=[sq(name, m5) for name in lengths], **options
    )


@pytest.mark.parametrize("m5", [True, False])
def test_the_right_reference(tmp_path: Path, m5: bool):
    lower = {name: letters.lower() for name, letters in SEQUENCES.items()}
    for contigs in (SEQUENCES, lower, dict(reversed(SEQUENCES.items())), {"20": SEQUENCES["20"]}):
        reference = fasta(tmp_path / "r.fa", **contigs)
        [found] = check_alignments([bam(tmp_path, m5)], reference).values()
        assert 0 < found["differing_bases"] < 0.02
        assert found["contigs"] == len(contigs)
    assert found["other_contigs"] == ["MT"]
    assert not list(tmp_path.glob("*.fai"))


def test_another_build_of_the_same_length(tmp_path: Path):
    reference = fasta(tmp_path / "r.fa", **{"20": OTHER, "MT": SEQUENCES["MT"]})
    checksums = [md5(letters.encode()).hexdigest() for letters in (OTHER, SEQUENCES["20"])]
    refused(lambda: check_alignments([bam(tmp_path)], reference), "20 is another", *checksums)
    said = refused(lambda: check_alignments([bam(tmp_path, m5=False)], reference), "another build")
    assert "of the reads' bases differ" in said


def test_another_length(tmp_path: Path):
    reference = fasta(tmp_path / "r.fa", **{"20": SEQUENCES["20"] + "ACGT"})
    refused(lambda: check_alignments([bam(tmp_path)], reference), "2004 bases, and 2000")


def test_another_spelling_is_offered_where_it_is_proven(tmp_path: Path):
    reference = fasta(tmp_path / "r.fa", chr20=SEQUENCES["20"], chrM=SEQUENCES["MT"] + "AC")
    said = refused(lambda: check_alignments([bam(tmp_path)], reference), "20, MT", "chr20, chrM")
    assert "20 is chr20" in said
    assert "MT (300 bases) is not proven to be chrM (302)" in said
    command = said.split('-c "')[1].split('"')[0]
    renamed = tmp_path / "renamed.bam"
    pysam.samtools.reheader("-c", command, str(tmp_path / "r.bam"), save_stdout=str(renamed))
    alone = fasta(tmp_path / "r.fa", chr20=SEQUENCES["20"])
    assert check_alignments([renamed], alone)[str(renamed)]["contigs"] == 1
    reference = fasta(tmp_path / "r.fa", chr20=SEQUENCES["20"], chrM=SEQUENCES["MT"] + "AC")
    unproven = refused(lambda: check_alignments([bam(tmp_path, m5=False)], reference), "not proven")
    assert "20 is chr20" not in unproven
    other = fasta(tmp_path / "r.fa", chrBig="ACGT")
    refused(lambda: check_alignments([bam(tmp_path)], other), "20, MT.*has chrBig")


def test_reads_that_are_not_sorted(tmp_path: Path):
    reads = [Read("a", 9, "4M", "ACGT"), Read("b", 3, "4M", "ACGT")]
    file = write_reads(tmp_path / "u.bam", reads, {"20": 2000}, sort=False)
    reference = fasta(tmp_path / "r.fa", **SEQUENCES)
    refused(lambda: check_alignments([file], reference), "record 2, 'b'", "samtools sort")


def test_a_cram_and_its_reference(tmp_path: Path):
    reference = fasta(tmp_path / "r.fa", **SEQUENCES)
    reads = [Read("a", 5, "40M", SEQUENCES["20"][5:45])]
    lengths = {name: len(letters) for name, letters in SEQUENCES.items()}
    file = write_reads(tmp_path / "r.cram", reads, lengths, reference_filename=str(reference))
    [found] = check_alignments([file], reference).values()
    assert found["differing_bases"] == 0
    other = fasta(tmp_path / "other.fa", **{"20": OTHER, "MT": SEQUENCES["MT"]})
    refused(lambda: check_alignments([file], other), "20 is another sequence")


def test_reads_that_are_not_aligned_are_refused(tmp_path: Path):
    """As ONT and PacBio give them."""
    bare = write_reads(tmp_path / "u.bam", [Read("r", -1, "", "ACGT", flag=4, contig=-1)], {})
    reference = fasta(tmp_path / "r.fa", **SEQUENCES)
    refused(lambda: check_alignments([bare], reference), "are not aligned.*u.bam.*samtools fastq")
