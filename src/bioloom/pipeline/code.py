"""What a result was made from: the hash of a step's code.

The modules of `bioloom.pipeline` are left out: they say how a job is run and not what it makes.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bioloom.embedders import TABLE, parts_of
from bioloom.models import members_of
from bioloom.pipeline.home import HOME
from bioloom.pipeline.sections import Features
from bioloom.pipeline.steps import STEPS
from bioloom.pipeline.tasks import Task

PACKAGE = Path(__file__).parents[1]
SCRIPTS = HOME / "scripts"
BESIDE = (".html", ".js", ".csv")
"""Endings of what a module reads that lies beside it under its name: a template, a list."""


def code_hash(step: str, *tasks: Task, features: Features | None = None) -> str:
    """A hash of the modules that a step of these tasks imports: an edit reruns just its users.

    `features` is the section whose embedders are meant, the task's own by default. Applications,
    kinds, embedders, models and what only some tasks need are imported by name at run time: of
    these only what the tasks name counts.
    """
    modules = {
        module
        for task in tasks
        for what in STEPS[step].modules
        for module in _NAMED[what](task, features or task.features)
    }
    return _hash(step, frozenset(modules))


@cache
def _hash(step: str, modules: frozenset[str]) -> str:
    """Many tasks name the same modules: their files are read once."""
    files = _closure(SCRIPTS / f"{step}.py").union(
        *(_closure(file) for file in map(_module_file, modules) if file)
    )
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _embedders(task: Task, features: Features) -> list[str]:
    names = {part["embedder"] for part in parts_of(features).values()} - {TABLE}
    engine = ["bioloom.features.engine"] if names else []
    return engine + [f"bioloom.embedders.{name}" for name in sorted(names)]


def _baselines(task: Task, features: Features) -> list[str]:
    floors = sorted({kind.floor for kind in task.kinds})
    chosen = [_models(b["model"]) for b in task.baselines.values() if "model" in b]
    return [f"bioloom.models.{name}" for name in floors] + [n for names in chosen for n in names]


def _models(section: Mapping[str, Any]) -> list[str]:
    """A model, and those that it is made of."""
    members = members_of(section["name"], section)
    return [f"bioloom.models.{name}" for name in (section["name"], *(m["name"] for m in members))]


_NAMED: dict[str, Callable[[Task, Features], list[str]]] = {
    "application": lambda task, _: [f"bioloom.applications.{task.application}"],
    "kinds": lambda task, _: [f"bioloom.kinds.{kind.name}" for kind in task.kinds],
    "measures": lambda task, _: [f"bioloom.similarity.{name}" for name in task.code.measures],
    "embedder": _embedders,
    "links": lambda task, _: ["bioloom.links.features"] if task.has_nodes else [],
    "model": lambda task, _: _models(task.model),
    "baselines": _baselines,
}
"""What `Step.modules` names -> the modules of a task and one of its features sections."""


@cache
def _closure(file: Path) -> frozenset[Path]:
    """The file and all bioloom modules that it imports, directly or not."""
    found, queue = set(), [file]
    while queue:
        current = queue.pop()
        if current in found:
            continue
        found.add(current)
        beside = (current.with_suffix(ending) for ending in BESIDE)
        found.update(file for file in beside if file.exists())
        queue += [path for path in map(_module_file, _imports(current)) if path]
    return frozenset(found)


@cache
def _imports(file: Path) -> list[str]:
    """The bioloom modules that a file imports; parsed once, many steps ask for the same files."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [
        name
        for name in names
        if name.startswith("bioloom.") and not name.startswith("bioloom.pipeline")
    ]


def _module_file(module: str) -> Path | None:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    if path.is_dir():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").exists() else None
