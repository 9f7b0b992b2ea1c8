"""The embedding store against one file a sequence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import Goal, Size, Suite
from bioloom.arrays import Ragged
from bioloom.features.store import Space, content_keys

WIDTH = 480


def suite(size: Size, folder: Path) -> Suite:
    """Look up and read 20,000 vectors of 480 numbers by the content of their sequences."""
    rng = np.random.default_rng(0)
    n = 2_000 if size == "tiny" else 20_000
    texts = ["".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), 50)) for _ in range(n)]
    vectors = rng.normal(size=(n, WIDTH)).astype(np.float32)
    keys = content_keys(texts)
    Space(folder / "store", {}).write(keys, Ragged(vectors, np.arange(n + 1)))
    files = folder / "files"
    files.mkdir()
    for key, vector in zip(keys, vectors, strict=True):
        np.save(files / f"{key.decode()}.npy", vector)
    cases: dict[str, Callable[[], Any]] = {
        "ours": partial(read_store, folder / "store", texts),
        "one file a sequence": partial(read_files, files, texts),
        "copy in memory": vectors.copy,
    }
    goals = [
        Goal("stored embedding against one file a sequence", "ours", "one file a sequence", 10.0),
        Goal("stored embedding, fraction of a copy in memory", "ours", "copy in memory"),
    ]
    return Suite("stored embedding", cases, partial(agree, vectors), goals)


def read_store(store: Path, texts: list[str]) -> np.ndarray:
    """Open the store, hash the texts, read and verify their vectors."""
    _, items = Space(store, {}).read(content_keys(texts))
    return items.values


def read_files(folder: Path, texts: list[str]) -> np.ndarray:
    """Hash the texts and load a .npy each."""
    return np.stack([np.load(folder / f"{key.decode()}.npy") for key in content_keys(texts)])


def agree(vectors: np.ndarray, outputs: dict[str, Any]) -> dict[str, float]:
    """Every case gives the vectors that were written, bit for bit."""
    if not all(np.array_equal(output, vectors) for output in outputs.values()):
        raise SystemExit("the vectors read are not those written")
    return dict.fromkeys(outputs, 1.0)
