"""The engine: each different sequence is encoded once, kept, and never lost or mixed up."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom import devices
from bioloom.arrays import Ragged
from bioloom.devices import claim_devices, fast_dtype, lock_free
from bioloom.embedders import AMINO_ACIDS, SequenceError, States, unirep
from bioloom.embedders._pooling import pool
from bioloom.errors import DataError
from bioloom.features import engine
from bioloom.features.engine import embed
from bioloom.features.self_check import centred_cosine
from tests.tiny_models import random_unirep

SIZE = 64
OPTIONS = {"embedder": "unirep", "size": SIZE}
sequence_lists = st.lists(st.text(AMINO_ACIDS, min_size=1, max_size=25), min_size=1, max_size=10)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Small random weights of UniRep's shape."""
    path = tmp_path_factory.mktemp("weights") / "model_weights.npz"
    np.savez(path, **random_unirep(1, SIZE))
    return path


def _random_proteins(n: int, seed: int = 0, longest: int = 60) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(AMINO_ACIDS), rng.integers(5, longest))) for _ in range(n)]


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(sequence_lists, st.sampled_from(["mean", "tokens"]), st.booleans())
def test_rows_stay_with_their_sequences(tmp_path_factory, weights, sequences, pooling, stored):
    store = tmp_path_factory.mktemp("store") if stored else None
    options = OPTIONS | {"pooling": pooling}
    once = embed(sequences, options, weights=weights, store=store)
    again = embed([*reversed(sequences), *sequences], options, weights=weights, store=store)
    assert once.run["encoded"] == len(set(sequences))
    assert again.run["encoded"] == (0 if stored else len(set(sequences)))
    n = len(sequences)
    for i in range(n):
        first, *others = (
            (e.X.item(j) if isinstance(e.X, Ragged) else e.X[j])
            for e, j in ((once, i), (again, n - 1 - i), (again, n + i))
        )
        for other in others:
            np.testing.assert_allclose(other, first, atol=0 if stored else 1e-3)


@pytest.mark.slow
def test_only_new_sequences_are_encoded(tmp_path, weights):
    sequences = _random_proteins(30)
    embed(sequences, OPTIONS, weights=weights, store=tmp_path)
    second = embed([*sequences, "MKTAYIAK"], OPTIONS, weights=weights, store=tmp_path)
    assert second.run["encoded"] == 1
    assert second.X.shape == (31, SIZE)
    other = embed(sequences, OPTIONS | {"pooling": "max"}, weights=weights, store=tmp_path)
    assert other.run["encoded"] == 30


def test_the_records_are_json_and_complete(weights):
    embedding = embed(_random_proteins(5), OPTIONS, weights=weights)
    info, run = (
        json.loads(json.dumps(e, allow_nan=False)) for e in (embedding.info, embedding.run)
    )
    known = {"embedder", "weights_sha256", "weights_licence", "dtype", "sequences", "unique"}
    assert set(info) == known
    measured = {"device", "encoded", "residues_per_second", "peak_memory_mb", "self_check"}
    measured.add("float32_instead")
    assert set(run) == measured
    assert embedding.names == [f"unirep_{i}" for i in range(SIZE)]
    assert embedding.X.dtype == np.float32


@pytest.mark.slow
def test_what_the_features_are_depends_on_no_run(tmp_path, weights):
    sequences = _random_proteins(5)
    first, second = (embed(sequences, OPTIONS, weights=weights, store=tmp_path) for _ in range(2))
    assert first.info == second.info
    assert (first.run["encoded"], second.run["encoded"]) == (5, 0)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_chunks_leave_nothing_to_embed(tmp_path, weights, count):
    """Also where there are more chunks than sequences."""
    proteins = _random_proteins(30)
    sequences = [*proteins, *proteins[:9]]
    runs = [
        engine.embed_chunk(sequences, OPTIONS, (k, count), weights=weights, store=tmp_path)
        for k in range(1, count + 1)
    ]
    assert sum(run["encoded"] for run in runs) == 30
    made = embed(sequences, OPTIONS, weights=weights, store=tmp_path)
    assert made.run["encoded"] == 0
    np.testing.assert_allclose(made.X, embed(sequences, OPTIONS, weights=weights).X, atol=1e-5)


def test_a_bad_sequence_of_a_chunk_is_named(tmp_path, weights):
    with pytest.raises(DataError, match="sequence 2: '-' at position 3"):
        engine.embed_chunk(["MKT", "MK-T"], OPTIONS, (1, 2), weights=weights, store=tmp_path)


def _at_once(embeds: Callable[..., None], firsts: Iterable[int], *given: Path) -> list[Any]:
    """What processes put into their queue that begin together, `embeds(first, *given, queue)`."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    jobs = [context.Process(target=embeds, args=(first, *given, results)) for first in firsts]
    for job in jobs:
        job.start()
    found = [results.get(timeout=120) for _ in jobs]
    for job in jobs:
        job.join()
    return found


def _embed_chunk(chunk: int, weights: Path, store: Path, results: multiprocessing.Queue) -> None:
    engine.FLUSH_SECONDS = 0
    unirep.BATCH_BYTES = 20 * SIZE * 200
    texts = _random_proteins(40)
    results.put(engine.embed_chunk(texts, OPTIONS, (chunk, 2), weights=weights, store=store))


@pytest.mark.long
def test_two_chunks_at_once_fill_one_store(tmp_path, weights):
    runs = _at_once(_embed_chunk, (1, 2), weights, tmp_path)
    assert [run["encoded"] for run in runs] == [20, 20]
    made = embed(_random_proteins(40), OPTIONS, weights=weights, store=tmp_path)
    assert made.run["encoded"] == 0


def test_a_bad_sequence_is_named(weights):
    with pytest.raises(DataError, match="sequence 2: '-' at position 3"):
        embed(["MKT", "MK-T"], OPTIONS, weights=weights)
    with pytest.raises(DataError, match="sequence P2: '-' at position 3"):
        embed(["MKT", "MK-T"], OPTIONS, weights=weights, ids=["P1", "P2"])


def test_a_sequence_that_does_not_fit_is_named(monkeypatch, weights):
    """Also where only the self-check, on the beginning of each sequence, comes to it."""

    def too_large(encoder, sequences):
        raise SequenceError("600 tokens at once", sequences[-1])

    monkeypatch.setattr(unirep.UniRep, "encode", too_large)
    sequences = ["MKT", "A" * 900, "MKV"]
    with pytest.raises(DataError, match="sequence P2: 600 tokens at once"):
        embed(sequences, OPTIONS, weights=weights, ids=["P1", "P2", "P3"])
    with pytest.raises(DataError, match="sequence P3: 600 tokens at once"):
        embed(["A" * 400, "A" * 500, "A" * 399], OPTIONS, weights=weights, ids=["P3", "P1", "P4"])


@pytest.mark.slow
def test_memory_that_does_not_suffice_halves_the_batches_of_unirep(monkeypatch, weights, caplog):
    import torch

    sequences = _random_proteins(20)
    expected = embed(sequences, OPTIONS, weights=weights).X
    states = unirep.UniRep._states

    def small_memory(encoder, batch):
        if sum(map(len, batch)) > 80:
            raise torch.OutOfMemoryError("out of memory")
        return states(encoder, batch)

    monkeypatch.setattr(unirep.UniRep, "_states", small_memory)
    got = embed(sequences, OPTIONS, weights=weights).X
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert caplog.text.count("out of memory") == 1
    with pytest.raises(DataError, match="sequence 1: 90 residues are more than memory holds"):
        embed(["M" * 90], OPTIONS, weights=weights)


def test_a_device_too_small_is_told(monkeypatch, weights):
    """Where batches are never halved, too, or the weights alone are too much."""
    import torch

    def full(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(unirep, "load", full)
    with pytest.raises(DataError, match="unirep needs more memory than the device.*--device cpu"):
        embed(["MKT"], OPTIONS, weights=weights)


def test_values_that_are_no_numbers_are_told_with_their_sequence(monkeypatch, weights):
    import torch

    states = unirep.UniRep._states

    def overflow(encoder, batch):
        values, lengths = states(encoder, batch)
        too_large = np.repeat([len(text) == 450 for text in batch], lengths)
        return values.masked_fill(torch.from_numpy(too_large)[:, None], float("inf")), lengths

    monkeypatch.setattr(unirep.UniRep, "_states", overflow)
    options = OPTIONS | {"pooling": "tokens"}
    with pytest.raises(DataError, match="sequence P2: the model gives it values that are not"):
        embed(["MKT", "A" * 450], options, weights=weights, ids=["P1", "P2"])


def test_the_error_of_a_sequence_comes_whole_from_another_process():
    error = SequenceError("600 tokens", "MKT", hint="none")
    kind, arguments, state = error.__reduce__()
    copy = kind(*arguments)
    copy.__setstate__(state)
    assert (str(copy), copy.sequence) == (str(error), "MKT")


@pytest.mark.long
def test_several_devices_share_the_work(tmp_path, weights):
    sequences = _random_proteins(9)
    one = embed(sequences, OPTIONS, weights=weights)
    two = embed(sequences, OPTIONS, weights=weights, store=tmp_path, device="cpu, cpu")
    np.testing.assert_allclose(two.X, one.X, atol=1e-5)
    assert two.run["encoded"] == 9
    assert two.run["device"] == "cpu,cpu"
    assert embed(sequences, OPTIONS, weights=weights, store=tmp_path).run["encoded"] == 0


@pytest.mark.slow
def test_a_killed_process_ends_the_run(tmp_path, weights):
    def kill_one():
        while not multiprocessing.active_children():
            time.sleep(0.01)
        os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(DataError, match="a process that embeds was killed"):
        embed(_random_proteins(9), OPTIONS, weights=weights, device="cpu,cpu")
    killer.join()


def _embed_shuffled(seed: int, weights: Path, store: Path, results: multiprocessing.Queue) -> None:
    import torch

    torch.set_num_threads(1)
    engine.FLUSH_SECONDS = 0
    unirep.BATCH_BYTES = 20 * SIZE * 200
    sequences = _random_proteins(40)
    order = np.random.default_rng(seed).permutation(40)[:30]
    X = embed([sequences[i] for i in order], OPTIONS, weights=weights, store=store).X
    results.put({int(i): row.tobytes() for i, row in zip(order, X, strict=True)})


@pytest.mark.long
def test_four_jobs_at_once_give_identical_features(tmp_path, weights):
    seen: dict[int, bytes] = {}
    for rows in _at_once(_embed_shuffled, range(4), weights, tmp_path):
        for i, row in rows.items():
            assert seen.setdefault(i, row) == row
    assert len(seen) > 30


def _embed_slowly(weights: Path, store: Path, batches: Path) -> None:
    import torch

    def logged(states, *options):
        with batches.open("a") as log:
            log.write(f"{len(states.order)}\n")
        return pool(states, *options)

    torch.set_num_threads(1)
    engine.FLUSH_SECONDS = 0
    engine.pool = logged
    unirep.BATCH_BYTES = 20 * SIZE * 100
    embed(_random_proteins(4000, longest=200), OPTIONS, weights=weights, store=store)


@pytest.mark.long
def test_kill_9_loses_one_batch_at_most(tmp_path, weights):
    store, batches = tmp_path / "store", tmp_path / "batches"
    job = multiprocessing.get_context("spawn").Process(
        target=_embed_slowly, args=(weights, store, batches)
    )
    job.start()
    deadline = time.monotonic() + 60
    while not list(store.rglob("*.index.npy")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    os.kill(job.pid or 0, signal.SIGKILL)
    job.join()
    begun = [int(size) for size in batches.read_text().split()]
    assert len(begun) > 1
    # longest first: those are the ones that had been encoded
    longest = sorted(set(_random_proteins(4000, longest=200)), key=lambda s: (-len(s), s))
    longest = longest[: sum(begun)]
    again = embed(longest, OPTIONS, weights=weights, store=store)
    assert again.run["encoded"] <= begun[-1]
    np.testing.assert_allclose(again.X, embed(longest, OPTIONS, weights=weights).X, atol=1e-5)


class _Noisy:
    """An encoder whose fast path is wrong by `noise` in its coarse precision."""

    special = (0, 0)
    mean_special = False

    def __init__(self, dtype: str, noise: dict[str, float]) -> None:
        self.noise = noise[dtype]
        self.identity = {"dtype": dtype}
        self.info = {"device": "cpu"}

    def reference(self, sequences):
        table = np.random.default_rng(0).normal(size=(256, 8)).astype(np.float32)
        return [table[np.frombuffer(s.encode(), dtype=np.uint8)] for s in sequences]

    def encode(self, sequences):
        import torch

        states = self.reference(sequences)
        values = np.concatenate(states)
        values += self.noise * np.random.default_rng(1).normal(size=values.shape)
        lengths = np.array([len(s) for s in states])
        yield States(np.arange(len(states)), torch.from_numpy(values), lengths)


@pytest.mark.parametrize("n", [1, 12])
def test_the_self_check_falls_back_to_float32_or_fails(monkeypatch, tmp_path, n):
    def use(noise):
        def load(options, weights, device, dtype):
            return _Noisy("bfloat16" if dtype == "auto" else dtype, noise)

        monkeypatch.setattr(unirep, "load", load)

    sequences = _random_proteins(n)
    use({"bfloat16": 0.0})
    assert embed(sequences, OPTIONS).info["dtype"] == "bfloat16"
    use({"bfloat16": 3.0, "float32": 0.0})
    fallen_back = embed(sequences, OPTIONS, store=tmp_path)
    assert fallen_back.info["dtype"] == "float32"
    assert fallen_back.run["self_check"]["centred_cosine"] > 0.999
    use({"bfloat16": 3.0, "float32": 3.0})
    with pytest.raises(DataError, match=r"sequence \d+: the fast path has a centred cosine of"):
        embed(sequences, OPTIONS)
    use({"bfloat16": np.nan, "float32": np.nan})
    with pytest.raises(DataError, match=r"sequence \d+: .* not finite numbers"):
        embed(sequences, OPTIONS)


def test_what_bfloat16_drowns_gets_float32_and_the_rest_stays(monkeypatch, tmp_path):
    def use(noise):
        def load(options, weights, device, dtype):
            return _Noisy("bfloat16" if dtype == "auto" else dtype, noise)

        monkeypatch.setattr(unirep, "load", load)

    sequences = _random_proteins(12)
    use({"bfloat16": 0.0})
    embed(sequences, OPTIONS, store=tmp_path)
    use({"bfloat16": 3.0, "float32": 0.0})
    for encoded in (1, 0):
        more = embed([*sequences, "A" * 50], OPTIONS, store=tmp_path)
        assert more.run["encoded"] == encoded
        assert more.info["dtype"] == "bfloat16, float32"
    assert more.run["float32_instead"] == 1


def test_sequences_that_a_model_cannot_tell_apart_pass():
    vectors = np.tile(np.random.default_rng(0).normal(size=8), (4, 1))
    noise = 1e-7 * np.random.default_rng(1).normal(size=(4, 8))
    assert centred_cosine(vectors + noise, vectors).min() == 1


def test_centred_cosine_sees_what_the_plain_one_hides():
    rng = np.random.default_rng(0)
    b = 100 + rng.normal(size=(20, 8))
    a = 100 + rng.normal(size=(20, 8))
    plain = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert plain.min() > 0.999
    assert centred_cosine(a, b).min() < 0.5
    np.testing.assert_allclose(centred_cosine(b, b), 1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(1, 6))
def test_pooling_is_that_of_numpy(lengths, n_segments):
    import torch

    encoder = _Noisy("float32", {"float32": 0.0})
    encoder.special = (1, 1)
    values = np.random.default_rng(0).normal(size=(sum(lengths) + 2 * len(lengths), 3))
    values = values.astype(np.float32)
    tokens = np.array(lengths) + 2
    states = States(np.arange(len(lengths)), torch.from_numpy(values), tokens)
    parts = [part[1:-1] for part in np.split(values, np.cumsum(tokens)[:-1])]
    expected = {
        "mean": np.array([part.mean(0) if len(part) else np.zeros(3) for part in parts]),
        "max": np.array([part.max(0) if len(part) else np.zeros(3) for part in parts]),
        "cls": values[np.cumsum(tokens) - tokens],
        "tokens": np.concatenate(parts),
    }
    for pooling, rows in expected.items():
        np.testing.assert_allclose(pool(states, pooling, None, encoder).values, rows, atol=2e-3)
    segments = pool(states, "segments", n_segments, encoder)
    for i, part in enumerate(parts):
        assert len(segments.item(i)) == min(n_segments, len(part))
        if len(part) and len(part) % n_segments == 0:
            means = part.reshape(n_segments, -1, 3).mean(1)
            np.testing.assert_allclose(segments.item(i), means, atol=2e-3)


def _hold(names, ready, done):
    with lock_free(names, 1) as taken:
        ready.put(taken)
        done.wait(30)


def test_jobs_take_different_devices():
    names = [f"test-{os.getpid()}-{i}" for i in range(3)]
    context = multiprocessing.get_context("fork")
    ready, done = context.Queue(), context.Event()
    job = context.Process(target=_hold, args=(names, ready, done))
    job.start()
    assert ready.get(timeout=30) == [0]
    with lock_free(names, 1) as second, lock_free(names, 3) as rest, lock_free(names, 1) as none:
        assert (second, rest, none) == ([1], [2], [])
    done.set()
    job.join()
    with lock_free(names, 3) as all_free:
        assert all_free == [0, 1, 2]


def test_gpus_are_claimed_one_by_one_or_all(monkeypatch):
    """The logic alone: the GPUs are pretended."""
    import torch

    uuids = [f"test-{os.getpid()}-gpu-{i}" for i in range(3)]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda i: SimpleNamespace(uuid=uuids[i])
    )
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda i: (i, 3))
    with claim_devices("auto") as first, claim_devices(None) as second:
        assert (first, second) == (["cuda:0"], ["cuda:1"])
        with claim_devices("all") as rest, claim_devices(None) as shared:
            assert (rest, shared) == (["cuda:2"], ["cuda:2"])  # that with the most free memory
    with claim_devices("all") as everyone, claim_devices("cuda:1, cpu") as given_ones:
        assert everyone == ["cuda:0", "cuda:1", "cuda:2"]
        assert given_ones == ["cuda:1", "cpu"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("avx512f avx512_bf16", "bfloat16"),
        ("amx_tile amx_bf16", "bfloat16"),
        ("asimd svebf16", "bfloat16"),
        ("avx512f avx512_vnni", "float32"),
        ("", "float32"),
    ],
)
def test_the_processor_decides_the_precision(monkeypatch, flags, expected):
    monkeypatch.setattr(devices, "_cpu_flags", lambda: set(flags.split()))
    assert fast_dtype("cpu") == expected
    assert fast_dtype("mps") == "float32"
