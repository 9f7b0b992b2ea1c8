"""The code in one folder, the user's data in another."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.tiny_project import PARTS, ROOT, Project, patients

TASK = """\
application: disease_diagnosis
datasets: {training: {clinical: data/heart.csv, columns: {id: patient, label: disease}}}
"""
TARGETS = ("results/heart/leakage.json", "results/heart/task.yaml")
SNAKEFILE = ROOT / "Snakefile"
MODULE = f"""
module bioloom:
    snakefile: "{SNAKEFILE}"
    config: config
    # more

use rule * from bioloom as bioloom_*

rule mine:
    default_target: True
    input: "results/heart/leakage.json"
    output: "summary_{{task}}.txt".format(task="all")
    shell: "grep -c . {{input}} > {{output}}"

rule table:
    input: "raw/{{task}}.tsv"
    output: "data/{{task}}.csv"
    wildcard_constraints: task="he.*"
    shell: "tr '\\t' , < {{input}} > {{output}}"
"""


@pytest.fixture
def lab(tmp_path: Path) -> Project:
    """A folder with a table and a task, and nothing else."""
    return new_lab(tmp_path / "my lab")


def new_lab(folder: Path) -> Project:
    for name in ("data", "tasks"):
        (folder / name).mkdir(parents=True)
    patients(80, labelled=True, seed=0).to_csv(folder / "data/heart.csv", index=False)
    (folder / "tasks/heart.yaml").write_text(TASK)
    return Project(folder)


@pytest.fixture(scope="session")
def finished_lab(made_once) -> Project:
    """A lab after a run; not to be changed."""

    def run(folder: Path) -> None:
        new_lab(folder / "my lab").snakemake("--snakefile", str(SNAKEFILE), *TARGETS)

    return Project(made_once("lab", run) / "my lab")


def test_a_users_folder_holds_data_and_results_alone(finished_lab: Project) -> None:
    made = {".snakemake", "data", "logs", "results", "snakemake.lock", "tasks"}
    assert {file.name for file in finished_lab.folder.iterdir()} == made
    leakage = json.loads(finished_lab.path("results/heart/leakage.json").read_text())
    assert leakage["split"].startswith("method cross_validation, folds 5, repeats 3")
    model = yaml.safe_load(finished_lab.path("results/heart/task.yaml").read_text())["model"]
    assert model["name"] == "ensemble"


def test_results_do_not_depend_on_where_code_and_data_lie(
    finished_lab: Project, lab: Project, tmp_path: Path
) -> None:
    clone = Project(tmp_path / "clone")
    clone.folder.mkdir()
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copyfile
        copy(ROOT / part, clone.path(part))
    clone.snakemake("--directory", str(lab.folder), *TARGETS)
    for name in ("snakemake.lock", *TARGETS):
        assert lab.path(name).read_bytes() == finished_lab.path(name).read_bytes()


@pytest.mark.long
def test_data_and_results_added_to_dvc_leave_nothing_to_run_in_a_clone(
    finished_lab: Project, tmp_path: Path
) -> None:
    """In a project of one's own, which has no stages: as docs/cluster.md has it."""
    lab = finished_lab.copy(tmp_path / "lab")
    lab.path(".gitignore").write_text("results/\nlogs/\n.snakemake\n")
    for command in (
        ("git", "init", "--quiet"),
        ("dvc", "init", "--quiet"),
        ("dvc", "remote", "add", "--default", "shared", str(tmp_path / "remote")),
        ("dvc", "add", "data", "results"),
        ("git", "add", "."),
        ("git", "commit", "--quiet", "--message", "first run"),
        ("dvc", "push"),
    ):
        lab.run(*command)
    clone = lab.clone(tmp_path / "clone")
    clone.run("dvc", "pull")
    assert clone.planned("--snakefile", str(SNAKEFILE), *TARGETS) == set()


def test_a_finished_model_predicts_in_another_folder(project: Project, lab: Project) -> None:
    """No training data, no training job: the same predictions as where it was trained."""
    for name in ("heart.yaml", "liver.yaml"):
        (lab.folder / "tasks" / name).unlink(missing_ok=True)
    shutil.copyfile(project.path("data/ward.csv"), lab.path("data/ward.csv"))
    shutil.copytree(project.path("results/heart/model"), lab.path("heart_model"))
    task = {
        "application": "disease_diagnosis",
        "datasets": {"ward": {"clinical": "data/ward.csv", "columns": {"id": "patient"}}},
        "trained": "heart_model",
    }
    lab.path("tasks/screen.yaml").write_text(yaml.safe_dump(task))
    command = ("--snakefile", str(SNAKEFILE))
    lab.snakemake(*command)
    made, known = (
        where.path(f"results/{task}/ward/predictions.csv").read_bytes()
        for where, task in ((lab, "screen"), (project, "heart"))
    )
    assert made == known
    assert lab.planned(*command) == set()
    assert not lab.path("results/screen/model").exists()


@pytest.mark.long
def test_a_module_of_another_workflow_whose_rules_make_an_input(
    finished_lab: Project, lab: Project
) -> None:
    heart = lab.path("data/heart.csv")
    lab.path("raw").mkdir()
    lab.path("raw/heart.tsv").write_text(heart.read_text().replace(",", "\t"))
    content = heart.read_bytes()
    heart.unlink()
    lab.path("Snakefile").write_text(MODULE)
    lab.snakemake("--cores", "2")
    assert heart.read_bytes() == content
    assert lab.path(TARGETS[0]).read_bytes() == finished_lab.path(TARGETS[0]).read_bytes()
    assert lab.path("summary_all.txt").exists()
    assert lab.planned("--cores", "2") == set()
    lab.path("raw/heart.tsv").write_text(
        content.decode().replace(",", "\t") + "P999\t60\t1\tno\tabsent\n"
    )
    jobs = {f"bioloom_{job} heart" for job in ("ingest", "clean", "split")}
    assert {" ".join(job.split()[:2]) for job in lab.planned("--cores", "2")} == {
        *jobs,
        "table heart",
        "mine",
    }
    assert not lab.path("snakemake.lock").exists()  # the records of other rules are not ours


def test_a_module_cannot_move_the_files_that_tasks_name(lab: Project) -> None:
    lab.path("Snakefile").write_text(MODULE.replace("# more", 'prefix: "there"'))
    with pytest.raises(RuntimeError, match="ended with 2:\n(.*\n)*ERROR: `prefix` would move"):
        lab.snakemake("--cores", "1")


def test_a_missing_file_of_a_module_is_told_by_snakemake(lab: Project) -> None:
    lab.path("Snakefile").write_text(MODULE.split("rule table")[0])
    lab.path("data/heart.csv").unlink()
    said = lab.snakemake("--cores", "1", check=False)
    assert "Missing input files for rule bioloom_ingest" in said
    assert "data/heart.csv" in said


@pytest.mark.long
def test_two_projects_run_at_once_on_one_code_folder_and_cache(
    lab: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIOLOOM_CACHE", str(tmp_path / "cache"))
    labs = [lab, lab.copy(tmp_path / "second")]
    command = ("--snakefile", str(SNAKEFILE), "--cores", "1", *TARGETS)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda each: each.snakemake(*command), labs))
    first, second = (each.path("snakemake.lock").read_bytes() for each in labs)
    assert first == second
    assert all(each.planned(*command) == set() for each in labs)
