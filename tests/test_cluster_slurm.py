"""The pipeline on a real Slurm: the same results, more memory after a failure, and a clean end."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from bioloom.files import sha256
from tests.slurm_node import Node, missing, slurm_node
from tests.tiny_project import ROOT, Project, environment

pytestmark = pytest.mark.slow
PLUGIN = "snakemake_executor_plugin_slurm"


@pytest.fixture(scope="module")
def node(tmp_path_factory) -> Iterator[Node]:
    """One Slurm for all tests of this file."""
    if reason := missing() or ("" if find_spec(PLUGIN) else f"not installed: {PLUGIN}"):
        pytest.skip(reason)
    with slurm_node(tmp_path_factory.mktemp("slurm") / "node") as running:
        yield running


@pytest.fixture
def start(node: Node, project: Project) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`start(option, ...)` runs the project's workflow by the profile, as it is but for waiting."""
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    profile |= {"latency-wait": 10, "slurm-init-seconds-before-status-checks": 1}
    profile |= {"slurm-status-command": "squeue", "slurm-no-account": True}
    folder = project.path("profiles/slurm")
    (folder / "config.yaml").write_text(yaml.safe_dump(profile))
    begun: list[subprocess.Popen[str]] = []

    def run(*options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm"]
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


def wait_until(condition: Callable[[], object], seconds: float = 300) -> None:
    """Until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.2)


def without_results_of(project: Project, task: str) -> dict[Path, str]:
    """The digests of a task's model and scores, removed then with its results and the overview."""
    folder = project.path(f"results/{task}")
    files = [folder / "metrics.json", folder / "predictions.parquet", *(folder / "model").iterdir()]
    digests = {file: sha256(file) for file in files if file.exists()}
    shutil.rmtree(folder)
    project.path("results/report.html").unlink()
    return digests


def test_results_are_those_of_this_machine_whatever_happened(node: Node, project: Project, start):
    """An interrupted run leaves no job; the next one has a job that is killed for its memory.

    It asks for a pretended GPU, and the controller stops while its jobs run. One test, since there
    is one Slurm.
    """
    made_here = without_results_of(project, "liver")
    said = project.path("said.txt")
    process = start()
    wait_until(lambda: "R" in jobs(node, "%t") or process.poll() is not None)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=120)
    wait_until(lambda: not {"R", "PD", "CG"} & set(jobs(node, "%t")))

    known = len(jobs(node, "%i"))
    process = start(
        "--set-resources",
        "train:mem_mb=60 if attempt == 1 else 2000",
        "extract_features:gres=gpu:1",
    )
    wait_until(lambda: "R" in jobs(node, "%t")[known:] or process.poll() is not None)
    node.stop("slurmctld")
    node.start_controller()
    assert process.wait(timeout=1800) == 0, said.read_text()
    memory = jobs(node, "%m")[known:]
    assert "60M" in memory
    assert "2000M" in memory[memory.index("60M") :]
    assert any("gpu" in asked for asked in jobs(node, "%b")[known:])
    assert {file: sha256(file) for file in made_here} == made_here
    assert project.planned() == set()
