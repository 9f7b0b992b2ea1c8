"""config.yaml: checked before any job runs, and cut into the section that each step may see.

Imported by the Snakefile, so nothing heavy is imported here.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import jsonschema
import yaml

from bioloom.application import application_names, get_application
from bioloom.embedders import complete, weights_source
from bioloom.errors import DataError
from bioloom.models import model_names
from bioloom.pretraining.settings import Settings
from bioloom.sources import local_path

Config = dict[str, Any]

TABLE = "table"
"""The embedder of an application whose samples are a table: the columns themselves."""

PRETRAINED = "results/pretrained"
"""Where the networks of the `pretrain` blocks lie: `features: model` names them by it."""


def check_config(config: Config, schema: str | Path) -> None:
    """Raise one DataError with a readable line for each mistake in the config."""
    described = yaml.safe_load(Path(schema).read_text())
    validator = jsonschema.Draft202012Validator(described)
    errors = sorted(validator.iter_errors(config), key=lambda error: list(error.absolute_path))
    mistakes = [_sentence(error) for error in errors]
    if not mistakes:
        for name, task in config["tasks"].items():
            mistakes += [f"tasks.{name}.{mistake}" for mistake in _task_mistakes(task)]
            mistakes += [f"tasks.{name}.{mistake}" for mistake in _unmade_models(config, task)]
        for name, section in config.get("pretrain", {}).items():
            mistakes += [f"pretrain.{name}.{mistake}" for mistake in _pretrain_mistakes(section)]
    if mistakes:
        raise DataError("config: " + "\nERROR: config: ".join(mistakes))


def _sentence(error: jsonschema.ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path) or "top level"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = sorted(cast(Config, error.schema).get("properties", {}))
        unknown = [str(key) for key in error.instance if key not in known]
        near = get_close_matches(unknown[0], known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known ones: {', '.join(known)}"
        return f"{place}: unknown key {', '.join(map(repr, unknown))}; {hint}"
    return f"{place}: {error.message}"


def _task_mistakes(task: Config) -> list[str]:
    mistakes = _unknown_name("application", task["application"], application_names())
    if mistakes:
        return mistakes
    application = get_application(task["application"])
    for dataset, options in task["datasets"].items():
        place = f"datasets.{dataset}"
        lacking = [name for name in application.sources if name not in options]
        mistakes += [f"{place}: the source {name!r} is missing" for name in lacking]
        for source in source_names(task, dataset):
            mistakes += _source_mistakes(f"{place}.{source}", options[source])
    for place, section in _sections(task, "features"):
        mistakes += _features_mistakes(place, section)
    for place, section in _sections(task, "model"):
        mistakes += _unknown_name(f"{place}.name", section["name"], model_names())
    return mistakes


def _sections(task: Config, key: str) -> list[tuple[str, Config]]:
    baselines = task.get("baselines", {})
    return [(key, task[key])] + [
        (f"baselines.{name}.{key}", baseline[key])
        for name, baseline in baselines.items()
        if key in baseline
    ]


def _unknown_name(place: str, name: str, known: list[str]) -> list[str]:
    if name in known:
        return []
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known ones: {', '.join(known)}"
    return [f"{place}: unknown {name!r}; {hint}"]


def _features_mistakes(place: str, section: Config) -> list[str]:
    if section["embedder"] == TABLE:
        return []
    try:
        complete(section)
    except DataError as error:
        return [f"{place}: {error}"]
    return []


def _pretrain_mistakes(section: Config) -> list[str]:
    mistakes = [
        mistake
        for name, source in section["corpora"].items()
        for mistake in _source_mistakes(f"corpora.{name}", source)
    ]
    try:
        Settings.from_config(pretrain_section(section))
    except DataError as error:
        mistakes.append(str(error))
    return mistakes


def _unmade_models(config: Config, task: Config) -> list[str]:
    """Mistakes in the names of models that `pretrain` should make."""
    return [
        mistake
        for place, section in _sections(task, "features")
        if (model := section.get("model", "")).startswith(f"{PRETRAINED}/")
        for mistake in _unknown_name(
            f"{place}.model",
            model.removeprefix(f"{PRETRAINED}/"),
            sorted(config.get("pretrain", {})),
        )
    ]


def _source_mistakes(place: str, source: Any) -> list[str]:
    if isinstance(source, dict):
        keys = ({"artifact", "sha256", "member"}, {"url", "sha256"}, {"url", "sha256", "member"})
        if set(source) not in keys:
            return [f"{place}: a source has artifact, sha256, member; or url, sha256 (, member)"]
        return []
    if not Path(source).exists():
        return [f"{place}: no such file {source!r}"]
    return []


def source_names(task: Config, dataset: str) -> list[str]:
    """The names of the sources that a data set gives, in the application's order."""
    application = get_application(task["application"])
    options = task["datasets"][dataset]
    return [n for n in (*application.sources, *application.optional_sources) if n in options]


def source_files(task: Config, dataset: str) -> dict[str, str]:
    """Source name -> local path of a data set, fetched or the user's own."""
    options = task["datasets"][dataset]
    return {name: local_path(options[name]) for name in source_names(task, dataset)}


def remote_sources(config: Config) -> dict[str, Config]:
    """Local path -> source, for everything that the fetch rule may have to bring."""
    sources = [
        task["datasets"][dataset][name]
        for task in config["tasks"].values()
        for dataset in task["datasets"]
        for name in source_names(task, dataset)
    ]
    for task in config["tasks"].values():
        sources += [_weights(section) for _, section in _sections(task, "features")]
    for section in config.get("pretrain", {}).values():
        sources += section["corpora"].values()
    return {local_path(source): source for source in sources if isinstance(source, dict)}


def weights_file(task: Config, features: str) -> list[str]:
    """The weights that a features file needs, as a list of none or one path."""
    source = _weights(features_section(task, features))
    return [local_path(source)] if source else []


def weights_parts(task: Config, features: str) -> list[str]:
    """The files of a model folder of the user's: Snakemake compares what is in them, not its age.

    Folders that Snakemake made, and fetched files, are none of these.
    """
    return [
        str(part)
        for folder in map(Path, weights_file(task, features))
        if folder.is_dir() and not folder.is_relative_to("results")
        for part in sorted(folder.glob("*"))
        if part.is_file()
    ]


def _weights(section: Config) -> Config | str | None:
    if section["embedder"] == TABLE:
        return None
    model = section.get("model", "")
    if model.startswith(f"{PRETRAINED}/") or Path(model or "-").is_dir():
        return model
    return weights_source(section)


def features_section(task: Config, features: str) -> Config:
    """The `features` section behind `features` or `features.<baseline>`."""
    name = features.removeprefix("features").removeprefix(".")
    return task["baselines"][name]["features"] if name else task["features"]


def features_names(task: Config) -> list[str]:
    """The features files that training needs: the task's, and those of its baselines."""
    baselines = task.get("baselines", {})
    return ["features"] + [
        f"features.{name}" for name in baselines if "features" in baselines[name]
    ]


def dataset_section(task: Config, dataset: str) -> Config:
    """What ingest may know beyond its files: how to read them."""
    names = source_names(task, dataset)
    return {key: value for key, value in task["datasets"][dataset].items() if key not in names}


def corpus_files(section: Config) -> dict[str, str]:
    """Corpus name -> local path of a `pretrain` block, fetched or the user's own."""
    return {name: local_path(source) for name, source in section["corpora"].items()}


def pretrain_section(section: Config) -> Config:
    """What pretrain may know beyond its corpora and the seed."""
    return {key: value for key, value in section.items() if key not in ("corpora", "seed")}


def train_section(task: Config) -> Config:
    """What train may know."""
    keys = ("application", "model", "baselines", "preprocess", "positive")
    return {key: task[key] for key in keys if key in task}


def report_files(task: str) -> dict[str, str]:
    """What the report shows of a task, by what it is."""
    folder = f"results/{task}"
    return {
        "metrics": f"{folder}/metrics.json",
        "plots": f"{folder}/plots",
        "quality": f"{folder}/training/quality.json",
        "leakage": f"{folder}/leakage.json",
        "features": f"{folder}/training/features.json",
        "explanation": f"{folder}/explanation.parquet",
        "model": f"{folder}/model",
    }


def section_json(section: Config | None) -> str:
    """A section as sorted JSON: the form in which a rule's params carry it."""
    return json.dumps(section or {}, sort_keys=True)
