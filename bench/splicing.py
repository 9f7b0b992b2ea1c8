"""Sites of nine letters in N through one network of SpliceAI, against their whole context."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import Goal, Size, Suite
from bioloom.embedders import BASES, complete, spliceai, states_in_order
from tests.tiny_models import spliceai_wheel

SITES = {"tiny": 8, "usual": 64, "full": 256}


def suite(size: Size, folder: Path) -> Suite:
    """Drawn weights in the shape of the trained ones, and drawn sites."""
    spliceai_wheel(folder / "spliceai.whl")
    options = complete({"embedder": "spliceai", "networks": 1, "site": 3})
    encoder = spliceai.load(options, folder / "spliceai.whl", "cpu", "float32")
    rng = np.random.default_rng(0)
    sites = ["".join(rng.choice(list(BASES), 9)) for _ in range(SITES[size])]
    list(encoder.encode(sites[:1]))  # the context without letters is computed once a run
    cases: dict[str, Callable[[], Any]] = {
        "what letters reach": partial(short, encoder, sites),
        "whole context": partial(encoder.reference, sites),
    }
    goals = [Goal("splice sites by what letters reach", *cases, 20.0)]
    return Suite("splice sites", cases, agree, goals)


def short(encoder: spliceai.SpliceAI, sites: list[str]) -> list[np.ndarray]:
    """The vectors of the sites."""
    return states_in_order(encoder.encode(sites), len(sites))


def agree(outputs: dict[str, Any]) -> dict[str, float]:
    """All numbers are equal to 2e-4; states are of the order of 10."""
    largest = max(np.abs(a - b).max() for a, b in zip(*outputs.values(), strict=True))
    if not largest <= 2e-4:
        raise SystemExit(f"the states differ by {largest:.1e}")
    return dict.fromkeys(outputs, 1.0)
