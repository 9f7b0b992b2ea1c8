"""Records of patients as hospitals write them: FHIR, MEDS and OMOP of the same persons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.clinical.declared import RECORDS
from bioloom.clinical.records import read_table_of_patients
from bioloom.options import complete_options

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"


def made(
    clinical: Path,
    records: dict[str, Any],
    index: Path | None = None,
    roles: tuple[str, ...] = (),
    read: dict[str, Any] | None = None,
) -> tuple[pd.DataFrame, list[str]]:
    """The table of patients of a declaration, by patient, and the notes."""
    files = {"clinical": clinical} | ({"index": index} if index else {})
    said = complete_options(records, RECORDS, "records")
    table, notes, _ = read_table_of_patients(files, {"records": said, "read": read or {}}, roles)
    return table.set_index("patient"), notes


def csv(path: Path, header: str, *rows: str) -> Path:
    """A CSV file of these lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def ndjson(path: Path, *resources: dict[str, Any]) -> Path:
    """A file of one resource a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in resources))
    return path


def bundle(path: Path, *resources: dict[str, Any], base: str = "https://example.org/fhir") -> Path:
    """A bundle of these resources, of a server."""
    entries = [
        {"fullUrl": f"{base}/{one['resourceType']}/{one['id']}", "resource": one}
        for one in resources
    ]
    content = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    path.write_text(json.dumps(content))
    return path


def patient(name: str, /, **more: Any) -> dict[str, Any]:
    """A Patient."""
    return {"resourceType": "Patient", "id": name, **more}


def quantity(value: float, unit: str, code: str | None = None, **more: Any) -> dict[str, Any]:
    """A valueQuantity; its code is its unit unless another is given, and "" for none."""
    code = unit if code is None else code
    return {
        "value": value,
        "unit": unit,
        **({"system": UCUM, "code": code} if code else {}),
        **more,
    }


def concept(*codings: str) -> dict[str, Any]:
    """A CodeableConcept of codings written as system|code."""
    pairs = [coding.split("|") for coding in codings]
    return {"coding": [{"system": system, "code": code} for system, code in pairs]}


def observation(
    name: str, person: str, code: str, time: str, status: str = "final", **more: Any
) -> dict[str, Any]:
    """An Observation; `code` of LOINC unless it says its system."""
    return {
        "resourceType": "Observation",
        "id": name,
        "status": status,
        "code": concept(code if "|" in code else f"{LOINC}|{code}"),
        "subject": {"reference": person if "/" in person or ":" in person else f"Patient/{person}"},
        "effectiveDateTime": time,
        **more,
    }


def meds(path: Path, *rows: tuple[Any, ...]) -> Path:
    """MEDS events `subject_id, time, code, numeric_value, text_value`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ["subject_id", "time", "code", "numeric_value", "text_value"]
    table = pd.DataFrame(list(rows), columns=names)
    types = {"subject_id": "int64", "numeric_value": "float32", "text_value": "str"}
    table = table.astype(types).assign(
        time=pd.to_datetime(table["time"], format="ISO8601").dt.as_unit("us")
    )
    table.to_parquet(path, index=False)
    return path


def same_patients(folder: Path, n: int = 60, seed: int = 0) -> dict[str, Path]:
    """The same patients as three hospitals keep them: folders `fhir`, `meds` and `omop`.

    Codes, units and clocks differ: FHIR in mmol/L and Berlin's time, MEDS in mg/dL and UTC, OMOP in
    both units and New York's time without saying so. Each has a value that was told too late.
    """
    rng = np.random.default_rng(seed)
    fhir, events, omop = list[dict[str, Any]](), list[tuple[Any, ...]](), dict[str, list[str]]()
    for i in range(1, n + 1):
        sex, year = ("male", "female")[i % 2], int(rng.integers(1940, 1990))
        admitted = pd.Timestamp("2022-03-01 09:17", tz="UTC") + pd.Timedelta(days=int(i))
        sugar = rng.integers(80, 240, 3)
        pressure = int(rng.integers(100, 180))
        dies = sugar[:2].mean() + rng.normal(0, 20) > 165
        death = admitted + pd.Timedelta(days=int(rng.integers(1, 29)), hours=2)
        ill = bool(rng.random() < 0.4)
        hours = [-50, -int(rng.integers(2, 40)), 3]
        _fhir(fhir, i, sex, year, admitted, sugar, pressure, hours, ill, death if dies else None)
        _meds(events, i, sex, year, admitted, sugar, pressure, hours, ill, death if dies else None)
        _omop(omop, i, sex, year, admitted, sugar, pressure, hours, ill, death if dies else None)
    ndjson(folder / "fhir/all.ndjson", *fhir)
    meds(folder / "meds/data/0.parquet", *[events[i] for i in rng.permutation(len(events))])
    for name, header in OMOP.items():
        csv(folder / f"omop/{name}.csv", header, *omop[name])
    return {name: folder / name for name in ("fhir", "meds", "omop")}


OMOP = {
    "person": "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth",
    "visit_occurrence": "person_id,visit_concept_id,visit_start_date,visit_start_datetime",
    "condition_occurrence": "person_id,condition_concept_id,condition_start_date",
    "measurement": "person_id,measurement_concept_id,measurement_date,measurement_datetime,"
    "value_as_number,unit_concept_id,unit_source_value",
    "death": "person_id,death_date,death_datetime",
}
GLUCOSE_MASS = 180.156


def _fhir(rows, i, sex, year, admitted, sugar, pressure, hours, ill, death) -> None:
    def told(hours: float) -> str:
        return (admitted + pd.Timedelta(hours=hours)).tz_convert("Europe/Berlin").isoformat()

    died = {"deceasedDateTime": death.isoformat()} if death else {}
    rows.append(patient(str(i), gender=sex, birthDate=f"{year}-05-17", **died))
    rows.append(
        {
            **{"resourceType": "Encounter", "id": f"e{i}", "status": "finished"},
            **{"class": {"system": "urn:act", "code": "IMP"}, "period": {"start": told(0)}},
            "subject": {"reference": f"Patient/{i}"},
        }
    )
    for j, (value, hour) in enumerate(zip(sugar, hours, strict=True)):
        amount = {"valueQuantity": quantity(value * 10 / GLUCOSE_MASS, "mmol/L")}
        rows.append(observation(f"g{i}.{j}", str(i), "2339-0", told(hour), **amount))
    part = {"code": concept(f"{LOINC}|8480-6"), "valueQuantity": quantity(pressure, "mm[Hg]")}
    rows.append(observation(f"b{i}", str(i), "85354-9", told(-1), component=[part]))
    if ill:
        about = {"code": concept("urn:icd|E11"), "recordedDate": "2021-12-01"}
        rows.append({"resourceType": "Condition", "id": f"c{i}", **about})
        rows[-1]["subject"] = {"reference": f"Patient/{i}"}


def _meds(rows, i, sex, year, admitted, sugar, pressure, hours, ill, death) -> None:
    def told(hours: float) -> str:
        return str((admitted + pd.Timedelta(hours=hours)).tz_localize(None))

    rows.append((i, None, f"GENDER//{sex[0].upper()}", None, None))
    rows.append((i, f"{year}-05-17", "MEDS_BIRTH", None, None))
    rows.append((i, told(0), "ADMISSION", None, None))
    for value, hour in zip(sugar, hours, strict=True):
        rows.append((i, told(hour), "LAB//GLU//mg/dL", value, None))
    rows.append((i, told(-1), "VITAL//SBP", pressure, None))
    rows += [(i, "2021-12-01", "ICD//E11", None, None)] if ill else []
    rows += [(i, str(death.tz_localize(None)), "MEDS_DEATH", None, None)] if death else []


def _omop(tables, i, sex, year, admitted, sugar, pressure, hours, ill, death) -> None:
    def told(time: pd.Timestamp) -> str:
        local = time.tz_convert("America/New_York").tz_localize(None)
        return f"{local.date()},{local}"

    rows = {name: tables.setdefault(name, []) for name in OMOP}
    rows["person"].append(f"{i},{8507 if sex == 'male' else 8532},{year},5,17")
    rows["visit_occurrence"].append(f"{i},9201,{told(admitted)}")
    for j, (value, hour) in enumerate(zip(sugar, hours, strict=True)):
        time = told(admitted + pd.Timedelta(hours=hour))
        shown = f"{value},8840,mg/dL" if j % 2 else f"{value * 10 / GLUCOSE_MASS},0,mmol/l"
        rows["measurement"].append(f"{i},3004501,{time},{shown}")
    time = told(admitted - pd.Timedelta(hours=1))
    rows["measurement"].append(f"{i},3004249,{time},{pressure},8876,")
    rows["condition_occurrence"] += [f"{i},201826,2021-12-01"] if ill else []
    rows["death"] += [f"{i},{told(death)}"] if death else []


DECLARED = f"""
index: {{codes: [urn:act|IMP, ADMISSION, 9201], take: first}}
window: 72 h
features:
  glucose: &glucose
    codes: {{{LOINC}|2339-0: null, LAB//GLU//mg/dL: mg/dL, 3004501: null}}
    unit: mg/dL
    molar_mass: {GLUCOSE_MASS}
    take: last
  glucose_mean: {{<<: *glucose, take: mean}}
  glucose_slope: {{<<: *glucose, take: slope}}
  pressure:
    codes: {{{LOINC}|8480-6: null, VITAL//SBP: "mm[Hg]", 3004249: null}}
    unit: mm[Hg]
    take: last
  diabetes: {{codes: [urn:icd|E11, ICD//E11, 201826], take: any, window: all}}
  age: {{take: age}}
  sex:
    codes: [SEX, GENDER//M, GENDER//F]
    static: true
    take: last
"""
"""What is asked of all three: codes of each, one unit, one window before the admission."""
OUTCOME = "died: {codes: [DEATH], within: 30 d, followed: complete}"
ZONES = {"fhir": "Europe/Berlin", "meds": "UTC", "omop": "America/New_York"}
