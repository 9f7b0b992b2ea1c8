"""The report's figures: plot tables in, inline SVG with a heading and a caption in words out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from textwrap import fill, shorten
from typing import Any

import numpy as np
import pandas as pd

from bioloom.kinds._calibration import COVERAGE
from bioloom.svg import ACCENT, INK, LINE, MUTED, SECOND, draw_svg

BLUE, ORANGE = (46, 125, 190), (222, 112, 38)  # for images, which know no names
DASHES = [(0, ()), (0, (4, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5))]
SMALL, WIDE = (3.3, 2.9), (6.8, 2.6)  # inches
MOST_LABELS = 40  # that are drawn by name
BARS = 4.0
HALF = 5.0  # wider ones take a row of the page
# Amino acids from hydrophobic through polar to charged, then bases and the unknown letters.
LETTERS = "AVILMFWPGCYSTNQHKRDEUTNX"
MOST_BARS = 15
LETTER = 0.075  # inches that a letter of a label takes
LONGEST = 36  # letters of a label


@dataclass(frozen=True)
class Figure:
    """An SVG element, its heading and what it shows in words; `wide` ones take a whole row."""

    svg: str
    title: str
    caption: str
    wide: bool = False


def roc(table: pd.DataFrame, against: str | None = None) -> Figure:
    """ROC curves of all models; `against` is the baseline to be told from the others."""
    x, y = "false_positive_rate", "true_positive_rate"
    svg = draw_svg(lambda ax: _curves(ax, table, x, y, against, diagonal=True), SMALL)
    return Figure(svg, "ROC", "True against false positive rate; the diagonal is chance.")


def precision_recall(table: pd.DataFrame, against: str | None = None) -> Figure:
    """Precision-recall curves of all models, as `roc`."""
    svg = draw_svg(lambda ax: _curves(ax, table, "recall", "precision", against), SMALL)
    return Figure(svg, "Precision and recall", "Precision at each recall, as thresholds fall.")


def calibration(table: pd.DataFrame) -> Figure:
    """Reliability diagram of the task's model; the area of a dot is the number of predictions."""
    table = table[table["model"] == "model"]

    def draw(ax: Any) -> None:
        ax.plot([0, 1], [0, 1], color=LINE, linewidth=1)
        ax.plot(table["predicted"], table["observed"], color=ACCENT, linewidth=1)
        area = 6 + 90 * table["count"] / table["count"].max()
        ax.scatter(table["predicted"], table["observed"], s=area, color=ACCENT, linewidth=0)
        ax.set(xlim=(-0.04, 1.04), ylim=(-0.04, 1.04), aspect="equal")
        ax.set(xlabel="Predicted probability", ylabel="Observed frequency")

    caption = "Observed frequency in bins of predicted probability; a dot's area is its count."
    return Figure(draw_svg(draw, SMALL), "Calibration", caption)


def confusion(table: pd.DataFrame) -> Figure:
    """Confusion matrix, shaded by the share of the observed class; as large as its names need."""
    order = table["observed"].drop_duplicates()
    names = [shortened(name) for name in order]
    counts = table.pivot(index="observed", columns="predicted", values="count").loc[order, order]
    share = (counts.T / counts.sum(axis=1).clip(lower=1)).T.to_numpy()
    size, number = len(order), counts.to_numpy()

    def draw(ax: Any) -> None:
        shade(ax, 0.65 * share)
        for i, j in np.ndindex(size, size) if size <= 8 else ():
            text = f"{number[i, j]:,}\n{share[i, j]:.0%}"
            ax.text(j, i, text, ha="center", va="center", fontsize=8)
        ax.set(xlabel="Predicted", ylabel="Observed")
        ax.set_xticks(range(size), names, rotation=90 if upright else 0)
        ax.set_yticks(range(size), names)

    upright = size > 4 or size * max(map(len, names)) > 30
    cells, beside = max(1.8, 0.2 * size), 0.5 + LETTER * max(map(len, names))
    width, height = cells + beside, cells + (beside if upright else 0.6)
    svg = draw_svg(draw, (max(SMALL[0], width), max(SMALL[1], height)))
    caption = "Test samples by observed and predicted class; shade is the share of a row."
    return Figure(svg, "Confusion matrix", caption, wide=width > HALF)


def per_class(table: pd.DataFrame) -> Figure:
    """Recall and precision of each class: the model in colour, baselines grey."""
    table = table[table["metric"].isin(("recall", "precision"))]
    # A baseline may have a part that the model has not.
    own = table.loc[table["model"] == "model", ["class", "metric"]].drop_duplicates()
    rows = list(own.itertuples(index=False))[::-1]
    names = [f"{shortened(name)}, {metric}" for name, metric in rows]

    def draw(ax: Any) -> None:
        for i, (name, metric) in enumerate(rows):
            chosen = table[(table["class"] == name) & (table["metric"] == metric)]
            others = chosen[chosen["model"] != "model"]
            ours = chosen[chosen["model"] == "model"].iloc[0]
            ax.plot(others["value"], [i] * len(others), "|", color=MUTED, markersize=9)
            ax.plot([ours["low"], ours["high"]], [i, i], color=ACCENT, linewidth=1.5)
            ax.plot(ours["value"], i, "o", color=ACCENT, markersize=6)
        ax.set_yticks(range(len(rows)), names)
        ax.set(xlim=(0, 1), ylim=(-0.6, len(rows) - 0.4), xlabel="Recall, precision")

    caption = "Of each part, with 95 % intervals; the grey strokes are the baselines."
    return Figure(draw_svg(draw, bars_size(names, 0.22)), "Classes", caption)


def strata(table: pd.DataFrame) -> Figure:
    """The same of parts of the test rows, which their places and answers make."""
    return replace(per_class(table), title="Where it is right")


def coverage(table: pd.DataFrame) -> Figure:
    """How often sets or intervals hold the truth, of all test rows and of parts of them."""
    rows = table[::-1]  # the axis counts from below
    names = [f"{shortened(part)} ({n:,})" for part, n in zip(rows["part"], rows["n"], strict=True)]

    def draw(ax: Any) -> None:
        ax.axvline(COVERAGE, color=SECOND, linewidth=1.2)
        ax.hlines(range(len(rows)), rows["low"], rows["high"], color=ACCENT, linewidth=1.5)
        ax.plot(rows["value"], range(len(rows)), "o", color=ACCENT, markersize=6)
        ax.set_yticks(range(len(rows)), names)
        ax.set(xlim=(0, 1.02), ylim=(-0.6, len(rows) - 0.4), xlabel="Coverage")

    caption = f"How often sets or intervals hold the truth, {COVERAGE:.0%} asked; 95 % intervals."
    return Figure(draw_svg(draw, bars_size(names, 0.22)), "Coverage", caption)


def predicted_observed(table: pd.DataFrame) -> Figure:
    """Observed against predicted values as counts in cells."""

    def draw(ax: Any) -> None:
        area = 2 + 60 * table["count"] / table["count"].max()
        both = table[["predicted", "observed"]]
        ends = [both.min().max(), both.max().min()]
        ax.plot(ends, ends, color=LINE, linewidth=1)
        ax.scatter(table["predicted"], table["observed"], s=area, color=ACCENT, alpha=0.6, lw=0)
        ax.set(xlabel="Predicted", ylabel="Observed")

    caption = "Test samples in cells; a dot's area is their count, the line is equality."
    return Figure(draw_svg(draw, SMALL), "Predicted and observed", caption)


def per_target(
    table: pd.DataFrame, against: str | None, metric: str = "pearson", label: str = "Pearson r"
) -> Figure:
    """A metric of each target: model against a baseline, or the sorted model alone."""
    wide = table.pivot(index="target", columns="model", values=metric)
    ours = wide["model"].sort_values()

    def draw(ax: Any) -> None:
        if against is None:
            ax.plot(np.arange(len(ours)) + 1, ours, ".", color=ACCENT, markersize=4)
            ax.set(xlabel="Targets in order", ylabel=label)
            return
        ends = [
            min(0.0, wide[["model", against]].min().min()),
            wide[["model", against]].max().max(),
        ]
        ax.plot(ends, ends, color=LINE, linewidth=1)
        ax.scatter(wide[against], wide["model"], s=10, color=ACCENT, alpha=0.6, lw=0)
        ax.set(ylabel=f"{label}, model")
        ax.set(aspect="equal", xlabel=f"{label}, {against.replace('_', ' ')}")

    caption = "One dot a target."
    if against is not None:
        above = (wide["model"] > wide[against]).mean()
        caption += f" Above the line the model is better: {above:.0%} of {len(wide)} targets."
    return Figure(draw_svg(draw, SMALL), "Targets", caption)


def per_label(table: pd.DataFrame, against: str | None) -> Figure:
    """AUROC of each label by name: model in colour, baselines grey; of many as `per_target`."""
    ours = table[table["model"] == "model"].sort_values("auroc", ignore_index=True)
    if len(ours) > MOST_LABELS:
        return per_target(table, against, "auroc", "AUROC")
    others = table[table["model"] != "model"]
    names = [shortened(name) for name in ours["target"]]

    def draw(ax: Any) -> None:
        for i, (name, value) in enumerate(zip(ours["target"], ours["auroc"], strict=True)):
            known = others.loc[others["target"] == name, "auroc"]
            ax.plot(known, [i] * len(known), "|", color=MUTED, markersize=9)
            ax.plot(value, i, "o", color=ACCENT, markersize=6)
        ax.set_yticks(range(len(ours)), names)
        ax.set(xlim=(0, 1), ylim=(-0.6, len(ours) - 0.4), xlabel="AUROC")

    caption = "Of each label; the grey strokes are the baselines. More in plots/per_label.csv."
    return Figure(draw_svg(draw, bars_size(names, 0.22)), "Labels", caption)


def by_distance(table: pd.DataFrame, label: str, against: str | None = None) -> Figure:
    """The primary metric of all models by similarity to the nearest training sample, as `roc`."""

    def draw(ax: Any) -> None:
        for rows, style in _styled(table, against):
            ax.plot(rows["similarity"], rows["value"], **style)
        ours = table[table["model"] == "model"]
        if "low" in ours:
            ax.fill_between(ours["similarity"], ours["low"], ours["high"], color=ACCENT, alpha=0.15)
        ax.set(xlabel="Similarity to the nearest training sample", ylabel=fill(label, 34))
        legend(ax, loc="lower left", bbox_to_anchor=(-0.25, 1), ncol=2, columnspacing=1)

    caption = f"{label} in bins of similarity to training data; the band is the 95 % interval."
    return Figure(draw_svg(draw, SMALL), "Score by distance", caption)


def learning_curve(table: pd.DataFrame, label: str, against: str | None, worth: str) -> Figure:
    """The primary metric of all models against the number of labels; `worth` is a sentence."""
    table = table[table["draw"] == "mean"]
    sizes = table["rows"].unique()

    def draw(ax: Any) -> None:
        for rows, style in _styled(table, against):
            ax.plot(rows["rows"], rows["value"], marker=".", **style)
        ours = table[table["model"] == "model"].reindex(columns=["rows", "low", "high"])
        ax.fill_between(ours["rows"], ours["low"], ours["high"], color=ACCENT, alpha=0.15)
        ax.set_xscale("log")
        ax.set_xticks(sizes, [f"{size:,.0f}" for size in sizes], minor=False)
        ax.minorticks_off()
        ax.set(xlabel="Labelled training rows", ylabel=fill(label, 34))
        legend(ax, loc="center left", bbox_to_anchor=(1, 0.5))

    caption = "The same test rows after fewer labels, mean of the draws; the band is where 95 % of "
    caption += f"draws and groups lie. {worth}"
    return Figure(draw_svg(draw, (BARS + 1.2, SMALL[1])), "Score by number of labels", caption)


def similarities(counts: Sequence[float], edges: Sequence[float], limit: float | None) -> Figure:
    """Histogram of each test sample's similarity to its nearest training sample."""

    def draw(ax: Any) -> None:
        ax.stairs(counts, edges, fill=True, color=ACCENT, alpha=0.6)
        if limit is not None:
            ax.axvline(limit, color=SECOND, linewidth=1.2)
            ax.annotate(
                "limit",
                (limit, 0.97),
                xytext=(4, 0),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                va="top",
                color=SECOND,
            )
        ax.set(xlabel="Similarity to the nearest training sample", ylabel="Test samples")

    caption = "How near each test sample comes to training data."
    caption += f" The task fails above {limit:g}." if limit is not None else ""
    return Figure(draw_svg(draw, SMALL), "Nearest training sample", caption)


def forest(scores: dict[str, dict[str, float]], label: str) -> Figure:
    """Score with interval of the model and every baseline: `{model: {value, low, high}}`."""
    models = list(scores)[::-1]  # the axis counts from below
    names = [name.replace("_", " ") for name in models]

    def draw(ax: Any) -> None:
        for i, name in enumerate(models):
            score, colour = scores[name], ACCENT if name == "model" else MUTED
            ends = [score.get("low", score["value"]), score.get("high", score["value"])]
            ax.plot(ends, [i, i], color=colour, linewidth=1.5)
            ax.plot(score["value"], i, "o", color=colour, markersize=6)
        ax.set_yticks(range(len(names)), names)
        ax.set(ylim=(-0.6, len(names) - 0.4), xlabel=label)
        ax.grid(axis="x", color=LINE, linewidth=0.5)

    svg = draw_svg(draw, bars_size(names, 0.27))
    return Figure(svg, "Model and baselines", f"{label} with 95 % intervals.")


def importance(table: pd.DataFrame) -> Figure:
    """The most important columns as bars with their range over repeats."""
    top = table.nlargest(MOST_BARS, "importance")[::-1]
    names = [shortened(name) for name in top["feature"]]

    def draw(ax: Any) -> None:
        ax.barh(range(len(top)), top["importance"], color=ACCENT, alpha=0.6, height=0.65)
        ax.hlines(range(len(top)), top["low"], top["high"], color=INK, linewidth=1)
        ax.axvline(0, color=LINE, linewidth=1, zorder=0)
        ax.set_yticks(range(len(top)), names)
        ax.set(xlabel="Rise of the loss", ylim=(-0.7, len(top) - 0.3))

    caption = "Rise of the loss when a column's values are shuffled; lines: range over repeats."
    if len(table) > len(top):
        caption += f" The first {len(top)} of {len(table)} columns."
    return Figure(draw_svg(draw, bars_size(names, 0.22)), "Importance", caption)


def mutations(table: pd.DataFrame) -> Figure:
    """In-silico mutagenesis of one item: letter by position, or bars where windows are masked."""
    item = str(table["item"].iloc[0])
    reference = table.drop_duplicates("position").set_index("position").get("reference")
    letters = sorted(table["feature"].unique(), key=lambda letter: (LETTERS.find(letter), letter))
    heat = table.pivot(index="feature", columns="position", values="importance").loc[letters]
    positions = heat.columns.to_numpy()

    def draw(ax: Any) -> None:
        if len(letters) == 1:
            width = 0.9 * min(np.diff(positions), default=1)
            ax.bar(positions + 1, heat.iloc[0], width=width, align="edge", color=ACCENT, alpha=0.6)
            ax.axhline(0, color=LINE, linewidth=1)
            ax.set(xlabel="Position", ylabel="Fall of the score")
            return
        shade(ax, (heat / (heat.abs().max().max() or 1)).fillna(0).to_numpy())
        ax.set_yticks(range(len(letters)), letters, fontsize=6)
        ax.set_xticks(range(9, len(positions), 10), positions[9::10] + 1)
        ax.set(xlabel="Position", ylabel="Replaced by")
        if reference is not None:
            top = ax.secondary_xaxis("top")
            top.set_xticks(range(len(positions)), reference[positions], fontsize=6)
            top.tick_params(length=0)

    size = (max(SMALL[0], min(0.7 + 0.115 * len(positions), 24)), 0.75 + 0.115 * len(letters))
    caption = "Blue: the replacement lowers the score; orange: it raises it."
    if len(letters) == 1:
        size, caption = WIDE, "How much the score falls when a stretch is masked."
    if "predicted" in table:
        caption = f"Predicted: {table['predicted'].iloc[0]}. {caption}"
    return Figure(draw_svg(draw, size), item, caption, wide=size[0] > HALF)


def shortened(name: Any) -> str:
    """A name as a label, cut between words where it is too long."""
    return shorten(str(name), LONGEST, placeholder=" …")


def bars_size(names: Sequence[str], height: float) -> tuple[float, float]:
    """Inches of a figure with a row of `height` a name, which are written to its left."""
    width = max(BARS, 2.4 + LETTER * max(map(len, names), default=0))
    return width, 0.9 + height * len(names)


def shade(ax: Any, strength: np.ndarray) -> None:
    """Draw a matrix as cells: positive ones blue, negative orange, the stronger the denser."""
    colours = np.where(strength[..., None] > 0, BLUE, ORANGE)
    cells = np.concatenate([colours, 255 * np.abs(strength[..., None])], axis=2)
    ax.imshow(cells.astype(np.uint8), interpolation="none")


def _curves(
    ax: Any, table: pd.DataFrame, x: str, y: str, against: str | None, diagonal: bool = False
) -> None:
    if diagonal:
        ax.plot([0, 1], [0, 1], color=LINE, linewidth=1)
    for rows, style in _styled(table, against):
        ax.plot(rows[x], rows[y], **style)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    ax.set(xlabel=_words(x), ylabel=_words(y))
    legend(ax)


def _styled(table: pd.DataFrame, against: str | None) -> list[tuple[pd.DataFrame, dict[str, Any]]]:
    """(rows, line style with its label) of each model, the task's own on top.

    It and the best baseline have a colour; the others are grey, each with dashes of its own, or
    alike where there are too many of them.
    """
    names = [name for name in table["model"].unique() if name not in ("model", against)]
    dashes = DASHES if len(names) <= len(DASHES) else [DASHES[0]]
    styles: dict[str, dict[str, Any]] = {
        name: {"color": MUTED, "linewidth": 0.9, "linestyle": dashes[i % len(dashes)]}
        | ({"label": name.replace("_", " ")} if len(dashes) > 1 else {})
        for i, name in enumerate(names)
    }
    if len(dashes) == 1:
        styles[names[0]]["label"] = f"{len(names)} other baselines"
    if against in set(table["model"]):
        style = {"color": SECOND, "linewidth": 1.4, "label": str(against).replace("_", " ")}
        styles[str(against)] = style
    styles["model"] = {"color": ACCENT, "linewidth": 2, "label": "model"}
    return [(table[table["model"] == name], style) for name, style in styles.items()]


def legend(ax: Any, **place: Any) -> None:
    """What the lines are, in reading order, where there is more than one."""
    handles, labels = ax.get_legend_handles_labels()
    if len(labels) > 1:
        ax.legend(handles[::-1], labels[::-1], frameon=False, fontsize=8, **place)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()
