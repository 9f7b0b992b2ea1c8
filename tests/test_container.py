"""What jobs run in: the image, and the environment of conda. No image is run here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.tiny_project import ROOT

CONTAINERFILE = (ROOT / "Containerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PINNED = {
    canonicalize_name(name): version
    for name, version in re.findall(
        r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE
    )
}
OWN = {PROJECT["name"], "setuptools"}
BASE = "BIOLOOM_BASE"


def needed() -> list[Requirement]:
    """All that pyproject.toml asks for, but its own extras, and what pip brings itself."""
    asked = [*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra)]
    found = map(Requirement, asked)
    return [requirement for requirement in found if requirement.name not in OWN]


@pytest.mark.parametrize("requirement", needed(), ids=str)
def test_each_requirement_has_a_version_that_fits(requirement: Requirement):
    assert requirement.specifier.contains(PINNED[canonicalize_name(requirement.name)])


@pytest.mark.parametrize("file", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda f: f.name)
def test_an_environment_of_conda_can_be_read_and_agrees(file: Path):
    """Whether its channels have it is not asked here."""
    rattler = pytest.importorskip("rattler")
    python = set()
    for line in yaml.safe_load(file.read_text())["dependencies"]:
        if isinstance(line, dict):
            constraints, project = (text.split(" ", 1)[1] for text in line["pip"])
            assert (file.parent / constraints).resolve() == ROOT / "constraints.txt"
            folder, extras = re.fullmatch(r'"(.+)\[(.+)\]"', project).groups()
            assert (file.parent / folder).resolve() == ROOT
            assert set(extras.split(",")) <= EXTRAS.keys()
            continue
        spec = rattler.MatchSpec(line, strict=True)
        name = canonicalize_name(spec.name.normalized)
        if name == "python":
            python |= set(re.findall(r"\d+(?:\.\d+)*", str(spec.version)))
        else:  # all others come from PyPI, where constraints.txt holds
            assert name == "pip"
    asked = Requirement(f"python{PROJECT['requires-python']}").specifier
    assert python
    assert all(version in asked for version in python)


def test_the_image_has_parts_that_there_are():
    [extras] = re.findall("^ARG EXTRAS=(.+)$", CONTAINERFILE, re.MULTILINE)
    assert set(extras.split(",")) <= EXTRAS.keys()
    kept = re.findall("^!(.+)$", (ROOT / ".containerignore").read_text(), re.MULTILINE)
    assert all((ROOT / name).exists() for name in kept)
    carried = re.search(r"^CARRIED = \((.+)\)$", (ROOT / "setup.py").read_text(), re.MULTILINE)[1]
    assert set(re.findall(r'"(.+?)"', carried)) <= set(kept)


@pytest.mark.slow
def test_the_image_is_built(tmp_path: Path):
    """Its steps run, up to the bill of materials; an image to build on has to be at hand."""
    if not shutil.which("podman"):
        pytest.skip("not installed: podman")
    if BASE not in os.environ:
        pytest.skip(f"{BASE} names no image to build on")
    base = f"BASE={os.environ[BASE]}"
    command = ("podman", "build", "--isolation=chroot", "--build-arg", base)
    subprocess.run([*command, "--iidfile", str(tmp_path / "id"), str(ROOT)], check=True)
    assert (tmp_path / "id").read_text()
