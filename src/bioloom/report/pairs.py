"""Figures of pairs: links of a network, known and new ends, distances of residues."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bioloom.report.figures import WIDE, Figure, bars_size, shade
from bioloom.svg import ACCENT, INK, MUTED, SECOND, draw_svg

# Park & Marcotte (2012).
PAIRS = {"both": "C1: both ends known", "one": "C2: one is new", "none": "C3: both are new"}


def strongest_links(table: pd.DataFrame) -> Figure:
    """The network of the surest test pairs: those that are linked in blue, others orange."""
    from networkx import Graph, draw_networkx_edges, draw_networkx_labels

    graph = Graph()
    for pair in table.itertuples(index=False):
        graph.add_edge(pair.source, pair.target, colour=ACCENT if pair.linked else SECOND)
    place = _side_by_side(graph)

    def draw(ax: Any) -> None:
        colours = [graph.edges[edge]["colour"] for edge in graph.edges]
        draw_networkx_edges(graph, place, ax=ax, edge_color=colours, width=1.2, alpha=0.7)
        draw_networkx_labels(graph, place, ax=ax, font_size=8, font_color=INK)
        ax.margins(0.06)
        ax.set(aspect="equal")
        ax.set_axis_off()

    caption = (
        f"The {len(table)} test pairs that the model is surest of: {table['linked'].sum()} blue "
        "ones are linked, of the orange ones no link is known."
    )
    return Figure(draw_svg(draw, (9.5, 4.6)), "Strongest predicted links", caption, wide=True)


def _side_by_side(graph: Any) -> dict[str, np.ndarray]:
    """A place for each node: the parts of the graph in rows, each as large as its nodes need."""
    from networkx import Graph, connected_components, kamada_kawai_layout

    place: dict[str, np.ndarray] = {}
    corner, height = np.zeros(2), 0.0
    for part in sorted(connected_components(graph), key=len, reverse=True):
        radius = np.sqrt(len(part))
        if corner[0] and corner[0] + 2 * radius > 26:
            corner, height = np.array([0.0, corner[1] - height]), 0.0
        height = max(height, 2 * radius + 1)
        # A subgraph has its nodes in the order of a set, which differs from process to process.
        ordered = Graph()
        ordered.add_nodes_from(sorted(part))
        ordered.add_edges_from(sorted(tuple(sorted(edge)) for edge in graph.edges(part)))
        spots = kamada_kawai_layout(ordered)
        middle = corner + [radius, -radius]
        place |= {node: middle + radius * spot for node, spot in spots.items()}
        corner = corner + [2 * radius + 2.5, 0]
    return place


def seen(table: pd.DataFrame) -> Figure:
    """AUROC of pairs by how many of their ends were in training: the model in colour."""
    table = table[(table["metric"] == "auroc") & table["value"].notna()]
    ours = table[table["model"] == "model"]
    names = [f"{PAIRS[each]} ({n:,})" for each, n in zip(ours["seen"], ours["n"], strict=True)]

    def draw(ax: Any) -> None:
        for i, row in enumerate(ours.to_dict("records")):
            others = table[(table["seen"] == row["seen"]) & (table["model"] != "model")]
            ax.plot(others["value"], [i] * len(others), "|", color=MUTED, markersize=9)
            ax.plot([row["low"], row["high"]], [i, i], color=ACCENT, linewidth=1.5)
            ax.plot(row["value"], i, "o", color=ACCENT, markersize=6)
        ax.set_yticks(range(len(names)), names)
        ax.set(xlim=(0, 1), ylim=(-0.6, len(names) - 0.4), xlabel="AUROC")

    caption = "Pairs by the ends that were in training, with 95 % intervals; strokes are baselines."
    return Figure(draw_svg(draw, bars_size(names, 0.27)), "Known and new ends", caption)


def distance_maps(table: pd.DataFrame) -> Figure:
    """Distance maps of a few chains: predicted above the diagonal, observed below."""
    chains = list(table.groupby("sample_id", sort=False))

    def draw(axes: Any) -> None:
        for ax, (name, rows) in zip(np.ravel(axes), chains, strict=True):
            size = int(rows["j"].max())
            near = np.ones((size, size))
            i, j = rows["i"].to_numpy() - 1, rows["j"].to_numpy() - 1
            near[i, j] = 1 - rows["predicted"].clip(upper=20) / 20
            near[j, i] = 1 - rows["observed"].clip(upper=20) / 20
            shade(ax, near)
            ax.set(xlabel="Residue", title=f"{name} ({rows['rank'].iloc[0]})")

    caption = (
        "Distances of C-betas, predicted above and observed below the diagonal: dark is near, "
        "white is 20 Å and more. The test chains with the smallest, median and largest error."
    )
    svg = draw_svg(draw, (WIDE[0], 2.9), columns=len(chains))
    return Figure(svg, "Distance maps", caption, wide=True)
