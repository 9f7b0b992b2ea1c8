"""Make a project that runs at once: config.yaml, one task on real data, and a .gitignore.

The task is the one that the workflow ships for the application; change its data sets to yours.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from bioloom.application import application_names, get_application
from bioloom.errors import DataError
from bioloom.pipeline.home import HOME
from bioloom.pipeline.task_files import read_task_files

HELP = "make a project that runs at once"
IGNORED = ("results/", "resources/", "logs/", ".snakemake/", ".bioloom")
FIRST = "disease_diagnosis"
"""The application of a project that names none: its task runs in a minute and fetches nothing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder, and which application its task is of."""
    parser.add_argument("folder", type=Path, help="a new or empty folder")
    parser.add_argument("--application", default=FIRST, choices=application_names(), metavar="NAME")


def main(folder: Path, application: str) -> None:
    """Write the project; DataError where something is in the way."""
    if folder.exists() and not folder.is_dir():
        raise DataError("A project is a folder, and this is a file", file=folder)
    if folder.exists() and any(file.name != ".git" for file in folder.iterdir()):
        raise DataError("The folder is not empty", file=folder, hint="name a new one")
    source, content = _task(application)
    text = source.read_text()
    used = _named_sources(content)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks").mkdir()
    # Editors find the schema beside the workflow, not in the project.
    schema = HOME / "workflow" / "schemas" / "task.schema.json"
    lines = [line for line in text.splitlines() if not line.startswith("# yaml-language-server")]
    first = f"# yaml-language-server: $schema={schema.as_uri()}"
    written = "\n".join([first, *(f"# {line}" for line in _introduction(application)), *lines])
    (folder / "tasks" / source.name).write_text(written + "\n")
    (folder / "config.yaml").write_text(_config(used))
    (folder / ".gitignore").write_text("\n".join(IGNORED) + "\n")
    for path in _shipped(content):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(HOME / path, folder / path)
    tracked = _with_dvc(folder)
    print(f"{folder}: {application}, task tasks/{source.name}{tracked}")
    print(f"Next: cd {folder} && bioloom run")


def _introduction(name: str) -> list[str]:
    """What a reader of a first task has to know, a line each."""
    application = get_application(name)
    needed = application.sources + application.training_sources
    others = [source for source in application.optional_sources if source not in needed]
    return [
        f"Sources of a data set are {', '.join((*needed, *others))}: name your files there.",
        "`training` has labels; what is in data sets of other names is predicted.",
        "`bioloom check` reads this file and the headers of tables, `bioloom run` does the rest;",
        f"`bioloom applications {name}` has all options. Those that are not here have defaults,",
        "which results/<task>/task.yaml then says.",
    ]


def _task(application: str) -> tuple[Path, dict[str, Any]]:
    """The smallest of an application's shipped tasks: fetching nothing, of few sources, short."""
    code, found = get_application(application), []
    for file in read_task_files(HOME / "tasks", HOME / "tasks/more").values():
        text = file.path.read_text()
        if file.content.get("application") == application and "like" not in yaml.safe_load(text):
            fetches = bool(_named_sources(file.content))
            given = next(iter(file.content["datasets"].values()))
            sources = len({*code.sources, *code.optional_sources} & {*given})
            found.append((fetches, sources, len(text), file.path, file.content))
    if not found:
        raise DataError(f"No task of {application} is shipped", file=HOME / "tasks")
    *_, path, content = min(found, key=lambda each: each[:3])
    return path, content


def _values(content: Any) -> list[Any]:
    """All values in nested content."""
    if isinstance(content, dict):
        return [content, *(v for part in content.values() for v in _values(part))]
    if isinstance(content, list):
        return [v for part in content for v in _values(part)]
    return [content]


def _named_sources(content: dict[str, Any]) -> list[str]:
    values = _values(content["datasets"])
    names = [v["source"] for v in values if isinstance(v, dict) and "source" in v]
    return sorted({name for name in names if isinstance(name, str)})


def _shipped(content: dict[str, Any]) -> list[str]:
    """Files of the workflow's data/ that the task names."""
    texts = {v for v in _values(content["datasets"]) if isinstance(v, str)}
    return sorted(t for t in texts if t.startswith("data/") and (HOME / t).is_file())


def _config(used: list[str]) -> str:
    """config.yaml: the seed, the folder of tasks, and the sources that the task fetches."""
    known = yaml.safe_load((HOME / "config.yaml").read_text()).get("sources", {})
    sources = {name: known[name] for name in used if name in known}
    config = {"seed": 1, "tasks": "tasks", **({"sources": sources} if sources else {})}
    return yaml.safe_dump(config, sort_keys=False)


def _with_dvc(folder: Path) -> str:
    """Turn DVC on where the folder is in a git repository; what was done, in words."""
    git = shutil.which("git")
    inside = git and subprocess.run(
        [git, "rev-parse", "--is-inside-work-tree"], cwd=folder, capture_output=True
    )
    if not inside or inside.returncode:
        return ""
    command = [sys.executable, "-m", "dvc", "init", "--subdir", "--quiet"]
    silent = os.environ | {"DVC_NO_ANALYTICS": "1"}  # DVC would tell its makers
    made = subprocess.run(command, cwd=folder, capture_output=True, env=silent)
    if made.returncode:
        return ""
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    return ", DVC in .dvc/"
