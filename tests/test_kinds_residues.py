"""A class a residue: labels, models that see residues as rows, scores, predictions, sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioloom.arrays import Ragged
from bioloom.errors import DataError
from bioloom.evaluation.evaluate import evaluate
from bioloom.features import Features
from bioloom.fitted import Fitted
from bioloom.fitted.signature import make_signature
from bioloom.kinds import encode_labels, get_kind
from bioloom.models import get_model
from bioloom.predictions.predict import predict, with_dropped
from bioloom.training.recipe import Recipe
from bioloom.training.train import train
from tests.toys import partition, recipe

pytestmark = pytest.mark.slow

CNN = {"width": 16, "layers": 2, "epochs": 8, "learning_rate": 5e-3, "batch_size": 8}


def chains(n: int = 60, seed: int = 0) -> tuple[pd.DataFrame, Features]:
    """Chains whose state is what the residue before is: A gives H, all else C; the first is C."""
    rng = np.random.default_rng(seed)
    sequences = ["".join(rng.choice(list("AG"), rng.integers(5, 30))) for _ in range(n)]
    states = ["C" + "".join("H" if a == "A" else "C" for a in s[:-1]) for s in sequences]
    ids = np.array([f"chain_{i}" for i in range(n)])
    columns = {"sample_id": ids, "label.residues": states, "group": ids, "sequence": sequences}
    letters = np.array(list("".join(sequences)))
    X = np.stack([letters == "A", letters == "G", rng.normal(size=len(letters))], axis=1)
    offsets = np.concatenate([[0], np.cumsum([len(s) for s in sequences])])
    features = Features(ids, Ragged(X.astype(np.float16), offsets), np.array(list("agx")), "toy")
    return pd.DataFrame(columns), features


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[pd.DataFrame, Features, Fitted, pd.DataFrame]:
    samples, features = chains()
    recipes = {
        "model": recipe(features, "cnn", **CNN),
        "naive": recipe(features, "naive"),
        "by_residue": recipe(features, "logistic_regression"),
    }
    labels = encode_labels(samples, get_kind("residues"))
    fitted, held_out = train(samples, partition(samples, 35, 10), labels, recipes, seed=1)
    fitted.settings = {
        "features": "toy",
        "feature_names": list("agx"),
        "signature": make_signature(samples),
    }
    folder = tmp_path_factory.mktemp("trained") / "model"
    fitted.save(folder)
    return samples, features, Fitted.load(folder), held_out


def test_the_cnn_sees_neighbours_and_a_model_of_rows_does_not(trained):
    samples, _, _, held_out = trained
    splits = partition(samples, 35, 10)
    metrics, plots = evaluate(
        samples,
        splits,
        held_out,
        task="t",
        application="a",
        kind=get_kind("residues"),
        options={"resamples": 100},
        seed=1,
    )
    assert metrics["primary"] == "accuracy"
    assert metrics["test"]["accuracy"] > 0.98
    assert metrics["test"]["sov"] > 0.95
    assert metrics["baselines"]["by_residue"]["accuracy"] < 0.8
    assert metrics["n"]["test"] == metrics["n"]["test_groups"] == 15
    said = held_out[held_out["model"] == "model"]
    truth = "".join(samples["label.residues"][45:])
    assert metrics["test"]["accuracy"] == pytest.approx((said["prediction"] == list(truth)).mean())
    classes = plots["per_class"].query("model == 'model' and metric == 'recall'")
    assert classes["n"].sum() == len(truth)


def test_held_out_rows_are_residues_with_their_position(trained):
    samples, _, _, held_out = trained
    said = held_out[held_out["model"] == "naive"]
    assert said.groupby("sample_id", sort=False)["position"].apply(list).tolist() == [
        list(range(1, len(sequence) + 1)) for sequence in samples["sequence"][45:]
    ]


def test_each_residue_gets_a_prediction_and_a_dropped_chain_its_reason(trained):
    samples, features, fitted, _ = trained
    new = samples.drop(columns="label.residues").iloc[45:]
    said = predict(new, features, fitted, Path("new"))
    assert "".join(said["residue"]) == "".join(new["sequence"])
    assert np.allclose(said[["p.C", "p.H"]].sum(axis=1), 1)
    truth = pd.Series(list("".join(samples["label.residues"][45:])))
    held = [label in names for label, names in zip(truth, said["prediction_set"], strict=True)]
    assert np.mean(held) > 0.8
    dropped = pd.DataFrame({"sample_id": ["x"], "reason": ["longer than max_length"]})
    last = with_dropped(said, dropped, fitted).iloc[-1]
    assert (last["sample_id"], last["position"]) == ("x", 0)


def test_what_stands_beside_a_chain_in_a_batch_changes_nothing(trained):
    _, features, fitted, _ = trained
    together = Ragged(fitted.scores(features.X), features.X.offsets)
    alone = fitted.scores(features.X[np.array([3])])
    np.testing.assert_allclose(together.item(3), alone, atol=1e-5)


def test_shuffled_states_are_no_better_than_their_frequencies():
    samples, features = chains()
    rng = np.random.default_rng(0)
    samples["label.residues"] = [
        "".join(rng.permutation(list(text))) for text in samples["label.residues"]
    ]
    recipes = {"model": recipe(features, "cnn", **CNN), "naive": recipe(features, "naive")}
    labels = encode_labels(samples, get_kind("residues"))
    _, held_out = train(samples, partition(samples, 35, 10), labels, recipes, seed=1)
    truth = np.array(list("".join(samples["label.residues"][45:])))
    right = held_out["prediction"].to_numpy().reshape(2, -1) == truth
    assert right[0].mean() < right[1].mean() + 0.06


def test_labels_and_features_must_fit_the_sequence():
    samples, features = chains(12)
    with pytest.raises(DataError, match="differ in length.*label.residues"):
        encode_labels(samples.assign(sequence="AG"), get_kind("residues"))
    flat = samples["label.residues"].str.replace("H", "C")
    with pytest.raises(DataError, match="one class"):
        encode_labels(samples.assign(**{"label.residues": flat}), get_kind("residues"))
    labels = encode_labels(samples, get_kind("residues"))
    pooled = Features(features.sample_id, features.X.mean(), features.names, "toy")
    with pytest.raises(DataError, match="pooling: tokens"):
        train(samples, partition(samples, 8, 2), labels, {"model": recipe(pooled, "cnn")}, seed=1)


def test_search_inside_the_training_chains():
    samples, features = chains(40)
    wanted = Recipe(features, "cnn", CNN, {}, {"kernel": [1, 5]})
    labels = encode_labels(samples, get_kind("residues"))
    fitted, _ = train(samples, partition(samples, 25, 8), labels, {"model": wanted}, seed=1)
    assert fitted.parameters["kernel"] == 5  # of 1 there are no neighbours


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("linear", {}),
        ("residual_dnn", {"epochs": 2}),
        ("ensemble", {"of": [{"name": "logistic_regression"}, {"name": "linear"}]}),
    ],
)
def test_models_that_hold_out_groups_learn_residues(model, parameters):
    """All residues of a chain are in its group."""
    samples, features = chains(24)
    labels = encode_labels(samples, get_kind("residues"))
    wanted = {"model": recipe(features, model, **parameters)}
    _, held_out = train(samples, partition(samples, 14, 5), labels, wanted, seed=1)
    assert len(held_out) == samples["sequence"].str.len()[19:].sum()
    assert held_out["p.H"].between(0, 1).all()


def test_a_cnn_answers_a_sample_too():
    _, features = chains(30)
    y = np.arange(30) % 2
    model = get_model("cnn")(output="classes", n_outputs=2, seed=1, epochs=1)
    assert model.fit(features.X, y, features.X, y).predict_proba(features.X).shape == (30, 2)
