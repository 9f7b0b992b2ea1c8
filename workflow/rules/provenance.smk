"""Provenance that travels with git: snakemake.lock, read before and written after each run.

Requires: nothing. Makes: snakemake.lock, and Snakemake's own records where they are missing.
What no job wrote is told, and made again. What results in an object store hold is not known without
bringing them: their lock has no digests, and lies in the store beside them, so that it says what is
there. It is taken away when a run begins, and the folder of the run is noted in its place: after one
that was killed, another folder goes by the store's dates. In a module of another workflow, whose
records are not ours to keep, nothing is read or written: what is stale is decided as Snakemake does.
"""

import hashlib
import re
import sys
from pathlib import Path

from bioloom.errors import one_line_errors, told_errors
from bioloom.files import HOST
from bioloom.pipeline.command import drop_long
from bioloom.pipeline.file_dates import refuse_future
from bioloom.pipeline.lock import (
    export_lock,
    export_stored,
    leave_out_of_records,
    mark_before_removal,
    restore_lock,
    restore_stored,
)
from bioloom.pipeline.running import join_run

LOCK = Path("snakemake.lock")
# What a job leaves that has embedded a chunk of a data set: Snakemake is to see that it has run, and
# not to keep that in its records.
CHUNK = ".embedded"
CHUNKS = rf"(^|/)results/.+\.\d+-of-\d+{re.escape(CHUNK)}$"
leave_out_of_records(CHUNKS)
mark_before_removal()
# Whose run is at work in an object store, or was killed there.
FOLDER_ID = hashlib.sha256(f"{HOST} {Path.cwd()}".encode()).hexdigest()


def stored(name):
    """An object beside results in an object store, as its plugin has it; None where they are here."""
    settings = workflow.storage_settings
    if not settings.default_storage_provider:
        return None
    provider = workflow.storage_registry.default_storage_provider
    found = provider.object(f"{settings.default_storage_prefix.rstrip('/')}/{name}")
    found.local_path().parent.mkdir(parents=True, exist_ok=True)
    return found


def stored_lock():
    return stored(LOCK)


def stored_owner():
    return stored(f"{LOCK}.owner")


def brought(found):
    """The copy of an object as it is now, where there is one."""
    found.local_path().unlink(missing_ok=True)  # of an earlier run
    if found.exists():
        found.retrieve_object()
    return found.local_path()


def restore_provenance():
    drop_long()
    for output in restore_lock(LOCK, temporary=CHUNKS):
        message = "is not what is on record: it was altered, or came from elsewhere"
        print(f"{output} {message}. It will be made again.", file=sys.stderr)
    if lock := stored_lock():
        owner = brought(stored_owner())
        is_ours = owner.exists() and owner.read_text() == FOLDER_ID
        restore_stored(brought(lock), lock.query, is_ours=is_ours)


if workflow.is_main_process and workflow.modifier.is_main_snakefile():
    with one_line_errors():
        join_run(restore_provenance)


def withdraw_provenance():
    """What jobs are about to write to an object store is not what its lock says."""
    if lock := stored_lock():
        owner = stored_owner()
        owner.local_path().write_text(FOLDER_ID)
        owner.store_object()
        if lock.exists():
            lock.remove()


onstart:  # the only one: of several Snakemake runs the last
    with one_line_errors():
        refuse_future(str(file) for job in workflow.dag.needrun_jobs() for file in job.input)
    withdraw_provenance()
    # Each job that ends leaves Snakemake (9.27) a timer that wakes its scheduler once a second from
    # then on, to see how many more may be submitted: 15 % of a core after 200 jobs. Jobs that are
    # started here need no such limit.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


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
