"""The documentation: its snippets are valid, its site builds strictly, and opens in a browser."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bioloom.application import application_names
from bioloom.cli.main import command_line, main
from bioloom.pipeline.check import task_mistakes
from bioloom.pipeline.task_files import merged, read_task_file
from tests.toys import write

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = ROOT / "tests/examples"
QUICK = ("init", "check", "applications", "models")
"""Commands of which the snippets are run, too: they need no data but what ships."""


def snippets(language: str) -> list[Any]:
    """The fenced blocks of a language on all pages, as parameters called by their place."""
    fence = re.compile(rf"^( *)```{language}\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
    return [
        pytest.param(textwrap.dedent(found[2]), id=f"{page.stem}:{line}")
        for page in PAGES
        for text in [page.read_text()]
        for found in fence.finditer(text)
        for line in [text.count("\n", 0, found.start()) + 1]
    ]


def texts(value: Any) -> Iterator[str]:
    """All texts in nested content."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)
    elif isinstance(value, str):
        yield value


def examples(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The whole tasks that a snippet may be of: what it does not say is that of an example.

    It may be a part of a task, or of a data set.
    """
    for name in [content["application"]] if "application" in content else application_names():
        task = read_task_file(EXAMPLES / name / "task.yaml").content
        if "datasets" in content:
            yield {"application": name} | content
        yield merged(task, content)
        training = task["datasets"]["training"] | content
        yield task | {"datasets": task["datasets"] | {"training": training}}


def make_files(task: dict[str, Any]) -> None:
    """Empty files, and folders, for all that the task names; the check reads but sample sheets."""
    named = {text for text in texts(task) if re.search(r"\w\.\w+$|^\w.*/", text)}
    for path in map(Path, named):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.suffix:
            path.mkdir(exist_ok=True)
        else:
            write(path, f"sample,bam\nx,{path}\n" if path.suffix == ".csv" else "")


@pytest.mark.parametrize("text", snippets("yaml"))
def test_a_snippet_of_a_task_passes_its_check(text: str, tmp_path, monkeypatch):
    content = read_task_file(write(tmp_path / "snippet.yaml", text)).content
    monkeypatch.chdir(tmp_path)
    found = []
    for task in examples(content):
        make_files(task)
        found.append(task_mistakes("snippet", task))
        if not found[-1]:
            return
    pytest.fail(str(min(found, key=len)))


def commands() -> list[Any]:
    """The lines of `bioloom` in the snippets for a shell."""
    return [
        pytest.param(line.partition("bioloom ")[2], id=f"{snippet.id}:{number}")
        for snippet in snippets("bash")
        for number, line in enumerate(snippet.values[0].splitlines())
        if re.match(r"(\S*/)?bioloom ", line)
    ]


@pytest.mark.parametrize("line", commands())
def test_a_command_of_a_snippet_is_one(line: str, tmp_path, monkeypatch):
    arguments = shlex.split(line, comments=True)
    chosen, rest = command_line().parse_known_args(arguments)
    assert not rest or chosen.command == "run"
    if chosen.command not in QUICK:
        return
    monkeypatch.chdir(tmp_path)
    if chosen.command == "check":
        assert main(["init", "my_project"]) == 0
        monkeypatch.chdir("my_project")
    assert main(arguments) == 0
