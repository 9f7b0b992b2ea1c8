"""An assembly as files: contigs.fasta, assembly.gfa, spectrum.svg; and the figures of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bioloom.files import replacing
from bioloom.formats.gfa import Link, Segment, write_gfa
from bioloom.reads.assembly.assemble import Assembly, Contigs, name_of
from bioloom.reads.assembly.figures import LEAST, against_reference, by_kmers, contiguity
from bioloom.reads.assembly.graph import NONE, Graph
from bioloom.reads.correction import K
from bioloom.reads.kmers import count_kmers
from bioloom.reads.sequences import Reads, decode
from bioloom.reads.spectrum import Spectrum

LINE = 80  # letters of a line of FASTA


def write_assembly(
    assembly: Contigs,
    reads: Reads,
    spectrum: Spectrum,
    reference: dict[str, str] | None,
    folder: Path,
) -> dict[str, Any]:
    """Write the files; the figures by themselves, by the reads, and against a reference.

    `reads` are those before correction, and `spectrum` is theirs. Contigs of another
    program have no graph.
    """
    graph = assembly.graph if isinstance(assembly, Assembly) else None
    write_contigs(assembly, folder / "contigs.fasta")
    if graph is not None:
        segments = (
            Segment(name_of(i), decode(graph.sequence(2 * i)), float(graph.coverage[i]))
            for i in range(len(graph.coverage))
        )
        write_gfa(segments, links_of(graph), folder / "assembly.gfa")
    draw_spectrum(spectrum, folder / "spectrum.svg")
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
    if graph is not None:
        figures["graph"] = {"k": graph.k, "unitigs": len(graph.coverage)}
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


def draw_spectrum(spectrum: Spectrum, path: Path) -> None:
    """The k-mer spectrum as SVG, with the threshold and the coverage marked."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    end = int(max(3 * spectrum.coverage, 10))
    counts = np.arange(1, min(end, len(spectrum.histogram) - 1))
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.add_subplot()
    axes.step(counts, np.maximum(spectrum.histogram[counts], 0.5), where="mid", color="#2a5b8c")
    axes.axvline(spectrum.threshold - 0.5, color="#b3452c", label="solid from here on")
    axes.axvline(spectrum.coverage, color="#777777", linestyle="--", label="coverage")
    axes.set(yscale="log", xlabel=f"times that a {spectrum.k}-mer occurs", ylabel="k-mers")
    axes.legend(frameon=False)
    # The same bytes each time.
    with rc_context({"svg.hashsalt": "spectrum"}), replacing(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
