"""config.yaml with the tasks that it names, read and checked: what the rules work on.

Imported by the Snakefile, so nothing heavy is imported here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioloom.application import application_names, get_application
from bioloom.errors import DataError, several, unknown_name
from bioloom.pipeline.check import config_mistakes, pretrain_mistakes, task_mistakes
from bioloom.pipeline.defaults import with_defaults
from bioloom.pipeline.sections import Section, without
from bioloom.pipeline.task_files import Content, TaskFile, read_task_files, refuse_unfolding
from bioloom.pipeline.tasks import Task
from bioloom.sources import local_path


@dataclass(frozen=True)
class Project:
    """All tasks, the seed, and the `pretrain` blocks, their named sources looked up."""

    seed: int
    tasks: dict[str, Task]
    files: dict[str, TaskFile]
    pretrain: dict[str, Section]

    @property
    def trained(self) -> dict[str, Task]:
        """The tasks whose models are trained here, and shown in the report."""
        return {name: task for name, task in self.tasks.items() if task.is_trained}

    def filled_in(self, task: str) -> list[str]:
        """The sections of a task that its file does not say."""
        return sorted(set(self.tasks[task].seen("describe")) - set(self.files[task].content))

    @property
    def remote_sources(self) -> dict[str, Section]:
        """Local path -> source, for everything that the fetch rule may have to bring."""
        sources: list[Any] = []
        for task in self.tasks.values():
            sources += [s for dataset in task.datasets for s in task.sources(dataset).values()]
            sources += [s for name in task.features_sections for s in task.weights_sources(name)]
        for section in self.pretrain.values():
            sources += section["corpora"].values()
        return {local_path(source): source for source in sources if isinstance(source, dict)}

    def corpus_files(self, pretrained: str) -> dict[str, str]:
        """Corpus name -> local path of a `pretrain` block, fetched or the user's own."""
        corpora = self.pretrain[pretrained]["corpora"]
        return {name: local_path(source) for name, source in corpora.items()}

    def pretrain_options(self, pretrained: str) -> Section:
        """What pretrain may know beyond its corpora and the seed."""
        return without(self.pretrain[pretrained], "corpora", "seed")


def read_project(config: Content, *, may_lack_files: bool = False) -> Project:
    """The project of a config; one DataError with a readable line for each mistake in it.

    Files may be lacking in a module of another workflow, whose rules may make them, and where an
    object store has them.
    """
    refuse_unfolding(config, Path("config.yaml"))
    _refuse(config_mistakes(config))
    folders = config.get("tasks", "tasks")
    paths = map(Path, [folders] if isinstance(folders, str) else folders)
    files = read_task_files(*dict.fromkeys(paths))
    named = config.get("sources", {})
    blocks = config.get("pretrain", {})
    mistakes, tasks = list[str](), dict[str, Task]()
    for name, file in files.items():
        try:
            content = with_sources(file.content, named)
        except DataError as error:
            mistakes.append(f"{file.path}: {error}")
            continue
        wrong = task_mistakes(name, content, made=blocks, may_lack_files=may_lack_files)
        mistakes += [f"{file.path}: {mistake}" for mistake in wrong]
        if not wrong:
            tasks[name] = Task(name, **with_defaults(content)).with_frozen()
    pretrain = dict[str, Section]()
    for name, section in blocks.items():
        try:
            corpora = {key: _looked_up(s, named) for key, s in section["corpora"].items()}
        except DataError as error:
            mistakes.append(f"config: pretrain.{name}.corpora: {error}")
            continue
        pretrain[name] = section | {"corpora": corpora}
        wrong = pretrain_mistakes(pretrain[name], may_lack_files=may_lack_files)
        mistakes += [f"config: pretrain.{name}.{mistake}" for mistake in wrong]
    _refuse(mistakes)
    return Project(config.get("seed", 1), tasks, files, pretrain)


def with_sources(content: Content, named: dict[str, Section]) -> Content:
    """A task's content with `{source: <name>}` of its data sets as the config spells it out."""
    datasets, application = content.get("datasets"), content.get("application")
    if not isinstance(datasets, dict) or application not in application_names():
        return content
    known = get_application(application).all_sources
    spelt = {
        name: {k: _looked_up(v, named) if k in known else v for k, v in dataset.items()}
        if isinstance(dataset, dict)
        else dataset
        for name, dataset in datasets.items()
    }
    return content | {"datasets": spelt}


def _looked_up(source: Any, named: dict[str, Section]) -> Any:
    if not isinstance(source, dict) or not isinstance(source.get("source"), str):
        return source
    if source["source"] not in named:
        where = " (`sources` in config.yaml)"
        raise unknown_name("source", source["source"], named, where)
    return named[source["source"]] | without(source, "source")


def _refuse(mistakes: list[str]) -> None:
    if mistakes:
        raise several(mistakes)
