"""The pages that mkdocs makes of the code: options of tasks, embedders and models, applications.

A hook of mkdocs.yml. Nothing is written beside the sources, so that no page can be older than the
code; options are those of the schemas by which editors check.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from bioloom.application import application_names, get_application
from bioloom.cli.models import described_parameters
from bioloom.embedders import TABLE, embedder_names, get_embedder
from bioloom.models import get_model, model_names
from bioloom.pipeline.defaults import with_defaults
from bioloom.pipeline.editor_schema import config_schema, task_schema
from bioloom.pipeline.task_files import read_task_file

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "tests/examples"
PREDICTIONS = Path(__file__).parent / "predictions"
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
TEXT = (".csv", ".tsv", ".fasta", ".fa", ".vcf", ".yaml")
"""Endings of the files of an example that are shown."""
SHOWN = 8
"""Lines of a file that are shown."""
WIDEST = 100
"""Letters of a line that are shown."""
FILLED = ("split", "features", "preprocess", "model", "baselines")
"""Sections that an application fills in where a task leaves them out."""
READ_MORE = {
    "disease_diagnosis": "tables",
    "disease_risk": "risk",
    "genome_assembly": "assembly",
    "precision_medicine": "precision",
    "protein_interaction": "models",
    "gene_regulatory_network": "models",
    "treatment_recommendation": "treatment",
    "variant_calling": "variants",
}
"""The page of an application's subject, where there is one."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages; mkdocs calls this once it knows its own."""
    pages = {
        "options/tasks.md": tasks(),
        "options/config.md": config_page(),
        "options/embedders.md": embedders(),
        "options/models.md": models(),
        **{f"applications/{name}.md": application(name) for name in application_names()},
        "contributing.md": (ROOT / "CONTRIBUTING.md").read_text(),
        "changelog.md": (ROOT / "CHANGELOG.md").read_text(),
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def tasks() -> str:
    """All keys of a task file but those that an application, an embedder or a model adds."""
    definitions = task_schema()["$defs"]
    keys = dict(definitions["task"]["properties"])
    dataset, split = keys.pop("datasets"), keys.pop("split")
    shared = definitions["part"]["allOf"][0]["then"]["properties"]
    places = dict.fromkeys(("model",), "models.md") | {"features": "embedders.md"}
    keys |= {name: {"description": f"see [{name}]({page})"} for name, page in places.items()}
    baseline = keys["baselines"]["additionalProperties"]["properties"]
    keys["baselines"] = {
        "type": "object",
        "description": f"by names of yours: {', '.join(baseline)}, where they are other than above",
    }
    named = dataset["propertyNames"]["not"]["enum"]
    return "\n".join(
        [
            "# Options of a task\n",
            "A task is a file `tasks/<task>.yaml`. `application` and `datasets` are needed, all else "
            "has defaults, which the application chooses; they stand in `results/<task>/task.yaml`.\n",
            table(keys, definitions),
            "\n## datasets\n",
            "`training` has labels; any other name is a data set of new data, whose predictions are "
            f"in `results/<task>/<name>` (not {', '.join(named)}). What a data set and `clean` "
            "take stands with each application in this site.\n",
            "## split\n",
            "`method` is one of these.\n",
            *by_choice(definitions["split"], "method"),
            "## features, of each embedder\n",
            table({key: shared[key] for key in ("input", "finetune", "network")}, definitions),
            "\n## preprocess\n",
            table(definitions["preprocess"]["properties"], definitions),
            "\n## like\n",
            "`like: <another task of the folder>`, or the path of a task file, takes over all that "
            "this file does not say. Mappings are merged key by key; null takes a key away.",
        ]
    )


def config_page() -> str:
    """All keys of config.yaml."""
    return "\n".join(
        [
            "# Options of config.yaml\n",
            "A project without the file has these defaults, and its tasks in `tasks/`.\n",
            table(config_schema()["properties"], {}),
        ]
    )


def embedders() -> str:
    """What each embedder is, and its options."""
    cases = _cases(task_schema()["$defs"]["part"])
    lines = [
        "# Embedders\n",
        "What a task names as `features: {embedder: ...}`. A list of several stands side by side in "
        "one vector a sample. Options of all of them are in [the task](tasks.md).\n",
    ]
    for name in (TABLE, *embedder_names()):
        about = (
            "The columns of a table as they are."
            if name == TABLE
            else inspect.getdoc(get_embedder(name))
        )
        own = {
            key: schema
            for key, schema in cases[name].items()
            if key not in ("embedder", "input", "finetune", "network")
        }
        lines += [f"## {name}\n", about or "", "", table(own, {}), ""]
    return "\n".join(lines)


def models() -> str:
    """What each model is, what it takes and predicts, and its parameters."""
    cases = _cases(task_schema()["$defs"]["model"])
    lines = [
        "# Models\n",
        "What a task names as `model: {name: ...}`. `search: {<parameter>: [values]}` beside the "
        "parameters tries values on validation rows.\n",
    ]
    for name in model_names():
        model = get_model(name)
        about = inspect.getdoc(import_module(model.__module__)) or ""
        lines += [f"## {name}\n", about, "", inspect.getdoc(model) or "", ""]
        lines += [f"Takes {', '.join(model.takes)}; predicts {', '.join(model.gives)}.\n"]
        told = described_parameters(name)
        own = {
            key: {"default": told[key].default, "description": told[key].about}
            | dict(cases[name][key])
            for key in told
        }
        lines += [table(own, {}), ""]
    return "\n".join(lines)


def application(name: str) -> str:
    """What an application reads, a smallest task of it with what comes of it, and its options."""
    known, folder = get_application(name), EXAMPLES / name
    content = read_task_file(folder / "task.yaml").content
    keys = _cases(task_schema()["$defs"]["task"])[name]
    dataset = dict(keys["datasets"]["additionalProperties"]["properties"])
    columns = dataset.pop("columns", {})
    others = {key: schema for key, schema in dataset.items() if key not in known.all_sources}
    needed = {*known.sources, *known.training_sources}
    about = inspect.getdoc(import_module(f"bioloom.applications.{name}")) or ""
    title = name.replace("_", " ").capitalize()
    more = READ_MORE.get(name)
    filled = {key: value for key, value in with_defaults(content).items() if key in FILLED}
    return "\n".join(
        [
            f"# {title}\n",
            about,
            f"\nMore on it: [{more}](../{more}.md).\n" if more else "",
            f"```bash\nbioloom init my_project --application {name}\n```\n",
            "## A smallest task\n",
            *_files(folder, content),
            "## What becomes of it\n",
            "The samples of the training data, `results/<task>/training/samples.parquet`:\n",
            _block(folder / "samples.csv"),
            *_predictions(name),
            "## Options\n",
            f"Predicts {', '.join(known.kinds)}.\n",
            "| source of a data set | |\n|---|---|",
            *(f"| `{s}` | {'needed' if s in needed else ''} |" for s in known.all_sources),
            "\n### Other keys of a data set\n",
            table(others, {}),
            *(("\n### columns\n", table(columns["properties"], {})) if columns else ()),
            *(
                ("\n### clean\n", table(keys["clean"]["properties"], {}))
                if known.clean_options
                else ()
            ),
            "\n## What is filled in\n",
            "Of the task above, and in `results/<task>/task.yaml` of each run:\n",
            f"```yaml\n{yaml.safe_dump(filled, sort_keys=False)}```\n",
        ]
    )


def _files(folder: Path, content: Mapping[str, Any]) -> Iterator[str]:
    """The task of an example and the files that it names."""
    text = (folder / "task.yaml").read_text()
    yield "".join(("```yaml\n", text.partition("\n")[2], "```\n"))
    named = {
        v for data in content["datasets"].values() for v in data.values() if _is_file(folder, v)
    }
    for name in sorted(named):
        path = folder / name
        if path.suffix in TEXT:
            yield f"`{name}`\n\n{_block(path)}"
        else:
            yield f"`{name}`: {path.stat().st_size:,} bytes, not text\n"


def _is_file(folder: Path, value: Any) -> bool:
    return isinstance(value, str) and (folder / value).is_file()


def _block(path: Path) -> str:
    """The beginning of a text file."""
    lines = path.read_text().splitlines()
    shown = [line if len(line) <= WIDEST else f"{line[:WIDEST]} ..." for line in lines[:SHOWN]]
    shown += [f"... {len(lines) - SHOWN} lines more"] if len(lines) > SHOWN else []
    return "\n".join(("```csv", *shown, "```\n"))


def _predictions(name: str) -> Iterator[str]:
    """The first predictions that a task of the application, one that ships, made of new data."""
    path = PREDICTIONS / f"{name}.csv"
    if not path.exists():
        return
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    task = str(rows.pop("task")[0])
    yield f"The first predictions of `{task}`, a task that ships:\n"
    yield "| column | " + " | ".join(f"row {i}" for i in range(1, len(rows) + 1)) + " |"
    yield "|---" * (len(rows) + 1) + "|"
    for column in rows:
        yield f"| `{column}` | " + " | ".join(_cell(value[:40]) for value in rows[column]) + " |"
    yield ""


def by_choice(schema: Schema, key: str) -> Iterator[str]:
    """A part a value of `key`, which says what else a section takes."""
    for name, properties in _cases(schema).items():
        own = {option: given for option, given in properties.items() if option != key}
        yield f"### {name}\n"
        yield f"{table(own, {})}\n" if own else "No options.\n"


def _cases(schema: Schema) -> dict[str, Schema]:
    """What a section takes, by the value of the key that says which kind it is."""
    return {
        next(iter(case["if"]["properties"].values()))["const"]: case["then"]["properties"]
        for case in schema["allOf"]
    }


def table(options: Schema, definitions: Schema) -> str:
    """A row an option: its name, what it takes, its default, and what it is."""
    if not options:
        return "No options."
    rows = [
        f"| `{name}` | {words(schema)} | {_default(schema)} | {_cell(schema.get('description', ''))} |"
        for name, schema in flat(options, definitions)
    ]
    return "\n".join(["| option | takes | default | |", "|---|---|---|---|", *rows])


def flat(options: Schema, definitions: Schema, above: str = "") -> Iterator[tuple[str, Schema]]:
    """The options with those of their sections, by names with points."""
    for name, given in options.items():
        schema = {} if given is True else given
        if "$ref" in schema:
            schema = definitions[schema["$ref"].rpartition("/")[2]]
        inner = schema.get("properties")
        each = schema.get("additionalProperties")
        if not inner and isinstance(each, Mapping) and "properties" in each:
            yield f"{above}{name}", {"type": "object", **_described(schema)}
            yield from flat(each["properties"], definitions, f"{above}{name}.&lt;name&gt;.")
        elif inner:
            if "description" in schema:
                yield f"{above}{name}", {"type": schema.get("type"), **_described(schema)}
            yield from flat(inner, definitions, f"{above}{name}.")
        else:
            yield f"{above}{name}", schema


def _described(schema: Schema) -> Schema:
    return {key: schema[key] for key in ("description",) if key in schema}


def words(schema: Schema) -> str:
    """What a value may be."""
    if "anyOf" in schema:
        return " or ".join(words(part) for part in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    given = schema.get("type") or ()
    kinds = [given] if isinstance(given, str) else given
    limits = [f"{word} {schema[name]}" for name, word in LIMITS.items() if name in schema]
    named = " or ".join(TYPES[kind] for kind in kinds if kind != "null")
    return " ".join(filter(None, (named, " and ".join(limits), "or null" * ("null" in kinds))))


def _default(schema: Schema) -> str:
    if "default" not in schema or schema["default"] is None:
        return ""
    return f"`{json.dumps(schema['default'])}`"


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")
