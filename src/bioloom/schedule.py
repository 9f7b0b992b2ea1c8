"""How the learning rate of a training rises and falls."""

from __future__ import annotations

import math


def warm_cosine(progress: float, warm_up: float) -> float:
    """Share of the rate, `progress` from 0 to 1: a linear `warm_up`, then half a cosine to zero."""
    return min(1.0, (progress + 1e-3) / warm_up) * 0.5 * (1 + math.cos(math.pi * progress))
