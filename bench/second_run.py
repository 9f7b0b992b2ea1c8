"""A second run of a small project, nothing changed, against its first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.timing import Goal, Size, Suite
from tests.tiny_project import Project


def suite(size: Size, folder: Path) -> Suite:
    """Two clinical tasks, the same project at each size."""
    done: list[Project] = []

    def first() -> Project:
        path = folder / str(len(done))
        path.mkdir()
        done.append(Project.create(path))
        done[-1].snakemake()
        return done[-1]

    def second() -> set[str]:
        done[0].snakemake()
        return done[0].planned()

    goals = [Goal("second run", "second run and its plan", "first run")]
    cases = {"first run": first, "second run and its plan": second}
    return Suite("second run", cases, no_jobs, goals, rounds=1)


def no_jobs(outputs: dict[str, Any]) -> dict[str, float]:
    """Nothing is planned."""
    if jobs := outputs["second run and its plan"]:
        raise SystemExit(f"a second run plans {', '.join(sorted(jobs))}")
    return {"jobs": 0.0}
