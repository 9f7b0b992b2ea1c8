"""What a result was made from: the hash of a step's code."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from bioloom.application import get_application
from bioloom.pipeline.config import TABLE, has_nodes

PACKAGE = Path(__file__).parents[1]
SCRIPTS = PACKAGE.parents[1] / "scripts"

# Which of a task's named modules a step runs, beyond what its script imports.
_NAMED = {
    "ingest": ("application",),
    "nodes": ("application",),
    "clean": ("application",),
    "split": ("application",),
    "finetune": ("application",),
    "extract_features": ("application", "embedder", "network"),
    "train": ("application", "model", "baselines"),
    "evaluate": ("application",),
    "explain": ("application", "embedder", "model"),
    "predict": ("model",),
    "export": ("application",),
}


def code_hash(step: str, task: dict[str, Any] | None = None, features: Any = None) -> str:
    """A hash of the modules that a step of a task imports, so that an edit reruns just its users.

    `features` is the section whose embedder is meant, the task's own by default. Applications,
    embedders, models and what only some tasks need are imported by name at run time: of these
    only what the task names counts.
    """
    modules = [
        module
        for kind in _NAMED.get(step, ())
        for module in _named_modules(kind, task or {}, features)
    ]
    files = _closure(SCRIPTS / f"{step}.py").union(
        *(_closure(file) for file in map(_module_file, modules) if file)
    )
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _named_modules(kind: str, task: dict[str, Any], features: Any) -> list[str]:
    if kind == "application":
        return [f"bioloom.applications.{task['application']}"]
    if kind == "embedder":
        embedder = (features or task["features"])["embedder"]
        return (
            []
            if embedder == TABLE
            else ["bioloom.features.engine", f"bioloom.embedders.{embedder}"]
        )
    if kind == "network":
        return ["bioloom.links.features"] if has_nodes(task) else []
    if kind == "model":
        return [f"bioloom.models.{task['model']['name']}"]
    of_residues = get_application(task["application"]).task == "per_residue"
    floors = ["naive", "separation"] if of_residues else ["naive"]
    chosen = [b["model"]["name"] for b in task.get("baselines", {}).values() if "model" in b]
    return [f"bioloom.models.{name}" for name in floors + chosen]


@cache
def _closure(file: Path) -> frozenset[Path]:
    """The file and all bioloom modules that it imports, directly or not."""
    found, queue = set(), [file]
    while queue:
        current = queue.pop()
        if current in found:
            continue
        found.add(current)
        template = current.with_suffix(".html")
        found.update([template] if template.exists() else [])
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
    return [name for name in names if name.startswith("bioloom.")]


def _module_file(module: str) -> Path | None:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    if path.is_dir():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").exists() else None
