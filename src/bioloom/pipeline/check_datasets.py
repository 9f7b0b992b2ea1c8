"""What is wrong with a data set of a task: its sources, its options, and how tables are read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bioloom.errors import DataError, unknown_name
from bioloom.formats.genbank import is_genbank
from bioloom.formats.intervals import is_bed
from bioloom.formats.table import EXCEL, unread
from bioloom.options import column_names, complete_options
from bioloom.pipeline.mistakes import IN_QUOTES, check_name, check_paths, mistakes_of
from bioloom.pipeline.reads import check_reads
from bioloom.pipeline.task_files import Respelt
from bioloom.pipeline.tasks import Task
from bioloom.privacy.actions import KEYED_SHIFT, SHIFT
from bioloom.sources import local_path

WORDS_OF_DATA = (
    *("keep", "exclude", "classes", "unlabelled", "columns"),
    *("assignment", "substances", "codebook"),
)
"""Options of a data set that hold values, or names of columns, as they are in the user's files."""

ALL_ROWS = (
    *("scored", "pages", "records", "landmarks", "quasi_identifiers"),
    *("keep", "exclude"),
)
"""Options of a data set for which a job must see all of its rows."""


def dataset_mistakes(task: Task, dataset: str) -> list[str]:
    """Mistakes in one data set of a task."""
    application, place = task.code, f"datasets.{dataset}"
    made = ("reads", "truth") if task.is_simulated(dataset) else ()
    needed = application.sources
    block = task.block(dataset)
    is_labelled = any(block.get(name) is not None for name in application.training_options)
    if dataset == "training" and not is_labelled:
        needed += application.training_sources
    lacking = [name for name in needed if name not in {*task.datasets[dataset], *made}]
    mistakes = [f"{place}: the source {name!r} is missing" for name in lacking]
    for name, source in task.sources(dataset).items():
        mistakes += source_mistakes(f"{place}.{name}", source)
    others = task.dataset_options(dataset)
    wrong = mistakes_of(place, _check_options, task, dataset, others)
    # Not of a section in it, such as `records`.
    if any("Unknown option" in mistake and f"under `{dataset}`" in mistake for mistake in wrong):
        known = ", ".join(application.all_sources)
        wrong.append(f"{place}: sources of {task.application} are {known}")
    for name in WORDS_OF_DATA:
        wrong += [f"{place}.{name}: {mistake}" for mistake in _unquoted(others.get(name))]
    if not wrong:
        columns = others.get("columns", {})
        wrong += mistakes_of(f"{place}.columns", column_names, columns, application.columns)
        if task.parts(dataset):
            wrong += _parts_mistakes(task, dataset)
        if others.get("prior") is not None:
            wrong += _prior_mistakes(task, dataset)
        if others.get("scored"):
            wrong += _scored_mistakes(task, dataset)
        elif dataset != "training":
            wrong += [
                f"{place}.{name}: of new data it is compared with predictions under `scored: true`"
                for name in application.label_sources
                if name in task.datasets[dataset]
            ] + [
                f"{place}.{name}: it makes labels, of training data or under `scored: true`"
                for name in sorted(application.training_options)
                if others.get(name) is not None
            ]
    mistakes += wrong
    if mistakes:
        return mistakes
    for name in others.get("read", {}):
        mistakes += mistakes_of(f"{place}.read", _check_read, task, dataset, name)
    mistakes += mistakes_of(f"{place}.reads", _check_reads, task, dataset)
    return mistakes or mistakes_of(place, lambda: check_paths(_read_files(task, dataset)))


def _check_options(task: Task, dataset: str, options: Mapping[str, Any]) -> None:
    """Raise DataError for what is no option, with the nearest one, or source, and for its value."""
    known = task.code.dataset_options
    for name in options:
        if name not in known:
            near = (*task.code.all_sources, *known)
            raise unknown_name("option", name, near, f" under `{dataset}`")
    complete_options(options, known, dataset)


def _read_files(task: Task, dataset: str) -> list[str]:
    """The files that rules read for a data set, those in a folder or of a sample sheet, too."""
    reads = task.reads(dataset)
    lanes = [file for lane in reads.fastq for file in lane.fastq] if reads else []
    return [*task.raw_files(dataset), *lanes]


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
    check_name("table", name, tables)
    complete_options(given, tables[name], f"read: {name}")
    for mistake in _unquoted([given.get(option) for option in ("missing", "not_missing")]):
        raise DataError(mistake)
    file = task.given_files(dataset).get(name)
    if file is None:
        raise DataError(f"`{name}` is not given", hint="leave it out under `read`")
    if foreign := unread(Path(file), given):
        raise DataError(f"{file} is no table of text, and read without {', '.join(foreign)}")


def _parts_mistakes(task: Task, dataset: str) -> list[str]:
    """What keeps jobs from each predicting a part of a data set."""
    place, code = f"datasets.{dataset}.parts", task.code
    if dataset == "training":
        return [f"{place}: a model is trained on all data at once"]
    said = task.block(dataset)
    if beside := [name for name in ALL_ROWS if said.get(name)]:
        return [f"{place}: it cannot stand beside `{beside[0]}`"]
    if not code.divided:
        return []
    shared_out = [name for name in code.divided if name in said]
    if len(shared_out) != 1:
        return [f"{place}: what can be shared out are rows of {' or '.join(code.divided)}"]
    [source] = shared_out
    others = [name for name in code.all_sources if name in said and name != source]
    if unfit := [name for name in others if name not in code.divided[source]]:
        return [f"{place}: it cannot stand beside `{unfit[0]}`"]
    if SHIFT in said.get("privacy", {}).values() and said.get("columns", {}).get("patient"):
        return [f"{place}: `{SHIFT}` counts from a patient's first row; `{KEYED_SHIFT}` does not"]
    path = Path(task.given_files(dataset)[source])
    foreign = is_bed(path) or is_genbank(path) or path.suffix.lower() == EXCEL or path.is_dir()
    if foreign:
        return [f"{place}: {path} is no CSV, TSV, Parquet or FASTA file"]
    return []


def _scored_mistakes(task: Task, dataset: str) -> list[str]:
    """What keeps predictions of a data set from being compared with its labels."""
    place = f"datasets.{dataset}.scored"
    if dataset == "training":
        return [f"{place}: of the training data held-out parts are scored"]
    if not task.is_trained:
        return [f"{place}: the baselines to compare with need the data set `training`"]
    return []


def _prior_mistakes(task: Task, dataset: str) -> list[str]:
    """What keeps predictions of a data set from being told for another share of a class."""
    place = f"datasets.{dataset}.prior"
    if dataset == "training":
        return [f"{place}: the share of the training data is known; say it of new data"]
    if all(kind.at_prior is None for kind in task.kinds):
        return [f"{place}: {task.application} predicts no two classes"]
    return []


def _check_reads(task: Task, dataset: str) -> None:
    if task.is_simulated(dataset) and {"reads", "truth"} & set(task.datasets[dataset]):
        raise DataError("`simulate` takes the place of `reads` and `truth`")
    if reads := task.reads(dataset):
        harmless = task.dataset_options(dataset).get("not_identifiers") or []
        check_reads(reads, task.reads_options(dataset), harmless)


def missing_files(task: Task) -> list[str]:
    """The user's files that a task names and that are not there."""
    return [
        mistake
        for dataset in task.datasets
        for name, source in task.sources(dataset).items()
        for mistake in missing_file(f"datasets.{dataset}.{name}", source)
    ]


def missing_file(place: str, source: Any) -> list[str]:
    """That a source is a file of the user's which cannot be had, as a list of none or one."""
    if not isinstance(source, str):
        return []
    try:
        os.stat(source)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # of a zero byte
        return [f"{place}: no such file {source!r}"]
    except OSError as error:  # a name that is too long, a folder that may not be read
        return [f"{place}: {error.strerror}: {source!r}"]
    return []


def source_mistakes(place: str, source: Any) -> list[str]:
    """What keeps a source from being a file that rules can name, or one that can be fetched."""
    if isinstance(source, str):
        return mistakes_of(place, check_paths, [source])
    keys = ({"artifact", "sha256"}, {"url", "sha256"})
    if not isinstance(source, dict) or set(source) - {"member"} not in keys:
        forms = "a path; source, member; or artifact or url, sha256 (, member)"
        return [f"{place}: a source is {forms}"]
    if wrong := [key for key, value in source.items() if not isinstance(value, str)]:
        return [f"{place}.{key}: expected text, got {source[key]!r}" for key in wrong]
    return mistakes_of(place, lambda: check_paths([local_path(source)]))
