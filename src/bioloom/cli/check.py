"""Check the configuration, or the results; no job is run.

Files that tasks name have to be there, and CSV and TSV need the columns that tasks name. What else
is in the files, `bioloom run --until clean` tells, which trains nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bioloom.errors import several
from bioloom.pipeline.check_tables import column_mistakes
from bioloom.pipeline.project import Project, read_project
from bioloom.pipeline.task_files import read_config

HELP = "check the configuration and the sources, or the results"
LOCK = Path("snakemake.lock")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What of the project in the working folder is looked at."""
    parser.add_argument(
        "--results", action="store_true", help="compare every result with its recorded digest"
    )


def main(results: bool = False) -> None:
    """Print a line a task, or one on all results; DataError with all that is wrong."""
    if results:
        # With Snakemake, which other commands do without.
        from bioloom.pipeline.verify import verify

        print(verify(LOCK))
        return
    project = project_here()
    found = {
        file.path: column_mistakes(project.tasks[name]) for name, file in project.files.items()
    }
    if mistakes := [f"{path}: {mistake}" for path, wrong in found.items() for mistake in wrong]:
        raise several(mistakes)
    for name, task in project.tasks.items():
        print(f"{name}: {task.application}, data sets {', '.join(task.datasets)}")


def project_here(*, may_lack_files: bool = False) -> Project:
    """The project in the working folder; DataError also for a source that is not there."""
    return read_project(read_config(), may_lack_files=may_lack_files)
