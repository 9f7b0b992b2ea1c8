"""Provenance that travels with git: snakemake.lock, read before and written after each run.

Requires: nothing. Makes: snakemake.lock, and Snakemake's own records where they are missing.
What no job wrote is told, and made again. Of results in an object store the lock says nothing: what
they hold is not known without bringing them. In a module of another workflow, whose records are not
ours to keep, nothing is read or written: what is stale is decided as Snakemake does.
"""

import sys
from pathlib import Path

from bioloom.errors import one_line_errors, told_errors
from bioloom.pipeline.lock import export_lock, restore_lock
from bioloom.pipeline.running import join_run

LOCK = Path("snakemake.lock")


def restore_provenance():
    for output in restore_lock(LOCK):
        message = "is not what is on record: it was altered, or came from elsewhere"
        print(f"{output} {message}. It will be made again.", file=sys.stderr)


if workflow.is_main_process and workflow.modifier.is_main_snakefile():
    with one_line_errors():
        join_run(restore_provenance)


def keep_provenance():
    if workflow.storage_settings.default_storage_provider:
        return
    asked = workflow.dag_settings
    with one_line_errors():
        export_lock(
            LOCK,
            workflow.persistence,
            [
                str(file)
                for job in workflow.dag.jobs
                for file in job.output
                if not file.endswith(CHUNK)
            ],
            complete=not (asked.targets or asked.until or asked.omit_from or asked.batch),
        )


onsuccess:
    keep_provenance()


def end_with_errors():
    """Tell last what failed jobs told of a user's mistakes; where that is all, end with code 2."""
    failed = [part for job in workflow.scheduler.failed for part in getattr(job, "jobs", [job])]
    told = [told_errors(Path(log) for log in job.log) for job in failed]
    if failed and all(told):
        print(*dict.fromkeys(line for lines in told for line in lines), sep="\n", file=sys.stderr)
        sys.exit(2)


onerror:
    keep_provenance()
    end_with_errors()
