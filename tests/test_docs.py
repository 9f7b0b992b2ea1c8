"""The documentation: its snippets are valid, its site builds strictly, and opens in a browser."""

from __future__ import annotations

import ast
import errno
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest

from bioloom.application import application_names
from bioloom.cli.main import command_line, main
from bioloom.pipeline.check import task_mistakes
from bioloom.pipeline.task_files import merged, read_task_file
from tests.tiny_models import configs, protein_bert
from tests.tiny_project import Project, environment
from tests.toys import write

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "config/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PREDICTIONS = sorted((ROOT / "docs/predictions").glob("*.csv"))
EXAMPLES = ROOT / "tests/examples"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OUTSIDE = ("ucum.org", "keepachangelog.com", "semver.org")
"""Servers that pages link to."""
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


@pytest.mark.parametrize("file", PREDICTIONS, ids=lambda file: file.stem)
def test_the_predictions_that_a_page_shows_are_of_its_application(file: Path):
    rows = pd.read_csv(file, dtype=str)
    [task] = set(rows["task"])
    shipped = list(ROOT.glob(f"tasks/**/{task}.yaml"))
    assert shipped or task == "my_variants", "a made-up task, whose model ships"
    assert all(read_task_file(path).content["application"] == file.stem for path in shipped)
    assert list(rows)[1] == "sample_id"
    assert list(rows)[-3:] == ["out_of_distribution", "abstain", "model_id"]


def test_predictions_have_the_columns_that_a_page_shows(project: Project):
    written, shown = (
        [re.sub(r"^p\..*", "p.<class>", name) for name in pd.read_csv(file, nrows=0)]
        for file in (
            project.path("results/heart/ward/predictions.csv"),
            ROOT / "docs/predictions/disease_diagnosis.csv",
        )
    )
    assert shown == ["task", *written]


def told(node: ast.AST) -> str:
    """A text of the code, or an f-string with an ellipsis for each part that differs."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    parts = node.values if isinstance(node, ast.JoinedStr) else []
    return "".join(told(part) if isinstance(part, ast.Constant) else "..." for part in parts)


@cache
def messages() -> list[str]:
    """All texts that the code may print."""
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
    return [os.strerror(errno.ENOSPC), *{told(node) for node in nodes if node not in docstrings}]


HEADINGS = re.findall(r"^### (.+)$", (ROOT / "docs/troubleshooting.md").read_text(), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("heading", HEADINGS)
def test_a_message_of_troubleshooting_is_one_of_the_code(heading: str):
    """Each heading is a message from its beginning, `...` what differs; it may end before it."""
    words = [re.escape(part) for part in heading.split("...")]
    expected = re.compile(r"\s*.*?".join(words))
    assert any(expected.match(message) for message in messages())


@pytest.mark.long
def test_the_python_of_the_pages_runs(project: Project, monkeypatch):
    """Each snippet by itself, in a project that has been run, with a small encoder in my/esm2."""
    monkeypatch.chdir(project.folder)
    protein_bert(project.path("my/esm2"), configs()["esm"])
    found = snippets("python")
    assert {snippet.id.partition(":")[0] for snippet in found} == {"python"}
    for snippet in found:
        exec(compile(snippet.values[0], snippet.id, "exec"), {})


class Page(HTMLParser):
    """What a page of the site refers to, and the places in it that can be referred to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.links, self.places = path, list[str](), {""}
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Keep ids, and what `href` and `src` name."""
        given = dict(attributes)
        self.places.add(given.get("id") or "")
        self.links += [given[name] or "" for name in ("href", "src") if name in given]


@pytest.fixture(scope="session")
def site(made_once) -> Path:
    """The folder of the site, built as `make docs` does."""
    if find_spec("material") is None:
        pytest.skip("mkdocs-material is not installed")
    return made_once("site", build)


def build(folder: Path) -> None:
    """Build the site strictly: what mkdocs warns of ends it."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, env=environment(), text=True, capture_output=True)
    assert built.returncode == 0, built.stdout + built.stderr


@pytest.mark.long
def test_the_site_names_nothing_that_is_not_in_it(site: Path):
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > len(application_names())
    for path, page in pages.items():
        for link in map(urlsplit, page.links):
            if link.scheme in ("http", "https"):
                assert link.hostname in OUTSIDE, f"{path}: {link.geturl()}"
            elif path.name != "404.html":  # whose links are of a server's root
                target = (path.parent / unquote(link.path)).resolve() if link.path else path
                assert target.is_file(), f"{path}: {link.geturl()}"
                if target in pages:
                    assert unquote(link.fragment) in pages[target].places, f"{path}: {link}"


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_all_pages_open_in_chromium_as_files_without_an_error(site: Path, tmp_path: Path):
    pages = sorted(path.as_uri() for path in site.rglob("*.html") if path.name != "404.html")
    frame = write(tmp_path / "frame.html", FRAME.replace("PAGES", json.dumps(pages)))
    said = opened(frame, tmp_path / "profile", "--virtual-time-budget=60000")
    assert said.stdout.count("opened file:") == len(pages)
    assert "CONSOLE" not in said.stderr, said.stderr


FRAME = """<!doctype html><body><script>
const pages = PAGES;
const frame = document.body.appendChild(document.createElement("iframe"));
const next = () => { if (pages.length) frame.src = pages.shift(); };
frame.onload = () => setTimeout(() => {
  document.body.append(`opened ${frame.src} `);
  next();
}, 100);
next();
</script>"""
"""Opens one page after the other; each has a moment for its scripts."""


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_search_finds_pages_without_a_server(site: Path, tmp_path: Path):
    said = opened(
        site / "index.html?q=pseudonym", tmp_path / "profile", "--virtual-time-budget=9000"
    )
    assert "privacy.html" in said.stdout.split("md-search-result__list")[-1], said.stderr


def opened(page: Path, profile: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What Chromium makes of a page, and what its console says."""
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--enable-logging=stderr", f"--user-data-dir={profile}", *options),
        *("--dump-dom", f"file://{page}"),
    ]
    return subprocess.run(command, text=True, capture_output=True, timeout=120, check=True)
