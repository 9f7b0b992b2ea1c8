"""Fixtures for all tests; which tests are slow."""

import gc
import os
import shutil
from collections.abc import Callable
from pathlib import Path

# A test has one core: the others belong to the workers beside it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Bits are compared, and where a CPU has AVX-512 the last ones of MKL hang on how many threads work.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
# The jobs of a project compile its modules once, and not each time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest
from filelock import FileLock
from hypothesis import settings

from tests.tiny_project import Project

# Tests of a project, or a lab, run Snakemake, DVC or git; those of `fasta` pretrain; a `report` has
# all kinds; `s3` and `index` are servers.
SLOW_FIXTURES = {"tiny_project", "finished", "finished_lab", "lab", "fasta", "report"}
SLOW_FIXTURES |= {"s3", "index"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests, and those that use a slow fixture, are slow without saying so; these come first.

    So no long test is left for the end, when other workers have nothing to do beside it.
    """
    for item in items:
        names = {mark.name for mark in item.iter_markers()}
        if "long" in names or SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """The collector of garbage need not walk through all that was imported again and again."""
    gc.freeze()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes name no test: those of gzip hold the time, and two workers would see other tests."""
    return argname if isinstance(val, bytes) else None


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
def made_once(tmp_path_factory) -> Callable[[str, Callable[[Path], object]], Path]:
    """`made_once(name, make)`: a folder that `make(folder)` fills, not to be changed.

    The first of the workers of pytest-xdist makes it, the others wait and read.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder_of(name: str, make: Callable[[Path], object]) -> Path:
        folder, is_made = shared / name, shared / f"{name}.made"
        with FileLock(shared / f"{name}.lock"):
            if not is_made.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                is_made.touch()
        return folder

    return folder_of


@pytest.fixture(scope="session")
def tiny_project(made_once) -> Project:
    """The tiny project after a complete run; to be copied, not to be changed."""
    return Project(made_once("tiny", lambda folder: Project.create(folder).snakemake()))


@pytest.fixture
def project(tiny_project: Project, tmp_path: Path) -> Project:
    """A copy of the tiny project, with its results, for a test to change."""
    return tiny_project.copy(tmp_path / "project")


# The same examples in every CI run: a new finding belongs to a developer's run, not to a merge.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")
