"""New data are checked against what the model was trained on; each row can abstain."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.errors import DataError
from bioloom.features import Features, align
from bioloom.features.extract import extract_features
from bioloom.files import join_texts
from bioloom.fitted import Fitted
from bioloom.fitted.signature import (
    check_signature,
    make_signature,
    reasons_to_abstain,
    unknown_columns,
)
from bioloom.predictions.drift import drift
from bioloom.predictions.parts import check_ids, join_parquet
from bioloom.predictions.predict import (
    OTHER,
    SEVERAL,
    _unsure,
    predict,
    summary,
    with_dropped,
)
from bioloom.samples import write_table
from bioloom.training.train import train_task
from tests.toys import fit_once, partition, patients, table

ROOT = Path(__file__).parents[1]
FILE = Path("new.parquet")
TABLE = {"embedder": "table"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    samples, features = table(n=200)
    samples = pd.concat([samples, pd.DataFrame(features.X, columns=list(features.names))], axis=1)
    fitted, _ = fit_once(samples, features)
    fitted.settings = {
        "features": "table",
        "feature_names": [str(name) for name in features.names],
        "signature": make_signature(samples),
    }
    folder = tmp_path_factory.mktemp("trained") / "model"
    fitted.save(folder)
    return samples, features, Fitted.load(folder)


def swap_classes(content: bytes) -> bytes:
    return content.replace(b"- 'no'\n- 'yes'", b"- 'yes'\n- 'no'")


ALTERATIONS = {
    "classes": ("model.yaml", swap_classes, "model.yaml"),
    "weights": ("model.skops", lambda old: old[:-1] + bytes([old[-1] ^ 1]), "model.skops"),
    "emptied": ("preprocess.safetensors", lambda old: b"", "preprocess.safetensors"),
    "removed": ("novelty.safetensors", lambda old: None, "novelty.safetensors"),
    "added": ("other.safetensors", lambda old: b"0", "other.safetensors"),
    "digests cut": ("SHA256SUMS", lambda old: old[:-90], "preprocess.safetensors"),
    "digests emptied": ("SHA256SUMS", lambda old: b"", "SHA256SUMS"),
    "no digests": ("SHA256SUMS", lambda old: None, "SHA256SUMS"),
    "no text": ("SHA256SUMS", lambda old: b"\xff" + old, "marginals.safetensors"),
}


@pytest.mark.parametrize("altered", ALTERATIONS)
def test_an_altered_model_does_not_load(trained, tmp_path, altered):
    name, alter, named = ALTERATIONS[altered]
    trained[2].save(tmp_path)
    Fitted.load(tmp_path)
    file = tmp_path / name
    old = file.read_bytes() if file.exists() else b""
    new = alter(old)
    assert new != old
    file.unlink() if new is None else file.write_bytes(new)
    with pytest.raises(DataError, match=rf"{named}\). Hint: .*remove its folder"):
        Fitted.load(tmp_path)


def test_the_model_that_ships_is_whole():
    Fitted.load(ROOT / "data/models/variant_calling")


def test_every_row_gets_the_whole_contract(trained):
    samples, features, fitted = trained
    predictions = predict(samples, features, fitted, FILE)
    assert list(predictions["sample_id"]) == list(samples["sample_id"])
    assert {"prediction", "probability", "p.no", "p.yes", "prediction_set", "model_id"} <= set(
        predictions
    )
    assert predictions["probability"].between(0, 1).all()
    assert (predictions["model_id"] == fitted.settings["id"]).all()


def test_a_row_that_cleaning_dropped_comes_back_with_its_reason(trained):
    samples, features, fitted = trained
    said = predict(samples, features, fitted, FILE)
    dropped = pd.DataFrame({"sample_id": ["x"], "reason": ["shorter than min_length"]})
    table = with_dropped(said, dropped, fitted)
    pd.testing.assert_frame_equal(table.iloc[:-1], said, check_dtype=False)
    assert table.iloc[-1][["sample_id", "abstain"]].tolist() == ["x", "shorter than min_length"]
    assert table.iloc[-1][["prediction", "probability", "p.yes"]].isna().all()
    pd.testing.assert_frame_equal(with_dropped(said, dropped.iloc[:0], fitted), said)
    assert "1 shorter than min_length" in summary(table)


def test_the_order_of_columns_does_not_matter(trained):
    samples, features, fitted = trained
    turned = Features(features.sample_id, features.X[:, ::-1], features.names[::-1], "table")
    pd.testing.assert_frame_equal(
        predict(samples, turned, fitted, FILE), predict(samples, features, fitted, FILE)
    )


def test_features_of_another_embedder_are_refused(trained):
    samples, features, fitted = trained
    other = Features(features.sample_id, features.X, features.names, "unirep")
    with pytest.raises(DataError, match="trained on features 'table', got 'unirep'"):
        predict(samples, other, fitted, FILE)


def test_a_missing_column_is_refused(trained):
    samples, features, fitted = trained
    with pytest.raises(DataError, match="missing: c"):
        predict(samples.drop(columns="c"), features, fitted, FILE)


def test_text_where_a_number_was_is_refused(trained):
    samples, features, fitted = trained
    with pytest.raises(DataError, match="Expected a number"):
        predict(samples.assign(c="high"), features, fitted, FILE)


def test_digits_where_a_category_was_name_the_option_that_mends_it():
    known = pd.DataFrame({"sample_id": ["a"], "group": ["a"], "stage": ["IIa"]})
    with pytest.raises(DataError, match="Expected a category.*`types: {stage: category}`"):
        check_signature(known.assign(stage=3.0), make_signature(known), FILE)


def test_a_row_far_from_training_is_flagged(trained):
    samples, features, fitted = trained
    X = features.X.copy()
    X[0] = 50
    far = predict(samples, Features(features.sample_id, X, features.names, "table"), fitted, FILE)
    assert far["out_of_distribution"].iloc[0]
    assert "unlike the training data" in far["abstain"].iloc[0]
    assert far["out_of_distribution"].iloc[1:].mean() < 0.1


def test_prediction_sets_cover_about_what_they_promise(trained):
    samples, features, fitted = trained
    predictions = predict(samples, features, fitted, FILE)
    sets = predictions["prediction_set"].str.split(" | ", regex=False)
    held = [label in chosen for label, chosen in zip(samples["label"], sets, strict=True)]
    assert np.mean(held) > 0.8


def test_unknown_categories_and_long_sequences_keep_their_row_and_say_why():
    known = pd.DataFrame(
        {"sample_id": ["a"], "group": ["a"], "tissue": ["skin"], "sequence": ["MKV"]}
    )
    new = known.assign(tissue="bone", sequence="M" + "X" * 9)
    signature = make_signature(known)
    check_signature(new, signature, FILE)
    reason = reasons_to_abstain(new, signature).iloc[0]
    assert "unknown category" in reason
    assert "longer than in training" in reason
    assert "unknown residues" in reason


def test_a_prediction_outside_its_set_is_not_sure(trained):
    samples, features, fitted = trained
    strict = replace(fitted, calibration=replace(fitted.calibration, threshold=0.999))
    table = predict(samples, features, strict, FILE)
    contradicted = (table["prediction"] == "no") & (table["prediction_set"] == "yes")
    assert contradicted.any()
    assert table.loc[contradicted, "abstain"].ne("").all()


def test_a_category_absent_from_new_data_is_a_column_of_zeros():
    new = Features(np.array(["a"]), np.array([[2.0]]), np.array(["age"]), "table")
    aligned = align(new, ["age", "sex=f", "weight"], "table")
    assert aligned.X[0, :2].tolist() == [2.0, 0.0]
    assert np.isnan(aligned.X[0, 2])


@pytest.mark.parametrize("model", ["gradient_boosting", "logistic_regression"])
def test_a_saved_model_of_a_table_answers_new_data_as_in_memory(tmp_path, model):
    samples, features = patients(200)
    options = {"application": "disease_diagnosis", "model": {"name": model}}
    fitted, *_ = train_task(samples, partition(samples), {"features": features}, options, 1, [])
    fitted.save(tmp_path / "model")
    loaded = Fitted.load(tmp_path / "model")
    fitted.settings["id"] = loaded.settings["id"]
    new, extracted = patients(50, seed=7, sites="zcaf")
    turned = Features(
        extracted.sample_id,
        extracted.X.aligned(extracted.names[::-1]),
        extracted.names[::-1],
        "table",
    )
    said = predict(new, extracted, loaded, FILE)
    pd.testing.assert_frame_equal(said, predict(new, extracted, fitted, FILE))
    pd.testing.assert_frame_equal(said, predict(new, turned, loaded, FILE))
    unseen = new["site"] == "z"
    assert said.loc[unseen, "abstain"].str.contains("site: unknown category").all()
    # to a model of tables a category that it does not know is a missing one
    missing = extract_features(
        new.assign(site=new["site"].mask(unseen)), get_application("disease_diagnosis"), TABLE
    )[0]
    columns = ["p.no", "p.yes"]
    np.testing.assert_array_equal(said[columns], predict(new, missing, loaded, FILE)[columns])


def test_columns_that_training_did_not_have_are_named():
    trained = pd.DataFrame({"sample_id": ["a"], "label": ["x"], "group": ["a"], "age": [1.0]})
    new = trained.drop(columns="label").assign(hospital="north")
    assert unknown_columns(new, make_signature(trained)) == ["hospital"]


def test_reasons_say_what_is_wrong_with_the_prediction_set():
    sets = pd.Series(["a", "a | b", "b"])
    called = pd.Series(["a", "a", "a"])
    assert _unsure(sets, called).tolist() == ["", SEVERAL, OTHER]


def test_parts_without_rows_take_the_types_of_the_others(trained, tmp_path):
    samples, features, fitted = trained
    made = [
        predict(some, features, fitted, FILE) for some in (samples[:0], samples[:3], samples[:0])
    ]
    parts = []
    for number, part in enumerate(made):
        parts.append(tmp_path / f"part_{number}.parquet")
        write_table(part, parts[-1])
        write_table(part, parts[-1].with_suffix(".csv"))
    join_parquet(parts, tmp_path / "joined.parquet")
    joined = pd.read_parquet(tmp_path / "joined.parquet")
    pd.testing.assert_frame_equal(joined, pd.read_parquet(parts[1]))
    join_texts([part.with_suffix(".csv") for part in parts], tmp_path / "joined.csv", header=True)
    assert (tmp_path / "joined.csv").read_text() == parts[1].with_suffix(".csv").read_text()
    join_parquet([parts[0], parts[2]], tmp_path / "none.parquet")
    assert list(pd.read_parquet(tmp_path / "none.parquet")) == list(joined)


def test_ids_of_two_parts_are_refused(tmp_path):
    parts = [tmp_path / "part_1.parquet", tmp_path / "part_2.parquet"]
    for part, ids in zip(parts, (["a", "a", "b"], ["c", "d"]), strict=True):
        write_table(pd.DataFrame({"sample_id": ids}), part)  # rows of residues share their chain
    check_ids(parts)
    write_table(pd.DataFrame({"sample_id": ["c", "b"]}), parts[1])
    with pytest.raises(DataError, match="1 ids are those of rows in two parts"):
        check_ids(parts)


def test_a_data_set_that_drifted_is_told_with_its_columns(trained):
    samples, features, fitted = trained
    assert not drift(samples, features, fitted)["drifted"]
    X = features.X.copy()
    X[:, 2] += 1
    moved = Features(features.sample_id, X, features.names, "table")
    found = drift(samples, moved, fitted)
    assert found["drifted"]
    assert [part["column"] for part in found["largest"]] == ["c"]
    assert "DRIFT from training: 1 of 5 columns" in found["told"]
    few = samples.head(5)
    assert "too few" in drift(few, moved, fitted)["told"]


def test_rows_that_lack_most_values_say_so(trained):
    samples, features, fitted = trained
    X = features.X.copy()
    X[0, 1:] = np.nan
    gaps = Features(features.sample_id, X, features.names, "table")
    said = predict(samples, gaps, fitted, FILE)
    assert "far more values missing than in training" in said["abstain"].iloc[0]
    assert said["out_of_distribution"].iloc[0]
    assert not said["abstain"].iloc[1:].str.contains("missing").any()


def test_where_distance_does_not_tell_wrong_answers_it_is_no_reason(trained):
    samples, features, fitted = trained
    X = features.X.copy()
    X[0] = 50
    far = Features(features.sample_id, X, features.names, "table")
    blind = replace(fitted, novelty=replace(fitted.novelty, separates=np.array([0.4])))
    said = predict(samples, far, blind, FILE)
    assert said["out_of_distribution"].iloc[0]
    assert "unlike the training data" not in said["abstain"].iloc[0]


def test_too_few_validation_rows_are_no_reason_of_each_row(trained):
    samples, features, fitted = trained
    endless = replace(fitted.calibration, quantile=[[np.inf, np.inf]])
    said = predict(samples, features, replace(fitted, calibration=endless), FILE)
    assert said["prediction_set"].str.contains(" | ", regex=False).all()
    assert not said["abstain"].str.contains("set holds").any()


def test_blocks_of_samples_are_predicted_as_all_together(trained, monkeypatch):
    samples, features, fitted = trained
    together = predict(samples, features, fitted, FILE)
    monkeypatch.setattr("bioloom.predictions.predict.BLOCK", 33)
    pd.testing.assert_frame_equal(predict(samples, features, fitted, FILE), together)
