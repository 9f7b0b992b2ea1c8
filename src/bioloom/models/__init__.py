"""Models: one file each, with a class `Model` (see `_estimator`); the name in config is the file's.

A module whose name begins with an underscore is shared by models and is none itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from bioloom.errors import unknown_name

if TYPE_CHECKING:
    from bioloom.models._estimator import Estimator


def model_names() -> list[str]:
    """The names of all models; nothing is imported to list them."""
    return sorted(module.name for module in iter_modules(__path__) if module.name[0] != "_")


def get_model(name: str) -> type[Estimator]:
    """The class of the model that a task in config.yaml names."""
    if name not in model_names():
        raise unknown_name("model", name, model_names())
    return import_module(f"bioloom.models.{name}").Model


def check_parameters(name: str, parameters: Iterable[str]) -> None:
    """Raise DataError for a parameter that the model does not have, and for an unknown model."""
    known = parameter_names(name)
    for parameter in parameters:
        if parameter not in known:
            raise unknown_name("parameter", parameter, known, f" of the model {name}")


def parameter_names(name: str) -> list[str]:
    """The parameters of a model, read from its source: to import it could import torch."""
    if name not in model_names():
        raise unknown_name("model", name, model_names())
    return sorted(_fields(name, "Model") - {"kind", "n_outputs", "seed"})


@cache
def _fields(module: str, class_name: str) -> frozenset[str]:
    """The fields of a dataclass in `bioloom.models`, its bases' among them: annotated names."""
    tree = ast.parse(Path(__path__[0], f"{module}.py").read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    place = dict.fromkeys(classes, module)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{__name__}."):
            place |= {alias.name: str(node.module).rpartition(".")[2] for alias in node.names}
    fields = set()
    for node in classes[class_name].body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            fields.add(node.target.id)
    bases = [ast.unparse(base) for base in classes[class_name].bases]
    return frozenset(fields).union(*(_fields(place[base], base) for base in bases if base in place))
