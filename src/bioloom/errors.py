"""The one error for what a user can mend, told in one line; everything else is a traceback."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

BEGIN = "ERROR: "
SET_IN = "  "
"""How lines of a list begin that belong to an error."""
CALLED = "BIOLOOM_CALLED"
"""The variable of the environment with the command by which the user runs the workflow."""
_ROOM = "make room and run again; what is whole is kept"
_WRITABLE = "this user must be able to read inputs, and to write results, logs and hidden folders"
_PLACES = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EROFS: _WRITABLE,
    errno.EACCES: _WRITABLE,
}


class DataError(ValueError):
    """A mistake in the user's data or configuration.

    The text names what was expected and what was got, where it stands (file, row, column) and
    how to mend it. `row` counts from 1, as an editor does (in a table the header is row 1).
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        row: int | None = None,
        column: str | None = None,
        hint: str | None = None,
    ) -> None:
        places = {"file": file, "row": row, "column": column}
        where = ", ".join(f"{name} {value}" for name, value in places.items() if value is not None)
        text = f"{message} ({where})" if where else message
        super().__init__(f"{text}. Hint: {hint}" if hint else text)


def several(mistakes: Iterable[str]) -> DataError:
    """One error for several mistakes, a line each: where it is told, `ERROR: ` begins the first."""
    return DataError(f"\n{BEGIN}".join(mistakes))


def to_run() -> str:
    """The command that runs the workflow, as this user calls it, for a hint: "`bioloom run`".

    Who calls Snakemake says it in the environment, which jobs have, too.
    """
    return f"`{os.environ.get(CALLED, 'snakemake')}`"


def in_yaml(name: str) -> str:
    """A column's name as it must be written in a task file: quoted where YAML needs that.

    >>> in_yaml("age"), in_yaml("age: years")
    ('age', '"age: years"')
    """
    return name if re.fullmatch(r"[A-Za-z_][\w.]*", name) else json.dumps(name, ensure_ascii=False)


def unknown_name(what: str, name: str, known: Iterable[str], where: str = "") -> DataError:
    """The error for a `name` that is none of `known`: it tells the nearest one, or all of them."""
    known = list(known)
    near = get_close_matches(str(name), known, n=1)
    shown = ", ".join(known[:20]) + (" ..." if len(known) > 20 else "")
    hint = f"did you mean {near[0]!r}?" if near else f"known: {shown or 'none'}"
    return DataError(f"Unknown {what} {name!r}{where}", hint=hint)


def messages(lines: Iterable[str]) -> list[str]:
    r"""What `one_line_errors` told among other lines: with the lists that are set in below it.

    >>> messages(["rule x:", "ERROR: 2 columns", "  a: dates", "    b", "Error in rule x:", "  c"])
    ['ERROR: 2 columns\n  a: dates\n    b']
    """
    found: list[str] = []
    inside = False
    for line in lines:
        begins = line.startswith(BEGIN)
        inside = begins or (inside and line.startswith(SET_IN))
        if begins:
            found.append(line)
        elif inside:
            found[-1] += f"\n{line}"
    return found


def told_errors(logs: Iterable[Path]) -> list[str]:
    """What `one_line_errors` has left in logs; none of a log that is not there."""
    written = (log.read_text(errors="replace") for log in logs if log.is_file())
    return [told for text in written for told in messages(text.splitlines())]


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End the program with one line and exit code 2, where the user can mend what went wrong."""
    try:
        yield
    except Exception as error:
        told = error if isinstance(error, DataError) else _of_place(error)
        if told is None:
            raise
        print(f"{BEGIN}{told}", file=sys.stderr)
        sys.exit(2)


def _of_place(error: Exception) -> DataError | None:
    """The error for a full disk, or a place that may not be read or written; None for all others.

    Libraries in other languages tell it in their text alone.
    """
    for code, hint in _PLACES.items():
        problem = os.strerror(code)
        if getattr(error, "errno", None) == code or problem in str(error):
            return DataError(problem, file=getattr(error, "filename", None), hint=hint)
    return None
