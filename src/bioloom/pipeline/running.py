"""Who is at work in this folder, so that what a killed run left behind is told from a live one.

Each Snakemake holds `.snakemake/run.lock` and each script `.snakemake/jobs.lock`, shared. The
operating system lets go when a process ends, however it ends. A job that Snakemake has just started
holds nothing yet: where Snakemake is killed then, the job itself sees it, and does nothing.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from bioloom.files import HOST

FOLDER = Path(".snakemake")
RUN = "BIOLOOM_RUN"
"""The variable of the environment with the host and the process of a job's Snakemake."""
_held: list[IO[str]] = []


def join_run(prepare: Callable[[], None]) -> None:
    """Hold the folder until this process ends; whoever is alone there does `prepare` first.

    Others wait until it is done. The lock that a killed Snakemake left is removed.
    """
    FOLDER.mkdir(exist_ok=True)
    os.environ[RUN] = f"{HOST} {os.getpid()}"
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
    """Mark this script as a running job of the folder's workflow, if it has one.

    SystemExit where the run that started it, on this machine, has been killed: another run may be
    making the same.
    """
    if FOLDER.is_dir():
        with suppress(OSError):
            fcntl.flock(_hold("jobs.lock"), fcntl.LOCK_SH)
    host, _, process = os.environ.get(RUN, "").partition(" ")
    if host == HOST:
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            sys.exit("The run that started this job is gone: the next one will start it again")
        except PermissionError:  # another user's
            pass


def _release_stale_lock() -> None:
    """Remove the lock of a killed Snakemake, once the last job that it started has ended."""
    stale = list(FOLDER.glob("locks/*.lock"))
    if not stale:
        return
    with _opened("jobs.lock") as jobs:
        try:
            fcntl.flock(jobs, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Waiting for the last job of an interrupted run")
            fcntl.flock(jobs, fcntl.LOCK_EX)
    for file in stale:
        file.unlink()
    _say("Removed the lock of an interrupted run")


def _hold(name: str) -> IO[str]:
    _held.append(_opened(name))
    return _held[-1]


def _opened(name: str) -> IO[str]:
    """To read and to write: NFS 4 gives shared locks to readers and exclusive ones to writers."""
    return (FOLDER / name).open("a+")


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
