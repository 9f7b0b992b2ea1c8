"""Paired reads as a sequencer of short reads would give them, simulated from given sequences.

Letters are codes, A C G T as 0 1 2 3. The same seed gives the same reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np

from bioloom.errors import DataError
from bioloom.files import replacing_gzip
from bioloom.reads.sequences import LETTERS

RIGHT, SUBSTITUTED, INSERTED, DELETED = range(4)  # DELETED: letters are missing before this one
# P(letter read | letter, error): A>C and G>T, of oxidation, are read more than the other changes
# (Schirmer et al. 2016, BMC Bioinformatics 17:125).
SUBSTITUTIONS = np.array(
    [[0.0, 0.5, 0.25, 0.25], [0.4, 0.0, 0.25, 0.35], [0.25, 0.25, 0.0, 0.5], [0.25, 0.35, 0.4, 0.0]]
)
CHUNK = 1 << 16  # pairs written at a time


class Profile(NamedTuple):
    """How a run reads: lengths in bases, rates a base."""

    length: int = 150
    insert_mean: float = 350.0
    insert_sd: float = 50.0
    error_rate: float = 0.003  # of substitutions, the mean over all bases
    indel_rate: float = 2e-6  # times the square of the homopolymer's length
    qualities: tuple[int, ...] = (37, 32, 25, 18, 11)  # the bins, the best first
    worse: float = 0.012  # P(next bin) at the middle of a read; it grows with the cycle
    better: float = 0.08  # P(previous bin)
    second_mate: float = 1.6  # how much faster the second mate grows worse
    bad_reads: float = 0.05  # share of reads that grow worse `badly` times as fast
    badly: float = 6.0


class Pairs(NamedTuple):
    """n pairs; axis 1 of (n, 2) is the mate. Each mate is written as it is read, 5' to 3'."""

    letters: np.ndarray  # (n, 2, length) uint8 codes
    qualities: np.ndarray  # (n, 2, length) uint8, Phred
    errors: np.ndarray  # (n, 2, length) uint8: RIGHT, SUBSTITUTED, INSERTED or DELETED
    truth: np.ndarray  # (n, 2, length) uint8: the letters without substitutions
    sequence: np.ndarray  # (n,) int32, which of the sequences it is of
    start: np.ndarray  # (n,) int64, the fragment's 0-based first place on it
    end: np.ndarray  # (n,) int64, behind its last place
    reverse: np.ndarray  # (n,) bool: the first mate is of the reverse strand


PROFILE = Profile()


def profile_of(error_rate: float) -> Profile:
    """The profile of a run with this rate of substitutions: more errors, more low qualities."""
    ratio = error_rate / PROFILE.error_rate
    return PROFILE._replace(
        error_rate=error_rate,
        worse=PROFILE.worse * ratio**0.75,
        bad_reads=min(PROFILE.bad_reads * ratio**0.43, 0.5),
    )


def simulate_pairs(
    sequences: Sequence[np.ndarray],
    depth: float,
    rng: np.random.Generator,
    profile: Profile = PROFILE,
) -> Pairs:
    """Reads that cover each of the sequences (codes 0 to 3) `depth` times on average.

    Of a diploid genome at 30x both haplotypes are covered 15 times. DataError for a sequence that
    is shorter than a read.
    """
    lengths = np.array([len(sequence) for sequence in sequences])
    if lengths.min() < profile.length:
        message = f"Reads of {profile.length} cannot be simulated of {lengths.min()} bases"
        raise DataError(message, hint="leave out short contigs")
    n = round(depth * lengths.sum() / (2 * profile.length))
    which = rng.choice(len(lengths), n, p=lengths / lengths.sum()).astype(np.int32)
    size = rng.normal(profile.insert_mean, profile.insert_sd, n).round().astype(np.int64)
    size = np.clip(size, profile.length, lengths[which])
    start = rng.integers(0, lengths[which] - size + 1)
    reverse = rng.random(n) < 0.5
    qualities = _qualities(rng, n, profile)
    chances = 10.0 ** (-np.arange(256) / 10)
    nominal = (chances * np.bincount(qualities.ravel(), minlength=256)).sum() / qualities.size
    chances = np.minimum(chances * profile.error_rate / nominal, 0.75)
    letters, errors, truth = _read(
        rng,
        np.concatenate(sequences).astype(np.uint8),
        np.concatenate([[0], np.cumsum(lengths)])[which] + start,
        size,
        reverse,
        qualities,
        chances,
        SUBSTITUTIONS.cumsum(axis=1),
        profile.indel_rate,
    )
    return Pairs(letters, qualities, errors, truth, which, start, start + size, reverse)


def _qualities(rng: np.random.Generator, n: int, profile: Profile) -> np.ndarray:
    """Qualities (n, 2, length): a Markov chain over the bins, which worsens along the read."""
    speed = np.where(rng.random((n, 2)) < profile.bad_reads, profile.badly, 1.0)
    speed[:, 1] *= profile.second_mate
    cycle = np.linspace(0, 2, profile.length)
    bins = np.array(profile.qualities, np.uint8)
    return _chain(rng, speed, profile.worse * cycle**2, profile.better, bins)


@numba.njit(cache=True, nogil=True)
def _chain(rng, speed, worse, better, bins):
    n, mates, length, last = len(speed), 2, len(worse), len(bins) - 1
    qualities = np.empty((n, mates, length), np.uint8)
    for i in range(n):
        for mate in range(mates):
            state = 0
            for cycle in range(length):
                u = rng.random()
                down = min(worse[cycle] * speed[i, mate], 0.9 - better)
                if u < down:
                    state = min(state + 1, last)
                elif u > 1 - better:
                    state = max(state - 1, 0)
                qualities[i, mate, cycle] = bins[state]
    return qualities


@numba.njit(cache=True, nogil=True)
def _read(rng, genome, start, size, reverse, qualities, chances, changes, indel_rate):
    """Letters, errors and letters without substitutions, each (n, 2, length)."""
    letters = np.empty_like(qualities)
    errors = np.zeros_like(qualities)
    truth = np.empty_like(qualities)
    n, mates, length = qualities.shape
    for i in range(n):
        for mate in range(mates):
            backwards = reverse[i] != (mate == 1)
            step = -1 if backwards else 1
            at = start[i] + size[i] - 1 if backwards else start[i]
            left, run, before = size[i], 0, 255
            for cycle in range(length):
                letter = genome[at]
                run = run + 1 if letter == before else 1
                if rng.random() < indel_rate * run * run:
                    if rng.random() < 0.5:
                        errors[i, mate, cycle] = INSERTED
                    elif left > length - cycle:
                        errors[i, mate, cycle] = DELETED
                        at, left = at + step, left - 1
                        letter = genome[at]
                if errors[i, mate, cycle] == INSERTED and cycle > 0:
                    letter = before  # the polymerase slips: the last letter once more
                else:
                    at, left = at + step, left - 1
                before = letter
                true = 3 - letter if backwards else letter
                truth[i, mate, cycle] = letters[i, mate, cycle] = true
                if rng.random() < chances[qualities[i, mate, cycle]]:
                    u, read = rng.random(), 0
                    while read < 3 and u >= changes[true, read]:
                        read += 1
                    letters[i, mate, cycle] = read
                    if errors[i, mate, cycle] == 0:
                        errors[i, mate, cycle] = SUBSTITUTED
    return letters, errors, truth


def write_fastq(pairs: Pairs, file_1: str | Path, file_2: str | Path) -> None:
    """Write both mates, gzip-compressed. Names are numbers, and do not tell where a read is of."""
    for mate, file in enumerate((file_1, file_2)):
        with replacing_gzip(file) as stream:
            for first in range(0, len(pairs.start), CHUNK):
                stream.write(_records(pairs, mate, first))


def _records(pairs: Pairs, mate: int, first: int) -> bytes:
    """FASTQ of a chunk of pairs: all records are of one width."""
    letters = LETTERS[pairs.letters[first : first + CHUNK, mate]]
    qualities = pairs.qualities[first : first + CHUNK, mate] + 33
    names = [f"@simulated.{first + i:09d}/{mate + 1}\n" for i in range(len(letters))]
    name = np.frombuffer("".join(names).encode(), np.uint8).reshape(len(names), -1)
    plus, end = (np.tile(np.frombuffer(s, np.uint8), (len(names), 1)) for s in (b"\n+\n", b"\n"))
    return np.hstack([name, letters, plus, qualities, end]).tobytes()
