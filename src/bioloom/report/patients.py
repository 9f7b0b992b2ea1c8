"""Figures of patients: survival and risk, policies and their overlap, Bayesian networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bioloom.bayes.network import Network
from bioloom.report.figures import BARS, HALF, SMALL, Figure, bars_size, legend
from bioloom.svg import ACCENT, INK, LINE, MUTED, SECOND, draw_svg

MOST_ENDS = 16  # rules that a drawn tree ends in
MOST_LETTERS = 30  # of a condition on a branch


def survival_groups(table: pd.DataFrame) -> Figure:
    """Curves of thirds of the test rows by risk: observed with its interval, predicted dashed."""
    colours = dict(zip(table["group"].unique(), (MUTED, SECOND, ACCENT), strict=False))

    def draw(ax: Any) -> None:
        for name, rows in table.groupby("group", sort=False):
            start = pd.concat([rows.iloc[:1].assign(time=0, observed=1, low=1, high=1), rows])
            colour = colours[name]
            ax.step(start["time"], start["observed"], where="post", color=colour, label=name)
            ends = start["time"], start["low"], start["high"]
            ax.fill_between(*ends, step="post", color=colour, alpha=0.15, linewidth=0)
            ax.plot([0, *rows["time"]], [1, *rows["predicted"]], "--", color=colour, linewidth=1)
        ax.set(xlabel="Time", ylabel="Share without the event", ylim=(0, 1.02), xlim=(0, None))
        legend(ax, loc="lower left")

    caption = (
        "Kaplan-Meier of thirds of the test rows by predicted risk, or where events compete 1 - "
        "Aalen-Johansen, with 95 % intervals; dashed is the mean of what was predicted."
    )
    return Figure(draw_svg(draw, (BARS, SMALL[1])), "Survival by predicted risk", caption)


def risk_calibration(table: pd.DataFrame) -> Figure:
    """Observed against predicted risk by each horizon."""
    horizons = list(table.groupby("horizon"))
    colours = (ACCENT, SECOND, MUTED)

    def draw(ax: Any) -> None:
        ax.plot([0, 1], [0, 1], color=LINE, linewidth=1)
        for i, (horizon, rows) in enumerate(horizons):
            colour = colours[i % len(colours)]
            ax.vlines(rows["predicted"], rows["low"], rows["high"], color=colour, linewidth=1)
            style = {"color": colour, "markersize": 5, "linewidth": 1}
            ax.plot(rows["predicted"], rows["observed"], "o-", label=f"by {horizon:g}", **style)
        end = min(1.0, 1.1 * table[["predicted", "high"]].max().max())
        ax.set(xlim=(0, end), ylim=(0, end), aspect="equal")
        ax.set(xlabel="Predicted risk", ylabel="Observed risk")
        legend(ax, loc="upper left")

    caption = (
        "Fifths of the test rows by predicted risk; lines are 95 % intervals. Observed is 1 - "
        "Kaplan-Meier, or where events compete the share to whom the event happened first "
        "(Aalen-Johansen)."
    )
    return Figure(draw_svg(draw, SMALL), "Calibration at horizons", caption)


def cumulative_incidence(table: pd.DataFrame) -> Figure:
    """The share to whom each event happened first, and what 1 - Kaplan-Meier would make of it."""

    def draw(ax: Any) -> None:
        for (name, rows), colour in zip(
            table.groupby("event", sort=False), (ACCENT, SECOND), strict=False
        ):
            ax.step(rows["time"], rows["incidence"], where="post", color=colour, label=name)
            ax.plot(rows["time"], rows["one_minus_kaplan_meier"], "--", color=colour, linewidth=1)
        ax.set(xlabel="Time", ylabel="Share to whom it happened", ylim=(0, None), xlim=(0, None))
        legend(ax, loc="upper left")

    caption = (
        "Aalen-Johansen of all test rows: predicted risks are of this kind. Dashed is 1 - "
        "Kaplan-Meier, which takes who had the other event as if it could still happen to them."
    )
    return Figure(draw_svg(draw, (BARS, SMALL[1])), "Competing events", caption)


def decision_curve(table: pd.DataFrame, against: str | None) -> Figure:
    """Net benefit by threshold: the model, its best baseline, treating all and treating none."""
    styles: dict[str, dict[str, Any]] = {
        "model": {"color": ACCENT, "linewidth": 1.8},
        **({against: {"color": SECOND}} if against else {}),
        "treat all": {"color": MUTED, "linestyle": "--"},
        "treat none": {"color": LINE},
    }
    shown = table[table["model"].isin(styles)]
    highest = shown.loc[shown["model"] == "model", "net_benefit"].max()

    def draw(ax: Any) -> None:
        for name, style in styles.items():
            rows = shown[shown["model"] == name]
            if len(rows):
                label = name.replace("_", " ")
                ax.plot(rows["threshold"], rows["net_benefit"], label=label, **style)
        ax.set(xlim=(0, 1), ylim=(-0.2 * highest - 0.01, 1.1 * highest + 0.01))
        ax.set(xlabel="Probability from which one treats", ylabel="Net benefit a patient")
        legend(ax, loc="best")

    caption = (
        "True positives a patient, less the false ones at the odds of the threshold (Vickers and "
        "Elkin 2006). A model is of use where it lies above treating all and treating none."
    )
    return Figure(draw_svg(draw, SMALL), "Decision curve", caption)


def subgroups(table: pd.DataFrame) -> Figure:
    """The first metric of each subgroup with its interval; what differs from the others is dark."""
    first = table[table["metric"] == table["metric"].iloc[0]].iloc[::-1]
    apart = first.reindex(columns=["difference_low", "difference_high"])
    firm = (apart["difference_low"] > 0) | (apart["difference_high"] < 0)
    names = [f"{r.column} {r.subgroup} ({r.n})" for r in first.itertuples()]

    def draw(ax: Any) -> None:
        for i, (row, dark) in enumerate(zip(first.itertuples(), firm, strict=True)):
            colour = ACCENT if dark else MUTED
            ax.plot([row.low, row.high], [i, i], color=colour, linewidth=1.5)
            ax.plot(row.value, i, "o", color=colour, markersize=6)
        ax.set_yticks(range(len(names)), names)
        ax.set(ylim=(-0.6, len(names) - 0.4), xlabel=table["metric"].iloc[0])
        ax.grid(axis="x", color=LINE, linewidth=0.5)

    caption = (
        "Subgroups of the test rows with 95 % intervals and numbers of samples; dark where the "
        "difference to all others does not hold 0."
    )
    return Figure(draw_svg(draw, bars_size(names, 0.27)), "Subgroups", caption)


def policies(table: pd.DataFrame) -> Figure:
    """What policies are worth: doubly robust values with intervals, the others as strokes."""
    names = list(table["policy"].drop_duplicates())[::-1]
    robust, inverse = (
        table[table["estimator"] == name].set_index("policy").loc[names]
        for name in ("doubly robust", "self-normalised")
    )

    def draw(ax: Any) -> None:
        for i, name in enumerate(names):
            row, colour = robust.loc[name], ACCENT if name == "recommended" else MUTED
            ax.plot([row["low"], row["high"]], [i, i], color=colour, linewidth=1.5)
            ax.plot(row["value"], i, "o", color=colour, markersize=6)
            ax.plot(inverse.loc[name, "value"], i, "|", color=INK, markersize=9)
        ax.set_yticks(range(len(names)), names)
        ax.set(ylim=(-0.6, len(names) - 0.4), xlabel="Mean outcome")
        ax.grid(axis="x", color=LINE, linewidth=0.5)

    caption = (
        "Mean outcome of held-out patients if all were treated so: doubly robust, with 95 % normal "
        "intervals; strokes are by inverse probability, self-normalised. The best arm for all is "
        "that of training."
    )
    if table["association"].any():
        caption += " An association: treatment was not randomised."
    return Figure(draw_svg(draw, bars_size(names, 0.27)), "What policies are worth", caption)


def overlap(table: pd.DataFrame) -> Figure:
    """Estimated probability of each arm, of those who got it and of those who did not."""
    options = list(table["option"].drop_duplicates())

    def draw(axes: Any) -> None:
        for ax, option in zip(np.atleast_1d(axes), options, strict=True):
            rows = table[table["option"] == option]
            got = rows["received"] == option
            for chosen, colour, label in ((got, ACCENT, "got it"), (~got, MUTED, "did not")):
                counts = rows[chosen].groupby("probability")["count"].sum()
                share = counts / max(counts.sum(), 1)
                ax.bar(counts.index, share, 0.09, color=colour, alpha=0.5, label=label)
            ax.set(xlim=(0, 1), title=option, xlabel="Estimated probability")
        legend(np.atleast_1d(axes)[0])

    caption = (
        "Share of patients by the estimated probability of an arm, of those who got it and those "
        "who did not: what is said of an arm is an association, and rests on where both are."
    )
    svg = draw_svg(draw, (max(SMALL[0], 2.3 * len(options)), 2.6), columns=len(options))
    return Figure(svg, "Overlap of arms", caption, wide=2.3 * len(options) > HALF)


def bayesian_network(network: Network, target: str, of: str = "") -> Figure:
    """A network in layers, each field below its parents; what is predicted in colour."""
    from networkx import DiGraph, draw_networkx_edges, topological_generations

    graph = DiGraph()
    graph.add_nodes_from(network.names)
    graph.add_edges_from(network.edges)
    layers = list(topological_generations(graph))
    place: dict[str, tuple[float, float]] = {}
    for depth, layer in enumerate(layers):
        above = {name: _middle([place[p][0] for p in graph.predecessors(name)]) for name in layer}
        # Below their parents, and every other layer half a step aside: fewer lines cross names.
        for spot, name in enumerate(sorted(layer, key=lambda name: (above[name], name))):
            place[name] = (spot - (len(layer) - 1) / 2 + 0.25 * (-1) ** depth, -depth)

    def draw(ax: Any) -> None:
        draw_networkx_edges(
            graph, place, ax=ax, edge_color=MUTED, width=0.9, node_size=900, arrowsize=9
        )
        for name, (x, y) in place.items():
            colour = ACCENT if name == target else INK
            ax.text(x, y, name, ha="center", va="center", fontsize=8, color=colour)
        ax.margins(0.12)
        ax.set_axis_off()

    caption = (
        f"{len(network.names)} fields and {len(network.edges)} edges; {target!r} is predicted. An "
        "arrow leads to the field whose table depends on the other; it does not say what causes "
        "what. A zero in a table means not seen, not impossible: `pseudo_count` in the model card "
        "is what was added to each count."
    )
    size = (1.2 + 1.1 * max(map(len, layers)), 0.6 + 0.75 * len(layers))
    title = f"Bayesian network{f' of {of}' if of else ''}"
    return Figure(draw_svg(draw, size), title, caption, wide=size[0] > HALF)


def tree(table: pd.DataFrame, moved: str) -> Figure:
    """A tree with its root at the left and a line for each rule; `moved` is what an effect does.

    It is the first of a sum of `trees`. Of more than `MOST_ENDS` rules those of the first
    conditions are drawn, with how many lie below.
    """
    below: dict[int, list[int]] = {}
    for node, parent in zip(table["node"].tolist(), table["parent"].tolist(), strict=True):
        below.setdefault(parent, []).append(node)
    nodes = table.set_index("node").to_dict("index")
    rules = {node: _rules_below(node, below) for node in table["node"].tolist()}
    depth, shown = 0, [0]
    while True:
        next_ = [one for node in shown for one in below.get(node, [node])]
        if next_ == shown or len(next_) > MOST_ENDS:
            break
        depth, shown = depth + 1, next_
    place: dict[int, tuple[float, float]] = {end: (0.0, -i) for i, end in enumerate(shown)}
    _settle(0, 0, below, place)

    def draw(ax: Any) -> None:
        for node, (x, y) in place.items():
            for child in [one for one in below.get(node, []) if one in place]:
                end = place[child]
                ax.plot([x, x, end[0]], [y, end[1], end[1]], color=LINE, linewidth=1.2)
                told = str(nodes[child]["condition"])
                if len(told) > MOST_LETTERS:  # a cut stands at the end
                    told = f"{told[:15]}…{told[16 - MOST_LETTERS :]}"
                ax.text(x + 0.04, end[1] + 0.08, told, ha="left", va="bottom", fontsize=8)
        for node in shown:
            x, y = place[node]
            told = f"{rules[node]} rules" if node in below else f"{nodes[node]['effect']:.3g}"
            ax.text(x + 0.06, y, told, va="center", fontsize=9, color=ACCENT)
            share = f"{nodes[node]['share']:.0%}"
            ax.text(x + 0.45, y, share, va="center", fontsize=8, color=MUTED)
        ax.set(xlim=(-0.05, depth + 0.8), ylim=(0.7 - len(shown), 0.7))
        ax.set_axis_off()

    of = int(table["trees"].iloc[0])
    caption = (
        f"{'The tree' if of == 1 else f'The first of {of} trees, all of which count'}: conditions "
        f"from left to right, at the end what a rule {moved}, and the share of the training rows "
        "that follow it."
    )
    size = (1.9 * (depth + 0.8), max(1.2, 0.4 * len(shown)))
    return Figure(draw_svg(draw, size), "Tree", caption, wide=size[0] > HALF)


def _rules_below(node: int, below: dict[int, list[int]]) -> int:
    return sum(_rules_below(one, below) for one in below.get(node, [])) or 1


def _settle(
    node: int, depth: int, below: dict[int, list[int]], place: dict[int, tuple[float, float]]
) -> float:
    """Put the nodes of a tree at their depth, each amid those below it; the height of this one."""
    if node in place:
        height = place[node][1]
    else:
        height = _middle([_settle(one, depth + 1, below, place) for one in below[node]])
    place[node] = (depth, height)
    return height


def _middle(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
