"""What is wrong in config.yaml and in task files: one readable sentence for each mistake.

Imported by the Snakefile, so nothing heavy is imported: no torch, no scikit-learn.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import jsonschema
import yaml

from bioloom.application import get_application
from bioloom.embedders import TABLE, complete, embedder_names, get_embedder, parts_of
from bioloom.embedders._pooling import RAGGED_POOLINGS
from bioloom.errors import DataError, unknown_name
from bioloom.features.extract import table_options
from bioloom.formats.table import is_table
from bioloom.kinds._threshold import check_threshold
from bioloom.models import check_parameters, model_names, unit_of
from bioloom.options import column_names, complete_options
from bioloom.pipeline.defaults import with_defaults
from bioloom.pipeline.reads import check_reads
from bioloom.pipeline.task_files import Respelt
from bioloom.pipeline.tasks import (
    PRETRAINED,
    Section,
    Task,
    embedder_options,
    is_pretrained,
    without,
)
from bioloom.pretraining.settings import Settings
from bioloom.sources import local_path
from bioloom.splits.split import checked_options

IN_QUOTES = "true and false are words of the data only in quotes"
WORDS_OF_DATA = ("keep", "exclude", "classes", "unlabelled", "columns")
"""Options of a data set that hold values, or names of columns, as they are in the user's files."""

OF_TEXT = ("header", "skip", "separator")
"""How a table of text is read, but not one whose columns have types (Parquet)."""

MARKS = re.compile("[{}<>]")
"""What Snakemake takes for a wildcard in the name of a file."""

SCHEMAS = Path(__file__).parents[3] / "workflow/schemas"


def config_mistakes(config: Section) -> list[str]:
    """Mistakes in config.yaml, but in what its `tasks` folder holds."""
    if isinstance(config.get("tasks"), dict):
        example = next(iter(config["tasks"]), "my_task")
        hint = f"move the block {example} to tasks/{example}.yaml and write `tasks: tasks`"
        return [f"config: tasks names a folder with one file a task. Hint: {hint}"]
    return [f"config: {mistake}" for mistake in _schema_mistakes(config, "config")]


def task_mistakes(name: str, content: Section, made: Collection[str] = ()) -> list[str]:
    """Mistakes in a task; `made` are the models that `pretrain` makes."""
    if name == "pretrained" or not re.fullmatch("[a-z][a-z0-9_]*", name):
        problem = "is taken" if name == "pretrained" else "is not of letters a to z, digits, _"
        return [f"the name {name!r} {problem}: call the file otherwise"]
    mistakes = _schema_mistakes(content, "task")
    mistakes = mistakes or _mistakes("application", get_application, content["application"])
    if mistakes:
        return mistakes
    task = Task(name, **with_defaults(content))
    if task.kind:
        mistakes = _mistakes("kind", _check_name, "kind", task.kind, task.code.kinds)
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
    )
    mistakes = [mistake for check in checks for mistake in check(task)]
    return (
        mistakes
        + _mistakes("clean", complete_options, task.clean, task.code.clean_options, "clean")
        + _mistakes("split", checked_options, task.split)
        + _unmade_models(task, made)
    ) or _mistakes("features", _check_weights, task)


def pretrain_mistakes(section: Section) -> list[str]:
    """Mistakes in a `pretrain` block."""
    mistakes = [
        mistake
        for name, source in section["corpora"].items()
        for mistake in _source_mistakes(f"corpora.{name}", source)
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


def _mistakes(place: str, check: Callable[..., Any], *arguments: Any) -> list[str]:
    """What a check has to say, as a list of none or one sentence."""
    try:
        check(*arguments)
    except DataError as error:
        return [f"{place}: {error}"]
    return []


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
    return [mistake for name in task.datasets for mistake in _dataset_mistakes(task, name)]


def _features_mistakes(task: Task) -> list[str]:
    mistakes = []
    for place, part in task.features_parts:
        check = table_options if part["embedder"] == TABLE else _check_embedder
        wrong = _mistakes(place, check, embedder_options(part))
        mistakes += wrong or _mistakes(place, _check_input, part, task)
    for place, features in task.sections("features"):
        mistakes += _mistakes(place, _check_list, parts_of(features), task)
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
            mistakes += _mistakes(place, check_parameters, section["name"], parameters)
        # The samples say which of these kinds it is: one that fits is enough.
        if section["name"] in model_names():
            unfit = [_mistakes(place, unit_of, section["name"], kind) for kind in task.kinds]
            mistakes += [] if [] in unfit else unfit[0]
    return mistakes


def _metric_mistakes(task: Task) -> list[str]:
    primary = task.evaluate.get("primary")
    if not primary:
        return []
    metrics = dict.fromkeys(metric.name for kind in task.kinds for metric in kind.metrics)
    known = [name for name in metrics if "by" in task.evaluate or not name.endswith("_macro")]
    return _mistakes("evaluate.primary", _check_name, "metric", primary, known)


def _threshold_mistakes(task: Task) -> list[str]:
    if task.threshold is None:
        return []
    if all(kind.threshold is None for kind in task.kinds):
        return [f"threshold: {task.application} calls nothing by a threshold"]
    return _mistakes("threshold", check_threshold, task.threshold)


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
    wrong += _searches_of_finetuned(task) if task.is_finetuned() else []
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


def _dataset_mistakes(task: Task, dataset: str) -> list[str]:
    application, place = task.code, f"datasets.{dataset}"
    made = ("reads", "truth") if task.is_simulated(dataset) else ()
    needed = application.sources + (application.training_sources if dataset == "training" else ())
    lacking = [name for name in needed if name not in {*task.datasets[dataset], *made}]
    mistakes = [f"{place}: the source {name!r} is missing" for name in lacking]
    for name, source in task.sources(dataset).items():
        mistakes += _source_mistakes(f"{place}.{name}", source)
    others = task.dataset_options(dataset)
    wrong = _mistakes(place, complete_options, others, application.dataset_options, dataset)
    if any("Unknown option" in mistake for mistake in wrong):
        known = ", ".join(application.all_sources)
        wrong.append(f"{place}: sources of {task.application} are {known}")
    for name in WORDS_OF_DATA:
        wrong += [f"{place}.{name}: {mistake}" for mistake in _unquoted(others.get(name))]
    if not wrong:
        columns = others.get("columns", {})
        wrong += _mistakes(f"{place}.columns", column_names, columns, application.columns)
        if dataset == "training" and task.parts(dataset):
            wrong.append(f"{place}.parts: a model is trained on all data at once")
        if others.get("scored"):
            wrong += _scored_mistakes(task, dataset)
        elif dataset != "training":
            wrong += [
                f"{place}.{name}: of new data it is compared with predictions under `scored: true`"
                for name in application.label_sources
                if name in task.datasets[dataset]
            ]
    mistakes += wrong
    if mistakes:
        return mistakes
    for name in others.get("read", {}):
        mistakes += _mistakes(f"{place}.read", _check_read, task, dataset, name)
    mistakes += _mistakes(f"{place}.reads", _check_reads, task, dataset)
    return mistakes or _mistakes(place, _check_paths, _read_files(task, dataset))


def _read_files(task: Task, dataset: str) -> list[str]:
    """The files that rules read for a data set, those in a folder or of a sample sheet, too."""
    reads = task.reads(dataset)
    lanes = [file for lane in reads.fastq for file in lane.fastq] if reads else []
    return [*task.raw_files(dataset), *lanes]


def _check_weights(task: Task) -> None:
    for name in task.features_sections:
        _check_paths([*task.weights(name), *task.weights_parts(name)])
    _check_paths([task.model_folder or ""])


def _check_paths(paths: Iterable[str]) -> None:
    for path in paths:
        if mark := MARKS.search(path):
            problem = f"Snakemake takes {mark[0]!r} in {path!r} for a part that stands for others"
            raise DataError(problem, hint="rename the file")


def _unquoted(value: Any) -> list[str]:
    """What of nested options, keys, too, is a word of the data only in quotes."""
    if isinstance(value, Mapping):
        return _unquoted([*value, *value.values()])
    if isinstance(value, list):
        return [mistake for part in value for mistake in _unquoted(part)]
    if isinstance(value, Respelt):
        return [f"{value.text} is a word of the data only in quotes, else it is {value}"]
    return [IN_QUOTES] if isinstance(value, bool) else []


def _check_read(task: Task, dataset: str, name: str) -> None:
    """Raise DataError for an option `read: {name: ...}` that nothing would read."""
    tables, given = task.code.tables, task.datasets[dataset]["read"][name]
    _check_name("table", name, tables)
    complete_options(given, tables[name], f"read: {name}")
    for mistake in _unquoted([given.get(option) for option in ("missing", "not_missing")]):
        raise DataError(mistake)
    file = task.given_files(dataset).get(name)
    if file is None:
        raise DataError(f"`{name}` is not given", hint="leave it out under `read`")
    if Path(file).suffix.lower() == ".parquet":
        unread = [option for option in given if option in OF_TEXT]
    else:
        unread = [] if is_table(Path(file)) else list(given)
    if unread:
        raise DataError(f"{file} is no table of text, and read without {', '.join(unread)}")


def _scored_mistakes(task: Task, dataset: str) -> list[str]:
    """What keeps predictions of a data set from being compared with its labels."""
    place = f"datasets.{dataset}.scored"
    if dataset == "training":
        return [f"{place}: of the training data held-out parts are scored"]
    if not task.is_trained:
        return [f"{place}: the baselines to compare with need the data set `training`"]
    if task.parts(dataset):
        return [f"{place}: it cannot stand beside `parts`"]
    return []


def _check_reads(task: Task, dataset: str) -> None:
    if task.is_simulated(dataset) and {"reads", "truth"} & set(task.datasets[dataset]):
        raise DataError("`simulate` takes the place of `reads` and `truth`")
    if task.is_simulated(dataset):
        depths = task.simulation(dataset)["depths"]
        if not depths or not all(type(depth) in (int, float) and depth > 0 for depth in depths):
            raise DataError(f"`simulate: depths` are numbers above 0, got {depths}")
    if reads := task.reads(dataset):
        check_reads(reads, task.reads_options(dataset))


def _check_name(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise unknown_name(what, name, known)


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
        for mistake in _mistakes(f"{place}.model", _check_name, "model", part["model"], paths)
    ]


def _source_mistakes(place: str, source: Any) -> list[str]:
    if isinstance(source, str):
        if not os.path.exists(source):  # also a name that is too long for one
            return [f"{place}: no such file {source!r}"]
        return _mistakes(place, _check_paths, [source])
    keys = ({"artifact", "sha256", "member"}, {"url", "sha256"}, {"url", "sha256", "member"})
    if not isinstance(source, dict) or set(source) not in keys:
        forms = "a path; source, member; artifact, sha256, member; or url, sha256 (, member)"
        return [f"{place}: a source is {forms}"]
    if wrong := [key for key, value in source.items() if not isinstance(value, str)]:
        return [f"{place}.{key}: expected text, got {source[key]!r}" for key in wrong]
    return _mistakes(place, lambda: _check_paths([local_path(source)]))
