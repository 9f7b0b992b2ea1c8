"""Promoters of genes: the bases of a genome before each start, on the gene's own strand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.dna import reverse_complement
from bioloom.formats.intervals import read_genome

UPSTREAM, INTO_GENE = 200, 50  # bases before the start codon and after it
STRANDS = {
    **dict.fromkeys(("+", "1", "+1", "1.0", "."), "+"),
    **dict.fromkeys(("-", "-1", "-1.0"), "-"),
}
"""As they are written: 1 and -1 by Ensembl."""


def promoters(genome: Path, genes: pd.DataFrame, file: Path) -> dict[str, str]:
    """The promoter of each gene of `chromosome, start, end, strand`, where its place is known.

    `genes` are indexed by id; places are 0-based and half-open, and may go beyond the origin of a
    circular genome; a missing strand is +. The name of
    the chromosome does not count where the genome has one record. DataError, with the `file` of
    the genes, for a strand that is none, and for a place that the genome does not have.
    """
    records = read_genome(genome)
    only = next(iter(records)) if len(records) == 1 else None
    wanted = ["start", "end"] if only else ["chromosome", "start", "end"]
    placed = genes[genes[wanted].notna().all(axis=1)]
    columns = [placed[name] for name in ("chromosome", "start", "end", "strand")]
    found: dict[str, str] = {}
    for gene, chromosome, start, end, strand in zip(placed.index, *columns, strict=True):
        written = "+" if pd.isna(strand) else str(strand)
        if written not in STRANDS:
            message = f"The strand of {gene} is {written!r}, not + or -"
            raise DataError(message, file=file, column=str(genes["strand"].name))
        sequence = records.get(only or str(chromosome))
        if sequence is None:
            shown = ", ".join([*records][:3])
            raise DataError(
                f"{gene} is on {chromosome}, which the genome does not have; it has {shown}",
                file=file,
                hint="name chromosomes as the genome does",
            )
        size = len(sequence)
        last = int(end if end > start else end + size)  # beyond the origin of a circular genome
        if not 0 <= start < size or last > start + size:
            raise DataError(
                f"{gene} is from {start:.15g} to {end:.15g}, which the genome's {size} bases do "
                "not have",
                file=file,
                hint="is it another genome? Places are counted from 0, the end is not included",
            )
        if STRANDS[written] == "-":
            around = sequence if last <= size else 2 * sequence + sequence[:UPSTREAM]
            found[gene] = reverse_complement(around[max(last - INTO_GENE, 0) : last + UPSTREAM])
        else:
            found[gene] = sequence[max(int(start) - UPSTREAM, 0) : int(start) + INTO_GENE]
    return found
