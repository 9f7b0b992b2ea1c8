"""Distances of residue pairs from training to files: labels, model, scores, predictions, export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.arrays import Ragged
from bioloom.errors import DataError
from bioloom.evaluation.evaluate import evaluate
from bioloom.features import Features
from bioloom.fitted import Fitted
from bioloom.fitted.signature import make_signature
from bioloom.kinds import encode_labels, get_kind, kind_of
from bioloom.models import get_model
from bioloom.models.distance_cnn import windows
from bioloom.predictions.predict import predict
from bioloom.structures.distances import BINS
from bioloom.structures.folding import handedness
from bioloom.training.train import fit, partitions_of, refit, train
from tests.toys import helix, partition, recipe

pytestmark = pytest.mark.slow

SMALL = {"trunk_width": 8, "trunk_layers": 1, "width": 8, "layers": 1, "epochs": 6}
APPLICATION = get_application("protein_structure")


def strand(length: int) -> np.ndarray:
    """A zigzag of C-alphas, 3.3 A a residue."""
    place = np.arange(length)
    return np.stack([0.95 * (-1.0) ** place, np.zeros(length), 3.3 * place], axis=1)


def folds(n: int = 40, seed: int = 0) -> tuple[pd.DataFrame, Features]:
    """Helices of alanine and strands of valine, C-betas on the C-alphas."""
    rng = np.random.default_rng(seed)
    rows, values = [], []
    for i in range(n):
        length = int(rng.integers(25, 36))
        trace = helix(length) if i % 2 else strand(length)
        points = np.hstack([trace, trace]).astype(np.float32).ravel()
        rows.append((f"c{i}", points, f"c{i}", "VA"[i % 2] * length))
        values.append(np.full((length, 2), [i % 2, 1 - i % 2]))
    names = ["sample_id", "label.coordinates", "group", "sequence"]
    samples = pd.DataFrame(rows, columns=names)
    offsets = np.concatenate([[0], np.cumsum([len(v) for v in values])])
    X = Ragged(np.concatenate(values).astype(np.float16), offsets)
    return samples, Features(samples["sample_id"].to_numpy(str), X, np.array(["a", "v"]), "toy")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[pd.DataFrame, Features, Fitted, pd.DataFrame]:
    samples, features = folds()
    labels = encode_labels(samples, get_kind("residue_pairs"))
    recipes = {
        "model": recipe(features, "distance_cnn", **SMALL, learning_rate=2e-2),
        "naive": recipe(features, "separation"),
    }
    fitted, held_out = train(samples, partition(samples, 24, 8), labels, recipes, seed=1)
    fitted.settings = {
        "features": "toy",
        "feature_names": ["a", "v"],
        "signature": make_signature(samples),
    }
    folder = tmp_path_factory.mktemp("trained") / "model"
    fitted.save(folder)
    return samples, features, Fitted.load(folder), held_out


def test_the_kind_is_that_of_the_label():
    samples, _ = folds(2)
    assert kind_of(APPLICATION.kinds, samples).name == "residue_pairs"
    states = samples.rename(columns={"label.coordinates": "label.residues"})
    assert kind_of(APPLICATION.kinds, states).name == "residues"


def test_scores_beat_the_separation_alone(trained):
    samples, _, _, held_out = trained
    metrics, plots = evaluate(
        samples,
        partition(samples, 24, 8),
        held_out,
        task="t",
        application="a",
        kind=get_kind("residue_pairs"),
        options={"resamples": 100, "structures": 4, "primary": "distance_mae"},
        seed=1,
    )
    ours, naive = metrics["test"], metrics["baselines"]["naive"]
    assert ours["distance_mae"] < 0.75 * naive["distance_mae"]
    assert metrics["difference"]["value"] > 0
    assert 0 < ours["lddt"] <= 1
    assert 0 < ours["tm_score"] <= 1
    assert set(metrics["baselines"]) == {"naive", "random_coil"}
    assert {"roc", "pr", "calibration", "distance_maps"} <= set(plots)
    assert plots["distance_maps"].groupby("rank").ngroups == 3


def test_predictions_cover_each_pair_and_become_structure_files(trained, tmp_path):
    from biotite.structure.io import pdb, pdbx

    samples, features, fitted, _ = trained
    new = samples.drop(columns="label.coordinates").iloc[[33, 34]]
    said = predict(new, features, fitted, Path("new"))
    lengths = new["sequence"].str.len()
    assert len(said) == (lengths * (lengths - 1) // 2).sum()
    assert said["contact"].between(0, 1.001).all()
    dropped = said.iloc[:1].assign(sample_id="too long", contact=np.nan)
    APPLICATION.write(new, pd.concat([said, dropped]), {}, tmp_path, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "c33.cif",
        "c33.pdb",
        "c34.cif",
        "c34.pdb",
        "index.csv",
    ]
    index = pd.read_csv(tmp_path / "index.csv")
    assert dict(zip(index["sample_id"], index["name"], strict=True)) == {"c33": "c33", "c34": "c34"}
    old = pdb.PDBFile.read(tmp_path / "c33.pdb").get_structure(model=1, extra_fields=["b_factor"])
    cif = pdbx.get_structure(
        pdbx.CIFFile.read(tmp_path / "c33.cif"), model=1, extra_fields=["b_factor"]
    )
    np.testing.assert_allclose(old.coord, cif.coord, atol=1e-2)
    np.testing.assert_allclose(old.b_factor, cif.b_factor, atol=1e-2)
    assert ((old.b_factor >= 0) & (old.b_factor <= 100)).all()
    assert set(old.res_name) == {"ALA"}
    assert (handedness(old.coord) > 0).mean() > 0.9  # a helix, right-handed


def test_states_are_written_as_fasta(tmp_path):
    samples = pd.DataFrame({"sample_id": ["a", "b"], "sequence": ["MK", "G"]})
    said = pd.DataFrame({"sample_id": ["a", "a", "b"], "prediction": list("HCE")})
    APPLICATION.write(samples, said, {}, tmp_path, {})
    assert (tmp_path / "states.fasta").read_text() == ">a\nMK\nHC\n>b\nG\nE\n"


def test_windows_hold_every_near_pair_of_a_long_chain():
    samples, features = folds(2)
    labels = encode_labels(samples, get_kind("residue_pairs"))
    X, y = windows(features.X, labels.y, 20)
    assert (X.lengths == 20).all()
    assert (y.lengths == 190).all()
    whole_X, whole_y = windows(features.X, labels.y, 100)
    np.testing.assert_array_equal(whole_X.values, features.X.values)
    np.testing.assert_array_equal(whole_y.values, labels.y.values)


def test_the_separation_table_gives_the_frequencies(trained):
    samples, features, _, _ = trained
    labels = encode_labels(samples, get_kind("residue_pairs"))
    model = get_model("separation")(
        output="classes", n_outputs=len(BINS), seed=1, unit="residue_pair", prior=1e-3
    )
    p = model.fit(features.X, labels.y, None, None).predict_proba(features.X)
    first = p[0]  # neighbours: 3.8 A, all of them
    assert first[0] == pytest.approx(1, abs=1e-3)
    with pytest.raises(DataError, match="separation takes tokens, the features are vectors"):
        model.predict_proba(features.X.mean())


def test_labels_that_do_not_fit_and_models_without_pairs_are_refused():
    samples, features = folds(12)
    with pytest.raises(DataError, match="differ in length.*label.coordinates"):
        encode_labels(samples.assign(sequence="AA"), get_kind("residue_pairs"))
    labels = encode_labels(samples, get_kind("residue_pairs"))
    wrong = {"model": recipe(features, "logistic_regression")}
    with pytest.raises(DataError, match="does not predict residue pairs"):
        train(samples, partition(samples, 8, 2), labels, wrong, seed=1)


def test_distances_need_coordinates():
    raw = pd.DataFrame({"sample_id": ["a"], "group": ["a"], "sequence": ["MKV"]})
    raw["label.residues"] = "CCC"
    with pytest.raises(DataError, match="needs coordinates.*structures"):
        APPLICATION.clean(raw, {"target": "distances"})
    new = APPLICATION.clean(raw.drop(columns="label.residues"), {"target": "distances"})
    assert list(new.samples) == ["sample_id", "group", "sequence"]


@pytest.mark.slow
def test_all_chains_train_the_model_for_new_data():
    samples, features = folds(12)
    labels, chosen = (
        encode_labels(samples, get_kind("residue_pairs")),
        recipe(features, "distance_cnn", **SMALL | {"epochs": 2}),
    )
    [place] = partitions_of(samples, partition(samples, 6, 3))
    scored = fit(chosen, labels, place, samples, 1, keep=True)
    fitted = refit(scored, chosen, labels, place, samples)
    scores = [model.scores(features.X) for model in (scored, fitted)]
    assert scores[0].shape == scores[1].shape
    assert not np.array_equal(*scores)
    assert fitted.calibration == scored.calibration
