"""Whole files or none: everything is written under a temporary name and renamed."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from gzip import GzipFile
from importlib import import_module
from io import BytesIO
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZipFile, ZipInfo

from bioloom.errors import DataError
from bioloom.limits import MOST_FILES, raised_by
from bioloom.progress import JOB

CACHE = "BIOLOOM_CACHE"
"""The variable of the environment with the folder of downloads and stored embeddings."""
SUMS = "SHA256SUMS"
AGAIN = "remove it, and it will be made again"
HOST = re.sub(r"\W", "", platform.node()) or "here"
PLAIN = re.compile(r"(?!(.*-)?[0-9a-f]{8}$)[A-Za-z0-9_][A-Za-z0-9._-]{0,79}")
"""Ids that are names of files, and are not taken for one with a digest behind it."""


def shared_cache() -> Path:
    """The folder of downloads and stored embeddings, which any project may use again.

    `.bioloom` of the project, or what the environment's BIOLOOM_CACHE names, for many projects at
    once. DataError where that is no absolute path: each project would take it for another place.
    """
    given = os.environ.get(CACHE)
    if not given:
        return Path(".bioloom")
    cache = Path(given).expanduser()
    if not cache.is_absolute():
        raise DataError(f"{CACHE} names no absolute path", file=given)
    return cache


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, and rename it to `path` when the block succeeds.

    What killed processes of this machine left in the folder is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent.absolute())
    # The suffix stays last: writers choose the format by it.
    temporary = path.with_name(f".{path.stem}.{HOST}-{os.getpid()}{path.suffix}")
    try:
        yield temporary
        _open_to_all(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_gzip(path: str | Path) -> Iterator[GzipFile]:
    """Write a compressed file, which is there when the block succeeds.

    It holds no name and no time: the same content is the same bytes.
    """
    with replacing(path) as temporary, temporary.open("wb") as raw:
        with GzipFile("", "wb", 3, raw, mtime=0) as stream:
            yield stream


@cache
def _sweep(folder: Path) -> None:
    """Remove what `replacing` left in a folder, which is looked at once, if its process is gone."""
    for file in folder.glob(f".*.{HOST}-*"):
        owner = re.search(rf"\.{HOST}-(\d+)(\.\w+)?$", file.name)
        if owner and not _is_alive(int(owner[1])):
            file.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


@contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """Give an empty folder beside `path`, which takes its place when the block succeeds.

    What killed processes left of theirs is removed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.name}.new-*"):
        shutil.rmtree(left, ignore_errors=True)
    temporary = path.with_name(f".{path.name}.new-{os.getpid()}")
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            _open_to_all(file)
        shutil.rmtree(path, ignore_errors=True)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def work_folder(path: str | Path) -> Iterator[Path]:
    """Give an empty folder beside `path` for large parts of it; it is gone after the block.

    What a killed process left of it is removed.
    """
    path = Path(path)
    folder = path.with_name(f".{path.name}.work")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _open_to_all(path: Path) -> None:
    """Give a file the mode of new ones: safetensors makes its own for the user alone."""
    if path.is_file():
        umask = os.umask(0)
        os.umask(umask)
        path.chmod(0o666 & ~umask)


def file_names(ids: Sequence[str]) -> list[str]:
    """A name of a file for each of different ids, without ending: different also without case.

    An id of up to 80 plain letters, digits, `.`, `_` and `-` is its own name. What is left of any
    other has eight digits of its sha256 behind it, so that the name is the same in every run.
    """
    alike = Counter(name.lower() for name in ids)
    return [
        name if PLAIN.fullmatch(name) and alike[name.lower()] == 1 else _hashed(name)
        for name in ids
    ]


def _hashed(name: str) -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    left = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:60].strip("._-")
    return f"{left}-{digest}" if left else digest


def join_texts(parts: Sequence[Path], path: Path, *, header: bool) -> None:
    """Write the lines of the parts, one after the other; a `header` that all have stands once."""
    with replacing(path) as temporary, temporary.open("wb") as out:
        for number, part in enumerate(parts):
            with part.open("rb") as lines:
                if header and number:
                    next(lines)
                shutil.copyfileobj(lines, out)


def write_json(content: Any, path: str | Path) -> None:
    """Write readable JSON; keys keep their order."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file that a step made."""
    with reading(path):
        return json.loads(Path(path).read_text())


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turn whatever is wrong with a file that a step made into a DataError."""
    try:
        yield
    except (DataError, FileNotFoundError, PermissionError, MemoryError):
        raise
    except Exception as error:  # what is damaged fails in ways without number
        raise DataError("This file is damaged", file=path, hint=AGAIN) from error


def skops_io() -> ModuleType:
    """`skops.io`; in a job it trusts no estimator by itself, since models name what theirs hold.

    It looks for all estimators of scikit-learn, and so imports every module of it, and PyTorch:
    seconds of each job that reads or writes a model. What a user's own process trusts is the
    user's.
    """
    if JOB not in os.environ or "skops.io" in sys.modules:
        return import_module("skops.io")
    import sklearn.utils

    all_estimators = sklearn.utils.all_estimators
    sklearn.utils.all_estimators = list
    try:
        return import_module("skops.io")
    finally:
        sklearn.utils.all_estimators = all_estimators


def write_skops(content: Any, path: str | Path) -> None:
    """Write a skops file, the same bytes for the same content.

    skops names objects by their addresses in memory; here they are numbered.
    """
    dumps = skops_io().dumps
    numbers: dict[int, int] = {}

    def number(address: int) -> int:
        return numbers.setdefault(address, len(numbers) + 1)  # 0 means no object to skops

    def rename(file: str) -> str:
        address, _, suffix = file.partition(".")
        return f"{number(int(address))}.{suffix}" if suffix != "json" else file

    def renumber(node: dict[str, Any]) -> dict[str, Any]:
        if isinstance(address := node.get("__id__"), int):
            node["__id__"] = number(address)
        if isinstance(file := node.get("file"), str):
            node["file"] = rename(file)
        return node

    with (
        replacing(path) as temporary,
        ZipFile(BytesIO(dumps(content))) as source,
        ZipFile(temporary, "w") as target,
    ):
        schema = json.loads(source.read("schema.json"), object_hook=renumber)
        members = {name: source.read(name) for name in source.namelist()}
        members["schema.json"] = json.dumps(schema).encode()
        for name, data in members.items():
            target.writestr(ZipInfo(rename(name)), data)


def file_sha256(path: Path) -> str:
    """The hexadecimal sha256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256(path: str | Path, of_file: Callable[[Path], str] = file_sha256) -> str:
    """The hexadecimal sha256 of a file, or of a folder's files with their names.

    `of_file` gives the digests of the files.
    """
    path = Path(path)
    if not path.is_dir():
        return of_file(path)
    lines = (f"{member.relative_to(path)} {of_file(member)}\n" for member in members(path))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold a file's lock, which the kernel lets go even when the process is killed.

    False on file systems without locks, such as some of clusters: others may be at work, too. A
    folder that was removed while this process waited is made again, with a lock of its own.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
            except OSError:
                yield False
                return
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                yield True
                return


def members(folder: Path) -> list[Path]:
    """All files in a folder, sorted; DataError for more than `MOST_FILES`.

    Hidden files do not count: Snakemake keeps a folder's time stamp in one. Folders may vanish
    meanwhile, which `Path.rglob` does not bear, and files may be out of reach.
    """
    found = (
        os.path.join(top, name)
        for top, _, names in os.walk(folder)
        for name in names
        if not name.startswith(".")
    )
    paths = list(islice(found, MOST_FILES + 1))
    if len(paths) > MOST_FILES:
        problem = f"More than {MOST_FILES:,} files are in the folder"
        raise DataError(problem, file=folder, hint=f"is it this one? {raised_by('MOST_FILES')}")
    return sorted(map(Path, filter(os.path.isfile, paths)))


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS, the digests of all files in a folder, as `sha256sum --check` reads it."""
    (folder / SUMS).write_text(_sums(folder))


def check_sums(folder: Path, hint: str) -> str:
    """The digest of a folder; DataError with this hint unless all is as `write_sums` found it."""
    sums = folder / SUMS
    written = sums.read_bytes() if sums.exists() else b""
    found = _sums(folder)
    if written != found.encode():
        before, now = written.decode(errors="replace").splitlines(), found.splitlines()
        changed = [line for line in (*now, *before) if (line in now) != (line in before)]
        file = folder / (changed[0].split("  ")[-1] if changed and before else SUMS)
        raise DataError("This file is not what was written", file=file, hint=hint)
    return hashlib.sha256(written).hexdigest()


def _sums(folder: Path) -> str:
    files = [path for path in members(folder) if path != folder / SUMS]
    return "".join(f"{file_sha256(path)}  {path.relative_to(folder)}\n" for path in files)
