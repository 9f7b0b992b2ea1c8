"""Who is at work in this folder, so that what a killed run left behind is told from a live one.

Each Snakemake holds `.snakemake/run.lock` and each script `.snakemake/jobs.lock`, shared. The
operating system lets go when a process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

FOLDER = Path(".snakemake")
_held: list[IO[str]] = []


def join_run(prepare: Callable[[], None]) -> None:
    """Hold the folder until this process ends; whoever is alone there does `prepare` first.

    Others wait until it is done. The lock that a killed Snakemake left is removed.
    """
    FOLDER.mkdir(exist_ok=True)
    stream = _hold("run.lock")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(stream, fcntl.LOCK_SH)
    except OSError:  # a file system without locks: who is alive cannot be told
        prepare()
    else:
        _release_stale_lock()
        prepare()
        fcntl.flock(stream, fcntl.LOCK_SH)


def join_jobs() -> None:
    """Mark this script as a running job of the folder's workflow, if it has one."""
    if FOLDER.is_dir():
        with suppress(OSError):
            fcntl.flock(_hold("jobs.lock"), fcntl.LOCK_SH)


def _release_stale_lock() -> None:
    """Remove the lock of a killed Snakemake, once the last job that it started has ended."""
    stale = list(FOLDER.glob("locks/*.lock"))
    if not stale:
        return
    with (FOLDER / "jobs.lock").open("w") as jobs:
        try:
            fcntl.flock(jobs, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Waiting for the last job of an interrupted run")
            fcntl.flock(jobs, fcntl.LOCK_EX)
    for file in stale:
        file.unlink()
    _say("Removed the lock of an interrupted run")


def _hold(name: str) -> IO[str]:
    stream = (FOLDER / name).open("w")
    _held.append(stream)
    return stream


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
