"""List the models; of one, also what it takes and its parameters with their defaults."""

from __future__ import annotations

import argparse
import inspect
from importlib import import_module

from bioloom.cli.applications import print_options
from bioloom.models import described_parameters, get_model, model_names

HELP = "what can be trained, and with which parameters"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One model, or all."""
    parser.add_argument("name", nargs="?", choices=model_names(), metavar="name")


def main(name: str | None) -> None:
    """Print a line each, or all of one."""
    for each in [name] if name else model_names():
        model = get_model(each)
        print(f"{each}: {_first_line(model.__module__)}")
        if name:
            print(f"  takes {', '.join(model.takes)}; predicts {', '.join(model.gives)}")
            print_options("parameters", described_parameters(each))


def _first_line(module: str) -> str:
    return (inspect.getdoc(import_module(module)) or "").splitlines()[0]
