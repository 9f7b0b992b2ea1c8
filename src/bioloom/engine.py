"""Feature extraction: sequences and a `features:` block in, an (N, D) array or Ragged tokens out.

Each different sequence is encoded once: normalise, hash, look up, encode the misses, pool, store.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from bioloom.arrays import Ragged
from bioloom.embedders import Encoder, States, complete, get_embedder
from bioloom.errors import DataError

if TYPE_CHECKING:
    import torch

RAGGED_POOLINGS = ("tokens", "segments")


@dataclass(frozen=True)
class Embedding:
    """Features of N sequences: `X (N, D)` float32 or Ragged float16, D `names`, JSON-able `info`."""

    X: np.ndarray | Ragged
    names: list[str]
    info: dict[str, Any]


def embed(
    sequences: Sequence[str],
    options: Mapping[str, Any],
    *,
    weights: Path | None = None,
    store: Path | None = None,
    device: str | None = None,
) -> Embedding:
    """Features of `sequences` as the `features:` block `options` asks, in the order given.

    `weights` is the local path of the embedder's weights; `store` a folder in which vectors are
    kept between runs (None: nothing is kept); `device` a torch device (None: a free GPU, else the
    CPU). DataError: unknown options, letters outside the embedder's alphabet, empty sequences.
    """
    options = complete(options)
    module = get_embedder(options["embedder"])
    texts = normalise_all(sequences, module, options)
    if hasattr(module, "features"):
        X, names = module.features(texts, options)
        return Embedding(X, names, {"embedder": options["embedder"], "sequences": len(texts)})
    return _embed_learnt(texts, module, options, weights, device or "cpu")


def normalise_all(
    sequences: Sequence[str], module: ModuleType, options: Mapping[str, Any]
) -> list[str]:
    """Every sequence as the embedder will see it; DataError names the sequence that cannot be."""
    texts = []
    for number, sequence in enumerate(sequences, start=1):
        try:
            texts.append(module.normalise(sequence, options))
        except DataError as error:
            raise DataError(f"sequence {number}: {error}") from error
    return texts


def _embed_learnt(
    texts: list[str],
    module: ModuleType,
    options: dict[str, Any],
    weights: Path | None,
    device: str,
) -> Embedding:
    if options["pooling"] == "segments" and options["segments"] is None:
        raise DataError("features: pooling segments needs `segments: <how many>`")
    encoder: Encoder = module.load(options, weights, device, "auto")
    unique = sorted(set(texts))
    started = time.perf_counter()
    rows: list[np.ndarray] = [np.empty(0)] * len(unique)
    for index, pooled in _encode(encoder, unique, options):
        for i, row in zip(index, pooled, strict=True):
            rows[i] = row
    seconds = time.perf_counter() - started
    position = {text: i for i, text in enumerate(unique)}
    X = _gather(rows, [position[text] for text in texts], options["pooling"])
    width = (X.values if isinstance(X, Ragged) else X).shape[1]
    info = {
        "embedder": options["embedder"],
        **encoder.identity,
        **encoder.info,
        "sequences": len(texts),
        "encoded": len(unique),
        "residues_per_second": round(sum(map(len, unique)) / seconds),
    }
    return Embedding(X, [f"{options['embedder']}_{i}" for i in range(width)], info)


def _encode(
    encoder: Encoder, texts: list[str], options: Mapping[str, Any]
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    for states in encoder.encode(texts):
        pooled = pool(states, options["pooling"], options["segments"], encoder)
        yield states.order, pooled


def pool(states: States, pooling: str, segments: int | None, encoder: Encoder) -> list[np.ndarray]:
    """Each sequence's vector (1, D) float32, or its rows (L, D) float16 for tokens and segments.

    Segments are n equal consecutive parts of the residues; a shorter sequence has a row a residue.
    """
    before, after = encoder.special
    ends = np.cumsum(states.lengths)
    starts = ends - states.lengths
    if pooling == "cls":
        return list(states.values[starts].float().cpu().numpy()[:, None])
    if not (pooling == "mean" and encoder.mean_special):
        starts, ends = starts + before, ends - after
    if pooling == "tokens":
        values = _float16(states.values)
        return [values[start:end] for start, end in zip(starts, ends, strict=True)]
    if pooling == "max":
        parts = [states.values[s:e].amax(0) for s, e in zip(starts, ends, strict=True)]
        return [part.float().cpu().numpy()[None] for part in parts]
    parts_each = (
        np.minimum(segments, ends - starts) if pooling == "segments" else np.ones_like(ends)
    )
    means = _segment_means(states.values, starts, ends, parts_each)
    rows = _float16(means) if pooling == "segments" else means.cpu().numpy()
    return np.split(rows, np.cumsum(parts_each)[:-1])


def _segment_means(
    values: torch.Tensor, starts: np.ndarray, ends: np.ndarray, parts: np.ndarray
) -> torch.Tensor:
    """Mean of each of `parts[i]` equal consecutive pieces of tokens starts[i]:ends[i], in fp32."""
    import torch

    lengths = ends - starts
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    token = np.repeat(starts, lengths) + within
    row = np.repeat(np.cumsum(parts) - parts, lengths)
    row += within * np.repeat(parts, lengths) // np.repeat(lengths, lengths)
    size = np.bincount(row)
    sums = torch.zeros(len(size), values.shape[1], device=values.device)
    picked = values[torch.from_numpy(token).to(values.device)].float()
    sums.index_add_(0, torch.from_numpy(row).to(values.device), picked)
    return sums / torch.from_numpy(size).to(values.device)[:, None]


def _float16(values: torch.Tensor) -> np.ndarray:
    """Half precision; the few states beyond its range are set to the largest half (65,504)."""
    return values.float().clamp(-65504, 65504).half().cpu().numpy()


def _gather(rows: list[np.ndarray], order: list[int], pooling: str) -> np.ndarray | Ragged:
    values = [rows[i] for i in order]
    if pooling not in RAGGED_POOLINGS:
        return np.concatenate(values)
    offsets = np.concatenate([[0], np.cumsum([len(value) for value in values])])
    return Ragged(np.concatenate(values), offsets)
