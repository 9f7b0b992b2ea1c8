"""A diploid genome simulated from a reference: two haplotypes, and their variants as a truth set.

Transitions are twice as many as transversions, and more in CpG; most indels lengthen or shorten a
repeat by a unit, others have a length drawn from a geometric distribution; two of three variants
are heterozygous (as in Montgomery et al. 2013, Genome Res. 23:749, of human indels).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bioloom.errors import DataError
from bioloom.formats.vcf import Called, Field, Record, write_vcf
from bioloom.options import Option
from bioloom.reads.simulate import PROFILE, simulate_pairs, write_fastq
from bioloom.variants.alleles import Edit, N, decode, edit_of, edited, encode, left_aligned
from bioloom.variants.candidates import Theta
from bioloom.variants.reference import Reference

HETEROZYGOUS = 2 / 3
TRANSITION = np.array([2, 3, 0, 1])
CPG = 5.0  # how much more often a CpG mutates
APART = 12  # bases between two variants at least
IN_REPEATS = 0.7  # of indels
LONGEST = 30


# What a data set's `simulate` may say.
OPTIONS: dict[str, Any] = {
    "depths": Option(
        [6, 8, 12, 40],
        items=Option(1.0, above=0),
        about="reads over each base on average, a sample each",
    ),
    "bases": Option(
        None,
        type=int,
        minimum=1000,
        about="from the start of each contig in which variants are planted; null is all",
    ),
    "read_length": Option(100, minimum=50, maximum=300, about="letters"),
    "error_rate": Option(
        0.004, type=float, above=0, maximum=0.1, about="share of letters that are read wrong"
    ),
    "theta": Option(2e-3, type=float, above=0, maximum=0.1, about="substitutions a base"),
    "theta_indel": Option(
        2.5e-4, type=float, above=0, maximum=0.1, about="insertions and deletions a base"
    ),
    "ploidy": Option(2, choices=(1, 2), about="genomes of a sample"),
}


class Diploid(NamedTuple):
    """Two haplotypes of a contig, and what differs between them and the reference."""

    haplotypes: tuple[np.ndarray, np.ndarray]
    variants: list[Called]


def simulate_sample(
    reference: Path,
    options: dict[str, Any],
    sample: str,
    seed: int,
    fastq: tuple[Path, Path],
    truth: Path,
) -> None:
    """Write reads of a sample, and its variants; its number decides its depth and its genome.

    Contigs shorter than a pair of reads have none.
    """
    number = int(sample.rpartition("_")[2])
    rng = np.random.default_rng([seed, number])
    genome, theta = Reference(reference), Theta(options["theta"], options["theta_indel"])
    shown = {
        contig: min(length, options["bases"] or length) for contig, length in genome.lengths.items()
    }
    profile = PROFILE._replace(length=options["read_length"], error_rate=options["error_rate"])
    made = [
        simulate_diploid(contig, genome.codes(contig, 0, length), theta, rng, options["ploidy"])
        for contig, length in shown.items()
        if length >= profile.insert_mean
    ]
    if not made:
        raise DataError("No contig is long enough to simulate reads of", file=reference)
    haplotypes = [one for contig in made for one in contig.haplotypes]
    depth = options["depths"][number - 1] / 2
    write_fastq(simulate_pairs(haplotypes, depth, rng, profile), *fastq)
    write_vcf(
        truth,
        [as_record(call) for contig in made for call in contig.variants],
        contigs=genome.lengths,
        samples=[sample],
        filters={},
        info=[],
        format=[Field("GT", "1", "String", "Genotype, simulated")],
        index=False,
    )


def as_record(call: Called) -> Record:
    """A line of a VCF whose only value is the genotype."""
    genotype = ("|" if call.phased else "/").join(map(str, call.genotype))
    return Record(call.contig, call.start, list(call.alleles), None, [], ".", [[genotype]])


def simulate_diploid(
    contig: str, reference: np.ndarray, theta: Theta, rng: np.random.Generator, ploidy: int = 2
) -> Diploid:
    """Two haplotypes of a contig (codes); `theta` are variants a base, of SNPs and of indels.

    The truth is written left-most. A haploid contig has the same haplotype twice.
    """
    variants = simulate_variants(contig, reference, theta, rng, ploidy)
    one, other = (
        _haplotype(reference, [_edit(call) for call in variants if call.genotype[side]])
        for side in (0, -1)
    )
    return Diploid((one, other), variants)


def simulate_variants(
    contig: str, reference: np.ndarray, theta: Theta, rng: np.random.Generator, ploidy: int = 2
) -> list[Called]:
    """Variants of a contig (codes), in order and apart, each written left-most."""
    variants = []
    reach = -1
    for position, is_indel in _places(reference, theta, rng):
        made = _indel(reference, position, rng) if is_indel else _snp(reference, position, rng)
        if made is None:
            continue
        start, ref, alt = left_aligned(*made, reference)
        if start <= reach + APART:
            continue
        reach = max(start + len(ref), position)
        genotype = (1,) if ploidy == 1 else (0, 1) if rng.random() < HETEROZYGOUS else (1, 1)
        if genotype == (0, 1) and rng.random() < 0.5:
            genotype = (1, 0)
        variants.append(Called(contig, start, (ref, alt), genotype, ploidy == 2))
    return variants


def _edit(call: Called) -> Edit:
    ref, alt = (encode(letters).tobytes() for letters in call.alleles)
    return edit_of(call.start, ref, alt)


def _places(
    reference: np.ndarray, theta: Theta, rng: np.random.Generator
) -> list[tuple[int, bool]]:
    """Where something changes, in order, and whether it is an indel."""
    rate = np.full(len(reference), 1.0)
    cpg = np.flatnonzero((reference[:-1] == 1) & (reference[1:] == 2))
    rate[cpg] = rate[cpg + 1] = CPG
    rate[reference == N] = 0.0
    rate *= theta.snp / max(rate.mean(), 1e-12)
    snps = np.flatnonzero(rng.random(len(reference)) < rate)
    n = rng.poisson(theta.indel * len(reference))
    ends = _repeat_ends(reference)
    usual = rng.integers(1, max(len(reference) - LONGEST - 1, 2), n)
    in_repeat = rng.random(n) < IN_REPEATS if len(ends) else np.zeros(n, bool)
    indels = np.where(in_repeat, rng.choice(ends, n) if len(ends) else 0, usual)
    return sorted([(int(p), False) for p in snps] + [(int(p), True) for p in set(indels.tolist())])


def _repeat_ends(reference: np.ndarray) -> np.ndarray:
    """The last base of each run of four or more equal bases."""
    change = np.flatnonzero(np.diff(reference)) + 1
    bounds = np.concatenate([[0], change, [len(reference)]])
    long = np.diff(bounds) >= 4
    return bounds[1:][long] - 1


def _snp(reference: np.ndarray, position: int, rng: np.random.Generator) -> tuple[int, str, str]:
    ref = int(reference[position])
    others = [code for code in range(N) if code not in (ref, TRANSITION[ref])]
    alt = int(TRANSITION[ref]) if rng.random() < 2 / 3 else int(rng.choice(others))
    return position, decode(np.array([ref])), decode(np.array([alt]))


def _indel(
    reference: np.ndarray, position: int, rng: np.random.Generator
) -> tuple[int, str, str] | None:
    """An insertion or deletion behind a base; None at the ends, and beside N."""
    run = 1
    while run < LONGEST and position >= run and reference[position - run] == reference[position]:
        run += 1
    length = 1 if run >= 4 else int(min(rng.geometric(0.35), LONGEST))
    behind = reference[position : position + 1 + length]
    if position < LONGEST or len(behind) <= length or (behind == N).any():
        return None
    anchor = decode(reference[position : position + 1])
    if rng.random() < 0.5:
        if run >= 4:
            start = position - run
            return start, decode(reference[start : start + 2]), decode(reference[start : start + 1])
        return position, decode(behind), anchor
    letters = anchor if run >= 4 else decode(rng.integers(0, N, length))
    return position, anchor, anchor + letters


def _haplotype(reference: np.ndarray, edits: list[Edit]) -> np.ndarray:
    """The reference with the edits made; letters that are not known become A."""
    made = edited(edits, reference, 0, 0, len(reference))
    return np.where(made == N, 0, made).astype(np.uint8)
