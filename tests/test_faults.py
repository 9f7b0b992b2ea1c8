"""Disturbed runs in a small form: `python -m tests.faults` does the same at length."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bioloom.application import application_names
from bioloom.pipeline.task_files import read_task_file
from tests.faults import (
    AROUND,
    DAMAGES,
    HEAD,
    KILL_RUN,
    SECTION,
    TASKS,
    WHOLE,
    Disturbed,
    Job,
    contents,
    differences,
    disk,
    lay_out,
    section,
    written,
)
from tests.preloaded import own_snakemake
from tests.tiny_project import ROOT, Project, environment


def disturbed_in(project: Project, seed: int) -> Disturbed:
    """Runs that can be killed without their jobs; those that are left alone start at once."""
    snakefile = ["--snakefile", str(project.path("Snakefile"))]
    commands = [[*program, *snakefile] for program in (own_snakemake(), ["snakemake"])]
    return Disturbed(project.folder, commands[0], seed, plain=commands[1])


@pytest.mark.long
def test_disturbed_runs_leave_what_an_undisturbed_one_makes(tiny_project: Project, tmp_path: Path):
    expected = contents(tiny_project.folder)
    (tmp_path / "project").mkdir()
    project = Project.create(tmp_path / "project")
    disturbed = disturbed_in(project, seed=2)
    disturbed.until_done(longest=12, most=5)
    assert disturbed.counts.total() >= 1
    assert differences(project.folder, expected) == []


@pytest.mark.long
def test_each_damage_is_mended(project: Project):
    expected = contents(project.folder)
    disturbed = disturbed_in(project, seed=1)
    while {fault for fault, job in disturbed.counts if job.step == "a result"} < {*DAMAGES}:
        disturbed.damage(1)
    disturbed.finish()
    assert differences(project.folder, expected) == []


@pytest.mark.long
def test_the_suite_runs_each_rule_and_each_application(tmp_path: Path):
    folder = lay_out(tmp_path / "calm", [*TASKS])
    whole = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder), *WHOLE]
    done = subprocess.run(
        ["snakemake", *whole, "--dry-run"], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rules = "".join(file.read_text() for file in (ROOT / "workflow/rules").glob("*.smk"))
    planned = set(re.findall(r"^(?:local)?rule (\w+):", done.stdout + done.stderr, re.MULTILINE))
    assert set(re.findall(r"^rule (\w+):", rules, re.MULTILINE)) <= planned
    tasks = [read_task_file(file).content for file in TASKS.values()]
    assert {task["application"] for task in tasks} == {*application_names()}


def test_the_page_counts_faults_by_step_and_by_task(tmp_path: Path):
    disturbed = Disturbed(Path(), [], 0)
    disturbed.counts.update(
        {
            (KILL_RUN, Job("train", "heart")): 3,
            (KILL_RUN, Job("clean", "liver")): 1,
            (KILL_RUN, Job("report")): 1,
            ("cut", Job("a result")): 2,
        }
    )
    applications = {"heart": "disease_risk", "liver": "disease_diagnosis"}
    said = section(disturbed.counts, applications, rounds=1, call="this")
    lines = said.splitlines()
    assert f"| {KILL_RUN} | 5 | train 3, clean 1, report 1 |" in lines
    assert "| cut | 2 | a result 2 |" in lines
    assert "| train | 3 |" in lines
    assert not any(line.startswith("| a result |") for line in lines)
    assert lines[0] == "7 faults"
    assert lines[-2:] == ["| disease_diagnosis | liver | 1 |", "| disease_risk | heart | 3 |"]
    page = tmp_path / "faults.md"
    assert written(page) == []
    page.write_text(SECTION.join([HEAD, said]))
    page.write_text(SECTION.join([HEAD, *written(page), said]))
    assert written(page) == [said, said]


@pytest.mark.long
def test_what_a_killed_run_made_is_made_again_where_it_was_damaged_since(
    tiny_project: Project, tmp_path: Path
):
    expected = contents(tiny_project.folder)
    (tmp_path / "project").mkdir()
    project = Project.create(tmp_path / "project")
    disturbed = disturbed_in(project, seed=1)
    disturbed.kill_once(lambda: project.path("results/heart/splits.parquet").exists())
    assert any(project.path(".snakemake/locks").iterdir())
    file = project.path("results/heart/training/samples.parquet")
    DAMAGES["a bit flipped"](file, disturbed.rng)
    said = disturbed.finish()
    assert "results/heart/training/samples.parquet is not what is on record" in said
    assert differences(project.folder, expected) == []


@pytest.mark.long
def test_a_full_disk_read_only_results_and_a_spoilt_input_leave_nothing_wrong(
    tiny_project: Project, tmp_path: Path
):
    expected = contents(tiny_project.folder)
    with disk(tmp_path / "project") as folder:
        project = Project.create(folder)
        disturbed = disturbed_in(project, seed=4)
        for fault in AROUND.keys() & disturbed.faults:  # where root can mount, all of them
            assert not disturbed.disturb(fault, seconds=600)
        disturbed.finish()
        assert differences(folder, expected) == []
