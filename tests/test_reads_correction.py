"""k-mers counted, the spectrum's figures, reads corrected: against plain Python and the truth."""

from __future__ import annotations

import gzip
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.errors import DataError
from bioloom.formats.dna import reverse_complement
from bioloom.reads.correction import correct, weak_reads
from bioloom.reads.kmers import EMPTY, Table, count_kmers
from bioloom.reads.sequences import Reads, decode, encode, joined, load_reads
from bioloom.reads.simulate import PROFILE, profile_of, simulate_pairs, write_fastq
from bioloom.reads.spectrum import histogram, spectrum_of
from tests.tiny_reads import from_matrix

NOISY = profile_of(0.015)
GENOME = np.random.default_rng(0).integers(0, 4, 20_000).astype(np.uint8)


def reads_of(texts: list[str]) -> Reads:
    codes = encode("".join(texts))
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    return Reads(codes, np.full(len(codes), 37, np.uint8), offsets)


def canonical(kmer: str) -> str:
    return min(kmer, reverse_complement(kmer))


def simulated(depth: float, profile=PROFILE, genomes=(GENOME,), seed: int = 1):
    """Reads, and their letters without errors."""
    pairs = simulate_pairs(genomes, depth, np.random.default_rng(seed), profile)
    n = pairs.letters.shape[-1]
    reads = from_matrix(pairs.letters.reshape(-1, n), pairs.qualities.reshape(-1, n))
    return reads, pairs.truth.ravel()


def gain(reads: Reads, corrected: np.ndarray, truth: np.ndarray) -> float:
    before, after = (reads.codes != truth).sum(), (corrected != truth).sum()
    return float(1 - after / before)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ACGTNacgt", max_size=60), max_size=30), st.sampled_from([1, 4, 5, 21, 31]))
def test_counts_are_those_of_a_counter(texts, k):
    table = count_kmers(reads_of(texts), k)
    uppers = [text.upper() for text in texts]
    words = [t[i : i + k] for t in uppers for i in range(len(t) - k + 1)]
    expected = Counter(canonical(word) for word in words if "N" not in word)
    filled = table.keys[table.keys != EMPTY]
    shifts = 2 * np.arange(k - 1, -1, -1).astype(np.uint64)
    letters = [decode((key >> shifts & np.uint64(3)).astype(np.uint8)) for key in filled]
    assert dict(zip(letters, table.counts[table.keys != EMPTY], strict=True)) == dict(expected)
    assert histogram(table.counts).sum() == len(expected)


def test_a_table_that_grows_keeps_its_counts():
    reads, _ = simulated(3)
    table = count_kmers(reads, 21)
    assert len(table.keys) > 1 << 12
    assert table.counts.sum() == 130 * (len(reads.offsets) - 1)


def test_fastq_is_read_as_it_was_written(tmp_path):
    pairs = simulate_pairs([GENOME], 2, np.random.default_rng(1))
    files = tmp_path / "1.fastq.gz", tmp_path / "2.fastq.gz"
    write_fastq(pairs, *files)
    reads = joined([load_reads(file) for file in files])
    assert (reads.codes == pairs.letters.swapaxes(0, 1).ravel()).all()
    assert (reads.qualities == pairs.qualities.swapaxes(0, 1).ravel()).all()
    chosen = reads.take(np.array([3, 0]))
    assert (chosen.codes[150:] == pairs.letters[0, 0]).all()


@pytest.mark.parametrize("damage", [lambda raw: raw[:-20], lambda raw: b"@a\nAC\n+\n"])
def test_what_is_cut_off_or_no_fastq_is_refused(tmp_path, damage):
    file = tmp_path / "reads.fastq"
    file.write_bytes(damage(gzip.compress(b"@a\nACGT\n+\nIIII\n" * 100)))
    with pytest.raises(DataError, match=r"Expected FASTQ that is whole.*reads.fastq"):
        load_reads(file)


@pytest.mark.parametrize("differences", [0, 0.01])
def test_the_spectrum_tells_size_coverage_and_alleles(differences):
    other = GENOME.copy()
    at = np.random.default_rng(1).random(len(other)) < differences
    other[at] = (other[at] + 1) % 4
    reads, _ = simulated(20, genomes=(GENOME, other))
    spectrum = spectrum_of(count_kmers(reads, 21))
    assert spectrum.genome_size == pytest.approx(len(GENOME), rel=0.03)
    assert spectrum.coverage == pytest.approx(40 * 130 / 150, rel=0.05)
    assert spectrum.heterozygosity == pytest.approx(differences, abs=0.002)
    assert 0 < spectrum.error_rate < PROFILE.error_rate  # lower, for errors cling together


@pytest.mark.slow
@pytest.mark.parametrize("depth", [100, 900, 2600])
def test_a_small_genome_may_be_sequenced_as_deep_as_one_likes(depth):
    """Counts of 8,000 k-mers, and of all that one error makes of them."""
    rng = np.random.default_rng(0)
    errors = rng.poisson(depth * 0.002 / 3, 8000 * 21 * 3)
    counts = np.concatenate([rng.poisson(depth, 8000), errors]).astype(np.uint32)
    spectrum = spectrum_of(Table(21, np.arange(len(counts), dtype=np.uint64), counts))
    assert spectrum.genome_size == pytest.approx(8000, rel=0.1)
    assert spectrum.coverage == pytest.approx(depth, rel=0.1)
    assert spectrum.heterozygosity == pytest.approx(0, abs=0.002)
    assert spectrum.histogram.sum() == (counts > 0).sum()
    adapter = np.r_[counts, np.uint32(100_000)]  # makes no spectrum longer
    assert len(histogram(adapter)) <= max(1001, 5 * depth)


def test_reads_of_nothing_but_single_kmers_show_no_genome():
    with pytest.raises(DataError, match="shows no genome"):
        spectrum_of(count_kmers(reads_of(["ACGTTGCATGCATTAGCCAGTAGCATTT"]), 21))


@pytest.mark.parametrize(
    ("depth", "profile", "least"),
    [(30, PROFILE, 0.985), (30, NOISY, 0.985), (10, PROFILE, 0.97), (10, NOISY, 0.94)],
)
def test_errors_are_corrected_and_what_is_right_is_left(depth, profile, least):
    reads, truth = simulated(depth, profile)
    found = correct(reads)
    right = reads.codes == truth
    assert gain(reads, found.reads.codes, truth) > least
    assert (found.reads.codes[right] != truth[right]).sum() <= 0.001 * (~right).sum() + 1
    assert found.changed == (found.reads.codes != reads.codes).sum()


@pytest.mark.slow
def test_reads_without_errors_are_left_alone():
    reads, _ = simulated(20, PROFILE._replace(error_rate=0, indel_rate=0))
    assert (correct(reads).reads.codes == reads.codes).all()


def test_unknown_letters_are_filled_in():
    reads, truth = simulated(20, PROFILE._replace(error_rate=0, indel_rate=0))
    reads.codes[np.arange(75, len(truth), 1500)] = 4
    assert (correct(reads).reads.codes == truth).all()


def test_a_second_strain_of_few_reads_is_no_error():
    strain = GENOME[3000:9000].copy()
    strain[::70] = (strain[::70] + 2) % 4
    main, truth = simulated(22, PROFILE._replace(indel_rate=0))
    minor, _ = simulated(4, PROFILE._replace(error_rate=0, indel_rate=0), genomes=(strain,))
    n = len(main.offsets) - 1 + len(minor.offsets) - 1
    both = (np.concatenate(pair) for pair in zip(main[:2], minor[:2], strict=True))
    reads = Reads(*both, np.arange(n + 1) * 150)
    found = correct(reads).reads.codes
    assert gain(main, found[: len(truth)], truth) > 0.98
    # Its k-mers that stand in one read alone cannot be told from errors: 3 in 100 at most.
    changed = (found[len(truth) :] != minor.codes).sum()
    assert changed <= 0.03 * len(minor.codes) / 70


def test_letters_behind_an_indel_are_not_rewritten():
    reads, _ = simulated(20, PROFILE._replace(error_rate=0, indel_rate=0))
    matrix = reads.codes.reshape(-1, 150).copy()
    matrix[::50, 80:] = np.roll(matrix[::50, 80:], 1, axis=1)
    shifted = from_matrix(matrix, reads.qualities.reshape(-1, 150))
    changed = (correct(shifted).reads.codes != shifted.codes).reshape(-1, 150)[::50]
    assert np.median(changed.sum(axis=1)) <= 1


def test_weak_reads_are_those_with_a_rare_or_unknown_kmer():
    texts = [decode(GENOME[:60])] * 3 + [decode(GENOME[:50]) + "T" * 10, "N" * 30, "ACGT", ""]
    reads = reads_of(texts)
    weak = weak_reads(reads, count_kmers(reads, 21), 2)
    assert weak.tolist() == [False] * 3 + [True] * 2 + [False] * 2
