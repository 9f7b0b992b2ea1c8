"""Builds of the human genome: how files call them, and by which lengths they are told apart."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import pandas as pd

# Chromosomes 1 to 22, X and Y, as in chrom.sizes of UCSC's hg19 and hg38.
_LENGTHS = {
    "GRCh37": "249250621 243199373 198022430 191154276 180915260 171115067 159138663 146364022 "
    "141213431 135534747 135006516 133851895 115169878 107349540 102531392 90354753 81195210 "
    "78077248 59128983 63025520 48129895 51304566 155270560 59373566",
    "GRCh38": "248956422 242193529 198295559 190214555 181538259 170805979 159345973 145138636 "
    "138394717 133797422 135086622 133275309 114364328 107043718 101991189 90338345 83257441 "
    "80373285 58617616 64444167 46709983 50818468 156040895 57227415",
}
_NAMES = [*map(str, range(1, 23)), "X", "Y"]
LENGTHS = {
    build: dict(zip(_NAMES, map(int, lengths.split()), strict=True))
    for build, lengths in _LENGTHS.items()
}
"""Build -> chromosome -> bases."""
AUTOSOMES = _NAMES[:22]
CALLED = {
    "NCBI36": r"hg18|b36|(ncbi|grch)\W?36.*",
    "GRCh37": r"hg19|b37|hs37.*|(ncbi|grch)\W?37.*",
    "GRCh38": r"hg38|b38|hs38.*|(ncbi|grch)\W?38.*",
}
NUMBERED = {"23": "X", "24": "Y", "25": "X", "26": "MT", "M": "MT", "XY": "X"}


def build_called(name: str | None) -> str | None:
    """The build that a file calls hg19, b37 or GRCh37.p13; None for what is none."""
    for build, pattern in CALLED.items():
        if re.fullmatch(pattern, (name or "").strip(), re.IGNORECASE):
            return build
    return None


def builds_of(lengths: Mapping[str, int | None]) -> set[str]:
    """The builds that have a chromosome of the length that a file says."""
    return {
        build
        for build, known in LENGTHS.items()
        for name, length in lengths.items()
        if length and known.get(plain(name)) == length
    }


def plain(name: str) -> str:
    """A chromosome's name without "chr": 22, X, MT."""
    bare = name.strip()
    bare = bare[3:] if bare[:3].lower() == "chr" else bare
    bare = bare.upper() if len(bare) < 3 else bare
    return NUMBERED.get(bare, bare)


def plain_names(names: Iterable[str]) -> pd.Series:
    """Those of a column, "" where there is none."""
    column = pd.Series(names, dtype="str").fillna("")
    return column.map({name: plain(name) for name in column.unique()}).astype("str")
