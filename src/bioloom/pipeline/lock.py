"""snakemake.lock: the provenance of every output, in git.

One JSON line an output, sorted: its sha256, what Snakemake compares before it reruns a job (rule,
inputs with their checksums, params, code), and a digest of the line itself. Times, hosts and log
names are left out, so two machines that compute the same write the same lock. `export_lock` writes
it after a run; `restore_lock` gives Snakemake its records back in a clone or after a pull, and sees
to it that content alone decides what is stale.

Snakemake's record of an output gets the output's own sha256 beside those of its inputs. A job that
makes it anew leaves a record without: this tells what a job wrote from what else became of a file.
It is what the job itself kept at its end, so that what befalls a file later is seen.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from snakemake.jobs import Job
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord, PersistenceBase
from snakemake.persistence.file import FilePersistence

from bioloom.errors import DataError, to_run
from bioloom.files import replacing
from bioloom.pipeline.digests import Digests, Made, forget_kept, kept
from bioloom.pipeline.file_dates import folders_of, is_newer, let_content_decide

Record = dict[str, Any]

# What Snakemake compares.
_COMPARED = ("rule", "input", "params", "code", "input_checksums")
# Stands for the params of an output of unknown origin, which differ from any: it is made again.
_STRANGER = "not the file that snakemake.lock describes"
_COMPLETE = {"record_format_version": RECORD_FORMAT_VERSION, "incomplete": False}


@cache
def leave_out_of_records(pattern: str) -> None:
    """Have Snakemake neither record nor compare inputs in whose names this is found, for good.

    They say in which order jobs run, and not what of: another number of them is no change.
    """
    all_inputs = _own(PersistenceBase, "_input")

    def recorded(store: PersistenceBase, job: Any) -> list[str]:
        return [file for file in all_inputs(store, job) if not re.search(pattern, file)]

    PersistenceBase._input = recorded


@cache
def mark_before_removal() -> None:
    """Have Snakemake note that a job makes outputs before it takes the old ones away, for good.

    It does so afterwards, and what a run that is killed in between has taken away nobody misses.
    """
    remove = _own(Job, "remove_existing_output")

    async def marked(job: Job) -> None:
        job.dag.workflow.persistence.started(job)
        await remove(job)

    Job.remove_existing_output = marked


def _own(of: type, name: str) -> Any:
    """A method of Snakemake's own that is none of its interface."""
    if not hasattr(of, name):
        raise DataError(
            "This version of Snakemake keeps its records in another way",
            hint="install that of `constraints.txt`",
        )
    return getattr(of, name)


def export_lock(
    lock: Path, store: FilePersistence, outputs: Iterable[str], *, complete: bool
) -> None:
    """Bring the lock up to date with what jobs have written.

    Outputs that are absent or half-written keep their line; one that no job wrote since the last
    run keeps its digest, whatever it holds now. When `outputs` is `complete`, all that the workflow
    makes, lines of other files are dropped.
    """
    old, outputs, digests = read_lock(lock), set(outputs), Digests()
    store._clear_cache()  # which does not see what Snakemake has written of its last job
    made = kept()
    for left in made:
        record = _read_record(store, left.output)
        digests.take_over(left, dated=(record and record.endtime) or 0)
    _complete_all(store, made, digests)
    unfinished = store._filter_incomplete_keys(outputs)
    new = {output: record for output, record in old.items() if not complete or output in outputs}
    for output in outputs - unfinished:
        known = _read_record(store, output)
        if known is None or not known.rule or not os.path.exists(output):
            continue
        if _made(output, known) is None:  # no script made it, or `--touch` says that it counts
            _complete(store, output, known, digests, digests.of(output))
        new[output] = _locked(output, known)
    digests.save()
    if new != old:
        write_lock(lock, new)


def export_stored(
    lock: Path, store: FilePersistence, outputs: Iterable[str], *, complete: bool
) -> None:
    """Bring the lock of results in an object store up to date: `export_lock` without digests.

    What they and their inputs hold is left to the dates of the store.
    """
    old, outputs = read_lock(lock), set(outputs)
    store._clear_cache()
    unfinished = store._filter_incomplete_keys(outputs)
    known = {output: _read_record(store, output) for output in outputs - unfinished}
    new = {output: record for output, record in old.items() if not complete or output in outputs}
    new |= {output: _stored(r) for output, r in known.items() if r is not None and r.rule}
    write_lock(lock, new)


def restore_stored(lock: Path, origin: str, *, is_ours: bool) -> None:
    """Give Snakemake the records of results in an object store that the last run there left.

    `lock` is a copy of the lock at `origin`. Where there is none, a run has not come to its end.
    Unless it is the last one of this folder (`is_ours`), what the folder has on record may be of
    results that are no longer there, and is dropped.
    """
    store, now = FilePersistence(), time.time()
    if not lock.exists() and not is_ours:
        for output in filter(_is_stored, _all_recorded(store)):
            store._delete_record(output)
    for output, record in read_lock(lock, origin).items():
        known = _read_record(store, output)
        if known is None or _stored(known) != record:
            made = MetadataRecord(**record, **_COMPLETE, starttime=now, endtime=now)
            store._write_record(output, made)
    store._clear_cache()


def _stored(known: MetadataRecord) -> Record:
    """A record as the lock of an object store has it."""
    return {name: known[name] for name in _COMPARED if name != "input_checksums"}


def read_lock(lock: Path, origin: str = "") -> dict[str, Record]:
    """Output -> record; empty where there is no lock. `origin`: where it was brought from."""
    lines = lock.read_bytes().splitlines() if lock.exists() else []
    records = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            if record.pop("digest") != _line_digest(record):
                raise ValueError("altered")
            records[record.pop("output")] = record
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise DataError(
                "This line is no record of an output, or was altered",
                file=origin or lock,
                row=number,
                hint=f"remove this object, and {to_run()} writes it; until then dates alone decide"
                if origin
                else f"`git checkout` the file, or remove it and {to_run()} writes it; after a "
                "merge conflict take either side: `git checkout --theirs`",
            ) from error
    return records


def write_lock(lock: Path, records: dict[str, Record]) -> None:
    """Write the lock, one sorted line an output."""
    lines = []
    for output in sorted(records):
        record = {"output": output} | records[output]
        lines.append(json.dumps(record | {"digest": _line_digest(record)}, sort_keys=True) + "\n")
    with replacing(lock) as temporary:
        temporary.write_text("".join(lines))


def restore_lock(lock: Path, temporary: str = "(?!)") -> list[str]:
    """Bring Snakemake's records and the times of outputs in line with content.

    Outputs that are as the lock says get its records, and so do absent ones: what was made of them
    may be here. Where Snakemake has a record of an absent one it is of a job that failed, with its
    new inputs: by that, what was made of the old ones would be current. It is made again, as
    nobody would else ask for it. Another content keeps the record of the job that wrote it here,
    and so does what a job has written again, to the same content, since the lock was: its run was
    killed. What no job wrote is listed; Snakemake makes it again. Outputs in whose names
    `temporary` is found are absent once they were used, and nobody asks for them again.
    """
    store, digests, locked = FilePersistence(), Digests(), read_lock(lock)
    unfinished = store._filter_incomplete_keys({*locked, *_recorded(store)})
    written = lock.stat().st_mtime if lock.exists() else 0.0
    _complete_all(store, kept(), digests)  # by a run that was killed; its files are read
    restored, altered = list[str](), list[str]()
    for output in sorted({*locked, *_recorded(store)}):
        known, record, here = (
            _read_record(store, output),
            locked.get(output),
            os.path.exists(output),
        )
        digest = digests.of(output) if here else None
        if not here and re.search(temporary, output):
            store._delete_record(output)
        elif not here and (output in unfinished or (known and _is_lost(output, known))):
            store._write_record(output, MetadataRecord(params=[_STRANGER], **_COMPLETE))
        elif record is not None and (record["sha256"] == digest or not here):
            if here and known and _made(output, known) == digest and (known.endtime or 0) > written:
                continue
            if known is None or _locked(output, known) != record:
                store._write_record(output, _metadata(output, record))
                restored.append(output)
        elif not here:
            store._delete_record(output)
        elif known is None or _made(output, known) not in (None, digest):
            altered.append(output)
            store._write_record(output, MetadataRecord(params=[_STRANGER], **_COMPLETE))
        elif known.params == [_STRANGER]:
            altered.append(output)
    store._clear_cache()
    records = ((output, store._read_record(output)) for output in _recorded(store))
    present = {o: record for o, record in records if record is not None and os.path.lexists(o)}
    let_content_decide(present, digests, restored)
    digests.save()
    return altered


def _is_lost(output: str, known: MetadataRecord) -> bool:
    """Whether an absent output was taken away by a job that was to make it anew, and failed."""
    return known.params == [_STRANGER] or bool(known.rule and _made(output, known) is None)


def _complete_all(store: FilePersistence, made: Iterable[Made], digests: Digests) -> None:
    """Bring what jobs have kept into the records.

    What is none of Snakemake's outputs has none, nor has that of a job that has not ended for it.
    """
    for output, digest, _ in made:
        known, unfinished = _read_record(store, output), store._filter_incomplete_keys([output])
        if known and known.rule and not unfinished and _made(output, known) is None:
            _complete(store, output, known, digests, digest)
    forget_kept()


def _complete(
    store: FilePersistence, output: str, known: MetadataRecord, digests: Digests, digest: str
) -> None:
    """Give the record of an output that a job has written the output's own digest."""
    for file, checksum in (known.input_checksums or {}).items():
        digests.learn(file, checksum.removeprefix("sha256:"), since=known.starttime or 0)
    own = {output: f"sha256:{digest}"}
    known.input_checksums = _with_all_inputs(known, digests) | own
    store._write_record(output, known)


def _read_record(store: FilePersistence, output: str) -> MetadataRecord | None:
    """Snakemake's record; a broken one is removed, as if it had never been."""
    try:
        return store._read_record(output)
    except ValueError:  # no text, or nothing that makes a record
        store._delete_record(output)
        return None


def _made(output: str, known: MetadataRecord) -> str | None:
    """The sha256 of an output as it was made; None where a job has written it since."""
    checksum = (known.input_checksums or {}).get(output)
    return checksum and checksum.removeprefix("sha256:")


def _locked(output: str, known: MetadataRecord) -> Record:
    """A record as the lock has it."""
    checksums = {f: c for f, c in (known.input_checksums or {}).items() if f != output}
    record = {name: known[name] for name in _COMPARED}
    return record | {"input_checksums": checksums, "sha256": _made(output, known)}


def _metadata(output: str, record: Record) -> MetadataRecord:
    """A record as Snakemake has it."""
    now, own = time.time(), {output: f"sha256:{record['sha256']}"}
    compared = {name: record[name] for name in _COMPARED}
    compared["input_checksums"] = record["input_checksums"] | own
    return MetadataRecord(**compared, **_COMPLETE, starttime=now, endtime=now)


def _line_digest(record: Record) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def _with_all_inputs(record: MetadataRecord, digests: Digests) -> dict[str, str]:
    """The checksums of an output's inputs; Snakemake has none for folders and large files."""
    inputs = set(record.input or ())
    checksums = {f: c for f, c in (record.input_checksums or {}).items() if f in inputs}
    for file in [*folders_of(record), *filter(os.path.isfile, record.input or [])]:
        if file not in checksums and not is_newer(file, record):
            checksums[file] = f"sha256:{digests.of(file)}"
    return checksums


def _recorded(store: FilePersistence) -> list[str]:
    """The outputs of which Snakemake has a record, but for those in an object store.

    These are left to it: what they hold is not known without bringing them.
    """
    return [output for output in _all_recorded(store) if not _is_stored(output)]


def _is_stored(output: str) -> bool:
    return "://" in output


def _all_recorded(store: FilePersistence) -> list[str]:
    """All outputs of which Snakemake has a record: its file names are base64, cut to length."""
    folder, outputs = Path(store._metadata_path), list[str]()
    for file in filter(Path.is_file, folder.rglob("*")):
        name = "".join(part.removeprefix("@") for part in file.relative_to(folder).parts)
        with suppress(ValueError):  # none of Snakemake's
            outputs.append(urlsafe_b64decode(name).decode())
    return outputs
