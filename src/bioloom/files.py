"""Whole files or none: everything is written under a temporary name and renamed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

PLAIN = re.compile(r"(?!(.*-)?[0-9a-f]{8}$)[A-Za-z0-9_][A-Za-z0-9._-]{0,79}")
"""Ids that are names of files, and are not taken for one with a digest behind it."""


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, and rename it to `path` when the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays last: writers choose the format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        _open_to_all(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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


def write_json(content: Any, path: str | Path) -> None:
    """Write readable JSON; keys keep their order."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file."""
    return json.loads(Path(path).read_text())


def write_skops(content: Any, path: str | Path) -> None:
    """Write a skops file, the same bytes for the same content.

    skops names objects by their addresses in memory; here they are numbered.
    """
    from skops.io import dumps

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


def sha256(path: str | Path) -> str:
    """The hexadecimal sha256 of a file, or of a folder's files with their names.

    Hidden files do not count: Snakemake keeps a folder's time stamp in one.
    """
    path = Path(path)
    if path.is_dir():
        digest = hashlib.sha256()
        files = (p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
        for member in sorted(files):
            digest.update(f"{member.relative_to(path)} {sha256(member)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
