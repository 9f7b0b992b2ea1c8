"""What says of the project who, what and which version it is agrees with the code."""

from __future__ import annotations

import re
import tomllib

import yaml

from bioloom import __version__
from tests.tiny_project import ROOT, Project

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (ROOT / "Makefile").read_text()
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


def read(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text())


def test_the_version_has_a_section_of_the_changelog_below_what_is_not_released():
    first, second, *_ = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", CHANGELOG, re.MULTILINE)
    assert first == ("Unreleased", "")
    assert second[0] == __version__


def test_the_citation_is_of_this_version():
    citation = read("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert str(citation["version"]) == __version__
    assert f"## [{__version__}] - {citation['date-released']}\n" in CHANGELOG
    assert citation["license"] == PYPROJECT["license"]
    assert citation["authors"] == PYPROJECT["authors"]


def test_classifiers_name_the_pythons_that_are_asked_for():
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(PYPROJECT["classifiers"]))
    low, high = (
        int(minor)
        for minor in re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PYPROJECT["requires-python"]).groups()
    )
    assert named == [f"3.{minor}" for minor in range(low, high)]


def test_the_hooks_of_commits_are_the_checks_of_the_makefile():
    [repository] = read(".pre-commit-config.yaml")["repos"]
    lint = re.findall(r"^\t\$\(BIN\)/((?:ruff|snakefmt|mypy).*)$", MAKEFILE, re.MULTILINE)
    hooks = [hook["entry"].removesuffix(" --force-exclude") for hook in repository["hooks"]]
    assert len(hooks) == len(lint)
    for hook, line in zip(hooks, lint, strict=True):
        assert set(hook.removeprefix(".venv/bin/").split()) <= set(line.split())


def test_the_catalogue_of_workflows_finds_what_it_asks_for():
    """https://snakemake.github.io/snakemake-workflow-catalog: standardized usage."""
    usage = read(".snakemake-workflow-catalog.yml")["usage"]
    assert usage.keys() == {"mandatory-flags", "software-stack-deployment", "report"}
    assert usage["mandatory-flags"].keys() == {"desc", "flags"}
    ways = usage["software-stack-deployment"]
    assert ways.keys() == {"conda", "apptainer", "apptainer+conda"}
    assert ways["conda"] == (ROOT / "envs/bioloom.yaml").exists()
    assert (ROOT / "workflow/Snakefile").exists()
    assert (ROOT / "config/README.md").exists()
    assert re.search("(?is)snakemake.*workflow", (ROOT / "README.md").read_text())


def test_the_workflow_of_the_catalogue_is_this_one(project: Project):
    options = ("--snakefile", "workflow/Snakefile")
    assert project.planned(*options) == set()
    project.path("results/report.html").unlink()
    assert project.planned(*options) == {"default", "report"}
