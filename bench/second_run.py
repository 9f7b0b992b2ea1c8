"""A second run of a small project, nothing changed, against its first."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from bench.timing import Goal, Size, Suite
from tests.tiny_project import Project


def suite(size: Size, folder: Path) -> Suite:
    """Two clinical tasks, the same project at each size."""
    done: list[Project] = []

    def snakemake(project: Project, *arguments: str) -> str:
        # as a user starts it: tests have one that is imported already
        return project.run(sys.executable, "-m", "snakemake", *arguments)

    def first() -> Project:
        path = folder / str(len(done))
        path.mkdir()
        done.append(Project.create(path))
        snakemake(done[-1])
        return done[-1]

    def second() -> str:
        snakemake(done[0])
        return snakemake(done[0], "--dry-run")

    goals = [Goal("second run", "second run and its plan", "first run")]
    cases = {"first run": first, "second run and its plan": second}
    return Suite("second run", cases, no_jobs, goals, rounds=1)


def no_jobs(outputs: dict[str, Any]) -> dict[str, float]:
    """Nothing is planned."""
    if "Nothing to be done" not in outputs["second run and its plan"]:
        raise SystemExit(f"a second run is not empty: {outputs['second run and its plan']}")
    return {"jobs": 0.0}
