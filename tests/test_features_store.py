"""The store: what is read is what was written, whatever was killed, truncated, altered or raced."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.arrays import Ragged
from bioloom.cli.main import main
from bioloom.features import store as store_module
from bioloom.features.store import Space, content_keys

IDENTITY = {"embedder": "test", "weights_sha256": "0", "pooling": "mean"}


def _items(texts: list[str], width: int = 3, shift: float = 0.0) -> Ragged:
    """An item a text whose numbers follow from the text, with len(text) rows."""
    lengths = [len(text) for text in texts]
    rows = [np.full((len(t), width), sum(map(ord, t)) + shift, dtype=np.float32) for t in texts]
    return Ragged(np.concatenate(rows), np.concatenate([[0], np.cumsum(lengths)]))


def _check(space: Space, texts: list[str], expected: list[str]) -> None:
    found, items = space.read(content_keys(texts))
    assert [t for t, f in zip(texts, found, strict=True) if f] == expected
    if expected:
        np.testing.assert_array_equal(items.values, _items(expected).values)
        np.testing.assert_array_equal(items.offsets, _items(expected).offsets)


words = st.lists(st.text("ACDE", min_size=1, max_size=6), min_size=1, max_size=12, unique=True)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(words, min_size=1, max_size=5), words)
def test_read_gives_what_was_written_in_the_order_asked(tmp_path_factory, batches, wanted):
    folder = tmp_path_factory.mktemp("store")
    for batch in batches:
        Space(folder, IDENTITY).write(content_keys(batch), _items(batch))
    written = {text for batch in batches for text in batch}
    space = Space(folder, IDENTITY)
    _check(space, wanted, [text for text in wanted if text in written])
    with patch.object(store_module, "COMPACT_AT", 1):
        space.write(content_keys(wanted), _items(wanted))
    assert len(space.stems()) == 1
    _check(Space(folder, IDENTITY), wanted, wanted)
    _check(Space(folder, IDENTITY), sorted(written), sorted(written))


def test_the_first_writer_of_a_key_wins(tmp_path):
    first, second = Space(tmp_path, IDENTITY), Space(tmp_path, IDENTITY)
    first.write(content_keys(["A", "CC"]), _items(["A", "CC"]))
    got = second.write(content_keys(["D", "CC"]), _items(["D", "CC"], shift=1000))
    np.testing.assert_array_equal(got.item(1), _items(["CC"]).values)
    np.testing.assert_array_equal(got.item(0), _items(["D"], shift=1000).values)


def test_another_identity_is_another_space(tmp_path):
    Space(tmp_path, IDENTITY).write(content_keys(["A"]), _items(["A"]))
    _check(Space(tmp_path, IDENTITY | {"weights_sha256": "1"}), ["A"], [])


@pytest.mark.parametrize("suffix", [".npy", ".index.npy"])
@pytest.mark.parametrize("damage", ["truncate", "alter", "empty", "remove"])
def test_damage_is_found_written_again_and_cleaned(tmp_path, suffix, damage):
    texts = ["A", "CC", "DDD"]
    space = Space(tmp_path, IDENTITY)
    space.write(content_keys(texts), _items(texts))
    path = space.folder / f"{space.stems()[0]}{suffix}"
    content = path.read_bytes()
    # the last bytes belong to the last item of the values, or to its checksum in the index
    changed = {"truncate": content[:-5], "alter": content[:-1] + b"\xff", "empty": b""}
    path.write_bytes(changed[damage]) if damage in changed else path.unlink()
    again = Space(tmp_path, IDENTITY)
    found, items = again.read(content_keys(texts))
    assert not found.all()
    good = [text for text, f in zip(texts, found, strict=True) if f]
    assert items.values.tolist() == (_items(good).values.tolist() if good else [])
    again.write(content_keys(texts), _items(texts))
    healed = Space(tmp_path, IDENTITY)
    _check(healed, texts, texts)
    assert not healed.damaged


@pytest.mark.parametrize(
    ("old", "new"), [(b"'<f4'", b"'>f4'"), (b"'<f4'", b"'<i4'"), (b"{'descr'", b"('descr'")]
)
def test_an_altered_header_is_found(tmp_path, old, new):
    texts = ["A", "CC", "DDD"]
    space = Space(tmp_path, IDENTITY)
    space.write(content_keys(texts), _items(texts))
    path = space.folder / f"{space.stems()[0]}.npy"
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    again = Space(tmp_path, IDENTITY)
    assert not again.read(content_keys(texts))[0].any()
    again.write(content_keys(texts), _items(texts))
    _check(Space(tmp_path, IDENTITY), texts, texts)


def test_many_small_shards_are_merged(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "COMPACT_AT", 4)
    texts = ["A" * n for n in range(1, 12)]
    space = Space(tmp_path, IDENTITY)
    for text in texts:
        space.write(content_keys([text]), _items([text]))
    assert len(space.stems()) < 4
    _check(space, texts, texts)


def test_a_damaged_shard_that_another_job_removed_is_no_matter(tmp_path):
    space = Space(tmp_path, IDENTITY)
    space.write(content_keys(["A"]), _items(["A"]))
    space.damaged.add("0" * 32)
    space.write(content_keys(["CC"]), _items(["CC"]))
    _check(Space(tmp_path, IDENTITY), ["A", "CC"], ["A", "CC"])


def test_leftovers_of_killed_jobs_are_swept(tmp_path):
    space = Space(tmp_path, IDENTITY)
    space.write(content_keys(["A"]), _items(["A"]))
    for name in ("0123.npy", "0123.index.npy.new", "4567.npy.new"):
        (space.folder / name).write_bytes(b"half")
    space.write(content_keys(["CC"]), _items(["CC"]))
    left = {p.name.split(".")[0] for p in space.folder.glob("*.npy*")}
    assert left == set(space.stems())
    _check(space, ["A", "CC"], ["A", "CC"])


def _write_in_turns(folder: Path, seed: int, results: multiprocessing.Queue) -> None:
    texts = ["AC" * n for n in range(1, 40)]
    order = np.random.default_rng(seed).permutation(len(texts))
    got = {}
    for part in np.array_split(order, 8):
        batch = [texts[i] for i in part]
        kept = Space(folder, IDENTITY).write(content_keys(batch), _items(batch, shift=seed))
        got |= {text: float(kept.item(i)[0, 0]) for i, text in enumerate(batch)}
    results.put(got)


def test_four_writers_at_once_return_the_same_vectors(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "COMPACT_AT", 5)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    jobs = [context.Process(target=_write_in_turns, args=(tmp_path, i, results)) for i in range(4)]
    for job in jobs:
        job.start()
    got = [results.get(timeout=60) for _ in jobs]
    for job in jobs:
        job.join()
    assert got[0] == got[1] == got[2] == got[3]
    texts = list(got[0])
    found, items = Space(tmp_path, IDENTITY).read(content_keys(texts))
    assert found.all()
    assert items.values[items.offsets[:-1], 0].tolist() == list(got[0].values())


def _write_forever(folder: Path) -> None:
    for n in range(1, 10_000):
        text = "A" * n
        Space(folder, IDENTITY).write(content_keys([text]), _items([text]))


@pytest.mark.slow
def test_kill_9_leaves_a_store_that_works(tmp_path):
    for _ in range(3):
        job = multiprocessing.get_context("fork").Process(target=_write_forever, args=(tmp_path,))
        job.start()
        time.sleep(0.25)
        os.kill(job.pid or 0, signal.SIGKILL)
        job.join()
        space = Space(tmp_path, IDENTITY)
        texts = ["A" * n for n in range(1, 200)]
        found, items = space.read(content_keys(texts))
        count = int(found.sum())
        assert count > 0
        assert found[:count].all()  # nothing written before the kill is lost
        np.testing.assert_array_equal(items.values, _items(texts[:count]).values)
        space.write(content_keys(["C"]), _items(["C"]))
        assert not space.damaged


def test_a_store_is_listed_checked_and_cleared_of_what_is_not_used(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BIOLOOM_CACHE", str(tmp_path))
    store, texts = tmp_path / "embeddings", ["A", "CC", "DDD"]
    old = Space(store, IDENTITY | {"model": "old"})
    for text in texts:
        old.write(content_keys([text]), _items([text]))
    new = Space(store, IDENTITY | {"model": "new"})
    new.write(content_keys(["E"]), _items(["E"]))
    main(["store", "stat"])
    said = capsys.readouterr().out
    assert "test old mean" in said
    assert "3 vectors" in said
    assert "1 vectors" in said

    main(["store", "verify"])
    [shard] = new.folder.glob("*[0-9a-f].npy")
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    with pytest.raises(SystemExit) as ended:
        main(["store", "verify"])
    assert ended.value.code == 2
    assert "1 vectors are damaged" in capsys.readouterr().err

    days_ago = time.time() - 100 * 24 * 3600
    for file in old.folder.iterdir():
        os.utime(file, (days_ago, days_ago))
    main(["store", "prune"])
    assert not old.folder.exists()
    assert new.folder.exists()
    # Who has it open still reads and writes.
    _check(old, texts, [])
    old.write(content_keys(["A"]), _items(["A"]))
    _check(Space(store, IDENTITY | {"model": "old"}), texts, ["A"])
    # What was asked for is in use.
    for file in old.folder.iterdir():
        os.utime(file, (days_ago, days_ago))
    _check(old, texts, ["A"])
    main(["store", "prune"])
    assert old.folder.exists()


def test_without_locks_writers_leave_alone_what_may_be_anothers(tmp_path, monkeypatch):
    """As on Lustre that is mounted without `flock`."""

    def flock(file, operation):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", flock)
    monkeypatch.setattr(store_module, "COMPACT_AT", 2)
    first, second = Space(tmp_path, IDENTITY), Space(tmp_path, IDENTITY)
    others = first.folder / "abc.npy.new"
    others.write_bytes(b"half of a shard")
    for space, texts in ((first, ["A"]), (second, ["CC"]), (first, ["A", "DDD"])):
        space.write(content_keys(texts), _items(texts))
    _check(Space(tmp_path, IDENTITY), ["A", "CC", "DDD"], ["A", "CC", "DDD"])
    assert others.exists()
    assert len(first.stems()) == 3
    assert not first.remove(unused_since=time.time() + 1)
