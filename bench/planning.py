"""What Snakemake takes to plan many tasks of which nothing has run: CPU seconds, memory, files.

`python -m bench.planning --tasks 50 100 200` prints a row of a table a size.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
from pathlib import Path

from tests.tiny_project import TASKS, Project, environment


def main() -> None:
    """Print as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, nargs="+", default=[50, 100, 200])
    sizes = parser.parse_args().tasks
    print("| tasks | jobs | files | CPU seconds | MiB |\n|---|---|---|---|---|")
    for tasks in sizes:
        with tempfile.TemporaryDirectory() as folder:
            jobs, files, seconds, memory = plan(project_of(Path(folder), tasks))
        print(f"| {tasks} | {jobs:,} | {files:,} | {seconds:.0f} | {memory:.0f} |", flush=True)


def project_of(folder: Path, tasks: int) -> Project:
    """A project of so many copies of a clinical task, each with its own name, on one table."""
    project = Project.create(folder)
    for file in folder.glob("tasks/*.yaml"):
        file.unlink()
    for number in range(tasks):
        project.path(f"tasks/liver_{number}.yaml").write_text(TASKS["liver"].lstrip())
    return project


def plan(project: Project) -> tuple[int, int, float, float]:
    """Jobs planned, files that they would make and log, CPU seconds and MiB that it took."""
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
    return jobs, files, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**10


if __name__ == "__main__":
    main()
