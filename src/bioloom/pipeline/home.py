"""Where the workflow lies: Snakefile, workflow/, scripts/, and the tasks and data that it ships."""

from __future__ import annotations

import sys
from pathlib import Path

_CLONE = Path(__file__).parents[3]

HOME = _CLONE if (_CLONE / "Snakefile").is_file() else Path(sys.prefix) / "share" / "bioloom"
"""The clone that this package is part of, or the folder that a wheel has installed."""
