"""`bioloom <command>`: a project from its first file to its report, without reading code."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from bioloom import __version__
from bioloom.errors import CALLED, one_line_errors

COMMANDS = (
    *("init", "check", "run", "predict", "compare", "embed", "convert", "effects", "crate"),
    *("fetch", "store", "applications", "models"),
)
EXAMPLES = """examples:
  bioloom init my_project --application disease_risk
  cd my_project && bioloom run
  bioloom predict results/heart/model new_patients.csv --out predictions.csv
"""


def command_line() -> argparse.ArgumentParser:
    """The parser of all commands; what it gives has the name of one in `command`."""
    parser = argparse.ArgumentParser(
        prog="bioloom",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"bioloom {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name in COMMANDS:
        module = _module(name)
        own = commands.add_parser(
            name,
            help=module.HELP,
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(own)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code is 2 for what a user can mend, told in the last line."""
    os.environ[CALLED] = "bioloom run"
    parser = command_line()
    chosen, rest = parser.parse_known_args(arguments)
    # What this program does not know is Snakemake's.
    if rest and chosen.command != "run":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    given: dict[str, Any] = {k: v for k, v in vars(chosen).items() if k != "command"}
    if chosen.command == "run":
        given["options"] = rest
    try:
        with one_line_errors():
            code = _module(chosen.command).main(**given) or 0
            sys.stdout.flush()
            return code
    except BrokenPipeError:  # of `bioloom run | head`, which has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at the end
        return 128 + signal.SIGPIPE


def _module(command: str) -> ModuleType:
    return import_module(f"bioloom.cli.{command}")


if __name__ == "__main__":
    sys.exit(main())
