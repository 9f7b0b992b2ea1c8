"""Mistakes as sentences, and what checks of several sections share."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

from bioloom.errors import DataError, unknown_name

IN_QUOTES = "true and false are words of the data only in quotes"
MARKS = re.compile("[{}<>]")
"""What Snakemake takes for a wildcard in the name of a file."""


def mistakes_of(place: str, check: Callable[..., Any], *arguments: Any) -> list[str]:
    """What a check has to say, as a list of none or one sentence."""
    try:
        check(*arguments)
    except DataError as error:
        return [f"{place}: {error}"]
    return []


def check_name(what: str, name: str, known: Collection[str]) -> None:
    """Raise DataError for a name that is unknown, with the nearest one."""
    if name not in known:
        raise unknown_name(what, name, known)


def check_paths(paths: Iterable[str]) -> None:
    """Raise DataError for names of files that Snakemake would take for patterns."""
    for path in paths:
        if mark := MARKS.search(path):
            problem = f"Snakemake takes {mark[0]!r} in {path!r} for a part that stands for others"
            raise DataError(problem, hint="rename the file")
