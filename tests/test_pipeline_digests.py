"""Digests are remembered as long as a file's status is; damage without a trace is found, too."""

from __future__ import annotations

import errno
import json
import os
import runpy
import shlex
import shutil
import sys
import time
from pathlib import Path

import pytest

from bioloom.errors import DataError
from bioloom.files import sha256
from bioloom.pipeline import command, digests
from bioloom.pipeline.digests import Digests, forget_kept, keep_made, kept, refuse_damaged
from bioloom.pipeline.running import RUN
from bioloom.reads.bam import Bam
from bioloom.reads.bgzf import END_BLOCK
from tests.tiny_project import ROOT
from tests.tiny_reads import Read, write_reads
from tests.toys import refused


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at work with a file and a folder of one, long since written and remembered."""
    monkeypatch.chdir(tmp_path)
    for name in ("table", "model/weights"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(name)
    time.sleep(0.06)
    remember("table", "model")
    return tmp_path


def remember(*paths: str) -> dict[str, str]:
    """The digests as a new process gives them."""
    known = Digests()
    found = {path: known.of(path) for path in paths}
    known.save()
    return found


def test_a_file_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {path: sha256(path) for path in ("table", "model")}
    monkeypatch.setattr(digests, "file_sha256", lambda path: pytest.fail(f"reads {path}"))
    assert remember("table", "model") == expected


def restore_times(path: str, change: str) -> None:
    before = os.stat(path)
    Path(path).write_text(change)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def by_renaming(path: str, change: str) -> None:
    Path("new").write_text(change)
    os.utime("new", (0, 0))
    os.rename("new", path)


def by_copying(path: str, change: str) -> None:
    Path("new").write_text(change)
    os.utime("new", (0, 0))
    shutil.copy2("new", path)


def by_link(path: str, change: str) -> None:
    Path("target").write_text(change)
    os.utime("target", (0, 0))
    Path(path).unlink()
    Path(path).symlink_to(Path("target").absolute())


@pytest.mark.parametrize("way", [restore_times, by_renaming, by_copying, by_link])
@pytest.mark.parametrize("path", ["table", "model/weights"])
def test_another_content_is_seen_whatever_its_times(folder: Path, way, path: str) -> None:
    way(path, path.upper())
    assert remember("table", "model") == {name: sha256(name) for name in ("table", "model")}


def test_a_folder_in_the_place_of_another_is_seen(folder: Path) -> None:
    """The files in it have their old times, and are other files."""
    os.rename("model", "old")
    shutil.copytree("old", "model")
    Path("model/weights").write_text("WEIGHTS")
    time.sleep(0.06)
    remember("model/weights")
    os.rename("model", "new")
    os.rename("old", "model")
    assert remember("model") == {"model": sha256("model")}


def test_what_a_job_has_read_is_not_read_again(folder: Path, monkeypatch) -> None:
    read = Path("table").stat().st_ctime + 0.01
    known = Digests(Path("other.json"))
    known.learn("table", "of the job", since=read)
    assert known.of("table") == "of the job"
    Path("table").write_text("another")
    assert known.of("table") == sha256("table")
    known.learn("table", "of the job", since=read)  # it changed after the job had read it
    assert known.of("table") == sha256("table")


def test_a_file_that_was_just_written_is_read_again(folder: Path, monkeypatch) -> None:
    """Within a tick of the clock it can change and keep its status; what it held is known."""
    Path("model/young").write_text("1")
    remember("model")
    with monkeypatch.context() as patched:
        patched.setattr(digests, "file_sha256", lambda path: "read again")
        assert Digests().of("model/young") == "read again"
    refuse_damaged(["model"])
    Path("model/young").write_text("2")
    assert Digests().differing("model") == [Path("model/young")]
    refuse_damaged(["model"])  # who can say that no job wrote it?


def test_what_a_job_made_is_known_from_its_end_on(folder: Path) -> None:
    forget_kept()
    for name in ("new/a", "new/b", "one"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(name)
    keep_made(["new", "one"])
    found = {made.output: made for made in kept()}
    assert {name: made.sha256 for name, made in found.items()} == {
        "new": sha256("new"),
        "one": sha256("one"),
    }
    assert found["new"].files.keys() == {"new/a", "new/b"}
    refuse_damaged(["new", "one"])
    for file in digests.MADE.glob("*/*"):  # as if a disk had changed what is in it
        file.write_text(file.read_text().replace(sha256("new/b"), "0" * 64))
    refuse_damaged(["one"])
    with pytest.raises(DataError, match=r"not what it was.*file new/b"):
        refuse_damaged(["new"])
    forget_kept()
    assert kept() == []


def date_now(path: str) -> None:
    """As Snakemake does with the outputs of a job that has ended."""
    time.sleep(0.06)
    os.utime(path)


def test_damage_after_a_job_is_seen_though_its_files_were_dated(folder: Path) -> None:
    forget_kept()
    keep_made(["table", "model"])
    date_now("table")
    refuse_damaged(["table", "model"])
    Path("table").write_text("TABLE")
    with pytest.raises(DataError, match=r"no job has written it since \(file table\)"):
        refuse_damaged(["table"])
    Path("model/weights").write_text("cut")
    with pytest.raises(DataError, match="file model/weights"):
        refuse_damaged(["model"])


def test_what_was_only_dated_after_its_job_is_not_read_again(folder: Path, monkeypatch) -> None:
    forget_kept()
    keep_made(["table"])
    date_now("table")
    [made], dated = kept(), os.stat("table").st_mtime
    late, known = Digests(Path("late.json")), Digests(Path("other.json"))
    known.take_over(made, dated)
    with monkeypatch.context() as patched:
        patched.setattr(digests, "file_sha256", lambda path: pytest.fail(f"reads {path}"))
        assert known.of("table") == made.sha256
    restore_times("table", "TABLE")
    late.take_over(made, dated)
    assert known.of("table") == late.of("table") == sha256("table")


def test_an_output_that_is_out_of_sight_is_not_kept(folder: Path) -> None:
    forget_kept()
    keep_made(["no such file", "table"])
    assert [made.output for made in kept()] == ["table"]


def test_a_job_keeps_what_it_makes_and_nothing_else(folder: Path, monkeypatch) -> None:
    """A model that another job finishes meanwhile is not its own, and logs are no results.

    Nor is what is written to an input while the job reads it, which the next job refuses.
    """
    forget_kept()
    keep_made(["table"])
    monkeypatch.setenv(RUN, "another host 1")
    arguments = {"read": Path, "model": [Path], "made": Path, "run_record": command.log_file}
    called = "script --read table --model new --made made --run-record log"
    monkeypatch.setattr(sys, "argv", called.split())

    def main(read: Path, model: list[Path], made: Path, run_record: Path) -> None:
        for file in (read, *model, made, run_record):
            file.write_text("content")

    command.run(None, arguments, main)
    assert {made.output for made in kept()} == {"table", "made"}
    refuse_damaged(["made"])
    refused(lambda: refuse_damaged(["table"]), "not what it was")


def test_a_script_run_again_by_hand_makes_its_output_anew(folder: Path, monkeypatch) -> None:
    """Also where it writes into a folder that is there; what it reads is not its own."""
    forget_kept()
    monkeypatch.delenv(RUN, raising=False)
    monkeypatch.setattr(sys, "argv", "script --read table --made made --folder many".split())

    def main(read: Path, made: Path, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        for file in (made, folder / "a"):
            file.write_text(f"{len(contents)} are left")

    contents = ["one", "another", "a third"]
    while contents:
        contents.pop()
        command.run(None, dict.fromkeys(("read", "made", "folder"), Path), main)
        assert {made.output for made in kept()} == {"made", "many"}
    refuse_damaged(["made", "many"])


def test_nothing_is_kept_where_nobody_takes_it_over(folder: Path) -> None:
    keep_made(["table"])
    assert not digests.MADE.exists()


def test_a_record_that_was_cut_is_none(folder: Path) -> None:
    forget_kept()
    keep_made(["table"])
    for file in digests.MADE.glob("*/*"):
        file.write_text(file.read_text()[:-9])
    assert kept() == []
    refuse_damaged(["table"])


@pytest.mark.parametrize("broken", [b"", b"\xff", b"[1]", b"3", b'{"table": 3}', b'{"table": []}'])
def test_a_broken_memory_is_forgotten(folder: Path, broken: bytes) -> None:
    digests.FILE.write_bytes(broken)
    assert remember("table") == {"table": sha256("table")}


def damage(name: str) -> None:
    """Another content under the same status, as a disk does it: here the other one is known."""
    known = json.loads(digests.FILE.read_text())
    known[name][-1] = "0" * 64
    digests.FILE.write_text(json.dumps(known))


def test_damage_is_refused_by_its_file(folder: Path) -> None:
    refuse_damaged(["table", "model", "1", "no such file"])
    damage("model/weights")
    refuse_damaged(["table"])
    with pytest.raises(DataError, match=r"model/weights\). Hint: .*remove model"):
        refuse_damaged(["model"])


def test_a_job_does_not_use_a_damaged_input(folder, monkeypatch, capsys) -> None:
    damage("table")
    monkeypatch.setattr(sys, "argv", ["script", "--files", '{"deep": ["table"]}'])
    with pytest.raises(SystemExit, match="2"):
        command.run(None, {"files": command.json_files}, lambda files: pytest.fail("runs"))
    assert capsys.readouterr().err.startswith("ERROR: This file is not what it was")


def test_words_of_options_are_no_paths(folder, monkeypatch) -> None:
    damage("table")
    monkeypatch.setattr(sys, "argv", ["script", "--options", '{"missing": [".", "table"]}'])
    taken = []
    command.run(None, {"options": command.json_object}, lambda options: taken.append(options))
    assert taken == [{"missing": [".", "table"]}]


def test_a_text_too_long_for_a_command_comes_by_a_file(folder, monkeypatch) -> None:
    tasks = {f"task_{number}": {"page": "table"} for number in range(20_000)}
    text = json.dumps(tasks)
    argument = command.passed(text)
    assert len(argument) < 128
    assert command.passed(text) == argument
    assert command.passed('{"a": 1}') == '{"a": 1}'
    assert command.json_object(argument) == command.json_files(argument) == tasks
    damage("table")
    monkeypatch.setattr(sys, "argv", ["script", "--files", argument])
    with pytest.raises(SystemExit, match="2"):
        command.run(None, {"files": command.json_files}, lambda files: pytest.fail("runs"))


@pytest.mark.parametrize("letter", ["a", "'", "é"])
@pytest.mark.parametrize("share", [1, 3, 6])
def test_texts_of_one_command_fit_into_it(folder, letter: str, share: int) -> None:
    text = letter * (command.LONGEST // share)
    words = [command.passed(text)] * 2
    assert len(f"set -euo pipefail; python report.py {shlex.join(words)}".encode()) < 2**17
    command.drop_long()
    assert not command.LONG.exists()


def test_a_file_that_vanishes_meanwhile_is_no_damage(folder, monkeypatch) -> None:
    seen = digests.members(Path("model"))
    monkeypatch.setattr(digests, "members", lambda path: seen)
    Path("model/weights").unlink()
    refuse_damaged(["model"])


def test_reads_are_left_to_the_checksums_of_their_blocks(folder, monkeypatch) -> None:
    """Jobs that each take a region of a BAM need not read all of it; `verify` does."""
    path = "model/reads.bam"
    write_reads(Path(path), [Read("a", 0, "4M", "ACGT")], {"c1": 100})
    time.sleep(0.06)
    remember(path)
    damage(path)
    assert Digests().differing(path) == [Path(path)]
    monkeypatch.setattr(digests, "file_sha256", lambda path: pytest.fail(f"reads {path}"))
    refuse_damaged([path])
    index, content = Path("index"), bytearray(Path(path).read_bytes())
    Bam(path, index)
    content[content.index(END_BLOCK) - 8] ^= 1  # the checksum of the block with the record
    Path(path).write_bytes(content)
    with pytest.raises(DataError, match="Damaged: the block at byte"):
        Bam(path, index).records("c1", 0, 100)


def test_a_cram_of_a_sheet_is_compared_before_its_check(folder: Path) -> None:
    Path("reads.csv").write_text("sample,bam\na,a.cram\n")
    Path("a.cram").write_text("CRAM")
    time.sleep(0.06)
    remember("a.cram")
    damage("a.cram")
    reads = {"source": "reads.csv", "goal": "aligned", "folder": "results"}
    check = runpy.run_path(str(ROOT / "scripts/check_alignments.py"))["main"]
    with pytest.raises(DataError, match=r"not what it was.*a\.cram"):
        check(reads, Path("reference.fa"), Path("checked.json"))


def test_what_was_written_anew_is_used(folder: Path) -> None:
    damage("table")
    Path("table").write_text("new")
    refuse_damaged(["table"])


def full(file: str) -> None:
    with open("/dev/full", "w") as out:
        out.write("x" * 10**6)


def of_a_library(file: str) -> None:
    raise RuntimeError('I/O error: Os { code: 30, message: "Read-only file system" }')


def forbidden(file: str) -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), file)


@pytest.mark.parametrize(
    ("main", "line"),
    [
        (full, "ERROR: No space left on device. Hint: make room and run again"),
        (of_a_library, "ERROR: Read-only file system. Hint: this user must be able"),
        (forbidden, "ERROR: Permission denied (file table). Hint: this user must be able"),
    ],
)
def test_a_place_that_cannot_be_written_is_one_line(monkeypatch, capsys, main, line: str) -> None:
    monkeypatch.setattr(sys, "argv", ["script", "--file", "table"])
    with pytest.raises(SystemExit, match="2"):
        command.run(None, {"file": str}, main)
    [said] = capsys.readouterr().err.splitlines()
    assert said.startswith(line)


def test_what_nobody_can_mend_is_a_traceback(monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["script", "--file", "table"])
    with pytest.raises(ZeroDivisionError):
        command.run(None, {"file": str}, lambda file: 1 / 0)
