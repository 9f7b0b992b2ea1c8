"""Local alignment of many pairs of sequences (Smith-Waterman, affine gaps), compiled with numba.

Sequences are `codes (T,) uint8` laid end to end with `offsets (N+1,)`; pairs are two index arrays.
`bioloom.similarity.seeds` finds the pairs worth aligning among very many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from bioloom.errors import DataError

LANES = 16  # pairs aligned side by side, one a SIMD lane: 16 x int32 is one 512-bit register
MINUS_INFINITY = np.int32(-(2**30))

# BLOSUM62, Henikoff and Henikoff 1992, in the order of PROTEIN_LETTERS; lower triangle.
PROTEIN_LETTERS = "ARNDCQEGHILKMFPSTWYV"
BLOSUM62 = """
4
-1 5
-2 0 6
-2 -2 1 6
0 -3 -3 -3 9
-1 1 0 0 -3 5
-1 0 0 2 -4 2 5
0 -2 0 -1 -3 -2 -2 6
-2 0 1 -1 -3 0 0 -2 8
-1 -3 -3 -3 -1 -3 -3 -4 -3 4
-1 -2 -3 -4 -1 -2 -3 -4 -3 2 4
-1 2 0 -1 -3 1 1 -2 -1 -3 -2 5
-1 -1 -2 -3 -1 0 -2 -3 -2 1 2 -1 5
-2 -3 -3 -3 -2 -3 -3 -3 -1 0 0 -3 0 6
-1 -2 -2 -1 -3 -1 -1 -2 -2 -3 -3 -1 -2 -4 7
1 -1 1 0 -1 0 0 0 -1 -2 -2 0 -1 -2 -1 4
0 -1 0 -1 -1 -1 -1 -2 -2 -1 -1 -1 -1 -2 -1 1 5
-3 -3 -4 -4 -2 -2 -3 -2 -2 -3 -2 -3 -1 1 -4 -3 -2 11
-2 -2 -2 -3 -2 -1 -2 -3 2 -1 -1 -2 -1 3 -3 -2 -2 2 7
0 -3 -3 -3 -1 -2 -2 -3 -3 3 1 -2 1 -1 -2 -2 0 -3 -1 4
"""


@dataclass(frozen=True)
class Scoring:
    """Letters with codes 0..A-1 (A: unknown, never identical) and the costs of an alignment.

    `gap_open` is the cost of a gap's first letter, `gap_extend` of each further one. Long sequences
    are aligned only where `seed` letters in a row match in a gapless segment that scores `worth`.
    """

    letters: str
    spelled_as: dict[str, str]
    matrix: np.ndarray
    gap_open: int
    gap_extend: int
    seed: int
    worth: int

    def encode(self, sequences: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Codes and offsets of `sequences`, in either case; DataError for an empty one."""
        offsets = np.concatenate([[0], np.cumsum([len(s) for s in sequences])]).astype(np.int64)
        if (np.diff(offsets) == 0).any():
            raise DataError("an empty sequence has no similarity to others")
        code_of = np.full(256, len(self.letters), dtype=np.uint8)
        spellings = {letter: letter for letter in self.letters} | self.spelled_as
        for spelling, letter in spellings.items():
            for case in (spelling, spelling.lower()):
                code_of[ord(case)] = self.letters.index(letter)
        text = "".join(sequences).encode("ascii", errors="replace")
        return code_of[np.frombuffer(text, dtype=np.uint8)], offsets


def _blosum62() -> np.ndarray:
    rows = [[int(value) for value in line.split()] for line in BLOSUM62.strip().splitlines()]
    lower = np.array([row + [0] * (len(rows) - len(row)) for row in rows])
    return lower + np.tril(lower, -1).T


# Costs as in BLASTP (existence 11, extension 1) and BLASTN (reward 2, penalty 3, gaps 5 and 2).
PROTEIN = Scoring(PROTEIN_LETTERS, {"U": "C", "O": "K"}, _blosum62(), 12, 1, seed=4, worth=40)
DNA = Scoring("ACGT", {"U": "T"}, np.eye(4, dtype=int) * 5 - 3, 7, 2, seed=10, worth=30)


def scoring_for(sequences: list[str]) -> Scoring:
    """DNA where all letters are A, C, G, T, U or N; else protein."""
    letters = set().union(*sequences) if sequences else set()
    return DNA if {letter.upper() for letter in letters} <= set("ACGTUN") else PROTEIN


def count_identities(
    codes: np.ndarray,
    offsets: np.ndarray,
    queries: np.ndarray,
    targets: np.ndarray,
    scoring: Scoring,
) -> np.ndarray:
    """Identical letters in the best local alignment of each pair, (P,) int32.

    Of several best-scoring alignments the one with most identities counts, so the result does not
    depend on which of the two comes first. DataError for pairs of sequences too long for it.
    """
    if not len(queries):
        return np.zeros(0, dtype=np.int32)
    lengths = np.diff(offsets)
    packed, unit = _pack(scoring, int(np.minimum(lengths[queries], lengths[targets]).max()))
    order = np.lexsort((lengths[targets], queries))  # lanes of like lengths waste least
    queries, targets = queries[order].astype(np.int64), targets[order].astype(np.int64)
    runs = np.flatnonzero(np.diff(queries, prepend=-1))
    place = np.arange(len(queries)) - np.repeat(runs, np.diff(runs, append=len(queries)))
    starts = np.append(np.flatnonzero(place % LANES == 0), len(queries))
    gap_open, gap_extend = np.int32(scoring.gap_open * unit), np.int32(scoring.gap_extend * unit)
    best = _align(codes, offsets, queries, targets, starts, packed, gap_open, gap_extend)
    identities = np.empty(len(queries), dtype=np.int32)
    identities[order] = best % unit
    return identities


def _pack(scoring: Scoring, longest: int) -> tuple[np.ndarray, int]:
    """Costs in which score and identities share one integer, `score * unit + identities`.

    Its maximum is the best score and, among alignments of that score, the most identities. The
    last two codes are the unknown letter and the padding of a lane.
    """
    unit = 1 << longest.bit_length()
    if int(scoring.matrix.max()) * longest * unit >= 2**31:
        raise DataError(
            f"two sequences of {longest} letters or more are too long to align",
            hint="cut them into domains or windows",
        )
    letters = len(scoring.letters)
    packed = np.full((letters + 2, letters + 2), -64 * unit, dtype=np.int32)
    packed[: letters + 1, : letters + 1] = -unit
    packed[:letters, :letters] = scoring.matrix * unit + np.eye(letters, dtype=int)
    return packed, unit


@numba.njit(cache=True, parallel=True)
def _align(codes, offsets, queries, targets, starts, packed, gap_open, gap_extend):
    """Best packed score of each pair; the pairs of `starts[c]:starts[c+1]` share their query."""
    best = np.zeros(len(queries), dtype=np.int32)
    letters = packed.shape[0]
    for c in numba.prange(len(starts) - 1):
        first, count = starts[c], starts[c + 1] - starts[c]
        width = 0
        for lane in range(count):
            target = targets[first + lane]
            width = max(width, offsets[target + 1] - offsets[target])
        block = np.full((width, LANES), letters - 1, dtype=np.uint8)
        for lane in range(count):
            begin = offsets[targets[first + lane]]
            for j in range(offsets[targets[first + lane] + 1] - begin):
                block[j, lane] = codes[begin + j]
        query = queries[first]
        lane_best = _align_lanes(
            codes[offsets[query] : offsets[query + 1]], block, packed, gap_open, gap_extend
        )
        for lane in range(count):
            best[first + lane] = lane_best[lane]
    return best


@numba.njit(cache=True, inline="always")
def _align_lanes(query, block, packed, gap_open, gap_extend):
    """Best packed score of `query (m,)` with each column of `block (n, LANES)`: Gotoh 1982.

    int32 throughout: numba widens sums of int32, and the casts back let LLVM use int32 lanes.
    """
    width = len(block)
    above = np.zeros((width, LANES), dtype=np.int32)
    gap_above = np.full((width, LANES), MINUS_INFINITY, dtype=np.int32)
    profile = np.empty((packed.shape[0], width, LANES), dtype=np.int32)
    profiled = np.zeros(packed.shape[0], dtype=np.bool_)
    best = np.zeros(LANES, dtype=np.int32)
    diagonal, left, gap_left = np.empty_like(best), np.empty_like(best), np.empty_like(best)
    for letter in query:
        if not profiled[letter]:
            profiled[letter] = True
            for j in range(width):
                for lane in range(LANES):
                    profile[letter, j, lane] = packed[letter, block[j, lane]]
        for lane in range(LANES):
            diagonal[lane], left[lane], gap_left[lane] = 0, 0, MINUS_INFINITY
        for j in range(width):
            for lane in range(LANES):
                up = above[j, lane]
                down = max(np.int32(up - gap_open), np.int32(gap_above[j, lane] - gap_extend))
                right = max(np.int32(left[lane] - gap_open), np.int32(gap_left[lane] - gap_extend))
                score = max(np.int32(diagonal[lane] + profile[letter, j, lane]), np.int32(0))
                score = max(score, max(down, right))
                above[j, lane], gap_above[j, lane] = score, down
                diagonal[lane], left[lane], gap_left[lane] = up, score, right
                best[lane] = max(best[lane], score)
    return best
