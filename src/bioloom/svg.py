"""Draw with matplotlib in the house style: as a file, or as an inline SVG element of an HTML page.

A page's style sheet sets the colours, so that figures follow light and dark mode; those of a file
are the light ones. Text stays text; ids are unique in the page; equal input gives equal output.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bioloom.files import replacing

# Of the light page; inline they are the names by which a page knows them.
INK, MUTED, ACCENT, LINE, SECOND = "#1d2329", "#59636e", "#1b639f", "#d4d9de", "#b4540a"
COLOURS = {INK: "ink", MUTED: "muted", ACCENT: "accent", LINE: "line", SECOND: "second"}
PIXELS = 96 / 72  # of CSS, a point
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bioloom",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,
}


def draw_svg(draw: Callable[[Any], None], size: tuple[float, float], columns: int = 1) -> str:
    """Call `draw(axes)` on a figure of `size` inches and give its SVG element.

    With several `columns` it gets an array of axes side by side.
    """
    return inline(_drawn(draw, size, columns))


def write_svg(draw: Callable[[Any], None], size: tuple[float, float], path: Path) -> None:
    """The same as a file, which other programs open; `inline` makes the element of it."""
    with replacing(path) as temporary:
        temporary.write_text(_drawn(draw, size), encoding="utf-8")


def inline(svg: str) -> str:
    """The svg element alone, as wide as it was drawn where the page has room."""
    box = re.findall(r'viewBox="0 0 [^"]*"', svg)[0]
    width = float(box.split()[2]) * PIXELS
    body = re.split(r"<svg [^>]*>", svg, maxsplit=1)[1]
    # matplotlib's style element would hold for the whole page.
    body = re.sub(r"<(metadata|style).*?</\1>\s*", "", body, flags=re.DOTALL)
    own = hashlib.sha256(body.encode()).hexdigest()[:8]
    body = re.sub(r'(?<= id=")|(?<=url\(#)|(?<=href="#)', f"f{own}-", body)
    for code, name in COLOURS.items():
        body = body.replace(code, f"var(--{name})")
    return f'<svg aria-hidden="true" {box} style="width:{width:.0f}px">{body}'


def _drawn(draw: Callable[[Any], None], size: tuple[float, float], columns: int = 1) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots(1, columns))
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()
