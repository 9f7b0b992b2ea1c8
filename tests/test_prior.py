"""`prior`: probabilities, thresholds and sets where another share of samples is positive."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bioloom.kinds import Calibration, get_kind
from bioloom.kinds.binary import at_prior, scores
from bioloom.pipeline.check import task_mistakes
from bioloom.predictions.predict import predict
from tests.toys import fit_once, refused, table

shares = st.floats(0.01, 0.99)


def calibration(share: float, **fitted) -> Calibration:
    return Calibration(threshold=0.5, quantile=[[0.6, 0.8]], share=share, **fitted)


def test_probabilities_are_those_of_the_theorem_of_bayes():
    """Two normal distributions, whose posterior is known at any share."""
    rng, share, prior = np.random.default_rng(0), 0.5, 0.02
    x = rng.normal(size=500)
    likelihood = np.exp(-((x - 1) ** 2) / 2), np.exp(-((x + 1) ** 2) / 2)

    def posterior(share: float) -> np.ndarray:
        yes, no = share * likelihood[0], (1 - share) * likelihood[1]
        return yes / (yes + no)

    raw = np.column_stack([1 - posterior(share), posterior(share)])
    found = scores(raw, at_prior(calibration(share), prior, 0.5))
    np.testing.assert_allclose(found[:, 1], posterior(prior))


@given(shares, shares, st.lists(st.floats(0.001, 0.999), min_size=1, max_size=9))
def test_the_way_back_leads_back_and_the_share_of_training_changes_nothing(share, prior, said):
    raw = np.column_stack([1 - np.array(said), said])
    there = at_prior(calibration(share), prior, "f1")
    back = at_prior(there, share, "f1")
    np.testing.assert_allclose(scores(raw, back), raw, atol=1e-6)
    assert back.threshold == pytest.approx(0.5)
    np.testing.assert_allclose(back.quantile, [[0.6, 0.8]], atol=1e-6)


@given(shares, shares, st.lists(st.floats(0.001, 0.999), min_size=1, max_size=9))
def test_a_fitted_threshold_and_sets_move_along_a_number_does_not(share, prior, said):
    kind, before = get_kind("binary"), calibration(share)
    raw = np.column_stack([1 - np.array(said), said])
    moved, fixed = (at_prior(before, prior, rule) for rule in ("youden", 0.5))
    assert fixed.threshold == 0.5
    was, now = kind.scores(raw, before), kind.scores(raw, moved)
    clear = np.abs(was[:, 1] - 0.5) > 1e-6
    assert (kind.decide(was, before) == kind.decide(now, moved))[clear].all()
    held = [1 - p <= np.array(c.quantile[0]) + 1e-9 for p, c in ((was, before), (now, moved))]
    assert (held[0] == held[1]).mean() > 0.99 or np.abs(1 - was - [0.6, 0.8]).min() < 1e-3


def test_a_balanced_threshold_becomes_the_prior():
    before = Calibration(threshold=0.3, quantile=[[np.inf, np.inf]], share=0.3)
    after = at_prior(before, 0.01, "balanced")
    assert after.threshold == pytest.approx(0.01)
    assert after.quantile == [[np.inf, np.inf]]


def test_predictions_at_a_low_share_call_fewer_and_know_why_they_cannot(tmp_path):
    samples, features = table()
    fitted, _ = fit_once(samples, features)
    fitted.settings |= {
        "features": "table",
        "feature_names": [*map(str, features.names)],
        "signature": {},
        "threshold_rule": 0.5,
    }
    fitted.save(tmp_path)
    loaded = type(fitted).load(tmp_path)
    usual = predict(samples, features, loaded, Path("new"))
    rare = predict(samples, features, loaded.at_prior(0.01), Path("new"))
    assert (rare["p.yes"] < usual["p.yes"]).all()
    assert (rare["prediction"] == "yes").sum() < (usual["prediction"] == "yes").sum()
    assert loaded.at_prior(None) is loaded
    loaded.calibration = Calibration(threshold=0.5, quantile=[[0.5, 0.5]])
    refused(lambda: loaded.at_prior(0.01), "which share of its training rows.*train it again")
    loaded.kind = get_kind("multiclass")
    refused(lambda: loaded.at_prior(0.01), "`prior` is of two classes")


@pytest.mark.parametrize(
    ("application", "dataset", "prior", "told"),
    [
        ("disease_diagnosis", "new", 0.02, None),
        ("disease_diagnosis", "new", 1.5, "prior"),
        ("disease_diagnosis", "training", 0.02, "share of the training data is known"),
        ("gene_expression", "new", 0.02, "predicts no two classes"),
    ],
)
def test_where_a_prior_makes_sense(application, dataset, prior, told, monkeypatch):
    monkeypatch.chdir(Path(__file__).parent / "examples" / application)
    content = yaml.safe_load(Path("task.yaml").read_text())
    [new] = set(content["datasets"]) - {"training"}
    content["datasets"][new if dataset == "new" else dataset]["prior"] = prior
    mistakes = task_mistakes("example", content)
    assert mistakes == [] if told is None else told in "".join(mistakes)
