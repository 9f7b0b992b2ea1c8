"""Provenance that travels with git: snakemake.lock, read before and written after each run.

Requires: nothing. Makes: snakemake.lock, and Snakemake's own records where they are missing.
What no job wrote is told, and made again.
"""

import sys
from pathlib import Path

from bioloom.errors import one_line_errors
from bioloom.pipeline.lock import export_lock, restore_lock
from bioloom.pipeline.running import join_run

LOCK = Path("snakemake.lock")


def restore_provenance():
    for output in restore_lock(LOCK):
        message = "is not what is on record: it was altered, or came from elsewhere"
        print(f"{output} {message}. It will be made again.", file=sys.stderr)


if workflow.is_main_process:
    with one_line_errors():
        join_run(restore_provenance)


def keep_provenance():
    asked = workflow.dag_settings
    with one_line_errors():
        export_lock(
            LOCK,
            workflow.persistence,
            [str(file) for job in workflow.dag.jobs for file in job.output if not file.is_storage],
            complete=not (asked.targets or asked.until or asked.omit_from or asked.batch),
        )


onsuccess:
    keep_provenance()


onerror:
    keep_provenance()
