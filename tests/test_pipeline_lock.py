"""snakemake.lock with real Snakemake runs of a toy workflow: what a clone or a pull runs again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from snakemake.persistence import RECORD_FORMAT_VERSION, MetadataRecord, PersistenceBase
from snakemake.persistence.file import FilePersistence

from bioloom.errors import DataError
from bioloom.files import HOST, sha256
from bioloom.pipeline.lock import (
    export_stored,
    leave_out_of_records,
    read_lock,
    restore_lock,
    restore_stored,
    write_lock,
)
from bioloom.pipeline.running import RUN
from tests.preloaded import own_snakemake
from tests.tiny_project import ROOT, Project, environment

SNAKEFILE = """
configfile: "config.yaml"
include: "ROOT/workflow/rules/provenance.smk"
TASKS = config["tasks"]
wildcard_constraints:
    task="|".join(TASKS),

rule all:
    default_target: True
    input:
        [f"results/{t}/{new}/predictions.txt" for t in TASKS for new in TASKS[t]["new"]],
        "results/report.txt",

rule clean:
    input: "data/{task}.{dataset}.txt"
    output:
        samples="results/{task}/{dataset}/samples.txt",
        quality="results/{task}/{dataset}/quality.txt",
    shell:
        "if grep -q broken {input}; then exit 1; fi; if grep -q slow {input}; then sleep 60; fi;"
        "tr a-z A-Z < {input} > {output.samples}; wc -c < {input} > {output.quality}"

rule train:
    input: "results/{task}/training/samples.txt"
    output: model=directory("results/{task}/model"), held="results/{task}/held.txt"
    params: lambda wildcards: TASKS[wildcards.task]["model"]
    shell:
        "mkdir {output.model}; md5sum < {input} > {output.held}; echo {params} >> {output.held};"
        "cp {output.held} {output.model}/weights"

rule evaluate:
    input: held="results/{task}/held.txt", model="results/{task}/model"
    output: "results/{task}/metrics.txt"
    benchmark: "benchmarks/{task}.tsv"
    shell: "{config[first]}; cat {input.held} {input.model}/weights > {output}"

rule predict:
    input: samples="results/{task}/{dataset}/samples.txt", model="results/{task}/model"
    output: "results/{task}/{dataset}/predictions.txt"
    shell: "cat {input.samples} {input.model}/weights > {output}"

rule report:
    input:
        [f"results/{t}/{f}" for t in TASKS for f in ("metrics.txt", "training/quality.txt")],
        [f"results/{t}/model" for t in TASKS],
    output: "results/report.txt"
    shell: "cat {input[0]} > {output}"
""".replace("ROOT", str(ROOT))
CONFIG = {
    "tasks": {"a": {"model": 1, "new": ["ward"]}, "b": {"model": 1, "new": []}},
    "first": "true",  # what evaluate does first
}
INPUTS = ("Snakefile", "config.yaml", "data", "profiles", "snakemake.lock")


@pytest.fixture(scope="session")
def finished(made_once) -> Project:
    """The toy after a complete run; not to be changed."""
    return Project(made_once("toy", make_toy))


def make_toy(folder: Path) -> None:
    (folder / "Snakefile").write_text(SNAKEFILE)
    (folder / "config.yaml").write_text(json.dumps(CONFIG))
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    (folder / "data").mkdir()
    for name in ("a.training", "a.ward", "b.training"):
        (folder / f"data/{name}.txt").write_text(f"{name}\n")
    Project(folder).snakemake()


@pytest.fixture
def clone(finished: Project, tmp_path: Path) -> Project:
    """A clone of the toy in another folder: what is in git, and no results."""
    for name in INPUTS:
        source = finished.path(name)
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, tmp_path / name)
    return Project(tmp_path)


def pull(source: Project, target: Project, *names: str) -> None:
    """Copy results as `dvc pull` does: new times, and nothing of Snakemake's own."""
    for name in names or ("results",):
        from_path, to_path = source.path(name), target.path(name)
        to_path.parent.mkdir(parents=True, exist_ok=True)
        if from_path.is_dir():
            unwanted = shutil.ignore_patterns(".snakemake_timestamp")
            shutil.copytree(
                from_path,
                to_path,
                ignore=unwanted,
                copy_function=shutil.copyfile,
                dirs_exist_ok=True,
            )
        else:
            shutil.copyfile(from_path, to_path)


def append(path: Path) -> None:
    path.write_text(path.read_text() + "more\n")


AFTER_TRAIN = {"evaluate a", "predict a ward", "report"}


def test_a_clone_with_its_results_runs_nothing(finished: Project, clone: Project) -> None:
    pull(finished, clone)
    assert clone.planned() == set()
    assert clone.path("snakemake.lock").read_bytes() == finished.path("snakemake.lock").read_bytes()


@pytest.mark.parametrize(
    ("changed", "jobs"),
    [
        ("data/a.training.txt", {"clean a training", "train a", *AFTER_TRAIN}),
        ("results/a/training/samples.txt", {"clean a training", "train a", *AFTER_TRAIN}),
        ("results/a/model/weights", {"train a", *AFTER_TRAIN}),
        ("results/a/metrics.txt", {"evaluate a", "report"}),
    ],
)
def test_a_clone_runs_exactly_what_is_stale(
    finished: Project, clone: Project, changed: str, jobs: set[str]
) -> None:
    pull(finished, clone)
    append(clone.path(changed))
    assert clone.planned() == jobs


def test_an_older_file_in_the_place_of_an_input_is_seen(finished: Project, tmp_path: Path) -> None:
    toy = finished.copy(tmp_path)
    older = toy.path("data/older.txt")
    older.write_text("other\n")
    os.utime(older, (1, 1))
    shutil.copy2(older, toy.path("data/a.ward.txt"))  # cp -p
    shutil.copy2(older, toy.path("results/b/model/weights"))
    os.rename(older, toy.path("data/a.training.txt"))  # mv
    jobs = {"clean a training", "clean a ward", "train a", "train b", "evaluate b", *AFTER_TRAIN}
    assert toy.planned() == jobs
    assert toy.planned() == jobs
    toy.snakemake()
    assert "OTHER" in toy.path("results/a/ward/predictions.txt").read_text()
    assert toy.planned() == set()


def edit_in_place(path: Path) -> None:
    """Change one byte; the times stay as they were."""
    before, content = path.stat(), path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_what_no_job_wrote_is_told_and_made_again(finished: Project, tmp_path: Path) -> None:
    toy = finished.copy(tmp_path)
    lock = toy.path("snakemake.lock").read_text()
    files = ["results/a/training/samples.txt", "results/b/model/weights", "results/report.txt"]
    before = [toy.path(file).read_bytes() for file in files]
    edit_in_place(toy.path(files[0]))
    edit_in_place(toy.path(files[1]))
    append(toy.path(files[2]))
    verified = toy.run(
        "python", str(ROOT / "scripts/verify.py"), "--lock", "snakemake.lock", check=False
    )
    assert verified.startswith(f"ERROR: 3 results are not what was made: {', '.join(files)}. Hint")
    said = toy.snakemake()
    for output in (files[0], "results/b/model", files[2]):
        assert f"{output} is not what is on record" in said
    assert [toy.path(file).read_bytes() for file in files] == before
    assert toy.path("snakemake.lock").read_text() == lock
    assert "is not what" not in toy.snakemake("--dry-run")


def test_results_of_a_clock_that_has_gone_back_are_used(finished: Project, tmp_path: Path) -> None:
    toy = finished.copy(tmp_path)
    ahead = time.time() + 9e6
    for file in toy.path("results").rglob("*"):
        os.utime(file, (ahead, ahead))
    assert toy.planned() == set()
    toy.path("results/report.txt").unlink()
    assert "100%" in toy.snakemake()
    assert toy.planned() == set()


def test_an_input_of_the_future_is_refused_before_any_job(finished: Project, tmp_path) -> None:
    toy = finished.copy(tmp_path)
    ahead = time.time() + 9e6
    os.utime(toy.path("data/a.ward.txt"), (ahead, ahead))
    assert toy.planned() == set()
    shutil.rmtree(toy.path("results/a/ward"))
    said = toy.snakemake(check=False)
    assert "ERROR: This file is dated in the future" in said
    assert "(file data/a.ward.txt). Hint: `touch data/a.ward.txt`" in said
    assert "rule clean" not in said
    os.utime(toy.path("data/a.ward.txt"))
    toy.snakemake()
    assert toy.planned() == set()


def test_the_lock_keeps_what_jobs_wrote(finished: Project, tmp_path: Path) -> None:
    """Whatever becomes of an output while others are made."""
    toy = finished.copy(tmp_path)
    lock = toy.path("snakemake.lock").read_text()
    toy.configure(first="echo more >> results/b/held.txt")
    toy.path("results/a/metrics.txt").unlink()
    toy.snakemake("results/a/metrics.txt")
    assert toy.path("results/b/held.txt").read_text().endswith("more\n")
    assert toy.path("snakemake.lock").read_text() == lock


def test_pulling_what_a_colleague_ran(finished: Project, clone: Project, tmp_path_factory) -> None:
    pull(finished, clone)
    clone.planned()
    colleague = clone.copy(tmp_path_factory.mktemp("colleague"))
    colleague.configure(**{"tasks.a.model": 2})
    colleague.snakemake()

    clone.snakemake("--forceall")
    for name in ("config.yaml", "snakemake.lock"):  # git pull
        shutil.copyfile(colleague.path(name), clone.path(name))
    assert clone.planned() == {"train a", *AFTER_TRAIN}
    pull(colleague, clone, "results/a/model", "results/a/held.txt")
    assert clone.planned() == AFTER_TRAIN
    pull(colleague, clone)
    assert clone.planned() == set()


SCRIPTS = """
include: "ROOT/workflow/rules/provenance.smk"
rule copy:
    input: "results/made.txt"
    output: "results/copy.txt"
    shell: "python change.py; python script.py --given {input} --made {output}"
rule make:
    output: "results/made.txt"
    shell: "python script.py --given script.py --made {output}"
""".replace("ROOT", str(ROOT))
SCRIPT = """
from pathlib import Path
from bioloom.pipeline.command import run
def main(given, made):
    made.write_bytes(given.read_bytes())
run("Copy.", {"given": Path, "made": Path}, main)
"""


@pytest.fixture
def scripted(tmp_path: Path) -> Project:
    """A workflow of two scripts, with room for something between them."""
    (tmp_path / "Snakefile").write_text(SCRIPTS)
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "change.py").touch()
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    return Project(tmp_path)


@pytest.mark.slow
def test_what_scripts_made_is_not_read_again_to_plan(scripted: Project) -> None:
    scripted.snakemake()
    known = json.loads(scripted.path(".snakemake/digests.json").read_text())
    for name in ("results/made.txt", "results/copy.txt"):
        found = scripted.path(name).stat()
        status = [found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns]
        assert known[name][:-1] == status
    assert list(read_lock(scripted.path("snakemake.lock"))) == [
        "results/copy.txt",
        "results/made.txt",
    ]
    assert "Nothing to be done" in scripted.snakemake()


@pytest.mark.long
def test_damage_within_a_run_is_refused(scripted: Project) -> None:
    scripted.path("change.py").write_text("open('results/made.txt', 'r+').write('#')")
    assert "made.txt" in scripted.snakemake(check=False).partition("not what it was")[2]
    assert not scripted.path("results/copy.txt").exists()


def test_the_lock_depends_on_nothing_but_content(finished: Project, clone: Project) -> None:
    lock = clone.path("snakemake.lock")
    before = lock.read_text()
    lock.unlink()
    clone.snakemake("--until", "train")
    assert {json.loads(line)["rule"] for line in lock.read_text().splitlines()} == {
        "clean",
        "train",
    }
    clone.snakemake()
    assert lock.read_text() == before
    for word in (str(clone.folder), "endtime", "starttime", "log"):
        assert word not in before


def test_a_failed_run_keeps_the_records_it_had(clone: Project) -> None:
    before = read_lock(clone.path("snakemake.lock"))
    clone.configure(first="false", **{"tasks.b.model": 2})
    assert "Error in rule evaluate" in clone.snakemake(check=False)
    after = read_lock(clone.path("snakemake.lock"))
    assert after.keys() == before.keys()
    changed = {output for output in after if after[output] != before[output]}
    assert changed == {"results/b/model", "results/b/held.txt"}


@pytest.mark.long
def test_what_a_failed_job_should_have_made_anew_is_still_to_be_made(clone: Project) -> None:
    """Its output is gone, what was made of the old one is not: that must not pass for current."""
    clone.snakemake()
    data = clone.path("data/b.training.txt")
    before = data.read_text()
    data.write_text("broken\n")
    clone.snakemake(check=False)
    for _ in range(2):
        assert not clone.path("results/b/training/samples.txt").exists()
        assert clone.planned() == {"clean b training", "train b", "evaluate b", "report"}
        assert "Error in rule clean" in clone.snakemake(check=False)
    # So it is where the input is as before, and what was made of the old output is current.
    data.write_text(before)
    for _ in range(2):
        assert clone.planned() == {"clean b training", "train b", "evaluate b", "report"}
    clone.snakemake()
    assert clone.path("results/b/training/samples.txt").exists()
    assert clone.planned() == set()


def test_a_complete_run_drops_what_no_task_makes(finished: Project, clone: Project) -> None:
    pull(finished, clone)
    clone.configure(tasks={"a": CONFIG["tasks"]["a"]})
    clone.snakemake()
    assert not [o for o in read_lock(clone.path("snakemake.lock")) if o.startswith("results/b")]


def test_links_into_a_cache_are_dated_but_not_the_cache(finished: Project, clone: Project) -> None:
    pull(finished, clone)
    cached = clone.folder / "cached.txt"
    link = clone.path("results/a/metrics.txt")
    os.rename(link, cached)
    link.symlink_to(cached)
    before = cached.stat().st_mtime
    assert clone.planned() == set()
    assert cached.stat().st_mtime == before


def start(project: Project, *command: str) -> subprocess.Popen[str]:
    """A command in the project's folder that can be talked to and killed."""
    return subprocess.Popen(
        command,
        cwd=project.folder,
        env=environment(),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def read_until(process: subprocess.Popen[str], word: str) -> str:
    """The first line of the output with this word, or nothing."""
    assert process.stdout is not None
    return next((line for line in process.stdout if word in line), "")


@contextmanager
def holding(project: Project, call: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that takes part in the project's folder until it gets a line."""
    code = f"from bioloom.pipeline.running import *; {call}; print('holds', flush=True); input()"
    with start(project, "python", "-c", code) as process:
        assert read_until(process, "holds")
        yield process


@pytest.mark.long
def test_what_a_killed_run_was_making_anew_is_still_to_be_made(clone: Project) -> None:
    """Snakemake has taken the old outputs away, and all that was made of them is there."""
    clone.snakemake()
    data, samples = clone.path("data/b.training.txt"), clone.path("results/b/training/samples.txt")
    before = data.read_text()
    data.write_text("slow\n")
    killed = start(clone, *own_snakemake())
    assert read_until(killed, "rule clean")
    while samples.exists():
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    data.write_text(before)
    assert "clean b training" in clone.planned()
    clone.snakemake()
    assert samples.read_text() == before.upper()
    assert clone.planned() == set()


@pytest.mark.long
def test_what_a_killed_run_has_made_again_counts_where_it_came_to_the_same(
    project: Project,
) -> None:
    """One cell is another: the samples differ, the notes, which the same job writes, do not."""
    target = "results/heart/ward/predictions.parquet"
    ward = project.path("data/ward.csv")
    ward.write_text(ward.read_text().replace("yes", "no", 1))
    killed = start(project, *own_snakemake(), "--cores", "1", target)
    assert read_until(killed, "rule predict")
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert project.planned(target) == {"predict heart ward"}
    project.snakemake()
    assert project.planned() == set()


def test_a_live_run_keeps_its_lock(clone: Project) -> None:
    with holding(clone, "join_run(lambda: None)") as live:
        locks = clone.path(".snakemake/locks")
        locks.mkdir()
        (locks / "0.output.lock").write_text("results/report.txt\n")
        assert "cannot be locked" in clone.snakemake(check=False)
        live.communicate("end\n")
    assert "100%" in clone.snakemake()


@pytest.mark.long
def test_a_job_of_a_killed_run_is_waited_for(clone: Project) -> None:
    locks = clone.path(".snakemake/locks")
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text("results/report.txt\n")
    with holding(clone, "join_jobs()") as orphan:
        run = start(clone, sys.executable, "-m", "snakemake", "--dry-run")
        assert "Waiting for the last job" in read_until(run, "Waiting")
        orphan.communicate("end\n")
        assert "Removed the lock" in read_until(run, "Removed")
        assert run.wait() == 0


def test_runs_and_jobs_see_each_other_on_nfs(tmp_path: Path) -> None:
    """Version 4 makes locks of bytes of `flock`: a shared one needs a file open for reading."""
    project, nfs = Project(tmp_path), "fcntl.flock = fcntl.lockf"
    lock = project.path(".snakemake/locks/0.output.lock")
    lock.parent.mkdir(parents=True)
    lock.write_text("results/report.txt\n")
    with holding(project, f"{nfs}; join_jobs()") as job:
        code = f"from bioloom.pipeline.running import *; {nfs}; join_run(lambda: None); input()"
        with start(project, "python", "-c", code) as run:
            assert read_until(run, "Waiting for the last job")
            assert lock.exists()
            job.communicate("end\n")
            assert read_until(run, "Removed the lock")
            lock.write_text("results/report.txt\n")
            with holding(project, f"{nfs}; join_run(lambda: None)") as other:
                assert lock.exists()
                other.communicate("end\n")
            run.communicate("end\n")
            assert run.returncode == 0


def test_a_job_whose_run_was_killed_before_it_began_does_nothing(tmp_path: Path) -> None:
    """The next run cannot see it yet, and starts the same job."""
    run = subprocess.Popen(["sleep", "60"])
    job = ["python", "-c", "from bioloom.pipeline.running import join_jobs; join_jobs()"]
    settings = environment() | {RUN: f"{HOST} {run.pid}"}
    assert subprocess.run(job, cwd=tmp_path, env=settings).returncode == 0
    run.kill()
    run.wait()
    ended = subprocess.run(job, cwd=tmp_path, env=settings, capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("The run that started this job is gone")
    elsewhere = settings | {RUN: f"another{HOST} {run.pid}"}
    assert subprocess.run(job, cwd=tmp_path, env=elsewhere).returncode == 0


def test_the_lock_is_sorted_and_read_back(tmp_path: Path) -> None:
    lock = tmp_path / "snakemake.lock"
    records = {name: {"rule": "r", "sha256": name} for name in ("b", "a", "c/d")}
    write_lock(lock, records)
    assert read_lock(lock) == records
    lines = lock.read_text().splitlines()
    assert [json.loads(line)["output"] for line in lines] == ["a", "b", "c/d"]
    assert read_lock(tmp_path / "none") == {}


@pytest.mark.parametrize("line", [b"<<<<<<< HEAD", b"{}", b"[]", b"3", b"\xff", b'{"output": "a"}'])
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: bytes) -> None:
    lock = tmp_path / "snakemake.lock"
    write_lock(lock, {"a": {"rule": "r"}})
    lock.write_bytes(lock.read_bytes() + line + b"\n")
    with pytest.raises(DataError, match="snakemake.lock.*2"):
        read_lock(lock)


@pytest.mark.parametrize("altered", [('"b"', '"c"'), ("r2", "r3"), (', "rule": "r2"', "")])
def test_an_altered_line_is_named(tmp_path: Path, altered: tuple[str, str]) -> None:
    lock = tmp_path / "snakemake.lock"
    write_lock(lock, {"a": {"rule": "r1"}, "b": {"rule": "r2"}})
    assert altered[0] in lock.read_text()
    lock.write_text(lock.read_text().replace(*altered))
    with pytest.raises(DataError, match="snakemake.lock.*2"):
        read_lock(lock)


@pytest.mark.parametrize("broken", [b"", b"\xff", b"[]", b"3", b'{"rule": 3}', b'{"input": 1}'])
def test_a_broken_record_comes_from_the_lock_again(tmp_path, monkeypatch, broken: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    record = {"rule": "r", "input": [], "params": ["1"], "code": "c", "input_checksums": {}}
    Path("made").write_text("content")
    write_lock(Path("snakemake.lock"), {"made": record | {"sha256": sha256("made")}})
    assert restore_lock(Path("snakemake.lock")) == []
    [file] = Path(".snakemake/metadata").iterdir()
    file.write_bytes(broken)
    (file.parent / "no record").write_bytes(broken)
    assert restore_lock(Path("snakemake.lock")) == []
    assert json.loads(file.read_text())["params"] == ["1"]
    Path("made").write_text("other")
    file.write_bytes(broken)
    assert restore_lock(Path("snakemake.lock")) == ["made"]


def test_records_of_an_object_store_come_back_as_its_last_run_left_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, scores, lock = "s3://lab/model", "s3://lab/scores", Path("snakemake.lock")

    def made(params: str) -> MetadataRecord:
        known = {"record_format_version": RECORD_FORMAT_VERSION, "incomplete": False}
        return MetadataRecord(
            rule="train", input=["s3://lab/a"], params=[params], code="c", **known
        )

    store = FilePersistence()
    store._write_record(model, made("1"))
    store._write_record(scores, made("1"))
    export_stored(lock, store, [model, scores, "s3://lab/absent"], complete=True)
    store = FilePersistence()  # which remembers what it has read
    store._write_record(model, made("2"))
    export_stored(lock, store, [model], complete=False)
    shutil.rmtree(".snakemake")
    store = FilePersistence()
    store._write_record(model, made("3"))
    restore_stored(lock, "s3://lab/snakemake.lock", is_ours=False)
    assert [store._read_record(name).params for name in (model, scores)] == [["2"], ["1"]]
    export_stored(lock, store, [scores], complete=True)
    assert list(read_lock(lock)) == [scores]


@pytest.mark.parametrize("is_ours", [True, False])
def test_records_do_not_count_where_another_folder_ran_last(tmp_path, monkeypatch, is_ours: bool):
    """It was killed: there is no lock, and results are not those of the records."""
    monkeypatch.chdir(tmp_path)
    store, stored = FilePersistence(), "s3://lab/model"
    for name in (stored, "made"):
        store._write_record(name, MetadataRecord(rule="train", params=["1"], incomplete=False))
    restore_stored(Path("no.lock"), "s3://lab/snakemake.lock", is_ours=is_ours)
    store = FilePersistence()
    assert (store._read_record(stored) is not None) == is_ours
    assert store._read_record("made") is not None


def test_a_damaged_lock_of_an_object_store_is_named_by_its_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("copy.lock").write_text("{}\n")
    with pytest.raises(DataError, match=r"file s3://lab/snakemake.lock.*Hint: remove this object"):
        restore_stored(Path("copy.lock"), "s3://lab/snakemake.lock", is_ours=True)


def test_a_snakemake_that_keeps_records_otherwise_is_refused(monkeypatch) -> None:
    monkeypatch.delattr(PersistenceBase, "_input")
    with pytest.raises(DataError, match=r"Snakemake.*constraints.txt"):
        leave_out_of_records("any")
