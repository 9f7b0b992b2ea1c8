"""Reads to learn correction from, made of the reads themselves: no truth is needed.

Reads that became solid throughout tell how errors fall. They are replaced by corrected copies with
such errors, the spectrum corrects all anew, and what it left of the copies is the lesson.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bioloom.reads.correction import K, correct, correct_once, weak_reads
from bioloom.reads.evidence import describe
from bioloom.reads.kmers import count_kmers
from bioloom.reads.sequences import Reads, letters_of
from bioloom.reads.spectrum import Spectrum, spectrum_of

REPLICATES = 4  # at most
DOUBTFUL = 0.75  # share of the examples that the spectrum leaves with a weak k-mer
CYCLES = 10  # parts of a read whose error rates differ
SHRINKAGE = 200.0  # letters; a rate of few letters is that of its quality


class ErrorModel(NamedTuple):
    """How errors fall, as the corrected reads tell."""

    rates: np.ndarray  # (256, CYCLES): P(error | quality, part of the read)
    changes: np.ndarray  # (4, 4): P(letter read | letter, error)


class Proposal(NamedTuple):
    """Reads as the spectrum corrects them, and which still have a weak k-mer (n,)."""

    reads: Reads
    weak: np.ndarray
    spectrum: Spectrum  # before correction


class Example(NamedTuple):
    """A read with known letters: which one, its letters with errors, without, and the evidence."""

    read: int
    replicate: int
    letters: np.ndarray
    truth: np.ndarray
    evidence: str


def propose(reads: Reads) -> Proposal:
    """The spectrum's corrections, and the reads that they leave in doubt."""
    corrected = correct(reads)
    return Proposal(corrected.reads, still_weak(corrected.reads), corrected.spectrum)


def still_weak(reads: Reads) -> np.ndarray:
    """Which reads (n,) have a weak k-mer, by their own counts."""
    table = count_kmers(reads, K)
    return weak_reads(reads, table, spectrum_of(table).threshold)


def correct_again(reads: Reads) -> Reads:
    """One more round of the spectrum."""
    table = count_kmers(reads, K)
    return correct_once(reads, table, spectrum_of(table).threshold)


def error_model(reads: Reads, proposal: Proposal) -> ErrorModel:
    """Rates and kinds of the errors that were corrected in reads that are solid now."""
    solid = np.flatnonzero(~proposal.weak)
    raw, right = reads.take(solid), proposal.reads.take(solid).codes
    known = (raw.codes < 4) & (right < 4)
    wrong = (raw.codes != right) & known
    cell = raw.qualities.astype(np.int64) * CYCLES + _cycles(raw)
    seen, errors = (
        np.bincount(cell[rows], minlength=256 * CYCLES).reshape(256, CYCLES).astype(float)
        for rows in (known, wrong)
    )
    overall = (wrong.sum() + 1) / (known.sum() + 1)
    by_quality = (errors.sum(1) + SHRINKAGE * overall) / (seen.sum(1) + SHRINKAGE)
    rates = (errors + SHRINKAGE * by_quality[:, None]) / (seen + SHRINKAGE)
    pairs = np.bincount(right[wrong].astype(np.int64) * 4 + raw.codes[wrong], minlength=16)
    changes = (pairs.reshape(4, 4) + 1.0) * (1 - np.eye(4))
    return ErrorModel(rates, changes / changes.sum(1, keepdims=True))


def _cycles(reads: Reads) -> np.ndarray:
    """In which part of its read each letter stands, 0 to CYCLES - 1."""
    lengths = np.diff(reads.offsets)
    place = np.arange(reads.offsets[-1]) - np.repeat(reads.offsets[:-1], lengths)
    return place * CYCLES // np.repeat(np.maximum(lengths, 1), lengths)


def corrupt(reads: Reads, model: ErrorModel, rng: np.random.Generator) -> Reads:
    """The reads with errors as the model has them; qualities stay."""
    codes = reads.codes.copy()
    chance = model.rates[reads.qualities, _cycles(reads)]
    wrong = np.flatnonzero((rng.random(len(codes)) < chance) & (codes < 4))
    drawn = rng.random(len(wrong))[:, None]
    codes[wrong] = np.minimum((model.changes.cumsum(1)[codes[wrong]] <= drawn).sum(1), 3)
    return reads._replace(codes=codes)


def draw_examples(
    reads: Reads, proposal: Proposal, usable: np.ndarray, count: int, rng: np.random.Generator
) -> list[Example]:
    """`count` examples of reads that are `usable` (n,), most of them doubtful ones.

    Replicates are made until there are enough, at most `REPLICATES`; the last one is filled up with
    reads that the spectrum corrects. Fewer come where fewer reads are usable.
    """
    model = error_model(reads, proposal)
    examples: list[Example] = []
    for replicate in range(REPLICATES):
        missing = count - len(examples)
        others = missing if replicate == REPLICATES - 1 else None
        examples += _replicate(reads, proposal, usable, missing, others, model, replicate, rng)
        if len(examples) >= count:
            break
    return examples


def _replicate(
    reads: Reads,
    proposal: Proposal,
    usable: np.ndarray,
    most: int,
    others: int | None,
    model: ErrorModel,
    replicate: int,
    rng: np.random.Generator,
) -> Iterator[Example]:
    """At most so many examples of one replicate, `others` (None: in proportion) not doubtful."""
    copied = np.flatnonzero(~proposal.weak)
    mixed = reads._replace(codes=reads.codes.copy())
    mixed.codes[letters_of(reads, copied)] = corrupt(proposal.reads.take(copied), model, rng).codes
    again = propose(mixed)
    candidates = rng.permutation(copied[usable[copied]])
    doubtful = candidates[again.weak[candidates]][: max(1, round(most * DOUBTFUL))]
    if others is None:
        others = round(len(doubtful) * (1 / DOUBTFUL - 1))
    easy = candidates[~again.weak[candidates]][: min(others, most - len(doubtful))]
    chosen = np.sort(np.concatenate([doubtful, easy]))
    for read, text in zip(chosen.tolist(), describe(mixed, again.reads, chosen), strict=True):
        letters = slice(reads.offsets[read], reads.offsets[read + 1])
        truth = proposal.reads.codes[letters]
        yield Example(read, replicate, mixed.codes[letters], truth, text)
