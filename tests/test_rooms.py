"""The house: which room of src/bioloom may import which, read from the source.

A room imports lower floors and itself, so that there is no circle; nothing is imported to look.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/bioloom"
FLOORS = (
    {"errors", "limits", "progress", "schedule"},
    {"files", "arrays"},
    {"structures", "registry", "svg"},
    {"options", "devices", "sources", "metrics", "privacy"},
    {"bayes"},
    {"formats", "samples", "embedders"},
    {"kinds", "similarity"},
    {"application", "clinical", "pretraining", "reads"},
    {"splits", "links", "models", "evaluation", "report", "finetuning", "variants"},
    {"features", "fitted", "applications"},
    {"training", "predictions", "explanation", "pipeline"},
    {"cli"},
    {"__main__"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(file for file in SOURCE.rglob("*.py") if file != SOURCE / "__init__.py")


def room_of(file: Path) -> str:
    return file.relative_to(SOURCE).with_suffix("").parts[0]


def imported(file: Path) -> set[str]:
    """The rooms that a file imports, also inside functions."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "bioloom":
            names += [f"bioloom.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    rooms = {name.split(".")[1] for name in names if name.startswith("bioloom.")}
    return {room for room in rooms if not room.startswith("__")}


def test_every_room_has_a_floor():
    assert {room_of(file) for file in MODULES} == FLOOR.keys()


def test_a_room_imports_lower_floors_and_itself():
    upward = {
        (str(file.relative_to(SOURCE)), other)
        for file in MODULES
        for room in [room_of(file)]
        for other in imported(file) - {room}
        if FLOOR[other] >= FLOOR[room]
    }
    assert upward == set()


def test_a_contract_does_not_import_its_makers():
    """Importing `bioloom.splits` brings no module that makes splits: code hashes stay sharp.

    `fitted` is none of these: a fitted model is made of its modules.
    """
    for contract in ("samples", "splits", "features", "training", "predictions"):
        init = SOURCE / contract / "__init__.py"
        makers = {f"bioloom.{contract}.{file.stem}" for file in init.parent.glob("[a-z]*.py")}
        modules = set()
        for node in ast.walk(ast.parse(init.read_text())):
            if isinstance(node, ast.ImportFrom):
                modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            elif isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
        assert not makers & modules, contract


@pytest.mark.slow
def test_embedders_and_models_know_no_tasks_paths_or_tables():
    for room in ("embedders", "models"):
        for file in (SOURCE / room).rglob("*.py"):
            assert not imported(file) & {"application", "applications", "samples", "pipeline"}, file
