"""The common entry of all scripts: arguments in, one library call, files out."""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import resource
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bioloom.errors import one_line_errors
from bioloom.files import CACHE, replacing, shared_cache
from bioloom.pipeline.digests import is_kept, keep_made, refuse_damaged
from bioloom.pipeline.running import FOLDER, RUN, join_jobs
from bioloom.pipeline.sections import RESULTS
from bioloom.progress import JOB

LONGEST = 40_000
"""Bytes of a text in quotes in a command, of which Linux takes 128 KiB at most: room for three."""
LONG = FOLDER / "long"
"""Where longer ones lie."""
STORED = "BIOLOOM_STORED"
"""The variable of the environment with the folder that files of an object store are brought to."""


def run(
    description: str | None,
    arguments: dict[str, Callable[[str], object]],
    main: Callable[..., None],
) -> None:
    """Parse `--name value` arguments by their types and call `main` with them.

    What the user can mend ends as one line on stderr and exit code 2; the rest is a traceback.
    A type in a list (`[Path]`) takes any number of values, all of which are read. A damaged file is
    refused that a `Path` or `json_files` names; texts of options and logs (`log_file`) name none.
    Of single paths, those that were not here before are what the job made: their digests are kept.
    Snakemake removes outputs before a job; a script that is run by hand may write over one.
    The last line says what the job took: it is measured here, since Snakemake's `benchmark:` asks
    every job again and again.
    """
    started = time.monotonic()
    parser = argparse.ArgumentParser(description=description)
    for name, type_ in arguments.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(type_, list):
            parser.add_argument(flag, type=type_[0], nargs="*", default=[])
        else:
            parser.add_argument(flag, type=type_, required=True)
    chosen = vars(parser.parse_args())
    join_jobs()
    with one_line_errors():
        if stored := os.environ.get(STORED):
            chosen = enter_store(Path(stored), chosen)
        files = [
            text
            for name, type_ in arguments.items()
            if type_ in (Path, [Path], json_files)
            for text in _texts(chosen[name])
        ]
        os.environ[JOB] = job_of(Path(sys.argv[0]).stem, files)
        single = [str(chosen[name]) for name, type_ in arguments.items() if type_ is Path]
        by_hand = RUN not in os.environ
        made = [file for file in single if not os.path.exists(file) or by_hand and is_kept(file)]
        refuse_damaged(files)
        main(**chosen)
        keep_made(made)
    print(took(time.monotonic() - started), file=sys.stderr)
    # As it ends, the interpreter looks for cycles among all that was imported, which takes a fifth
    # of what a short job does. What is frozen it leaves alone.
    gc.freeze()


def enter_store(folder: Path, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Work in the folder where Snakemake keeps the files that this job has of an object store.

    What else names files, such as JSON, calls them as the tasks do, and so do messages then. Gives
    the arguments with paths as they are from there; what is no file of the store stays where it is.
    """
    os.environ.setdefault(CACHE, str(shared_cache().absolute()))
    folder.mkdir(parents=True, exist_ok=True)

    def from_there(value: Any) -> Any:
        if isinstance(value, list):
            return [from_there(part) for part in value]
        if not isinstance(value, Path):
            return value
        path = value.absolute()
        return path.relative_to(folder) if path.is_relative_to(folder) else path

    there = {name: from_there(value) for name, value in chosen.items()}
    os.chdir(folder)
    return there


def job_of(script: str, files: Iterable[str]) -> str:
    """What a job is called: its step, and the task that the first of its results is of.

    >>> job_of("extract_features", ["data/a.csv", "results/heart/training/samples.parquet"])
    'extract features heart'
    """
    results = (Path(file).parts for file in files)
    tasks = (parts[1] for parts in results if parts[:1] == (RESULTS,) and len(parts) > 2)
    return " ".join(filter(None, [script.replace("_", " "), next(tasks, "")]))


def _texts(value: object) -> Iterator[str]:
    """All texts in nested arguments."""
    if isinstance(value, str | Path):
        yield str(value)
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)


def took(seconds: float) -> str:
    """What this process and its children took: seconds, seconds of CPU time, peak memory."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in usages)
    # Linux counts in KiB, macOS in bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak = max(usage.ru_maxrss for usage in usages) / unit
    return f"took {seconds:.1f} s, {cpu:.1f} s of CPU time, {peak:,.0f} MiB at most"


def log_file(text: str) -> Path:
    """The path of a log: of what differs from run to run nothing is compared."""
    return Path(text)


def optional_path(paths: list[Path]) -> Path | None:
    """The one path of an optional argument, or None."""
    return paths[0] if paths else None


def passed(text: str) -> str:
    """A JSON text as a command takes it: a long one lies in a file, and the command has its name.

    The file is called by its content, and each process that plans the job writes it where it lacks.
    """
    if len(shlex.quote(text).encode()) <= LONGEST:
        return text
    content = text.encode()
    file = LONG / f"{hashlib.sha256(content).hexdigest()}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as temporary:
            temporary.write_bytes(content)
    return f"@{file}"


def drop_long() -> None:
    """Remove the files of `passed` of earlier runs."""
    shutil.rmtree(LONG, ignore_errors=True)


def _read(text: str) -> Any:
    return json.loads(Path(text[1:]).read_bytes() if text.startswith("@") else text)


def json_object(text: str) -> dict[str, Any]:
    """A JSON object given as an argument."""
    return dict(_read(text))


def json_files(text: str) -> dict[str, Any]:
    """A JSON object given as an argument whose texts name files; other words may be among them."""
    return json_object(text)


def json_objects(text: str) -> dict[str, Any] | list[dict[str, Any]]:
    """A JSON object given as an argument, or a list of them."""
    given = _read(text)
    return [dict(part) for part in given] if isinstance(given, list) else dict(given)
