"""Pictures of an assembly as SVG: the k-mer spectrum of its reads, and its graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bioloom.formats.gfa import Link, Segment
from bioloom.reads.spectrum import Spectrum
from bioloom.svg import ACCENT, INK, MUTED, SECOND, write_svg

MOST = 200  # unitigs that are drawn
PIECES = 150  # that the lines of all unitigs bend in
LINKED = 0.3  # of a piece: how far apart linked ends are
GAP = 0.03  # between components, of the widest one
ROUNDS = 200
JITTER = 1e-4  # of a distance: what would lie on each other comes apart
MEAN_WIDTH, WIDTHS = 2.5, (0.5, 10.0)  # points; of the mean coverage, and of any
WIDTH, HEIGHTS = 9.5, (1.2, 7.0)  # inches


class Drawing(NamedTuple):
    """Where the unitigs lie, in bases."""

    lines: list[np.ndarray]  # (points, 2) of each unitig, from its first letter to its last
    links: list[np.ndarray]  # (2, 2), the ends that are joined


def draw_spectrum(spectrum: Spectrum, path: Path) -> None:
    """How many k-mers occur how often, with the threshold and the coverage marked."""
    end = int(max(3 * spectrum.coverage, 10))
    counts = np.arange(1, min(end, len(spectrum.histogram) - 1))

    def draw(ax: Any) -> None:
        ax.step(counts, np.maximum(spectrum.histogram[counts], 0.5), where="mid", color=ACCENT)
        ax.axvline(spectrum.threshold - 0.5, color=SECOND, label="solid from here on")
        ax.axvline(spectrum.coverage, color=MUTED, linestyle="--", label="coverage")
        ax.set(yscale="log", xlabel=f"times that a {spectrum.k}-mer occurs", ylabel="k-mers")
        ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.legend(frameon=False)

    write_svg(draw, (6, 3.5), path)


def draw_graph(segments: Sequence[Segment], links: Sequence[Link], path: Path) -> dict[str, int]:
    """The unitigs as lines, about as long as they are, and as wide as their coverage says.

    At most `MOST` are drawn, of the largest connected components first, and of one component the
    longest first. Returns how many unitigs there are, and how many are drawn.
    """
    from matplotlib.collections import LineCollection

    chosen = [segments[i] for i in _largest(segments, links)]
    names = {segment.name for segment in chosen}
    drawing = _layout(chosen, [link for link in links if {link.source, link.target} <= names])
    coverage = np.array([segment.coverage for segment in chosen])
    mean = np.average(coverage, weights=[len(segment.sequence) for segment in chosen])
    widths = (MEAN_WIDTH * coverage / mean).clip(*WIDTHS)
    points = np.concatenate(drawing.lines)
    (left, low), (right, high) = points.min(axis=0), points.max(axis=0)
    bar = 10.0 ** np.floor(np.log10((right - left) / 2))
    margin = GAP * (right - left)
    bottom = low - 2 * margin

    def draw(ax: Any) -> None:
        ax.add_collection(LineCollection(drawing.links, colors=MUTED, linewidths=0.6))
        lines = LineCollection(drawing.lines, colors=ACCENT, linewidths=widths, capstyle="round")
        ax.add_collection(lines)
        ax.plot([left, left + bar], [bottom, bottom], color=INK, linewidth=1)
        ax.text(left + bar + margin, bottom, f"{bar:,.0f} bases", va="center", fontsize=8)
        ax.set(xlim=(left - margin, right + margin), ylim=(bottom - margin, high + margin))
        ax.set(aspect="equal")
        ax.set_axis_off()

    height = WIDTH * (high - bottom) / (right - left)
    write_svg(draw, (WIDTH, float(np.clip(height, *HEIGHTS))), path)
    return {"unitigs": len(segments), "unitigs_drawn": len(chosen)}


def _largest(segments: Sequence[Segment], links: Sequence[Link]) -> list[int]:
    """The places of the segments to draw."""
    place = {segment.name: i for i, segment in enumerate(segments)}
    lengths = np.array([len(segment.sequence) for segment in segments])
    ends = np.array([(place[link.source], place[link.target]) for link in links], int)
    part = _components(len(segments), ends.reshape(-1, 2))
    bases = np.bincount(part, weights=lengths)[part]
    return np.lexsort([-lengths, part, -bases])[:MOST].tolist()


def _components(n: int, edges: np.ndarray) -> np.ndarray:
    """The number of the connected component of each of n nodes; `edges` are (m, 2)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    matrix = coo_array((np.ones(len(edges)), edges.T), (n, n))
    return connected_components(matrix, directed=False)[1]


def _layout(segments: Sequence[Segment], links: Sequence[Link]) -> Drawing:
    """Each unitig is a chain of nodes, and the ends that a link joins are neighbours."""
    lengths = np.array([len(segment.sequence) for segment in segments], float)
    total = lengths.sum()
    pieces = np.maximum(np.round(PIECES * lengths / total), 1).astype(int)
    last = np.cumsum(pieces + 1) - 1
    first = last - pieces
    place = {segment.name: i for i, segment in enumerate(segments)}
    joined = np.array(
        [
            (
                (first if link.source_reverse else last)[place[link.source]],
                (last if link.target_reverse else first)[place[link.target]],
            )
            for link in links
        ],
        int,
    ).reshape(-1, 2)
    chains = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
    edges = np.concatenate([np.stack([chains, chains + 1], axis=1), joined])
    apart = np.concatenate(
        [np.repeat(lengths / pieces, pieces), np.full(len(joined), LINKED * total / PIECES)]
    )
    at = _in_rows(edges, apart, last[-1] + 1)
    lines = [at[a : b + 1] for a, b in zip(first, last, strict=True)]
    return Drawing(lines, [at[ends] for ends in joined])


def _in_rows(edges: np.ndarray, apart: np.ndarray, n: int) -> np.ndarray:
    """Places (n, 2) of nodes so far `apart` along edges: components in rows, the largest first."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import shortest_path

    part = _components(n, edges)
    matrix = coo_array((apart, edges.T), (n, n)).tocsr()
    members = [np.flatnonzero(part == number) for number in range(part.max() + 1)]
    boxes = []
    for nodes in members:
        placed = _placed(shortest_path(matrix[nodes][:, nodes], directed=False))
        boxes.append(placed - placed.min(axis=0))
    widest = max(np.ptp(box[:, 0]) for box in boxes)
    at, corner, row = np.empty((n, 2)), np.zeros(2), 0.0
    for nodes, box in sorted(zip(members, boxes, strict=True), key=lambda pair: -pair[1].max()):
        width, height = np.ptp(box, axis=0)
        if corner[0] and corner[0] + width > widest:
            corner, row = np.array([0.0, corner[1] - row]), 0.0
        at[nodes] = corner + box - [0, height]
        corner = corner + [width + GAP * widest, 0]
        row = max(row, height + GAP * widest)
    return at.round()  # to bases: the last digits hang on how many threads there are


def _placed(distances: np.ndarray) -> np.ndarray:
    """Places (n, 2) that are about as far apart as `distances` (n, n) say.

    Classical scaling, then stress majorization (Gansner et al. 2005, LNCS 3383:239).
    """
    n = len(distances)
    inverse = np.divide(1.0, distances, out=np.zeros_like(distances), where=distances > 0)
    centred = distances**2 - (distances**2).mean(axis=0)
    centred = -(centred - centred.mean(axis=1, keepdims=True)) / 2
    values, axes = np.linalg.eigh(centred)
    at = (axes * np.sqrt(values.clip(0)))[:, :-3:-1]
    at += JITTER * distances.max() * np.random.default_rng(0).normal(size=(n, 2))
    laplacian = np.linalg.pinv(_laplacian(inverse**2))
    for _ in range(ROUNDS):
        now = np.linalg.norm(at[:, None] - at[None], axis=2)
        ratio = np.divide(inverse, now, out=np.zeros_like(now), where=now > 0)
        at = laplacian @ (_laplacian(ratio) @ at)
    return at


def _laplacian(weights: np.ndarray) -> np.ndarray:
    return np.diag(weights.sum(axis=1)) - weights
