"""Patients with arms, outcomes and rules, as files say them; and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioloom.application import get_application
from bioloom.clinical.rules import CONDITION
from bioloom.kinds import arms
from bioloom.kinds._assignment import outcomes
from bioloom.samples import EVENT, TIME, Cleaned, Raw, feature_columns, label_columns
from bioloom.samples.arms import ARM, OUTCOME, PROPENSITY, SIGN
from tests.toys import refused, write

APPLICATION = get_application("treatment_recommendation")
TABLE = "id,arm,age,alive\na,A,60,yes\nb,B,50,no\nc,A,40,no\nd,B,70,yes\n"
MANY = "id,arm,alive\n" + "".join(
    f"p{i},{'AB'[i % 2]},{'yes' if i % 3 else 'no'}\n" for i in range(12)
)
STRANGE = "id,arm,alive\n" + "".join(
    f"p{i},v{i % 30},{'yes' if i % 7 else 'no'}\n" for i in range(240)
)
COLUMNS = {"id": "id", "arm": "arm", "outcome": "alive"}
SAID = {"columns": COLUMNS, "assignment": "randomised", "good": "yes"}
TIMED = {"id": "id", "arm": "arm", "time": "days", "event": "died"}
DAYS = {"columns": TIMED, "assignment": "randomised", "good": "high", "event": "1", "horizon": 10}


def ingest(folder: Path, table: str = TABLE, files: dict[str, str] | None = None, **said) -> Raw:
    content = {"clinical": table, **(files or {})}
    paths = {name: write(folder / f"{name}.csv", text) for name, text in content.items()}
    return APPLICATION.ingest(paths, {**SAID, **said})


def clean(raw: Raw, **options: Any) -> Cleaned:
    return APPLICATION.clean(raw.samples, {"min_arm_size": 2, **options})


def test_of_two_classes_the_good_one_is_1(tmp_path):
    raw = ingest(tmp_path)
    assert raw.samples[OUTCOME].tolist() == [1, 0, 0, 1]
    assert raw.samples[PROPENSITY].tolist() == [0.5] * 4
    assert "Outcome: alive, of which yes is good" in raw.notes
    assert ingest(tmp_path, good="no").samples[OUTCOME].tolist() == [0, 1, 1, 0]


def test_of_a_number_it_is_said_which_is_good(tmp_path):
    columns = COLUMNS | {"outcome": "age"}
    raw = ingest(tmp_path, columns=columns, good="low")
    assert raw.samples[OUTCOME].tolist() == [60, 50, 40, 70]
    assert (raw.samples[SIGN] == -1).all()
    assert "Outcome: age, a number of which a low one is good" in raw.notes


def test_ratios_of_a_trial_are_probabilities(tmp_path):
    table = "id,arm,alive\n" + "".join(
        f"p{i},{'A' if i % 3 else 'B'},{'yes' if i % 2 else 'no'}\n" for i in range(30)
    )
    raw = ingest(tmp_path, table, assignment={"A": 2, "B": 1})
    known = raw.samples.groupby(ARM)[PROPENSITY].first()
    assert known.tolist() == pytest.approx([2 / 3, 1 / 3])


def test_of_several_events_the_first_counts_and_follow_up_ends_with_the_shortest(tmp_path):
    table = (
        "id,arm,recurred,recurred_days,died,died_days\n"
        "a,A,1,3,1,8\n"  # the first event
        "b,B,0,8,1,8\n"  # died without
        "c,A,0,6,0,12\n"  # not followed for the first beyond 6
        "d,B,0,12,0,12\n"
        "e,B,0,12,1,12\n"  # after the horizon
    )
    columns = TIMED | {"time": ["recurred_days", "died_days"], "event": ["recurred", "died"]}
    raw = ingest(tmp_path, table, **(DAYS | {"columns": columns}))
    assert raw.samples[TIME].tolist() == [3, 8, 6, 12, 12]
    assert raw.samples[EVENT].tolist() == [1, 1, 0, 0, 1]
    assert outcomes(raw.samples).tolist() == pytest.approx([0, 0, float("nan"), 1, 1], nan_ok=True)


def days(*rows: str) -> str:
    return "id,arm,days,died\n" + "\n".join(rows) + "\n"


FOUR = ("a,A,12,0", "b,B,3,1", "c,A,5,1", "d,B,20,0")


@pytest.mark.parametrize(
    ("said", "table", "expected"),
    [
        ({"assignment": None}, TABLE, ["How were arms assigned", "observed"]),
        ({"assignment": "random"}, TABLE, ["How were arms assigned"]),
        ({"assignment": {"A": 1}}, MANY, ["a number above 0 for each of A, B", "column arm"]),
        ({"assignment": {"A": 1}}, TABLE, ["for each of 2 of fewer than 5 patients"]),
        ({"assignment": {"A": 1}}, STRANGE, ["for each of 30 different values"]),
        ({"assignment": {"A": 1, "B": -1}}, TABLE, ["a number above 0"]),
        ({"good": None}, TABLE, ["Is a large outcome good", "good: high"]),
        ({"good": "maybe"}, TABLE, ["`good: maybe` is no class", "column alive"]),
        ({"good": "high"}, TABLE, ["no class of the outcome"]),
        ({"columns": COLUMNS | {"time": "age"}}, TABLE, ["What is the outcome"]),
        ({"columns": {"id": "id", "outcome": "alive"}}, TABLE, ["Which column holds the arm"]),
        ({"horizon": 5.0}, TABLE, ["`horizon` is for an outcome of"]),
        ({"columns": COLUMNS | {"drugs": "age"}}, TABLE, ["read for `interactions`"]),
        (DAYS | {"horizon": None}, days(*FOUR), ["needs `horizon`"]),
        (DAYS | {"event": None}, days(*FOUR), ["needs `horizon`, `event`"]),
        (DAYS | {"event": "yes"}, days(*FOUR), ["No row has 'yes'", "column died"]),
        (DAYS, days(*FOUR, "e,A,2,2"), ["Which values are no event", "column died"]),
        (DAYS, days(*FOUR, "e,A,-2,1"), ["below 0: row 6", "column days"]),
    ],
)
def test_what_is_not_declared_or_cannot_be_is_refused(said, table, expected, tmp_path):
    refused(lambda: ingest(tmp_path, table, **said), *expected)


def test_counts_that_contradict_a_randomisation_are_refused(tmp_path):
    rows = [f"p{i},{'A' if i < 70 else 'B'},{'yes' if i % 2 else 'no'}\n" for i in range(100)]
    table = "id,arm,alive\n" + "".join(rows)
    refused(lambda: ingest(tmp_path, table), "contradict", "say the ratio")
    ingest(tmp_path, table, assignment="observed")


def test_a_small_arm_and_a_far_horizon_are_refused(tmp_path):
    raw = ingest(tmp_path, TABLE + "e,Rare,30,yes\n")
    told = refused(lambda: clean(raw), "Fewer than 2 patients each", "1 of fewer", "min_arm_size")
    assert "Rare" not in told
    raw = ingest(tmp_path, MANY)
    refused(lambda: clean(raw, min_arm_size=7), "some of 2 arms: A, B")
    raw = ingest(tmp_path, STRANGE)
    assert "v1" not in refused(
        lambda: clean(raw, min_arm_size=20), "some of 30 arms: 30 different values"
    )
    timed = ingest(tmp_path, days(*FOUR), **(DAYS | {"horizon": 13}))
    refused(lambda: clean(timed), "horizon: 13.* past the follow-up", "largest one is 12")


def test_rows_without_arm_or_outcome_are_counted(tmp_path):
    cleaned = clean(ingest(tmp_path, TABLE + "e,,30,yes\nf,A,30,\n"))
    assert cleaned.counts() == {"no arm": 1, "no outcome": 1}
    assert cleaned.samples["sample_id"].tolist() == list("abcd")


# Rules --------------------------------------------------------------------------------------------

WARD = (
    "id,arm,age,kidney,sex,takes,alive\n"
    "a,A,60,1.0,f,none,yes\nb,B,50,2.5,m,Coumadin,no\nc,A,40,,f,aspirin; warfarin,no\n"
    "d,B,70,2.0,m,,yes\n"
)
DRUGS = (
    "name,substance\nCoumadin,warfarin\naspirin,acetylsalicylic acid\nlevamisole,levamisole\n"
    "Tazocin,tazobactam\n"
)
PAIRS = "substance,with\nWarfarin,fluorouracil\n"
TAKING = {
    "columns": COLUMNS | {"drugs": "takes"},
    "substances": {"A": ["fluorouracil"], "B": ["levamisole"]},
}


def rules(*rows: str) -> dict[str, str]:
    return {"contraindications": "option,condition\n" + "\n".join(rows) + "\n"}


def reasons(raw: Raw, arm: str) -> list[str | None]:
    column = raw.samples[f"option.{arm}"]
    return [None if pd.isna(value) else value for value in column]


def test_a_condition_excludes_and_what_is_not_known_does_too(tmp_path):
    files = rules("B,kidney > 2", "A,sex = m", "B,age<=50")
    raw = ingest(tmp_path, WARD, files)
    unknown = "rule 1 (kidney not known); rule 3"
    assert reasons(raw, "B") == [None, "rule 1; rule 3", unknown, None]
    assert reasons(raw, "A") == [None, "rule 2", None, "rule 2"]
    kept = clean(raw).samples
    assert kept["option.A"].notna().sum() == 2
    assert not [name for name in label_columns(kept) if "option" in name]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("C,kidney > 2", ["Unknown option 'C'", "rule 1"]),
        ("B,kidney high", ["no condition", "row 2"]),
        ("B,kidneys > 2", ["do not have: kidneys"]),
        ("B,kidney > much", ["kidney is a number", "row 2"]),
        ("B,sex > 2", ["sex is text"]),
        ("B,sex = female", ["No patient has the value of the rule for sex"]),
    ],
)
def test_a_rule_that_would_never_apply_is_refused(rule, expected, tmp_path):
    refused(lambda: ingest(tmp_path, WARD, rules(rule)), *expected)


def test_drugs_match_by_substance_under_any_of_their_names(tmp_path):
    files = {"interactions": PAIRS, "drugs": DRUGS}
    raw = ingest(tmp_path, WARD, files, **TAKING)
    assert reasons(raw, "A") == [
        None,
        "interaction 1",
        "interaction 1",
        "interactions (drugs not known)",
    ]
    assert reasons(raw, "B") == [None] * 4
    assert "takes" not in raw.samples


@pytest.mark.parametrize("name", ["tazocine", "pentazocine", "warfarin sodium", "Coumadi"])
def test_a_drug_of_a_similar_name_is_refused_without_showing_it(name, tmp_path):
    files = {"interactions": PAIRS, "drugs": DRUGS}
    table = WARD.replace("aspirin; warfarin", f"aspirin; {name}")
    told = refused(
        lambda: ingest(tmp_path, table, files, **TAKING), "1 drugs", "row 4", "column takes"
    )
    assert name not in told


def test_interactions_need_substances_and_drugs(tmp_path):
    files = {"interactions": PAIRS, "drugs": DRUGS}
    refused(lambda: ingest(tmp_path, WARD, files), "needs to know which drugs")
    wrong = TAKING | {"substances": {"A": "fluorouracil"}}
    refused(lambda: ingest(tmp_path, WARD, files, **wrong), "takes a list")
    other = TAKING | {"substances": {"Z": []}}
    refused(lambda: ingest(tmp_path, WARD, files, **other), "Unknown option 'Z'")
    unlisted = TAKING | {"substances": {"A": ["fluorouracil"]}}
    refused(
        lambda: ingest(tmp_path, WARD, files, **unlisted), "`substances` lacks options", r"\[\]"
    )
    misspelt = TAKING | {"substances": {"A": ["flourouracil"], "B": []}}
    told = "Unknown substance 'flourouracil' of A.*did you mean 'fluorouracil'"
    refused(lambda: ingest(tmp_path, WARD, files, **misspelt), told)
    gap = files | {"interactions": "substance,with\nwarfarin,\n"}
    refused(lambda: ingest(tmp_path, WARD, gap, **TAKING), "of two substances", "row 2")


def test_an_arm_may_be_named_by_any_name_of_its_drugs(tmp_path):
    files = {"interactions": "substance,with\nwarfarin,acetylsalicylic acid\n", "drugs": DRUGS}
    raw = ingest(
        tmp_path, WARD, files, **TAKING | {"substances": {"A": ["Coumadin"], "B": ["levamisole"]}}
    )
    assert reasons(raw, "A")[2] == "interaction 1"


def test_of_new_patients_an_option_that_a_rule_names_must_be_listed(tmp_path):
    files = rules("B,kidney > 2") | {"interactions": PAIRS, "drugs": DRUGS}
    said = {"columns": {"id": "id", "drugs": "takes"}, "assignment": None, "good": None}
    said["substances"] = {"A": ["fluorouracil"]}
    new = "id,age,kidney,sex,takes\nx,50,3,f,none\n"
    refused(lambda: ingest(tmp_path, new, files, **said), "`substances` lacks options: B")


def test_new_patients_go_through_the_same_rules(tmp_path):
    new = "id,age,kidney,sex,takes\nx,50,3,f,none\ny,50,1,f,Coumadin\n"
    files = rules("B,kidney > 2", "B,sex = m") | {"interactions": PAIRS, "drugs": DRUGS}
    said = TAKING | {"columns": {"id": "id", "drugs": "takes"}, "assignment": None, "good": None}
    raw = ingest(tmp_path, new, files, **said)
    assert not label_columns(raw.samples)
    assert reasons(raw, "B") == ["rule 1", None]
    assert reasons(raw, "A") == [None, "interaction 1"]


def test_new_patients_may_lack_the_group_and_have_numbers_for_a_category(tmp_path):
    files = rules("B,stage = 3a", "A,stage != 3a")
    columns = {"id": "id", "group": "centre"}
    said = {"columns": columns, "assignment": None, "good": None}
    raw = ingest(tmp_path, "id,age,stage\nx,50,2\ny,60,\n", files, **said)
    assert reasons(raw, "B") == [None, "rule 1 (stage not known)"]
    assert reasons(raw, "A") == ["rule 2", "rule 2 (stage not known)"]


def test_a_word_of_a_rule_is_compared_whatever_its_spelling(tmp_path):
    files = rules("A,sex = F", "B,stage = 4", "A,stage != 3a")
    table = "id,arm,stage,sex,alive\na,A,3A,f,yes\nb,B,4,F,no\nc,A,3a,m,no\nd,B,x,,yes\n"
    raw = ingest(tmp_path, table, files)
    assert reasons(raw, "A") == ["rule 1", "rule 1; rule 3", None, "rule 1 (sex not known); rule 3"]
    assert reasons(raw, "B") == [None, "rule 2", None, None]
    assert "words.A" not in feature_columns(clean(raw).samples)
    new = "id,sex,stage\na,f,4.0\nb,M,3a\nc,m,x\n"
    raw = ingest(tmp_path, new, files, columns={"id": "id"}, assignment=None, good=None)
    assert reasons(raw, "A") == ["rule 1; rule 3", None, "rule 3"]
    assert reasons(raw, "B") == ["rule 2", None, None]


def test_what_is_no_number_is_named_by_its_own_file(tmp_path):
    new = "\n".join(["id,kidney", *(f"p{i},{i}" for i in range(30)), "z,high"]) + "\n"
    said = {"columns": {"id": "id"}, "assignment": None, "good": None}
    wrong = "Expected a number.*clinical.csv, row 32, column kidney"
    refused(lambda: ingest(tmp_path, new, rules("B,kidney > 2"), **said), wrong)
    raw = ingest(tmp_path, new.replace("high", "9"), rules("B,kidney > 2"), **said)
    assert raw.notes == []  # more is excluded at prediction


def test_a_word_that_training_did_not_have_is_not_known_to_a_rule(tmp_path):
    """`1` may be the `yes` of a rule: the option is excluded, whatever is expected of it."""
    files = rules("A,pregnant = yes", "B,pregnant != no")
    rows = [f"p{i},{'AB'[i // 2 % 2]},{'yes' if i % 2 else 'no'},{i}" for i in range(16)]
    table = "\n".join(["id,arm,pregnant,weight", *rows[:-1], "p15,B,rare,15"]) + "\n"
    said = {"columns": COLUMNS | {"outcome": "weight"}, "good": "high"}
    remembered = arms.remember(clean(ingest(tmp_path, table, files, **said)).samples)
    assert remembered["words"] == ["pregnant = no"]  # the rule knows its own
    new = "id,pregnant,weight\na,no,1\nb,No,2\nc,Yes,3\nd,1,4\ne,rare,5\n"
    said = {"columns": {"id": "id"}, "assignment": None, "good": None}
    samples = clean(ingest(tmp_path, new, files, **said)).samples
    table = arms.rows(samples, ["A", "B"]).assign(prediction=0.5, low=0, high=1, abstain="")
    done = arms.finish(table, samples, remembered)
    unknown = "excluded by rule 1 (pregnant not known)"
    wanted = ["", "", "excluded by rule 1", unknown, unknown]
    assert done.loc[done["option"] == "A", "excluded"].tolist() == wanted
    assert done.loc[done["option"] == "B", "excluded"].eq("").tolist() == [True] * 2 + [False] * 3
    assert done.loc[done["excluded"] != "", "rank"].isna().all()


@pytest.mark.slow
@given(
    st.from_regex(r"[A-Za-z][A-Za-z _]{0,8}[A-Za-z]", fullmatch=True),
    st.sampled_from(["<", "<=", ">", ">=", "=", "!="]),
    st.from_regex(r"-?[0-9]{1,4}(\.[0-9])?|[a-z]{1,6}", fullmatch=True),
    st.booleans(),
)
def test_conditions_are_read_with_or_without_spaces(column, sign, value, spaced):
    gap = " " if spaced else ""
    match = CONDITION.fullmatch(f"{column}{gap}{sign}{gap}{value}")
    assert match is not None
    assert (match["column"], match["sign"], match["value"]) == (column, sign, value)
