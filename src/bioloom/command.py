"""The common entry of all scripts: arguments in, one library call, files out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from bioloom.errors import DataError
from bioloom.running import join_jobs


def run(
    description: str | None,
    arguments: dict[str, Callable[[str], object]],
    main: Callable[..., None],
) -> None:
    """Parse `--name value` arguments by their types and call `main` with them.

    What the user can mend ends as one line on stderr and exit code 2; the rest is a traceback.
    A type in a list (`[Path]`) takes any number of values.
    """
    parser = argparse.ArgumentParser(description=description)
    for name, kind in arguments.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(kind, list):
            parser.add_argument(flag, type=kind[0], nargs="*", default=[])
        else:
            parser.add_argument(flag, type=kind, required=True)
    chosen = vars(parser.parse_args())
    join_jobs()
    try:
        main(**chosen)
    except DataError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        sys.exit(2)


def optional_path(paths: list[Path]) -> Path | None:
    """The one path of an optional argument, or None."""
    return paths[0] if paths else None


def json_object(text: str) -> dict:
    """A JSON object given as an argument."""
    return json.loads(text)
