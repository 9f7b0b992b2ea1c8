"""Digests of files, remembered: a file is read again only where its status has changed.

The status is size, inode and the times of content and of status. No program can set the last one
back, so an older file that `mv` or `cp -p` put in the place of another is seen. What a disk damages
keeps its status: each job therefore reads its inputs, and `verify` all results, whatever it is.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

from bioloom.errors import DataError
from bioloom.files import file_sha256, members, replacing, sha256

FILE = Path(".snakemake/digests.json")
# Within a tick of the file system's clock, in nanoseconds, a file may change twice and keep its
# status. Old file systems count whole seconds.
_TICK, _COARSE_TICK = 50_000_000, 2_000_000_000
# Each block has a checksum (CRC-32), and whoever reads one compares it: a job that takes one region
# of many need not read all of the file for a digest.
_CHECKED_AS_READ = ".bam"


class Digests:
    """The digests of files in the folder at work, by their paths."""

    def __init__(self, file: Path = FILE) -> None:
        """Read what an earlier process knew; a broken file is as good as none."""
        self._file = file
        try:
            self._known = {
                path: (tuple(status), str(digest))
                for path, (*status, digest) in json.loads(file.read_bytes()).items()
            }
        except (OSError, ValueError, TypeError, AttributeError):
            self._known = {}
        self._unsettled = set[str]()

    def of(self, path: str) -> str:
        """The sha256 of a file or folder, as `files.sha256` gives it."""
        return sha256(path, self._of_file)

    def learn(self, path: str, digest: str, since: float) -> None:
        """Take over the digest of a file that was read after this time, unless it changed later.

        So what a job has read, such as many gigabytes of reads, is not read again to know it.
        """
        if os.path.isfile(path) and (status := _status(Path(path)))[-1] < since * 1e9:
            self._known[path] = status, digest

    def differing(self, path: str, *, unseen: bool = False) -> list[Path]:
        """The files of a file or folder with another content than is remembered.

        `unseen`: only those whose status is what it was, and whose readers would not see it.
        """
        files = members(Path(path)) if os.path.isdir(path) else [Path(path)]
        return [file for file in files if self._differs(file, unseen)]

    def forget(self, file: Path) -> None:
        """Read this file again when it is asked for."""
        self._known.pop(str(file), None)

    def save(self) -> None:
        """Write what is known of the files that are here."""
        kept = {
            path: [*status, digest]
            for path, (status, digest) in sorted(self._known.items())
            if path not in self._unsettled and os.path.exists(path)
        }
        with replacing(self._file) as temporary:
            temporary.write_text(json.dumps(kept))

    def _differs(self, file: Path, unseen: bool) -> bool:
        known = self._known.get(str(file))
        if known is None or (unseen and file.suffix == _CHECKED_AS_READ):
            return False
        status, digest = known
        try:
            return not (unseen and status != _status(file)) and digest != file_sha256(file)
        except FileNotFoundError:  # another job has just removed or replaced it
            return False

    def _of_file(self, path: Path) -> str:
        status, name = _status(path), str(path)
        if name in self._known and self._known[name][0] == status:
            return self._known[name][1]
        changed = status[-1]
        tick = _TICK if changed % 1_000_000_000 else _COARSE_TICK
        if time.time_ns() - changed < tick:
            self._unsettled.add(name)
        self._known[name] = status, file_sha256(path)
        return self._known[name][1]


def refuse_damaged(paths: Iterable[str]) -> None:
    """Raise DataError if one of these files, or a file in a folder of them, is damaged.

    BAM is left to its readers, which check each block.
    """
    digests = Digests()
    for path in filter(os.path.exists, paths):
        for file in digests.differing(path, unseen=True):
            raise DataError(
                "This file is not what it was, though nothing has written it since",
                file=file,
                hint=f"check the disk; remove {path} if a step made it, and it will be made again",
            )


def _status(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns
