"""Variants of reads that are aligned to a reference: how many copies of each allele a sample has.

Sources: `reads` (BAM or CRAM) and `reference` (FASTA); `truth` (VCF) labels them, inside the
regions of `confident` (BED) if there are any; `regions` (BED) are all that is looked at. Samples
are candidate alleles (`bioloom.samples.variants`); predictions become a VCF.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.errors import DataError
from bioloom.formats.intervals import read_windows
from bioloom.formats.vcf import read_calls, write_vcf
from bioloom.options import Option, complete_options
from bioloom.reads.alignments import open_reads
from bioloom.samples import VARIANT, Cleaned, Raw
from bioloom.samples.cleaning import drop_rows
from bioloom.samples.variants import FOUND, IMAGE, PEER, PRIOR
from bioloom.variants.bcftools import SETTINGS, bcftools_calls
from bioloom.variants.candidates import Theta
from bioloom.variants.compare import inside
from bioloom.variants.evidence import TILE, Person, region_evidence
from bioloom.variants.labels import label_rows
from bioloom.variants.recalibration import error_rates
from bioloom.variants.records import FILTERS, FORMAT, INFO, vcf_records
from bioloom.variants.reference import Reference

OPTIONS: dict[str, Any] = {
    # The name of the sample, where the reads do not say it.
    "sample": Option(None, type=str),
    # Copies of a contig: one number for all, or contig -> 1 or 2, where 2 is what is not said.
    "ploidy": Option(2, type=object),
    # Differences a base between two chromosomes, in SNPs and in indels.
    "theta": Option(1e-3, type=float, above=0, maximum=0.1),
    "theta_indel": Option(1.25e-4, type=float, above=0, maximum=0.1),
    # Probability of a variant from which an allele is a candidate.
    "min_probability": Option(2e-3, type=float, above=0, maximum=0.5),
    # Bases whose candidates are held out together.
    "block": Option(20_000, minimum=1000),
}
CLEAN: dict[str, Any] = {}
Region = tuple[str, int, int]


def ingest(files: dict[str, Path], options: dict[str, Any]) -> Raw:
    """Candidate alleles of the reads, a row each; with `truth` also their copies as `label`."""
    options = complete_options(options, OPTIONS, "datasets")
    reference, reads = Reference(files["reference"]), open_reads(files["reads"], files["reference"])
    _check_contigs(reads.header.contigs, reads.header.lengths, reference, files["reads"])
    ploidy = _ploidy(options["ploidy"], reference)
    name = options["sample"] or _sample_of(reads.header.text, files["reads"])
    person = Person(name, reads, error_rates(reads, reference), ploidy)
    theta = Theta(options["theta"], options["theta_indel"])
    regions = _regions(files.get("regions"), reference, reads.header.contigs)
    rows = pd.concat(_candidates(person, reference, regions, theta, options), ignore_index=True)
    notes = [f"{len(rows)} candidate alleles in {sum(e - s for _, s, e in regions):,} bases"]
    if "truth" in files:
        rows, known = _labelled(rows, files, reference, person, regions)
        notes += known
    return Raw(_named(rows, options["block"]), notes)


def _candidates(
    person: Person,
    reference: Reference,
    regions: list[Region],
    theta: Theta,
    options: dict[str, Any],
) -> Iterator[pd.DataFrame]:
    most = np.log1p(-options["min_probability"])
    for contig, first, last in regions:
        for start in range(first, last, TILE):
            end = min(start + TILE, last)
            rows = region_evidence([person], reference, contig, start, end, theta)
            if len(rows):
                # A site stays with all its alleles, if anybody may vary there.
                none = rows[f"{VARIANT}posteriors"].map(lambda logs: logs[0])
                yield rows[none.groupby(rows[f"{VARIANT}pos"]).transform("min") < most]


def _labelled(
    rows: pd.DataFrame,
    files: dict[str, Path],
    reference: Reference,
    person: Person,
    regions: list[Region],
) -> tuple[pd.DataFrame, list[str]]:
    """The rows inside the confident regions, with their labels and the peer's answers."""
    sure = _intersection(_regions(files.get("confident"), reference), regions)
    truth = inside(read_calls(files["truth"]), sure)
    peer = inside(
        bcftools_calls(files["reads"], files["reference"], person.ploidy, reference.lengths), sure
    )
    rows = rows[_inside(rows, sure)]
    parts = [
        label_rows(
            rows[rows[f"{VARIANT}chrom"] == contig],
            [call for call in truth if call.contig == contig],
            [call for call in peer if call.contig == contig],
            reference.codes(contig, 0, reference.lengths[contig]),
            person.name,
            contig,
        )
        for contig in dict.fromkeys(contig for contig, _, _ in sure)
    ]
    rows = pd.concat(parts, ignore_index=True)
    if not len(truth):
        hint = "names of contigs may be spelled otherwise (chr20, 20), or positions be of another build"
        raise DataError("No true variant lies in the regions", file=files["truth"], hint=hint)
    missed = int((~rows[FOUND] & (rows["label"] != "0/0")).sum())
    return rows, [
        f"{len(truth)} true variants in {sum(e - s for _, s, e in sure):,} bases; "
        f"{missed} of their alleles are no candidates, and count as missed",
        f"bcftools: {SETTINGS}",
    ]


def _inside(rows: pd.DataFrame, regions: list[Region]) -> np.ndarray:
    """Which rows begin in one of the regions, (N,) bool."""
    position = rows[f"{VARIANT}pos"].to_numpy() - 1
    found = np.zeros(len(rows), bool)
    for contig, start, end in regions:
        here = (rows[f"{VARIANT}chrom"] == contig).to_numpy()
        found |= here & (position >= start) & (position < end)
    return found


def _named(rows: pd.DataFrame, block: int) -> pd.DataFrame:
    """The rows with `sample_id` and `group`, the block of the genome that they lie in."""
    columns = [rows[f"{VARIANT}{name}"].astype(str) for name in ("person", "chrom", "pos", "ref")]
    place = rows[f"{VARIANT}chrom"] + ":" + ((rows[f"{VARIANT}pos"] - 1) // block).astype(str)
    ids = columns[0].str.cat([*columns[1:], rows[f"{VARIANT}alt"]], sep=":")
    return rows.assign(sample_id=ids, group=place)


def _sample_of(header: str, file: Path) -> str:
    """The name of the one sample that the read groups are of."""
    groups = [line for line in header.splitlines() if line.startswith("@RG")]
    names = {
        field.removeprefix("SM:")
        for line in groups
        for field in line.split("\t")
        if field.startswith("SM:")
    }
    if len(names) != 1:
        found = f"samples {', '.join(sorted(names))}" if names else "no sample"
        hint = "say `sample: <name>` under the data set"
        raise DataError(f"The read groups name {found}, not one", file=file, hint=hint)
    return names.pop()


def _check_contigs(
    contigs: tuple[str, ...], lengths: tuple[int, ...], reference: Reference, file: Path
) -> None:
    """DataError for contigs that the reference has not, or of another length."""
    for contig, length in zip(contigs, lengths, strict=True):
        if contig not in reference.lengths:
            near = [
                name
                for name, known in reference.lengths.items()
                if known == length and name.removeprefix("chr") == contig.removeprefix("chr")
            ]
            hint = f"it has {near[0]!r} of the same length" if near else "align to this reference"
            raise DataError(f"The reference has no contig {contig!r}", file=file, hint=hint)
        if reference.lengths[contig] != length:
            raise DataError(
                f"{contig} has {length} bases in the reads, {reference.lengths[contig]} in "
                f"{reference.file}",
                file=file,
                hint="the reads are aligned to another build",
            )


def _ploidy(given: Any, reference: Reference) -> dict[str, int]:
    """Copies of each contig that is not diploid."""
    by_contig = given if isinstance(given, dict) else dict.fromkeys(reference.lengths, given)
    for contig, copies in by_contig.items():
        if contig not in reference.lengths or copies not in (1, 2):
            raise DataError(
                f"`ploidy` is 1 or 2, or such a number for contigs of the reference, got {given!r}"
            )
    return {str(contig): copies for contig, copies in by_contig.items() if copies == 1}


def _regions(
    file: Path | None, reference: Reference, contigs: tuple[str, ...] | None = None
) -> list[Region]:
    """The regions of a BED, or all contigs."""
    if file is None:
        return [(name, 0, reference.lengths[name]) for name in contigs or reference.lengths]
    windows = read_windows(file)
    for row, (chrom, end) in windows[["chrom", "end"]].iterrows():
        if end > reference.lengths.get(chrom, 0):
            hint = f"it has {', '.join(list(reference.lengths)[:3])}"
            raise DataError(
                f"{chrom}, up to {end}, does not lie in the reference",
                file=file,
                row=row,
                hint=hint,
            )
    spans = windows.sort_values(["chrom", "start"])[["chrom", "start", "end"]]
    return list(spans.itertuples(index=False, name=None))


def _intersection(one: list[Region], other: list[Region]) -> list[Region]:
    """Where both have a region."""
    return [
        (contig, max(start, first), min(end, last))
        for contig, start, end in one
        for name, first, last in other
        if name == contig and max(start, first) < min(end, last)
    ]


def clean(raw: pd.DataFrame, options: dict[str, Any]) -> Cleaned:
    """Every candidate is kept: a caller drops none."""
    complete_options(options, CLEAN, "clean")
    samples, dropped = drop_rows(raw, {})
    return Cleaned(samples, dropped)


def inputs(samples: pd.DataFrame) -> pd.DataFrame:
    """Values of the sites, with the images and the answers of likelihood and peer."""
    return samples[
        [
            name
            for name in map(str, samples)
            if name.startswith(("site.", f"{PRIOR}.", f"{PEER}.")) or name == IMAGE
        ]
    ]


def write(
    samples: pd.DataFrame, predictions: pd.DataFrame, files: dict[str, Path], folder: Path
) -> None:
    """variants.vcf.gz with its index."""
    reference = Reference(files["reference"])
    people = list(dict.fromkeys(samples[f"{VARIANT}person"]))
    write_vcf(
        folder / "variants.vcf.gz",
        vcf_records(samples, predictions, people),
        contigs=reference.lengths,
        samples=people,
        filters=FILTERS,
        info=INFO,
        format=FORMAT,
    )


def defaults(task: dict[str, Any]) -> dict[str, Any]:
    """A network over the reads, and what it has to beat: its own start, and bcftools."""
    features = {"embedder": "table", "prior": PRIOR}
    peer = {"embedder": "table", "prior": PEER}
    return {
        "features": features,
        "model": {"name": "pileup_cnn"},
        "baselines": {
            "likelihood": {"model": {"name": "posterior"}},
            "gradient_boosting": {
                "features": {"embedder": "table"},
                "model": {"name": "gradient_boosting"},
            },
            "bcftools": {"features": peer, "model": {"name": "posterior", "quality": 0}},
            "bcftools_20": {"features": peer, "model": {"name": "posterior", "quality": 20}},
            "bcftools_best": {"features": peer, "model": {"name": "posterior"}},
        },
    }


application = Application(
    kinds=("genotypes",),
    ingest=ingest,
    clean=clean,
    inputs=inputs,
    sources=("reads", "reference"),
    optional_sources=("truth", "confident", "regions"),
    measures=("region",),
    private=True,
    write=write,
    options=OPTIONS,
    clean_options=CLEAN,
    defaults=defaults,
)
