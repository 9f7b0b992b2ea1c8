"""Sequence logos of in-silico mutagenesis: each letter as high as its replacement costs."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bioloom.formats.dna import BASES
from bioloom.report.figures import Figure
from bioloom.svg import LINE, SECOND, draw_svg

# Mid tones of the customary colours, which stand out from light and dark paper.
COLOURS = {"A": "#2f9e4f", "C": "#2e7dbe", "G": "#d98a1f", "T": "#d1483c"}
HEIGHT = 1.7  # inches
LETTER = 0.115  # width of one position in inches
BOUNDARY = 5.0  # wider ones take a row of the page


def is_logo(table: pd.DataFrame) -> bool:
    """Whether a map is of DNA, letter by letter."""
    if "reference" not in table:
        return False
    return set(table["feature"]) | set(table["reference"]) <= set(BASES + "N")


def logo(table: pd.DataFrame) -> Figure:
    """The letters of one item by the mean fall of the score without them; or a whole mean map.

    Letters below the line lower the score.
    """
    average = "site" in table and table["site"].notna().all()
    letters = _all_letters(table) if average else _own_letters(table)
    sites = _sites(table)
    width = max(3.3, min(0.7 + LETTER * letters["position"].nunique(), 24))

    def draw(ax: Any) -> None:
        low, high = _draw_stacks(ax, letters)
        room = 0.05 * (high - low or 1)
        ax.axhline(0, color=LINE, linewidth=0.8, zorder=0)
        top = high + room
        for name, (first, last) in sites.items():
            ax.plot([first + 0.55, last + 1.45], [top, top], color=SECOND, linewidth=1.5)
            middle = (first + last) / 2 + 1
            ax.text(middle, top + room, name, color=SECOND, ha="center", va="bottom", fontsize=8)
        ceiling = top + 5 * room if sites else top
        ax.set(xlim=(letters["position"].min() + 0.3, letters["position"].max() + 1.7))
        ax.set(ylim=(low - room, ceiling), xlabel="Position", ylabel="Worth of the letter")

    caption = "A letter is as high as the score falls, on average, when another takes its place."
    if average:
        caption = "The score with each letter in a place, less the mean over the four letters."
    if "predicted" in table and pd.notna(table["predicted"].iloc[0]):
        caption = f"Predicted: {table['predicted'].iloc[0]}. {caption}"
    if sites:
        caption += f" {site_summary(table)}"
    svg = draw_svg(draw, (width, HEIGHT))
    return Figure(svg, str(table["item"].iloc[0]), caption, wide=width > BOUNDARY)


def site_summary(table: pd.DataFrame) -> str:
    """How much a letter of each site matters, beside one outside of all sites, in words."""
    heights = table.groupby("position").agg(site=("site", "first"), height=("importance", "mean"))
    inside = heights[heights["site"] != ""].groupby("site", sort=False)["height"].mean()
    outside = heights.loc[heights["site"] == "", "height"].mean()
    parts = [f"{name} {height:+.3f}" for name, height in inside.items()]
    summary = f"Mean fall for a letter of {', '.join(parts)}; outside of these {outside:+.3f}."
    return summary.replace("-0.", "−0.")


def _own_letters(table: pd.DataFrame) -> pd.DataFrame:
    """`position, letter, height` of the item's own letters."""
    by_position = table.groupby("position", as_index=False)
    return by_position.agg(letter=("reference", "first"), height=("importance", "mean"))


def _all_letters(table: pd.DataFrame) -> pd.DataFrame:
    """`position, letter, height` of all letters, centred in each position."""
    others = table.assign(letter=table["feature"], height=-table["importance"])
    own = table.drop_duplicates("position").assign(height=0.0)
    own["letter"] = own["reference"]
    letters = pd.concat([own, others])[["position", "letter", "height"]]
    mean = letters.groupby("position")["height"].transform("mean")
    return letters.assign(height=letters["height"] - mean)


def _draw_stacks(ax: Any, letters: pd.DataFrame) -> tuple[float, float]:
    """Draw letters above and below the line, the largest outermost; the ends of the stacks."""
    low = high = 0.0
    for position in letters["position"].unique().tolist():
        column = letters[letters["position"] == position]
        for sign in (-1, 1):
            stack = column[column["height"] * sign > 0].sort_values("height", ascending=sign > 0)
            base = 0.0
            for letter, height in zip(stack["letter"], stack["height"], strict=True):
                _draw_letter(ax, letter, position + 1, base, height)
                base += height
            low, high = min(low, base), max(high, base)
    return low, high


def _sites(table: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """First and last position of each named site."""
    if "site" not in table:
        return {}
    named = table[table["site"].fillna("") != ""]
    ends = named.groupby("site", sort=False)["position"].agg(["min", "max"])
    return {str(name): (int(first), int(last)) for name, first, last in ends.itertuples()}


def _draw_letter(ax: Any, letter: str, centre: float, base: float, height: float) -> None:
    """Stretch the outline of a letter to `height` from `base`, upright also below the line."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    if letter not in COLOURS:  # an unknown base
        return
    font = FontProperties(family="DejaVu Sans", weight="bold")  # comes with matplotlib
    outline = TextPath((0, 0), letter, size=1, prop=font)
    box = outline.get_extents()
    place = (
        Affine2D()
        .translate(-box.x0, -box.y0)
        .scale(0.9 / box.width, abs(height) / box.height)
        .translate(centre - 0.45, min(base, base + height))
    )
    ax.add_patch(PathPatch(place.transform_path(outline), color=COLOURS[letter], linewidth=0))
