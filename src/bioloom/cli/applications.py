"""List the applications and the sources that each reads; of one, also its options."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from bioloom.application import application_names, get_application
from bioloom.options import flat

HELP = "what can be predicted, and from which files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One application, or all."""
    parser.add_argument("name", nargs="?", choices=application_names(), metavar="name")


def main(name: str | None) -> None:
    """Print a line each, or all of one."""
    for each in [name] if name else application_names():
        application = get_application(each)
        optional = [
            source for source in application.all_sources if source not in application.sources
        ]
        print(f"{each}: {', '.join(application.sources)}", end="")
        print(f" ({', '.join(optional)})" if optional else "")
        if name:
            print(f"  predicts: {', '.join(application.kinds)}")
            print_options("data set options", application.dataset_options)
            print_options("columns", application.columns)
            for read in {id(known): known for known in application.tables.values()}.values():
                tables = [source for source, own in application.tables.items() if own is read]
                print_options(f"read: {', '.join(tables)}", read)
            print_options("simulate", application.simulate)
            print_options("clean", application.clean_options)


def print_options(title: str, options: Mapping[str, Any]) -> None:
    """A line an option: its default, what it may be, and what it is; sections have no default."""
    if not options:
        return
    print(f"  {title}:")
    for name, option in flat(options):
        default = "" if option.options or option.each else f" {option.default!r}"
        among = f" (one of {', '.join(map(str, option.choices))})" if option.choices else ""
        print(f"    {name}:{default}{among}  {' '.join(option.about.split())}")
