"""Genes with the exons of one transcript each: GTF, or a table of a line a gene.

The table has `NAME CHROM STRAND TX_START TX_END EXON_START EXON_END`, tab-separated, starts from 0
and exons divided by commas, as SpliceAI's own annotations have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bioloom.errors import DataError
from bioloom.formats.text import open_text

COLUMNS = "#NAME CHROM STRAND TX_START TX_END EXON_START EXON_END".split()
CHOSEN = ("MANE_Select", "MANE Select", "Ensembl_canonical")
"""Tags of the transcript of a gene that is taken; else it is the one with most bases in exons."""
STRANDS = ("+", "-")
HINT = "a GTF, or tab-separated " + ", ".join(COLUMNS)


class Gene(NamedTuple):
    """Bases from 1, first and last of the transcript and of its exons, which are sorted."""

    name: str
    contig: str
    strand: str
    start: int
    end: int
    exons: tuple[tuple[int, int], ...]

    def boundaries(self) -> list[int]:
        """First and last bases of the exons."""
        return [place for exon in self.exons for place in exon]


def read_genes(path: Path) -> dict[str, list[Gene]]:
    """Genes by their contig, as the file calls it, in the order of their starts.

    DataError names the row of what is none.
    """
    is_gtf = ".gtf" in [ending.lower() for ending in path.suffixes]
    genes: dict[str, list[Gene]] = {}
    for gene in _of_gtf(path) if is_gtf else _of_table(path):
        genes.setdefault(gene.contig, []).append(gene)
    if not genes:
        raise DataError("There are no genes", file=path, hint=HINT)
    return {name: sorted(found, key=lambda gene: gene.start) for name, found in genes.items()}


def _of_table(path: Path) -> Iterator[Gene]:
    with open_text(path) as lines:
        for row, line in enumerate(lines, 1):
            fields = line.rstrip("\r\n").split("\t")
            if row == 1:
                if fields != COLUMNS:
                    raise DataError("This is no table of genes", file=path, row=1, hint=HINT)
                continue
            if not line.strip():
                continue
            try:
                name, contig, strand, _, _, starts, ends = fields
                first, last = (
                    [int(place) for place in places.split(",") if place]
                    for places in (starts, ends)
                )
                exons = [(start + 1, end) for start, end in zip(first, last, strict=True)]
                yield _gene(name, contig, strand, exons)
            except ValueError as error:
                raise DataError("This line is no gene", file=path, row=row, hint=HINT) from error


def _of_gtf(path: Path) -> Iterator[Gene]:
    """One transcript a gene."""
    transcripts: dict[tuple[str, str], dict[str, list[tuple[int, int]]]] = {}
    names: dict[tuple[str, str], tuple[str, str]] = {}
    tagged: dict[tuple[str, str], tuple[int, str]] = {}
    with open_text(path) as lines:
        for row, line in enumerate(lines, 1):
            fields = line.rstrip("\r\n").split("\t")
            if line.startswith("#") or len(fields) < 3 or fields[2] != "exon":
                continue
            try:
                contig, _, _, start, end, _, strand, _, said = fields
                exon = int(start), int(end)
                if strand not in STRANDS or exon[0] > exon[1]:
                    raise ValueError("no strand, or an end before the start")
            except ValueError as error:
                raise DataError("This line is no exon", file=path, row=row, hint=HINT) from error
            about: dict[str, str] = dict(re.findall(r'(\w+) "([^"]*)"', said))
            if "gene_id" not in about or "transcript_id" not in about:
                message = "An exon without gene_id or transcript_id"
                raise DataError(message, file=path, row=row, hint=HINT)
            gene, transcript = (contig, about["gene_id"]), about["transcript_id"]
            names[gene] = about.get("gene_name", about["gene_id"]), strand
            transcripts.setdefault(gene, {}).setdefault(transcript, []).append(exon)
            for rank, tag in enumerate(CHOSEN):
                if f'"{tag}"' in said and rank < tagged.get(gene, (len(CHOSEN), ""))[0]:
                    tagged[gene] = rank, transcript
    for gene, known in transcripts.items():
        longest = max(known, key=lambda t: (sum(end - start + 1 for start, end in known[t]), t))
        name, strand = names[gene]
        yield _gene(name, gene[0], strand, known[tagged.get(gene, (0, longest))[1]])


def _gene(name: str, contig: str, strand: str, exons: list[tuple[int, int]]) -> Gene:
    """ValueError where the exons or the strand are none."""
    exons = sorted(exons)
    if strand not in STRANDS or not exons or any(start > end for start, end in exons):
        raise ValueError("no exons or no strand")
    return Gene(name, contig, strand, exons[0][0], exons[-1][1], tuple(exons))
