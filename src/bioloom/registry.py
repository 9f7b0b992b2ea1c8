"""Modules that are found by a name in the config: applications, kinds, embedders, models, measures.

The name is that of the file. A module whose name begins with an underscore is shared by the others
and is none itself.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from bioloom.errors import unknown_name


def names_in(package: str) -> list[str]:
    """The names that a package has modules for; none of them is imported."""
    return [*_names_in(package)]


@cache
def _names_in(package: str) -> tuple[str, ...]:
    path = import_module(package).__path__
    return tuple(sorted(module.name for module in iter_modules(path) if module.name[0] != "_"))


def find(package: str, name: str, what: str) -> ModuleType:
    """The module of that name; DataError tells the nearest known one of what it should be."""
    target = f"{package}.{name}"
    if not str(name).isidentifier() or name.startswith("_"):
        raise unknown_name(what, name, names_in(package))
    try:
        return import_module(target)
    except ModuleNotFoundError as error:
        if error.name != target:  # the module is there, and lacks one of its own
            raise
        raise unknown_name(what, name, names_in(package)) from None
