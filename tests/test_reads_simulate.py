"""Simulated reads: they are of the genome, the errors are where they say, rates are those asked."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from bioloom.errors import DataError
from bioloom.reads import simulate
from bioloom.reads.simulate import PROFILE, Pairs, simulate_pairs, write_fastq

GENOME = np.random.default_rng(0).integers(0, 4, 20_000).astype(np.uint8)


def simulated(seed: int = 1, depth: float = 30, sequences=(GENOME,), **profile) -> Pairs:
    return simulate_pairs(
        sequences, depth, np.random.default_rng(seed), PROFILE._replace(**profile)
    )


def test_a_seed_gives_its_reads_and_another_gives_others():
    first, again, other = simulated(1), simulated(1), simulated(2)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first.start != other.start).any()


def test_reads_without_errors_are_the_genome_s():
    pairs = simulated(error_rate=0, indel_rate=0, depth=2)
    for i in range(len(pairs.start)):
        fragment = GENOME[pairs.start[i] : pairs.end[i]]
        ends = fragment[:150], 3 - fragment[::-1][:150]
        assert (pairs.letters[i] == ends[:: -1 if pairs.reverse[i] else 1]).all()
    assert not pairs.errors.any()


@pytest.mark.parametrize("rate", [0.003, 0.015])
def test_rates_depth_and_fragments_are_those_asked_for(rate):
    pairs = simulated(error_rate=rate, depth=100)
    assert pairs.letters.size / len(GENOME) == pytest.approx(100, rel=0.01)
    assert (pairs.letters != pairs.truth).mean() == pytest.approx(rate, rel=0.05)
    assert (pairs.end - pairs.start).mean() == pytest.approx(350, rel=0.01)
    assert (pairs.end - pairs.start).std() == pytest.approx(50, rel=0.1)
    assert pairs.reverse.mean() == pytest.approx(0.5, abs=0.05)


def test_errors_follow_the_qualities_which_fall_along_the_read_and_cling():
    pairs = simulated(error_rate=0.01, depth=200)
    wrong = [(pairs.letters != pairs.truth)[pairs.qualities == q].mean() for q in (37, 25, 11)]
    assert wrong[0] < wrong[1] < wrong[2]
    by_cycle = pairs.qualities.astype(float).mean(axis=0)
    assert (by_cycle[:, :20].mean(axis=1) > by_cycle[:, -20:].mean(axis=1) + 2).all()
    assert by_cycle[0, -20:].mean() > by_cycle[1, -20:].mean() + 1
    last = pairs.qualities[:, 1, -2:].astype(float)
    assert np.corrcoef(last.T)[0, 1] > 0.8


def test_a_is_read_as_c_more_often_than_as_g():
    pairs = simulated(error_rate=0.02, depth=200)
    said = pairs.letters[(pairs.errors == simulate.SUBSTITUTED) & (pairs.truth == 0)]
    assert (said == 1).mean() == pytest.approx(0.5, abs=0.05)


def test_indels_are_of_homopolymers_and_the_rest_of_the_read_goes_on():
    runs = np.repeat(np.random.default_rng(0).integers(0, 4, 4000).astype(np.uint8), 5)
    pairs = simulated(sequences=(runs,), error_rate=0, indel_rate=1e-5, depth=50)
    plain = simulated(error_rate=0, indel_rate=1e-5, depth=50)
    assert (pairs.errors > 1).sum() > 5 * (plain.errors > 1).sum() > 0
    whole = "".join("ACGT"[c] for c in runs)
    i, mate, cycle = (int(a[0]) for a in np.nonzero(pairs.errors == simulate.DELETED))
    read = pairs.letters[i, mate]
    after = read[cycle:] if not pairs.reverse[i] ^ mate else 3 - read[cycle:][::-1]
    assert "".join("ACGT"[c] for c in after) in whole


def test_each_of_several_sequences_is_covered():
    pairs = simulated(sequences=(GENOME, GENOME[:5000]), depth=20)
    assert np.bincount(pairs.sequence)[1] * 300 / 5000 == pytest.approx(20, rel=0.2)


def test_fastq_is_the_reads_and_the_same_bytes_each_time(tmp_path):
    pairs = simulated(depth=3)
    for folder in "ab":
        write_fastq(pairs, tmp_path / folder / "1.fastq.gz", tmp_path / folder / "2.fastq.gz")
    assert (tmp_path / "a/2.fastq.gz").read_bytes() == (tmp_path / "b/2.fastq.gz").read_bytes()
    for mate in (0, 1):
        lines = gzip.open(tmp_path / f"a/{mate + 1}.fastq.gz", "rt").read().splitlines()
        assert len(lines) == 4 * len(pairs.start)
        assert lines[4] == f"@simulated.000000001/{mate + 1}"
        assert lines[5] == "".join("ACGT"[c] for c in pairs.letters[1, mate])
        assert lines[7] == "".join(chr(q + 33) for q in pairs.qualities[1, mate])


def test_a_sequence_shorter_than_a_read_is_refused():
    with pytest.raises(DataError, match="Reads of 150 cannot be simulated of 40 bases"):
        simulated(sequences=(GENOME[:40],))
