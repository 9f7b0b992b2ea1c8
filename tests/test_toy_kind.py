"""A kind that the library does not have, a time of waiting, goes through every stage from here.

Whoever adds a kind writes what stands between the two lines, and nothing elsewhere.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import yaml

from bioloom.application import Application
from bioloom.evaluation.evaluate import evaluate
from bioloom.features.extract import extract_features
from bioloom.files import read_json, write_json
from bioloom.fitted import Fitted
from bioloom.kinds import Calibration, HeldOut, TestSet, get_kind, kind_of, value
from bioloom.kinds._rows import Truth, join
from bioloom.metrics import Metric, Scores
from bioloom.models._estimator import Estimator
from bioloom.predictions.predict import predict
from bioloom.report.page import build_page
from bioloom.samples import feature_columns, write_table
from bioloom.splits.leakage import audit
from bioloom.splits.split import split_samples
from bioloom.training.train import train_task

LABELS = ["label.wait", "label.seen"]

# -------------------------------------------------------------------------------- kinds/waiting.py


def encode(samples: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Time and whether the event was seen, (N, 2)."""
    return samples[LABELS].to_numpy(float)


def calibrate(raw, y, labels, learnt) -> Calibration:
    """Nothing: the answer is a time, and its error is not measured where the event is unseen."""
    return Calibration()


def answer(values: np.ndarray, names: list[str], calibration: Calibration) -> pd.DataFrame:
    """The expected time."""
    return pd.DataFrame({"prediction": values[:, 0]})


def loss(values: np.ndarray, y: np.ndarray) -> float:
    """Mean squared error of the times of seen events."""
    return float(((values[:, 0] - y[:, 0]) ** 2)[y[:, 1] == 1].mean())


def seen_and_said(test: pd.DataFrame, held_out: pd.DataFrame, options) -> TestSet:
    """Test rows with time and event."""
    return join(Truth(test, encode(test, []), ["time"]), held_out, said)


def said(table: pd.DataFrame, truth: Truth, model: str) -> dict[str, np.ndarray]:
    """The expected times in the order of the truth."""
    call = np.full(len(truth.y), np.nan)
    call[truth.places(table, model)] = table["prediction"]
    return {"call": call}


def score(rows: HeldOut, weights: np.ndarray) -> Scores:
    """Harrell's C: of pairs whose order is known, the share in the right order."""
    time, event = rows.y.T
    known = (time[:, None] < time) & (event[:, None] == 1)
    right = np.sign(rows.call - rows.call[:, None]) / 2 + 0.5
    pairs = np.einsum("ib,ij,jb->b", weights, known.astype(float), weights)
    return {"concordance": np.einsum("ib,ij,jb->b", weights, known * right, weights) / pairs}


waiting = replace(
    value.kind,
    name="waiting",
    fits=lambda samples: set(LABELS) <= set(samples),
    outputs=lambda samples, positive: ["time"],
    encode=encode,
    calibrate=calibrate,
    answer=answer,
    loss=loss,
    test_set=seen_and_said,
    score=score,
    metrics=(Metric("concordance", "Concordance (Harrell's C)"),),
    primary="concordance",
    plots=(),
    floor="constant_time",
    high_call=False,
)


@dataclass(kw_only=True)
class Model(Estimator):
    """The mean time of the training rows, whoever asks."""

    def fit(self, X, y, X_valid, y_valid):  # noqa: D102
        self.mean = np.array([y[:, 0].mean()])
        return self

    def outputs(self, X):  # noqa: D102
        return np.tile(self.mean, (len(X), 1))

    def state(self):  # noqa: D102
        return {"mean": self.mean}

    def restore(self, arrays):  # noqa: D102
        self.mean = arrays["mean"]


# --------------------------------------------------------------------------------------------------

APPLICATION = Application(
    kinds=("waiting",),
    ingest=lambda files, options: pd.DataFrame(),
    clean=lambda raw, options: raw,
    inputs=lambda samples: samples[feature_columns(samples)],
    sources=("patients",),
    defaults=lambda task: {},
)


@pytest.fixture
def installed(monkeypatch) -> None:
    """The toy's modules, as if they lay in the library's folders."""
    for name, content in {
        "kinds.waiting": {"kind": waiting},
        "models.constant_time": {"Model": Model},
        "applications.toy": {"application": APPLICATION},
    }.items():
        module = ModuleType(f"bioloom.{name}")
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(Model, "__module__", "bioloom.models.constant_time")


def patients(n: int = 90) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    ids = [f"p{i}" for i in range(n)]
    table = pd.DataFrame({"sample_id": ids, "group": ids, "age": rng.normal(60, 9, n)})
    table["label.wait"] = rng.exponential(5, n)
    return table.assign(**{"label.seen": rng.integers(0, 2, n).astype(float)})


def test_a_new_kind_goes_through_every_stage(installed, tmp_path: Path):
    samples = patients()
    assert kind_of(APPLICATION.kinds, samples) is get_kind("waiting")

    splits = split_samples(samples, {"method": "holdout", "test": 0.3, "valid": 0.2}, 1)
    leakage, nearest = audit(samples, splits, {}, measure="table")
    features, record, _ = extract_features(samples, APPLICATION, {"embedder": "table"})
    options = {"application": "toy", "model": {"name": "constant_time"}}
    _, fitted, held_out = train_task(samples, splits, {"features": features}, options, 1, inputs=[])
    fitted.save(tmp_path / "model")

    metrics, plots = evaluate(
        samples,
        splits,
        held_out,
        task="toy",
        application="toy",
        kind=get_kind("waiting"),
        options={"resamples": 100},
        seed=1,
        nearest=nearest,
    )
    assert (metrics["kind"], metrics["primary"]) == ("waiting", "concordance")
    assert metrics["test"]["concordance"] == 0.5  # a constant ranks nobody
    assert metrics["verdict"] == "no better than the baseline naive"

    new = samples.drop(columns=LABELS).head(7)
    loaded = Fitted.load(tmp_path / "model")
    rows, _, _ = extract_features(new, APPLICATION, {"embedder": "table"})
    predicted = predict(new, rows, loaded, tmp_path / "new.parquet")
    assert list(predicted["sample_id"]) == list(new["sample_id"])
    assert predicted["prediction"].nunique() == 1

    write_json(metrics, tmp_path / "metrics.json")
    write_json(leakage, tmp_path / "leakage.json")
    for name, table in plots.items():
        write_table(table, tmp_path / "plots" / f"{name}.csv")
    files = {name: tmp_path / f"{name}.json" for name in ("metrics", "leakage")}
    files |= {"plots": tmp_path / "plots", "model": tmp_path / "model"}
    build_page("toy", files, tmp_path / "report.html")
    assert "Concordance (Harrell" in (tmp_path / "report.html").read_text()
    assert yaml.safe_load((tmp_path / "model/model.yaml").read_text())["kind"] == "waiting"
    assert read_json(tmp_path / "metrics.json")["n"]["test"] > 20
