"""A number as label: learnt from a task of a few lines wherever a class is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bioloom.embedders import AMINO_ACIDS
from bioloom.features.extract import extract_features
from bioloom.pipeline.check import task_mistakes
from bioloom.pipeline.defaults import with_defaults
from bioloom.pipeline.tasks import Task
from bioloom.training.train import train_task
from tests.toys import partition

ROWS = 100


def fitness(rng: np.random.Generator) -> pd.DataFrame:
    """Variants of a protein that are fitter the more lysine they have."""
    letters = rng.choice(list(AMINO_ACIDS), (ROWS, 30))
    score = (letters == "K").mean(axis=1) + 0.5 * (letters == "E").mean(axis=1)
    return pd.DataFrame({"protein": ["".join(row) for row in letters], "fitness": score})


def doses(rng: np.random.Generator) -> pd.DataFrame:
    """Patients whose dose follows their weight and age."""
    weight, age = rng.normal(75, 15, ROWS).round(1), rng.integers(20, 90, ROWS)
    dose = (0.5 * weight - 0.3 * age + rng.normal(0, 1, ROWS)).round(2)
    columns = {"weight": weight, "age": age, "dose": dose}
    return pd.DataFrame({"patient": [f"p{i}" for i in range(ROWS)], **columns})


PROTEINS = {"sequences": "data.csv", "columns": {"sequence": "protein", "label": "fitness"}}
PATIENTS = {"clinical": "data.csv", "columns": {"id": "patient", "label": "dose"}}
TASKS = {
    "protein_function": (fitness, PROTEINS, {"features": {"embedder": "composition"}}),
    "precision_medicine": (doses, PATIENTS, {}),
    "disease_diagnosis": (doses, PATIENTS, {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("application", TASKS)
def test_a_number_is_learnt_from_a_task_of_few_lines(
    application: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """By the model that the application chooses, beside all of its baselines."""
    make, training, more = TASKS[application]
    monkeypatch.chdir(tmp_path)
    make(np.random.default_rng(0)).to_csv("data.csv", index=False)
    content: dict[str, Any] = {"application": application, "datasets": {"training": training}}
    content = with_defaults(content | more)
    assert task_mistakes("dose", content) == []

    task = Task("dose", **content)
    files = {name: Path(file) for name, file in task.source_files("training").items()}
    raw = task.code.ingest(files, task.ingest_options("training"))
    samples = task.code.clean(raw.samples, task.clean).samples
    features = {
        name: extract_features(samples, task.code, section)[0]
        for name, section in task.features_sections.items()
    }
    options = task.seen("train")
    fitted, _, held_out = train_task(samples, partition(samples, 60, 20), features, options, 1, [])
    assert fitted.kind.name == "value"
    models = dict(iter(held_out.groupby("model")))
    assert models.keys() >= {"model", "naive", *content["baselines"]}
    truth = samples.set_index("sample_id")["label"]
    for name in models.keys() - {"naive"}:
        said = models[name].set_index("sample_id")["prediction"]
        assert said.corr(truth[said.index], "spearman") > 0.5, name
