"""What mkdocs makes of the code: tables of options, and a page for each application.

A hook of mkdocs.yml. Nothing is written beside the sources, so that no page can be older than the
code; options are those of the schemas by which editors check.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from bioloom.application import application_names, get_application
from bioloom.embedders import TABLE, embedder_names, get_embedder
from bioloom.models import get_model, model_names
from bioloom.pipeline.defaults import with_defaults
from bioloom.pipeline.editor_schema import config_schema, task_schema
from bioloom.pipeline.task_files import read_task_file

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "tests/examples"
PREDICTIONS = ROOT / "docs/predictions"
Schema = Mapping[str, Any]

TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
LIMITS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most"}
APART = ("datasets", "split", "features", "model", "preprocess")
"""Sections of a task that are told by themselves."""
FILLED = (*APART[1:], "baselines")
"""Those that an application fills in where a task does not say them."""
BINARY = (".bam", ".gz")
LINES, LETTERS = 8, 100
"""How much of a file is shown."""
SUBJECTS = {
    "disease_diagnosis": "records",
    "disease_risk": "risk",
    "gene_regulatory_network": "models",
    "genome_assembly": "assembly",
    "precision_medicine": "precision",
    "protein_interaction": "models",
    "treatment_recommendation": "treatment",
    "variant_calling": "variants",
}
"""The page on an application's subject, where there is one."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that have no file in docs/."""
    pages = {f"applications/{name}.md": application_page(name) for name in application_names()}
    pages["contributing.md"] = (ROOT / "CONTRIBUTING.md").read_text()
    pages["changelog.md"] = (ROOT / "CHANGELOG.md").read_text()
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put what is made of the code where a page has `<!-- name -->`."""
    made = {
        "task": task_options,
        "split": split_options,
        "features": features_options,
        "model": lambda: table(section("model")["properties"]),
        "preprocess": lambda: table(section("preprocess")["properties"]),
        "config": lambda: table(config_schema()["properties"]),
        "embedders": embedders,
        "models": models,
    }
    return re.sub(r"^<!-- (\w+) -->$", lambda found: made[found[1]](), markdown, flags=re.MULTILINE)


schema_of_tasks = cache(task_schema)


def section(name: str) -> Schema:
    """A section of a task."""
    return schema_of_tasks()["$defs"][name]


def cases(name: str) -> dict[str, Schema]:
    """What a section takes, by the value of the key that says which kind it is."""
    return {
        next(iter(case["if"]["properties"].values()))["const"]: case["then"]["properties"]
        for case in section(name)["allOf"]
    }


def task_options() -> str:
    """The keys of a task."""
    keys = section("task")["properties"]
    own = {key: schema for key, schema in keys.items() if key not in APART}
    own["baselines"] = {
        "type": "object",
        "description": "by a name of yours, what is other than in the task: `features`, `model`, "
        "`preprocess`",
    }
    return table(own)


def split_options() -> str:
    """The ways to split."""
    return "\n".join(
        f"### {method}\n\n{table(without(options, 'method'))}\n"
        for method, options in cases("split").items()
    )


def features_options() -> str:
    """What all embedders take."""
    return table({key: cases("part")[TABLE][key] for key in shared_options()})


def shared_options() -> list[str]:
    """The keys of a part of a features section that all embedders have."""
    first, *others = cases("part").values()
    return [key for key in first if key != "embedder" and all(key in each for each in others)]


def embedders() -> str:
    """What each embedder is, and its options."""
    texts = {name: inspect.getdoc(get_embedder(name)) for name in embedder_names()}
    texts[TABLE] = "The columns of a table as they are."
    return "\n".join(
        f"## {name}\n\n{text}\n\n"
        f"{table(without(cases('part')[name], 'embedder', *shared_options()))}\n"
        for name, text in texts.items()
    )


def models() -> str:
    """What each model is, what it takes and predicts, and its parameters."""
    return "\n".join(map(_model, model_names()))


def _model(name: str) -> str:
    model = get_model(name)
    return f"""\
## {name}

{inspect.getdoc(import_module(model.__module__))}

{inspect.getdoc(model)}

Takes {", ".join(model.takes)}; predicts {", ".join(model.gives)}.

{table(without(cases("model")[name], "name", "search"))}
"""


def application_page(name: str) -> str:
    """What an application reads, a smallest task of it with what comes of it, and its options."""
    application, folder = get_application(name), EXAMPLES / name
    content = read_task_file(folder / "task.yaml").content
    keys = cases("task")[name]
    dataset = keys["datasets"]["additionalProperties"]["properties"]
    columns = dataset.get("columns", {}).get("properties", {})
    defaults = json.loads(json.dumps(with_defaults(content)))  # no anchors for what is shared
    filled = {key: defaults[key] for key in FILLED if key in defaults and key not in content}
    subject = SUBJECTS.get(name)
    return f"""\
# {name.replace("_", " ").capitalize()}

{inspect.getdoc(import_module(f"bioloom.applications.{name}"))}

{f"More of its subject is on [a page of its own](../{subject}.md)." if subject else ""}

```bash
bioloom init my_project --application {name}
```

## A smallest task

```yaml
{(folder / "task.yaml").read_text().partition(chr(10))[2]}```

{"".join(_files(folder, content))}

## What comes of it

The samples of the training data, `results/<task>/training/samples.parquet`:

{_beginning(folder / "samples.csv")}

{_predictions(PREDICTIONS / f"{name}.csv")}

## Sources

Needed: {_names(application.sources + application.training_sources)}.
May be left out: {_names(application.optional_sources)}.

## Other keys of a data set

{table(without(dataset, "columns", *application.all_sources))}

## columns

{table(columns)}

## clean

{table(keys["clean"]["properties"])}

## What is filled in

Where the task above says nothing:

```yaml
{yaml.safe_dump(filled, sort_keys=False)}```
"""


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _files(folder: Path, content: Mapping[str, Any]) -> Iterator[str]:
    """The files that a task names."""
    values = [value for data in content["datasets"].values() for value in data.values()]
    for name in dict.fromkeys(value for value in values if isinstance(value, str)):
        path = folder / name
        if path.suffix in BINARY:
            yield f"`{name}` is not text, and has {path.stat().st_size:,} bytes.\n\n"
        elif path.is_file():
            yield f"`{name}`\n\n{_beginning(path)}\n"


def _beginning(path: Path) -> str:
    """The first lines of a text file, or of their letters."""
    lines = path.read_text().splitlines()
    shown = [line[:LETTERS] + " ..." * (len(line) > LETTERS) for line in lines[:LINES]]
    shown += [f"... {len(lines)} lines"] * (len(lines) > LINES)
    return "\n".join(("```text", *shown, "```\n"))


def _predictions(path: Path) -> str:
    """The first predictions that a task of an application made of new data, in a smaller run."""
    if not path.exists():
        return ""
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    task = rows.pop("task")[0]
    head = ["column", *(f"row {i + 1}" for i in rows.index)]
    lines = [[f"`{column}`", *map(_cell, rows[column].str.slice(0, 40))] for column in rows]
    run = f"here the first of a run of `{task}`, or of a smaller form of it"
    return f"How predictions look, {run}:\n\n{_grid(head, lines)}\n"


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def table(options: Schema) -> str:
    """A row an option: its name, what it takes, its default, and what it is where that is said."""
    named = list(flat(options))
    rows = [(f"`{name}`", takes(schema), _default(schema)) for name, schema in named]
    said = [_cell(schema.get("description", "")) for _, schema in named]
    head: tuple[str, ...] = ("option", "takes", "default")
    if any(said):
        head, rows = (*head, ""), [(*row, text) for row, text in zip(rows, said, strict=True)]
    return _grid(head, rows) if rows else "No options."


def flat(options: Schema, above: str = "") -> Iterator[tuple[str, Schema]]:
    """The options, and those of their sections by names with points."""
    for name, given in options.items():
        schema = section(given["$ref"].rpartition("/")[2]) if "$ref" in given else given
        each = schema.get("additionalProperties") or {}
        inner, place = schema.get("properties"), f"{above}{name}"
        if not inner and "properties" in each:
            inner, place = each["properties"], f"{above}{name}.<name>"
        if not inner or "description" in schema:
            yield f"{above}{name}", schema
        yield from flat(inner or {}, f"{place}.")


def takes(schema: Schema) -> str:
    """What a value may be, in words; empty where it may be anything."""
    if "anyOf" in schema:
        return " or ".join(map(takes, schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum") or [schema["const"]])
    given = schema.get("type", [])
    limits = " and ".join(f"{word} {schema[key]}" for key, word in LIMITS.items() if key in schema)
    kinds = " or ".join(TYPES[kind] for kind in ([given] if isinstance(given, str) else given))
    return f"{kinds}, {limits}" if limits else kinds


def without(options: Schema, *names: str) -> Schema:
    """The options but those of these names."""
    return {key: schema for key, schema in options.items() if key not in names}


def _default(schema: Schema) -> str:
    """The default; none where it is null, or where a section has those of its options."""
    default = schema.get("default")
    text = default if isinstance(default, str) and default else json.dumps(default)
    return "" if default is None else f"`{text}`"


def _cell(text: str) -> str:
    """A text as a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
