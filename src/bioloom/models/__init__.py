"""Models: one file each, with a class `Model` (see `_estimator`); the name in config is the file's.

A module whose name begins with an underscore is shared by models and is none itself.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import cache, partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioloom.errors import DataError, unknown_name
from bioloom.registry import find, names_in

if TYPE_CHECKING:
    from bioloom.models._estimator import Estimator

SHARES = ("dropout", "hide")
GIVEN = {"output", "n_outputs", "seed", "unit"}
"""Fields of a model that training gives, and no config."""


def model_names() -> list[str]:
    """The names of all models; nothing is imported to list them."""
    return names_in(__name__)


def models_of(unit: str) -> list[str]:
    """The models that answer for a sample, a residue or a residue pair."""
    return [name for name in model_names() if unit in get_model(name).answers]


def get_model(name: str) -> type[Estimator]:
    """The class of the model that a task in config.yaml names."""
    return find(__name__, name, "model").Model


def check_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    """Raise DataError for an unknown model, a parameter it does not have, and an impossible value.

    Whole numbers are 1 or more, others 0 or more, and a share lies between 0 and 1.
    """
    known = parameters_of(name)
    for parameter, value in parameters.items():
        if parameter not in known:
            raise unknown_name("parameter", parameter, sorted(known), f" of the model {name}")
        wanted = _wanted(known[parameter])
        if parameter in SHARES:
            wanted = {"a share from 0 to 1": lambda v: _is_number(v) and 0 <= v <= 1}
        if not any(fits(value) for fits in wanted.values()):
            hint = "YAML takes 1e-3 as text: write 0.001 or 1.0e-3"
            raise DataError(
                f"Parameter {parameter} of the model {name} is {' or '.join(wanted)}, "
                f"got {value!r}",
                hint=hint if isinstance(value, str) and value[:1].isdigit() else None,
            )


def parameters_of(name: str) -> dict[str, str]:
    """The parameters of a model, and their types as they are written in its source.

    They are read and not imported: to import a model could import torch.
    """
    if name not in model_names():
        raise unknown_name("model", name, model_names())
    fields = _fields(name, "Model")
    return {field: fields[field] for field in sorted(fields.keys() - GIVEN)}


def _wanted(written: str) -> dict[str, Callable[[Any], bool]]:
    """What a type takes, in words, and the test for it."""
    wanted: dict[str, Callable[[Any], bool]] = {}
    for part in written.split(" | "):
        if part == "int":
            wanted["a whole number above 0"] = lambda v: type(v) is int and v > 0
        elif part == "float":
            wanted["a number of 0 or more"] = lambda v: _is_number(v) and v >= 0
        elif part == "bool":
            wanted["true or false"] = lambda v: isinstance(v, bool)
        elif part == "None":
            wanted["null"] = lambda v: v is None
        elif part.startswith("Literal["):
            names = ast.literal_eval(part.removeprefix("Literal").replace("'", '"'))
            wanted[" or ".join(names)] = partial(operator.contains, names)
    return wanted


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


@cache
def _fields(module: str, class_name: str) -> dict[str, str]:
    """The fields of a dataclass in `bioloom.models`, its bases' among them, and their types."""
    tree = ast.parse(Path(__path__[0], f"{module}.py").read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    place = dict.fromkeys(classes, module)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{__name__}."):
            place |= {alias.name: str(node.module).rpartition(".")[2] for alias in node.names}
    fields = dict[str, str]()
    for node in classes[class_name].body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            fields[node.target.id] = ast.unparse(node.annotation)
    bases = [ast.unparse(base) for base in classes[class_name].bases]
    for base in bases:
        fields = _fields(place[base], base) | fields if base in place else fields
    return fields
