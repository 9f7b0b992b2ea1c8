"""What is wrong in config.yaml and in task files: one readable sentence for each mistake.

Imported by the Snakefile, so nothing heavy is imported: no torch, no scikit-learn.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import cast

import jsonschema
import yaml

from bioloom.application import get_application
from bioloom.embedders import TABLE, complete, embedder_names, get_embedder, parts_of
from bioloom.embedders._pooling import RAGGED_POOLINGS
from bioloom.errors import DataError, unknown_name
from bioloom.features.extract import table_options
from bioloom.kinds._threshold import check_threshold
from bioloom.models import check_parameters, members_of, model_names, unit_of
from bioloom.options import complete_options
from bioloom.pipeline.check_datasets import (
    dataset_mistakes,
    missing_file,
    missing_files,
    source_mistakes,
)
from bioloom.pipeline.defaults import with_defaults
from bioloom.pipeline.home import HOME
from bioloom.pipeline.mistakes import IN_QUOTES, check_name, check_paths, mistakes_of
from bioloom.pipeline.sections import (
    PRETRAINED,
    Section,
    embedder_options,
    is_pretrained,
    without,
)
from bioloom.pipeline.tasks import Task
from bioloom.pretraining.settings import Settings
from bioloom.splits.split import checked_options

SCHEMAS = HOME / "workflow/schemas"


def config_mistakes(config: Section) -> list[str]:
    """Mistakes in config.yaml, but in what its folders of tasks hold."""
    if isinstance(config.get("tasks"), dict):
        example = next(iter(config["tasks"]), "my_task")
        hint = f"move the block {example} to tasks/{example}.yaml and write `tasks: tasks`"
        return [f"config: tasks names a folder with one file a task. Hint: {hint}"]
    return [f"config: {mistake}" for mistake in _schema_mistakes(config, "config")]


def task_mistakes(
    name: str, content: Section, made: Collection[str] = (), *, may_lack_files: bool = False
) -> list[str]:
    """Mistakes in a task; `made` are the models that `pretrain` makes.

    Its files may be lacking where another workflow may make them, or an object store has them.
    """
    if name == "pretrained" or not re.fullmatch("[a-z][a-z0-9_]*", name):
        problem = "is taken" if name == "pretrained" else "is not of letters a to z, digits, _"
        return [f"the name {name!r} {problem}: call the file otherwise"]
    mistakes = _schema_mistakes(content, "task")
    mistakes = mistakes or mistakes_of("application", get_application, content["application"])
    if mistakes:
        return mistakes
    task = Task(name, **with_defaults(content))
    if task.kind:
        mistakes = mistakes_of("kind", check_name, "kind", task.kind, task.code.kinds)
    if mistakes:
        return mistakes
    checks = (
        _trained_mistakes,
        _datasets_mistakes,
        _features_mistakes,
        _finetune_mistakes,
        _model_mistakes,
        _metric_mistakes,
        _threshold_mistakes,
        _horizon_mistakes,
        _transform_mistakes,
    )
    mistakes = [] if may_lack_files else missing_files(task)
    mistakes += [mistake for check in checks for mistake in check(task)]
    mistakes += _unmade_models(task, made)
    # Baselines that are filled in repeat what is wrong with the task.
    filled = tuple(
        f"baselines.{name}." for name in task.baselines.keys() - content.get("baselines", {}).keys()
    )
    mistakes = [mistake for mistake in mistakes if not mistake.startswith(filled)] or mistakes
    return (
        mistakes
        + mistakes_of("clean", complete_options, task.clean, task.code.clean_options, "clean")
        + mistakes_of("split", checked_options, task.split)
    ) or mistakes_of("features", _check_weights, task)


def pretrain_mistakes(section: Section, *, may_lack_files: bool = False) -> list[str]:
    """Mistakes in a `pretrain` block; its files may be lacking as those of a task."""
    checks = [source_mistakes] if may_lack_files else [missing_file, source_mistakes]
    mistakes = [
        mistake
        for name, source in section["corpora"].items()
        for check in checks
        for mistake in check(f"corpora.{name}", source)
    ]
    try:
        Settings.from_config(without(section, "corpora", "seed"))
    except DataError as error:  # it says of which of the block's sections
        mistakes.append(str(error))
    return mistakes


@cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    described = yaml.safe_load((SCHEMAS / f"{schema}.schema.yaml").read_text())
    return jsonschema.Draft202012Validator(described)


def _schema_mistakes(content: Section, schema: str) -> list[str]:
    errors = _validator(schema).iter_errors(content)
    return [_sentence(error) for error in sorted(errors, key=lambda error: error.json_path)]


def _sentence(error: jsonschema.ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path) or "top level"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = sorted(cast(Section, error.schema).get("properties", {}))
        unknown = [unknown_name("key", key, known) for key in error.instance if key not in known]
        return f"{place}: {'; '.join(map(str, unknown))}"
    if "propertyNames" in error.schema_path:
        problem = "is taken" if error.validator == "not" else "is not of letters a to z, digits, _"
        return f"{place}: the name {error.instance!r} {problem}: choose another one"
    if isinstance(error.instance, bool) and "string" in str(error.validator_value):
        return f"{place}: {IN_QUOTES}"
    return f"{place}: {error.message}"


def _trained_mistakes(task: Task) -> list[str]:
    """What keeps a task from having one model, trained here or elsewhere."""
    if task.is_trained:
        return ["trained: it takes the place of the data set `training`"] if task.trained else []
    folder = task.model_folder
    if folder is None:
        return ["datasets: `training` is missing; `trained: <folder>` names a finished model"]
    described = Path(folder) / "model.yaml"
    if not os.path.isfile(described):
        return [f"trained: no model in {folder!r}: such a folder is results/<task>/model"]
    kind = yaml.safe_load(described.read_text()).get("kind")
    if kind not in task.kind_names:
        asked = " or ".join(task.kind_names)
        return [f"trained: the model in {folder!r} predicts {kind}, the task {asked}"]
    return []


def _datasets_mistakes(task: Task) -> list[str]:
    return [mistake for name in task.datasets for mistake in dataset_mistakes(task, name)]


def _features_mistakes(task: Task) -> list[str]:
    mistakes = []
    for place, part in task.features_parts:
        check = table_options if part["embedder"] == TABLE else _check_embedder
        wrong = mistakes_of(place, check, embedder_options(part))
        mistakes += wrong or mistakes_of(place, _check_input, part, task)
    for place, features in task.sections("features"):
        mistakes += mistakes_of(place, _check_list, parts_of(features), task)
    return mistakes


def _check_input(part: Section, task: Task) -> None:
    """Raise DataError unless a part whose options are right fits what it takes."""
    if "input" not in part:
        # Where samples are alike as rows of a table alone, they have no sequences.
        if part["embedder"] != TABLE and task.code.measures == (TABLE,):
            raise DataError(
                f"{task.application} has a table, which {part['embedder']} does not take",
                hint="`input: text.note` names a column of texts, such as `types: {note: text}` of "
                "a data set makes; `embedder: table` takes the table",
            )
        return
    if task.has_nodes:
        raise DataError("`input` is for samples, and those of this task are pairs of nodes")
    if part["embedder"] == TABLE or complete(embedder_options(part)).get("alphabet") != "text":
        raise DataError(
            "`input` names a column of texts, which this embedder does not read",
            hint="`{embedder: huggingface, alphabet: text, model: ...}` does",
        )
    if "finetune" in part:
        raise DataError("the embedder of an `input` cannot be fine-tuned")
    _check_pooled(part, "a text of `input`")


def _check_list(parts: dict[str, Section], task: Task) -> None:
    """Raise DataError for what cannot stand beside another part."""
    if len(parts) == 1:
        return
    if task.has_nodes:
        raise DataError("pairs of nodes take one embedder, not a list")
    for name, part in parts.items():
        for key in ("finetune", "network"):
            if key in part:
                raise DataError(
                    f"`{key}` of {name} cannot stand in a list", hint="make it the only part"
                )
        if "input" not in part:  # of which that is asked anyway
            _check_pooled(part, f"{name}, as a part of a list,")


def _check_pooled(part: Section, what: str) -> None:
    if part["embedder"] == TABLE or part["embedder"] not in embedder_names():
        return
    known = get_embedder(part["embedder"]).OPTIONS
    pooling = part.get("pooling", known["pooling"].default if "pooling" in known else None)
    if pooling in RAGGED_POOLINGS:
        raise DataError(
            f"{what} needs one vector a sample, and `pooling: {pooling}` gives several",
            hint="set `pooling: mean`",
        )


def _model_mistakes(task: Task) -> list[str]:
    mistakes = []
    for place, section in task.sections("model"):
        searched = section.get("search", {}).items()
        tried = [without(section, "name", "search")]
        tried += [{name: value} for name, values in searched for value in values]
        for parameters in tried:
            mistakes += mistakes_of(place, check_parameters, section["name"], parameters)
        # The samples say which of these kinds it is: one that fits is enough.
        if section["name"] in model_names():
            known = [section["name"], *(m["name"] for m in members_of(section["name"], section))]
            for name in set(known) & set(model_names()):
                unfit = [mistakes_of(place, unit_of, name, kind) for kind in task.kinds]
                mistakes += [] if [] in unfit else unfit[0]
    return mistakes


def _metric_mistakes(task: Task) -> list[str]:
    primary = task.evaluate.get("primary")
    if not primary:
        return []
    metrics = dict.fromkeys(metric.name for kind in task.kinds for metric in kind.metrics)
    known = [name for name in metrics if "by" in task.evaluate or not name.endswith("_macro")]
    return mistakes_of("evaluate.primary", check_name, "metric", primary, known)


def _threshold_mistakes(task: Task) -> list[str]:
    if task.threshold is None:
        return []
    if all(kind.threshold is None for kind in task.kinds):
        return [f"threshold: {task.application} calls nothing by a threshold"]
    return mistakes_of("threshold", check_threshold, task.threshold)


def _horizon_mistakes(task: Task) -> list[str]:
    if task.horizons is None or any(kind.horizons for kind in task.kinds):
        return []
    return [f"horizons: {task.application} predicts no time to an event"]


def _transform_mistakes(task: Task) -> list[str]:
    if task.transform is None or any(kind.transforms for kind in task.kinds):
        return []
    return [f"transform: {task.application} predicts no single number"]


def _finetune_mistakes(task: Task) -> list[str]:
    """What keeps the embedder of a task, or of one of its baselines, from being fine-tuned."""
    wrong = []
    for place, section in task.sections("features"):
        if "finetune" not in section:  # which a list never has, and no part of one may have
            continue
        if place != "features":
            problem = "only the features of the task itself are fine-tuned"
            wrong.append((place, problem, "the run without is the baseline `frozen`, made for you"))
        elif section["embedder"] != "huggingface":
            problem = f"the embedder {section['embedder']} cannot be fine-tuned"
            wrong.append((place, problem, "`embedder: huggingface` can"))
        elif task.kinds[0].unit != "sample" or task.has_nodes:
            problem = f"{task.application} has no single label a sequence to fine-tune on"
            wrong.append((place, problem, "leave `finetune` out"))
        elif task.split["method"] in ("auto", "cross_validation"):
            problem = "cross-validation would need a network for each fold"
            wrong.append((place, problem, "split by `method: holdout` or `column`"))
    if task.is_finetuned():
        wrong += _searches_of_finetuned(task)
        if task.learning_curve:
            problem = "a learning curve would score fewer labels on features that know all of them"
            wrong.append(("features", problem, "leave `evaluate: learning_curve` out"))
        if task.refit:
            problem = "refit: true would teach from features that know the labels of some rows"
            wrong.append(("features", problem, "leave `refit` out"))
    return [f"{place}.finetune: {problem}. Hint: {hint}" for place, problem, hint in wrong]


def _searches_of_finetuned(task: Task) -> list[tuple[str, str, str]]:
    wrong = []
    if "frozen" in task.baselines:
        problem = "`frozen` is the name of the run without"
        wrong.append(("features", problem, "call that baseline otherwise"))
    models = {"model": task.model} | {
        name: baseline.get("model", task.model)
        for name, baseline in task.baselines.items()
        if "features" not in baseline
    }
    for name, model in models.items():
        if "search" in model:
            problem = f"the search of {name} would score rows on whose labels they were fitted"
            wrong.append(("features", problem, "leave `search` out"))
    return wrong


def _check_weights(task: Task) -> None:
    for name in task.features_sections:
        check_paths([*task.weights(name), *task.weights_parts(name)])
    check_paths([task.model_folder or ""])


def _check_embedder(section: Section) -> None:
    options = complete(section)
    check_model = getattr(get_embedder(options["embedder"]), "check_model", None)
    if check_model and not is_pretrained(section):
        check_model(options)


def _unmade_models(task: Task, made: Collection[str]) -> list[str]:
    """Mistakes in the names of models that `pretrain` should make."""
    paths = [f"{PRETRAINED}/{name}" for name in made]
    return [
        mistake
        for place, part in task.features_parts
        if is_pretrained(part)
        for mistake in mistakes_of(f"{place}.model", check_name, "model", part["model"], paths)
    ]
