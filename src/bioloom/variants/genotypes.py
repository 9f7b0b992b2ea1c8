"""Likelihoods and posteriors of genotypes from what fragments say (Li 2011, Bioinformatics 27).

Genotypes are in the order of VCF: of alleles 0, 1, 2 they are 00, 01, 11, 02, 12, 22.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from bioloom.variants.candidates import PHRED, Theta
from bioloom.variants.realignment import Evidence

MAPPING_UNKNOWN = 255
LEAST_MISMAPPED = 10**-4.5
CLEAR = 1.0  # natural logarithm by which an allele must explain a fragment best to be counted


@cache
def genotypes(alleles: int, ploidy: int) -> list[tuple[int, ...]]:
    """The genotypes of so many alleles, with one or two of them."""
    if ploidy == 1:
        return [(a,) for a in range(alleles)]
    return [(a, b) for b in range(alleles) for a in range(b + 1)]


def fragment_likelihoods(evidence: Evidence) -> np.ndarray:
    """(O, alleles): probability of each fragment given each allele, over that of the best one.

    A fragment that may lie elsewhere says so much less.
    """
    relative = np.exp(evidence.likelihood - evidence.likelihood.max(axis=1, keepdims=True))
    quality = np.where(evidence.mapping == MAPPING_UNKNOWN, 30.0, evidence.mapping)
    wrong = np.maximum(np.exp(-quality * PHRED), LEAST_MISMAPPED)[:, None]
    return (1 - wrong) * relative + wrong


def likelihoods(fragments: np.ndarray, alleles: int, ploidy: int) -> np.ndarray:
    """Natural logarithms of the likelihoods of a site's genotypes, from its fragments' alleles."""
    carried = fragments[:, np.array(genotypes(alleles, ploidy))]  # (O, genotypes, ploidy)
    return np.log(carried.mean(axis=2)).sum(axis=0)


@cache
def prior(is_indel: tuple[bool, ...], ploidy: int, theta: Theta) -> np.ndarray:
    """Natural logarithms of genotypes' priors; `is_indel` says it of each alternative."""
    rate = np.array([1.0] + [theta.indel if indel else theta.snp / 3 for indel in is_indel])
    p = []
    for genotype in genotypes(len(rate), ploidy):
        others = [a for a in set(genotype) if a]
        homozygous = ploidy == 2 and len(set(genotype)) == 1 and others
        p.append(np.prod(rate[others]) / (2 if homozygous else 1))
    p[0] = max(1 - sum(p[1:]), 0.5)
    return np.log(p)


def posteriors(logs: np.ndarray) -> np.ndarray:
    """Normalised: natural logarithms that sum to one as probabilities."""
    top = logs.max()
    return logs - top - np.log(np.exp(logs - top).sum())


def copies(logs: np.ndarray, allele: int, alleles: int, ploidy: int) -> np.ndarray:
    """Logarithms of the probabilities of 0 to `ploidy` copies of one allele."""
    held = np.array([genotype.count(allele) for genotype in genotypes(alleles, ploidy)])
    with np.errstate(divide="ignore"):
        return np.array([np.log(np.exp(logs[held == n]).sum()) for n in range(ploidy + 1)])


def allele_depths(likelihood: np.ndarray) -> np.ndarray:
    """Fragments that each allele alone explains clearly best, of `likelihood (O, alleles)`."""
    ordered = np.sort(likelihood, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > CLEAR
    return np.bincount(likelihood.argmax(axis=1)[clear], minlength=likelihood.shape[1])
