"""Samples that are alleles of aligned reads: the columns that all of their makers and readers know.

`variant.*` say which allele of whom it is: `chrom, pos` (1-based) `, ref, alts, alt, allele`,
`person, ploidy`, and of the site `depth, depths, mixed, likelihoods, posteriors`, and `repeat`,
the letters there that repeat those before them.
`likelihood.none, one, two` are logarithms of the posteriors of so many copies of the allele,
`site.*` values of its reads, `variant.image` their image, `variant.bcftools.*` what a peer says.
`variant.found` is false where a truth or a peer alone names the allele.
"""

from __future__ import annotations

from bioloom.samples import VARIANT

COPIES = ("none", "one", "two")
GENOTYPES = ("0/0", "0/1", "1/1")
"""Classes of the kind `genotypes`: copies of the allele."""
PRIOR = "likelihood"
PEER = f"{VARIANT}bcftools"
FOUND = f"{VARIANT}found"
IMAGE = f"{VARIANT}image"
DEPTH, REPEAT = f"{VARIANT}depth", f"{VARIANT}repeat"
