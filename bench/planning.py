"""What Snakemake takes to plan many jobs of which none has run: CPU seconds, memory, files.

`python -m bench.planning --tasks 50 100 200 --samples 100 200` prints a row of a table a size:
tasks of a clinical table, or samples of one task whose reads are FASTQ.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.tiny_project import ROOT, TASKS, Project, environment


def main() -> None:
    """Print as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, nargs="*", default=[50, 100, 200])
    parser.add_argument("--samples", type=int, nargs="*", default=[])
    asked = vars(parser.parse_args())
    print("| what | jobs | files | CPU seconds | MiB |\n|---|---|---|---|---|")
    for what, make in {"tasks": project_of, "samples": project_of_reads}.items():
        for size in asked[what]:
            with tempfile.TemporaryDirectory() as folder:
                jobs, files, seconds, memory = plan(make(Path(folder), size))
            row = f"| {size} {what} | {jobs:,} | {files:,} | {seconds:.0f} | {memory:.0f} |"
            print(row, flush=True)


def project_of(folder: Path, tasks: int) -> Project:
    """A project of so many copies of a clinical task, each with its own name, on one table."""
    project = _without_tasks(folder)
    for number in range(tasks):
        project.path(f"tasks/liver_{number}.yaml").write_text(TASKS["liver"].lstrip())
    return project


def project_of_reads(folder: Path, samples: int) -> Project:
    """A project whose one task calls variants of so many samples, a pair of FASTQ files each."""
    project = _without_tasks(folder)
    names = [f"sample_{number}" for number in range(samples)]
    rows = [f"{name},data/{name}_1.fastq.gz,data/{name}_2.fastq.gz" for name in names]
    for name in names:
        for mate in (1, 2):
            project.path(f"data/{name}_{mate}.fastq.gz").touch()
    project.path("data/samples.csv").write_text("\n".join(["sample,fastq_1,fastq_2", *rows]) + "\n")
    project.path("data/reference.fa").write_text(">chr1\nACGT\n")
    model = "data/models/variant_calling"
    shutil.copytree(ROOT / model, project.path(model))
    given = {"reads": "data/samples.csv", "reference": "data/reference.fa"}
    project.configure(
        **{"tasks.calls": {"application": "variant_calling", "datasets": {"new": given}}}
    )
    return project


def _without_tasks(folder: Path) -> Project:
    project = Project.create(folder)
    for file in folder.glob("tasks/*.yaml"):
        file.unlink()
    return project


def plan(project: Project) -> tuple[int, int, float, float]:
    """Jobs planned, files that they would make and log, CPU seconds and MiB that it took."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            (sys.executable, "-m", "snakemake", "--dry-run"),
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
