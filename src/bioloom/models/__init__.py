"""Models: one file each, with a class `Model` (see `_estimator`); the name in config is the file's.

A module whose name begins with an underscore is shared by models and is none itself.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from bioloom.errors import DataError

if TYPE_CHECKING:
    from bioloom.models._estimator import Estimator


def model_names() -> list[str]:
    """The names of all models; nothing is imported to list them."""
    return sorted(module.name for module in iter_modules(__path__) if module.name[0] != "_")


def get_model(name: str) -> type[Estimator]:
    """The class of the model that a task in config.yaml names."""
    if name not in model_names():
        raise DataError(f"Unknown model {name!r}", hint=f"known ones: {', '.join(model_names())}")
    return import_module(f"bioloom.models.{name}").Model
