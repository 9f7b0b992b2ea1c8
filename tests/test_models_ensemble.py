"""An ensemble is as good as what its members are worth, and a member may sleep."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from scipy.stats import pearsonr

from bioloom.errors import DataError
from bioloom.models import check_parameters, get_model, members_of
from bioloom.models.ensemble import joined, joined_weights

MEMBERS = [{"name": "kernel"}, {"name": "svm", "C": 0.5}]


def chances(decision: np.ndarray) -> np.ndarray:
    return softmax(np.column_stack([np.zeros(len(decision)), decision]), axis=1)


def test_a_member_that_knows_nothing_sleeps_and_one_that_shouts_is_calmed():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=2_000)
    y = (rng.random(2_000) < chances(truth)[:, 1]).astype(int)
    answers = np.stack([chances(3 * truth), chances(rng.normal(size=2_000))])
    weights = joined_weights(answers, np.eye(2)[y], "classes")
    assert weights[0] == pytest.approx(1 / 3, abs=0.05)
    assert weights[1] < 0.1


def test_few_rows_leave_equal_weights_and_none_exactly_so():
    answers = np.stack([chances(np.array([5.0])), chances(np.array([-5.0]))])
    few = joined_weights(answers, np.eye(2)[[1]], "classes")
    np.testing.assert_allclose(few, 0.5, atol=0.4)
    none = joined_weights(answers[:, :0], np.zeros((0, 2)), "classes")
    assert none.tolist() == [0.5, 0.5]


def test_values_are_joined_as_a_regression_would():
    rng = np.random.default_rng(1)
    y = rng.normal(size=(5_000, 1))
    answers = np.stack([y + 0.5 * rng.normal(size=y.shape), 0 * y])
    weights = joined_weights(answers, y, "values")
    assert weights[0] == pytest.approx(0.8, abs=0.03)  # var / (var + noise)
    assert pearsonr(joined(answers, weights, "values")[:, 0], y[:, 0])[0] > 0.85


def test_the_folder_says_who_earns_what(tmp_path):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(150, 4)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    model = get_model("ensemble")(output="classes", n_outputs=2, seed=1, of=MEMBERS)
    model.fit(X[:100], y[:100], X[100:], y[100:])
    model.save(tmp_path)
    model.export(tmp_path, ["no", "yes"])
    table = pd.read_csv(tmp_path / "members.csv")
    assert table["member"].tolist() == ["kernel", "svm"]
    assert (table["weight"] >= 0).all()
    loaded = get_model("ensemble").load(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_members_are_checked_like_models_of_their_own():
    check_parameters("ensemble", {"of": MEMBERS})
    assert [member["name"] for member in members_of("ensemble", {"of": MEMBERS})] == [
        "kernel",
        "svm",
    ]
    for wrong, said in [
        ([{"name": "svm", "D": 1}, {"name": "kernel"}], "parameter 'D'"),
        ([{"name": "svn"}, {"name": "kernel"}], "svn"),
        (["svm"], "list of models"),
    ]:
        with pytest.raises(DataError, match=said):
            check_parameters("ensemble", {"of": wrong})
    balanced = {"class_weight": "balanced"}
    check_parameters("ensemble", {"of": [{"name": "svm"}, {"name": "dnn"}], **balanced})
    with pytest.raises(DataError, match="'class_weight' of the model pair_kernel"):
        check_parameters("ensemble", {"of": [{"name": "pair_kernel"}, *MEMBERS], **balanced})
