"""Results of an object store, brought into a folder, with the provenance of a run that was here.

The lock in a store has no digests, for what objects hold is not known without bringing them. Here
they are brought, so the lock becomes what a run in this folder would have written.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from fsspec.core import url_to_fs

from bioloom.errors import DataError, to_run
from bioloom.files import replacing, replacing_folder, sha256
from bioloom.pipeline.lock import Record, read_lock, write_lock


def fetch(address: str, lock: Path) -> int:
    """Bring the results that the lock in a store names, and what they were made of.

    `address` is such as s3://lab/cohort, the storage prefix of a run there, which has left its
    `lock` beside the results. Those that lie here are replaced. Returns their number. DataError
    where an input lies here with another content, and for a store that cannot be read, or in which
    a run is at work or was killed.
    """
    store = Store(address)
    records = store.records(lock.name)
    made = records.keys()
    for name in sorted({name for record in records.values() for name in record["input"]} - made):
        store.bring_input(name)
    for name in sorted(made):
        store.bring(name)
    write_lock(lock, {name: _with_digests(name, record) for name, record in records.items()})
    return len(records)


class Store:
    """What lies below one address of an object store, by its name there."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/") + "/"
        hint = (
            "it is named as in `--default-storage-prefix`, such as s3://lab/cohort; the "
            "environment has the credentials, as in the run"
        )
        try:
            self._files, root = url_to_fs(self.address)
            self._files.ls(root)
        except FileNotFoundError as error:
            raise DataError("Nothing is stored there", file=address, hint=hint) from error
        except Exception as error:  # each kind of store has its own
            problem = f"This store cannot be read: {error or type(error).__name__}"
            raise DataError(problem, file=address, hint=hint) from error
        self._root = root.rstrip("/") + "/"

    def records(self, name: str) -> dict[str, Record]:
        """The lock with this name; outputs and inputs have the names that they get here."""
        with TemporaryDirectory(prefix="bioloom-fetch-") as folder:
            copy = Path(folder) / name
            if not self._files.exists(self._root + name):
                raise DataError(
                    "No such object",
                    file=self.address + name,
                    hint=f"a run is at work there, or was killed: {to_run()} ends it",
                )
            self._files.get_file(self._root + name, str(copy))
            records = read_lock(copy, self.address + name)
        return {
            self._name_here(output): record | {"input": list(map(self._name_here, record["input"]))}
            for output, record in records.items()
        }

    def _name_here(self, name: str) -> str:
        return name.removeprefix(self.address)

    def bring(self, name: str) -> None:
        """Bring a file or a folder with all that is in it, in place of what is here."""
        path = self._root + name
        if self._files.isdir(path):
            with replacing_folder(name) as folder:
                self._files.get(f"{path}/", f"{folder}/", recursive=True)
        else:
            with replacing(name) as file:
                self._files.get_file(path, str(file))

    def bring_input(self, name: str) -> None:
        """Bring a file of the user's, unless it is here; it may be here alone, such as a sheet."""
        if not self._files.exists(self._root + name):
            return
        here = Path(name)
        if not here.exists():
            self.bring(name)
            return
        with TemporaryDirectory(prefix="bioloom-fetch-") as folder:
            copy = Path(folder) / here.name
            self._files.get(self._root + name, str(copy), recursive=True)
            if sha256(copy) != sha256(here):
                raise DataError(
                    "This file is here with another content than in the store",
                    file=name,
                    hint="results there are of the other: fetch them into another folder, or "
                    "move this file away",
                )


def _with_digests(output: str, record: Record) -> Record:
    """A record of a store as the lock of a folder has it, by what lies here."""
    checksums = {name: f"sha256:{sha256(name)}" for name in record["input"] if Path(name).exists()}
    return record | {"input_checksums": checksums, "sha256": sha256(output)}
