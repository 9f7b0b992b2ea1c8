"""DVC: dvc.yaml agrees with Snakemake, and a clone that pulls runs exactly what is stale."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
import yaml

from bioloom.pipeline.lock import read_lock
from tests.tiny_project import PARTS, ROOT, Project, patients

HEART = {
    "train heart",
    "evaluate heart",
    "explain heart",
    "predict heart ward",
    "report_task heart",
    "report",
}


@pytest.fixture(scope="session")
def published(tiny_project: Project, made_once) -> Project:
    """The tiny project in git, its results pushed to a folder; not to be changed."""

    def publish(folder: Path) -> None:
        tiny_project.copy(folder / "project").publish(str(folder / "remote"))

    return Project(made_once("published", publish) / "project")


@pytest.fixture
def clone(published: Project, tmp_path: Path) -> Project:
    """A fresh clone: no results but the metrics, which are in git."""
    return published.clone(tmp_path / "clone")


@pytest.mark.slow
def test_dvc_yaml_is_up_to_date(tmp_path: Path) -> None:
    for part in (*PARTS, "config.yaml", "tasks", "data"):
        (tmp_path / part).symlink_to(ROOT / part)
    Project(tmp_path).make_stages()
    assert (tmp_path / "dvc.yaml").read_text() == (ROOT / "dvc.yaml").read_text(), "make dvc.yaml"


def test_every_output_belongs_to_one_stage(published: Project) -> None:
    made = read_lock(published.path("snakemake.lock"))
    stages = yaml.safe_load(published.path("dvc.yaml").read_text())["stages"].values()
    outs = [
        name
        for stage in stages
        for key in ("outs", "metrics")
        for entry in stage.get(key, [])
        for name in entry
    ]
    assert sorted(made) == sorted(outs)


def test_current_results_are_current_for_dvc_and_git(published: Project) -> None:
    assert "up to date" in published.run("dvc", "status")
    assert "up to date" in published.run("dvc", "repro", "--dry")
    assert published.run("git", "status", "--short") == ""
    tracked = published.run("git", "ls-files", "results").split()
    assert tracked == ["results/heart/metrics.json", "results/liver/metrics.json"]


@pytest.mark.long
def test_a_clone_that_pulls_runs_what_is_stale(clone: Project) -> None:
    clone.run("dvc", "config", "--local", "cache.type", "copy")
    clone.run("dvc", "pull")
    assert clone.planned() == set()
    assert "up to date" in clone.run("dvc", "status")

    # An older file in the place of another: content decides, of Snakemake as of DVC.
    patients(90, labelled=True, seed=7).to_csv(clone.path("data/heart.csv"), index=False)
    os.utime(clone.path("data/heart.csv"), (1, 1))
    assert "data/heart.csv" in clone.run("dvc", "status")
    prepared = {"ingest heart training", "clean heart training", "split heart"}
    assert clone.planned() == {*prepared, "extract_features heart training features", *HEART}


@pytest.mark.long
def test_a_run_leaves_a_linked_cache_as_it_was(clone: Project) -> None:
    clone.run("dvc", "config", "--local", "cache.type", "symlink")
    clone.run("dvc", "pull")
    assert clone.path("results/report.html").is_symlink()
    assert clone.planned() == set()
    assert "up to date" in clone.run("dvc", "status")
    clone.configure(**{"tasks.liver.evaluate.primary": "mcc"})
    clone.snakemake()
    assert clone.planned() == set()
    for file in clone.path(".dvc/cache/files/md5").rglob("*"):
        if file.is_file():
            name = (file.parent.name + file.name).removesuffix(".dir")
            assert hashlib.md5(file.read_bytes()).hexdigest() == name


@pytest.mark.long
def test_the_model_alone_is_enough_to_predict(clone: Project) -> None:
    clone.run("dvc", "pull", "results/heart/model")
    target = "results/heart/ward/predictions.parquet"
    prepared = {"ingest heart ward", "clean heart ward", "extract_features heart ward features"}
    assert clone.planned(target) == {*prepared, "predict heart ward"}
    patients(5, labelled=False, seed=8).to_csv(clone.path("data/ward.csv"), index=False)
    assert clone.planned(target) == {*prepared, "predict heart ward"}
    clone.snakemake(target)
    assert clone.path(target).exists()
    patients(90, labelled=True, seed=7).to_csv(clone.path("data/heart.csv"), index=False)
    assert "train heart" in clone.planned(target)


@pytest.mark.long
def test_an_experiment_reruns_its_task_and_is_compared(clone: Project) -> None:
    clone.run("dvc", "pull")
    change = "tasks/heart.yaml:model.width=16"
    output = clone.run("dvc", "exp", "run", "--temp", "--name", "wide", "--set-param", change)
    rules = [line.split()[1][:-1] for line in output.splitlines() if line.startswith("localrule")]
    made = ["describe", "evaluate", "explain", "predict", "report", "report_task", "train"]
    assert sorted(rules) == made
    params = json.loads(clone.run("dvc", "params", "diff", "--json", "HEAD", "wide"))
    assert params == {"tasks/heart.yaml": {"model.width": {"old": 8, "new": 16, "diff": 8}}}
    metrics = json.loads(clone.run("dvc", "metrics", "diff", "--json", "HEAD", "wide"))
    assert list(metrics) == ["results/heart/metrics.json"]
    plots = json.loads(clone.run("dvc", "plots", "diff", "--json", "HEAD", "wide"))
    assert plots["data"]["results/heart/plots/roc.csv"][0]["revisions"] == ["HEAD", "wide"]

    clone.run("dvc", "exp", "apply", "wide")
    assert clone.planned() == set()
    assert "up to date" in clone.run("dvc", "status")


@pytest.mark.long
def test_a_new_task_needs_no_editing(project: Project) -> None:
    project.configure(
        **{
            "tasks.lung": {
                "application": "disease_diagnosis",
                "datasets": {
                    "training": {
                        "clinical": "data/liver.csv",
                        "columns": {"id": "patient", "label": "disease"},
                    }
                },
                "split": {"method": "holdout"},
                "features": {"embedder": "table"},
                "model": {"name": "logistic_regression"},
            }
        }
    )
    project.path("dvc.yaml").write_text("results/heart/metrics.json, results/liver/metrics.json")
    assert "has not the tasks of this run (lung): `make dvc.yaml`" in project.snakemake("-n")
    project.make_stages()
    assert "has not the tasks" not in project.snakemake("-n")
    stages = yaml.safe_load(project.path("dvc.yaml").read_text())
    assert {"results/lung/model": {"persist": True}} in stages["stages"]["train"]["outs"]
    assert stages["artifacts"]["lung"]["path"] == "results/lung/model"
