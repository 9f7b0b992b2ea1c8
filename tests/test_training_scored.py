"""Labelled data that nothing was trained on: scored as held-out rows are, beside the baselines."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from bioloom.application import application_names, get_application
from bioloom.features import Features
from bioloom.kinds import get_kind
from bioloom.pipeline.check import task_mistakes
from bioloom.predictions.predict import predict
from bioloom.samples import COORDINATES, RESIDUE_LABELS
from bioloom.training.scored import answer, score, with_labels
from bioloom.training.train import train_task
from tests.tiny_project import Project
from tests.tiny_project import patients as cohort
from tests.toys import partition, patients, refused

OPTIONS = {
    "application": "disease_diagnosis",
    "model": {"name": "logistic_regression"},
    "baselines": {"age": {"preprocess": {"scale": False}}},
}
ASKED = {"task": "toy", "application": "disease_diagnosis", "options": {"resamples": 50}, "seed": 1}


def rows(features: Features, ids: pd.Series) -> Features:
    return Features(ids.to_numpy(str), features.rows(ids), features.names, features.embedder)


@pytest.fixture(scope="module")
def trained():
    """(training samples, splits, features, model), (new samples, labels, features)."""
    samples, features = patients(n=360)
    old, new = samples[:240].reset_index(drop=True), samples[240:].reset_index(drop=True)
    parts = [rows(features, part["sample_id"]) for part in (old, new)]
    splits = partition(old, 150, 40)
    fitted, *_ = train_task(old, splits, {"features": parts[0]}, OPTIONS, 1, [])
    fitted.settings["id"] = "toy"
    return (old, splits, parts[0], fitted), (new.drop(columns="label"), new, parts[1])


def test_scores_are_those_of_the_predictions(trained):
    (old, splits, features, fitted), (new, raw, own) = trained
    labelled, left_out = with_labels(new, raw, ["label"], fitted)
    assert left_out == {}
    answers = answer(
        old, splits, {"features": features}, OPTIONS, 1, fitted, labelled, {"features": own}
    )
    metrics, plots = score(old, splits, labelled, answers, fitted, **ASKED)
    predicted = predict(new, own, fitted, Path("new"))
    auroc = roc_auc_score(raw["label"] == "yes", predicted["p.yes"])
    assert metrics["test"]["auroc"] == pytest.approx(auroc)
    accuracy = (raw["label"] == predicted["prediction"]).mean()
    assert metrics["test"]["accuracy"] == pytest.approx(accuracy)
    assert set(metrics["baselines"]) == {"naive", "age"}
    assert metrics["baselines"]["naive"]["auroc"] == pytest.approx(0.5)
    assert (metrics["n"]["test"], metrics["n"]["train"]) == (120, 240)
    assert metrics["difference"]["low"] <= metrics["difference"]["value"]
    assert set(plots["roc"]["model"]) == {"model", "naive", "age"}


def test_training_samples_that_come_again_are_told(trained):
    (old, splits, features, fitted), _ = trained
    again = old.iloc[:100].assign(sample_id=[f"again{i}" for i in range(100)])
    ids = again["sample_id"].to_numpy(str)
    own = Features(ids, features.X[:100], features.names, features.embedder)
    new = again.drop(columns="label")
    labelled, _ = with_labels(new, again, ["label"], fitted)
    answers = answer(
        old, splits, {"features": features}, OPTIONS, 1, fitted, labelled, {"features": own}
    )
    metrics, _ = score(old, splits, labelled, answers, fitted, **ASKED)
    assert "100 of 100 samples have the inputs of a training sample" in metrics["flags"]


def test_rows_that_cannot_be_compared_are_counted(trained):
    (*_, fitted), (new, raw, _) = trained
    raw = raw.assign(label=raw["label"].mask(raw.index < 10).mask(raw.index == 10, "perhaps"))
    labelled, left_out = with_labels(new, raw, ["label"], fitted)
    assert len(labelled) == len(new) - 11
    assert left_out == {"without a label": 10, "of a class that training did not have": 1}
    strange = raw.assign(label="perhaps")
    refused(
        lambda: with_labels(new, strange, ["label"], fitted),
        "No row to compare.*120 of a class that training did not have.*`scored`",
    )
    without = raw.drop(columns="label")
    refused(lambda: with_labels(new, without, ["label"], fitted), "120 without a label")


def test_labels_that_contradict_are_left_out_and_empty_columns_compared(trained):
    (old, splits, features, fitted), (new, raw, own) = trained
    other = raw.iloc[:3].assign(label=raw["label"].iloc[:3].map({"yes": "no", "no": "yes"}))
    twice = pd.concat([raw, other], ignore_index=True)
    labelled, left_out = with_labels(new, twice, ["label"], fitted)
    assert left_out == {"with labels that contradict": 3}
    answers = answer(
        old, splits, {"features": features}, OPTIONS, 1, fitted, labelled, {"features": own}
    )
    metrics, _ = score(old, splits, labelled.assign(site=np.nan), answers, fitted, **ASKED)
    assert metrics["n"]["test"] == 117


def test_new_data_need_no_weights_where_training_had_some(trained):
    (old, splits, features, fitted), (new, raw, own) = trained
    weighted = old.assign(sample_weight=np.arange(1.0, len(old) + 1))
    labelled, _ = with_labels(new, raw, ["label"], fitted)
    given = {"features": features}, OPTIONS, 1, fitted, labelled, {"features": own}
    answers = answer(old, splits, *given)
    plain, _ = score(old, splits, labelled, answers, fitted, **ASKED)
    without, _ = score(weighted, splits, labelled, answers, fitted, **ASKED)
    assert without["test"] == plain["test"]
    assert without["n"] == plain["n"]
    with_all = labelled.assign(sample_weight=np.arange(1.0, len(labelled) + 1))
    counted, _ = score(weighted, splits, with_all, answers, fitted, **ASKED)
    assert counted["test"]["auroc"] != plain["test"]["auroc"]
    some = with_all.assign(sample_weight=with_all["sample_weight"].mask(with_all.index == 3))
    refused(
        lambda: score(weighted, splits, some, answers, fitted, **ASKED),
        "1 of the new samples have no weight.*sample_weight.*all of them one, or none",
    )


def test_states_are_compared_in_the_form_that_training_has():
    structure = get_application("protein_structure")
    raw = pd.DataFrame({"sample_id": ["a"], "sequence": ["MKTAYI"], RESIDUE_LABELS: ["HGEBTS"]})
    cleaned = structure.clean(raw.assign(group="a"), {}).samples
    assert structure.labels(raw, {})[RESIDUE_LABELS].tolist() == cleaned[RESIDUE_LABELS].tolist()
    eight = structure.labels(raw, {"target": "eight_states"})
    assert eight[RESIDUE_LABELS].tolist() == ["HGEBTS"]


def test_labels_may_be_arrays():
    """Coordinates of a chain; one is there twice, and is the same."""
    arrays = [np.arange(6.0), np.arange(12.0), np.arange(6.0)]
    raw = pd.DataFrame({"sample_id": ["a", "b", "a"], COORDINATES: arrays})
    new = pd.DataFrame({"sample_id": ["a", "b"], "group": ["a", "b"], "sequence": ["M", "MK"]})
    fitted = SimpleNamespace(kind=get_kind("residue_pairs"), outputs=["near"])
    labelled, left_out = with_labels(new, raw, [COORDINATES], fitted)
    assert left_out == {}
    assert [len(one) for one in labelled[COORDINATES]] == [6, 12]


def test_a_patient_of_the_training_data_is_no_training_row(trained):
    """An id that both have stands for the new row."""
    (old, splits, features, fitted), (new, raw, own) = trained
    ids = {new["sample_id"].iloc[0]: old["sample_id"].iloc[0]}
    new, raw = (part.assign(sample_id=part["sample_id"].replace(ids)) for part in (new, raw))
    own = Features(new["sample_id"].to_numpy(str), own.X, own.names, own.embedder)
    labelled, _ = with_labels(new, raw, ["label"], fitted)
    answers = answer(
        old, splits, {"features": features}, OPTIONS, 1, fitted, labelled, {"features": own}
    )
    metrics, _ = score(old, splits, labelled, answers, fitted, **ASKED)
    assert (metrics["n"]["test"], metrics["n"]["train"]) == (120, 239)


@pytest.mark.parametrize("application", application_names())
def test_every_application_knows_the_option_and_where_it_has_no_place(application, monkeypatch):
    monkeypatch.chdir(Path(__file__).parent / "examples" / application)

    content = yaml.safe_load(Path("task.yaml").read_text())
    [new] = set(content["datasets"]) - {"training"}
    content["datasets"][new]["scored"] = True
    assert task_mistakes("example", content) == []
    content["datasets"]["training"]["scored"] = True
    assert "training.scored: of the training data" in "".join(task_mistakes("example", content))
    del content["datasets"]["training"]
    assert "need the data set `training`" in "".join(task_mistakes("example", content))


@pytest.mark.long
def test_a_labelled_cohort_stands_in_the_report(project: Project):
    later = cohort(60, True, 9)
    later["patient"] = "L" + later["patient"]
    later.loc[:4, "disease"] = np.nan
    later.to_csv(project.path("data/later.csv"), index=False)
    options = {"clinical": "data/later.csv", "columns": {"id": "patient", "label": "disease"}}
    project.configure(**{"tasks.liver.datasets.later": options | {"scored": True}})
    project.snakemake()
    metrics = json.loads(project.path("results/liver/later/metrics.json").read_text())
    assert metrics["n"]["test"] == 55
    assert metrics["left_out"] == {"without a label": 5}
    assert metrics["test"]["auroc"] > 0.8 > metrics["baselines"]["naive"]["auroc"]
    page = project.path("results/liver/report.html").read_text()
    assert "On other data" in page
    assert "5 patients without a label" in page
    assert project.planned() == set()
