"""What is altered after a run is named, file by file, whatever its times say."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bioloom.cli.main import main
from bioloom.errors import CALLED
from bioloom.files import members
from bioloom.pipeline.digests import FILE
from bioloom.pipeline.lock import read_lock
from bioloom.pipeline.verify import verify
from tests.tiny_project import Project
from tests.toys import refused

LOCK = Path("snakemake.lock")


def flipped(content: bytes) -> bytes:
    """One bit is another."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def cut(content: bytes) -> bytes:
    """The second half is gone."""
    return content[: len(content) // 2]


def emptied(content: bytes) -> bytes:
    """Nothing is left."""
    return b""


def made_files() -> list[Path]:
    """All that the run made, also what is in folders."""
    return [
        file
        for output in map(Path, read_lock(LOCK))
        for file in (members(output) if output.is_dir() else [output])
    ]


@pytest.mark.parametrize("change", [flipped, cut, emptied], ids=lambda change: change.__name__)
def test_each_altered_file_is_named(
    project: Project, monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes]
) -> None:
    monkeypatch.chdir(project.folder)
    files, known = made_files(), FILE.read_bytes()
    assert len(files) > 50
    missed = []
    for file in files:
        before, content = file.stat(), file.read_bytes()
        file.write_bytes(change(content))
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        said = refused(lambda: verify(LOCK), "results are not what was made")
        if f"1 results are not what was made: {file}. Hint" not in said:
            missed.append(f"{file}: {said}")
        file.write_bytes(content)
        FILE.write_bytes(known)  # which forgets what was altered, so that the next run sees it
    assert missed == []
    assert verify(LOCK) == f"{len(read_lock(LOCK))} results are what was made"


def test_a_command_says_so_with_its_exit_code(project: Project, monkeypatch, capsys) -> None:
    monkeypatch.chdir(project.folder)
    assert main(["check", "--results"]) == 0
    assert "results are what was made" in capsys.readouterr().out
    shutil.rmtree("results/liver/model")
    assert main(["check", "--results"]) == 0
    assert "1 are not here" in capsys.readouterr().out
    Path("results/heart/metrics.json").write_text("{}")
    with pytest.raises(SystemExit) as ended:
        main(["check", "--results"])
    assert ended.value.code == 2
    assert "results/heart/metrics.json" in capsys.readouterr().err


def test_a_hint_names_the_command_by_which_the_user_runs(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for called in ("snakemake", "make run"):
        monkeypatch.setenv(CALLED, called)
        refused(lambda: verify(LOCK), f"`{called}` writes it")
    with pytest.raises(SystemExit):
        main(["check", "--results"])
    assert "`bioloom run` writes it" in capsys.readouterr().err
    monkeypatch.delenv(CALLED)
    refused(lambda: verify(LOCK), "`snakemake` writes it")
