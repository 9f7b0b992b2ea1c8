"""Digests of files, remembered: a file is read again only where its status has changed.

The status is size, inode and the times of content and of status. No program can set the last one
back, so an older file that `mv` or `cp -p` put in the place of another is seen. What a disk damages
keeps its status: each job therefore reads its inputs, and `verify` all results, whatever it is.

Each job keeps the digests of what it made as its last act, in `MADE`, and jobs of the same run
compare. The end of a run takes them over, or the next run, if this one was killed. Snakemake dates
what a job made when it has ended, so the status is another one from then on.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256 as hashed
from pathlib import Path
from typing import Any, NamedTuple

from bioloom.errors import DataError
from bioloom.files import file_sha256, members, replacing, sha256

FILE = Path(".snakemake/digests.json")
MADE = Path(".snakemake/made")
# Within a tick of the file system's clock, in nanoseconds, a file may change twice and keep its
# status. Old file systems count whole seconds.
_TICK, _COARSE_TICK = 50_000_000, 2_000_000_000
# Of a file that was read so soon: what it held is known, and it is read again when asked for.
_UNSETTLED: tuple[int, ...] = ()
# What a date in seconds has lost of its nanoseconds, at most.
_ROUNDED = 1_000
# Each block has a checksum (CRC-32), and whoever reads one compares it: a job that takes one region
# of many need not read all of the file for a digest.
_CHECKED_AS_READ = ".bam"

Known = dict[str, tuple[tuple[int, ...], str]]
"""File -> its status and sha256."""


class Made(NamedTuple):
    """An output as its job left it."""

    output: str
    sha256: str
    files: Known
    """Of an output that is a folder, each file in it."""


class Digests:
    """The digests of files in the folder at work, by their paths."""

    def __init__(self, file: Path = FILE) -> None:
        """Read what an earlier process knew; a broken file is as good as none."""
        self._file = file
        try:
            self._known = _unpacked(json.loads(file.read_bytes()))
        except (OSError, ValueError, TypeError, AttributeError):
            self._known = {}

    def of(self, path: str) -> str:
        """The sha256 of a file or folder, as `files.sha256` gives it."""
        return sha256(path, self._of_file)

    def learn(self, path: str, digest: str, since: float) -> None:
        """Take over the digest of a file that was read after this time, unless it changed later.

        So what a job has read, such as many gigabytes of reads, is not read again to know it.
        """
        if os.path.isfile(path) and (status := _status(Path(path)))[-1] < since * 1e9:
            self._known[path] = status, digest

    def take_over(self, made: Made, dated: float = -math.inf) -> None:
        """Know the files of an output as its job left them, whatever became of them since.

        What Snakemake has only `dated` (s), and nothing touched later, is known by its new status.
        They count as settled: who else writes what a job makes, in the tick after its end?
        """
        for path, (status, digest) in made.files.items():
            with suppress(OSError):  # it is gone
                now = _status(Path(path))
                if now[:2] == status[:2] and now[-1] <= dated * 1e9 + _ROUNDED:
                    status = now
            self._known[path] = status, digest

    def differing(self, path: str) -> list[Path]:
        """The files of a file or folder with another content than is remembered."""
        return [file for file in _files(path) if self.differs(file)]

    def differs(self, file: Path, *, unseen: bool = False) -> bool:
        """Whether a file has another content than is remembered.

        `unseen`: only where its status is what it was.
        """
        known = self._known.get(str(file))
        if known is None:
            return False
        status, digest = known
        try:
            return not (unseen and status != _status(file)) and digest != file_sha256(file)
        except FileNotFoundError:  # another job has just removed or replaced it
            return False

    def forget(self, file: Path) -> None:
        """Read this file again when it is asked for."""
        self._known.pop(str(file), None)

    def save(self) -> None:
        """Write what is known of the files that are here."""
        kept = {path: of for path, of in sorted(self._known.items()) if os.path.exists(path)}
        with replacing(self._file) as temporary:
            temporary.write_text(json.dumps(_packed(kept)))

    def _of_file(self, path: Path) -> str:
        status, name = _status(path), str(path)
        if name in self._known and self._known[name][0] == status:
            return self._known[name][1]
        changed = status[-1]
        tick = _TICK if changed % 1_000_000_000 else _COARSE_TICK
        settled = time.time_ns() - changed >= tick
        self._known[name] = status if settled else _UNSETTLED, file_sha256(path)
        return self._known[name][1]


def keep_made(outputs: Iterable[str]) -> None:
    """A job's last act: write how it leaves these files and folders, each in a file of its own.

    Those that are not here are passed over. Where no run of this folder takes them over, `MADE` is
    not there, and nothing is written.
    """
    if not MADE.is_dir():
        return
    for output in outputs:
        files: Known = {}

        def read(file: Path, files: Known = files) -> str:
            files[str(file)] = _status(file), file_sha256(file)
            return files[str(file)][1]

        try:
            digest, place = sha256(output, read), _file_of(output)
        except FileNotFoundError:  # not made, or out of sight just now
            continue
        place.parent.mkdir(exist_ok=True)
        # A job that is killed while it writes has not ended for Snakemake, and runs again.
        place.write_text(json.dumps([output, digest, _packed(files)]))


def is_kept(output: str) -> bool:
    """Whether a job has kept the digests of this file or folder since it was forgotten last."""
    return _file_of(output).exists()


def kept() -> list[Made]:
    """What jobs have kept since it was forgotten last."""
    return [made for file in sorted(MADE.glob("*/*")) if (made := _read(file))]


def forget_kept() -> None:
    """Begin anew, with a folder for what jobs will keep."""
    for file in MADE.glob("*/*"):
        file.unlink(missing_ok=True)
    MADE.mkdir(parents=True, exist_ok=True)


def refuse_damaged(paths: Iterable[str]) -> None:
    """Raise DataError if one of these files, or a file in a folder of them, is damaged.

    BAM is left to its readers, which check each block.
    """
    digests = Digests()
    for path in filter(os.path.exists, paths):
        if made := _read(_file_of(path)):
            digests.take_over(made)
        for file in _files(path):
            if file.suffix == _CHECKED_AS_READ or not digests.differs(file, unseen=not made):
                continue
            raise DataError(
                "This file is not what it was, though no job has written it since",
                file=file,
                hint=f"check the disk; remove {path} if a step made it, and it will be made again",
            )


def _file_of(output: str) -> Path:
    name = hashed(output.encode()).hexdigest()
    return MADE / name[:2] / name[2:34]


def _read(file: Path) -> Made | None:
    with suppress(OSError, ValueError, TypeError, AttributeError):
        output, digest, files = json.loads(file.read_bytes())
        return Made(str(output), str(digest), _unpacked(files))
    return None


def _packed(known: Known) -> dict[str, list[Any]]:
    """As JSON has it."""
    return {path: [*status, digest] for path, (status, digest) in known.items()}


def _unpacked(content: dict[str, list[Any]]) -> Known:
    return {path: (tuple(status), str(digest)) for path, (*status, digest) in content.items()}


def _files(path: str) -> list[Path]:
    """The files of a folder, or the file itself."""
    return members(Path(path)) if os.path.isdir(path) else [Path(path)]


def _status(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns
