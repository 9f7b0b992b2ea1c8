"""What is wrong in config.yaml, told before any job runs: one readable line for each mistake.

Imported by the Snakefile: nothing heavy is imported, and models are not imported at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import jsonschema
import yaml

from bioloom.application import get_application
from bioloom.embedders import complete, get_embedder
from bioloom.errors import DataError, unknown_name
from bioloom.features.extract import check_table_options
from bioloom.kinds import get_kind
from bioloom.models import check_parameters
from bioloom.options import complete_options
from bioloom.pipeline.config import (
    PRETRAINED,
    TABLE,
    Config,
    dataset_section,
    embedder_section,
    is_finetuned,
    is_pretrained,
    pretrain_section,
    sections,
    source_names,
)
from bioloom.pretraining.settings import Settings
from bioloom.sources import local_path
from bioloom.splits.split import checked_options


def check_config(config: Config, schema: str | Path) -> None:
    """Raise one DataError with a readable line for each mistake in the config."""
    described = yaml.safe_load(Path(schema).read_text())
    validator = jsonschema.Draft202012Validator(described)
    errors = sorted(validator.iter_errors(config), key=lambda error: error.json_path)
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
        unknown = [unknown_name("key", key, known) for key in error.instance if key not in known]
        return f"{place}: {'; '.join(map(str, unknown))}"
    if "propertyNames" in error.schema_path:
        problem = "is taken" if error.validator == "not" else "is not of letters a to z, digits, _"
        return f"{place}: the name {error.instance!r} {problem}: choose another one"
    if isinstance(error.instance, bool) and "string" in str(error.validator_value):
        word = "yes" if error.instance else "no"
        return f'{place}: YAML reads yes, no, on, off as true and false: write "{word}" in quotes'
    return f"{place}: {error.message}"


def _mistakes(place: str, check: Callable[..., Any], *arguments: Any) -> list[str]:
    """What a check has to say, as a list of none or one sentence."""
    try:
        check(*arguments)
    except DataError as error:
        return [f"{place}: {error}"]
    return []


def _task_mistakes(task: Config) -> list[str]:
    mistakes = _mistakes("application", get_application, task["application"])
    if mistakes:
        return mistakes
    application = get_application(task["application"])
    for dataset in task["datasets"]:
        mistakes += _dataset_mistakes(task, dataset)
    mistakes += _option_mistakes("clean", task, "CLEAN", task.get("clean", {}))
    mistakes += _mistakes("split", checked_options, task["split"])
    for place, section in sections(task, "features"):
        check = check_table_options if section["embedder"] == TABLE else _check_embedder
        mistakes += _mistakes(place, check, embedder_section(section))
    mistakes += _finetune_mistakes(task)
    for place, section in sections(task, "model"):
        chosen = {key: value for key, value in section.items() if key not in ("name", "search")}
        searched = section.get("search", {}).items()
        tried = [chosen, *({name: value} for name, values in searched for value in values)]
        for parameters in tried:
            mistakes += _mistakes(place, check_parameters, section["name"], parameters)
    if primary := task.get("evaluate", {}).get("primary"):
        metrics = [m.name for name in application.kinds for m in get_kind(name).metrics]
        known = [m for m in metrics if "by" in task["evaluate"] or not m.endswith("_macro")]
        mistakes += _mistakes("evaluate.primary", _check_name, "metric", primary, known)
    return mistakes


def _finetune_mistakes(task: Config) -> list[str]:
    """What keeps the embedder of a task, or of one of its baselines, from being fine-tuned."""
    application, wrong = get_application(task["application"]), []
    for place, section in sections(task, "features"):
        if "finetune" not in section:
            continue
        if place != "features":
            problem = "only the features of the task itself are fine-tuned"
            wrong.append((place, problem, "the run without is the baseline `frozen`, made for you"))
        elif section["embedder"] != "huggingface":
            problem = f"the embedder {section['embedder']} cannot be fine-tuned"
            wrong.append((place, problem, "`embedder: huggingface` can"))
        elif get_kind(application.kinds[0]).unit != "sample" or application.nodes is not None:
            problem = f"{task['application']} has no single label a sequence to fine-tune on"
            wrong.append((place, problem, "leave `finetune` out"))
        elif task["split"]["method"] == "cross_validation":
            problem = "cross-validation would need a network for each fold"
            wrong.append((place, problem, "split by `method: holdout` or `column`"))
    if is_finetuned(task, "features"):
        if "frozen" in task.get("baselines", {}):
            problem = "`frozen` is the name of the run without"
            wrong.append(("features", problem, "call that baseline otherwise"))
        for name, model in {"model": task, **task.get("baselines", {})}.items():
            fitted = name == "model" or "features" not in model
            if fitted and "search" in model.get("model", task["model"]):
                problem = f"the search of {name} would score rows on whose labels they were fitted"
                wrong.append(("features", problem, "leave `search` out"))
    return [f"{place}.finetune: {problem}. Hint: {hint}" for place, problem, hint in wrong]


def _dataset_mistakes(task: Config, dataset: str) -> list[str]:
    application, place = get_application(task["application"]), f"datasets.{dataset}"
    options = task["datasets"][dataset]
    lacking = [name for name in application.sources if name not in options]
    mistakes = [f"{place}: the source {name!r} is missing" for name in lacking]
    for source in source_names(task, dataset):
        mistakes += _source_mistakes(f"{place}.{source}", options[source])
    others = dataset_section(task, dataset)
    known = [*application.sources, *application.optional_sources]
    wrong = _option_mistakes(place, task, "OPTIONS", others)
    if any("Unknown option" in mistake for mistake in wrong):
        wrong.append(f"{place}: sources of {task['application']} are {', '.join(known)}")
    if not wrong:
        wrong += _option_mistakes(f"{place}.columns", task, "COLUMNS", others.get("columns", {}))
        for source in others.get("read", {}):
            wrong += _mistakes(f"{place}.read", _check_name, "source", source, known)
    return mistakes + wrong


def _option_mistakes(place: str, task: Config, name: str, options: Config) -> list[str]:
    """Misspelt options and wrong types, where the application's module has such options."""
    module = import_module(f"bioloom.applications.{task['application']}")
    defaults = getattr(module, name, None)
    if defaults is None:
        return []
    return _mistakes(place, complete_options, options, defaults, place.rpartition(".")[2])


def _check_name(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise unknown_name(what, name, known)


def _check_embedder(section: Config) -> None:
    options = complete(section)
    check_model = getattr(get_embedder(options["embedder"]), "check_model", None)
    if check_model and not is_pretrained(section):
        check_model(options)


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
    made = [f"{PRETRAINED}/{name}" for name in config.get("pretrain", {})]
    return [
        mistake
        for place, section in sections(task, "features")
        if is_pretrained(section)
        for mistake in _mistakes(f"{place}.model", _check_name, "model", section["model"], made)
    ]


def _source_mistakes(place: str, source: Any) -> list[str]:
    if isinstance(source, str):
        return [] if Path(source).exists() else [f"{place}: no such file {source!r}"]
    keys = ({"artifact", "sha256", "member"}, {"url", "sha256"}, {"url", "sha256", "member"})
    if not isinstance(source, dict) or set(source) not in keys:
        return [f"{place}: a source is a path; artifact, sha256, member; or url, sha256 (, member)"]
    if wrong := [key for key, value in source.items() if not isinstance(value, str)]:
        return [f"{place}.{key}: expected text, got {source[key]!r}" for key in wrong]
    return _mistakes(place, local_path, source)
