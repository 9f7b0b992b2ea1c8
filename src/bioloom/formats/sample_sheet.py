"""Sample sheets (.csv, .tsv): which files hold the reads of which sample, a row a lane.

Columns: `sample` and either `fastq_1` (with `fastq_2` where reads are paired) or `bam` (BAM or
CRAM); optional are `lane`, `library` and `platform`. Read when jobs are planned, so nothing heavy
is imported.
"""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

from bioloom.errors import DataError, unknown_name
from bioloom.files import replacing
from bioloom.formats.text import open_text
from bioloom.privacy.samples import shown

PLATFORMS = ("illumina", "element", "dnbseq", "iontorrent", "ont", "pacbio")
LONG_READS = ("ont", "pacbio")
SEPARATORS = {".csv": ",", ".tsv": "\t"}
FILES = ("fastq_1", "fastq_2", "bam")
# What names may have: they stand in file names and in headers of BAM and VCF.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*( [A-Za-z0-9._+-]+)*")


@dataclass(frozen=True)
class Lane:
    """A row: reads of one sample from one lane, as FASTQ, or all of them as BAM or CRAM."""

    sample: str
    fastq_1: str = ""
    fastq_2: str = ""
    bam: str = ""
    lane: str = ""
    library: str = ""
    platform: str = "illumina"

    @property
    def folder(self) -> str:
        """The sample's name in file names."""
        return self.sample.replace(" ", "_")

    @property
    def number(self) -> str:
        """The lane's name in file names."""
        return self.lane.replace(" ", "_")

    @property
    def files(self) -> list[str]:
        """The files that the row names."""
        return [file for file in (self.fastq_1, self.fastq_2, self.bam) if file]

    def at(self, folder: Path) -> Lane:
        """The lane with whole paths of its files, which were relative to this folder."""
        whole = {
            name: str((folder / getattr(self, name)).resolve())
            for name in FILES
            if getattr(self, name)
        }
        return replace(self, **whole)

    @property
    def fastq(self) -> list[str]:
        """One file, or those of both mates; none where the reads are aligned."""
        return [] if self.bam else self.files

    @property
    def read_group(self) -> dict[str, str]:
        """@RG: a lane's, so that lanes can be told apart after they are merged."""
        group = {"ID": f"{self.folder}.{self.number}", "SM": self.sample}
        return group | {"LB": self.library, "PL": self.platform.upper(), "PU": self.lane}


ALONE = "reads"
"""The name in file names of a file of aligned reads that is given without a sheet."""
COLUMNS = tuple(field.name for field in fields(Lane))


def is_sheet(path: str | Path) -> bool:
    """Whether a source of reads is a sample sheet, by its ending."""
    return Path(path).suffix.lower() in SEPARATORS


def read_sheet(path: str | Path) -> list[Lane]:
    """The rows of a sheet, in its order; names stay text, whatever they look like.

    A file's path is taken from the working folder, or from the sheet's if it is not there. A lane
    without a name is numbered within its sample; a library is its sample's unless one is named.
    Raises DataError, with the row (the header is row 1), for columns that are missing or unknown,
    names that cannot stand in file names or are the same there, a lane or a file that is there
    twice, files that do not exist, and rows that name no reads, a second mate alone, or both FASTQ
    and BAM.
    """
    path = Path(path)
    rows = _rows(path)
    lanes: dict[int, Lane] = {}
    counts = Counter[str]()
    for row, values in rows.items():
        counts[values.get("sample", "")] += 1
        lanes[row] = _lane(values, path, row, counts[values.get("sample", "")])
    if not lanes:
        raise DataError("The sample sheet has no rows", file=path)
    _refuse_twice(lanes, path)
    _check_samples(lanes, path)
    return list(lanes.values())


def write_sheet(lanes: Iterable[Lane], path: str | Path) -> None:
    """Write lanes with the columns that any of them has; paths as they are."""
    lanes = list(lanes)
    used = [name for name in COLUMNS if any(getattr(lane, name) for lane in lanes)]
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=SEPARATORS[Path(path).suffix], lineterminator="\n")
        writer.writerows([used, *([getattr(lane, name) for name in used] for lane in lanes)])


def _rows(path: Path) -> dict[int, dict[str, str]]:
    """Row number -> value of each column, without white space around it; empty rows left out."""
    if not is_sheet(path):
        raise DataError(f"Expected one of {', '.join(SEPARATORS)}, got {path.name}", file=path)
    with open_text(path) as lines:
        try:
            table = [
                [cell.strip() for cell in row]
                for row in csv.reader(lines, delimiter=SEPARATORS[path.suffix.lower()], strict=True)
            ]
        except csv.Error as error:
            raise DataError(f"The sheet is no table: {error}", file=path) from None
    if not table:  # nothing but a byte order mark, say
        return {}
    header = table[0]
    _check_header(header, path)
    rows = {}
    for row, cells in enumerate(table[1:], start=2):
        if len(cells) > len(header) and any(cells[len(header) :]):
            message = f"Expected {len(header)} columns, got {len(cells)}"
            raise DataError(message, file=path, row=row, hint="quote a comma inside a value")
        if any(cells):
            rows[row] = dict(zip(header, cells, strict=False))
    return rows


def _check_header(header: list[str], path: Path) -> None:
    if twice := [name for name, count in Counter(header).items() if count > 1]:
        raise DataError(f"The column {twice[0]!r} is there twice", file=path, row=1)
    for name in header:
        if name not in COLUMNS:
            raise unknown_name("column", name, COLUMNS, f" (file {path}, row 1)")
    if "sample" not in header or not {"fastq_1", "bam"} & set(header):
        message = f"Expected the columns sample and fastq_1 or bam, got {', '.join(header)}"
        raise DataError(message, file=path, row=1)


def _lane(values: dict[str, str], path: Path, row: int, number: int) -> Lane:
    """The lane of a row; `number` counts the rows of its sample up to this one."""
    given = {name: value for name, value in values.items() if value}
    sample = given.get("sample", "")
    for column in ("sample", "lane", "library"):
        if not NAME.fullmatch(given.get(column, "" if column == "sample" else "1")):
            raise DataError(
                f"Expected a name, got {shown([given.get(column, '')]) or 'none'}",
                file=path,
                row=row,
                column=column,
                hint="letters, digits, . _ + - and single spaces; a letter or digit first",
            )
    given["platform"] = given.get("platform", "illumina").lower()
    if given["platform"] not in PLATFORMS:
        where = f" (file {path}, row {row})"
        raise unknown_name("platform", given["platform"], PLATFORMS, where)
    if mistake := _mistake_in_files(given):
        raise DataError(mistake, file=path, row=row)
    for column in FILES:
        if column in given:
            given[column] = _found(given[column], path, row, column)
    return Lane(**{"lane": str(number), "library": sample} | given)


def _mistake_in_files(given: dict[str, str]) -> str | None:
    named = [column for column in FILES if column in given]
    if not named:
        return "The row names no reads: give fastq_1, or bam"
    if "bam" in named and len(named) > 1:
        return "The row names both FASTQ and BAM: give a row to each"
    if named == ["fastq_2"]:
        return "The row names fastq_2 alone: single reads stand in fastq_1"
    return None


def _found(name: str, path: Path, row: int, column: str) -> str:
    """The path of a file from the working folder."""
    beside = path.parent / name
    for place in (Path(name), beside):
        if os.path.isfile(place):
            return os.path.normpath(place)
    hint = f"it is neither at {name} nor at {beside}"
    raise DataError("There is no such file", file=path, row=row, column=column, hint=hint)


def _refuse_twice(lanes: dict[int, Lane], path: Path) -> None:
    """DataError for a file, or a lane of a sample, that is there twice."""
    seen: dict[tuple[str, ...], int] = {}
    for row, lane in lanes.items():
        files = [os.path.realpath(file) for file in lane.files]
        of_lane = f"lane {shown([lane.lane])} of {shown([lane.sample])}"
        keys = [*((file,) for file in files), (lane.sample, lane.lane)]
        for key, told in zip(keys, [*map(os.path.basename, files), of_lane], strict=True):
            if key in seen:
                where = "in this row" if seen[key] == row else f"first in row {seen[key]}"
                hint = "each file, and each lane of a sample, has one row"
                raise DataError(f"{told} is there twice, {where}", file=path, row=row, hint=hint)
            seen[key] = row


def _check_samples(lanes: dict[int, Lane], path: Path) -> None:
    """Names of samples and lanes must differ as names of files, and a BAM is a whole sample."""
    names: dict[str, str] = {}
    places: dict[str, int] = {}
    rows_of = Counter(lane.sample for lane in lanes.values())
    for row, lane in lanes.items():
        if names.setdefault(lane.folder.lower(), lane.sample) != lane.sample:
            other = names[lane.folder.lower()]
            message = (
                f"The samples {shown([other])} and {shown([lane.sample])} would overwrite "
                "each other's files"
            )
            hint = "names must differ in more than upper and lower case, spaces and _"
            raise DataError(message, file=path, row=row, column="sample", hint=hint)
        place = lane.read_group["ID"].lower()
        if place in places:
            message = f"The lanes of rows {places[place]} and {row} would overwrite each other"
            raise DataError(message, file=path, row=row, column="lane")
        places[place] = row
        if lane.bam and rows_of[lane.sample] > 1:
            message = f"The sample {shown([lane.sample])} has a BAM and other rows"
            hint = "merge its files (samtools merge), or name them as samples of their own"
            raise DataError(message, file=path, row=row, hint=hint)
