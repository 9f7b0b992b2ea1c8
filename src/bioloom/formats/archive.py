"""Zip archives that are files of their own, such as .npz and .xlsx."""

from __future__ import annotations

import zipfile
from pathlib import Path

from bioloom.errors import DataError
from bioloom.limits import UNPACKED_FREE, UNPACKED_TIMES, raised_by

KNOWN = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def check_members(archive: zipfile.ZipFile, path: str | Path) -> None:
    """Raise DataError for what unpacks to more than `UNPACKED_TIMES` its size.

    Raises BadZipFile for what would ask for as much memory as damaged bytes say: a member that is
    larger than the archive, and compressions that such files do not have, such as LZMA.
    """
    members, size = archive.infolist(), Path(path).stat().st_size
    unpacked = sum(member.file_size for member in members)
    if unpacked > max(UNPACKED_FREE, UNPACKED_TIMES * size):
        problem = f"It unpacks to more than {UNPACKED_TIMES} times its size"
        raise DataError(problem, file=path, hint=raised_by("UNPACKED_TIMES"))
    if large := [member.filename for member in members if member.compress_size > size]:
        raise zipfile.BadZipFile(f"{large[0]} is larger than the archive")
    if unknown := {member.compress_type for member in members} - KNOWN:
        raise zipfile.BadZipFile(f"compression {min(unknown)}")
