"""Outcomes of patients: what is declared is taken, what is not is refused, nothing is guessed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.errors import DataError
from bioloom.kinds import Learnt, get_kind
from bioloom.metrics.survival import kaplan_meier
from tests.toys import refused

RISK = get_application("disease_risk")
TIMED = {"columns": {"id": "id", "time": "months", "event": "status"}}
MONTHS = [3, 4, 6, 7, 9, 10, 12, 13, 15, 18, 20, 24]
SEEN = [1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 0]


def written(folder: Path, **columns: list) -> Path:
    table = pd.DataFrame({"id": [f"P{i}" for i in range(12)], "months": MONTHS, **columns})
    table.to_csv(folder / "patients.csv", index=False)
    return folder / "patients.csv"


def ingest(path: Path, options: dict) -> pd.DataFrame:
    return RISK.ingest({"clinical": path}, options).samples


def codes(yes, no) -> list:
    return [yes if seen else no for seen in SEEN]


@pytest.mark.parametrize(
    ("status", "event"),
    [
        (codes(1, 0), 1),
        (codes(2, 1), 2),
        (codes(1, 2), 1),
        (codes("dead", "alive"), "dead"),
        (codes("TRUE", "FALSE"), True),
        (["Dead ", "alive", "DEAD", *codes("dead", "Alive")[3:]], "dead"),
    ],
)
def test_the_declared_value_is_the_event_however_it_is_written(tmp_path, status, event):
    samples = ingest(written(tmp_path, status=status), {**TIMED, "event": event})
    assert samples["label.event"].tolist() == [bool(seen) for seen in SEEN]
    y = get_kind("survival").encode(samples, [])
    by_hand = Fraction(11, 12) * Fraction(9, 10) * Fraction(6, 7)
    assert kaplan_meier(y, np.array([12.0]))[0] == pytest.approx(float(by_hand))


def test_an_event_that_is_not_declared_is_asked_for_with_all_values(tmp_path):
    path = written(tmp_path, status=codes(2, 1))
    message = refused(lambda: ingest(path, TIMED), "Which value is the event")
    assert "1: 7 rows, 2: 5 rows" in message
    refused(lambda: ingest(path, {**TIMED, "event": 3}), "No row has '3'", "1: 7 rows")


def test_a_third_value_is_neither_event_nor_censored_until_the_task_says_so(tmp_path):
    status = ["relapse", "alive", "dead"] * 4
    path = written(tmp_path, status=status)
    asked = {**TIMED, "event": "relapse"}
    refused(lambda: ingest(path, asked), "Which values are no event?")
    both = ingest(path, {**asked, "competing": ["dead"]})
    assert both["label.competing"].tolist() == [False, False, True] * 4
    one = ingest(path, {**asked, "censored": ["alive", "dead"]})
    assert "label.competing" not in one
    assert one["label.event"].tolist() == both["label.event"].tolist()


def test_times_that_cannot_be_are_refused_by_row_and_time_zero_is_kept(tmp_path):
    months = [3, -4, 0, 7, 9, "", 12, 13, 15, 18, 20, 24]
    path = written(tmp_path, status=codes(1, 0))
    pd.read_csv(path).assign(months=months).to_csv(path, index=False)
    message = refused(lambda: ingest(path, {**TIMED, "event": 1}), "below 0: row 3")
    assert "no time, but an event: row 7" in message
    months[1], months[5] = 4, 10
    pd.read_csv(path).assign(months=months).to_csv(path, index=False)
    raw = RISK.ingest({"clinical": path}, {**TIMED, "event": 1})
    assert len(raw.samples) == 12
    assert any("time 0" in note for note in raw.notes)


def test_late_entry_is_read_and_an_entry_after_the_end_is_refused(tmp_path):
    asked = {"columns": {**TIMED["columns"], "entry": "entered"}, "event": 1}
    path = written(tmp_path, status=codes(1, 0), entered=[0, 0, 2, 2, 5, 5, 0, 1, 3, 3, 3, 9])
    y = get_kind("survival").encode(ingest(path, asked), [])
    assert np.isneginf(y[[0, 1, 6], 0]).all()
    assert y[4, 0] == 5
    path = written(tmp_path, status=codes(1, 0), entered=[0, 0, 6, 9, "", *[0] * 7])
    message = refused(lambda: ingest(path, asked), "at or after the end: row 4, 5")
    assert "no entry: row 6" in message


def test_rows_without_outcome_are_left_out_and_half_an_outcome_is_refused(tmp_path):
    status = codes(1, 0)
    path = written(tmp_path, status=["", *status[1:]])
    refused(
        lambda: ingest(path, {**TIMED, "event": 1}), "nothing in the column of the event: row 2"
    )
    table = pd.read_csv(path)
    table.loc[0, "months"] = None
    table.to_csv(path, index=False)
    cleaned = RISK.clean(ingest(path, {**TIMED, "event": 1}), {})
    assert cleaned.counts() == {"no label": 1}


def waiting_list(n: int = 150) -> pd.DataFrame:
    """Patients of whom some are transplanted while they wait, which changes nothing."""
    rng = np.random.default_rng(1)
    days = np.minimum(rng.exponential(250, n).astype(int) + 1, 365)
    offer = rng.exponential(200, n).astype(int) + 1
    got = offer < days
    columns = {"id": [f"P{i}" for i in range(n)], "months": days, "status": days < 365}
    later = {"transplanted": got.astype(int), "transplant_day": np.where(got, offer, np.nan)}
    return pd.DataFrame({**columns, **later, "age": rng.integers(30, 70, n)})


def test_what_happened_after_the_start_is_no_feature(tmp_path):
    path = tmp_path / "list.csv"
    waiting_list().to_csv(path, index=False)
    asked = {**TIMED, "event": True}
    message = refused(lambda: ingest(path, asked), "a time after the start")
    assert "transplant_day" in message
    for way in ({"drop": ["transplant_day"]}, {"at_start": ["transplant_day"]}):
        assert len(ingest(path, {**asked, **way})) == 150


def test_at_a_landmark_is_known_what_happened_until_then_of_who_is_left(tmp_path):
    path, table = tmp_path / "list.csv", waiting_list()
    table.to_csv(path, index=False)
    asked = {**TIMED, "event": True, "later": ["transplant_day"]}
    refused(lambda: ingest(path, asked), "`later` is of `landmarks`")
    raw = RISK.ingest({"clinical": path}, {**asked, "landmarks": [90]})
    left = table[table["months"] > 90].set_index("id")
    samples = raw.samples.set_index("sample_id")
    assert samples.index.tolist() == left.index.tolist()
    assert samples["label.time"].tolist() == (left["months"] - 90).tolist()
    got = left["transplant_day"] <= 90
    assert samples["transplant_day_happened"].tolist() == got.astype(float).tolist()
    since = (90 - left["transplant_day"]).where(got)
    pd.testing.assert_series_equal(
        samples["transplant_day_since"], since, check_names=False, check_dtype=False
    )
    assert "transplant_day" not in samples
    assert set(samples["landmark"]) == {90}
    gone = 150 - len(left)
    assert (
        f"Landmark 90: {gone} rows of {gone} persons had the event by then: left out" in raw.notes
    )

    several = RISK.ingest({"clinical": path}, {**asked, "landmarks": [0, 90, 364.5]})
    rows = several.samples
    assert rows.groupby("landmark").size().tolist()[:2] == [150, len(left)]
    assert rows["sample_id"].is_unique
    assert set(rows.loc[rows["landmark"] == 90, "group"]) == set(left.index)
    cleaned = RISK.clean(rows, {"drop": ["transplanted"]}).samples
    assert {"landmark", "age", "transplant_day_since"} <= set(cleaned)
    near = {**asked, "landmarks": [90.0000001, 90.0000002]}
    assert ingest(path, near)["sample_id"].is_unique
    new = {"columns": {"id": "id"}, "later": ["transplant_day"], "landmarks": [90]}
    assert len(ingest(path, new)) == 150  # of whom nothing says how long they were followed


def test_landmarks_know_competing_events_and_late_entry(tmp_path):
    entry = [0, 1, 2, 2, 3, 5, 9, 0, 0, 10, 0, 0]
    status = [1, 0, 2, 1, 0, 2, 0, 1, 0, 1, 0, ""]
    path = written(tmp_path, status=status, entry=entry)
    table = pd.read_csv(path)
    table.loc[11, "months"] = None
    table.to_csv(path, index=False)
    options = {"columns": {**TIMED["columns"], "entry": "entry"}, "event": 1, "competing": [2]}
    raw = RISK.ingest({"clinical": path}, {**options, "censored": 0, "landmarks": [7]})
    assert raw.samples["sample_id"].tolist() == ["P4", "P5", "P7", "P8", "P10"]
    assert raw.samples["label.time"].tolist() == [2, 3, 6, 8, 13]
    assert raw.samples["label.competing"].tolist() == [False, True, False, False, False]
    assert "label.entry" not in raw.samples
    reasons = ("the event", "a competing event", "last seen", "not yet under", "no outcome")
    for reason in reasons:
        assert any(reason in note for note in raw.notes), (reason, raw.notes)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"landmarks": [90, 0]}, "rise"),
        ({"landmarks": ["90 d"]}, "times from 0 on"),
        ({"landmarks": [900]}, "Nobody is at risk"),
        ({"landmarks": [9], "horizon": 90.0}, "are of a time to an event"),
        ({"landmarks": [9], "later": ["biopsy"]}, "biopsy"),
        ({"landmarks": [9], "later": ["late"]}, "after the end of follow-up: row 2"),
        ({"landmarks": [9], "later": ["day"], "drop": ["day"]}, "`drop` names it, too.*column day"),
        ({"landmarks": [9], "later": ["day"], "types": {"day": "text"}}, "`types` say.*column day"),
        ({"landmarks": [9], "later": ["months"]}, "another role in `columns`.*column months"),
        ({"landmarks": [9], "later": ["day"]}, "names that are taken: day_since"),
    ],
)
def test_what_cannot_be_a_landmark_is_refused(tmp_path, said, message):
    path = tmp_path / "list.csv"
    table = waiting_list().drop(columns="transplant_day")
    table.assign(late=999, day=1, day_since=3).to_csv(path, index=False)
    refused(lambda: ingest(path, {**TIMED, "event": True, **said}), message)


def many(folder: Path, times: int = 10) -> Path:
    """The twelve patients so many times, each with an id of its own."""
    table = pd.concat([pd.read_csv(written(folder, status=codes(1, 0)))] * times)
    table.assign(id=[f"P{i}" for i in range(len(table))]).to_csv(
        folder / "patients.csv", index=False
    )
    return folder / "patients.csv"


def test_yes_and_no_by_a_horizon_weigh_who_was_followed(tmp_path):
    path = many(tmp_path)
    samples = RISK.clean(ingest(path, {**TIMED, "event": 1, "horizon": 12.0}), {}).samples
    yes = samples["label"] == "yes"
    timed = ingest(path, {**TIMED, "event": 1})
    free = kaplan_meier(get_kind("survival").encode(timed, []), np.array([12.0]))[0]
    # the weights of those with the event, over all who were there, are 1 - Kaplan-Meier
    assert samples.loc[yes, "sample_weight"].sum() / 120 == pytest.approx(1 - free)
    assert samples["sample_weight"].sum() == pytest.approx(120)
    # the patient who was last seen at the horizon had no event by then
    assert (~yes).sum() == 60
    refused(lambda: ingest(path, {**TIMED, "event": 1, "horizon": 99.0}), "largest horizon is 2")


def test_a_network_takes_yes_and_no_by_a_horizon_alone(tmp_path):
    path, application = many(tmp_path), get_application("precision_medicine")
    said = {**TIMED, "event": 1, "horizon": 12.0}
    pd.testing.assert_frame_equal(
        application.ingest({"clinical": path}, said).samples, ingest(path, said)
    )
    for lacking in ("event", "horizon", "columns"):
        wrong = {name: value for name, value in said.items() if name != lacking}
        wrong.setdefault("columns", {"id": "id"})
        message = "needs `event` and `horizon`"
        refused(lambda w=wrong: application.ingest({"clinical": path}, w), message)
    both = said | {"columns": TIMED["columns"] | {"label": "status"}}
    refused(lambda: application.ingest({"clinical": path}, both), "one is the outcome")
    new = application.ingest({"clinical": path}, {"columns": {"id": "id"}}).samples
    assert "label" not in new


def test_a_horizon_that_nobody_reached_is_refused_with_the_largest(tmp_path):
    kind = get_kind("survival")
    table = waiting_list()
    path = tmp_path / "list.csv"
    table.drop(columns=["transplanted", "transplant_day"]).to_csv(path, index=False)
    samples = ingest(path, {**TIMED, "event": True})
    from bioloom.kinds import encode_labels

    labels = encode_labels(samples, kind, horizons=[9999.0])
    with pytest.raises(DataError, match="the largest one is 3"):
        kind.calibrate(np.ones((150, len(labels.outputs))), labels.y, labels, Learnt(labels.y))
    with pytest.raises(DataError, match="`horizons` are of times"):
        encode_labels(samples.assign(label="a"), get_kind("binary"), horizons=[3.0])


def test_times_without_an_event_and_a_label_beside_them_are_refused(tmp_path):
    path = written(tmp_path, status=codes(1, 0))
    refused(lambda: ingest(path, {"columns": {"id": "id", "time": "months"}}), "names time alone")
    both = {"columns": {**TIMED["columns"], "label": "status"}, "event": 1}
    refused(lambda: ingest(path, both), "one is the outcome")
