"""Results of an object store, brought into a folder, with the provenance of a run that was here.

The lock in a store has no digests, for what objects hold is not known without bringing them. Here
they are brought, so the lock becomes what a run in this folder would have written.
"""

from __future__ import annotations

import errno
import shutil
from bisect import bisect_left
from pathlib import Path
from tempfile import TemporaryDirectory

from fsspec.core import url_to_fs

from bioloom.errors import DataError
from bioloom.files import replacing, replacing_folder, sha256
from bioloom.pipeline.lock import Record, read_lock, write_lock

AGAIN = "run there once more, by the same command as before"


def fetch(address: str, lock: Path) -> tuple[int, list[str]]:
    """Bring the results that the lock in a store names, and what they were made of.

    `address` is such as s3://lab/cohort, the storage prefix of a run there, which has left its
    `lock` beside the results. Those that lie here are replaced; other lines of the lock here stay.
    Returns their number, and inputs that are here alone, such as a sheet of samples, which are
    taken for what they were. DataError, before anything is brought, for a store that cannot be
    read, in which a run is at work or was killed, or which has an input that is younger than what
    was made of it; and for an input that lies here with another content.
    """
    store, known = Store(address), read_lock(lock)
    records = store.records(lock.name)
    inputs = {name for record in records.values() for name in record["input"]} - records.keys()
    for output, record in records.items():
        store.check(output, inputs.intersection(record["input"]))
    for name in sorted(filter(store.has, inputs)):
        store.bring_input(name)
    for name in sorted(records):
        store.bring(name)
    made = {name: _with_digests(name, record) for name, record in records.items()}
    write_lock(lock, known | made)
    return len(records), sorted(name for name in inputs if not store.has(name))


class Store:
    """What lies below one address of an object store, by its name there."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/") + "/"
        hint = (
            "it is named as in `--default-storage-prefix`, such as s3://lab/cohort; the "
            "environment has the credentials, as in the run"
        )
        try:
            # What the store holds now, and not what an earlier look in this process saw.
            self._files, root = url_to_fs(self.address, skip_instance_cache=True)
            self._root = root.rstrip("/") + "/"
            self._objects = sorted(map(str, self._files.find(root)))
        except Exception as error:  # each kind of store has its own
            problem = f"This store cannot be read: {error or type(error).__name__}"
            raise DataError(problem, file=address, hint=hint) from error
        if not self._objects:
            raise DataError("Nothing is stored there", file=address, hint=hint)

    def records(self, name: str) -> dict[str, Record]:
        """The lock with this name; outputs and inputs have the names that they get here."""
        if not self.has(name):
            raise DataError(
                "No such object",
                file=self.address + name,
                hint="where this is the prefix of a run, it is at work, or was killed: if so, "
                + AGAIN,
            )
        with TemporaryDirectory(prefix="bioloom-fetch-") as folder:
            copy = Path(folder) / name
            self._copy(name, copy)
            records = read_lock(copy, self.address + name)
        return {
            self._name_here(output): record | {"input": list(map(self._name_here, record["input"]))}
            for output, record in records.items()
        }

    def _name_here(self, name: str) -> str:
        if "://" in name.removeprefix(self.address):
            raise DataError(
                "The results of this store were made at another address",
                file=name,
                hint=f"fetch them from there, or {AGAIN}",
            )
        return name.removeprefix(self.address)

    def has(self, name: str) -> bool:
        """Whether there is such a file, or a file in a folder of this name."""
        return bool(self._paths(name))

    def check(self, output: str, inputs: set[str]) -> None:
        """Raise DataError unless a result is there, and the user's inputs are not younger.

        An input may be here alone, such as a sheet of samples.
        """
        for name in [output, *sorted(inputs)]:
            if not self.has(name) and (name == output or not Path(name).exists()):
                raise DataError("No such object", file=self.address + name, hint=AGAIN)
        for name in sorted(filter(self.has, inputs)):
            if self._date(name) > self._date(output):
                raise DataError(
                    "This object is younger than what was made of it",
                    file=self.address + name,
                    hint=AGAIN,
                )

    def bring(self, name: str) -> None:
        """Bring a file or a folder with all that is in it, in place of what is here."""
        here = Path(name)
        if self._is_file(name):
            if here.is_dir():
                shutil.rmtree(here)
            with replacing(here) as file:
                self._copy(name, file)
        else:
            if here.is_file():
                here.unlink()
            with replacing_folder(here) as folder:
                self._copy(name, folder)

    def bring_input(self, name: str) -> None:
        """Bring a file or folder of the user's, unless it is here."""
        here = Path(name)
        if not here.exists():
            self.bring(name)
            return
        with TemporaryDirectory(prefix="bioloom-fetch-") as folder:
            copy = Path(folder) / here.name
            self._copy(name, copy)
            if sha256(copy) != sha256(here):
                raise DataError(
                    "This file is here with another content than in the store",
                    file=name,
                    hint="results there are of the other: fetch them into another folder, or "
                    "move this file away",
                )

    def _copy(self, name: str, to: Path) -> None:
        """Copy a file, or the files of a folder, to a path."""
        is_file, folder = self._is_file(name), f"{self._root}{name}/"
        for path in self._paths(name):
            target = to if is_file else to / path.removeprefix(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._files.get_file(path, str(target))
            except Exception as error:  # each kind of store has its own
                if getattr(error, "errno", None) == errno.ENOSPC:
                    raise
                problem = f"This object cannot be read: {error or type(error).__name__}"
                raise DataError(problem, file=self.address + name, hint=AGAIN) from error

    def _is_file(self, name: str) -> bool:
        return self._paths(name) == [self._root + name]

    def _paths(self, name: str) -> list[str]:
        path = self._root + name
        file, begin, end = (bisect_left(self._objects, path + mark) for mark in ("", "/", "0"))
        return [path] if self._objects[file : file + 1] == [path] else self._objects[begin:end]

    def _date(self, name: str) -> float:
        """When the last of a folder's files, or the file, was written (s)."""
        dates = (self._files.modified(path).timestamp() for path in self._paths(name))
        return float(max(dates))


def _with_digests(output: str, record: Record) -> Record:
    """A record of a store as the lock of a folder has it, by what lies here."""
    checksums = {name: f"sha256:{sha256(name)}" for name in record["input"]}
    return record | {"input_checksums": checksums, "sha256": sha256(output)}
