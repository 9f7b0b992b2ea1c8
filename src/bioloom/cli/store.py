"""Look at the stored embeddings of this project, or of all that share BIOLOOM_CACHE.

`stat` lists them by model, `verify` reads every vector, `prune` removes what no run asked for in so
many days. What is missing is made anew when a run asks for it.
"""

from __future__ import annotations

import argparse
import time

from bioloom.errors import DataError
from bioloom.features.store import Space, spaces
from bioloom.files import shared_cache

HELP = "list, check or clear stored embeddings"
DAY = 24 * 3600
MADE_ANEW = "nothing is to be done: the next run that asks for them makes them anew"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and for `prune` since when."""
    parser.add_argument("action", choices=("stat", "verify", "prune"))
    parser.add_argument("--days", type=float, default=90, help="prune: unused for so long (90)")


def main(action: str, days: float) -> None:
    """Print what there is or was done; DataError where vectors are damaged."""
    store = shared_cache() / "embeddings"
    found, damaged = spaces(store), 0
    for space in found:
        vectors, size = space.size()
        age = (time.time() - space.used()) / DAY
        line = (
            f"{_name(space)}: {vectors:,} vectors, {size / 2**20:,.1f} MiB, used {age:.0f} days ago"
        )
        if action == "verify" and (count := space.check()):
            damaged += count
            line += f", {count:,} damaged"
        elif action == "prune" and space.remove(time.time() - days * DAY):
            line += ", removed"
        print(line)
    print(f"{store}: {len(found)} spaces")
    if damaged:
        raise DataError(f"{damaged:,} vectors are damaged", file=store, hint=MADE_ANEW)


def _name(space: Space) -> str:
    """The model and how its states are summed up, and the folder."""
    said = space.identity
    told = [said.get(key) for key in ("embedder", "model", "layer", "pooling", "dtype")]
    return f"{' '.join(str(part) for part in told if part not in (None, ''))} ({space.folder.name})"
