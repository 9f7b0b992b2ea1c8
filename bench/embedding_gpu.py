"""Feature extraction on a GPU: packed bf16 against padded bf16, and the matrix rate."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.embedding import (
    agree,
    in_order,
    in_sort,
    make_model,
    make_proteins,
    packed,
    padded,
    work_of,
)
from bench.embedding import product as matrix_product
from bench.timing import Goal, Size, Suite

ORACLE = "huggingface, sorted, fp32"


def suite(size: Size, folder: Path) -> Suite:
    """A 650M-shape ESM-2 over 2,000 proteins, where there is a GPU."""
    if not torch.cuda.is_available():
        skipped = {"650M shape on a GPU": "there is none here"}
        return Suite("embedding on a GPU", {}, lambda _: {}, [], skipped=skipped)
    shape, n = ("tiny", 200) if size == "tiny" else ("650M", 2000)
    return gpu_suite(shape, make_proteins(n), folder, "cuda")


def gpu_suite(shape: str, proteins: list[str], folder: Path, device: str) -> Suite:
    """Ours against batches of 16 in input order and against sorted ones, by wall time."""
    model, size = make_model(folder / "esm2", shape), 8192 if device == "cuda" else 256
    naive, ordered = "huggingface, input order, bf16", "huggingface, sorted, bf16"
    ours, rate = "ours, bf16", "matrix product, bf16"
    batches = in_sort(proteins, 32_768)
    cases: dict[str, Callable[[], Any]] = {
        ORACLE: partial(padded, model, proteins, batches, "float32", device),
        naive: partial(padded, model, proteins, in_order(proteins), "bfloat16", device),
        ordered: partial(padded, model, proteins, batches, "bfloat16", device),
        ours: partial(packed, model, proteins, "bfloat16", device),
        rate: partial(matrix_product, "bfloat16", device, size),
    }
    goals = [
        Goal("bf16 against padded input order", ours, naive, 3.0),
        Goal("bf16 against sorted", ours, ordered),
        Goal("bf16, fraction of the matrix rate", ours, rate, None if shape == "tiny" else 0.4),
    ]
    work = work_of(model, proteins, cases, size)
    check, clock = partial(agree, ORACLE), partial(seconds, device)
    return Suite(f"embedding on a GPU, {shape} shape", cases, check, goals, work, clock=clock)


def seconds(device: str) -> float:
    """Wall time, when the device has done all that was asked of it."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
