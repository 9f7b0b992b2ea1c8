"""The embedding store: vectors kept by content, in immutable shards that any number of jobs share.

A space (one folder) holds the vectors of one identity: model, weights hash, preprocessing, layer,
pooling, dtype. A shard is `<stem>.npy` (rows, T x D) and `<stem>.index.npy` (sorted keys, rows and
crc32 of each item); the stem is the hash of the index, so an index vouches for its rows and its
name vouches for the index. The index is renamed into place last: a shard is whole or absent.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from bioloom.arrays import Ragged
from bioloom.files import HOST, locked, read_json, write_json

log = logging.getLogger(__name__)

INDEX = np.dtype([("key", "S64"), ("rows", "<i8"), ("crc", "<u4")])
COMPACT_AT = 32  # this many small shards are merged into one
SMALL_BYTES = 64 * 2**20
BLOCK = 10_000  # items that are checked at a time
IDENTITY = "identity.json"


def content_keys(texts: Sequence[str]) -> np.ndarray:
    """The sha256 of each text in hexadecimal, (N,) S64."""
    return np.array([hashlib.sha256(t.encode()).hexdigest() for t in texts], dtype="S64")


class Space:
    """The vectors of one identity. Safe for parallel readers and writers on one file system."""

    def __init__(self, store: Path, identity: Mapping[str, Any]) -> None:
        """Open, or make, the folder of this JSON-able identity inside `store`."""
        name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]
        self.identity = dict(identity)
        self.folder = Path(store) / name
        self.damaged: set[str] = set()  # shards in which something was found damaged
        self._indexes: dict[str, np.ndarray] = {}
        self._make()

    def read(self, keys: np.ndarray) -> tuple[np.ndarray, Ragged]:
        """Which of the keys (N,) are kept, a mask (N,), and their items in the order of the keys.

        Every item read is checked against its crc32; a damaged one counts as not kept.
        """
        with suppress(OSError):  # a store of others that may be read alone
            os.utime(self.folder / IDENTITY)
        while True:
            try:
                return self._read(keys)
            except FileNotFoundError:  # another job compacted meanwhile: its new shard has all
                self._indexes.clear()

    def write(self, keys: np.ndarray, items: Ragged) -> Ragged:
        """Keep the items of different keys, and return what the store now holds for them.

        Where another job was first its item is returned, so that all jobs see one vector a key.
        """
        with self._locked() as is_alone:
            if is_alone:
                self._sweep()
            found, kept = self.read(keys)
            if not found.all():
                self._add(keys[~found], items[~found])
                kept = joined([np.flatnonzero(found), _not(found)], [kept, items[~found]])
            if self.damaged:
                log.warning("%s: damaged vectors are made anew", self.folder)
            if is_alone and (self.damaged or len(self._small()) >= COMPACT_AT):
                self._compact()
        return kept

    def size(self) -> tuple[int, int]:
        """How many vectors there are, and the bytes of all shards."""
        with self._locked():  # shards stay while they are counted
            keys = [self._index(stem)["key"] for stem in self.stems()]
            files = sum(map(_size, self.folder.glob("*.npy")))
        return len(np.unique(np.concatenate([np.zeros(0, "S64"), *keys]))), files

    def check(self) -> int:
        """Read all items; how many are damaged, a shard whose index is counting as one."""
        with self._locked():
            return sum(map(self._damaged_of, self.stems()))

    def _damaged_of(self, stem: str) -> int:
        index = self._index(stem)
        starts = range(0, len(index), BLOCK)
        positions = (np.arange(start, min(start + BLOCK, len(index))) for start in starts)
        bad = sum(int((~self._items(stem, index, rows)[0]).sum()) for rows in positions)
        return bad if len(index) else 1

    def used(self) -> float:
        """When vectors were last asked for or written, in seconds since 1970."""
        files = [self.folder / IDENTITY, *self.folder.glob("*.npy")]
        return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)

    def remove(self, unused_since: float) -> bool:
        """Forget all vectors if none was asked for since then, and say whether that is done."""
        with self._locked() as is_alone:
            if not is_alone or self.used() >= unused_since:
                return False
            gone = self.folder.with_name(f".{self.folder.name}.gone")
            shutil.rmtree(gone, ignore_errors=True)  # of one that was killed here
            self.folder.rename(gone)
        shutil.rmtree(gone)
        return True

    def stems(self) -> list[str]:
        """The names of the shards, largest first."""
        indexes = self.folder.glob("*.index.npy")
        sizes = {path.name.removesuffix(".index.npy"): _size(path) for path in indexes}
        return sorted(sizes, key=lambda stem: (-sizes[stem], stem))

    def _read(self, keys: np.ndarray) -> tuple[np.ndarray, Ragged]:
        found = np.zeros(len(keys), dtype=bool)
        places, pieces = [np.zeros(0, dtype=np.int64)], []
        for stem in self.stems():
            missing = _not(found)
            if not len(missing):
                break
            index = self._index(stem)
            position = np.searchsorted(index["key"], keys[missing])
            position[position == len(index)] = 0
            hit = index["key"][position] == keys[missing] if len(index) else position < 0
            if not hit.any():
                continue
            good, items = self._items(stem, index, position[hit])
            place = missing[hit][good]
            found[place] = True
            places.append(place)
            pieces.append(items)
        return found, joined(places, pieces)

    def _index(self, stem: str) -> np.ndarray:
        """The index of a shard; empty when its bytes are not those it is named after."""
        if stem not in self._indexes:
            content = (self.folder / f"{stem}.index.npy").read_bytes()
            if _stem(content) == stem:
                index = np.load(io.BytesIO(content), allow_pickle=False)
            else:
                index = np.zeros(0, dtype=INDEX)
                self.damaged.add(stem)
            self._indexes[stem] = index
        return self._indexes[stem]

    def _items(
        self, stem: str, index: np.ndarray, position: np.ndarray
    ) -> tuple[np.ndarray, Ragged]:
        """Which items of a shard are undamaged (a mask), and those."""
        offsets = np.concatenate([[0], np.cumsum(index["rows"])])
        try:
            values = np.load(self.folder / f"{stem}.npy", mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, SyntaxError, TokenError):  # truncated, or a broken header
            values = np.zeros((0, 0))
        except FileNotFoundError:
            if not (self.folder / f"{stem}.index.npy").exists():
                raise
            values = np.zeros((0, 0))
        if len(values) != offsets[-1]:
            self.damaged.add(stem)
            return np.zeros(len(position), dtype=bool), Ragged(values[:0], np.zeros(1, np.int64))
        items = Ragged(values, offsets)[position]
        good = _checksums(items) == index["crc"][position]
        if not good.all():
            self.damaged.add(stem)
        return good, items if good.all() else items[good]

    def _add(self, keys: np.ndarray, items: Ragged) -> str:
        order = np.argsort(keys)
        items = items[order]
        index = np.empty(len(keys), dtype=INDEX)
        index["key"], index["rows"] = keys[order], items.lengths
        index["crc"] = _checksums(items)
        stream = io.BytesIO()
        np.save(stream, index, allow_pickle=False)
        stem = _stem(stream.getvalue())
        with _durable(self.folder / f"{stem}.npy") as file:
            np.save(file, items.values, allow_pickle=False)
        with _durable(self.folder / f"{stem}.index.npy") as file:
            file.write(stream.getvalue())
        # it may have replaced a damaged shard of the same content
        self._indexes.pop(stem, None)
        self.damaged.discard(stem)
        return stem

    def _small(self) -> list[str]:
        values = {stem: self.folder / f"{stem}.npy" for stem in self.stems()}
        return [s for s, path in values.items() if path.exists() and _size(path) < SMALL_BYTES]

    def _compact(self) -> None:
        self.damaged.intersection_update(self.stems())  # another job may have removed some
        stems = sorted(self.damaged.union(self._small()))
        keys = [self._index(stem)["key"] for stem in stems]
        unique = np.unique(np.concatenate([np.zeros(0, "S64"), *keys]))
        found, items = self.read(unique)
        kept = self._add(unique[found], items) if found.any() else None
        for stem in stems:
            if stem != kept:
                (self.folder / f"{stem}.index.npy").unlink(missing_ok=True)
                (self.folder / f"{stem}.npy").unlink(missing_ok=True)
                self._indexes.pop(stem, None)
        self.damaged.clear()

    def _sweep(self) -> None:
        """Remove what killed jobs left. Only the holder of the lock writes, so nothing is alive."""
        whole = set(self.stems())
        for path in self.folder.glob("*.npy*"):
            if path.name.endswith(".new") or path.name.split(".")[0] not in whole:
                path.unlink()

    def _make(self) -> None:
        """The folder, which another job may have removed since."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / IDENTITY).exists():
            write_json(self.identity, self.folder / IDENTITY)

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        with locked(self.folder / "lock") as is_held:
            self._make()
            yield is_held


def spaces(store: Path) -> list[Space]:
    """Those of a store."""
    files = [file for file in sorted(store.glob(f"*/{IDENTITY}")) if file.parent.name[0] != "."]
    return [Space(store, read_json(file)) for file in files]


def joined(places: Sequence[np.ndarray], pieces: Sequence[Ragged]) -> Ragged:
    """The items of all pieces in the order of their places."""
    return concatenate(pieces)[np.argsort(np.concatenate(places))]


def concatenate(pieces: Sequence[Ragged]) -> Ragged:
    """The items of all pieces, one piece after the other."""
    pieces = [piece for piece in pieces if len(piece)]
    if not pieces:
        return Ragged(np.zeros((0, 0), dtype=np.float32), np.zeros(1, dtype=np.int64))
    lengths = np.concatenate([piece.lengths for piece in pieces])
    values = np.concatenate([piece.values for piece in pieces])
    return Ragged(values, np.concatenate([[0], np.cumsum(lengths)]))


def _checksums(items: Ragged) -> np.ndarray:
    """The crc32 of each item's bytes, begun with their type and width: a header can be altered."""
    kind = zlib.crc32(f"{items.values.dtype.str} {items.values.shape[1:]}".encode())
    data = np.ascontiguousarray(items.values).reshape(-1).view(np.uint8).data
    ends = items.offsets * (data.nbytes // max(len(items.values), 1))
    pairs = zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)
    return np.array([zlib.crc32(data[start:end], kind) for start, end in pairs], dtype=np.uint32)


def _stem(index: bytes) -> str:
    return hashlib.sha256(index).hexdigest()[:32]


def _not(mask: np.ndarray) -> np.ndarray:
    return np.flatnonzero(~mask)


def _size(path: Path) -> int:
    return path.stat().st_size


@contextmanager
def _durable(path: Path) -> Iterator[io.BufferedWriter]:
    """Write a file that survives a crash whole or not at all."""
    new = path.with_name(f"{path.name}.{HOST}-{os.getpid()}.new")  # without locks not alone
    with new.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
