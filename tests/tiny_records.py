"""Records of patients as hospitals write them: FHIR, MEDS and OMOP of the same persons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from bioloom.clinical.records import read_table_of_patients

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"


def made(
    clinical: Path, records: dict[str, Any], index: Path | None = None, roles: tuple[str, ...] = ()
) -> tuple[pd.DataFrame, list[str]]:
    """The table of patients of a declaration, by patient, and the notes."""
    files = {"clinical": clinical} | ({"index": index} if index else {})
    table, notes = read_table_of_patients(files, {"records": records, "read": {}}, roles)
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


def patient(name: str, **more: Any) -> dict[str, Any]:
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
