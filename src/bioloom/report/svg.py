"""Draw with matplotlib in the house style and give an inline SVG element for an HTML page.

Colours are names that the page's style sheet sets, so that figures follow light and dark mode;
text stays text; ids are unique in the page; equal input gives equal output.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from typing import Any

# matplotlib draws with these; the page gives them their real colours.
INK, MUTED, ACCENT, LINE, SECOND = "#010101", "#020202", "#030303", "#040404", "#050505"
COLOURS = {INK: "ink", MUTED: "muted", ACCENT: "accent", LINE: "line", SECOND: "second"}
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
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.subplots(1, columns))
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return _inline(text.getvalue(), width=size[0] * 96)


def _inline(svg: str, width: float) -> str:
    """Keep the svg element alone, `width` CSS pixels wide where the page has room."""
    box = re.findall(r'viewBox="[^"]*"', svg)[0]
    body = re.split(r"<svg [^>]*>", svg, maxsplit=1)[1]
    # matplotlib's style element would hold for the whole page.
    body = re.sub(r"<(metadata|style).*?</\1>\s*", "", body, flags=re.DOTALL)
    own = hashlib.sha256(body.encode()).hexdigest()[:8]
    body = re.sub(r'(?<= id=")|(?<=url\(#)|(?<=href="#)', f"f{own}-", body)
    for code, name in COLOURS.items():
        body = body.replace(code, f"var(--{name})")
    return f'<svg aria-hidden="true" {box} style="width:{width:.0f}px">{body}'
