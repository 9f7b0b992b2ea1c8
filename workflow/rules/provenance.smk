"""Provenance that travels with git: snakemake.lock, read before and written after each run.

Requires: nothing. Makes: snakemake.lock, and Snakemake's own records where they are missing.
What no job wrote is told, and made again. What results in an object store hold is not known without
bringing them: their lock has no digests, and lies in the store beside them, so that it says what is
there. It is taken away when a run begins: after one that was killed, the store's dates decide. In a
module of another workflow, whose records are not ours to keep, nothing is read or written: what is
stale is decided as Snakemake does.
"""

import sys
from pathlib import Path

from bioloom.errors import one_line_errors, told_errors
from bioloom.pipeline.lock import export_lock, export_stored, restore_lock, restore_stored
from bioloom.pipeline.running import join_run

LOCK = Path("snakemake.lock")


def stored_lock():
    """The lock of results in an object store, as its plugin has it; None where they are here."""
    settings = workflow.storage_settings
    if not settings.default_storage_provider:
        return None
    provider = workflow.storage_registry.default_storage_provider
    lock = provider.object(f"{settings.default_storage_prefix.rstrip('/')}/{LOCK}")
    lock.local_path().parent.mkdir(parents=True, exist_ok=True)
    return lock


def restore_provenance():
    for output in restore_lock(LOCK):
        message = "is not what is on record: it was altered, or came from elsewhere"
        print(f"{output} {message}. It will be made again.", file=sys.stderr)
    if (lock := stored_lock()) and lock.exists():
        lock.retrieve_object()
        restore_stored(lock.local_path())


if workflow.is_main_process and workflow.modifier.is_main_snakefile():
    with one_line_errors():
        join_run(restore_provenance)


def withdraw_provenance():
    """What jobs are about to write to an object store is not what its lock says."""
    if (lock := stored_lock()) and lock.exists():
        lock.remove()


def keep_provenance():
    asked = workflow.dag_settings
    complete = not (asked.targets or asked.until or asked.omit_from or asked.batch)
    made = [file for job in workflow.dag.jobs for file in job.output if "temp" not in file.flags]
    with one_line_errors():
        if lock := stored_lock():
            outputs = [file.storage_object.query for file in made if file.is_storage]
            export_stored(lock.local_path(), workflow.persistence, outputs, complete=complete)
            lock.store_object()
        else:
            export_lock(LOCK, workflow.persistence, map(str, made), complete=complete)


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
