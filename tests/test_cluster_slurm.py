"""The pipeline on a real Slurm: the same results, more memory after a failure, and a clean end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import yaml

from bioloom.files import sha256
from tests import slurm_node
from tests.slurm_node import NODES, Node
from tests.test_pipeline_reads import APPLICATION, DATASETS, make_data
from tests.tiny_project import ROOT, Project, environment
from tests.toys import write

pytestmark = pytest.mark.slow
THREADS = min(2, len(os.sched_getaffinity(0)))
"""What the profile says of all rules in these tests."""
SNAKEMAKE = """
from snakemake.cli import main
from snakemake_executor_plugin_slurm import Executor

# Else it asks later and later how jobs are, and half of the time of short ones is waited for.
Executor.next_seconds_between_status_checks = property(lambda _: 2, lambda *_: None)
main()
"""


def test_each_rule_of_several_threads_has_its_own_in_the_profile():
    """Where `workflow.cores` is read on a node, it is of that node."""
    text = "".join(file.read_text() for file in sorted((ROOT / "workflow/rules").glob("*.smk")))
    rules = re.split("^rule ", text, flags=re.MULTILINE)[1:]
    shared = {rule.partition(":")[0] for rule in rules if "workflow.cores" in rule}
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    assert shared == set(profile["set-threads"])


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of /etc/slurm, of a user who may start Slurm."""
    (tmp_path / "etc").mkdir()
    monkeypatch.setattr(slurm_node, "ETC", tmp_path / "etc")
    monkeypatch.setattr(slurm_node, "PROGRAMS", ())
    monkeypatch.setattr(slurm_node, "PLUGIN", "os")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path / "etc"


def test_what_a_killed_test_left_is_ended(tmp_path: Path, etc: Path):
    """By the configuration that it was started with; what another test runs stays."""
    conf = tmp_path / slurm_node.FOLDER / "slurm.conf"
    conf.parent.mkdir()
    (etc / "slurm.conf").symlink_to(conf)
    left = subprocess.Popen(["sleep", "600"], env=os.environ | {"SLURM_CONF": str(conf)})
    with slurm_node.alone(conf.parent):
        assert slurm_node.missing() == "another test has its Slurm here"
    assert left.poll() is None
    assert slurm_node.missing() == ""
    assert left.wait(10) == -signal.SIGKILL
    assert not (etc / "slurm.conf").is_symlink()


@pytest.mark.parametrize("is_mounted", [True, False])
@pytest.mark.parametrize("name", slurm_node.LINKED)
def test_the_slurm_of_a_machine_is_left_alone(tmp_path, etc, name: str, is_mounted: bool):
    """Its configuration may be a link, and what that leads to may not be there just now."""
    conf = tmp_path / "shared" / name
    if is_mounted:
        conf.parent.mkdir()
        conf.write_text("ClusterName=ward\n")
    (etc / name).symlink_to(conf)
    running = subprocess.Popen(["sleep", "600"], env=os.environ | {"SLURM_CONF": str(conf)})
    try:
        assert slurm_node.missing() == "this machine has a Slurm of its own"
        assert running.poll() is None
    finally:
        running.kill()
        running.wait()
    assert (etc / name).is_symlink()


def test_nothing_is_ended_where_no_slurm_would_be_started(tmp_path, etc, monkeypatch):
    monkeypatch.setattr(slurm_node, "PLUGIN", "no_such_plugin")
    (etc / "slurm.conf").symlink_to(tmp_path / slurm_node.FOLDER / "slurm.conf")
    assert slurm_node.missing() == "not installed: no_such_plugin"
    assert (etc / "slurm.conf").is_symlink()


@pytest.fixture(scope="module")
def node(tmp_path_factory) -> Iterator[Node]:
    """One Slurm for all tests of this file."""
    if reason := slurm_node.missing():
        pytest.skip(reason)
    with slurm_node.started(tmp_path_factory.mktemp("slurm")) as running:
        yield running


@pytest.fixture
def start(node: Node, project: Project) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`start(option, ...)` runs the project's workflow by the profile, as it is but for waiting."""
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    profile |= {"latency-wait": 10, "slurm-status-command": "squeue", "slurm-no-account": True}
    # A job has no more threads than its machine has cores, and this one may have few.
    profile["set-threads"] = dict.fromkeys(profile["set-threads"], THREADS)
    folder = project.path("profiles/slurm")
    (folder / "config.yaml").write_text(yaml.safe_dump(profile))
    begun: list[subprocess.Popen[str]] = []

    def run(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SNAKEMAKE, "--workflow-profile", "profiles/slurm"]
        with project.path("said.txt").open("w") as said:
            process = subprocess.Popen(
                [*command, *options],
                cwd=project.folder,
                env=environment() | node.environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                text=True,
                # A shell starts what is in the background deaf to Ctrl-C.
                preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
            )
        begun.append(process)
        return process

    yield run
    for process in begun:
        process.kill()
        process.wait()
    node.cancel()


def jobs(node: Node, field: str) -> list[str]:
    """A field of all jobs that Slurm knows, in the order in which they were submitted."""
    said = node.ask("squeue", "--states=all", "--sort=i", "--noheader", f"--format={field}")
    return said.split("\n") if said else []


def running(node: Node) -> dict[str, str]:
    """On which node each job runs, by what Snakemake calls it, such as `rule_trim_...`."""
    said = (job.rsplit(" ", 2) for job in jobs(node, "%k %N %t"))
    return {name: place for name, place, state in said if state == "R"}


def wait_until(condition: Callable[[], object], seconds: float = 300) -> None:
    """Until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.2)


def processes(*words: str) -> list[int]:
    """Those of Python that are called with all of these words."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            called = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if called[0] == "python" and all(
                any(word in part for part in called) for word in words
            ):
                found.append(int(place.name))
    return found


def with_reads(project: Project) -> str:
    """A task of sequencing reads beside the others; the table that its reads end in."""
    write(project.path("src/bioloom/applications/toy_reads.py"), APPLICATION)
    make_data(project.path("data"))
    sheet = project.path("data/sheet.csv")
    write(sheet, "".join(sheet.read_text().splitlines(keepends=True)[:2]))  # of one lane
    content = {"application": "toy_reads", "datasets": DATASETS}
    write(project.path("tasks/toy.yaml"), yaml.safe_dump(content))
    return "results/toy/training/raw.parquet"


def removed(project: Project, *tasks: str) -> dict[Path, str]:
    """The digests of models, scores, tables and reads of tasks, whose results are removed then."""
    digests = {}
    for task in tasks:
        folder = project.path(f"results/{task}")
        names = ("metrics.json", "predictions.parquet", "model/*", "**/raw.parquet", "**/*.bam")
        digests |= {file: sha256(file) for name in names for file in folder.glob(name)}
        shutil.rmtree(folder)
    return digests


@pytest.mark.long
def test_results_are_those_of_this_machine_whatever_happened(node: Node, project: Project, start):
    """An interrupted run leaves no job. The next one has a job that is killed for its memory.

    Another one stands still until its time is over; one asks for a pretended GPU; the controller
    stops while jobs run, and a node dies with its jobs. One test, since there is one Slurm.
    """
    targets = ["results/liver/metrics.json", with_reads(project)]
    project.snakemake("--cores", "2", targets[1])
    made_here = removed(project, "liver", "toy")
    said = project.path("said.txt")
    process = start(*targets)
    wait_until(lambda: "R" in jobs(node, "%t") or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=120)
    wait_until(lambda: not {"R", "PD", "CG"} & set(jobs(node, "%t")))

    known = len(jobs(node, "%i"))
    process = start(
        *targets,
        "--set-resources",
        "train:mem_mb=60 if attempt == 1 else 2000",
        "trim:runtime=1 if attempt == 1 else 20",
        "extract_features:gres=gpu:1",
    )
    # All that need no other have just begun: one that ended now would try for a minute to say so.
    wait_until(lambda: len(running(node)) == 3)
    [here] = [place for name, place in running(node).items() if name.startswith("rule_trim")]
    [other] = {*NODES} - {here}
    node.kill_node(other)
    node.stop("slurmctld")
    node.start_controller()
    wait_until(lambda: processes("trim.py", "S_1/1") or process.poll() is not None)
    assert (stopped := processes("trim.py", "S_1/1")), said.read_text()
    for number in stopped:
        os.kill(number, signal.SIGSTOP)
    place = Path("/proc", str(stopped[0]))
    assert f"--threads\0{THREADS}\0" in (place / "cmdline").read_text()
    variables = dict(re.findall("(SLURM\\w+)=(.*?)\0", (place / "environ").read_text()))
    # Its minute, the least that Slurm gives, is over; Slurm looks for that twice a minute.
    node.ask("scontrol", "update", f"JobId={variables['SLURM_JOB_ID']}", "EndTime=now+1")
    wait_until(lambda: "NF" in jobs(node, "%t"))
    node.start_node(other)
    assert process.wait(timeout=1800) == 0, said.read_text()
    memory, limits = jobs(node, "%m")[known:], jobs(node, "%l")[known:]
    assert "60M" in memory
    assert "2000M" in memory[memory.index("60M") :]
    assert "TIMEOUT" in said.read_text()
    assert "20:00" in limits[limits.index("1:00") :]
    assert any("gpu" in asked for asked in jobs(node, "%b")[known:])
    assert {*NODES} <= {*jobs(node, "%N")[known:]}
    assert {file: sha256(file) for file in made_here} == made_here
    assert project.planned(*targets) == set()
