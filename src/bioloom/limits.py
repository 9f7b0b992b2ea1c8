"""Limits of what is read: more is damage or a mistake, and is told before it fills the memory."""

from __future__ import annotations

UNPACKED_TIMES = 200
"""A compressed file unpacks to so many times its size at most. Text shrinks to a third or a tenth;
gzip could make a thousandth of it. What is larger is unpacked by the user first."""

UNPACKED_FREE = 64 * 2**20
"""Bytes that any compressed file may unpack to."""

MOST_VALUES = 500_000_000
"""Values of a typed table or matrix: 2 GB as float32."""

MOST_RESIDUES = 100_000
"""Residues of a protein; the longest known ones, titins, have about 35,000."""

MOST_CONFIGURED = 1_000_000
"""Values of a task or config file, each counted wherever an anchor of YAML (`&name`) repeats it."""

COORDINATE = 9_999.999
"""Angstrom from the origin: the largest coordinate that the PDB format can hold."""
