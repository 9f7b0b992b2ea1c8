"""Options from config over their defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bioloom.errors import DataError, unknown_name


def complete_options(
    options: Mapping[str, Any], defaults: Mapping[str, Any], section: str
) -> dict[str, Any]:
    """`options` over `defaults`; DataError for an unknown key or a value of another type."""
    if not isinstance(options, Mapping):
        raise DataError(f"`{section}` takes options by name, got {options!r}")
    for key, value in options.items():
        if key not in defaults:
            raise unknown_name("option", key, defaults, f" under `{section}`")
        expected = type(defaults[key])
        allowed = (int, float) if expected is float else (expected,)
        if defaults[key] is not None and not isinstance(value, allowed):
            raise DataError(
                f"`{section}: {key}` takes a {expected.__name__}, got {type(value).__name__}"
            )
    return {**defaults, **options}


def column_names(
    options: Mapping[str, Any], defaults: Mapping[str, str | None]
) -> dict[str, str | None]:
    """The user's column for each of our roles; a number is the name of a column without one."""
    names = complete_options(options, defaults, "columns")
    return {role: None if name is None else str(name) for role, name in names.items()}
