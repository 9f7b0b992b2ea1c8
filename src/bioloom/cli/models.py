"""List the models; of one, also what it takes and its parameters with their defaults."""

from __future__ import annotations

import argparse
import ast
import inspect
from dataclasses import MISSING, Field, dataclass, fields
from importlib import import_module
from typing import Any

from bioloom.models import get_model, model_names, parameters_of

HELP = "what can be trained, and with which parameters"


@dataclass(frozen=True)
class Parameter:
    """A parameter of a model: its default, and what the model says of it, if anything."""

    default: Any
    about: str


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
            for parameter, told in described_parameters(each).items():
                print(f"  {parameter}: {told.default!r}{'  ' * bool(told.about)}{told.about}")


def described_parameters(name: str) -> dict[str, Parameter]:
    """The parameters of a model that a task may set."""
    model = get_model(name)
    about = {key: text for base in reversed(model.__mro__) for key, text in _said(base).items()}
    defaults = {field.name: _default(field) for field in fields(model)}
    return {key: Parameter(defaults[key], about.get(key, "")) for key in parameters_of(name)}


def _said(model: type) -> dict[str, str]:
    """The texts that stand below the fields of a class."""
    if not model.__module__.startswith("bioloom."):
        return {}
    [body] = ast.parse(inspect.getsource(model)).body
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in zip(body.body, body.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(text.value.value, str)
    }


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _first_line(module: str) -> str:
    return (inspect.getdoc(import_module(module)) or "").splitlines()[0]
