"""The same for the next larger shape, of which few proteins take as long."""

from __future__ import annotations

from pathlib import Path

from bench.embedding import cpu_suite, make_proteins
from bench.timing import Suite


def suite(tiny: bool, folder: Path) -> Suite:
    """A 150M-shape ESM-2 over 40 proteins."""
    if tiny:
        skipped = {"150M shape": "too large for the tiny size"}
        return Suite("embedding, 150M shape", {}, lambda _: {}, [], skipped=skipped)
    return cpu_suite("150M", make_proteins(40), folder, {"rate": 0.55})
