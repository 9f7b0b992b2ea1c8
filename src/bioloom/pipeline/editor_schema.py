"""JSON schemas for editors: completion and checks in task files and config.yaml as they are typed.

The structure is that of workflow/schemas/*.yaml, which is also checked before a run; the options of
applications, splits, embedders and models are added here from where they are defined.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import yaml

from bioloom.application import application_names, get_application
from bioloom.embedders import TABLE, embedder_names, get_embedder
from bioloom.features.extract import TABLE_OPTIONS
from bioloom.models import alternatives, described_parameters, model_names, parameters_of
from bioloom.models._estimator import Edges, Members, Share
from bioloom.options import Option, of_fields
from bioloom.pipeline.check import SCHEMAS
from bioloom.pretraining.settings import Tokenizer, Training
from bioloom.splits.split import OPTIONS as SPLIT_OPTIONS

Schema = dict[str, Any]

TYPES = {
    int: "integer",
    float: "number",
    bool: "boolean",
    str: "string",
    list: "array",
    dict: "object",
}
PARAMETERS: dict[Any, Schema] = {
    int: {"type": "integer", "minimum": 1},
    float: {"type": "number", "minimum": 0},
    Share: {"type": "number", "minimum": 0, "maximum": 1},
    Edges: {
        "type": "array",
        "items": {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
    },
    Members: {"type": "array", "items": {"$ref": "#/$defs/model"}, "minItems": 2},
    bool: {"type": "boolean"},
    str: {"type": "string"},
    NoneType: {"type": "null"},
}


def task_schema() -> Schema:
    """The schema of a task file; one that is `like` another may say any part, and null."""
    schema = _structure("task")
    definitions = schema.pop("$defs")
    definitions["split"] = _by_name("method", SPLIT_OPTIONS)
    definitions["part"] = _part(definitions["part"])
    definitions["model"] = _models(definitions["model"])
    names = application_names()
    whole = schema | {"allOf": [_case("application", name, _application(name)) for name in names]}
    whole["properties"] = {**whole["properties"], "application": {"enum": names}}
    dialect, title = whole.pop("$schema"), whole.pop("title")
    # What only names the keys does not mind their values: those of the other file are not here.
    part = {"properties": {"like": {"type": "string"}, **dict.fromkeys(whole["properties"], {})}}
    return {
        "$schema": dialect,
        "title": title,
        "if": {"required": ["like"]},
        "then": {"type": "object", **part, "additionalProperties": False},
        "else": {"$ref": "#/$defs/task"},
        "$defs": {"task": whole, **definitions},
    }


def config_schema() -> Schema:
    """The schema of config.yaml."""
    schema = _structure("config")
    block = schema["properties"]["pretrain"]["additionalProperties"]["properties"]
    for key, kind in {"tokenizer": Tokenizer, "training": Training}.items():
        block[key] |= _closed(of_fields(kind))
    return schema


def as_text(schema: Schema) -> str:
    """A schema as its file has it."""
    return json.dumps(schema, indent=1) + "\n"


def _structure(name: str) -> Schema:
    return dict(yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text()))


def _application(name: str) -> Schema:
    """What `datasets` and `clean` take in an application."""
    application = get_application(name)
    dataset = _closed({**dict.fromkeys(application.all_sources), **application.dataset_options})
    if application.columns:
        dataset["properties"]["columns"] = _closed(application.columns)
    datasets = {"additionalProperties": dataset}
    return {"properties": {"datasets": datasets, "clean": _closed(application.clean_options)}}


def _part(section: Schema) -> Schema:
    """A part of a features section: the options of each embedder, beside those of all."""
    shared = {key: section["properties"][key] for key in ("input", "finetune", "network")}
    options = {name: get_embedder(name).OPTIONS for name in embedder_names()}
    return _by_name("embedder", {**options, TABLE: TABLE_OPTIONS}, shared)


def _models(section: Schema) -> Schema:
    """A model section: the parameters of each model, and their values to search."""
    cases = {name: {"properties": _parameters(name)} for name in model_names()}
    return _choice("name", cases, {"search": section["properties"]["search"]})


def _by_name(key: str, options: dict[str, Schema], shared: Schema | None = None) -> Schema:
    """A section whose `key` says which options it takes."""
    cases = {name: _closed(known) for name, known in options.items()}
    return _choice(key, cases, shared or {})


def _choice(key: str, cases: dict[str, Schema], shared: Schema) -> Schema:
    """A section of one of several kinds, which `key` names; all of them have what is shared."""
    closed = {
        name: {
            "properties": {key: True, **case["properties"], **shared},
            "additionalProperties": False,
        }
        for name, case in cases.items()
    }
    return {
        "type": "object",
        "required": [key],
        "properties": {key: {"enum": [*cases]}},
        "allOf": [_case(key, name, case) for name, case in closed.items()],
    }


def _case(key: str, name: str, then: Schema) -> Schema:
    return {"if": {"properties": {key: {"const": name}}, "required": [key]}, "then": then}


def _closed(options: Mapping[str, Any]) -> Schema:
    """A mapping of options, and of no other keys."""
    properties = {name: _of_option(option) for name, option in options.items()}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _of_option(given: Any) -> Schema:
    """What an option may be, from an `Option` or a default, of which None leaves any."""
    option = given if isinstance(given, Option) else Option(given)
    return _may_be(option) | ({"description": option.about} if option.about else {})


def _may_be(option: Option) -> Schema:
    if option.type is None and option.default is None:
        return {}
    if option.options is not None:
        return _closed(option.options)
    if option.each is not None:
        return {"type": "object", "additionalProperties": _closed(option.each)}
    schema: Schema = {"type": TYPES[option.type or type(option.default)]}
    if option.items is not None:
        schema |= {"items": _may_be(option.items), "minItems": 1}
    if option.choices:
        schema = {"enum": [*option.choices]}
    limits = {
        "minimum": option.minimum,
        "exclusiveMinimum": option.above,
        "maximum": option.maximum,
    }
    schema |= {name: limit for name, limit in limits.items() if limit is not None}
    if option.default is None:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema | {"default": option.default}


def _parameters(model: str) -> Schema:
    """The parameters of a model, by their types."""
    described = described_parameters(model)
    return {
        name: {
            "anyOf": [_of_type(part) for part in alternatives(kind)],
            "default": described[name].default,
            "description": described[name].about,
        }
        for name, kind in parameters_of(model).items()
    }


def _of_type(kind: Any) -> Schema:
    """What a parameter of a type may be, as `check_parameters` has it."""
    if get_origin(kind) is Literal:
        return {"enum": [*get_args(kind)]}
    return PARAMETERS[kind]
