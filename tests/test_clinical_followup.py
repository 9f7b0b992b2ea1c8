"""Outcomes of records: after the index, as long as patients were followed, by declaration."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.clinical.declared import RECORDS, outcomes_of
from bioloom.clinical.followup import make_outcome
from bioloom.clinical.windows import Rules
from bioloom.formats.events import event_table
from bioloom.formats.times import instants
from bioloom.options import complete_options
from tests.tiny_records import csv, made, meds
from tests.toys import refused, write

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


def test_nobody_has_an_index_after_death(tmp_path):
    rows = ["A,ADM,2021-05-01", "A,DEATH,2020-01-01", "A,DEATH,2020-01-02", "B,ADM,2021-05-01"]
    for outcome in ({"ill": MI | {"codes": ["MI"]}}, {}):
        refused(
            lambda outcome=outcome: table(tmp_path, *rows, **outcome),
            "fewer than 5 patients have an index after their death",
        )
    assert len(table(tmp_path, "A,ADM,2021-05-01", "A,DEATH,2021-05-01")[0]) == 1


MI = {"codes": ["MI"], "within": "14 d", "followed": "complete"}


def table(folder: Path, *rows: str, index: Path | None = None, **outcomes: dict):
    """Answers of a table of events `patient, code, time`, whose index is ADM."""
    path = csv(folder / "events.csv", "who,what,at", *rows)
    columns = {"patient": "who", "code": "what", "time": "at"}
    records = {"format": "table", "columns": columns, "time_zone": "UTC", "outcomes": outcomes}
    at = {"patient": "who", "time": "at"} if index else {"codes": ["ADM"]}
    roles = ("mi", "mi_days", "dead")
    return made(path, records | {"index": at}, index, roles)


def test_what_is_charted_on_the_day_of_an_index_without_hour_has_no_answer(tmp_path):
    """It may have been there before: neither an incident outcome nor a prevalent one."""
    rows = [
        *("A,ADM,2020-05-01", "A,MI,2020-05-01"),
        *("B,ADM,2020-05-01", "B,MI,2020-05-01T18:00:00"),
        *("C,ADM,2020-05-01", "C,MI,2020-05-02"),
        *("D,ADM,2020-05-01T09:00:00", "D,MI,2020-05-01T09:00:00"),
        *("E,ADM,2020-05-01", "E,DEATH,2020-05-01"),
        *("F,ADM,2020-05-01", "F,MI,2020-05-01", "F,MI,2020-05-04"),
    ]
    dead = {"codes": ["DEATH"], "within": "14 d", "followed": "complete"}
    found, notes = table(tmp_path, *rows, mi=MI, dead=dead)
    assert found["mi"].fillna("?").tolist() == ["?", "?", "1", "1", "0", "?"]
    assert found["dead"].tolist() == ["0", "0", "0", "0", "1", "0"]
    assert any("an outcome on the day of the index" in note for note in notes)
    kept, _ = table(tmp_path, *rows, mi=MI | {"prevalent": "keep"})
    assert kept["mi"].fillna("?").tolist() == ["?", "?", "1", "1", "0", "1"]
    timed, _ = table(tmp_path, *rows, mi=MI | {"take": "time", "followed": "2021-01-01"})
    assert timed["mi"].fillna("?").tolist() == ["?", "?", "1", "1", "2", "?"]


def test_an_outcome_of_no_exact_day_counts_where_all_of_it_is_inside(tmp_path):
    rows = [
        *("A,ADM,2021-03-20", "A,MI,2021-04"),  # from 12 days on, to 41
        *("B,ADM,2021-03-20", "B,MI,2021-06"),
        *("C,ADM,2021-03-20", "C,MI,2021-04-03"),  # the day on which 14 days end
    ]
    found, notes = table(tmp_path, *rows, mi=MI)
    assert found["mi"].fillna("?").tolist() == ["?", "0", "?"]
    assert any("does not say whether it was within the time: fewer" in note for note in notes)
    longer, _ = table(tmp_path, *rows, mi=MI | {"within": "42 d"})
    assert longer["mi"].tolist() == ["1", "0", "1"]
    timed, _ = table(
        tmp_path, *rows, mi=MI | {"take": "time", "within": "99 d", "followed": "2022"}
    )
    assert timed["mi"].fillna("?").tolist() == ["?", "?", "1"]
    assert timed.loc["C", "mi_days"] == 14


def test_an_answer_is_one_that_all_instants_give():
    """Beside a loop over the hours at which the event, and the index, may have been."""
    rng, minute, limit, n, at = np.random.default_rng(0), 60 * 10**6, 20, 300, 10**4
    begin = at + rng.integers(-30, 40, n)
    length = rng.integers(0, 2, n) * rng.integers(1, 30, n)
    hours = rng.integers(0, 2, n) * 24  # an index that is an instant, or a day
    spans = zip(begin * 60 * minute, (begin + length) * 60 * minute, strict=True)
    rows = [
        {"patient": str(i), "code": "MI", "record": i, "line": i, "file": "f"}
        | {"time": first, "latest": last}
        for i, (first, last) in enumerate(spans)
    ]
    # Half an hour off, so that no event is at an edge of the day.
    edges = {"time": at * 60 - 30 * (hours > 0), "latest": (at + hours) * 60 - 30 * (hours > 0)}
    index = pd.DataFrame(
        {name: instants(list(map(int, edge * minute))) for name, edge in edges.items()}
    )
    index = index.assign(since=pd.Timedelta(0))
    index.index = pd.Index(map(str, range(n)), dtype="str")
    outcome = MI | {"within": f"{limit} h", "prevalent": "keep"}
    said = complete_options({"outcomes": {"mi": outcome}, "time_zone": "UTC"}, RECORDS, "records")
    column, table = outcomes_of(said)[0], event_table(rows)
    answers = make_outcome(table, index, column, said, Rules())[0]["mi"].fillna("?")
    counted = Counter(answers)
    assert min(counted[answer] for answer in "01?") > 20
    for i, answer in enumerate(answers):
        days = np.arange(0, hours[i] + 1) - (0.5 if hours[i] else 0)
        waits = np.subtract.outer(np.arange(begin[i], begin[i] + length[i] + 1) - at, days)
        hit = (waits >= 0) & (waits <= limit)
        assert answer == ("1" if hit.all() else "?" if hit.any() else "0")


def test_an_index_of_a_table_has_an_exact_day(tmp_path):
    index = csv(tmp_path / "index.csv", "who,at", "A,2023-02-01", "B,2023")
    rows = ["A,MI,2023-02-09", "B,MI,2023-02-09"]
    refused(
        lambda: table(tmp_path, *rows, index=index, mi=MI), "no exact day", "row 3", "column at"
    )


def test_deaths_count_as_long_as_survivors_are_followed(tmp_path):
    """After the last day of the data nobody is; after the last visit a death is still known."""
    rows = [f"{who},ADM,2021-01-01T10:00:00" for who in "ABCD"]
    rows += ["A,DEATH,2021-03-01T10:00:00", "B,MI,2021-03-01T10:00:00", "C,VISIT,2021-04-15"]
    both = {"codes": ["MI", "DEATH"], "within": "90 d"}
    to_a_day, _ = table(tmp_path, *rows, mi=both | {"followed": "2021-02-01"})
    assert to_a_day["mi"].isna().all()
    by_visits, _ = table(tmp_path, *rows, mi=both | {"followed": ["VISIT", "ADM"]})
    assert by_visits["mi"].fillna("?").tolist() == ["1", "?", "0", "?"]


def test_a_count_is_known_of_patients_who_were_followed(tmp_path):
    rows = [f"{who},ADM,2021-01-01T10:00:00" for who in "ABCD"]
    rows += ["A,MI,2021-02-01T10:00:00", "A,VISIT,2022-02-01", "B,MI,2021-02-01T10:00:00"]
    rows += ["C,MI,2021-02-01T10:00:00", "C,DEATH,2021-03-01T10:00:00"]
    count = {"codes": ["MI"], "take": "count", "within": "365 d", "followed": "last_event"}
    found, _ = table(tmp_path, *rows, mi=count)
    assert found["mi"].fillna(-1).tolist() == [1, -1, 1, -1]
    refused(lambda: table(tmp_path, *rows, mi=count | {"followed": None}), "until when")
    latest = count | {"take": "max", "unit": "1"}
    refused(lambda: table(tmp_path, *rows, mi=latest), "says nothing of `take: max`")


def test_records_that_are_open_follow_nobody_for_ever(tmp_path):
    rows = ["A,ADM,2021-01-01T10:00:00", "A,STAY,9999-12-31", "B,ADM,2021-01-01T10:00:00"]
    found, _ = table(tmp_path, *rows, "B,STAY,2021-02-01", mi=MI | {"followed": "last_event"})
    assert found["mi"].fillna("?").tolist() == ["?", "0"]


STAYS = """\
who,what,at,value
a,admitted,2020-01-01T08:00Z,
a,crp,2020-01-02T08:00Z,5
a,admitted,2020-01-20T08:00Z,
a,admitted,2020-06-01T08:00Z,
b,crp,2020-01-31T08:00Z,9
b,admitted,2020-02-01T08:00Z,
b,admitted,2020-02-01T08:00Z,
c,crp,2020-02-01T08:00Z,7
"""
EACH_STAY = {
    "format": "table",
    "columns": {"patient": "who", "code": "what", "time": "at", "value": "value"},
    "index": {"codes": ["admitted"], "take": "all"},
    "window": "365 d",
    "features": {
        "crp": {"codes": ["crp"], "take": "last", "unit": "1"},
        "before": {"codes": ["admitted"], "take": "count"},
    },
    "outcomes": {"again": {"codes": ["admitted"], "within": "30 d", "followed": "complete"}},
}


def test_each_index_event_is_a_row_with_what_was_known_before_it(tmp_path):
    path = write(tmp_path / "stays.csv", STAYS)
    outcome = EACH_STAY["outcomes"]["again"] | {"prevalent": "keep"}
    said = EACH_STAY | {"outcomes": {"again": outcome}}
    table, notes = made(path, said, roles=("again",))
    assert table.index.tolist() == ["a", "a", "a", "b"]
    assert table["before"].tolist() == [0, 1, 2, 0]
    assert table["crp"].isna().tolist() == [True, False, False, False]
    assert table["crp"].tolist()[1:] == [5, 5, 9]
    assert table["again"].tolist() == ["1", "0", "0", "0"]
    assert "fewer than 5 index events of fewer than 5 patients are rows" in notes
    # Each row alone is what the first or last index gives.
    for take, rows in {"first": [0, 3], "last": [2, 3]}.items():
        one = said | {"index": {"codes": ["admitted"], "take": take}}
        alone, _ = made(path, one, roles=("again",))
        pd.testing.assert_frame_equal(alone, table.iloc[rows])


def test_notes_on_several_index_events_count_rows_patients_and_records_apart(tmp_path):
    late = "".join(f"a,crp,2020-06-{day:02}T09:00Z,x\n" for day in range(2, 8))
    stays = "".join(f"b,admitted,2020-03-{day:02}T08:00Z,\n" for day in range(1, 7))
    before = "".join(f"b,crp,2020-02-{day:02}T09:00Z,x\n" for day in range(2, 8))
    path = write(tmp_path / "stays.csv", STAYS + late + stays + before)
    again = EACH_STAY["outcomes"]["again"] | {"prevalent": "drop"}
    table, notes = made(path, EACH_STAY | {"outcomes": {"again": again}}, roles=("again",))
    assert table.index.tolist() == ["a", "b"]
    gone = "8 rows of fewer than 5 patients had an outcome before the index: left out"
    assert gone in notes
    [told] = [note for note in notes if note.startswith("Left out of crp: text and no number")]
    assert "6 records of fewer than 5 persons" in told


def test_rows_of_a_patient_with_several_index_events_are_of_one_group(tmp_path):
    path = write(tmp_path / "stays.csv", STAYS)
    index = write(
        tmp_path / "index.csv", "who,at,stay\na,2020-01-20,s1\na,2020-06-01,s2\nb,2020-02-02,s3\n"
    )
    said = {"patient": "who", "time": "at", "keep": ["stay"], "take": "all"}
    records = EACH_STAY | {"index": said, "outcomes": {}, "time_zone": "UTC"}
    options = {"columns": {"id": "stay", "patient": "patient"}, "records": records}
    files = {"clinical": path, "index": index}
    samples = get_application("disease_diagnosis").ingest(files, options).samples
    assert samples["sample_id"].tolist() == ["s1", "s2", "s3"]
    assert samples["group"].tolist() == ["a", "a", "b"]
    first = options | {"records": records | {"index": said | {"take": "first"}}}
    read = get_application("disease_diagnosis").ingest
    refused(lambda: read(files, first), "more than once.*`take: all` makes a row of each")
    write(index, "who,at,stay\na,2020-01-20,s1\na,2020-01-20,s2\n")
    refused(lambda: read(files, options), "An index that is there twice.*row 3")


WAITING = """who,what,at,value
a,listed,2020-01-01T08:00Z,
a,crp,2020-03-01T08:00Z,5
a,graft,2020-03-10T08:00Z,
a,DEATH,2020-07-01T08:00Z,
b,listed,2020-01-01T08:00Z,
b,crp,2020-01-20T08:00Z,7
b,DEATH,2020-02-01T08:00Z,
c,listed,2020-01-01T08:00Z,
c,graft,2020-05-01T08:00Z,
c,relapse,2020-02-10T08:00Z,
c,seen,2020-12-31T08:00Z,
d,listed,2020-12-01T08:00Z,
d,seen,2020-12-31T08:00Z,
e,listed,2020-06-01T08:00Z,
e,seen,2020-07-01T08:00Z,
"""


@pytest.mark.slow
def test_at_a_landmark_is_a_row_of_whoever_is_there_then(tmp_path):
    """What happened until then is known, and the outcome is counted from there."""
    path = write(tmp_path / "list.csv", WAITING)
    index = {"codes": ["listed"], "landmarks": ["0 d", "90 d"]}
    features = {
        "graft": {"codes": ["graft"], "take": "any", "window": "all"},
        "crp": {"codes": ["crp"], "take": "last", "unit": "1", "window": "60 d"},
    }
    dead = {"codes": ["DEATH"], "take": "time", "followed": "last_event"}
    said = EACH_STAY | {"index": index, "features": features, "outcomes": {"dead": dead}}
    table, notes = made(path, said, roles=("dead", "dead_days"))
    rows = table.reset_index().set_index(["patient", "landmark"])
    assert rows.index.tolist() == [
        *(("a", 0), ("a", 90), ("b", 0), ("c", 0), ("c", 90), ("d", 0), ("e", 0), ("e", 90))
    ]
    assert rows["graft"].to_dict()["a", 90] == 1
    assert rows["graft"].sum() == 1  # of c it comes after the landmark, and no row knows of it
    assert rows["crp"].dropna().to_dict() == {("a", 90): 5}
    days = rows["dead_days"]
    assert days["a", 0] - days["a", 90] == days["c", 0] - days["c", 90] == 90
    assert pd.isna(days["e", 90])  # who was not followed to it
    assert pd.isna(rows["dead"]["e", 90])
    few = "fewer than 5 patients"
    assert f"Landmark 90 d: {few} had died by then: left out" in notes
    assert f"Landmark 90 d: {few} have it after all records: left out" in notes

    # Who had the outcome by then is no longer at risk of it, where the task says so.
    relapse = {"codes": ["relapse"], "take": "time", "followed": "last_event"}
    said["outcomes"] = {"ill": relapse}
    refused(lambda: made(path, said, roles=("ill",)), "have it already before the index")
    said["outcomes"] = {"ill": relapse | {"prevalent": "drop"}}
    table, notes = made(path, said, roles=("ill",))
    assert ("c", 90) not in set(zip(table.index, table["landmark"], strict=True))
    assert ("c", 0) in set(zip(table.index, table["landmark"], strict=True))
    assert f"fewer than 5 rows of {few} had an outcome before the index: left out" in notes

    # The event that is the index is no outcome of a later landmark either.
    again = {"codes": ["listed"], "within": "30 d", "followed": "complete"}
    said["outcomes"] = {"again": again}
    table, _ = made(path, said, roles=("again",))
    assert set(table["again"]) == {"0"}
    one = said | {"index": index | {"landmarks": ["90 d"]}}
    table, _ = made(path, one, roles=("again",))
    assert table.index.tolist() == ["a", "c", "e"]
    assert set(table["landmark"]) == {90}
    wrong = said | {"index": index | {"landmarks": ["90 d", "0 d"]}}
    refused(lambda: made(path, wrong), "landmarks` rise")


def test_landmarks_of_new_patients_lie_after_all_records(tmp_path):
    """Of an outcome nothing is asked, so that nobody has to be followed to the landmark."""
    rows = "a,listed,2020-01-01T08:00Z,\na,crp,2020-03-30T08:00Z,5\n"
    path = write(tmp_path / "new.csv", "who,what,at,value\n" + rows)
    crp = {"codes": ["crp"], "take": "last", "unit": "1", "window": "all"}
    dead = {"codes": ["DEATH"], "take": "time", "followed": "last_event"}
    said = EACH_STAY | {"features": {"crp": crp}, "outcomes": {"dead": dead}}
    said["index"] = {"codes": ["listed"], "landmarks": ["90 d"]}
    table, notes = made(path, said, roles=())
    assert table["crp"].to_dict() == {"a": 5}
    assert not any("Landmark" in note for note in notes)
    wanted = "No patient has a row at .*90 d.*after all records"
    refused(lambda: made(path, said, roles=("dead", "dead_days")), wanted)
    said["index"]["landmarks"] = ["0 d", "90 d"]
    table, _ = made(path, said, roles=("dead", "dead_days"))
    assert table["landmark"].to_dict() == {"a": 0}


def test_a_death_of_no_exact_day_may_be_before_a_landmark(tmp_path):
    rows = [f"{who},listed,2020-01-15T08:00Z," for who in "abc"]
    rows += ["a,DEATH,2020-04,", "b,DEATH,2020-03,", "c,seen,2020-12-31T08:00Z,"]
    path = write(tmp_path / "list.csv", "\n".join(["who,what,at,value", *rows, ""]))
    index = {"codes": ["listed"], "landmarks": ["90 d"], "take": "all"}
    table, notes = made(path, EACH_STAY | {"index": index, "time_zone": "UTC"}, roles=())
    assert table.index.tolist() == ["c"]
    told = [note for note in notes if note.startswith("Landmark 90 d: fewer than 5 patients")]
    assert [note for note in told if "had died by then" in note]
    assert [note for note in told if "the day does not say whether it was by then" in note]
    few = "fewer than 5"
    assert f"{few} landmarks of index events of {few} patients are rows" in notes


def test_the_name_landmark_is_taken_by_landmarks_alone(tmp_path):
    path = write(tmp_path / "list.csv", WAITING)
    crp = {"codes": ["crp"], "take": "last", "unit": "1", "window": "all"}
    said = EACH_STAY | {"features": {"landmark": crp}, "index": {"codes": ["listed"]}}
    assert "landmark" in made(path, said, roles=())[0]
    said["index"] = {"codes": ["listed"], "landmarks": ["0 d"]}
    refused(lambda: made(path, said, roles=()), "makes a column twice.*landmark")
    both = {"records": EACH_STAY | {"index": said["index"]}, "landmarks": [90]}
    both["columns"] = {"id": "row", "patient": "patient"}
    application = get_application("disease_risk")
    refused(lambda: application.ingest({"clinical": path}, both), "`landmarks` are.*not both")


def test_rows_of_landmarks_are_of_their_patient(tmp_path):
    path = write(tmp_path / "list.csv", WAITING)
    index = {"codes": ["listed"], "landmarks": ["0 d", "30 d"], "take": "all"}
    dead = {"codes": ["DEATH"], "take": "time", "followed": "last_event"}
    records = EACH_STAY | {"index": index, "outcomes": {"dead": dead}}
    roles = {"id": "row", "patient": "patient", "time": "dead_days", "event": "dead"}
    options = {"columns": roles, "event": 1, "records": records}
    samples = get_application("disease_risk").ingest({"clinical": path}, options).samples
    assert samples["group"].tolist() == ["a", "a", "b", "b", "c", "c", "d", "d", "e", "e"]
    assert samples["sample_id"].is_unique
    assert samples["landmark"].tolist() == [0, 30] * 5


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
