"""Models: one file each, with a class `Model` (see `_estimator`); the name in config is the file's.

A module whose name begins with an underscore is shared by models and is none itself. Importing a
model imports neither torch nor scikit-learn: a config is checked against its fields in no time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from bioloom.errors import DataError, unknown_name
from bioloom.kinds import Kind, Unit
from bioloom.models._estimator import Edges, Estimator, Members, Share
from bioloom.options import Option, of_fields
from bioloom.registry import find, names_in


def model_names() -> list[str]:
    """The names of all models; nothing is imported to list them."""
    return names_in(__name__)


def models_of(unit: str) -> list[str]:
    """The models that answer for a sample, a residue or a residue pair."""
    return [name for name in model_names() if unit in get_model(name).answers]


def get_model(name: str) -> type[Estimator]:
    """The class of the model that a task names."""
    return find(__name__, name, "model").Model


def unit_of(name: str, kind: Kind) -> Unit:
    """For what the model answers where this is predicted; DataError where it cannot.

    A model of samples sees residues as rows; residue pairs have no rows of their own.
    """
    answers, gives = get_model(name).answers, get_model(name).gives
    if kind.output not in gives:
        able = [other for other in model_names() if kind.output in get_model(other).gives]
        raise DataError(
            f"Model {name} does not predict {kind.name.replace('_', ' ')}",
            hint=f"models that do: {', '.join(able)}",
        )
    unit = "sample" if kind.unit == "residue" and kind.unit not in answers else kind.unit
    if unit not in answers:
        raise DataError(
            f"Model {name} does not predict {kind.name.replace('_', ' ')}",
            hint=f"models of a {unit.replace('_', ' ')}: {', '.join(models_of(unit))}",
        )
    return unit


def check_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    """Raise DataError for an unknown model, a parameter it does not have, and an impossible value.

    Whole numbers are 1 or more, others 0 or more, and a share lies between 0 and 1.
    """
    known = parameters_of(name)
    for parameter, value in parameters.items():
        if parameter not in known:
            raise unknown_name("parameter", parameter, sorted(known), f" of the model {name}")
        wanted = dict(map(_wanted, alternatives(known[parameter])))
        if not any(fits(value) for fits in wanted.values()):
            hint = "YAML takes 1e-3 as text: write 0.001 or 1.0e-3"
            raise DataError(
                f"Parameter {parameter} of the model {name} is {' or '.join(wanted)}, "
                f"got {value!r}",
                hint=hint if isinstance(value, str) and value[:1].isdigit() else None,
            )
    handed_on = {key: parameters[key] for key in ("class_weight",) if parameters.get(key)}
    for member in members_of(name, parameters):
        check_parameters(member["name"], handed_on | without_name(member))


def without_name(member: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a model as a task lists it.

    >>> without_name({"name": "svm", "C": 10.0})
    {'C': 10.0}
    """
    return {key: value for key, value in member.items() if key != "name"}


def members_of(name: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The models that a model is made of, as its parameters list them; of most none."""
    lists = [key for key, kind in parameters_of(name).items() if kind == Members]
    return [member for key in lists for member in parameters.get(key, [])]


def parameters_of(name: str) -> dict[str, Any]:
    """The parameters of a model and their types.

    They are its own fields; those that every model has are given by training, and by no config.
    """
    return _parameters(get_model(name)).copy()


@cache
def _parameters(model: type[Estimator]) -> dict[str, Any]:
    own = {field.name for field in fields(model)} - {field.name for field in fields(Estimator)}
    types = get_type_hints(model, include_extras=True)
    return {parameter: types[parameter] for parameter in sorted(own)}


def described_parameters(name: str) -> dict[str, Option]:
    """The parameters of a model with their defaults, and what each is."""
    described = of_fields(get_model(name))
    return {parameter: described[parameter] for parameter in parameters_of(name)}


def alternatives(kind: Any) -> tuple[Any, ...]:
    """The types that a type consists of: `int | None` are two, any other is itself.

    >>> alternatives(int | None), alternatives(str)
    ((<class 'int'>, <class 'NoneType'>), (<class 'str'>,))
    """
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _wanted(kind: Any) -> tuple[str, Callable[[Any], bool]]:
    """What a type takes, in words, and the test for it."""
    if get_origin(kind) is Literal:
        return " or ".join(get_args(kind)), lambda value: value in get_args(kind)
    return _WANTED[kind]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _are_edges(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(edge, list) and len(edge) == 2 and all(isinstance(end, str) for end in edge)
        for edge in value
    )


def _are_members(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(member, dict) and isinstance(member.get("name"), str) for member in value
    )


_WANTED: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    int: ("a whole number above 0", lambda value: type(value) is int and value > 0),
    float: ("a number of 0 or more", lambda value: _is_number(value) and value >= 0),
    Share: ("a share from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1),
    Edges: ("a list of edges [from, to]", _are_edges),
    Members: ("a list of models {name: ...}", _are_members),
    bool: ("true or false", lambda value: isinstance(value, bool)),
    str: ("text", lambda value: isinstance(value, str)),
    NoneType: ("null", lambda value: value is None),
}
