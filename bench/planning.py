"""What Snakemake takes to plan a run of many tasks, at three sizes: seconds, memory, files.

Planning is as fast a job for many as for few, if nothing in it looks at all jobs again for each.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from bench.timing import Goal, Size, Suite
from tests.tiny_project import TASKS, Project, environment

SIZES = {"tiny": (2, 4, 8), "usual": (50, 100, 200), "full": (280, 560, 1120)}
JOBS_A_TASK = 9


def suite(size: Size, folder: Path) -> Suite:
    """So many copies of a clinical task, of which nothing has run."""
    cases, work = {}, {}
    for tasks in SIZES[size]:
        path = folder / str(tasks)
        path.mkdir()
        name = f"{tasks} tasks"
        cases[name] = partial(plan, project_of(path, tasks))
        work[name] = JOBS_A_TASK * tasks
    first, *_, last = cases
    goals = [Goal("planning a job", last, first, at_least=0.8)]
    return Suite("planning", cases, measured, goals, work, rounds=1)


def project_of(folder: Path, tasks: int) -> Project:
    """A project of so many tasks with a name each, on one table."""
    project = Project.create(folder)
    for file in folder.glob("tasks/*.yaml"):
        file.unlink()
    for number in range(tasks):
        project.path(f"tasks/liver_{number}.yaml").write_text(TASKS["liver"].lstrip())
    return project


def plan(project: Project) -> dict[str, float]:
    """Jobs that are planned, files that they would make and log, and the memory that it took."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            ("snakemake", "--dry-run"),
            cwd=project.folder,
            env=environment(),
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode()
    if process.returncode:
        raise SystemExit(text)
    jobs = len(re.findall(r"^(?:local)?rule (?!all:)", text, re.MULTILINE))
    lists = re.findall(r"^    (?:output|log): (.+)$", text, re.MULTILINE)
    files = sum(len(names.split(", ")) for names in lists)
    return {"jobs": jobs, "files": files, "MiB": usage.ru_maxrss / 2**10}


def measured(outputs: dict[str, Any]) -> dict[str, float]:
    """What each size took; each has the jobs that it should."""
    for name, found in outputs.items():
        if found["jobs"] != JOBS_A_TASK * int(name.split()[0]) + 1:  # that of the overview
            raise SystemExit(f"{name} are planned as {found['jobs']} jobs")
    return {
        f"{what}, {name}": round(value)
        for name, found in outputs.items()
        for what, value in found.items()
    }
