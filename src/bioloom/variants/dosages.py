"""Copies of an allele that each sample of a VCF has, a record at a time, for all samples at once."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pysam

SILENT = ("GQ", "DP", "MIN_DP")
"""Fields of a block of the reference that say, by 0, that nothing is known there."""


class Sampled:
    """The fields of all samples of a record, in their order."""

    def __init__(self, record: pysam.VariantRecord) -> None:
        """Taken from the record's text: a Python object a sample and field is too slow."""
        _, keys, *rest = str(record).rstrip("\n").split("\t", 9)[7:]
        self.keys = keys.split(":")
        values = rest[0].split("\t") if rest else []
        if len(self.keys) == 1:
            self._columns = [values]
            return
        width = len(self.keys)
        cells = rest[0].replace("\t", ":").split(":") if rest else []
        if len(cells) == width * len(values):
            self._columns = [cells[k::width] for k in range(width)]
        else:  # fields at the end may be left out
            padded = [(value.split(":") + ["."] * width)[:width] for value in values]
            self._columns = [list(column) for column in zip(*padded, strict=True)]

    def copies(self, allele: int, field: str) -> np.ndarray:
        """(samples,) copies of an allele, NaN where not known; of `DS` they are expected ones."""
        if field not in self.keys:
            return np.full(len(self._columns[0]), np.nan)
        cells = self._columns[self.keys.index(field)]
        known = (_Dosages if field == "DS" else _Copies).of(allele)
        return np.fromiter(map(known.__getitem__, cells), float, len(cells))

    def copies_of_reference(self) -> np.ndarray:
        """(samples,) copies of the reference in a block of it; NaN where it is not sure."""
        cells = self._columns[self.keys.index("GT")] if "GT" in self.keys else []
        if not cells:
            return np.full(len(self._columns[0]), np.nan)
        copies = np.fromiter(map(_References.of(0).__getitem__, cells), float, len(cells))
        for field in SILENT:
            if field in self.keys:
                copies[np.array(self._columns[self.keys.index(field)]) == "0"] = np.nan
        return copies


class _Known(dict[str, float]):
    """Text of a genotype -> copies of an allele, each parsed once."""

    def __init__(self, allele: int) -> None:
        super().__init__()
        self.allele = allele

    @classmethod
    @cache
    def of(cls, allele: int) -> _Known:
        """The one of an allele."""
        return cls(allele)

    def __missing__(self, cell: str) -> float:
        self[cell] = value = self.parsed(cell)
        return value

    def parsed(self, cell: str) -> float:
        raise NotImplementedError


class _Copies(_Known):
    def parsed(self, cell: str) -> float:
        """Counted in GT; none is known where an allele is missing."""
        alleles = re.split(r"[/|]", cell.lstrip("/|"))
        return float("nan") if "." in alleles else float(alleles.count(str(self.allele)))


class _References(_Known):
    def parsed(self, cell: str) -> float:
        """All alleles of GT, where they are the reference."""
        alleles = re.split(r"[/|]", cell.lstrip("/|"))
        return float(len(alleles)) if set(alleles) == {"0"} else float("nan")


class _Dosages(_Known):
    def parsed(self, cell: str) -> float:
        """Expected copies by DS, which has a number an alternative; the reference has the rest."""
        if "." in cell.split(","):
            return float("nan")
        values = list(map(float, cell.split(",")))
        return values[self.allele - 1] if self.allele else 2 - sum(values)
