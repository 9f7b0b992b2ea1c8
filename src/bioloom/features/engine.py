"""Feature extraction: sequences and a `features:` block in, an (N, D) array or Ragged tokens out.

Each different sequence is encoded once: normalise, hash, look up in the store, encode the misses,
pool, store. A killed run loses what it did since the last write (FLUSH_SECONDS of work).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bioloom.arrays import Ragged
from bioloom.devices import claim_devices, enough_memory, peak_memory_mb
from bioloom.embedders import (
    Encoder,
    SequenceError,
    States,
    complete,
    get_embedder,
    normalise_all,
)
from bioloom.embedders._pooling import RAGGED_POOLINGS, pool
from bioloom.errors import DataError
from bioloom.features.processes import ProcessKilledError, run_each
from bioloom.features.self_check import LOWEST_COSINE, disagreement, self_check
from bioloom.features.store import Space, concatenate, content_keys, joined
from bioloom.progress import tell

VERSION = 2  # of the numbers: raise it when an embedder gives others for the same weights
FLUSH_SECONDS = 10
FLUSH_BYTES = 256 * 2**20
MEMORY_HINT = (
    "take another device: `--device cpu`, or `set-resources: {extract_features: {device: cpu}}`"
)

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
    empty sequences, too little memory, vectors that cannot be trusted.
    """
    if isinstance(sequences, str):
        raise DataError("embed takes a list of sequences, got one text")
    options = complete(options)
    module = get_embedder(options["embedder"])
    called: Sequence[Any] = range(1, len(sequences) + 1) if ids is None else ids
    texts = normalise_all(sequences, called, module, options)
    if hasattr(module, "features"):
        X, names = module.features(texts, options)
        return Embedding(X, names, {"embedder": options["embedder"], "sequences": len(texts)})
    unique = _different(texts)
    with _told_by_name(texts, called):
        items, info, run = _embed_different(unique, options, weights, store, device)
    position = {text: i for i, text in enumerate(unique)}
    items = items[np.array([position[text] for text in texts], dtype=np.int64)]
    X = items if options["pooling"] in RAGGED_POOLINGS else items.values
    names = [f"{options['embedder']}_{i}" for i in range(items.values.shape[1])]
    return Embedding(X, names, {**info, "sequences": len(texts), "unique": len(unique)}, run)


def embed_chunk(
    sequences: Sequence[str],
    options: Mapping[str, Any],
    chunk: tuple[int, int],
    *,
    weights: Path | None = None,
    store: Path,
    device: str | None = None,
    ids: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Have the store keep chunk k of n (from 1) of the different sequences; the `run` of it.

    So that several jobs, on several machines, do what one `embed` then finds done. All chunks
    together are all sequences, and each has long and short ones. The rest is as of `embed`.
    """
    options = complete(options)
    module = get_embedder(options["embedder"])
    called: Sequence[Any] = range(1, len(sequences) + 1) if ids is None else ids
    texts = normalise_all(sequences, called, module, options)
    number, count = chunk
    share = _different(texts)[number - 1 :: count]
    if not share:
        return {"encoded": 0}
    with _told_by_name(texts, called):
        return _embed_different(share, options, weights, store, device)[2]


def _different(texts: Sequence[str]) -> list[str]:
    """Each text once, the longest first: memory that does not suffice shows at once."""
    return sorted(set(texts), key=lambda text: (-len(text), text))


@contextmanager
def _told_by_name(texts: Sequence[str], called: Sequence[Any]) -> Iterator[None]:
    """Call a sequence that cannot be embedded by its name."""
    try:
        yield
    except SequenceError as error:
        # the self-check takes but the beginning of a sequence
        alike = [i for i, text in enumerate(texts) if text.startswith(error.sequence)]
        first = next((i for i in alike if texts[i] == error.sequence), alike[0])
        raise DataError(f"sequence {called[first]}: {error}") from error


def _embed_different(
    texts: list[str],
    options: dict[str, Any],
    weights: Path | None,
    store: Path | None,
    device: str | None,
) -> Embedded:
    """Pooled items of different texts, on the devices that are asked for."""
    if options["pooling"] == "segments" and options["segments"] is None:
        raise DataError("features: pooling segments needs `segments: <how many>`")
    with claim_devices(device) as devices, enough_memory(options["embedder"], MEMORY_HINT):
        if len(devices) > 1 and len(texts) > 1:
            return _embed_on_many(texts, options, weights, store, devices)
        return _embed_unique(texts, options, weights, store, devices[0])


def _embed_unique(
    texts: list[str],
    options: dict[str, Any],
    weights: Path | None,
    store: Path | None,
    device: str,
    dtype: str = "auto",
) -> Embedded:
    """Pooled items of different texts, from the store or encoded on one device, and the records."""
    module = get_embedder(options["embedder"])
    encoder: Encoder = module.load(options, weights, device, dtype)
    space = Space(store, _identity(options, encoder)) if store else None
    keys = content_keys(texts)
    found, kept = space.read(keys) if space else (np.zeros(len(texts), dtype=bool), concatenate([]))
    misses = np.flatnonzero(~found)
    run = {**encoder.info, "encoded": len(misses), "float32_instead": 0}
    run |= {"residues_per_second": None, "peak_memory_mb": peak_memory_mb(device)}
    run |= {"self_check": None}
    info = {"embedder": options["embedder"], **encoder.identity}
    if licence := getattr(module, "LICENCE", None):
        info["weights_licence"] = licence
    if not len(misses):
        return kept, info, run
    missing = [texts[i] for i in misses]
    check = self_check(encoder, missing)
    if check["centred_cosine"] < LOWEST_COSINE:
        if dtype != "auto" or encoder.identity["dtype"] == "float32":
            raise disagreement(check)
        # sequences so much alike that bfloat16 drowns what tells them apart
        log.warning("bfloat16 is too coarse for %d sequences: they get float32", len(missing))
        items, exact, run = _embed_unique(missing, options, weights, store, device, "float32")
        run["float32_instead"] = len(missing)
        info = exact if len(missing) == len(texts) else info | {"dtype": "bfloat16, float32"}
        return joined([found.nonzero()[0], misses], [kept, items]), info, run
    places, pieces = [np.flatnonzero(found)], [kept]
    started = time.perf_counter()
    for place, items in _encode(encoder, texts, misses, options):
        pieces.append(space.write(keys[place], items) if space else items)
        places.append(place)
    run |= encoder.info  # what encoding told, too
    run["residues_per_second"] = round(sum(map(len, missing)) / (time.perf_counter() - started))
    run["peak_memory_mb"] = peak_memory_mb(device)
    run["self_check"] = {name: value for name, value in check.items() if name != "lowest"}
    return joined(places, pieces), info, run


def _identity(options: Mapping[str, Any], encoder: Encoder) -> dict[str, Any]:
    """What decides the stored numbers."""
    segments = options["segments"] if options["pooling"] == "segments" else None
    settings = {"embedder": options["embedder"], "pooling": options["pooling"]}
    return settings | {"segments": segments} | encoder.identity | {"version": VERSION}


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
        disable=None,  # where nobody looks on
    ) as bar:
        done = 0
        for states in encoder.encode(chosen):
            _check_finite(states, chosen)
            items = pool(states, options["pooling"], options["segments"], encoder)
            pieces.append(items)
            places.append(misses[states.order])
            done += len(states.order)
            bar.set_postfix(sequences=f"{done}/{len(chosen)}", refresh=False)
            if bar.disable:
                tell(f"{done} of {len(chosen)} sequences")
            bar.update(sum(len(chosen[i]) for i in states.order))
            size = sum(piece.values.nbytes for piece in pieces)
            if size > FLUSH_BYTES or time.monotonic() - flushed > FLUSH_SECONDS:
                yield np.concatenate(places), concatenate(pieces)
                places, pieces, flushed = [], [], time.monotonic()
    if pieces:
        yield np.concatenate(places), concatenate(pieces)


def _check_finite(states: States, texts: Sequence[str]) -> None:
    """SequenceError for the first sequence with a state that is no finite number."""
    finite = states.values.isfinite().all(dim=1).cpu().numpy()
    if not finite.all():
        owner = np.repeat(states.order, states.lengths)
        raise SequenceError(
            "the model gives it values that are not finite numbers",
            texts[owner[finite.argmin()]],
            hint="are the weights whole? `dtype: float32` has the larger range",
        )


def _embed_on_many(
    texts: list[str],
    options: dict[str, Any],
    weights: Path | None,
    store: Path | None,
    devices: list[str],
) -> Embedded:
    """Deal the texts, which are sorted by length, to one process a device."""
    shares = [texts[i :: len(devices)] for i in range(len(devices))]
    jobs = [
        (share, options, weights, store, device)
        for share, device in zip(shares, devices, strict=True)
        if share
    ]
    try:
        results = run_each(_embed_unique, jobs)
    except ProcessKilledError as error:
        raise DataError(
            "a process that embeds was killed",
            hint="if memory ran out, use fewer devices; what was stored is kept",
        ) from error
    places = [np.arange(i, len(texts), len(devices)) for i in range(len(results))]
    items, infos, runs = zip(*results, strict=True)
    dtypes = sorted({dtype for info in infos for dtype in info["dtype"].split(", ")})
    speeds = [run["residues_per_second"] for run in runs if run["residues_per_second"]]
    checks = [run["self_check"] for run in runs if run["self_check"]]
    run = runs[0] | {
        "device": ",".join(devices),
        "encoded": sum(run["encoded"] for run in runs),
        "float32_instead": sum(run["float32_instead"] for run in runs),
        "residues_per_second": sum(speeds) or None,
        "peak_memory_mb": max(run["peak_memory_mb"] for run in runs),
        "self_check": min(checks, key=lambda check: check["centred_cosine"], default=None),
    }
    return joined(places, items), infos[0] | {"dtype": ", ".join(dtypes)}, run
