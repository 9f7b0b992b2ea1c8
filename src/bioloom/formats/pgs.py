"""Scoring files of the PGS Catalog, formats 1.0 and 2.0, with or without harmonised positions.

A row is an allele and what one or two copies of it add to the score
(Lambert et al. 2021, Nat Genet 53, 420; www.pgscatalog.org/downloads).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.builds import build_called, plain_names
from bioloom.formats.columns import numbers, require_columns, text
from bioloom.formats.table import read_table
from bioloom.formats.text import open_text

DOSAGES = ["dosage_0_weight", "dosage_1_weight", "dosage_2_weight"]
RATIOS = ("OR", "HR")
RATIO = re.compile(r"(or|hr|rr|irr)(/(or|hr|rr))*|(odds|hazard|risk|rate) ratio|relative risk")
HAPLOTYPE, INTERACTION = "a haplotype", "an interaction"
NO_LETTERS = "alleles that are no letters"
FLAGS = ("is_haplotype", "is_interaction", "is_dominant", "is_recessive")
OLD = {"PGS ID": "pgs_id", "Original Genome Build": "genome_build"}
"""Words of format 1.0."""


@dataclass(frozen=True)
class Score:
    """A scoring file: `rows` by line, and the builds of its positions, None where it says none.

    Rows have `rsid, effect, other` (text, "" where not said), `w0, w1, w2` (what so many copies of
    the effect allele add), `size` (the largest of these but for the sign), `frequency` of the
    effect allele, `unread` (why a row cannot be read by itself, or ""), and `chrom, pos` (1-based,
    0 where there is none) and perhaps `hm_chrom, hm_pos`, which are harmonised. `name` is "score"
    where the file has none.
    """

    name: str
    build: str | None
    harmonised: str | None
    rows: pd.DataFrame
    notes: list[str]

    def on(self, build: str) -> pd.DataFrame | None:
        """`chrom, pos` of the rows on a build; None where the file has no positions on it."""
        if self.harmonised == build:
            return self.rows[["hm_chrom", "hm_pos"]].set_axis(["chrom", "pos"], axis=1)
        return self.rows[["chrom", "pos"]] if self.build == build else None

    @property
    def has_positions(self) -> bool:
        """Whether any row has a position."""
        return any((self.rows[name] > 0).any() for name in ("pos", "hm_pos") if name in self.rows)


def read_score(path: str | Path, weights: str | None = None) -> Score:
    """A scoring file, plain or compressed by gzip; `weights` are "ratios" or "logarithms".

    Ratios are added by their natural logarithms. DataError for what is no scoring file, a row
    without a weight or there twice, and for weights that seem to be ratios until `weights` is said.
    """
    file = Path(path)
    facts, skip = _header(file)
    table = read_table(file, separator="\t", skip=skip)
    require_columns(table, ["effect_allele"], file)
    flags = {name: _texts(table, name).str.lower().isin(["true", "1"]) for name in FLAGS}
    values, size, notes = _weights(table, flags, facts, weights, file)
    rsid = _texts(table, "rsID")
    effect = _texts(table, "effect_allele").str.upper()
    other = _texts(table, "other_allele", "reference_allele", "hm_inferOtherAllele").str.upper()
    rows = pd.DataFrame(
        {
            "rsid": rsid.mask(rsid == ".", ""),
            "effect": effect,
            "other": other.where(other.str.fullmatch("[ACGT]+"), ""),
            **{f"w{copies}": values[:, copies] for copies in range(3)},
            "size": size,
            "frequency": _numbers(table, "allelefrequency_effect", file),
            "unread": np.select(
                [flags["is_haplotype"], flags["is_interaction"], ~effect.str.fullmatch("[ACGT]+")],
                [HAPLOTYPE, INTERACTION, NO_LETTERS],
                "",
            ),
            "chrom": plain_names(_texts(table, "chr_name")),
            "pos": _positions(table, "chr_position", file),
        },
        index=table.index,
    )
    harmonised = build_called(facts.get("HmPOS_build")) if "hm_pos" in table else None
    if harmonised:
        rows["hm_chrom"] = plain_names(_texts(table, "hm_chr"))
        rows["hm_pos"] = _positions(table, "hm_pos", file)
    placed = rows[(rows["unread"] == "") & (rows["pos"] > 0)]
    again = placed.duplicated(["chrom", "pos", "effect", "other", "w0", "w1", "w2"])
    if again.any():
        hint = "remove one of them: it would count twice"
        raise DataError(
            "A row is there twice", file=file, row=int(placed.index[int(again.argmax())]), hint=hint
        )
    name = re.sub(r"[.=\s]", "_", facts.get("pgs_id") or "score")
    return Score(name, build_called(facts.get("genome_build")), harmonised, rows, notes)


def _header(file: Path) -> tuple[dict[str, str], int]:
    """What the lines in front of the table say, and how many there are."""
    facts: dict[str, str] = {}
    with open_text(file) as lines:
        for number, line in enumerate(lines):
            if not line.startswith("#"):
                return facts, number
            name, _, value = line.lstrip("#").partition("=")
            facts[OLD.get(name.strip(), name.strip())] = value.strip()
    raise DataError("A scoring file without rows", file=file)


def _texts(table: pd.DataFrame, *names: str) -> pd.Series:
    """The first of the columns that has a text in each row, "" where none has."""
    found = pd.Series("", index=table.index, dtype="str")
    for name in names:
        if name in table:
            found = found.mask(found == "", text(table[name]).fillna(""))
    return found


def _numbers(table: pd.DataFrame, name: str, file: Path) -> pd.Series:
    if name not in table:
        return pd.Series(np.nan, index=table.index)
    return numbers(table[name], file)


def _positions(table: pd.DataFrame, name: str, file: Path) -> pd.Series:
    return _numbers(table, name, file).fillna(0).astype(np.int64)


def _weights(
    table: pd.DataFrame,
    flags: dict[str, pd.Series],
    facts: dict[str, str],
    declared: str | None,
    file: Path,
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """(n, 3) what 0, 1 and 2 copies add, (n,) the size of the weight, and notes."""
    ratio = [name for name in RATIOS if name in table and "effect_weight" not in table]
    one = _numbers(table, ratio[0] if ratio else "effect_weight", file).to_numpy()
    by_copies = np.column_stack([_numbers(table, name, file) for name in DOSAGES])
    is_by_copies = np.isfinite(by_copies).all(axis=1)
    lacking = ~is_by_copies & np.isnan(one)
    if lacking.any():
        row, column = table.index[lacking.argmax()], ratio[0] if ratio else "effect_weight"
        raise DataError("A row without a weight", file=file, row=row, column=column)
    both = flags["is_dominant"] & flags["is_recessive"]
    if both.any():
        raise DataError(
            "A row both dominant and recessive", file=file, row=int(table.index[int(both.argmax())])
        )
    kinds = {facts.get("weight_type", ""), *_texts(table, "weight_type").unique()}
    says_ratio = bool(ratio) or any(RATIO.fullmatch(kind.lower()) for kind in kinds)
    given = np.concatenate([one[~is_by_copies], by_copies[is_by_copies].ravel()])
    notes = []
    if declared == "ratios" and (given <= 0).any():
        raise DataError("`weights: ratios`, but some weights are 0 or less", file=file)
    if declared is None and says_ratio and (given > 0).all():
        raise DataError(
            "The weights are called ratios, and all are above 0",
            file=file,
            hint="say `weights: ratios`, whose logarithms are added, or `weights: logarithms`",
        )
    if declared == "ratios":
        one, by_copies = np.log(one), np.log(by_copies)
        notes = ["The logarithms of the score's ratios are added"]
    elif says_ratio:
        notes = ["The score's weights are called ratios; they are added as logarithms, as they are"]
    dominant, recessive = flags["is_dominant"].to_numpy(), flags["is_recessive"].to_numpy()
    single = np.where(recessive, 0.0, one)
    double = np.where(dominant | recessive, one, 2 * one)
    values = np.column_stack([np.zeros(len(one)), single, double])
    values[is_by_copies] = by_copies[is_by_copies]
    size = np.where(is_by_copies, np.abs(values).max(axis=1), np.abs(one))
    return values, size, notes
