"""Dates of outputs: Snakemake goes by them, and looks at the content of what is newer alone."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from snakemake.persistence import MetadataRecord

from bioloom.errors import DataError
from bioloom.pipeline.digests import Digests

# Modification times, in seconds: an output is older than its inputs, so that Snakemake looks at
# their checksums. It has none for folders, which therefore are older than what is made of them.
_OLDEST, _FOLDER, _FILE = -1, 2, 1_000_000
# Seconds by which the clocks of a file system and of this machine may differ.
_AHEAD = 60
# A folder's time, kept by Snakemake inside it.
_TIMESTAMP = ".snakemake_timestamp"


def refuse_future(inputs: Iterable[str]) -> None:
    """Raise DataError for an input that is dated ahead: Snakemake takes no output that is older.

    It would say so of each job when that has ended. Files in an object store are not looked at.
    """
    for file in filter(os.path.lexists, inputs):
        if _time(file) > time.time() + _AHEAD:
            raise DataError(
                "This file is dated in the future, and what is made of it would be older",
                file=file,
                hint=f"`touch {shlex.quote(file)}`, after a look at the clock",
            )


def let_content_decide(
    known: Mapping[str, MetadataRecord], digests: Digests, restored: list[str]
) -> None:
    """Date outputs so that Snakemake takes for changed what is, and nothing else.

    It looks at the checksums of those inputs alone that are newer than an output. An output is
    dated back where Snakemake would overlook an older file that took the place of another; all are,
    where it would take a folder for changed that only has a new date, or has no date to go by, or
    where a clock has gone back: it makes nothing of what is dated ahead. `known` are the records
    of the outputs that are here, `restored` those that have just got theirs back.
    """
    changed = {output: _changed(output, record, digests) for output, record in known.items()}
    is_ahead = any(_time(output) > time.time() for output in known)
    is_redated = any(
        not changed[output] and any(_time(folder) > _time(output) for folder in folders_of(record))
        for output, record in known.items()
    )
    if restored or is_ahead or is_redated:
        times = _old_times(known, changed, restored)
    else:
        times = {
            output: _OLDEST
            for output, files in changed.items()
            if files and not any(_time(file) > _time(output) for file in files)
        }
    for output, seconds in times.items():
        _set_time(output, seconds)


def _changed(output: str, record: MetadataRecord, digests: Digests) -> list[str]:
    """The inputs of an output that are not what they were when it was made."""
    checksums = (record.input_checksums or {}).items()
    return [
        file
        for file, checksum in checksums
        if file != output and os.path.exists(file) and f"sha256:{digests.of(file)}" != checksum
    ]


def _old_times(
    known: Mapping[str, MetadataRecord], changed: dict[str, list[str]], restored: list[str]
) -> dict[str, float]:
    """Dates before those of all inputs; the oldest ones where Snakemake must see a new folder."""

    @cache
    def depth(file: str) -> int:
        sources = known[file].input or [] if file in known else []
        return 1 + max(map(depth, sources), default=0)

    def is_outdated(output: str, record: MetadataRecord) -> bool:
        unknown = set(folders_of(record)) - (record.input_checksums or {}).keys()
        return bool(changed[output]) or any(f in restored or is_newer(f, record) for f in unknown)

    return {
        output: _OLDEST
        if is_outdated(output, record)
        else _FOLDER
        if os.path.isdir(output)
        else _FILE - depth(output)
        for output, record in known.items()
    }


def folders_of(record: MetadataRecord) -> list[str]:
    """The inputs that are folders: Snakemake goes by their times alone.

    A folder with files that are inputs, too, counts by these.
    """
    inputs = record.input or []
    return [
        file
        for file in filter(os.path.isdir, inputs)
        if not any(other.startswith(f"{file}/") for other in inputs)
    ]


def is_newer(file: str, record: MetadataRecord) -> bool:
    """Whether an input was written, or touched, after the record's job had ended."""
    return _time(file) > (record.endtime or 0)


def _time(file: str) -> float:
    """The time that Snakemake goes by: a folder's is that of a file in it."""
    stamp = os.path.join(file, _TIMESTAMP)
    return os.lstat(stamp if os.path.exists(stamp) else file).st_mtime


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
