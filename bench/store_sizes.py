"""The embedding store by its number of vectors: files, bytes, and what asking it takes.

`python -m bench.store_sizes --vectors 100000 300000 1000000` prints a row of a table a size.
Vectors are random and written in pieces, as the engine does. CPU seconds, of a store just opened.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bioloom.arrays import Ragged
from bioloom.features.engine import FLUSH_BYTES
from bioloom.features.store import Space, content_keys

ASKED = 10_000
IDENTITY = {"embedder": "random"}


def main() -> None:
    """Print as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--width", type=int, default=64, help="numbers a vector, of float32")
    asked = parser.parse_args()
    print("| vectors | files | MiB of vectors | MiB of index | write | look up | stat | verify |")
    print("|---|---|---|---|---|---|---|---|")
    for vectors in asked.vectors:
        with tempfile.TemporaryDirectory() as folder:
            print(row(Path(folder), vectors, asked.width), flush=True)


def row(store: Path, vectors: int, width: int) -> str:
    """A row: a store is filled, then asked for some vectors, their number, and damage."""
    write = seconds(lambda: fill(Space(store, IDENTITY), vectors, width))
    rng = np.random.default_rng(1)
    keys = content_keys([str(i) for i in rng.choice(vectors, min(ASKED, vectors), replace=False)])
    look_up = seconds(lambda: found(Space(store, IDENTITY), keys))
    stat = seconds(lambda: Space(store, IDENTITY).size())
    verify = seconds(lambda: Space(store, IDENTITY).check())
    files = [file for file in store.rglob("*") if file.is_file()]
    index = sum(file.stat().st_size for file in files if file.name.endswith(".index.npy"))
    total = sum(file.stat().st_size for file in files) - index
    sizes = f"{total / 2**20:,.0f} | {index / 2**20:,.0f}"
    times = " | ".join(f"{time:.1f} s" for time in (write, look_up, stat, verify))
    return f"| {vectors:,} | {len(files)} | {sizes} | {times} |"


def fill(space: Space, vectors: int, width: int) -> None:
    """Write random vectors under the keys of their numbers, in pieces as long as the engine's."""
    rng = np.random.default_rng(0)
    piece = FLUSH_BYTES // (4 * width)
    for start in range(0, vectors, piece):
        count = min(piece, vectors - start)
        keys = content_keys([str(i) for i in range(start, start + count)])
        values = rng.random((count, width), dtype=np.float32)
        space.write(keys, Ragged(values, np.arange(count + 1)))


def found(space: Space, keys: np.ndarray) -> None:
    """Read the vectors of these keys, all of which are there."""
    is_found, _ = space.read(keys)
    if not is_found.all():
        raise SystemExit("the store lacks vectors that were written")


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
