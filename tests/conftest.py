"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.tiny_project import Project


@pytest.fixture(params=["cpu", "cuda"])
def device(request, monkeypatch) -> str:
    """Run the test on the CPU and, where there is one, on a GPU."""
    torch = pytest.importorskip("torch")
    if request.param == "cpu":
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    elif not torch.cuda.is_available():
        pytest.skip("no GPU here")
    return request.param


@pytest.fixture(scope="session")
def tiny_project(tmp_path_factory) -> Project:
    """The tiny project after a complete run; not to be changed."""
    project = Project.create(tmp_path_factory.mktemp("tiny"))
    project.snakemake()
    return project


@pytest.fixture
def project(tiny_project: Project, tmp_path: Path) -> Project:
    """A copy of the tiny project, with its results, for a test to change."""
    return tiny_project.copy(tmp_path / "project")


# The same examples in every CI run: a new finding belongs to a developer's run, not to a merge.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")
