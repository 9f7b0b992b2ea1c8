"""List the applications and the sources that each reads; of one, also its options."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from bioloom.application import application_names, get_application
from bioloom.options import Option

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
            print("  columns:", ", ".join(map(str, application.columns)))
            _print_options("data set options", application.options)
            _print_options("clean", application.clean_options)


def _print_options(title: str, options: Mapping[str, object]) -> None:
    print(f"  {title}:")
    for key, option in options.items():
        default = option.default if isinstance(option, Option) else option
        choices = option.choices if isinstance(option, Option) else ()
        among = f" (one of {', '.join(map(str, choices))})" if choices else ""
        about = f"  {option.about}" if isinstance(option, Option) and option.about else ""
        print(f"    {key}: {default!r}{among}{about}")
