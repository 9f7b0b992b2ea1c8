"""snakemake.lock: the provenance of every output, in git.

One JSON line an output, sorted: its sha256, and what Snakemake compares before it reruns a job
(rule, inputs with their checksums, params, code). Times, hosts and log names are left out, so two
machines that compute the same write the same lock. `export_lock` writes it after a run;
`restore_lock` gives Snakemake its records back in a clone or after a pull, and sets the times of
the outputs so that content alone decides what is stale.
"""

from __future__ import annotations

import json
import os
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord
from snakemake.persistence.file import FilePersistence

from bioloom.errors import DataError
from bioloom.files import replacing, sha256

Record = dict[str, Any]

# What Snakemake compares.
_COMPARED = ("rule", "input", "params", "code", "input_checksums")
# Modification times, in seconds: an output is older than its inputs, so that Snakemake looks at
# their checksums. It has none for folders, which therefore are older than what is made of them.
_OLDEST, _FOLDER, _FILE = 1, 2, 1_000_000
# Stands for the params of an output of unknown origin, which differ from any: it is made again.
_STRANGER = "not the file that snakemake.lock describes"
_COMPLETE = {"record_format_version": RECORD_FORMAT_VERSION, "incomplete": False}
# A folder's time, kept by Snakemake inside it.
_TIMESTAMP = ".snakemake_timestamp"


def export_lock(
    lock: Path, store: FilePersistence, outputs: Iterable[str], *, complete: bool
) -> None:
    """Bring the lock up to date with the outputs that are here.

    Outputs that are absent or half-written keep their line. When `outputs` is `complete`, all
    that the workflow makes, lines of other files are dropped.
    """
    old, outputs = read_lock(lock), set(outputs)
    unfinished = store._filter_incomplete_keys(outputs)
    new = {output: record for output, record in old.items() if not complete or output in outputs}
    for output in outputs - unfinished:
        known = store._read_record(output)
        if known is not None and known.rule and os.path.exists(output):
            known.input_checksums = _with_folders(known)
            store._write_record(output, known)
            new[output] = {name: known[name] for name in _COMPARED} | {"sha256": sha256(output)}
    if new != old:
        write_lock(lock, new)


def read_lock(lock: Path) -> dict[str, Record]:
    """Output -> record; empty where there is no lock."""
    lines = lock.read_text().splitlines() if lock.exists() else []
    records = {}
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            records[record.pop("output")] = record
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise DataError(
                "This line is no record of an output",
                file=lock,
                row=number,
                hint="after a merge conflict take either side: `git checkout --theirs` the file",
            ) from error
    return records


def write_lock(lock: Path, records: dict[str, Record]) -> None:
    """Write the lock, one sorted line an output."""
    lines = [
        json.dumps({"output": output} | records[output], sort_keys=True) + "\n"
        for output in sorted(records)
    ]
    with replacing(lock) as temporary:
        temporary.write_text("".join(lines))


def restore_lock(lock: Path) -> list[str]:
    """Give Snakemake the lock's records of outputs that are as the lock says; list these.

    An output with another content keeps the record of the run that made it here; without one
    Snakemake makes it again. The record of an absent output is restored too: what was made of it
    may be here.
    """
    store = FilePersistence()
    restored, different = [], False
    for output, record in read_lock(lock).items():
        known, here = store._read_record(output), os.path.exists(output)
        if known is not None and _same(known, record):
            different |= here and any(_newer(folder, known) for folder in _folders(known))
            continue
        different = True
        if sha256(output) == record["sha256"] if here else known is None:
            store._write_record(output, _metadata(record))
            restored.append(output)
        elif known is None:
            store._write_record(output, MetadataRecord(params=[_STRANGER], **_COMPLETE))
    if different:
        store._clear_cache()
        _let_content_decide(store, restored)
    return restored


def _with_folders(record: MetadataRecord) -> dict[str, str]:
    """The checksums of an output's inputs; Snakemake has none for folders, so they are added."""
    checksums = dict(record.input_checksums or {})
    for folder in _folders(record):
        if not _newer(folder, record):
            checksums[folder] = f"sha256:{sha256(folder)}"
    return checksums


def _folders(record: MetadataRecord) -> list[str]:
    """The inputs that are folders: Snakemake goes by their times alone."""
    return [file for file in record.input or [] if os.path.isdir(file)]


def _same(known: MetadataRecord, record: Record) -> bool:
    checksums = (known.input_checksums or {}).items()
    return all(known[name] == record[name] for name in _COMPARED[:-1]) and all(
        record["input_checksums"].get(file) == checksum for file, checksum in checksums
    )


def _metadata(record: Record) -> MetadataRecord:
    now = time.time()
    return MetadataRecord(
        **{name: record[name] for name in _COMPARED},
        **_COMPLETE,
        starttime=now,
        endtime=now,
    )


def _let_content_decide(store: FilePersistence, restored: list[str]) -> None:
    """Date all outputs so that Snakemake compares the checksums of their inputs."""
    records = ((output, store._read_record(output)) for output in _recorded(store))
    known = {output: record for output, record in records if record is not None}
    inputs = {output: record.input or [] for output, record in known.items()}

    @cache
    def depth(file: str) -> int:
        return 1 + max((depth(source) for source in inputs.get(file, ())), default=0)

    @cache
    def checksum(folder: str) -> str:
        return f"sha256:{sha256(folder)}"

    def outdated(output: str, folder: str) -> bool:
        recorded = (known[output].input_checksums or {}).get(folder)
        if recorded is None:
            return folder in restored or _newer(folder, known[output])
        return bool(recorded != checksum(folder))

    times = {}
    for output in filter(os.path.exists, inputs):
        if any(outdated(output, folder) for folder in _folders(known[output])):
            times[output] = _OLDEST
        else:
            times[output] = _FOLDER if os.path.isdir(output) else _FILE - depth(output)
    for output, seconds in times.items():
        _set_time(output, seconds)


def _recorded(store: FilePersistence) -> list[str]:
    """The outputs of which Snakemake has a record: its file names are base64, cut to length."""
    folder = Path(store._metadata_path)
    names = [
        "".join(part.removeprefix("@") for part in file.relative_to(folder).parts)
        for file in folder.rglob("*")
        if file.is_file()
    ]
    return [urlsafe_b64decode(name).decode() for name in names]


def _newer(folder: str, record: MetadataRecord) -> bool:
    """Whether the folder was written, or touched, after the record's job had ended."""
    stamp = os.path.join(folder, _TIMESTAMP)
    time_file = stamp if os.path.exists(stamp) else folder
    return os.lstat(time_file).st_mtime > (record.endtime or 0)


def _set_time(output: str, seconds: float) -> None:
    # A link may lead into a cache that others share: the link is dated, not what it leads to.
    if os.path.isdir(output) and not os.path.islink(output):
        Path(output, _TIMESTAMP).touch()
        output = os.path.join(output, _TIMESTAMP)
    try:
        os.utime(output, (seconds, seconds), follow_symlinks=False)
    except PermissionError as error:
        raise DataError(
            "This file belongs to another user, so it cannot be told apart from a stale one",
            file=output,
            hint="`dvc config cache.type reflink,copy`, then `dvc checkout --relink`",
        ) from error
