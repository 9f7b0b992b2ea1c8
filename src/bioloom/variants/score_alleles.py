"""How the alleles of a row of a scoring file are those of a record, or of a reference base."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

COMPLEMENT = dict(zip("ACGT", "TGCA", strict=True)) | {"": ""}

ABSENT, NO_BASE, FILTERED, OTHER_ALLELES, AMBIGUOUS = range(5)
LIKE_REFERENCE, TURNED, FLIPPED, AS_WRITTEN = range(5, 9)
STATES = (
    *("absent from the genotypes", "like a reference whose base is not known"),
    *("in records that did not pass", "with other alleles", "ambiguous palindromes"),
    *("like the reference", "palindromes turned by frequency", "on the other strand"),
    "as written",
)
"""How a row was found, the better ones behind; those from LIKE_REFERENCE on are used."""
PREFERRED = (FLIPPED, AMBIGUOUS, AS_WRITTEN)
"""Of several matches, of a row that does not say the other allele, the last is taken."""


class Match(NamedTuple):
    """How a row lies in a record: its effect allele is the reference, or alternative `number`."""

    state: int
    is_reference: bool
    number: int


def matches(effect: str, other: str, ref: str, alt: str, index: int) -> Iterator[Match]:
    """How a row's alleles are those of a record; `other` may be "", not said."""
    palindrome = COMPLEMENT.get(ref) == alt
    yield from _same(effect, other, ref, alt, index, AMBIGUOUS if palindrome else AS_WRITTEN)
    if effect in COMPLEMENT and other in COMPLEMENT and not palindrome:
        turned = COMPLEMENT[effect], COMPLEMENT[other]
        yield from _same(*turned, ref, alt, index, FLIPPED)


def _same(effect: str, other: str, ref: str, alt: str, index: int, state: int) -> Iterator[Match]:
    if effect == alt and other in ("", ref):
        yield Match(state, False, index)
    elif effect == ref and other in ("", alt):
        yield Match(state, True, index)


def like(effect: str, other: str, base: str) -> tuple[int, bool]:
    """Of a row where only the reference is: its state, and whether the effect allele is it.

    Insertions and deletions are read from their own records alone: of which of both alleles the
    reference is, one base does not tell.
    """
    if not base:
        return NO_BASE, False
    if effect not in COMPLEMENT or other not in COMPLEMENT:
        return ABSENT, False
    turned = COMPLEMENT[effect], COMPLEMENT[other]
    if turned[0] == other or (not other and turned[0] == base):
        return AMBIGUOUS, False
    if base in (effect, other) or not other:
        return LIKE_REFERENCE, base == effect
    if base in turned:
        return LIKE_REFERENCE, base == turned[0]
    return OTHER_ALLELES, False
