"""Programs and packages that reads are trimmed and aligned by; which, the options of a task say."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec

from bioloom.errors import DataError


def require(package: str) -> None:
    """Raise DataError unless the package is installed."""
    if find_spec(package) is None:
        hint = 'pip install "bioloom[reads]"'
        raise DataError(f"Reads need the package {package}", hint=hint)


def module(package: str) -> list[str]:
    """The command that runs a package's program in this environment."""
    require(package)
    return [sys.executable, "-m", package]


def program(name: str, option: str) -> str:
    """The path of a program that an option of a data set names; DataError if there is none."""
    if path := shutil.which(name):
        return path
    raise DataError(f"There is no {name} on PATH", hint=f"install it, or leave `{option}` out")
