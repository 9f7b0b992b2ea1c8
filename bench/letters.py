"""One-hot letters and k-mer frequencies against plain Python."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import Goal, Size, Suite
from bioloom.embedders import BASES, complete, get_embedder

K = 4


def suite(size: Size, folder: Path) -> Suite:
    """Promoter- to gene-sized DNA; Python works on a twentieth of it, speeds are per letter."""
    rng = np.random.default_rng(0)
    genes = [
        "".join(rng.choice(list(BASES), 1000)) for _ in range(2_000 if size == "tiny" else 4_000)
    ]
    few = genes[: len(genes) // 20]
    cases: dict[str, Callable[[], Any]] = {
        "one-hot, ours": partial(features, "one_hot", genes),
        "one-hot, python": partial(python_one_hot, few),
        "one-hot, fill memory": partial(np.ones, (len(genes) * 1000, len(BASES)), np.float16),
        "k-mers, ours": partial(features, "kmer", genes, k=K),
        "k-mers, python": partial(python_kmers, few),
    }
    goals = [
        Goal("one-hot against Python", "one-hot, ours", "one-hot, python", 500.0),
        Goal("one-hot, fraction of filling memory", "one-hot, ours", "one-hot, fill memory"),
        Goal("k-mers against Python", "k-mers, ours", "k-mers, python", 150.0),
    ]
    work = {name: float(len(few if "python" in name else genes)) for name in cases}
    return Suite("one-hot and k-mers", cases, agree, goals, work)


def features(embedder: str, sequences: list[str], **options: Any) -> np.ndarray:
    """The package's arrays, from sequences that are normalised already."""
    full = complete({"embedder": embedder, "alphabet": "dna", **options})
    X, _ = get_embedder(embedder).features(sequences, full)
    return X.values if embedder == "one_hot" else X


def python_one_hot(sequences: list[str]) -> list[list[int]]:
    """Lists of 0 and 1."""
    return [[int(letter == base) for base in BASES] for s in sequences for letter in s]


def python_kmers(sequences: list[str]) -> list[list[float]]:
    """Counted in a dictionary, and the frequency of every k-mer, in alphabetic order."""
    names = ["".join(kmer) for kmer in product(BASES, repeat=K)]
    rows = []
    for s in sequences:
        seen: dict[str, int] = {}
        for i in range(len(s) - K + 1):
            seen[s[i : i + K]] = seen.get(s[i : i + K], 0) + 1
        rows.append([seen.get(name, 0) / (len(s) - K + 1) for name in names])
    return rows


def agree(outputs: dict[str, Any]) -> dict[str, float]:
    """The arrays hold what the lists and dictionaries hold."""
    lists, table = outputs["one-hot, python"], outputs["k-mers, python"]
    one_hot = np.array_equal(outputs["one-hot, ours"][: len(lists)], lists)
    kmers = np.allclose(outputs["k-mers, ours"][: len(table)], table)
    if not (one_hot and kmers):
        raise SystemExit(f"the features do not agree: one-hot {one_hot}, k-mers {kmers}")
    return {"one-hot": 1.0, "k-mers": 1.0}
