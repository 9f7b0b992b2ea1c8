"""The same for the next larger shape, of which few proteins take as long."""

from __future__ import annotations

from pathlib import Path

from bench.embedding import cpu_suite, make_proteins
from bench.timing import Size, Suite


def suite(size: Size, folder: Path) -> Suite:
    """A 150M-shape ESM-2 over 40 proteins, at the full size only."""
    if size != "full":
        skipped = {"150M shape": "measured with --full"}
        return Suite("embedding, 150M shape", {}, lambda _: {}, [], skipped=skipped)
    return cpu_suite("150M", make_proteins(40), folder, {"rate": 0.55})
