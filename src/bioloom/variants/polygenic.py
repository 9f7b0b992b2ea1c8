"""A polygenic score: for each person the sum of weights times copies of the effect alleles.

Rows of a scoring file are found in VCFs by position and alleles, as written or, of single letters,
on the other strand. A palindrome (A/T, C/G) looks alike on both: it is read by frequency, or left
out. What is absent is the reference only where a block of a gVCF or a BED of callable regions says
so, and a FASTA tells the base.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
import pysam

from bioloom.errors import DataError
from bioloom.formats.builds import AUTOSOMES, plain
from bioloom.formats.vcf import PASSED, opened
from bioloom.variants.alleles import trimmed
from bioloom.variants.dosages import Sampled
from bioloom.variants.reference import Reference
from bioloom.variants.regions import Region, inside
from bioloom.variants.score_alleles import (
    AMBIGUOUS,
    AS_WRITTEN,
    COMPLEMENT,
    FILTERED,
    LIKE_REFERENCE,
    OTHER_ALLELES,
    PREFERRED,
    TURNED,
    Match,
    like,
    matches,
)
from bioloom.variants.score_places import bases_at, rows_by_name, rows_by_place

REFERENCE_ONLY = {"<NON_REF>", "<*>", "."}
COUNTED = (*PASSED, ["RefCall"])
"""Filters of records that count; RefCall is DeepVariant's of a genotype like the reference."""
CLEAR = 0.4
"""A palindrome is read by the frequency of its effect allele where that lies below this, or above
1 - this, in the score as well as in the data."""
ENOUGH = 50  # persons whose genotypes tell a frequency
GAP, MOST_FETCHES = 10_000, 5_000
"""Rows nearer than so many bases are fetched at once; beyond so many fetches a file is read."""

TOUCHED = -1
AT_ONCE = 1_000_000  # genotypes that are added up at once


@dataclass
class Sums:
    """What files say: of each person (P,), and of each row (R,)."""

    value: np.ndarray  # (P,) the sum
    rows: np.ndarray  # (P,) rows with a genotype
    size: np.ndarray  # (P,) sizes of their weights
    expected: np.ndarray  # (P,) what they add at the mean
    state: np.ndarray  # (R,)
    people: np.ndarray  # (R,) persons with a genotype
    mean: np.ndarray  # (R,) what it adds at the mean; NaN: not known

    @property
    def used(self) -> np.ndarray:
        """(R,) rows that count."""
        return self.state >= LIKE_REFERENCE

    @property
    def unfillable(self) -> np.ndarray:
        """(R,) rows that some persons lack, without a mean."""
        return self.used & (self.people < len(self.value)) & np.isnan(self.mean)

    def filled(self) -> np.ndarray:
        """(P,) the sums, where what a person lacks of the rows that count is at its mean."""
        return self.value + np.nansum(self.mean[self.used]) - self.expected


@dataclass
class Group:
    """Persons that come in the same files: `seen` has for each row the file that it was found in.

    It is `TOUCHED` where records lie there that do not say it.
    """

    people: np.ndarray
    seen: np.ndarray
    contigs: set[str] = field(default_factory=set)
    waiting: list[tuple[int, np.ndarray]] = field(default_factory=list)


class Scorer:
    """Adds up a score over files. `rows` are a `Score`'s, with the `chrom` and `pos` to look at."""

    def __init__(
        self,
        rows: pd.DataFrame,
        people: int,
        *,
        field: str = "GT",
        by_name: bool = False,
        reference: Reference | None = None,
    ) -> None:
        """`field` is GT or DS; `by_name` finds rows by their `rsid` instead of their position."""
        self.effect, self.other = rows["effect"].tolist(), rows["other"].tolist()
        self.weights = rows[["w0", "w1", "w2"]].to_numpy()
        self.size, self.frequency = rows["size"].to_numpy(), rows["frequency"].to_numpy()
        self.chrom, self.pos = rows["chrom"].to_numpy(object), rows["pos"].to_numpy()
        self.field, self.by_name = field, by_name
        self.can_be_read = (rows["unread"] == "").to_numpy()
        self.names = rows_by_name(rows["rsid"], self.can_be_read) if by_name else {}
        self.places = {} if by_name else rows_by_place(self.chrom, self.pos, self.can_be_read)
        self.bases = bases_at(self.places, len(rows), reference)
        f = self.frequency
        shares = np.column_stack([(1 - f) ** 2, 2 * f * (1 - f), f**2])
        self.sums = Sums(
            value=np.zeros(people),
            rows=np.zeros(people),
            size=np.zeros(people),
            expected=np.zeros(people),
            state=np.zeros(len(rows), int),
            people=np.zeros(len(rows), int),
            mean=(shares * self.weights).sum(axis=1),
        )
        self.groups: dict[tuple[int, ...], Group] = {}
        self.files: list[Path] = []

    def add_file(self, file: Path, people: dict[str, int]) -> None:
        """Add a VCF: `people` are those of its samples that count, each with its place.

        DataError for a row that two files tell of one person, and for a reference with other
        letters than the VCF's.
        """
        self.files.append(file)
        with opened(file) as variants:
            names = [name for name in variants.header.samples if name in people]
            places = [people[name] for name in names]
            variants.subset_samples(names)
            group = self.groups.setdefault(tuple(sorted(places)), self._group(sorted(places)))
            order = np.argsort(places)
            for _, found in groupby(self._records(variants, group), lambda r: (r.chrom, r.pos)):
                site = list(found)
                for record in site:
                    self._add_record(record, site, group, order)
        self._add_waiting(group)

    def add_callable(self, regions: Sequence[Region]) -> None:
        """Take rows in regions, `joined`, of autosomes in a file as two copies of the reference."""
        within = inside(self.chrom, self.pos - 1, regions) & np.isin(self.chrom, AUTOSOMES)
        for group in self.groups.values():
            free = within & (group.seen == 0) & self.can_be_read
            free &= np.isin(self.chrom, list(group.contigs))
            for row in np.flatnonzero(free):
                self._add_reference(
                    int(row), self.bases[row], np.full(len(group.people), 2.0), group
                )

    def finish(self) -> Sums:
        """The sums of all files; DataError where two of them tell the same of one person."""
        own: dict[int, list[Group]] = defaultdict(list)
        for group in self.groups.values():
            self._add_waiting(group)
            for person in group.people.tolist():
                own[person].append(group)
        for groups in own.values():
            if len(groups) > 1 and ((np.stack([g.seen for g in groups]) > 0).sum(axis=0) > 1).any():
                raise self._twice()
        return self.sums

    def _group(self, places: Sequence[int]) -> Group:
        return Group(np.array(places, int), np.zeros(len(self.pos), np.int32))

    def _twice(self, file: Path | None = None) -> DataError:
        hint = "give each chromosome of a person in one file"
        return DataError("Two files have the same site of one person", file=file, hint=hint)

    def _records(self, variants: pysam.VariantFile, group: Group) -> Iterator[pysam.VariantRecord]:
        """Those near rows where there is an index and rows are few, else all."""
        if variants.index is not None and not self.by_name:
            contigs = {plain(name): name for name in map(str, variants.index)}
            group.contigs |= set(contigs)
            spans = [
                (contigs[chrom], part[0] - 1, part[-1])
                for chrom, (positions, _) in self.places.items()
                if chrom in contigs
                for part in np.split(positions, np.flatnonzero(np.diff(positions) > GAP) + 1)
            ]
            if len(spans) <= MOST_FETCHES:
                for span in spans:
                    yield from variants.fetch(*span)
                return
        yield from variants

    def _add_record(
        self,
        record: pysam.VariantRecord,
        site: Sequence[pysam.VariantRecord],
        group: Group,
        order: np.ndarray,
    ) -> None:
        """One of the records of a `site`, which may have its alternatives apart."""
        number = len(self.files)
        rows = [row for row in self._rows_at(record, group) if group.seen[row] != number]
        if not rows:
            return
        for row in rows:
            group.seen[row] = group.seen[row] or TOUCHED
        if list(record.filter) not in COUNTED:
            self._tell(rows, FILTERED)
            return
        ref, *others = [allele.upper() for allele in record.alleles or ("N",)]
        self._check_reference(record, ref, rows)
        if set(others) <= REFERENCE_ONLY:
            self._add_block(record, ref, rows, group, order)
            return
        beside = [r for r in site if r is not record and list(r.filter) in COUNTED]
        sampled = None
        for row in rows:
            match = self._match(row, record)
            if match is None:
                self._tell([row], OTHER_ALLELES)
                continue
            there = [found.state for r in beside if (found := self._match(row, r))]
            if any(PREFERRED.index(state) > PREFERRED.index(match.state) for state in there):
                continue
            sampled = sampled or Sampled(record)
            if match.state == AMBIGUOUS:
                match = self._by_frequency(row, match, record, sampled)
            if match.state == AMBIGUOUS:
                self._tell([row], AMBIGUOUS)
                continue
            copies = sampled.copies(0 if match.is_reference else match.number, self.field)
            if match.is_reference:
                copies = copies - self._elsewhere(row, record, beside)
            self._add(row, copies[order], group, match.state)

    def _elsewhere(
        self, row: int, record: pysam.VariantRecord, beside: Sequence[pysam.VariantRecord]
    ) -> np.ndarray | float:
        """Copies of letters in the row's place that other records have: `record` calls them 0."""
        known = {allele.upper() for allele in record.alleles or ()}
        copies: np.ndarray | float = 0.0
        for other in (r for r in beside if r.ref == record.ref):
            for index, allele in enumerate(other.alts or (), start=1):
                start, ours, theirs = trimmed(other.pos, str(other.ref).upper(), allele.upper())
                is_letter = len(ours) == len(theirs) == 1 and theirs in COMPLEMENT
                if is_letter and start == self.pos[row] and allele.upper() not in known:
                    copies = copies + np.nan_to_num(Sampled(other).copies(index, self.field))
                    known.add(allele.upper())
        return copies

    def _match(self, row: int, record: pysam.VariantRecord) -> Match | None:
        """The best of the ways in which a record has the alleles of a row."""
        ref, *others = [allele.upper() for allele in record.alleles or ("N",)]
        found = [
            match
            for index, other in enumerate(others, start=1)
            if not set(ref + other) - set("ACGT")
            for start, ours, theirs in [trimmed(record.pos, ref, other)]
            if self.by_name or start == self.pos[row]
            for match in matches(self.effect[row], self.other[row], ours, theirs, index)
        ]
        return max(found, key=lambda match: PREFERRED.index(match.state), default=None)

    def _rows_at(self, record: pysam.VariantRecord, group: Group) -> list[int]:
        """The rows that a record covers, or whose names it has."""
        if self.by_name:
            names = (record.id or "").split(";")
            return [row for name in names for row in self.names.get(name, ())]
        contig = plain(record.chrom)
        group.contigs.add(contig)
        if contig not in self.places:
            return []
        positions, rows = self.places[contig]
        low = bisect_left(positions, record.pos)
        if low == len(positions) or positions[low] > record.stop:
            return []
        return rows[low : bisect_right(positions, record.stop)]

    def _check_reference(self, record: pysam.VariantRecord, ref: str, rows: Sequence[int]) -> None:
        for row in rows:
            base = self.bases[row]
            if base and self.pos[row] == record.pos and ref[0] in "ACGT" and ref[0] != base:
                message = f"REF at {record.chrom}:{record.pos} is another letter in the reference"
                hint = "the FASTA must be of the build that the genotypes were called on"
                raise DataError(message, file=self.files[-1], hint=hint)

    def _add_block(
        self,
        record: pysam.VariantRecord,
        ref: str,
        rows: Sequence[int],
        group: Group,
        order: np.ndarray,
    ) -> None:
        """A block of a gVCF, or a site where nobody has another allele."""
        copies = Sampled(record).copies_of_reference()[order]
        for row in rows:
            starts = self.by_name or self.pos[row] == record.pos
            own = ref if starts and ref in COMPLEMENT else self.bases[row]
            self._add_reference(row, own, copies, group)

    def _add_reference(self, row: int, base: str, copies: np.ndarray, group: Group) -> None:
        """A row of which persons have only the reference, so many copies of it."""
        state, is_effect = like(self.effect[row], self.other[row], base)
        if state != LIKE_REFERENCE:
            self._tell([row], state)
            return
        self._add(row, copies if is_effect else copies * 0, group, state)

    def _add(self, row: int, copies: np.ndarray, group: Group, state: int) -> None:
        """Take copies (persons of the group,) of a row's effect allele."""
        if group.seen[row] > 0:
            raise self._twice(self.files[-1])
        group.seen[row] = len(self.files)
        group.waiting.append((row, copies))
        if len(group.waiting) * len(copies) > AT_ONCE:
            self._add_waiting(group)
        self._tell([row], state)

    def _add_waiting(self, group: Group) -> None:
        """Add what was taken to the sums; between whole copies a row adds linearly."""
        if not group.waiting:
            return
        rows = np.array([row for row, _ in group.waiting])
        copies = np.stack([copies for _, copies in group.waiting])
        group.waiting.clear()
        known = np.isfinite(copies)
        n = np.where(known, copies, 0.0)
        none, one, two = self.weights[rows].T[:, :, None]
        added = none + (one - none) * np.minimum(n, 1) + (two - one) * np.maximum(n - 1, 0)
        added *= known
        sums, people, counts = self.sums, group.people, known.sum(axis=1)
        if len(people) == len(sums.value):
            means = added.sum(axis=1) / np.where(counts, counts, np.nan)
            sums.mean[rows] = np.where(np.isnan(sums.mean[rows]), means, sums.mean[rows])
        sums.value[people] += added.sum(axis=0)
        sums.rows[people] += known.sum(axis=0)
        sums.size[people] += self.size[rows] @ known
        sums.expected[people] += np.nan_to_num(sums.mean[rows]) @ known
        sums.people[rows] += counts

    def _tell(self, rows: Sequence[int], state: int) -> None:
        for row in rows:
            if self.sums.state[row] < state:
                self.sums.state[row] = state

    def _by_frequency(
        self, row: int, match: Match, record: pysam.VariantRecord, sampled: Sampled
    ) -> Match:
        """A palindrome as written, or turned, by the frequency of what looks like its allele."""
        if alternatives := _frequencies(record):
            ours = alternatives[match.number - 1]
            data = 1 - sum(alternatives) if match.is_reference else ours
        else:
            copies = sampled.copies(0 if match.is_reference else match.number, "GT")
            known = copies[np.isfinite(copies)]
            data = known.mean() / 2 if len(known) >= ENOUGH else np.nan
        said = self.frequency[row]
        if not all(f < CLEAR or f > 1 - CLEAR for f in (said, data)):
            return match
        if (said < 0.5) == (data < 0.5):
            return match._replace(state=AS_WRITTEN)
        return Match(TURNED, not match.is_reference, match.number)


def _frequencies(record: pysam.VariantRecord) -> tuple[float, ...] | None:
    """AF of each alternative, if all are told, and of `ENOUGH` persons: AF of one is 0, .5 or 1."""
    told, alleles = (
        record.info[name] if name in record.info else None  # `get` raises without a header line
        for name in ("AF", "AN")
    )
    alleles = 2 * len(record.samples) if alleles is None else alleles
    found = told if isinstance(told, tuple) else (told,)
    numbers = all(isinstance(one, float) for one in found)
    is_whole = numbers and len(found) == len(record.alts or ()) and isinstance(alleles, int)
    return found if is_whole and alleles >= 2 * ENOUGH else None
