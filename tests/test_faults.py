"""Disturbed runs in a small form: `python -m tests.faults` does the same at length."""

from __future__ import annotations

from pathlib import Path

from tests.faults import DAMAGES, KILL_RUN, Disturbed, contents, differences, page
from tests.tiny_project import Project


def test_disturbed_runs_leave_what_an_undisturbed_one_makes(tiny_project: Project, tmp_path: Path):
    expected = contents(tiny_project.folder)
    (tmp_path / "project").mkdir()
    project = Project.create(tmp_path / "project")
    command = ["snakemake", "--snakefile", str(project.path("Snakefile"))]
    disturbed = Disturbed(project.folder, command, seed=2)
    disturbed.until_done(longest=12, most=5)
    assert disturbed.counts.total() >= 1
    assert differences(project.folder, expected) == []


def test_each_damage_is_mended(project: Project):
    expected = contents(project.folder)
    command = ["snakemake", "--snakefile", str(project.path("Snakefile"))]
    disturbed = Disturbed(project.folder, command, seed=1)
    while {fault for fault, _ in disturbed.counts} < {*DAMAGES}:
        disturbed.damage(1)
    disturbed.finish()
    assert differences(project.folder, expected) == []


def test_the_page_counts_faults_by_step():
    disturbed = Disturbed(Path(), [], 0)
    disturbed.counts.update(
        {(KILL_RUN, "train"): 3, (KILL_RUN, "clean"): 1, ("cut", "a result"): 2}
    )
    lines = page(disturbed.counts, rounds=1, seed=0).splitlines()
    assert f"| {KILL_RUN} | 4 | train 3, clean 1 |" in lines
    assert "| cut | 2 | a result 2 |" in lines
