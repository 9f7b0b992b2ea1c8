"""The samples of a data set of aligned reads: who is in which file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bioloom.errors import DataError
from bioloom.formats.sample_sheet import ALONE, is_sheet, read_sheet
from bioloom.reads.alignments import header_of, open_reads
from bioloom.reads.bam import Bam
from bioloom.reads.cram import Cram
from bioloom.reads.groups import samples_of_reads
from bioloom.reads.header import Header
from bioloom.variants.evidence import Person
from bioloom.variants.reference import Reference


@dataclass(frozen=True)
class Source:
    """A file of aligned reads, by its header alone, with the samples in it that are asked for."""

    file: Path
    header: Header
    names: list[str]
    alone: bool  # whether all its reads are of one sample, whatever their groups are called
    index: Path | None  # where jobs share the index of its reads
    note: str = ""


def read_sources(files: Mapping[str, Path], sample: str | None) -> list[Source]:
    """The files of a sheet, or one file, of the sources `reads` and `indexes`.

    `sample` is the name of the one in a file alone, where its read groups do not say it.
    """
    named: list[tuple[str | None, Path, str]] = [(sample, files["reads"], ALONE)]
    if is_sheet(files["reads"]):
        lanes = read_sheet(files["reads"])
        named = [(lane.sample, Path(lane.bam), lane.folder) for lane in lanes]
    indexes = files.get("indexes")
    return [
        _source(file, name, indexes / place if indexes else None) for name, file, place in named
    ]


def _source(file: Path, name: str | None, index: Path | None) -> Source:
    header = header_of(file)
    known = samples_of_reads(header)
    names = [name] if name else known
    if not names or (len(known) > 1 and not set(names) <= set(known)):
        found = f"samples {', '.join(known)}" if known else "no sample"
        hint = "say which by `sample: <name>` under the data set, or in a sample sheet"
        raise DataError(f"The read groups name {found}", file=file, hint=hint)
    is_renamed = len(known) == 1 and names != known
    note = f"{names[0]} is called {known[0]} in {file}" if is_renamed else ""
    return Source(file, header, names, len(known) < 2, index, note)


def open_people(
    sources: list[Source],
    reference: Reference,
    ploidy: Mapping[str, int],
    rates: Callable[[Bam | Cram], np.ndarray],
) -> list[Person]:
    """All samples with their reads; `rates` are the error rates of each file."""
    return [
        Person(name, reads, error, ploidy, source.alone)
        for source in sources
        for reads in [open_reads(source.file, reference.file, source.index)]
        for error in [rates(reads)]
        for name in source.names
    ]
