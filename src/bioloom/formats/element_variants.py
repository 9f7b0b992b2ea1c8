"""Variants of elements: a table with a row a change of one letter, or with both sequences.

Positions are counted from 1. `alt` is `-` where the letter is deleted. Where the sequence of the
element is known, a variant also has the letters around its place, as `base-5` to `base+5`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.columns import numbers, require_columns, text
from bioloom.formats.dna import BASES, standard_dna
from bioloom.formats.fasta import read_fasta

REACH = 5
"""Letters on either side of a variant that are told."""
DELETED = "-"
LAST = 2**24
"""Up to here models tell positions apart (float32)."""


def element_variants(
    table: pd.DataFrame, names: Mapping[str, str], elements: Path | None, path: Path
) -> pd.DataFrame:
    """`element, position, ref, alt` and the letters around, of the rows of a table.

    `names` are the user's columns by role; with `reference` and `sequence` the change is what
    differs between both. What is no change of one known letter has no `alt`. DataError where a
    reference letter is not that of the source `elements`.
    """
    sequence: pd.Series | None = None
    if "reference" in names:
        found, sequence = _compared(table, names, path)
    else:
        found = _listed(table, names, path)
        if elements is not None:
            sequence = _sequences(found, names, elements, path)
    if sequence is not None:
        for offset in (o for o in range(-REACH, REACH + 1) if o):
            found[f"base{offset:+d}"] = _letters(sequence, found["position"] + offset)
    return found


def _listed(table: pd.DataFrame, names: Mapping[str, str], path: Path) -> pd.DataFrame:
    columns = {role: names.get(role, role) for role in ("element", "position", "ref", "alt")}
    require_columns(table, columns.values(), path)
    position = numbers(table[columns["position"]], path)
    no_place = (position < 1) | (position > LAST) | (position % 1 != 0)
    wrong = position.notna() & no_place
    if wrong.any():
        raise DataError(
            f"A position is a whole number from 1 to {LAST}, got {position[wrong].iloc[0]:.15g}",
            file=path,
            row=table.index[wrong][0],
            column=columns["position"],
            hint="positions are counted within their element, not on a chromosome",
        )
    alt = text(table[columns["alt"]])
    deleted = alt.eq(DELETED)
    found = pd.DataFrame({"element": text(table[columns["element"]]), "position": position})
    found["ref"] = _one_base(standard_dna(text(table[columns["ref"]]), path))
    found["alt"] = _one_base(standard_dna(alt.mask(deleted), path)).mask(deleted, DELETED)
    known = found[["element", "position", "ref"]].notna().all(axis=1)
    found["alt"] = found["alt"].where(known & (found["ref"] != found["alt"]))
    return found


def _compared(
    table: pd.DataFrame, names: Mapping[str, str], path: Path
) -> tuple[pd.DataFrame, pd.Series]:
    """The one letter in which two sequences differ; elements are called by their sequence.

    Of a letter deleted from a run of the same the first one is taken.
    """
    columns = {role: names.get(role, role) for role in ("reference", "sequence")}
    require_columns(table, columns.values(), path)
    before, after = (standard_dna(text(table[column]), path) for column in columns.values())
    rows = [_difference(a, b) for a, b in zip(before.fillna(""), after.fillna(""), strict=True)]
    found = pd.DataFrame(rows, columns=["position", "ref", "alt"], index=table.index)
    element = before.map({s: _called(s) for s in before.dropna().unique()})
    if "element" in names:
        require_columns(table, [names["element"]], path)
        element = text(table[names["element"]])
    found.insert(0, "element", element)
    found["alt"] = found["alt"].where(element.notna())
    return found, before.fillna("")


def _called(sequence: str) -> str:
    """A name that the sequence has in each file."""
    return f"element_{hashlib.sha256(sequence.encode()).hexdigest()[:12]}"


def _difference(before: str, after: str) -> tuple[float, str | None, str | None]:
    same = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), None)
    if same is None:
        same = min(len(before), len(after))
    ref, rest = before[same : same + 1], before[same + 1 :]
    if ref in BASES and ref:
        if after[same:] == rest:
            while same and before[same - 1] == ref:
                same -= 1
            return same + 1, ref, DELETED
        if after[same + 1 :] == rest and after[same : same + 1] in BASES:
            return same + 1, ref, after[same]
    return np.nan, None, None


def _sequences(
    found: pd.DataFrame, names: Mapping[str, str], elements: Path, path: Path
) -> pd.Series:
    """The sequence of each row's element, whose letters the references have to be."""
    records = read_fasta(elements)
    letters = pd.Series([r.sequence for r in records], index=[r.row for r in records])
    known = dict(zip([r.id for r in records], standard_dna(letters, elements), strict=True))
    lacking = found["element"].notna() & ~found["element"].isin(list(known))
    if lacking.any():
        raise DataError(
            f"The source `elements` has no sequence {found['element'][lacking].iloc[0]}",
            file=path,
            row=found.index[lacking][0],
            column=names.get("element", "element"),
        )
    sequence = found["element"].map(known).fillna("")
    own = _letters(sequence, found["position"])
    other = found["ref"].notna() & ~(own.eq(found["ref"]) | own.isna())
    beyond = found["position"] > sequence.str.len()
    if (wrong := other | (beyond & found["ref"].notna())).any():
        first = found[wrong].iloc[0]
        has = f"is {own[wrong].iloc[0]}" if not beyond[wrong].iloc[0] else "ends before"
        raise DataError(
            f"The reference letter is {first['ref']}, but {first['element']} {has} "
            f"at {first['position']:.0f}",
            file=path,
            row=found.index[wrong][0],
            column=names.get("ref", "ref"),
            hint="positions are counted from 1, on the strand of the source `elements`",
        )
    return sequence


def _letters(sequence: pd.Series, position: pd.Series) -> pd.Series:
    """The base at each position, missing beyond the ends and where it is not known."""
    pairs = zip(sequence, position.fillna(0).astype(int) - 1, strict=True)
    letters = [text[i] if 0 <= i < len(text) else None for text, i in pairs]
    return _one_base(pd.Series(letters, index=sequence.index, dtype="str"))


def _one_base(letters: pd.Series) -> pd.Series:
    return letters.where(letters.isin(list(BASES)))
