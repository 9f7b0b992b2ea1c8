"""Records as columns: windows, zones, units, codes; what was not known then never counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from bioloom.application import get_application
from bioloom.clinical import windows
from bioloom.clinical.declared import RECORDS, Column, features_of, outcomes_of
from bioloom.formats.events import event_table
from bioloom.formats.omop import read_omop
from bioloom.options import complete_options
from bioloom.pipeline.check import task_mistakes
from bioloom.privacy import names
from bioloom.privacy.identifiers import find_own
from tests.tiny_records import LOINC, csv, made, meds, ndjson, observation, patient
from tests.toys import refused

ZONES = {"Kita": "Asia/Tokyo", "Ouest": "America/New_York", "Mitte": "Europe/London"}
COLUMNS = {"patient": "who", "code": "what", "time": "drawn", "known": "told", "value": "value"}
LAB = {"format": "table", "columns": COLUMNS | {"unit": "unit", "site": "site"}}
INDEX = {"patient": "who", "time": "at"}


def declared(**records: Any) -> list[Column]:
    """The features of a declaration."""
    return features_of(complete_options(records, RECORDS, "records"))


def lactate(take: str, **more) -> dict:
    return {"codes": ["lactate"], "take": take, "unit": "mmol/L", **more}


@pytest.fixture
def hospitals(tmp_path) -> tuple[Path, Path]:
    """Three hospitals: local time with offset, without one, UTC, and days alone."""
    rows = {
        # Drawn and told before the index, the last one told ten minutes after it.
        "A,Kita": [
            "2022-05-11T06:00:00+09:00,2022-05-11T06:30:00+09:00,1.0",
            "2022-05-12T06:00:00+09:00,2022-05-12T06:30:00+09:00,2.0",
            "2022-05-11T21:00:00Z,2022-05-11T23:10:00Z,9.0",
        ],
        # 02:00 and 03:00 at UTC are ten and eleven in the evening before.
        "B,Ouest": [
            "2022-07-01T18:00:00,2022-07-01T18:30:00,1.5",
            "2022-07-02T02:00:00Z,2022-07-02T02:30:00Z,3.5",
            "2022-07-01T23:30:00,2022-07-01T23:45:00,7.0",
        ],
        "C,Mitte": ["2022-09-14,2022-09-14,1.1", "2022-09-15,2022-09-15,6.0"],
        # The lower edge is in, a minute before it is out, and so is the index.
        "D,Kita": [
            "2022-05-10T10:00:00+09:00,2022-05-10T10:00:00+09:00,1.0",
            "2022-05-10T09:59:00+09:00,2022-05-10T09:59:00+09:00,5.0",
            "2022-05-12T10:00:00+09:00,2022-05-12T10:00:00+09:00,4.0",
        ],
        "E,Ouest": ["2022-02-01T12:00:00,2022-02-01T12:30:00,1.9"],
    }
    lines = [f"{who},lactate,{row},mmol/L" for who, own in rows.items() for row in own]
    table = csv(tmp_path / "lab.csv", "who,site,what,drawn,told,value,unit", *lines)
    index = csv(
        tmp_path / "index.csv",
        "who,site,at",
        *("A,Kita,2022-05-12T08:00:00+09:00", "B,Ouest,2022-07-01T23:00:00", "C,Mitte,2022-09-15"),
        *("D,Kita,2022-05-12T10:00:00+09:00", "E,Ouest,2022-03-01T12:00:00"),
    )
    return table, index


def test_instants_are_compared_and_a_result_counts_when_it_is_known(hospitals):
    table, index = hospitals
    takes = ("last", "first", "mean", "count", "slope")
    features = {take: lactate(take) for take in takes}
    records = {"time_zone": ZONES, "index": INDEX | {"site": "site"}, "window": "48 h"}
    found, notes = made(table, LAB | records | {"features": features}, index)
    found = found.round(9)
    assert found.loc["A"].tolist() == [2.0, 1.0, 1.5, 2, 1.0]
    assert found.loc["B"].tolist() == [3.5, 1.5, 2.5, 2, 12.0]  # 2 in four hours
    assert found.loc["C", :"count"].tolist() == [1.1, 1.1, 1.1, 1]
    assert found.loc["D", :"count"].tolist() == [1.0, 1.0, 1.0, 1]
    assert found.loc["E", :"count"].isna().tolist() == [True, True, True, False]
    assert found.loc["E", "count"] == 0
    assert found.loc[["C", "D", "E"], "slope"].isna().all()
    told = "\n".join(notes)
    assert "Left out of last, first, mean, count, slope: known only at or after the index" in told
    assert "on the day of the index" in told


def test_a_time_without_zone_is_refused_by_line(hospitals):
    table, index = hospitals
    records = LAB | {"index": INDEX, "window": "48 h", "features": {"x": lactate("last")}}
    refused(lambda: made(table, records, index), "time_zone", "lab.csv, row 5, column drawn")
    zones = {"time_zone": {"Kita": "Asia/Tokyo"}}
    refused(lambda: made(table, records | zones, index), "A hospital", "row 5")


def test_a_feature_that_no_patient_has_is_told(hospitals):
    table, index = hospitals
    records = LAB | {"time_zone": ZONES, "index": INDEX | {"site": "site"}, "window": "48 h"}
    features = {"right": lactate("last"), "misspelt": lactate("last") | {"codes": ["lactat"]}}
    _, notes = made(table, records | {"features": features}, index)
    told = [note for note in notes if "no value in any patient" in note]
    assert [note.split()[0] for note in told] == ["misspelt"]


def test_a_window_may_end_before_the_index(hospitals):
    table, index = hospitals
    records = LAB | {"time_zone": ZONES, "index": INDEX | {"site": "site"}}
    features = {"early": lactate("mean", window=["48 h", "12 h"]), "ever": lactate("count")}
    found, _ = made(table, records | {"window": "all", "features": features}, index)
    assert found.loc["A"].tolist() == [1.0, 2]
    assert found["ever"].tolist() == [2, 2, 1, 2, 1]


LABS = [
    ("glucose", 100, "mg/dL"),
    ("glucose", 5.5, "mmol/L"),
    ("glucose", 6.1, ""),
    ("glucose", 104, "mg%"),
    ("hba1c", 53, "mmol/mol"),
    ("hemoglobin", 8.2, "mmol/L"),
    ("platelets", 205, "K/uL"),
    ("weight", 180, "cm"),
]
TARGETS = {
    "glucose": {"unit": "mg/dL", "molar_mass": 180.156},
    "hba1c": {"unit": "%", "convert": {"mmol/mol": [0.09148, 2.152]}},
    "hemoglobin": {"unit": "g/dL"},
    "platelets": {"unit": "10*9/L"},
    "weight": {"unit": "kg"},
}


def labs(tmp_path: Path, **more) -> tuple[Path, dict, Path]:
    rows = [f"P{i},{a},2022-01-0{i + 1},{v},{u}" for i, (a, v, u) in enumerate(LABS)]
    table = csv(tmp_path / "labs.csv", "who,what,drawn,value,unit", *rows)
    index = csv(tmp_path / "index.csv", "who,at", *(f"P{i},2022-02-01" for i in range(len(LABS))))
    features = {name: {"codes": [name], "take": "last", **t} for name, t in TARGETS.items()}
    columns = {k: v for k, v in LAB["columns"].items() if k not in ("known", "site")}
    records = LAB | {"columns": columns, "time_zone": "UTC", "index": INDEX, "window": "all"}
    return table, records | {"features": features} | more, index


def test_units_are_converted_or_refused_by_line(tmp_path):
    table, records, index = labs(tmp_path)
    message = refused(
        lambda: made(table, records, index), r"no unit: labs.csv row 4", r"unit mg%.*row 5"
    )
    assert "6.1" not in message
    assert "molar_mass" in message
    left = records | {"wrong_units": "leave_out", "spellings": {"mg%": "mg/dL"}}
    found, notes = made(table, left, index)
    assert found["glucose"].dropna().round(4).tolist() == [100, 99.0858, 104]
    assert found["hba1c"].dropna().round(4).tolist() == [7.0004]
    assert found["platelets"].dropna().tolist() == [205]
    assert found[["hemoglobin", "weight"]].isna().all(axis=None)
    told = "\n".join(notes)
    assert "hemoglobin: a unit that is not converted: unit mmol/L" in told
    assert "platelets: K/uL as 10*3/uL in fewer than 5 values" in told


# MEDS --------------------------------------------------------------------------------------------

BIG = 2**53  # which floats do not tell from the next number
GLUCOSE = {
    "codes": {"LAB//GLU//mg/dL": "mg/dL", "LAB//GLU//mmol/L": "mmol/L"},
    "unit": "mg/dL",
    "molar_mass": 180.156,
}


@pytest.fixture
def standard(tmp_path) -> tuple[Path, Path]:
    """Static rows, texts, unsorted rows, two units, and values at the time of prediction."""
    rows = [
        (BIG, None, "GENDER//F", None, None),
        (BIG, "2021-04-05 10:00", "LAB//GLU//mg/dL", 220, None),
        (BIG, "1960-02-01", "MEDS_BIRTH", None, None),
        (BIG, "2021-04-04 10:00", "LAB//GLU//mmol/L", 5.0, None),
        (BIG, "2021-04-03 10:00", "LAB//GLU//mg/dL", 80, None),
        (BIG, "2021-04-05 00:00", "PROCEDURE//1", None, None),
        (BIG, "2021-04-09 10:00", "MEDS_DEATH", None, None),
        (BIG, "2021-04-02 10:00", "LAB//CRP", None, "<5"),
        (BIG + 1, "1970-07-09", "MEDS_BIRTH", None, None),
        (BIG + 1, None, "GENDER//M", None, None),
        (BIG + 1, "2021-04-01 10:00", "LAB//GLU//mg/dL", 110, None),
        (BIG + 1, "2021-03-01 10:00", "LAB//GLU//mg/dL", 60, None),
        (5, None, "LAB//GLU//mg/dL", 95, None),
        (5, "2021-04-04 10:00", "LAB//GLU//mg/dL", None, "105"),
        (5, "2021-04-05 10:00", "MEDS_DEATH", None, None),
    ]
    meds(tmp_path / "meds/data/0.parquet", *rows)
    labels = pd.DataFrame({"subject_id": [BIG, BIG + 1, 5]})
    at = pd.Timestamp("2021-04-05 10:00")
    labels.assign(prediction_time=at).to_parquet(tmp_path / "labels.parquet", index=False)
    return tmp_path / "meds", tmp_path / "labels.parquet"


def test_meds_is_read_with_its_static_rows_texts_and_large_ids(standard):
    features = {
        "last": GLUCOSE | {"take": "last"},
        "mean": GLUCOSE | {"take": "mean"},
        "crp": {"codes": ["LAB//CRP"], "take": "last", "unit": "mg/L"},
        "procedures": {"codes": ["PROCEDURE//1"], "take": "count"},
        "sex": {
            **{"codes": ["GENDER//F", "GENDER//M"], "take": "last", "static": True},
            **{"value": "code", "values": {"GENDER//F": "female", "GENDER//M": "male"}},
        },
        "age": {"take": "age"},
        "dead": {"codes": ["DEATH"], "take": "any"},
    }
    records = {"format": "meds", "time_zone": "UTC", "window": "7 d", "features": features}
    index = {"patient": "subject_id", "time": "prediction_time"}
    found, notes = made(standard[0], records | {"index": index}, standard[1])
    one, other, third = str(BIG), str(BIG + 1), "5"
    assert found["last"].round(3).to_dict() == pytest.approx(
        {one: 90.078, other: 110.0, third: np.nan}, nan_ok=True
    )
    assert found.loc[one, "mean"] == pytest.approx(85.039)
    assert found["sex"].dropna().to_dict() == {one: "female", other: "male"}
    assert found["age"].dropna().to_dict() == {one: 61, other: 50}
    assert found[["procedures", "dead"]].eq(0).all(axis=None)
    told = "\n".join(notes)
    for reason in ("without a time", "a number in a text", "a limit", "on the day of the index"):
        assert reason in told
    assert "220" not in told
    texts = {"last": GLUCOSE | {"take": "last", "text_numbers": True}}
    found, _ = made(standard[0], records | {"index": index, "features": texts}, standard[1])
    assert found.loc["5", "last"] == 105


def test_ids_that_are_floats_are_refused(tmp_path):
    path = tmp_path / "0.parquet"
    table = pd.DataFrame({"subject_id": [1.0], "time": ["2021-01-01"], "code": ["X"]})
    table.to_parquet(path)
    records = {"format": "meds", "time_zone": "UTC", "index": {"codes": ["X"]}}
    refused(lambda: made(path, records), "whole numbers", "subject_id")


@pytest.mark.parametrize(
    "values",
    [("1234567", "1234568"), ("007", "7"), ("04114918", "04114921"), ("100000.5", "100000.4")],
)
def test_a_code_in_the_column_of_values_is_a_text_as_written(tmp_path, values):
    rows = [
        f"{who},X,2020-01-01,,{value},mg/dL,Kita" for who, value in zip("AB", values, strict=True)
    ]
    table = csv(tmp_path / "t.csv", "who,what,drawn,told,value,unit,site", *rows)
    index = csv(tmp_path / "index.csv", "who,at", "A,2020-02-01", "B,2020-02-01")
    feature = {"codes": ["X"], "take": "last", "value": "text"}
    records = LAB | {"time_zone": "UTC", "index": INDEX, "window": "60 d"}
    found, _ = made(table, records | {"features": {"code": feature}}, index)
    assert found["code"].tolist() == list(values)
    as_number = {"codes": ["X"], "take": "last", "value": "number", "unit": "mg/dL"}
    found, _ = made(table, records | {"features": {"number": as_number}}, index)
    assert found["number"].tolist() == [float(value) for value in values]


# OMOP --------------------------------------------------------------------------------------------

MEASURED = (
    "measurement_id,person_id,measurement_concept_id,measurement_date,measurement_datetime,"
    "operator_concept_id,value_as_number,value_as_concept_id,unit_concept_id,"
    "measurement_source_value,unit_source_value"
)


@pytest.fixture
def model(tmp_path) -> Path:
    folder = tmp_path / "omop"
    person = "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth"
    csv(folder / "person.csv", person, "1,8507,1951,4,", "2,8532,1962,,", "3,0,1976,2,3")
    rows = [
        "1,3004501,2022-03-01,2022-03-01 08:00:00,0,90,0,8840,GLU,mg/dL",
        "1,3004501,2022-03-02,2022-03-02 08:00:00,0,5.0,0,8753,GLU,",
        "1,0,2022-03-01,2022-03-01 08:00:00,0,4.1,0,0,KAL,mmol/L",
        "1,0,2022-03-01,2022-03-01 08:00:00,0,800,0,0,FERR,ng/mL",
        "2,3004501,2022-03-03,2022-03-03 00:00:00,4171756,40,0,8840,GLU,mg/dL",
        "2,3004501,2022-03-04,2022-03-04 08:00:00,0,,45878583,0,GLU,",
        "3,3004501,2022-03-05,,0,104,0,0,GLU,mg/dl",
        "3,3004501,2022-03-06,2022-03-06 08:00:00,0,101,0,0,GLU,",
        "3,3004501,2022-03-06,2022-03-06 09:00:00,0,5.6,0,8840,GLU,mmol/L",
        "9,3004501,2022-03-06,2022-03-06 08:00:00,0,97,0,8840,GLU,mg/dL",
    ]
    csv(folder / "measurement.csv", MEASURED, *(f"{i},{row}" for i, row in enumerate(rows, 1)))
    drugs = "person_id,drug_concept_id,drug_exposure_start_date,drug_source_value"
    csv(folder / "drug_exposure.csv", drugs, "1,0,2022-01-01,A", "2,0,2022-01-01,B")
    csv(folder / "death.csv", "person_id,death_date", "2,2022-05-01")
    return folder


def test_concept_zero_is_no_concept(model):
    read = read_omop(model, "UTC")
    assert not read.events["code"].isin(["0"]).any()
    codes = {"measurement|KAL", "measurement|FERR", "drug_exposure|A", "drug_exposure|B"}
    assert codes <= set(read.events["code"])
    assert any(note.startswith("measurement:") and "2 source values" in note for note in read.notes)
    assert read.births == {"1": "1951-04", "2": "1962", "3": "1976-02-03"}
    reasons = read.left_out.set_index("line")["reason"]
    assert "its person is not" in reasons[11]
    units = read.events.set_index("line")["unit"]
    assert units[10] == "mmol/L or mg/dL"  # of which none is meant for sure


def test_omop_takes_the_unit_from_either_column(model, tmp_path):
    index = csv(tmp_path / "index.csv", "who,at", *(f"{i},2022-04-01" for i in (1, 2, 3)))
    sugar = {"codes": [3004501], "unit": "mg/dL", "molar_mass": 180.156, "take": "mean"}
    features = {
        "glucose": sugar,
        "potassium": {"codes": ["measurement|KAL"], "unit": "mmol/L", "take": "last"},
        "sex": {"codes": ["SEX"], "take": "last", "static": True},
        "age": {"take": "age"},
    }
    records = {"format": "omop", "time_zone": "UTC", "index": INDEX, "window": "60 d"}
    records |= {"features": features}
    features["drawn"] = {"codes": [3004501], "take": "count"}
    refused(
        lambda: made(model, records, index), "no unit: measurement.csv row 9", "mmol/L or mg/dL"
    )
    found, notes = made(model, records | {"wrong_units": "leave_out"}, index)
    assert found["glucose"].round(3).dropna().to_dict() == {"1": 90.039, "3": 104}
    assert found["potassium"].dropna().to_dict() == {"1": 4.1}
    assert found["drawn"].tolist() == [2, 2, 3]
    assert found["sex"].dropna().to_dict() == {"1": "male", "2": "female"}
    assert found["age"].tolist() == [71, 60, 46]
    assert any("by year or month of birth" in note for note in notes)


def test_a_unit_of_a_concept_that_no_list_has_is_refused_and_counts_as_an_event(model):
    text = (model / "measurement.csv").read_text().replace("90,0,8840,GLU,mg/dL", "90,0,7,GLU,")
    (model / "measurement.csv").write_text(text)
    assert "concept 7" in set(read_omop(model, "UTC").events["unit"].dropna())


EXPOSED = (
    "person_id,drug_concept_id,drug_exposure_start_date,drug_source_value,quantity,days_supply"
)
STRENGTH = (
    "drug_concept_id,ingredient_concept_id,amount_value,amount_unit_concept_id,numerator_value,"
    "numerator_unit_concept_id,denominator_value,denominator_unit_concept_id,invalid_reason"
)


def test_a_dose_of_omop_is_what_is_taken_a_day_of_a_substance(model, tmp_path):
    exposed = [
        "1,41,2022-03-01,A,60,30",  # two tablets of 500 mg a day
        "1,42,2022-03-02,B,30,30",  # one of 850 mg with 50 mg of another
        "2,43,2022-03-03,C,100,10",  # 25 mg in 1 mL: of millilitres, or of mg?
        "2,44,2022-03-03,D,5,10",  # half a bottle a day, of 500 mg in 20 mL
        "3,45,2022-03-03,E,10,30",  # a patch, 100 ug an hour
        "3,41,2022-03-03,A,,30",
        "3,41,2022-03-04,A,60,0",
        "3,46,2022-03-05,F,1,1",  # two strengths of one substance
        "3,0,2022-03-05,G,1,1",
        "2,47,2022-02-05,H,40,10",  # four puffs a day of 0.1 mg
        "2,48,2022-02-05,I,30,10",  # of a gel of 0.01 mg in 1 mg
        "9,42,2022-03-05,B,1,1",  # of nobody
    ]
    csv(model / "drug_exposure.csv", EXPOSED, *exposed)
    strengths = [
        *("41,7,500,8576,,,,,", "42,7,0.85,8504,,,,,", "42,8,50,8576,,,,,"),
        *("43,7,,,25,8576,,8587,", "44,7,,,500,8576,20,8587,", "45,9,,,100,9655,1,8505,"),
        *("46,9,1,8576,,,,,", "46,9,2,8576,,,,,", "41,7,9,8576,,,,,U"),
        *("47,7,,,0.1,8576,,45744809,", "48,7,,,0.01,8576,,8576,", "41,,500,8576,,,,,"),
    ]
    csv(model / "drug_strength.csv", STRENGTH, *strengths)
    whole = read_omop(model, "UTC")
    read = whole.events.query("file == 'drug_exposure.csv'")
    one = read[read["code"] == "7"].set_index("line")
    assert one["value"].round(3).fillna(-1).to_dict() == {
        **{2: 1000, 3: 0.85, 4: -1, 5: 250, 7: -1, 8: -1, 11: 0.4, 12: -1}
    }
    assert one["unit"].dropna().tolist() == ["mg/d", "g/d", "mg/d", "mg/d"]
    assert read[read["code"] == "9"]["value"].fillna(-1).tolist() == [100, -1]
    drug = read[read["code"] == "42"]
    assert drug["value"].isna().all()  # of two substances no dose is that of the drug
    assert read.groupby("record")["line"].nunique().eq(1).all()
    assert read["record"].nunique() == len(exposed) - 1
    assert "nan" not in set(read["code"])
    assert read["code"].notna().all()
    assert whole.left_out["line"].tolist().count(13) == 1  # once, of however many ingredients
    index = csv(tmp_path / "index.csv", "who,at", *(f"{i},2022-04-01" for i in (1, 2, 3)))
    features = {
        "dose": {"codes": [7], "unit": "mg/d", "take": "last"},
        "released": {"codes": [9], "unit": "mg/d", "take": "last"},
        "given": {"codes": [7, 41, 42], "take": "count"},
    }
    records = {"format": "omop", "time_zone": "UTC", "index": INDEX, "window": "60 d"}
    found, _ = made(model, records | {"features": features}, index)
    assert found["dose"].round(3).dropna().to_dict() == {"1": 850, "2": 250}
    assert found["released"].round(3).dropna().to_dict() == {"3": 2.4}
    assert found["given"].tolist() == [2, 4, 2]
    csv(model / "drug_exposure.csv", EXPOSED, "1,41,2022-03-01,A,many,30")
    refused(lambda: read_omop(model, "UTC"), "drug_exposure.csv, row 2, column quantity")


def test_omop_is_a_folder_with_persons(model, tmp_path):
    refused(lambda: read_omop(model / "person.csv", "UTC"), "the folder of its tables")
    (model / "person.csv").unlink()
    refused(lambda: read_omop(model, "UTC"), "no table person")


def test_an_age_is_of_the_day_in_the_time_zone(tmp_path):
    """A day of Berlin begins at ten in the evening before of UTC, when the patient was 69."""
    person = "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth"
    csv(tmp_path / "omop/person.csv", person, "1,8507,1950,5,10", "2,8507,1960,,")
    visits = "visit_occurrence_id,person_id,visit_concept_id,visit_start_date"
    csv(
        tmp_path / "omop/visit_occurrence.csv", visits, "1,1,9201,2020-05-10", "2,2,9201,2020-01-01"
    )
    records = {"format": "omop", "index": {"codes": ["9201"]}, "features": {"age": {"take": "age"}}}
    found = {
        zone: made(tmp_path / "omop", records | {"time_zone": zone})[0]["age"].tolist()
        for zone in ("UTC", "Europe/Berlin", "America/New_York")
    }
    assert found["UTC"][0] == 70
    assert found["Europe/Berlin"] == found["America/New_York"] == found["UTC"]


def test_two_files_of_a_table_of_omop_are_refused_by_their_names(model):
    """Of measurements by year the last file alone was read."""
    rows = (model / "measurement.csv").read_text().splitlines()
    (model / "measurement.csv").unlink()
    csv(model / "measurement.2021.csv", *rows[:3])
    assert read_omop(model, "UTC").events["code"].eq("3004501").sum() == 2
    csv(model / "measurement.2022.csv", rows[0], *rows[3:])
    names = "table measurement: measurement.2021.csv and measurement.2022.csv"
    refused(lambda: read_omop(model, "UTC"), names)


# Any events --------------------------------------------------------------------------------------

HOUR = 3600 * 10**6
TAKES = ("first", "last", "mean", "min", "max", "count", "any", "slope")


def of_named_persons(folder: Path, note: str, ids: str) -> Path:
    """Patients who are called Jane0 ... with an admission and a note each."""
    rows = list[dict]()
    for i in range(10):
        who = ids.format(i=i)
        name = [{"family": f"Sample{i}", "given": [f"Jane{i}x"]}]
        rows.append(patient(who, name=name, identifier=[{"value": f"H-{i:04}"}]))
        time = "2022-03-01T09:00:00Z"
        rows.append(observation(f"a{i}", who, "admission", time, valueString="yes"))
        noted = f"2022-02-{i + 1:02}T09:00:00Z"
        text = {"valueString": note.format(i=i, other=(i + 1) % 10)}
        rows.append(observation(f"n{i}", who, "note", noted, **text))
    return ndjson(folder / "all.ndjson", *rows)


NOTED = {
    "format": "fhir",
    "time_zone": "UTC",
    "index": {"codes": [f"{LOINC}|admission"]},
    "window": "90 d",
    "features": {"finding": {"codes": [f"{LOINC}|note"], "take": "last"}},
}


@pytest.mark.parametrize(
    ("note", "ids", "told"),
    [
        ("seen, Jane{i}x", "t{i}", ["finding: names, 10 rows"]),
        ("see H{i:04}", "t{i}", ["finding: record numbers, 10 rows"]),
        ("stable", "sample{i}", ["patient: names, 10 rows"]),
        ("stable", "H-{i:04}", ["patient: record numbers, 10 rows"]),
        ("stable, as Jane{other}x", "t{i}", []),  # another person's name is not known here
    ],
)
def test_what_records_tell_of_a_person_stands_in_no_column(tmp_path, note, ids, told):
    path = of_named_persons(tmp_path, note, ids)
    options = {"columns": {"id": "patient"}, "records": NOTED}
    chosen = get_application("disease_diagnosis")
    if not told:
        assert len(chosen.ingest({"clinical": path}, options).samples) == 10
        return
    message = refused(lambda: chosen.ingest({"clinical": path}, options), "nothing was written")
    assert [line for line in told if f"\n  {line} (the records tell it" not in message] == []
    assert "Jane" not in message
    column = told[0].split(":")[0]
    kept = options | {"not_identifiers": [column]}
    assert len(chosen.ingest({"clinical": path}, kept).samples) == 10


def test_a_number_that_is_the_person_s_record_number_is_found():
    persons = pd.Series(["a", "b"], name="patient")
    own = {"a": [(names.RECORDS, "00123456"), (names.PLACES, "12000")], "b": [(names.PHONES, "x")]}
    told = pd.DataFrame({"number": [123456.0, 7.0], "cells": [12000, 123456], "dose": [1.5, None]})
    assert [(one.column, one.count) for one in find_own(told, persons, own)] == [("number", 1)]


def test_a_place_is_found_as_words_and_not_inside_of_others():
    persons = pd.Series(["a"], name="patient")
    texts = pd.DataFrame({"near": ["lives in Essen, alone"], "far": ["essential hypertension"]})
    found = find_own(texts, persons, {"a": [(names.PLACES, "Essen")]})
    assert [one.column for one in found] == ["near"]


def test_columns_are_those_of_a_loop_over_events():
    """Every way to take a value, beside its plain definition; `known` decides, `time` orders."""
    rng, at = np.random.default_rng(0), 10**5 * HOUR
    events = pd.DataFrame({"who": rng.integers(0, 60, 200), "hour": rng.integers(-60, 10, 200)})
    events["late"], events["value"] = rng.integers(0, 9, 200), rng.integers(-50, 50, 200) / 2
    rows = [
        {
            **{"patient": str(e.who), "code": "x", "value": e.value, "unit": "1", "record": i},
            **{"time": at + e.hour * HOUR, "latest": at + e.hour * HOUR, "file": "f", "line": i},
            "known": at + (e.hour + e.late) * HOUR,
        }
        for i, e in enumerate(events.itertuples())
    ]
    index = pd.Series(pd.Timestamp(at, unit="us", tz="UTC"), list(map(str, range(60))))
    said = {take: {"codes": ["x"], "take": take, "unit": "1", "window": "48 h"} for take in TAKES}
    columns, table = declared(features=said), event_table(rows)
    found = {c.name: windows.make_feature(table, index, c, windows.Rules()).values for c in columns}
    known = events[(events["hour"] + events["late"]).between(-48, -1)]
    sizes = known.groupby("who").size()
    assert {1, 2} <= set(sizes)
    assert len(sizes) < 60
    for who in range(60):
        hours, values = known.loc[known["who"] == who, ["hour", "value"]].to_numpy().T
        own = {take: found[take][str(who)] for take in TAKES}
        assert (own["count"], own["any"]) == (len(hours), bool(len(hours)))
        if not len(hours):
            assert all(np.isnan(own[take]) for take in ("first", "last", "mean", "min", "slope"))
            continue
        assert own["first"] == pytest.approx(values[hours == hours.min()].mean())
        assert own["last"] == pytest.approx(values[hours == hours.max()].mean())
        assert own["mean"] == pytest.approx(values.mean())
        assert (own["min"], own["max"]) == (values.min(), values.max())
        slope = np.polyfit(hours / 24, values, 1)[0] if len(set(hours)) > 1 else np.nan
        assert own["slope"] == pytest.approx(slope, nan_ok=True, abs=1e-9)


def test_texts_of_one_time_that_differ_are_none_whatever_their_order():
    row = {"patient": "p", "code": "x", "time": HOUR, "latest": HOUR, "known": HOUR, "file": "f"}
    rows = [row | {"text": word, "record": i, "line": i} for i, word in enumerate("ab")]
    index = pd.Series(pd.Timestamp("2000-01-01", tz="UTC"), ["p"])
    said = {"features": {"x": {"codes": ["x"], "take": "last", "window": "all"}}, "window": None}
    for order in (rows, rows[::-1]):
        found = windows.make_feature(
            event_table(order), index, declared(**said)[0], windows.Rules()
        )
        assert found.values.isna().all()
        assert len(found.left_out) == 2


def test_a_comma_in_a_text_is_read_by_declaration_alone(tmp_path):
    texts = ["12,000", "3,5", "1.025", "1.250,5", "7", "<3,5"]
    rows = [(i, "2022-01-01", "FERRITIN", None, text) for i, text in enumerate(texts)]
    path = meds(tmp_path / "a.parquet", *rows)
    index = csv(tmp_path / "index.csv", "who,at", *(f"{i},2022-02-01" for i in range(len(rows))))
    ferritin = {"codes": {"FERRITIN": "1"}, "take": "last", "unit": "1", "text_numbers": True}
    records = {"format": "meds", "time_zone": "UTC", "index": INDEX, "window": "all"}
    records |= {"features": {"x": ferritin}}
    found, notes = made(path, records, index)
    assert found["x"].fillna(-1).tolist() == [-1, -1, 1.025, -1, 7, -1]
    assert any("may be of thousands: fewer than 5 records" in note for note in notes)
    found, _ = made(path, records, index, read={"clinical": {"decimal": "comma"}})
    assert found["x"].fillna(-1).tolist() == [12, 3.5, -1, 1250.5, 7, -1]


def test_a_single_time_has_no_slope_however_it_is_rounded():
    """The mean of equal times may be off by a bit, and a quotient of such bits is no slope."""
    time = pd.Timestamp("2022-01-01", tz="UTC").value // 1000
    times = [("p", time + 5 * HOUR)] * 7 + [("q", time), ("q", time + 24 * HOUR), ("r", time)]
    rows = [
        {"patient": who, "code": "x", "time": at, "latest": at, "known": at, "file": "f"}
        | {"value": 2.0 * i, "unit": "1", "record": i, "line": i}
        for i, (who, at) in enumerate(times)
    ]
    index = pd.Series(pd.Timestamp("2023-01-01", tz="UTC"), list("pqr"))
    said = {"x": {"codes": ["x"], "take": "slope", "unit": "1", "window": "all"}}
    column = declared(features=said)[0]
    found = windows.make_feature(event_table(rows), index, column, windows.Rules()).values
    assert found.isna().tolist() == [True, False, True]
    assert found["q"] == pytest.approx(2)


def test_who_is_born_after_the_index_has_no_age():
    index = pd.Series(pd.Timestamp("2020-06-01", tz="UTC"), list("abc"))
    found, notes = windows.ages({"a": "2021", "b": "1990-07", "c": "2020-06-01"}, index)
    assert found.fillna(-1).tolist() == [-1, 29, 0]
    assert [note.split(" patients ")[1][:14] for note in notes] == [
        "is by year or ",
        "were born afte",
    ]


def test_a_declaration_is_checked_before_any_job_runs(tmp_path):
    path = csv(tmp_path / "a.csv", "who,what,drawn", "P,x,2022-01-01")
    training = {"clinical": str(path), "columns": {"id": "patient", "label": "ill"}}
    said = {"format": "table", "features": {"x": {"code": ["x"], "take": "last"}}}
    task = {"application": "disease_diagnosis", "datasets": {"training": training}}
    [first, *_] = task_mistakes(
        "a", {**task, "datasets": {"training": training | {"records": said}}}
    )
    assert "Unknown option 'code'" in first
    assert "records: features: x" in first


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ({"take": "mean"}, "needs the `unit`"),
        ({"take": "last", "unit": "mg/dl"}, "write 'mg/dL'"),
        ({"take": "last", "unit": "wizards"}, "no UCUM unit"),
        ({"take": "last", "window": "2 months"}, "min, h, d or wk"),
        ({"take": "last", "window": ["1 d", "2 d"]}, "begins at or after its end"),
        ({"take": "last", "codes": []}, "takes codes"),
        ({}, "needs `take`"),
        ({"take": "last", "unit": "%", "convert": {"mmol/mol": 2}}, "a factor and a shift"),
    ],
)
def test_what_a_feature_lacks_is_said(feature, expected):
    said = {"features": {"x": {"codes": ["x"]} | feature}, "window": "all"}
    refused(lambda: declared(**said), expected, "records: features: x")


def test_a_feature_needs_a_window(tmp_path):
    said = {"features": {"x": {"codes": ["x"], "take": "last"}}, "window": None}
    refused(lambda: declared(**said), "needs a `window`")


def test_the_declaration_of_the_docs_is_one():
    page = (Path(__file__).parents[1] / "docs/records.md").read_text()
    content = yaml.safe_load(page.split("```yaml")[1].split("```")[0])
    said = complete_options(content["datasets"]["training"]["records"], RECORDS, "records")
    assert [column.name for column in features_of(said)] == list(said["features"])
    assert [column.take for column in outcomes_of(said)] == ["any"]


@pytest.mark.parametrize("name", ["measurement-000000000001.csv", "measurement_1.csv.gz"])
def test_a_table_of_omop_in_several_files_is_refused(model, name):
    (model / name).write_text("")
    refused(lambda: read_omop(model, "UTC"), f"measurement is in several files, such as {name}")
