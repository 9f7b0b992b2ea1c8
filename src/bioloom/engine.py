"""Feature extraction: sequences and a `features:` block in, an (N, D) array or Ragged tokens out.

Each different sequence is encoded once: normalise, hash, look up in the store, encode the misses,
pool, store. A killed run loses what it did since the last write (FLUSH_SECONDS of work).
"""

from __future__ import annotations

import logging
import multiprocessing
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from bioloom.arrays import Ragged
from bioloom.devices import claim_devices, peak_memory_mb
from bioloom.embedders import Encoder, SequenceError, complete, get_embedder, normalise_all
from bioloom.errors import DataError
from bioloom.pooling import RAGGED_POOLINGS, pool
from bioloom.store import Space, concatenate, content_keys

VERSION = 1  # of the numbers: raise it when an embedder gives others for the same weights
FLUSH_SECONDS = 10
FLUSH_BYTES = 256 * 2**20
CHECKED_SEQUENCES, CHECKED_LETTERS = 4, 400
LOWEST_COSINE = 0.99

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Embedding:
    """Features of N sequences: `X (N, D)` float32 or Ragged float16, D names, two JSON records.

    `info` says what the features are, `run` what making them took here: device, what was encoded
    and not in the store, throughput, peak memory, self-check.
    """

    X: np.ndarray | Ragged
    names: list[str]
    info: dict[str, Any]
    run: dict[str, Any] = field(default_factory=dict)


Embedded = tuple[Ragged, dict[str, Any], dict[str, Any]]
"""Pooled items, and the `info` and `run` of an Embedding."""


class SelfCheckError(RuntimeError):
    """The fast path gave other vectors than the plain one."""


def embed(
    sequences: Sequence[str],
    options: Mapping[str, Any],
    *,
    weights: Path | None = None,
    store: Path | None = None,
    device: str | None = None,
    ids: Sequence[str] | None = None,
) -> Embedding:
    """Features of `sequences` as the `features:` block `options` asks, in the order given.

    `weights` is the local path of the embedder's weights; `store` a folder in which vectors are
    kept between runs (None: nothing is kept); `device` as in `claim_devices`: None takes a free
    GPU or the CPU, several devices share the work. Errors call a sequence by its place in `ids`,
    or else by its number. DataError: unknown options, letters outside the embedder's alphabet,
    empty sequences, too little memory. SelfCheckError: the vectors cannot be trusted.
    """
    options = complete(options)
    module = get_embedder(options["embedder"])
    called: Sequence[Any] = range(1, len(sequences) + 1) if ids is None else ids
    texts = normalise_all(sequences, called, module, options)
    if hasattr(module, "features"):
        X, names = module.features(texts, options)
        return Embedding(X, names, {"embedder": options["embedder"], "sequences": len(texts)})
    if options["pooling"] == "segments" and options["segments"] is None:
        raise DataError("features: pooling segments needs `segments: <how many>`")
    # longest first: memory that does not suffice shows at once
    unique = sorted(set(texts), key=lambda text: (-len(text), text))
    try:
        with claim_devices(device) as devices:
            if len(devices) > 1 and len(unique) > 1:
                items, info, run = _embed_on_many(unique, options, weights, store, devices)
            else:
                items, info, run = _embed_unique(
                    unique, module, options, weights, store, devices[0]
                )
    except SequenceError as error:
        # the self-check takes but the beginning of a sequence
        first = next(i for i, text in enumerate(texts) if text.startswith(error.sequence))
        raise DataError(f"sequence {called[first]}: {error}") from error
    position = {text: i for i, text in enumerate(unique)}
    items = items[np.array([position[text] for text in texts], dtype=np.int64)]
    X = items if options["pooling"] in RAGGED_POOLINGS else items.values
    names = [f"{options['embedder']}_{i}" for i in range(items.values.shape[1])]
    return Embedding(X, names, {**info, "sequences": len(texts), "unique": len(unique)}, run)


def _embed_unique(
    texts: list[str],
    module: ModuleType,
    options: dict[str, Any],
    weights: Path | None,
    store: Path | None,
    device: str,
    dtype: str = "auto",
) -> Embedded:
    """Pooled items of different texts, from the store or encoded on one device, and the records."""
    encoder: Encoder = module.load(options, weights, device, dtype)
    settings = {name: options[name] for name in ("embedder", "pooling", "segments")}
    space = Space(store, settings | encoder.identity | {"version": VERSION}) if store else None
    keys = content_keys(texts)
    found, kept = space.read(keys) if space else (np.zeros(len(texts), dtype=bool), concatenate([]))
    misses = np.flatnonzero(~found)
    started = time.perf_counter()
    check = self_check(encoder, [texts[i] for i in misses])
    if check and check["centred_cosine"] < LOWEST_COSINE:
        if dtype != "auto" or encoder.identity["dtype"] == "float32":
            raise SelfCheckError(f"centred cosine {check['centred_cosine']:.4f} to the plain path")
        log.warning("bfloat16 is too coarse for these sequences (%s): using float32", check)
        return _embed_unique(texts, module, options, weights, store, device, "float32")
    places, pieces = [np.flatnonzero(found)], [kept]
    for place, items in _encode(encoder, texts, misses, options):
        pieces.append(space.write(keys[place], items) if space else items)
        places.append(place)
    letters = sum(len(texts[i]) for i in misses)
    seconds = time.perf_counter() - started
    info = {"embedder": options["embedder"], **encoder.identity}
    run = {
        **encoder.info,
        "encoded": len(misses),
        "residues_per_second": round(letters / seconds) if letters else None,
        "peak_memory_mb": peak_memory_mb(device),
        "self_check": check,
    }
    return concatenate(pieces)[np.argsort(np.concatenate(places))], info, run


def _encode(
    encoder: Encoder, texts: list[str], misses: np.ndarray, options: Mapping[str, Any]
) -> Iterator[tuple[np.ndarray, Ragged]]:
    """Pooled items of texts[misses] with their positions, in pieces worth writing to the store."""
    from tqdm import tqdm

    chosen = [texts[i] for i in misses]
    places: list[np.ndarray] = []
    pieces: list[Ragged] = []
    flushed = time.monotonic()
    with tqdm(
        total=sum(map(len, chosen)),
        desc=options["embedder"],
        unit="residue",
        unit_scale=True,
        mininterval=1 if sys.stderr.isatty() else 30,
        disable=not chosen,
    ) as progress:
        done = 0
        for states in encoder.encode(chosen):
            items = pool(states, options["pooling"], options["segments"], encoder)
            if not np.isfinite(items.values).all():
                raise SelfCheckError("the encoder gave vectors that are not finite numbers")
            pieces.append(items)
            places.append(misses[states.order])
            done += len(states.order)
            progress.set_postfix(sequences=f"{done}/{len(chosen)}", refresh=False)
            progress.update(sum(len(chosen[i]) for i in states.order))
            size = sum(piece.values.nbytes for piece in pieces)
            if size > FLUSH_BYTES or time.monotonic() - flushed > FLUSH_SECONDS:
                yield np.concatenate(places), concatenate(pieces)
                places, pieces, flushed = [], [], time.monotonic()
    if pieces:
        yield np.concatenate(places), concatenate(pieces)


def self_check(encoder: Encoder, texts: Sequence[str]) -> dict[str, Any] | None:
    """A few sequences by the fast and by the plain fp32 path; None when there is nothing to encode.

    The lowest cosine of their mean vectors is taken after the mean over these sequences is
    subtracted: plain cosines of embeddings are near 1 whatever goes wrong. With fewer than three
    different sequences their tokens are compared instead.
    """
    if not texts:
        return None
    by_length = sorted({text[:CHECKED_LETTERS] for text in texts}, key=lambda t: (len(t), t))
    spread = np.linspace(0, len(by_length) - 1, CHECKED_SEQUENCES).round().astype(int)
    chosen = [by_length[i] for i in np.unique(spread)]
    plain = encoder.reference(chosen)
    fast: list[np.ndarray] = [np.empty(0)] * len(chosen)
    for states in encoder.encode(chosen):
        values = np.split(states.values.float().cpu().numpy(), np.cumsum(states.lengths)[:-1])
        for i, value in zip(states.order, values, strict=True):
            fast[i] = value
    what = "sequences" if len(chosen) > 2 else "tokens"
    if what == "sequences":
        plain, fast = ([value.mean(0) for value in side] for side in (plain, fast))
    cosine = centred_cosine(np.vstack(fast), np.vstack(plain))
    return {"centred_cosine": round(float(cosine.min()), 6), "compared": len(cosine), "of": what}


def centred_cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cosine of each row of `a (N, D)` with that of `b`, both less the mean row of `b`, (N,).

    -1 for all where a value is no finite number: such vectors agree with nothing.
    """
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return np.full(len(a), -1.0)
    centre = b.mean(axis=0)
    a, b = a - centre, b - centre
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.where(norms > 0, (a * b).sum(axis=1) / np.maximum(norms, 1e-30), 1.0)


def _embed_on_many(
    texts: list[str],
    options: dict[str, Any],
    weights: Path | None,
    store: Path | None,
    devices: list[str],
    dtype: str = "auto",
) -> Embedded:
    """Deal the texts, which are sorted by length, to one process a device."""
    shares = [texts[i :: len(devices)] for i in range(len(devices))]
    tasks = [
        (share, options, weights, store, device, dtype)
        for share, device in zip(shares, devices, strict=True)
        if share
    ]
    # CUDA cannot be used in a forked process
    with multiprocessing.get_context("spawn").Pool(len(tasks)) as processes:
        results = processes.starmap(_embed_share, tasks, chunksize=1)
    places = np.concatenate([np.arange(i, len(texts), len(devices)) for i in range(len(tasks))])
    info, runs = results[0][1], [run for _, _, run in results]
    if len({info["dtype"] for _, info, _ in results}) > 1:  # bfloat16 was too coarse for one share
        return _embed_on_many(texts, options, weights, store, devices, "float32")
    speeds = [run["residues_per_second"] for run in runs if run["residues_per_second"]]
    run = runs[0] | {
        "device": ",".join(devices),
        "encoded": sum(run["encoded"] for run in runs),
        "residues_per_second": sum(speeds) or None,
        "peak_memory_mb": max(run["peak_memory_mb"] for run in runs),
    }
    return concatenate([items for items, _, _ in results])[np.argsort(places)], info, run


def _embed_share(
    texts: list[str],
    options: dict[str, Any],
    weights: Path | None,
    store: Path | None,
    device: str,
    dtype: str,
) -> Embedded:
    module = get_embedder(options["embedder"])
    return _embed_unique(texts, module, options, weights, store, device, dtype)
