"""An assembly as files: contigs, graph and pictures; and the figures of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bioloom.files import replacing
from bioloom.formats.gfa import Link, Segment, read_gfa, write_gfa
from bioloom.reads.assembly.assemble import Assembly, Contigs, name_of
from bioloom.reads.assembly.figures import LEAST, against_reference, by_kmers, contiguity
from bioloom.reads.assembly.graph import NONE, Graph
from bioloom.reads.assembly.pictures import draw_graph, draw_spectrum
from bioloom.reads.correction import K
from bioloom.reads.kmers import count_kmers
from bioloom.reads.sequences import Reads, decode
from bioloom.reads.spectrum import Spectrum

GFA, GRAPH, SPECTRUM = "assembly.gfa", "graph.svg", "spectrum.svg"
LINE = 80  # letters of a line of FASTA


def write_assembly(
    assembly: Contigs,
    reads: Reads,
    spectrum: Spectrum,
    reference: dict[str, str] | None,
    folder: Path,
) -> dict[str, Any]:
    """Write the files; the figures by themselves, by the reads, and against a reference.

    `reads` are those before correction, and `spectrum` is theirs. The graph of another program is
    in the folder already, if it writes one.
    """
    graph, gfa = assembly.graph if isinstance(assembly, Assembly) else None, folder / GFA
    write_contigs(assembly, folder / "contigs.fasta")
    if graph is not None:
        segments = (
            Segment(name_of(i), decode(graph.sequence(2 * i)), float(graph.coverage[i]))
            for i in range(len(graph.coverage))
        )
        write_gfa(segments, links_of(graph), gfa)
    draw_spectrum(spectrum, folder / SPECTRUM)
    figures: dict[str, Any] = {
        "spectrum": {
            "k": spectrum.k,
            "genome_size": spectrum.genome_size,
            "kmer_coverage": spectrum.coverage,
            "error_rate_if_even": spectrum.error_rate,
            "heterozygosity": spectrum.heterozygosity,
            "solid_from": spectrum.threshold,
        },
        "contigs": contiguity(assembly.contigs, spectrum.genome_size),
        "by_kmers": by_kmers(assembly.contigs, count_kmers(reads, K), spectrum.threshold),
    }
    if gfa.exists():
        drawn = draw_graph(*read_gfa(gfa), folder / GRAPH)
        own = {"k": graph.k} if graph is not None else {}
        figures["graph"] = own | drawn
    if reference is not None:
        compared = against_reference(assembly.contigs, reference)
        figures["against_reference"] = {"contigs_from": LEAST} | compared
    return figures


def write_contigs(assembly: Contigs, path: Path) -> None:
    """Write the contigs as FASTA."""
    with replacing(path) as temporary, temporary.open("w") as stream:
        for header, contig in zip(assembly.headers, assembly.contigs, strict=True):
            stream.write(f">{header}\n")
            text = decode(contig)
            stream.writelines(f"{text[i : i + LINE]}\n" for i in range(0, len(text), LINE))


def links_of(graph: Graph) -> Iterator[Link]:
    """Each link once, from the lower of the two ways to write it."""
    for source, targets in enumerate(graph.links):
        for target in targets[targets != NONE].tolist():
            if (source, target) <= (target ^ 1, source ^ 1):
                names = (
                    name_of(source >> 1),
                    bool(source & 1),
                    name_of(target >> 1),
                    bool(target & 1),
                )
                yield Link(*names, graph.k - 1)
