"""Variants of reads that are aligned to a reference: how many copies of each allele a sample has.

Sources: `reads` (a sample sheet, BAM or CRAM) and `reference` (FASTA); `truth` (a VCF, or a folder
with one a sample) labels them, inside the regions of `confident` (BED, or such a folder) if there
are any; `regions` (BED) are all that is looked at. Instead of `reads` and `truth` the block
`simulate` makes both.
With `genes` (a GTF) and `splicing` (SpliceAI's wheel) called variants have scores of splicing.
Samples are candidate alleles (`bioloom.samples.variants`); predictions become a VCF.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from bioloom.application import Application
from bioloom.errors import DataError, unknown_name
from bioloom.formats.genes import read_genes
from bioloom.formats.vcf import Record, join_vcf, write_vcf
from bioloom.options import Option, complete_options
from bioloom.reads.records import Records
from bioloom.samples import VARIANT, Cleaned, Raw
from bioloom.samples.cleaning import drop_rows
from bioloom.samples.variants import IMAGE, PEER, PRIOR
from bioloom.variants import simulate, spike_in
from bioloom.variants.bcftools import SETTINGS
from bioloom.variants.blocks import blocks
from bioloom.variants.candidates import Theta
from bioloom.variants.evidence import Person, candidates_of
from bioloom.variants.people import Source, open_people, read_sources
from bioloom.variants.recalibration import error_rates, nominal
from bioloom.variants.records import END, FILTERS, FORMAT, INFO, vcf_records
from bioloom.variants.reference import Reference
from bioloom.variants.regions import Region, intersection, read_regions, share_of
from bioloom.variants.splicing import networks, write_effects
from bioloom.variants.truth import confident_regions, label_person, other_names

OPTIONS: dict[str, Any] = {
    "sample": Option(
        None,
        type=str,
        about="the sample's name, where the read groups do not say it",
        of="rows",
    ),
    "privacy": Option({}, about="`{sample: pseudonym}` where names of samples identify persons"),
    "not_identifiers": Option(
        [], about="`[sample]` where their names only look like it", of="rows"
    ),
    "ploidy": Option(2, choices=(1, 2), about="copies of each contig"),
    "haploid": Option([], about="contigs that there is one copy of"),
    "theta": Option(
        1e-3,
        type=float,
        above=0,
        maximum=0.1,
        about="differences a base between two chromosomes, in SNPs",
    ),
    "theta_indel": Option(1.25e-4, type=float, above=0, maximum=0.1, about="the same in indels"),
    "min_probability": Option(
        2e-3,
        type=float,
        above=0,
        maximum=0.5,
        about="of a variant, from which an allele is a candidate",
    ),
    "simulate": Option(
        None,
        type=dict,
        about="reads and their truth are simulated of the reference",
        of="rows",
    ),
    "spike_in": Option(
        None,
        type=dict,
        options=spike_in.OPTIONS,
        about="variants are planted in the reads: what is trained on needs no truth then",
        of="labels",
    ),
    "parts": Option(
        1,
        minimum=1,
        maximum=10_000,
        about="jobs that each look at a part of the regions",
        of="rows",
    ),
    "part": Option(1, minimum=1, about="which of the parts this is", of="rows"),
    "scored": Option(
        False,
        type=bool,
        about="whether the truth is for scores alone: then it changes no call",
        of="rows",
    ),
    "gvcf": Option(
        False,
        type=bool,
        about="whether the VCF has blocks of positions that are like the reference",
    ),
    "block": Option(20_000, minimum=100, about="bases whose candidates are held out together"),
}
VCF = "variants.vcf.gz"
SPLICING = ("genes", "splicing")
CLEAN: dict[str, Any] = {}
LOOK = 1_000_000  # bases whose reads are looked for at once


def ingest(files: dict[str, Path], options: dict[str, Any]) -> Raw:
    """Candidate alleles of the reads, a row each; with `truth` also their copies as `label`."""
    options = complete_options(options, OPTIONS, "datasets")
    _is_splicing_asked(files)  # before hours of work
    reference = Reference(files["reference"])
    ploidy = _ploidy(options, reference)
    sources, told = read_sources(files, options)
    regions, notes = _looked_at(files, options, reference, sources)
    notes = told + notes
    whole, _ = _looked_at(files, options | {"part": 1, "parts": 1}, reference, sources)
    people = open_people(
        sources, reference, ploidy, lambda reads: error_rates(reads, reference, whole)
    )
    theta = Theta(options["theta"], options["theta_indel"])
    if options["spike_in"] is not None:
        made = _spiked_in(files, options, people, reference, regions, theta)
        return Raw(made.samples, notes + made.notes)
    # To learn from, each sample has its own candidates; to be compared, all have those of any.
    learns = "truth" in files and not options["scored"]
    together = [[person] for person in people] if learns else [people]
    least = options["min_probability"]
    found = (candidates_of(some, reference, regions, theta, least) for some in together)
    tables = [pd.DataFrame(), *(part for parts in found for part in parts)]
    rows = pd.concat(tables, ignore_index=True)
    is_whole = options["parts"] == 1
    if rows.empty and is_whole and not any(len(_some_records(one, regions)) for one in people):
        hint = "another build, other `regions`, or an empty file"
        raise DataError("No read is aligned to the regions", file=files["reads"], hint=hint)
    notes += [f"{len(rows)} candidate alleles in {sum(e - s for _, s, e in regions):,} bases"]
    if "truth" in files:
        if rows.empty:
            message = (
                "No read differs from the reference: there is nothing to compare or learn from"
            )
            raise DataError(message, file=files["reads"], hint="look at `regions` and the file")
        notes += other_names(files["truth"], people)
        sure = [_confident(files, [one], reference, regions) for one in people]
        labelled = [
            label_person(rows, files["truth"], reference, one, own, learns)
            for one, own in zip(people, sure, strict=True)
        ]
        rows = pd.concat([table for table, _ in labelled], ignore_index=True)
        notes += [note for _, note in labelled] + [f"bcftools: {SETTINGS}"]
    if rows.empty:
        return Raw(pd.DataFrame({"sample_id": [], "group": []}, dtype=str), notes)
    return Raw(_named(rows, options["block"]), notes)


def _spiked_in(
    files: dict[str, Path],
    options: dict[str, Any],
    people: list[Person],
    reference: Reference,
    regions: list[Region],
    theta: Theta,
) -> Raw:
    """Candidates of reads in which variants are planted."""
    sure = _confident(files, people, reference, regions)
    with TemporaryDirectory(prefix="bioloom-spiked-in-") as folder:
        given = people, reference, sure, theta, options["spike_in"], files.get("truth")
        made, notes = spike_in.spike_in(*given, Path(folder))
        rest = {name: path for name, path in files.items() if name != "indexes"}
        # Their names are those of results already.
        named: dict[str, Any] = {"sample": None, "privacy": {}, "not_identifiers": ["sample"]}
        raw = ingest(rest | made, options | named | {"spike_in": None})
    return Raw(raw.samples, notes + raw.notes)


def _confident(
    files: dict[str, Path], people: list[Person], reference: Reference, regions: list[Region]
) -> list[Region]:
    """The part of the regions in which the truth of all of these samples is complete."""
    if "confident" not in files:
        return sorted(regions)
    sure = (confident_regions(files["confident"], one, reference) for one in people)
    return reduce(intersection, sure, regions)


def _looked_at(
    files: dict[str, Path], options: dict[str, Any], reference: Reference, sources: list[Source]
) -> tuple[list[Region], list[str]]:
    """The regions whose contigs all files have, in the reference's order; notes on the others."""
    headers, notes = [set(source.header.contigs) for source in sources], []
    covered = set.intersection(*headers)
    if partly := [name for name in reference.lengths if name in set.union(*headers) - covered]:
        notes.append(f"Not looked at, for not all files have them: {', '.join(partly[:5])}")
    if strange := sorted(set.union(*headers) - reference.lengths.keys()):
        notes.append(f"Not in the reference, so not looked at: {', '.join(strange[:5])}")
    regions = _given_regions(files.get("regions"), reference, options["simulate"])
    asked = dict.fromkeys(contig for contig, _, _ in regions) if "regions" in files else {}
    if absent := [name for name in asked if name not in set.union(*headers)]:
        notes.append(f"`regions` not looked at, for no file has them: {', '.join(absent[:5])}")
    regions = [region for region in regions if region[0] in covered]
    if not regions:
        hint = f"the reads lie on {', '.join(sorted(covered)[:3]) or 'contigs of different names'}"
        raise DataError("No region lies on a contig of the reads", file=files["reads"], hint=hint)
    place = {name: number for number, name in enumerate(reference.lengths)}
    regions.sort(key=lambda region: (place[region[0]], region))
    return share_of(regions, options["part"], options["parts"]), notes


def _some_records(person: Person, regions: list[Region]) -> Records:
    """The records on the first region that has any, or none."""
    for contig, start, end in regions:
        for first in range(start, end, LOOK):
            found = person.reads.records(contig, first, min(first + LOOK, end))
            if len(found):
                return found
    return person.reads.records(*regions[0][:2], regions[0][1])


def _named(rows: pd.DataFrame, block: int) -> pd.DataFrame:
    """The rows with `sample_id` and `group`, the block of the genome that they lie in."""
    names = ("person", "chrom", "pos", "ref", "alt")
    columns = [rows[f"{VARIANT}{name}"].astype(str) for name in names]
    ids = [":".join(values) for values in zip(*columns, strict=True)]
    blocks = ((rows[f"{VARIANT}pos"] - 1) // block).astype(str)
    return rows.assign(sample_id=ids, group=rows[f"{VARIANT}chrom"] + ":" + blocks)


def _ploidy(options: dict[str, Any], reference: Reference) -> dict[str, int]:
    """Copies of the contigs that are not diploid."""
    haploid = [str(contig) for contig in options["haploid"]]
    for contig in haploid:
        if contig not in reference.lengths:
            raise unknown_name("contig", contig, list(reference.lengths), " under `haploid`")
    single = reference.lengths if options["ploidy"] == 1 else haploid
    return dict.fromkeys(single, 1)


def _given_regions(
    file: Path | None, reference: Reference, simulated: dict[str, Any] | None = None
) -> list[Region]:
    """The regions of a BED, or all contigs; of simulated reads where variants are."""
    if file is not None:
        return read_regions(file, reference.lengths)
    most = (simulated or {}).get("bases") or float("inf")
    return [(name, 0, int(min(n, most))) for name, n in reference.lengths.items()]


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
    samples: pd.DataFrame,
    predictions: pd.DataFrame,
    files: dict[str, Path],
    folder: Path,
    options: dict[str, Any],
) -> None:
    """variants.vcf.gz with its index: a column for each sample, also for one without a variant.

    With what the variants do to splicing, where there are genes and networks.
    """
    options = complete_options(options, OPTIONS, "datasets")
    reference = Reference(files["reference"])
    sources, _ = read_sources(files, options)
    people = [source.called[name] for source in sources for name in source.names]
    records = [] if samples.empty else list(vcf_records(samples, predictions, people))
    if options["gvcf"]:
        records += _blocks(files, options, reference, sources, records)
    write_vcf(
        folder / VCF,
        records,
        contigs=reference.lengths,
        samples=people,
        filters=FILTERS,
        info=[*INFO, END] if options["gvcf"] else INFO,
        format=FORMAT,
    )
    if _is_splicing_asked(files):
        genes = read_genes(files["genes"])
        with networks(files["splicing"]) as chances:
            write_effects(folder / VCF, files["reference"], genes, chances, folder / VCF)


def _is_splicing_asked(files: dict[str, Path]) -> bool:
    """Whether called variants are to have SpliceAI's delta scores; DataError for half of it."""
    missing = [source for source in SPLICING if source not in files]
    if len(missing) == 1:
        raise DataError(
            f"Scores of splicing need the source `{missing[0]}`, too",
            hint="`genes` is a GTF, `splicing` the wheel of SpliceAI",
        )
    return not missing


def _blocks(
    files: dict[str, Path],
    options: dict[str, Any],
    reference: Reference,
    sources: list[Source],
    called: list[Record],
) -> Iterator[Record]:
    """What lies between the called records."""
    regions, _ = _looked_at(files, options, reference, sources)
    people = open_people(sources, reference, _ploidy(options, reference), lambda reads: nominal())
    yield from blocks(people, reference, regions, called)


def join(folders: list[Path], folder: Path) -> None:
    """The variants.vcf.gz of the parts, in their order, as one."""
    join_vcf([part / VCF for part in folders], folder / VCF)


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
    noun="candidates",
    ingest=ingest,
    clean=clean,
    inputs=inputs,
    sources=("reads", "reference"),
    reads="aligned",
    simulate=simulate.OPTIONS,
    trained="data/models/variant_calling",
    optional_sources=("truth", "confident", "regions", *SPLICING),
    training_sources=("truth",),
    label_sources=("truth", "confident"),
    training_options=frozenset({"spike_in"}),
    knowledge=("reference", *SPLICING),
    measures=("region",),
    private=True,
    write=write,
    join=join,
    options=OPTIONS,
    clean_options=CLEAN,
    defaults=defaults,
)
