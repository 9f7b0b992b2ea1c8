"""Copies of an allele that the samples of a VCF have: a record at a time, all samples at once."""

from __future__ import annotations

import re
from functools import cached_property

import numpy as np
import pysam

SILENT = ("GQ", "DP", "MIN_DP")
"""Fields of a block of the reference that say, by 0, that nothing is known there."""
TAB, MISSING, ZERO = b"\t.0"


class Sampled:
    """The fields of all samples of a record, in their order.

    Taken from the record's text: a Python object a sample and field would be too slow.
    """

    def __init__(self, record: pysam.VariantRecord) -> None:
        fields = str(record).rstrip("\n").split("\t", 9)
        self.keys = fields[8].split(":")
        self.text = fields[9]

    def copies(self, allele: int, field: str) -> np.ndarray:
        """(samples,) copies of an allele, NaN where not known; of DS they are expected ones."""
        if field == "GT" and self._letters is not None and allele < 10:
            same = (self._letters == ZERO + allele).sum(axis=0).astype(float)
            same[(self._letters == MISSING).any(axis=0)] = np.nan
            return same
        cells = self._column(field)
        if field != "DS":
            return np.array([_counted(cell, allele) for cell in cells])
        ploidy = [_ploidy(genotype) for genotype in self._column("GT")]
        return np.array([_expected(*one, allele) for one in zip(cells, ploidy, strict=True)])

    def copies_of_reference(self) -> np.ndarray:
        """(samples,) copies of the reference in a block of it; NaN where it is not sure."""
        others = [cell.replace("|", "/").split("/") for cell in self._column("GT")]
        copies = [len(own) if set(own) == {"0"} else np.nan for own in others]
        silent = np.zeros(len(copies), bool)
        for field in {*SILENT} & {*self.keys}:
            silent |= np.array(self._column(field)) == "0"
        return np.where(silent, np.nan, copies)

    @cached_property
    def _letters(self) -> np.ndarray | None:
        """(2, samples) letters of the alleles in GT, if each has two of one letter."""
        text = np.frombuffer(f"{self.text}\t:::".encode(), np.uint8)
        starts = np.concatenate([[0], np.flatnonzero(text == TAB)[:-1] + 1])
        marks, ends = text[starts + 1], text[starts + 3]
        is_plain = (marks == ord("/")) | (marks == ord("|"))
        is_plain &= (ends == TAB) | (ends == ord(":"))
        return text[starts + [[0], [2]]] if self.keys[0] == "GT" and is_plain.all() else None

    def _column(self, field: str) -> list[str]:
        """A field of all samples; those at the end may be left out."""
        samples = self.text.split("\t")
        if field not in self.keys:
            return ["."] * len(samples)
        at = self.keys.index(field)
        return [(sample.split(":", at + 1) + ["."] * at)[at] for sample in samples]


def _counted(cell: str, allele: int) -> float:
    """Copies in GT; none is known where an allele is missing."""
    alleles = re.split(r"[/|]", cell)
    return np.nan if "." in alleles else float(alleles.count(str(allele)))


def _ploidy(genotype: str) -> int:
    """How many alleles a genotype has; two where none is called."""
    return 2 if genotype == "." else 1 + genotype.count("/") + genotype.count("|")


def _expected(cell: str, ploidy: int, allele: int) -> float:
    """Copies by DS, which has a number an alternative; the reference has the rest."""
    values = cell.split(",")
    if "." in values:
        return np.nan
    return float(values[allele - 1]) if allele else ploidy - sum(map(float, values))
