"""The model and what it says of patients; the contract of all models is in test_models.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.arrays import Table
from bioloom.bayes.cases import about
from bioloom.explanation.rows import explain_rows
from bioloom.features import Features
from bioloom.features.extract import extract_features
from bioloom.fitted import Fitted
from bioloom.fitted.signature import make_signature
from bioloom.formats.bif import read_bif
from bioloom.kinds import encode_labels, get_kind
from bioloom.models import get_model, parameters_of
from bioloom.pipeline.tasks import Task
from bioloom.predictions.predict import predict, summary
from bioloom.training.recipe import make_recipes
from bioloom.training.train import train
from tests.toys import partition, recipe, refused

APPLICATION = get_application("precision_medicine")
FILE = Path("new.csv")


def cohort(n: int = 300, seed: int = 0) -> pd.DataFrame:
    """Patients: a gene and a dose lead to a response; the marker tells nothing; some gaps.

    The site `a` has the machine `old` and no other, `b` the machine `new`.
    """
    rng = np.random.default_rng(seed)
    gene = rng.choice(["wild", "mutated"], n)
    dose = rng.uniform(10, 50, n).round(1)
    p = np.where(gene == "wild", 0.2, 0.8) * dose / 50
    site = rng.choice(["a", "b"], n)
    ids = [f"p{i}" for i in range(n)]
    samples = pd.DataFrame({"sample_id": ids, "group": ids, "gene": gene, "dose": dose})
    samples = samples.assign(marker=rng.normal(size=n).round(2), site=site)
    samples["machine"] = np.where(site == "a", "old", "new")
    for name in ("gene", "dose"):
        samples[name] = samples[name].mask(rng.random(n) < 0.1)
    samples["label"] = np.where(rng.random(n) < p, "yes", "no")
    return samples


def features_of(samples: pd.DataFrame) -> Features:
    return extract_features(samples, APPLICATION, {"embedder": "table"})[0]


def trained(samples: pd.DataFrame, kind: str = "binary", **parameters) -> Fitted:
    features = features_of(samples)
    recipes = {"model": recipe(features, "bayesian_network", **parameters)}
    splits = partition(samples, train=200, valid=60)
    fitted, _ = train(samples, splits, encode_labels(samples, get_kind(kind)), recipes, seed=1)
    fitted.settings = {
        "id": "m",
        "features": features.embedder,
        "signature": make_signature(samples),
        "feature_names": [str(name) for name in features.names],
    }
    return fitted


def answered(fitted: Fitted, new: pd.DataFrame) -> pd.DataFrame:
    return predict(new, features_of(new), fitted, FILE)


def told(fitted: Fitted, new: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return explain_rows(new, features_of(new), fitted, FILE)


@pytest.fixture(scope="module")
def naive() -> Fitted:
    return trained(cohort(), structure="naive")


def new_patients() -> pd.DataFrame:
    """Nothing known; all known; a gene that training had not; doses outside."""
    rows = [
        ("nothing", None, None, None, None, None),
        ("all", "mutated", 45.0, 0.0, "a", "old"),
        ("unseen", "triple", 30.0, None, None, None),
        ("below", "wild", 1.0, None, None, None),
        ("above", "wild", 90.0, None, None, None),
    ]
    names = ["sample_id", "gene", "dose", "marker", "site", "machine"]
    table = pd.DataFrame(rows, columns=names).assign(group=lambda table: table["sample_id"])
    return table.astype({"dose": float, "marker": float})


def test_a_value_outside_and_an_unseen_category_are_named_and_not_used(naive):
    found = answered(naive, new_patients()).set_index("sample_id")
    assert "gene: unknown category" in found.loc["unseen", "abstain"]
    assert "dose: below the range of training" in found.loc["below", "abstain"]
    assert "dose: above the range of training" in found.loc["above", "abstain"]
    assert "range" not in found.loc["all", "abstain"]
    assert found["probability"].notna().all()
    without = new_patients().assign(dose=lambda table: table["dose"].mask(table["dose"] > 50))
    others = answered(naive, without).set_index("sample_id")
    assert found.loc["above", "p.yes"] == others.loc["above", "p.yes"]


def test_what_was_not_seen_together_has_no_answer_but_the_names_of_the_fields():
    """Nothing is smoothed: the site a with a new machine has no place in the network."""
    fitted = trained(cohort(), pseudo_count=0.0, required=[["site", "machine"]])
    new = new_patients().iloc[[1, 1]].assign(sample_id=["seen", "odd"], machine=["old", "new"])
    found = answered(fitted, new).set_index("sample_id")
    assert found.loc["odd", "abstain"].split("; ")[0] == (
        "not seen together in training: site, machine"
    )
    assert found.loc["odd", ["prediction", "probability", "p.yes", "prediction_set"]].isna().all()
    assert 0 <= found.loc["seen", "p.yes"] <= 1
    assert "a, new" not in summary(found.reset_index())
    tables = told(fitted, new)
    patients = tables["patients"].set_index("sample_id")
    assert patients.loc["odd", "impossible"] == "site, machine"
    assert patients.loc["seen", "impossible"] == ""
    for name in ("posterior", "missing", "contributions", "what_if"):
        assert "odd" not in set(tables[name]["sample_id"])
        assert tables[name].notna().all(axis=None)
    # and no state is shown that the rest rules out
    shown = tables["what_if"].query("field == 'machine'")
    assert shown["field_state"].unique().tolist() == ["old"]


def test_smoothing_lets_what_was_not_seen_be_rare():
    fitted = trained(cohort(), required=[["site", "machine"]])
    new = new_patients().iloc[[1]].assign(machine="new")
    assert 0 < answered(fitted, new)["p.yes"].iloc[0] < 1


def test_the_model_needs_no_order_of_columns_and_is_saved_without_pickle(naive, tmp_path):
    naive.save(tmp_path / "model")
    names = {file.name for file in (tmp_path / "model").iterdir()}
    assert "network.bif" in names
    assert not any(name.endswith((".pkl", ".pickle", ".skops")) for name in names)
    loaded = Fitted.load(tmp_path / "model")
    loaded.settings = naive.settings
    new = new_patients()
    turned = new[["sample_id", "group", "machine", "dose", "site", "gene", "marker"]]
    pd.testing.assert_frame_equal(answered(loaded, turned), answered(naive, new))
    *_, label = read_bif(tmp_path / "model/network.bif").nodes
    assert (label.name, label.states) == ("label", ("no", "yes"))


@pytest.mark.slow
def test_a_written_network_answers_in_pgmpy_as_the_model_does(tmp_path):
    from pgmpy.inference import VariableElimination
    from pgmpy.readwrite import BIFReader

    fitted = trained(cohort(), required=[["gene", "label"], ["label", "dose"]])
    fitted.save(tmp_path / "model")
    peer = VariableElimination(BIFReader(str(tmp_path / "model/network.bif")).get_model())
    posterior = told(fitted, new_patients())["posterior"].set_index(["sample_id", "state"])
    states = fitted.model.fields["dose"].names
    given = {
        "nothing": {},
        "all": {"gene": "mutated", "dose": states[-1], "site": "a", "machine": "old"},
        "above": {"gene": "wild"},
    }
    marker = fitted.model.fields["marker"]
    given["all"]["marker"] = marker.names[int(marker.codes(np.array([0.0]))[0])]
    for patient, evidence in given.items():
        found = peer.query(["label"], evidence=evidence, show_progress=False)
        ours = posterior.loc[(patient, "yes"), "probability"]
        assert ours == pytest.approx(found.get_value(label="yes"), abs=1e-9)


def test_tables_of_patients_agree_with_the_network(naive):
    tables, new = told(naive, new_patients()), new_patients()
    patients = tables["patients"].set_index("sample_id")
    assert patients.loc["nothing", "missing"] == "gene; dose; marker; site; machine"
    assert patients.loc["all", "missing"] == ""
    assert patients.loc["above", "outside"] == "dose: above the range of training"
    assert patients["observed"].tolist() == [0, 5, 1, 1, 1]
    # What would help most comes first, and a value that is there but not used is not missing.
    missing = tables["missing"]
    first = missing[missing["sample_id"] == "nothing"]
    assert first["bits"].is_monotonic_decreasing
    assert set(first["field"].iloc[:2]) == {"gene", "dose"}
    assert "dose" not in set(missing.loc[missing["sample_id"] == "above", "field"])
    # In a naive network contributions to the log odds add up.
    p = tables["posterior"].set_index(["sample_id", "state"])["probability"]
    contributed = tables["contributions"].query("sample_id == 'all'")["change"].sum()
    odds = {name: np.log(p[name, "yes"] / p[name, "no"]) for name in ("all", "nothing")}
    assert contributed == pytest.approx(odds["all"] - odds["nothing"])
    # If a field is so, the answer is the posterior.
    what_if = tables["what_if"].query("sample_id == 'all'")
    assert what_if.loc[what_if["is_so"], "value"].to_numpy() == pytest.approx(p["all", "yes"])
    assert set(what_if["answer"]) == {"yes"}
    set_so = new.iloc[[1]].assign(gene="wild")
    expected = told(naive, set_so)["posterior"].query("state == 'yes'")["probability"].iloc[0]
    shown = what_if.query("field == 'gene' and field_state == 'wild'")["value"].iloc[0]
    assert shown == pytest.approx(expected)


def test_expected_information_is_what_the_network_says(naive):
    outcome = naive.model.outcomes[0]
    nothing = np.full((1, 6), -1)
    bits = told(naive, new_patients().iloc[[0]])["missing"].set_index("field")["bits"]
    for place, name in enumerate(naive.model.fields):
        expected = about(outcome.network, nothing, 5, place).information[0]
        assert bits[name] == pytest.approx(expected)


def test_of_no_new_patient_nothing_is_told(naive):
    assert told(naive, new_patients().iloc[:0]) == {}


@pytest.fixture(scope="module")
def doses() -> Fitted:
    samples = cohort()
    dose = 20 + 10 * (samples["gene"] == "wild") + samples["marker"]
    return trained(samples.assign(label=dose), "value", structure="tree")


def test_a_number_has_a_posterior_mean_and_an_interval(doses):
    """Doses are about 20 of a mutated and 30 of a wild gene, or a mixture where it is missing."""
    new = new_patients().iloc[:2].assign(gene=["wild", "mutated"], dose=np.nan, marker=np.nan)
    found = answered(doses, new)
    assert found["prediction"].to_numpy() == pytest.approx([30, 20], abs=1.5)
    assert (found["low"] < found["prediction"]).all()
    tables = told(doses, new)
    patients = tables["patients"]
    assert patients["mean"].to_numpy() == pytest.approx(found["prediction"].to_numpy())
    assert (patients["low"] <= patients["mean"]).all()
    assert (patients["mean"] <= patients["high"]).all()
    assert set(tables["what_if"]["answer"]) == {"mean"}
    p = tables["posterior"].groupby("sample_id", sort=False)["probability"].sum()
    assert p.to_numpy() == pytest.approx(1)


def test_a_posterior_mean_is_that_of_the_bins(doses):
    outcome = doses.model.outcomes[0]
    p = outcome.ask(np.full((1, 5), -1)).p
    assert len(outcome.states) == doses.model.label_bins
    low, high = outcome.interval(p)
    edges = outcome.bins.edges
    assert edges[0] <= low[0] < p[0] @ outcome.means < high[0] <= edges[-1]
    certain = np.eye(len(outcome.states))[:1]
    low, high = outcome.interval(certain)
    width = edges[1] - edges[0]
    assert low[0] == pytest.approx(edges[0] + 0.05 * width)
    assert high[0] == pytest.approx(edges[0] + 0.95 * width)


def test_several_labels_have_a_network_each(tmp_path):
    samples = cohort().drop(columns="label")
    rng = np.random.default_rng(0)
    for name in ("nausea", "rash"):
        samples[f"label.{name}"] = (rng.random(len(samples)) < 0.4).astype(float)
    fitted = trained(samples, "multilabel", structure="naive")
    fitted.save(tmp_path / "model")
    assert {file.stem for file in (tmp_path / "model").glob("*.bif")} == {
        "network.nausea",
        "network.rash",
    }
    patients = told(fitted, new_patients())["patients"]
    assert patients["outcome"].tolist() == ["nausea", "rash"] * 5


def test_damaged_tables_are_refused(naive):
    arrays = naive.model.state()
    model = get_model("bayesian_network")(output="classes", n_outputs=2, seed=1)
    for damaged in (arrays["table.0.0"][:1], 2 * arrays["table.0.0"]):
        refused(lambda d=damaged: model.restore(arrays | {"table.0.0": d}), "damaged.*gene")


def test_edges_are_checked_by_name():
    refused(lambda: trained(cohort(), required=[["gen", "label"]]), "'gen' in `required`", "gene")
    refused(lambda: trained(cohort(), structure="naive", forbidden=[["gene", "label"]]), "naive")
    model = get_model("bayesian_network")
    assert "required" in parameters_of("bayesian_network")
    assert model.tells


def test_every_column_depends_on_the_label_but_where_experts_say_otherwise():
    samples = cohort()

    def edges(**parameters) -> set[tuple[str, str]]:
        return set(trained(samples, **parameters).model.outcomes[0].network.edges)

    columns = ("gene", "dose", "marker", "site", "machine")
    assert {("label", name) for name in columns} <= edges()
    told = edges(required=[["gene", "label"]], forbidden=[["label", "marker"], ["marker", "label"]])
    assert ("gene", "label") in told
    assert not told & {("label", "gene"), ("label", "marker"), ("marker", "label")}
    assert {("label", "dose"), ("label", "site")} <= told
    # The search alone leaves apart what tells nothing.
    assert not any("marker" in edge for edge in edges(structure="hill_climb"))


def test_a_state_of_other_rows_changes_nothing_that_was_learnt():
    """Bins and categories are of training rows alone: those of test rows are not known to it."""
    samples = cohort()
    others = samples.copy()
    others.loc[260:, "dose"], others.loc[260:, "gene"] = 9000.0, "other"
    ours, theirs = (trained(table, structure="tree").model for table in (samples, others))
    for name, field in ours.fields.items():
        assert field.names == theirs.fields[name].names
    for node, other in zip(
        ours.outcomes[0].network.nodes, theirs.outcomes[0].network.nodes, strict=True
    ):
        np.testing.assert_array_equal(node.table, other.table)


def test_a_task_has_explanations_where_the_model_that_predicts_tells(naive, tmp_path):
    naive.save(tmp_path / "ours")
    own = {"application": "precision_medicine", "split": {}, "features": {"embedder": "table"}}
    network, other = {"name": "bayesian_network"}, {"name": "dnn"}
    assert Task("t", datasets={"training": {}}, model=network, **own).tells
    assert not Task("t", datasets={"training": {}}, model=other, **own).tells
    trained_before = {"datasets": {"ward": {}}, "trained": str(tmp_path / "ours")}
    assert Task("t", model=other, **trained_before, **own).tells


def test_regression_on_bins_sees_no_more_than_the_bins():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)).astype(np.float32)
    X[rng.random(X.shape) < 0.1] = np.nan
    table = Table(X, ("a", "b", "c"), ((), (), ()), np.ones(3, np.float32))
    y = (np.nan_to_num(X[:, 0]) > 0).astype(np.int64)
    model = get_model("binned_regression")(output="classes", n_outputs=2, seed=1)
    model.fit(table, y, table[:0], y[:0])
    edges = model.fields["a"].edges
    moved = X.copy()
    inside = np.isfinite(X[:, 0])
    codes = model.fields["a"].codes(X[inside, 0])
    moved[inside, 0] = (edges[codes] + edges[codes + 1]) / 2
    np.testing.assert_array_equal(
        model.predict_proba(table), model.predict_proba(replace(table, values=moved))
    )


@pytest.mark.parametrize("name", ["bayesian_network", "binned_regression"])
def test_bins_are_in_the_unit_of_the_column(name):
    options = {"model": {"name": name}, "preprocess": {"select": 20}}
    recipes = make_recipes({"features": features_of(cohort())}, options, get_kind("binary"))
    assert recipes["model"].preprocess == {"scale": False, "select": 20}


def test_a_network_shows_nobody_by_a_value_of_few():
    samples = cohort().assign(site=lambda table: table["site"].where(table.index != 3, "bishop"))
    samples["stay"] = np.where(np.arange(len(samples)) == 5, 37.219, 0)
    fitted = trained(samples, structure="naive")
    [outcome] = fitted.model.outcomes
    states = {node.name: node.states for node in outcome.network.nodes}
    assert states["site"] == ("a", "b", "other")
    assert states["stay"] == ("any",)
    shown = pd.concat(told(fitted, samples.drop(columns="label").head(20)).values())
    assert not shown.astype(str).isin(["bishop", "37.219"]).any(axis=None)
