"""Whose reads a file holds: read groups of its header, and the group that each record names."""

from __future__ import annotations

from pathlib import Path

import numba
import numpy as np

from bioloom.errors import DataError
from bioloom.reads.header import Header
from bioloom.reads.records import FIXED, Records, int32, tag_bytes, uint16, uint32

NONE, UNKNOWN = -1, -2


def read_groups(header: Header) -> dict[str, str]:
    """ID -> sample (SM) of the @RG lines; those without a sample are of "" ."""
    groups = {}
    for line in header.text.splitlines():
        if line.startswith("@RG\t"):
            fields = dict(field.split(":", 1) for field in line.split("\t")[1:] if ":" in field)
            groups[fields.get("ID", "")] = fields.get("SM", "")
    return groups


def samples_of_reads(header: Header) -> list[str]:
    """The samples that a file's read groups are of, in order."""
    return sorted(set(read_groups(header).values()) - {""})


def of_sample(records: Records, header: Header, sample: str, file: Path) -> Records:
    """The records of one of several samples.

    DataError for a record of no group, of one that the header has not, or of one without a sample:
    whose it is nobody knows.
    """
    groups = read_groups(header)
    number = groups_of(records, list(groups))
    # NONE and UNKNOWN count from the end.
    owners = np.array([*groups.values(), "", ""])[number]
    lost = np.flatnonzero(owners == "")
    if len(lost):
        row = int(lost[0])
        named = {NONE: "names no read group", UNKNOWN: "names an unknown read group"}
        what = named.get(int(number[row]), "names a read group without a sample (SM)")
        raise DataError(
            f"The read {records.name(row)} {what}, and the file has several samples",
            file=file,
            hint="samtools addreplacerg gives reads a group, samtools view -R takes some out",
        )
    return records.take(owners == sample)


def groups_of(records: Records, ids: list[str]) -> np.ndarray:
    """The place of each record's read group among `ids`, (N,); NONE or UNKNOWN."""
    encoded = [name.encode() for name in ids]
    letters = np.frombuffer(b"".join(encoded), np.uint8)
    ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
    return _groups(records.raw, records.at, letters, ends)


@numba.njit(cache=True, nogil=True)
def _groups(raw, at, letters, ends):
    found = np.empty(len(at), np.int64)
    for r in range(len(at)):
        begin, size = group_of(raw, at[r])
        found[r] = NONE if size < 0 else UNKNOWN
        first = 0
        for g in range(len(ends)):
            same = ends[g] - first == size
            for i in range(size if same else 0):
                same &= raw[begin + i] == letters[first + i]
            if same:
                found[r] = g
            first = ends[g]
    return found


@numba.njit(cache=True)
def group_of(raw, at):
    """First byte and length of the value of tag RG; a length of -1 where there is none."""
    letters = np.int64(int32(raw, at + 20))
    i = at + FIXED + np.int64(raw[at + 12]) + 4 * uint16(raw, at + 16)
    i += (letters + 1) // 2 + letters
    after = at + 4 + int32(raw, at)
    while i + 3 <= after:
        is_group, kind = raw[i] == ord("R") and raw[i + 1] == ord("G"), raw[i + 2]
        i += 3
        if kind == ord("Z") or kind == ord("H"):
            begin = i
            while i < after and raw[i] != 0:
                i += 1
            if is_group:
                return begin, i - begin
            i += 1
        elif kind == ord("B"):
            if i + 5 > after:
                break
            i += 5 + tag_bytes(raw[i]) * uint32(raw, i + 1)
        else:
            if tag_bytes(kind) == 0:
                break
            i += tag_bytes(kind)
    return np.int64(-1), np.int64(-1)
