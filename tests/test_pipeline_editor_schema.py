"""The JSON schemas that editors check by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bioloom.application import application_names, get_application
from bioloom.evaluation.evaluate import OPTIONS as EVALUATE
from bioloom.explanation.explain import DEFAULTS as EXPLAIN
from bioloom.fitted.preprocess import DEFAULTS as PREPROCESS
from bioloom.models import described_parameters, model_names
from bioloom.options import Option
from bioloom.pipeline.editor_schema import as_text, config_schema, task_schema

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "workflow/schemas"
PLACES = ("tasks/**/*.yaml", "examples/*/tasks/*.yaml", "tests/examples/*/task.yaml")
TASKS = sorted(file for place in PLACES for file in ROOT.glob(place))
CONFIGS = sorted([ROOT / "config.yaml", *ROOT.glob("examples/*/config.yaml")])


def mistakes(kind: str, content: dict) -> list[str]:
    schema = json.loads((SCHEMAS / f"{kind}.schema.json").read_text())
    errors = jsonschema.Draft202012Validator(schema).iter_errors(content)
    return [f"{error.json_path}: {error.message}" for error in errors]


@pytest.mark.slow
def test_the_schemas_are_current():
    for name, schema in {"task": task_schema(), "config": config_schema()}.items():
        committed = (SCHEMAS / f"{name}.schema.json").read_text()
        assert committed == as_text(schema), f"python scripts/schemas.py --folder {SCHEMAS}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("section", "options"),
    [("evaluate", EVALUATE), ("explain", EXPLAIN), ("preprocess", PREPROCESS)],
)
def test_defaults_are_those_of_the_steps(section: str, options: dict):
    definitions = task_schema()["$defs"]
    said = {**definitions["task"]["properties"], "preprocess": definitions["preprocess"]}[section]
    defaults = {name: schema.get("default") for name, schema in said["properties"].items()}
    usual = {name: v.default if isinstance(v, Option) else v for name, v in options.items()}
    # An empty mapping is no default that needs to be said.
    assert defaults == {name: None if value == {} else value for name, value in usual.items()}


SECTION = ("properties", "additionalProperties")


def keys_of(schema: Any, above: str = "") -> Iterator[tuple[str, dict]]:
    """All keys that a schema knows, by their places in it."""
    parts = dict(enumerate(schema)) if isinstance(schema, list) else schema
    for key, part in parts.items() if isinstance(parts, dict) else ():
        if key == "properties":
            known = {name: said for name, said in part.items() if isinstance(said, dict)}
            yield from ((f"{above}.{name}", said) for name, said in known.items())
        yield from keys_of(part, f"{above}.{key}")


def unsaid(schema: dict) -> list[str]:
    """Keys of which nothing is said, but sections, what chooses them, and sources."""
    kinds = ("application", "method", "embedder", "name", "like")
    sources = {name for known in application_names() for name in get_application(known).all_sources}
    apart = (*(f".{name}" for name in kinds), *(f".additionalProperties.{s}" for s in sources))
    return [
        place
        for place, said in keys_of(schema)
        if not {"description", "$ref", "const", *SECTION} & said.keys()
        if not place.endswith(apart) and not place.startswith(".then.")
    ]


@pytest.mark.slow
def test_each_option_and_parameter_says_what_it_is():
    assert unsaid(task_schema()) == unsaid(config_schema()) == []
    known = {"k": {}, "of": {"description": "a gap"}}
    assert unsaid({"allOf": [{"properties": known}]}) == [".allOf.0.k"]
    for name in model_names():
        assert all(option.about for option in described_parameters(name).values()), name


@pytest.mark.parametrize("file", [*TASKS, *CONFIGS], ids=lambda file: str(file.relative_to(ROOT)))
def test_shipped_files_fit_and_name_their_schema(file: Path):
    kind = "config" if file.name == "config.yaml" else "task"
    assert mistakes(kind, yaml.safe_load(file.read_text())) == []
    words = file.read_text().splitlines()[0].split("$schema=")
    assert words[0] == "# yaml-language-server: "
    assert (file.parent / words[1]).resolve() == SCHEMAS / f"{kind}.schema.json"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"application": "protein"}, "'protein' is not one of"),
        ({"datasets": {"training": {"clinical": "a.csv", "colums": {}}}}, "'colums'"),
        ({"clean": {"rangs": {}}}, "'rangs'"),
        ({"split": {"method": "holdout", "folds": 5}}, "'folds'"),
        ({"features": {"embedder": "kmer", "k": 0}}, "less than the minimum"),
        ({"model": {"name": "dnn", "depth": 2}}, "'depth'"),
        ({"like": "heart", "modell": {}}, "'modell'"),
    ],
)
def test_an_editor_sees_the_mistake(change: dict, expected: str):
    task = {"application": "disease_diagnosis", "datasets": {"training": {"clinical": "a.csv"}}}
    assert mistakes("task", task) == []
    assert any(expected in mistake for mistake in mistakes("task", task | change))
