"""Outcomes of records: after the index, as long as patients were followed, by declaration."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bioloom.application import get_application
from tests.tiny_records import made, meds
from tests.toys import refused

ROLES = ("ill", "ill_days", "dead", "dead_days", "arm")


@pytest.fixture
def cohort(tmp_path) -> Path:
    """An admission (ADM) on the first of June each, and what came before and after."""
    day = "2021-06-{:02} 10:00".format
    rows = [(p, day(1), "ADM", None, None) for p in range(1, 8)]
    rows += [(p, "2021-05-20 10:00", "LAB", p, None) for p in range(1, 8)]
    rows += [
        (1, day(11), "ILL", None, None),  # ten days after
        (1, day(21), "ILL", None, None),
        (2, day(25), "VISIT", None, None),  # followed for 24 days
        (3, day(6), "MEDS_DEATH", None, None),  # died first
        (4, "2021-05-25 10:00", "ILL", None, None),  # had it before
        (4, day(30), "VISIT", None, None),
        (5, "2021-06-01", "ILL", None, None),  # that day, before or after is not known
        (5, day(30), "VISIT", None, None),
        (6, day(29), "ILL", None, None),  # 28 days after
        (7, "2021-06-01", "MEDS_DEATH", None, None),  # that day, which is after
    ]
    return meds(tmp_path / "cohort.parquet", *rows)


def of(cohort: Path, index: dict | None = None, **outcomes) -> tuple[pd.DataFrame, list[str]]:
    features = {"lab": {"codes": ["LAB"], "take": "last", "unit": "1", "window": "all"}}
    records = {"format": "meds", "time_zone": "UTC", "index": index or {"codes": ["ADM"]}}
    return made(cohort, records | {"features": features, "outcomes": outcomes}, roles=ROLES)


ILL = {"codes": ["ILL"], "prevalent": "keep", "followed": "last_event"}


def test_yes_and_no_within_a_time_need_patients_who_were_followed(cohort):
    found, notes = of(cohort, ill=ILL | {"within": "20 d"})
    answers = found["ill"].to_dict()
    assert {p: answers[p] for p in "1236"} == {"1": "1", "2": "0", "3": "0", "6": "0"}
    assert answers["4"] == "0"
    assert pd.isna(answers["5"])  # of that day
    assert answers["7"] == "0"
    longer, _ = of(cohort, ill=ILL | {"within": "26 d"})
    assert pd.isna(longer.loc["2", "ill"])  # followed for 24 days
    whole, _ = of(cohort, ill=ILL | {"within": "26 d", "followed": "complete"})
    assert whole.loc["2", "ill"] == "0"
    assert any("an outcome on the day of the index" in note for note in notes)


def test_the_time_to_an_event_or_until_follow_up_ends(cohort):
    found, _ = of(cohort, ill=ILL | {"take": "time"}, dead=DEAD)
    assert found.loc[list("12346"), "ill"].tolist() == ["1", "0", "2", "0", "1"]
    assert found.loc[list("12346"), "ill_days"].tolist() == [10, 24, 5, 29, 28]
    assert found.loc["5", ["ill", "ill_days"]].isna().all()
    assert found.loc[list("37"), "dead"].tolist() == ["1", "1"]
    assert found.loc[list("37"), "dead_days"].tolist() == [5, 0]
    cut, _ = of(cohort, ill=ILL | {"take": "time", "followed": "2021-06-08"})
    assert cut.loc[["1", "3"], "ill"].tolist() == ["0", "2"]
    assert cut.loc["1", "ill_days"] == pytest.approx(7 + 14 / 24)
    visits, _ = of(cohort, ill=ILL | {"take": "time", "followed": ["VISIT"]})
    assert visits.loc[["2", "4"], "ill_days"].tolist() == [24, 29]


DEAD = {"codes": ["DEATH"], "take": "time", "followed": "last_event"}


def test_what_is_not_declared_is_asked_for(cohort):
    undeclared = {"codes": ["ILL"], "within": "20 d"}
    refused(lambda: of(cohort, ill=undeclared), "until when were patients followed")
    refused(lambda: of(cohort, ill=DEAD | {"followed": "complete"}), "until when")
    refused(lambda: of(cohort, ill={"codes": ["ILL"], "followed": "complete"}), "needs `within`")
    before = {"codes": ["ILL"], "within": "20 d", "followed": "complete"}
    refused(lambda: of(cohort, ill=before), "already before the index", "prevalent: drop")
    found, notes = of(cohort, ill=before | {"prevalent": "drop"})
    assert "4" not in found.index
    assert any("had an outcome before the index" in note for note in notes)


def test_a_column_is_declared_once(cohort):
    refused(lambda: of(cohort, lab=ILL | {"within": "20 d"}), "a column twice", "column lab")


def test_nobody_has_an_index_after_death(cohort):
    late = {"codes": ["VISIT", "ADM"], "take": "last"}
    found, _ = of(cohort, late, dead=DEAD)
    assert found.loc["3", "dead_days"] == 5
    refused(lambda: of(cohort, {"codes": ["DEAD_MEN"]}, dead=DEAD), "No patient has an index")


def test_the_index_itself_is_no_outcome_and_a_second_one_is(tmp_path):
    rows = [(1, f"2021-06-{day:02} 10:00", "ADM", None, None) for day in (1, 15)]
    rows += [(2, "2021-06-01 10:00", "ADM", None, None)]
    path = meds(tmp_path / "x.parquet", *rows)
    again = {"codes": ["ADM"], "within": "30 d", "followed": "complete"}
    found, _ = of(path, ill=again)
    assert found["ill"].to_dict() == {"1": "1", "2": "0"}


def test_a_value_after_the_index_may_be_the_arm(cohort):
    arm = {"codes": ["VISIT", "ILL"], "take": "first", "value": "code", "within": "30 d"}
    found, _ = of(cohort, arm=arm)
    assert found["arm"].dropna().to_dict() == {
        "1": "ILL",
        "2": "VISIT",
        "4": "VISIT",
        "6": "ILL",
    } | {"5": "VISIT"}


def test_outcomes_that_no_role_names_are_no_features(cohort):
    records = {"format": "meds", "time_zone": "UTC", "index": {"codes": ["ADM"]}, "window": "all"}
    records |= {"features": {"lab": {"codes": ["LAB"], "take": "last", "unit": "1"}}}
    records |= {"outcomes": {"ill": ILL | {"take": "time"}}}
    options = {"records": records, "columns": {"id": "patient"}}
    for name in ("disease_risk", "disease_diagnosis", "precision_medicine"):
        raw = get_application(name).ingest({"clinical": cohort}, options)
        assert list(raw.samples) == ["sample_id", "group", "lab"]
    timed = {"id": "patient", "time": "ill_days", "event": "ill"}
    said = {"event": 1, "competing": [2], "records": records, "columns": timed}
    raw = get_application("disease_risk").ingest({"clinical": cohort}, said)
    assert raw.samples["label.time"].tolist()[:3] == [10, 24, 5]
    assert raw.samples["label.competing"].tolist()[:3] == [False, False, True]


def test_a_treatment_may_come_from_records(cohort, tmp_path):
    """The arm of a table of the trial, the outcome of records."""
    lines = "".join(f"{p},2021-06-01T10:00:00Z,{'AB'[p % 2]}\n" for p in range(1, 8))
    (tmp_path / "trial.csv").write_text("who,at,arm\n" + lines)
    index = {"patient": "who", "time": "at", "keep": ["arm"]}
    features = {"lab": {"codes": ["LAB"], "take": "last", "unit": "1", "window": "all"}}
    records = {"format": "meds", "time_zone": "UTC", "index": index, "features": features}
    records |= {
        "outcomes": {"dead": {"codes": ["DEATH"], "within": "30 d", "followed": "complete"}}
    }
    columns = {"id": "patient", "arm": "arm", "outcome": "dead"}
    said = {"records": records, "columns": columns, "assignment": "randomised", "good": "0"}
    files = {"clinical": cohort, "index": tmp_path / "trial.csv"}
    samples = get_application("treatment_recommendation").ingest(files, said).samples
    assert samples["label.arm"].tolist() == list("BABABAB")
    assert samples["label.outcome"].tolist() == [1, 1, 0, 1, 1, 1, 0]
    assert "lab" in samples
