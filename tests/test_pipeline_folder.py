"""The code in one folder, the user's data in another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.tiny_project import PARTS, ROOT, Project, patients

TASK = """\
application: disease_diagnosis
datasets: {training: {clinical: data/heart.csv, columns: {id: patient, label: disease}}}
"""
TARGETS = ("results/heart/leakage.json", "results/heart/task.yaml")


@pytest.fixture
def lab(tmp_path: Path) -> Project:
    """A folder with a table and a task, and nothing else."""
    folder = tmp_path / "my lab"
    for name in ("data", "tasks"):
        (folder / name).mkdir(parents=True)
    patients(80, labelled=True, seed=0).to_csv(folder / "data/heart.csv", index=False)
    (folder / "tasks/heart.yaml").write_text(TASK)
    return Project(folder)


def test_a_users_folder_holds_data_and_results_alone(lab: Project) -> None:
    command = ("--snakefile", str(ROOT / "Snakefile"), *TARGETS)
    lab.snakemake(*command)
    made = {".snakemake", "data", "logs", "results", "snakemake.lock", "tasks"}
    assert {file.name for file in lab.folder.iterdir()} == made
    assert lab.planned(*command) == set()
    leakage = json.loads(lab.path("results/heart/leakage.json").read_text())
    assert leakage["split"].startswith("method cross_validation, folds 5, repeats 3")
    assert yaml.safe_load(lab.path("results/heart/task.yaml").read_text())["model"]["name"] == "dnn"


def test_results_do_not_depend_on_where_code_and_data_lie(lab: Project, tmp_path: Path) -> None:
    other = lab.copy(tmp_path / "other")
    lab.snakemake("--snakefile", str(ROOT / "Snakefile"), *TARGETS)
    clone = Project(tmp_path / "clone")
    clone.folder.mkdir()
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copyfile
        copy(ROOT / part, clone.path(part))
    clone.snakemake("--directory", str(other.folder), *TARGETS)
    for name in ("snakemake.lock", *TARGETS):
        assert other.path(name).read_bytes() == lab.path(name).read_bytes()


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
    command = ("--snakefile", str(ROOT / "Snakefile"))
    lab.snakemake(*command)
    made, known = (
        where.path(f"results/{task}/ward/predictions.csv").read_bytes()
        for where, task in ((lab, "screen"), (project, "heart"))
    )
    assert made == known
    assert lab.planned(*command) == set()
    assert not lab.path("results/screen/model").exists()
