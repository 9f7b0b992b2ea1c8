"""The k-mer spectrum of reads, and what it tells of genome and reads without any reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls
from scipy.stats import nbinom

from bioloom.errors import DataError
from bioloom.reads.kmers import Table

HIGHEST = 1000  # counts above are of organelles, plasmids and adapters: kept in the last bin,
DEEP = 4  # unless it is the genome itself that is so deep: so many times the usual count
DISPERSIONS = (1.05, 1.2, 1.5, 2.0, 3.0)  # variance over mean of the counts of one k-mer
DIPLOID = 0.25  # a second peak at twice the first is of alleles, not repeats, from this share on


@dataclass(frozen=True)
class Spectrum:
    """How many distinct k-mers occur so many times, and the figures that follow."""

    k: int
    histogram: np.ndarray  # (HIGHEST + 1,) int64, or longer: of count 0 (none), 1, 2 ...
    valley: int  # the first minimum from the left: errors to the left, genome to the right
    coverage: float  # of a k-mer that occurs once in each haplotype
    genome_size: int  # bases of one haplotype
    error_rate: float  # substitutions a base
    heterozygosity: float  # share of bases that differ between the haplotypes

    @property
    def threshold(self) -> int:
        """From this count on a k-mer is solid: not all of its occurrences are errors."""
        return _threshold(self.valley, self.coverage)


def _threshold(valley: int, coverage: float) -> int:
    """A low valley wins, so that a second strain of a few copies is solid, too."""
    return max(2, min(valley, int(np.ceil(3 + coverage / 10))))


def threshold_of(found: np.ndarray) -> int:
    """The count from which on k-mers are solid, of a histogram."""
    valley = _valley(found)
    return _threshold(valley, valley + float(np.argmax(found[valley:-1])))


def histogram(counts: np.ndarray) -> np.ndarray:
    """Distinct k-mers by count (HIGHEST + 1,), of the counts in a table's slots.

    Of reads so deep that half of all k-mers are of a higher count it is longer.
    """
    values, slots = np.unique(counts[counts > 0], return_counts=True)
    values = values.astype(np.int64)
    occurrences = np.cumsum(values * slots)
    usual = values[np.searchsorted(occurrences, occurrences[-1] / 2)] if len(values) else 0
    highest = max(HIGHEST, DEEP * int(usual))
    found = np.bincount(np.minimum(values, highest), slots, minlength=highest + 1)
    return found.astype(np.int64)


def spectrum_of(table: Table) -> Spectrum:
    """The figures of a table, in the manner of GenomeScope (Vurture et al. 2017).

    DataError where reads show no genome: no k-mer occurs more often than errors do.
    """
    counts = table.counts[table.counts > 0].astype(np.int64)
    found = histogram(table.counts)
    valley = _valley(found)
    if not found[valley:].any():
        raise DataError(
            f"No {table.k}-mer of the reads occurs {valley} times: the spectrum shows no genome",
            hint="the coverage is too low to correct or assemble (below about 5)",
        )
    coverage, heterozygous = _peaks(found, valley)
    solid = int(counts[counts >= valley].sum())
    true = min(1.0, solid / (1 - _missed(coverage, valley)) / int(counts.sum()))
    return Spectrum(
        table.k,
        found,
        valley,
        coverage,
        round(solid / coverage),
        1 - true ** (1 / table.k),
        1 - (1 - heterozygous) ** (1 / table.k),
    )


def _valley(found: np.ndarray) -> int:
    """The first count, 2 or above, that is no rarer than the next, seen from the left."""
    rising = np.flatnonzero(found[2:-1] <= found[3:])
    return int(rising[0]) + 2 if len(rising) else 2


def _missed(coverage: float, valley: int) -> float:
    """The share of the genome's k-mers, by occurrence, whose count lies below the valley."""
    from scipy.stats import poisson

    return float(poisson.cdf(valley - 2, coverage))


def _peaks(found: np.ndarray, valley: int) -> tuple[float, float]:
    """Coverage of a k-mer of both haplotypes, and the share of k-mer places that are unlike.

    The spectrum right of the valley is a sum of negative binomials with means at half, once and
    twice the coverage. Fitted by non-negative least squares for each coverage near the mode.
    """
    mode = valley + int(np.argmax(found[valley:-1]))
    coverage, weights = _fit(found, valley, float(mode))
    if weights[2] > DIPLOID * weights[1] and weights[0] < weights[2]:
        doubled, again = _fit(found, valley, 2.0 * mode)
        if again[1] > 0:
            coverage, weights = doubled, again
    places = weights[0] / 2 + weights[1]
    return coverage, float(weights[0] / 2 / places) if places else 0.0


def _fit(found: np.ndarray, valley: int, about: float) -> tuple[float, np.ndarray]:
    """The coverage near `about` that fits best, and k-mers at half, once, twice of it (3,)."""
    x = np.arange(valley, min(int(3 * about) + 2, len(found) - 1))
    best: tuple[float, float, np.ndarray] = (np.inf, about, np.zeros(3))
    for coverage in about * np.linspace(0.85, 1.15, 31):
        for dispersion in DISPERSIONS:
            means = coverage * np.array([[0.5], [1.0], [2.0]])
            parts = nbinom.pmf(x, means / (dispersion - 1), 1 / dispersion)
            weights, residual = nnls(parts.T, found[x].astype(float))
            if residual < best[0]:
                best = residual, float(coverage), weights
    return best[1:]
