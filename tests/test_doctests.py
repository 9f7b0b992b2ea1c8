"""The examples in docstrings say what they print; only modules that have one are imported."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

from tests.tiny_project import ROOT

SOURCE = ROOT / "src"
MODULES = [
    ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for file in sorted(SOURCE.rglob("*.py"))
    if "    >>> " in file.read_text()
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_print_what_they_say(module: str):
    done = doctest.testmod(import_module(module))
    assert done.attempted > 0
    assert done.failed == 0
