"""Whether two nodes of a network are linked: two classes a pair of nodes."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from bioloom.kinds import binary
from bioloom.samples import is_links


def fits(samples: pd.DataFrame) -> bool:
    """Whether samples are pairs of nodes, of two classes."""
    return is_links(samples) and binary.fits(samples)


kind = replace(
    binary.kind,
    name="links",
    fits=fits,
    plots=(*binary.kind.plots, "seen", "strongest_links"),
    # Of pairs most are not linked, and valid ones are many.
    threshold="f1",
)
