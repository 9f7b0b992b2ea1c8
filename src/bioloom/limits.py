"""Limits of what is read: more is damage or a mistake, and is told before it fills the memory.

Most are settings: the environment variable `BIOLOOM_<NAME>` has another number. They are no part of
a task, for no result depends on them.
"""

from __future__ import annotations

import os
import re
import sys


def _setting(name: str, usual: int) -> int:
    """What the environment says, or the usual limit, also where that is no number."""
    said = os.environ.get(f"BIOLOOM_{name}", "")
    if said and not re.fullmatch(r"[1-9]\d{0,17}", said):
        problem = f"BIOLOOM_{name} takes a whole number above 0, got {said!r}"
        print(f"{problem}: the limit stays {usual:,}", file=sys.stderr)
        return usual
    return int(said or usual)


def raised_by(name: str) -> str:
    """The end of a hint: what raises a limit."""
    return f"BIOLOOM_{name} in the environment raises the limit"


UNPACKED_TIMES = _setting("UNPACKED_TIMES", 200)
"""A compressed file unpacks to so many times its size at most. Text shrinks to a third or a tenth;
gzip could make a thousandth of it. What is larger is unpacked by the user first."""

UNPACKED_FREE = 64 * 2**20
"""Bytes that any compressed file may unpack to."""

MOST_VALUES = _setting("MOST_VALUES", 500_000_000)
"""Values of a table or matrix: 2 GB as float32."""

MOST_COLUMNS = _setting("MOST_COLUMNS", 1_000_000)
"""Columns of a table in text; the widest ones that are honest have sites of methylation."""

MOST_RESIDUES = _setting("MOST_RESIDUES", 100_000)
"""Residues of a protein; the longest known ones, titins, have about 35,000."""

MOST_FILES = _setting("MOST_FILES", 200_000)
"""Files in a folder that is a source, such as one of structures: all are planned with."""

MOST_CONFIGURED = _setting("MOST_CONFIGURED", 1_000_000)
"""Values of a task or config file, each counted wherever an anchor of YAML (`&name`) repeats it."""

H5AD_SECONDS = _setting("H5AD_SECONDS", 10)
"""Seconds of the processor to read an .h5ad file in, and one more for each MiB of it."""

H5AD_MEMORY = _setting("H5AD_MEMORY", 2**30)
"""Bytes of memory to read an .h5ad file in, beside its matrix and 50 times its size."""

COORDINATE = 9_999.999
"""Angstrom from the origin: the largest coordinate that the PDB format can hold."""
