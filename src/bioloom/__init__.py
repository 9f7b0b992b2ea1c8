"""bioloom: biomedical applications of foundation models as one file-based pipeline.

In Python `load` reads a trained model and `embed` turns sequences into vectors.
"""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"
__all__ = ["embed", "load"]

_HOMES = {"embed": "bioloom.features.engine", "load": "bioloom.cli.predict"}


def __getattr__(name: str) -> Any:
    """Import what is public when it is asked for: `import bioloom` alone brings no torch."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
