"""FHIR R4: what counts of a record, whose it is, and in which version."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bioloom.formats.events import DEATH
from bioloom.formats.fhir import read_fhir
from bioloom.privacy import names
from tests.tiny_records import (
    LOINC,
    bundle,
    concept,
    csv,
    made,
    ndjson,
    observation,
    patient,
    quantity,
)
from tests.toys import refused, write

GLUCOSE, SYSTOLIC, DIASTOLIC, WEIGHT = "2339-0", "8480-6", "8462-4", "29463-7"
BASE = "https://hospital.example/fhir"
ABSENT = {"dataAbsentReason": concept("urn:absent|not-performed")}


def glucose(name: str, day: int, status: str = "final", who: str = "P", **more) -> dict:
    value = more or {"valueQuantity": quantity(day, "mg/dL")}
    return observation(name, who, GLUCOSE, f"2022-05-{day:02}T09:00:00+02:00", status, **value)


def pressure(name: str, day: int, low: dict, status: str = "final") -> dict:
    high = {"valueQuantity": quantity(130 + day, "mmHg", "mm[Hg]")}
    parts = [
        {"code": concept(f"{LOINC}|{SYSTOLIC}"), **high},
        {"code": concept(f"{LOINC}|{DIASTOLIC}"), **low},
    ]
    time = f"2022-05-{day:02}T08:00:00+02:00"
    return observation(name, "P", "85354-9", time, status, component=parts)


def events(path: Path, code: str, **more) -> list[float]:
    read = read_fhir(path, "UTC", **more)
    found = read.events[read.events["code"] == f"{LOINC}|{code}"].sort_values("time")
    return found["value"].tolist()


@pytest.fixture
def ward(tmp_path) -> Path:
    """One of each way in which an observation is not simply a number with a unit."""
    low = {"valueQuantity": quantity(88, "mmHg", "mm[Hg]")}
    local = concept("urn:lab|K", f"{LOINC}|2823-3")
    smoking = {"valueCodeableConcept": concept("urn:own|EX", f"{LOINC}|LA15920-4")}
    limit = {"valueQuantity": quantity(5, "ng/L", comparator="<")}
    return bundle(
        tmp_path / "ward.json",
        patient("P", gender="female", birthDate="1961"),
        pressure("pressure", 1, low),
        pressure("half", 2, ABSENT),
        pressure("wrong", 3, low, "entered-in-error"),
        observation("alone", "P", SYSTOLIC, "2022-05-04", valueQuantity=quantity(126, "mm[Hg]")),
        {**glucose("local", 1, valueQuantity=quantity(4.1, "mmol/L")), "code": local},
        {**glucose("unmapped", 2), "code": concept("urn:lab|K")},
        {**glucose("digits", 3), "code": concept(f"http://snomed.info/sct|{GLUCOSE}")},
        {**glucose("text", 4), "code": {"text": "Glucose, fasting"}},
        glucose("cancelled", 5, "cancelled"),
        glucose("early", 6, "preliminary"),
        glucose("amended", 7, "amended"),
        glucose("corrected", 8, "corrected"),
        glucose("absent", 9, **ABSENT),
        glucose("string", 10, valueString="<0.3 mg/dL"),
        glucose("limit", 11, **limit),
        glucose("conflict", 12, valueQuantity=quantity(5.5, "mmol/L", "mg/dL")),
        glucose("uncoded", 13, valueQuantity=quantity(110, "mg/dL", "")),
        observation("smoking", "P", "72166-2", "2022-05-01", **smoking),
        observation("panel", "P", "85353-1", "2022-05-01", hasMember=[{"reference": "x"}]),
    )


def test_what_counts_of_observations(ward, tmp_path):
    assert events(ward, SYSTOLIC) == [131, 132, 126]
    assert events(ward, DIASTOLIC) == [88]
    assert events(ward, "2823-3") == [4.1]
    index = csv(tmp_path / "index.csv", "who,at", "P,2022-06-01")
    sugar = {"codes": [f"{LOINC}|{GLUCOSE}"], "unit": "mg/dL", "window": "60 d"}
    smoking = {"codes": [f"{LOINC}|72166-2"], "take": "last", "window": "60 d"}
    records = {"format": "fhir", "time_zone": "UTC", "index": {"patient": "who", "time": "at"}}
    features = {"mean": sugar | {"take": "mean"}, "smoking": smoking, "age": {"take": "age"}}
    features["count"] = {"codes": sugar["codes"], "take": "count", "window": "60 d"}
    records |= {"features": features}
    refused(
        lambda: made(ward, records, index), "unit mmol/L or mg/dL, which is not known", "row 17"
    )
    found, notes = made(ward, records | {"wrong_units": "leave_out"}, index)
    assert found.loc["P"].tolist() == [(7 + 8 + 110) / 3, "LA15920-4", 61, 6]
    told = "\n".join(notes)
    for reason in ("a limit", "unit mmol/L or mg/dL", "no code"):
        assert reason in told


def test_what_is_left_out_is_counted_by_reason_and_person(ward):
    read = read_fhir(ward, "UTC")
    assert Counter(read.left_out["reason"]) == {
        "Observation: status entered-in-error": 1,
        "Observation: status cancelled": 1,
        "Observation: status preliminary": 1,
        "Observation: no value": 2,
        "Observation: no code": 1,
    }
    assert set(read.left_out["patient"]) == {"P"}
    assert "fewer than 5 values have a unit in text alone" in read.notes
    limits = read.events[read.events["line"] == 16]
    assert limits["value"].isna().all()
    assert limits["text"].tolist() == ["< 5 ng/L"]


def condition(name: str, status: str, **more) -> dict:
    return {
        **{"resourceType": "Condition", "id": name, "code": concept("urn:icd|E11")},
        **{"subject": {"reference": "Patient/P"}, "verificationStatus": concept(f"urn:v|{status}")},
        **more,
    }


def test_other_resources_count_by_their_own_states_and_times(tmp_path):
    drug = {"medicationReference": {"reference": "Medication/M"}}
    order = {"resourceType": "MedicationRequest", **drug, "subject": {"reference": "Patient/P"}}
    stay = {"resourceType": "Encounter", "class": {"system": "urn:act", "code": "IMP"}}
    path = bundle(
        tmp_path / "all.json",
        patient("P", deceasedDateTime="2022-09-01"),
        condition("c1", "confirmed", onsetDateTime="2022-01", recordedDate="2022-03-05"),
        condition("c2", "refuted", recordedDate="2022-03-05"),
        condition("c3", "entered-in-error", recordedDate="2022-03-05"),
        condition("c4", "confirmed"),
        condition("c5", "confirmed", recordedDate="20220305"),
        {"resourceType": "Medication", "id": "M", "code": concept("urn:atc|A10")},
        {**order, "id": "m1", "status": "active", "intent": "order", "authoredOn": "2022-02-01"},
        {**order, "id": "m2", "status": "active", "intent": "plan", "authoredOn": "2022-02-01"},
        {
            **{**stay, "id": "e1", "status": "finished", "subject": {"reference": "Patient/P"}},
            "period": {"start": "2022-04-01T10:00:00Z", "end": "2022-04-09T10:00:00Z"},
        },
        {
            **{"resourceType": "Procedure", "id": "p1", "status": "not-done"},
            **{"code": concept("urn:ops|5"), "subject": {"reference": "Patient/P"}},
        },
        {"resourceType": "Provenance", "id": "x"},
    )
    read = read_fhir(path, "UTC")
    found = read.events.set_index("code")
    assert sorted(found.index) == [DEATH, "urn:act|IMP", "urn:atc|A10", "urn:icd|E11"]
    diagnosis = found.loc["urn:icd|E11"]
    assert str(diagnosis["time"])[:10] == "2022-01-01"
    assert str(diagnosis["latest"])[:10] == "2022-01-31"
    assert str(diagnosis["known"])[:10] == "2022-03-05"
    stay = found.loc["urn:act|IMP"]
    assert stay["known"] == stay["time"]  # an admission is known before the stay is over
    reasons = Counter(read.left_out["reason"])
    assert reasons["Condition: not confirmed, but refuted, in doubt or entered in error"] == 2
    assert reasons["Condition: no time"] == reasons["MedicationRequest: no order"] == 1
    assert reasons["Condition: a time that is no date of FHIR"] == 1
    assert reasons["Procedure: status not-done"] == 1
    assert "1 resources of the type Provenance are not read" in read.notes


# Persons and versions ----------------------------------------------------------------------------


def weight(name: str, who: str, day: int, value: float, **more) -> dict:
    value = {"valueQuantity": quantity(value, "kg")}
    return observation(name, who, WEIGHT, f"2022-01-{day:02}", **value | more)


def version(number: int, day: int) -> dict:
    return {"meta": {"versionId": str(number), "lastUpdated": f"2022-03-{day:02}T00:00:00Z"}}


@pytest.fixture
def export(tmp_path) -> Path:
    """Persons under many names; the newer version of a record stands in the first file."""
    link = {"other": {"reference": "Patient/A"}, "type": "replaced-by"}
    also = {"other": {"reference": "Patient/C"}, "type": "seealso"}
    number = {"system": "urn:mrn", "value": "N-3"}
    ndjson(
        tmp_path / "Patient.ndjson",
        patient("A", gender="female", **version(2, 5)),
        patient("A", gender="unknown", **version(1, 1)),
        patient("B", link=[link]),
        patient("C", identifier=[number]),
        patient("D", link=[also]),
    )
    inside = {"contained": [patient("p", identifier=[number])]}
    ndjson(
        tmp_path / "Observation.1.ndjson",
        weight("w1", "A", 1, 70),
        weight("w2", f"{BASE}/Patient/A", 2, 71),
        weight("w3", "Patient/A/_history/1", 3, 72),
        weight("w4", "B", 4, 73),
        weight("w5", "C", 5, 60, status="corrected", **version(10, 9)),
        weight("w6", "C", 6, 61, **version(1, 1)),
        weight("w7", "D", 7, 165, **version(1, 1)),
    )
    by_number = weight("w9", "C", 9, 63)
    by_number["subject"] = {"identifier": number}
    contained = weight("w8", "C", 8, 62) | inside | {"subject": {"reference": "#p"}}
    ndjson(
        tmp_path / "Observation.2.ndjson",
        weight("w5", "C", 5, 90, **version(9, 8)),
        weight("w6", "C", 6, 61, **version(1, 1)),
        weight("w7", "D", 7, 165, status="entered-in-error", **version(2, 2)),
        contained,
        by_number,
        weight("w10", "Z", 10, 99),
        weight("w11", "https://other.example/fhir/Patient/A", 11, 55),
        weight("w12", "Device/scale", 12, 0),
        weight("w13", "D", 13, 80),
    )
    return tmp_path


def test_references_lead_to_persons_and_the_newest_version_counts_once(export):
    read = read_fhir(export, "UTC", BASE)
    weights = read.events[read.events["code"] == f"{LOINC}|{WEIGHT}"]
    told = {who: own["value"].tolist() for who, own in weights.groupby("patient")}
    assert told == {"A": [70, 71, 72, 73], "C": [60, 61, 62, 63], "D": [80]}
    assert read.patients == ["A", "C", "D"]
    assert Counter(read.left_out["reason"]) == {
        "Observation: status entered-in-error": 1,
        "Observation: its person is in no file": 1,
        "Observation: its person is on another server": 1,
        "Observation: it is of no person": 1,
    }
    assert [note for note in read.notes if "merged" in note]
    assert [note for note in read.notes if "seealso" in note]


def test_a_reference_to_a_server_asks_whose_files_these_are(export):
    refused(lambda: read_fhir(export, "UTC"), f"base_url: {BASE}", "file 1, row 2")


def test_a_bundle_names_its_resources_itself(tmp_path):
    urn = "urn:uuid:00000000-0000-4000-8000-000000000001"
    entries = [
        {"fullUrl": urn, "resource": {"resourceType": "Patient", "birthDate": "1970"}},
        {"resource": weight("w1", urn, 1, 50)},
    ]
    content = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    path = write(tmp_path / "b.json", json.dumps(content))
    read = read_fhir(path, "UTC")
    assert read.patients == [urn]
    assert read.events["patient"].tolist() == [urn]
    assert read.births == {urn: "1970"}


def test_the_same_id_of_two_servers_is_two_persons(tmp_path):
    other = "https://second.example/fhir"
    bundle(tmp_path / "1.json", patient("A"), weight("w1", "A", 1, 50), base=BASE)
    bundle(tmp_path / "2.json", patient("A"), weight("w1", "A", 1, 90), base=other)
    read = read_fhir(tmp_path, "UTC", BASE)
    told = dict(read.events[["patient", "value"]].to_numpy())
    assert told == {"A": 50, f"{other}/Patient/A": 90}


def test_a_record_in_a_bundle_and_in_ndjson_counts_once(tmp_path):
    bundle(tmp_path / "1.json", patient("A"), weight("w1", "A", 1, 50), base=BASE)
    ndjson(tmp_path / "2.ndjson", patient("A"), weight("w1", "A", 1, 50))
    assert read_fhir(tmp_path, "UTC").events["value"].tolist() == [50]


def test_a_death_needs_a_zone_and_may_have_no_date(tmp_path):
    path = ndjson(tmp_path / "a.ndjson", patient("A", deceasedDateTime="2022-09-01"))
    refused(lambda: read_fhir(path, None), "no time zone is said", "row 1")
    path = ndjson(tmp_path / "a.ndjson", patient("A", deceasedBoolean=True))
    death = read_fhir(path, None).events.iloc[0]
    assert death["code"] == DEATH
    assert str(death["time"]) == "NaT"


def test_a_bundle_of_the_history_is_refused(tmp_path):
    content = {"resourceType": "Bundle", "type": "history", "entry": []}
    path = write(tmp_path / "b.json", json.dumps(content))
    refused(lambda: read_fhir(path, "UTC"), "history")


def test_two_versions_of_which_none_is_newer_are_refused(tmp_path):
    path = ndjson(tmp_path / "a.ndjson", weight("w", "A", 1, 70), weight("w", "A", 1, 71))
    refused(lambda: read_fhir(path, "UTC"), "nothing says which is newer", "row 2")


@pytest.mark.parametrize("side", ["replaced-by", "replaces"])
def test_a_merge_may_name_the_other_person_by_an_identifier(tmp_path, side):
    old, new = ([{"system": "urn:mrn", "value": value}] for value in "12")
    kept, gone = patient("A", identifier=new), patient("B", identifier=old)
    teller, number = (gone, 2) if side == "replaced-by" else (kept, 1)
    other = {"reference": f"Patient?identifier=urn:mrn|{number}"}
    teller["link"] = [{"other": other, "type": side}]
    by_number = weight("w2", "B", 2, 71) | {"subject": {"identifier": old[0]}}
    path = ndjson(tmp_path / "a.ndjson", kept, gone, weight("w1", "B", 1, 70), by_number)
    read = read_fhir(path, "UTC")
    assert read.patients == ["A"]
    assert read.events["patient"].tolist() == ["A", "A"]


def test_a_circle_of_merged_persons_is_refused(tmp_path):
    links = [{"other": {"reference": f"Patient/{n}"}, "type": "replaced-by"} for n in "AB"]
    one, other = patient("A", link=[links[1]]), patient("B", link=[links[0]])
    number = [{"system": "urn:mrn", "value": "1"}]
    path = ndjson(tmp_path / "a.ndjson", one, other | {"identifier": number})
    refused(lambda: read_fhir(path, "UTC"), "in a circle")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"resourceType": "Patient", "id": "A"', "no JSON.*row 1"),
        ("[1, 2]", "an object in JSON"),
        ('{"id": "A"}', "resourceType"),
        ('{"resourceType": "Observation", "id": "A", "status": NaN}', "no JSON"),
    ],
)
def test_what_is_no_fhir_is_refused_by_line_and_shows_nothing(tmp_path, content, expected):
    path = write(tmp_path / "a.ndjson", content + "\n")
    assert content not in refused(lambda: read_fhir(path, "UTC"), expected)


@pytest.mark.parametrize(
    "odd",
    [
        *({"code": "x"}, {"valueQuantity": 5}, {"subject": "A"}, {"component": [1]}, {"meta": 5}),
        *({"valueQuantity": {"value": value}} for value in ("n/a", "inf", [1], True, "7")),
        {"valueQuantity": {"value": 7, "unit": ["kg"]}},
    ],
)
def test_a_record_of_another_shape_is_left_out_and_counted(tmp_path, odd):
    path = ndjson(tmp_path / "a.ndjson", patient("A"), weight("w", "A", 1, 70) | odd)
    read = read_fhir(path, "UTC")
    assert read.patients == ["A"]
    assert read.events.empty
    assert read.left_out[["reason", "line"]].values.tolist() == [
        ["Observation: not made as FHIR R4 says", 2]
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("valueString", value) for value in (None, 5, ["x"])),
        *(("valueInteger", value) for value in (True, 1.5, "1")),
        *(("valueBoolean", value) for value in ("true", 1, None)),
        ("valueCodeableConcept", {"text": ["x"]}),
    ],
)
def test_a_value_of_another_type_is_left_out_and_counted(tmp_path, name, value):
    odd = weight("w", "A", 1, 70) | {name: value}
    del odd["valueQuantity"]
    read = read_fhir(ndjson(tmp_path / "a.ndjson", patient("A"), odd), "UTC")
    assert read.events.empty
    assert read.left_out["reason"].tolist() == ["Observation: not made as FHIR R4 says"]


@pytest.mark.parametrize(
    "odd",
    [
        *({"link": [1]}, {"identifier": {"a": 1}}, {"identifier": [1]}, {"gender": ["f"]}),
        *({"birthDate": 1950}, {"deceasedBoolean": "true"}, {"gender": None}),
    ],
)
def test_a_person_of_another_shape_is_left_out_with_all_records(tmp_path, odd):
    rows = [patient("A") | odd, weight("w", "A", 1, 70), patient("B"), weight("x", "B", 1, 80)]
    read = read_fhir(ndjson(tmp_path / "a.ndjson", *rows), "UTC")
    assert read.patients == ["B"]
    assert read.events["value"].tolist() == [80]
    assert read.left_out["reason"].tolist() == [
        "Patient: not made as FHIR R4 says",
        "Observation: its person is in no file",
    ]


def test_what_began_is_not_known_by_that(tmp_path):
    """A diagnosis that is charted after the index with an onset before it is no feature of it."""
    taken = {"resourceType": "MedicationStatement", "id": "m", "status": "active"}
    drug = {"medicationCodeableConcept": concept("urn:atc|A10"), "effectiveDateTime": "2010-01-01"}
    path = ndjson(
        tmp_path / "a.ndjson",
        patient("P"),
        condition("c1", "confirmed", onsetDateTime="2010-01-01"),
        condition("c2", "confirmed", onsetDateTime="2022-02-01"),
        {**taken, **drug, "subject": {"reference": "Patient/P"}},
    )
    index = csv(tmp_path / "index.csv", "who,at", "P,2022-01-01")
    records = {"format": "fhir", "time_zone": "UTC", "index": {"patient": "who", "time": "at"}}
    ill, treated = {"codes": ["urn:icd|E11"], "take": "any"}, {"codes": ["urn:atc|A10"]}
    records |= {"window": "all", "features": {"ill": ill, "treated": treated | {"take": "any"}}}
    later = {"codes": ["urn:icd|E11"], "within": "90 d", "followed": "complete"}
    records |= {"outcomes": {"later": later | {"prevalent": "keep"}}}
    found, notes = made(path, records, index, ("later",))
    assert found.loc["P"].tolist() == [0, 0, "1"]  # by its onset it is an outcome
    assert any("nothing tells since when it was known" in note for note in notes)
    found, _ = made(path, records | {"known_at_onset": True}, index, ("later",))
    assert found.loc["P"].tolist() == [1, 1, "1"]


def test_the_dose_of_a_drug_is_the_value_of_its_event(tmp_path):
    def order(name: str, *doses: dict, **more) -> dict:
        rates = [{"doseAndRate": [{"doseQuantity": dose} for dose in doses]}]
        return {
            **{"resourceType": "MedicationRequest", "id": name, "status": "active"},
            **{"intent": "order", "authoredOn": f"2022-05-0{name}T08:00:00Z"},
            "subject": {"reference": "Patient/P"},
            "medicationCodeableConcept": concept("urn:atc|A10BA02"),
            "dosageInstruction": rates,
            **more,
        }

    drug = {"medicationCodeableConcept": concept("urn:atc|C07AB02"), "dateAsserted": "2022-05-01"}
    told = {
        **{"resourceType": "MedicationStatement", "id": "s", "status": "active", **drug},
        "subject": {"reference": "Patient/P"},
        "effectiveDateTime": "2022-05-01",
        "dosage": [{"doseAndRate": [{"doseQuantity": quantity(47.5, "mg")}]}],
    }
    path = ndjson(
        tmp_path / "a.ndjson",
        patient("P"),
        order("1", quantity(500, "mg")),
        order("2", quantity(1, "g"), quantity(500, "mg")),  # by turns: none of both
        order("3", dosageInstruction=[{"text": "as told"}]),
        order("4", {"unit": "mg"}),
        told,
    )
    read = read_fhir(path, "UTC").events.sort_values("time")
    orders = read[read["code"] == "urn:atc|A10BA02"]
    assert orders["value"].fillna(-1).tolist() == [500, -1, -1, -1]
    assert orders["unit"].iloc[0] == "mg"
    odd = [quantity("1-2", "mg"), "5 mg", quantity({}, "mg")]
    strange = [order(f"{n + 1}", dose) for n, dose in enumerate(odd)]
    strange += [order("4", dosageInstruction=None), order("5", dosageInstruction=["twice"])]
    given = read_fhir(ndjson(tmp_path / "odd.ndjson", patient("P"), *strange), "UTC")
    assert len(given.events[given.events["code"] == "urn:atc|A10BA02"]) == len(strange)
    assert given.left_out.empty
    assert given.events["value"].isna().all()
    assert read.loc[read["code"] == "urn:atc|C07AB02", ["value", "unit"]].to_numpy().tolist() == [
        [47.5, "mg"]
    ]


def test_what_tells_who_a_person_is_is_known_by_kind(tmp_path):
    named = {
        "name": [{"family": "Placeholder", "given": ["Jane", "T"], "use": "official"}],
        "identifier": [{"system": "urn:mrn", "value": "TEST-00421"}],
        "telecom": [{"system": "email", "value": "test1@example.org"}],
        "address": [{"line": ["1 Example Street"], "city": "Anytown", "postalCode": "00000"}],
        "contact": [
            {
                "name": {"family": "Specimen", "text": "Mrs Specimen"},
                "address": {"line": ["2 Example Street"], "city": "Othertown"},
                "telecom": [{"value": "555-0100"}],
                "relationship": [{"text": "Mother"}],
            }
        ],
        "birthDate": "1950-02-03",
        "extension": [{"url": "urn:x", "valueString": "of no kind"}],
    }
    link = [{"other": {"reference": "Patient/A"}, "type": "replaced-by"}]
    old = patient("B", link=link, name=[{"text": "Jane Nobody"}, "odd"])
    own = read_fhir(ndjson(tmp_path / "a.ndjson", patient("A", **named), old), "UTC").own
    assert {*own} == {"A"}
    assert {kind: sorted(t for k, t in own["A"] if k == kind) for kind, _ in own["A"]} == {
        names.NAMES: ["Jane", "Jane Nobody", "Mrs Specimen", "Placeholder", "Specimen", "T"],
        names.RECORDS: ["TEST-00421"],
        names.PHONES: ["555-0100", "test1@example.org"],
        names.PLACES: ["00000", "1 Example Street", "2 Example Street", "Anytown", "Othertown"],
        names.DATES: ["1950-02-03"],
    }


def test_names_of_files_are_not_told(tmp_path):
    """Some exports name each file by its patient."""
    bundle(tmp_path / "Doe_John.json", patient("A"), weight("w", "A", 1, 50, status="unknown"))
    assert read_fhir(tmp_path, "UTC").left_out["file"].tolist() == ["file 1"]
    for name, content in {"Roe_Jane.json": b"{", "Roe_Jane.ndjson": b"\xff\xff"}.items():
        write(tmp_path / name, content)
        assert "Jane" not in refused(lambda: read_fhir(tmp_path, "UTC"), "file 2")
        (tmp_path / name).unlink()


def test_a_birth_may_have_an_hour(tmp_path):
    path = ndjson(tmp_path / "a.ndjson", patient("A", birthDate="1950-02-28T10:00:00+01:00"))
    assert read_fhir(path, "UTC").births == {"A": "1950-02-28"}
