"""How far a long step is: lines on stderr, which the job's log keeps and `bioloom run` shows.

What a step is at is told before what it does there: "train heart: model, partition 3 of 16, epoch 5
of 60". Of many quick parts few are told, one in `SECONDS` at most.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

MARK = "at work: "
"""What such a line begins with."""
JOB = "BIOLOOM_JOB"
"""The variable of the environment with the name of the job, which its processes have, too."""
SECONDS = 10.0

_places: list[str] = []
_told = time.monotonic()


@contextmanager
def at(place: str) -> Iterator[None]:
    """Say where a step is, and have it said of all that is told inside."""
    _places.append(place)
    try:
        tell()
        yield
    finally:
        _places.pop()


def due() -> bool:
    """Whether the last line is old enough for another one, where it costs to know what to say."""
    return time.monotonic() - _told >= SECONDS


def tell(message: str = "", *, always: bool = False) -> None:
    """Say how far a step is, unless that was told just now."""
    global _told
    if not (always or due()):
        return
    _told = time.monotonic()
    told = ", ".join([*_places, message] if message else _places)
    print(f"{MARK}{os.environ.get(JOB, 'bioloom')}: {told}", file=sys.stderr, flush=True)
