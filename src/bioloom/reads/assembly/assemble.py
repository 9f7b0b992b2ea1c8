"""Reads to contigs: a graph for each k, the contigs of one k among the reads of the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from bioloom.errors import DataError
from bioloom.reads.assembly.graph import Graph, build_graph, count_hashes, rescue, trust
from bioloom.reads.assembly.pairs import FEWEST, Solid, join_pairs
from bioloom.reads.assembly.repeats import repeats_of, without_ways_through
from bioloom.reads.assembly.simplify import simplify
from bioloom.reads.sequences import Reads
from bioloom.reads.spectrum import histogram, threshold_of

SIZES = (21, 41, 63, 95, 127)
BETWEEN = 41  # k of the way between contigs that pairs join
SHORTEST = 200  # letters of a contig; shorter unitigs stand in the graph alone


@dataclass(frozen=True)
class Contigs:
    """Contigs that are long enough, the longest first."""

    contigs: list[np.ndarray]  # codes
    headers: list[str]  # of each contig in FASTA


@dataclass(frozen=True)
class Assembly(Contigs):
    """Contigs that are unitigs of the graph of the largest k, some joined by pairs."""

    graph: Graph


def assemble(
    reads: Reads,
    sizes: Sequence[int] = SIZES,
    shortest: int = SHORTEST,
    threshold: int = 0,
    mates: np.ndarray | None = None,
) -> Assembly:
    """Contigs of reads; `sizes` are odd and grow, and those longer than every read are left out.

    `threshold` is how often a k-mer has to occur; 0 takes it from the spectrum of each k. Reads
    that are `mates` (m, 2), as places among the reads, join contigs.
    DataError where no contig is as long as `shortest`.
    """
    longest = int(np.diff(reads.offsets).max(initial=0))
    graph, least, repeats = None, threshold, list[np.ndarray]()
    for k in [k for k in sizes if k < longest] or [min(sizes)]:
        graph, least = _graph(reads, k, graph, threshold, least)
        repeats = [letters for letters in repeats if len(letters) >= k]
        graph = without_ways_through(graph, repeats)
        repeats += repeats_of(graph)
    assert graph is not None
    joined = []
    if mates is not None and len(mates) >= FEWEST:
        solid = _solid(reads, BETWEEN, threshold)
        rare = partial(_solid, reads, min(sizes), threshold)
        joined = join_pairs(graph, reads, mates, solid, rare)
    taken = {oriented >> 1 for chain, _ in joined for oriented in chain}
    found = joined + [
        ([2 * i], graph.sequence(2 * i)) for i in range(len(graph.lengths)) if i not in taken
    ]
    found.sort(key=lambda contig: -len(contig[1]))
    long = [contig for contig in found if len(contig[1]) >= shortest]
    if not long:
        raise no_contig(int(graph.lengths.max(initial=0)), shortest)
    headers = [
        _header(number, graph, chain, len(letters))
        for number, (chain, letters) in enumerate(long, 1)
    ]
    return Assembly([letters for _, letters in long], headers, graph)


def _solid(reads: Reads, k: int, threshold: int) -> Solid:
    """The k-mers by which pairs find their way, or see that it is one of few reads."""
    table = count_hashes(reads, k)
    return Solid(k, table, threshold or threshold_of(histogram(table.counts)))


def _header(number: int, graph: Graph, chain: list[int], length: int) -> str:
    """Of a contig: its unitig, or number and all unitigs that pairs joined; length and depth."""
    unitigs = [oriented >> 1 for oriented in chain]
    kmers = graph.lengths[unitigs] - graph.k + 1
    depth = (graph.coverage[unitigs] * kmers).sum() / kmers.sum()
    figures = f"length={length} kmer_depth={depth:.1f}"
    if len(chain) == 1:
        return f"{name_of(unitigs[0])} {figures}"
    path = (name_of(oriented >> 1) + "+-"[oriented & 1] for oriented in chain)
    return f"joined_{number} {figures} path={','.join(path)}"


def name_of(unitig: int) -> str:
    """What a unitig is called in files."""
    return f"unitig_{unitig + 1}"


def no_contig(longest: int, shortest: int = SHORTEST) -> DataError:
    """The error where even the longest contig is too short."""
    return DataError(
        f"No contig has {shortest} bases; the longest has {longest}",
        hint="the coverage is too low, or the reads too short",
    )


def _graph(
    reads: Reads, k: int, before: Graph | None, threshold: int, most: int
) -> tuple[Graph, int]:
    """The simplified graph of one k, of the reads and of the unitigs of a smaller k; its threshold.

    After a smaller k it is `most` at the most: longer k-mers occur less often, until their spectrum
    shows no valley any more.
    """
    n = len(reads.offsets) - 1
    if before is not None:
        reads = _with(reads, before)
    table = count_hashes(reads, k)
    least = threshold or threshold_of(histogram(table.counts))
    least = min(least, most) if before is not None else least
    trust(reads, n, k, table, least)
    rescue(reads, k, table, least)
    return simplify(build_graph(reads, k, table, least)), least


def _with(reads: Reads, graph: Graph) -> Reads:
    """The reads, and behind them the unitigs."""
    codes = np.concatenate([reads.codes, graph.codes])
    offsets = np.concatenate([reads.offsets, reads.offsets[-1] + graph.offsets[1:]])
    return Reads(codes, np.zeros(0, np.uint8), offsets)
