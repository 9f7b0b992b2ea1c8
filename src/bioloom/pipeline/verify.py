"""Are the results what was made? Every file is read, whatever its status says."""

from __future__ import annotations

import os
from pathlib import Path

from bioloom.errors import DataError, to_run
from bioloom.files import sha256
from bioloom.pipeline.digests import Digests
from bioloom.pipeline.lock import read_lock


def verify(lock: Path) -> str:
    """One line with the number of outputs, all of which are what the lock says.

    DataError names those that are not, of a folder its files where their digests are remembered;
    the next run makes them again.
    """
    if not lock.exists():
        raise DataError("No such file", file=lock, hint=f"{to_run()} writes it")
    records, digests = read_lock(lock), Digests()
    here = [output for output in records if os.path.exists(output)]
    altered = list[str]()
    for output in here:
        if sha256(output) != records[output]["sha256"]:
            files = digests.differing(output) or [Path(output)]
            altered += map(str, files)
            for file in files:
                digests.forget(file)
    if altered:
        digests.save()
        raise DataError(
            f"{len(altered)} results are not what was made: {', '.join(altered)}",
            hint=f"{to_run()} makes them again",
        )
    absent = f"; {len(records) - len(here)} are not here" if len(records) > len(here) else ""
    return f"{len(here)} results are what was made{absent}"
