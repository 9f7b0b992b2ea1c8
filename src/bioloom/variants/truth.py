"""What a truth (VCF) says of the candidates of samples, and bcftools beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.vcf import Called, read_calls, samples_of, unknown_places
from bioloom.privacy.samples import shown
from bioloom.samples import VARIANT
from bioloom.samples.variants import FOUND, GENOTYPES
from bioloom.variants.alleles import encode
from bioloom.variants.bcftools import bcftools_calls
from bioloom.variants.evidence import Person
from bioloom.variants.labels import label_rows
from bioloom.variants.reference import Reference
from bioloom.variants.regions import Region, inside, joined, read_regions

VCF, BED = ".vcf.gz", ".bed"


def label_person(
    rows: pd.DataFrame,
    file: Path,
    reference: Reference,
    person: Person,
    regions: list[Region],
    learns: bool,
) -> tuple[pd.DataFrame, str]:
    """One sample's rows with their labels and the peer's answers; a note.

    `file` is the truth, which is complete in `regions`. Candidates that it says nothing of have no
    label; where a model `learns` of them they are left out. Records begin where their writer likes:
    an allele lies where it is, written left-most. DataError for a truth of another reference.
    """
    mine = rows[rows[f"{VARIANT}person"] == person.called]
    calls_of_truth, unknown = read_truth(file, person)
    truth = _by_contig(calls_of_truth)
    check_letters(calls_of_truth, reference, regions, file)
    sample = person.reads, person.name, reference, person.ploidy
    peer = _by_contig(bcftools_calls(*sample, regions))
    parts = []
    for contig in dict.fromkeys(contig for contig, _, _ in regions):
        codes = reference.codes(contig, 0, reference.lengths[contig])
        here = mine[mine[f"{VARIANT}chrom"] == contig]
        calls = truth.get(contig, []), peer.get(contig, [])
        parts.append(label_rows(here, *calls, codes, person, contig, regions))
    labelled = pd.concat(parts, ignore_index=True) if parts else mine.assign(label="")
    place = labelled[f"{VARIANT}chrom"].to_numpy(), labelled[f"{VARIANT}pos"].to_numpy() - 1
    known = inside(*place, regions) & ~inside(*place, joined(unknown))
    others = labelled[~known & labelled[FOUND].astype(bool) & (not learns)].assign(label=None)
    labelled = labelled[known]
    true = labelled["label"] != GENOTYPES[0]
    if not true.any():
        raise _no_variant(person, file)
    missed = int((~labelled[FOUND].astype(bool) & true).sum())
    return pd.concat([labelled, others], ignore_index=True), (
        f"{person.called}: {int(true.sum())} true alleles in {sum(e - s for _, s, e in regions):,} "
        f"bases; {missed} of them are no candidates, and count as missed"
    )


def check_letters(
    calls: list[Called], reference: Reference, regions: list[Region], file: Path
) -> None:
    """DataError for a record on the regions' contigs whose REF is not what the reference has."""
    contigs = {contig for contig, _, _ in regions}
    for contig, here in _by_contig(call for call in calls if call.contig in contigs).items():
        codes = reference.codes(contig, 0, reference.lengths[contig])
        for call in here:
            letters = encode(call.alleles[0])
            if not np.array_equal(codes[call.start : call.start + len(letters)], letters):
                message = f"REF of {contig}:{call.start + 1} is not what the reference has there"
                hint = "the positions are of another build, or the contig is another one"
                raise DataError(message, file=file, hint=hint)


def variants_inside(
    calls: list[Called], regions: list[Region], person: Person, file: Path
) -> list[Called]:
    """The calls that lie in regions; DataError where none does."""
    place = np.array([c.contig for c in calls]), np.array([c.start for c in calls], int)
    found = [c for c, is_in in zip(calls, inside(*place, regions), strict=True) if is_in]
    if not found:
        raise _no_variant(person, file)
    return found


def _no_variant(person: Person, file: Path) -> DataError:
    hint = "contigs may be spelled otherwise (chr20, 20), or positions be of another build"
    return DataError(
        f"No true variant of {person.called} lies in the regions", file=file, hint=hint
    )


def _by_contig(calls: Iterable[Called]) -> dict[str, list[Called]]:
    """The calls of each contig, in order."""
    found: dict[str, list[Called]] = {}
    for call in calls:
        found.setdefault(call.contig, []).append(call)
    return found


def other_names(file: Path, people: list[Person]) -> list[str]:
    """Notes on a truth whose one sample is called otherwise."""
    notes = []
    for person in people:
        path = _of(file, person, VCF)
        known = samples_of(path) if path.exists() else []
        if known and person.name not in known:
            notes.append(f"The truth of {shown(known[:1])} is taken for {person.called}")
    return notes


def read_truth(file: Path, person: Person) -> tuple[list[Called], list[Region]]:
    """A sample's calls, and where none is told; a VCF of one sample is of whom it is given for."""
    path = _of(file, person, VCF)
    with _named_as(file, path, person):
        name = person.name if person.name in samples_of(path) else None
        return read_calls(path, name), unknown_places(path, name)


def confident_regions(file: Path, person: Person, reference: Reference) -> list[Region]:
    """Where a sample's truth is complete, by a BED of all samples or a folder with one of each."""
    path = _of(file, person, BED)
    with _named_as(file, path, person):
        return read_regions(path, reference.lengths)


def _of(file: Path, person: Person, ending: str) -> Path:
    """The file of a sample, where each has its own in a folder."""
    return file / f"{person.name}{ending}" if file.is_dir() else file


@contextmanager
def _named_as(file: Path, path: Path, person: Person) -> Iterator[None]:
    """DataError names the folder where the name of the file in it is of a person."""
    try:
        yield
    except DataError as error:
        if path == file or (person.code is None and shown([person.name]) == person.name):
            raise
        raise DataError(str(error).replace(str(path), str(file))) from None
