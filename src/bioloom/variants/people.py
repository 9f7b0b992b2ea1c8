"""The samples of a data set of aligned reads: who is in which file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bioloom.errors import DataError
from bioloom.formats.sample_sheet import ALONE, is_sheet, read_sheet
from bioloom.privacy.samples import called, shown
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
    called: dict[str, str]  # what each name is in results
    alone: bool  # whether all its reads are of one sample, whatever their groups are called
    index: Path | None  # where jobs share the index of its reads
    other: str = ""  # what its read groups call the one sample, where that is another name


def read_sources(
    files: Mapping[str, Path], options: Mapping[str, Any]
) -> tuple[list[Source], list[str]]:
    """The files of a sheet, or one file, of the sources `reads` and `indexes`; and notes.

    Of `options`, `sample` is the name of the one in a file alone, where its read groups do not say
    it; `privacy` and `not_identifiers` say what becomes of names that may be those of persons.
    """
    named: list[tuple[str | None, Path, str]] = [(options["sample"], files["reads"], ALONE)]
    if is_sheet(files["reads"]):
        lanes = read_sheet(files["reads"])
        named = [(lane.sample, Path(lane.bam), lane.folder) for lane in lanes]
    indexes = files.get("indexes")
    found = [
        _source(file, name, indexes / place if indexes else None) for name, file, place in named
    ]
    known = [name for source in found for name in source.names]
    codes, notes = called(known, options["privacy"], options["not_identifiers"])
    notes += [
        f"{codes[source.names[0]]} is called {source.other} in {source.file}"
        for source in found
        if source.other
    ]
    return [replace(one, called={name: codes[name] for name in one.names}) for one in found], notes


def _source(file: Path, name: str | None, index: Path | None) -> Source:
    header = header_of(file)
    known = samples_of_reads(header)
    names = [name] if name else known
    if not names or (len(known) > 1 and not set(names) <= set(known)):
        found = f"samples {shown(known)}" if known else "no sample"
        hint = "say which by `sample: <name>` under the data set, or in a sample sheet"
        raise DataError(f"The read groups name {found}", file=file, hint=hint)
    is_renamed = len(known) == 1 and names != known
    other = shown(known) if is_renamed else ""
    return Source(file, header, names, {}, len(known) < 2, index, other)


def open_people(
    sources: list[Source],
    reference: Reference,
    ploidy: Mapping[str, int],
    rates: Callable[[Bam | Cram], np.ndarray],
) -> list[Person]:
    """All samples with their reads; `rates` are the error rates of each file."""
    return [
        Person(name, reads, error, ploidy, source.alone, source.called[name])
        for source in sources
        for reads in [open_reads(source.file, reference.file, source.index)]
        for error in [rates(reads)]
        for name in source.names
    ]
