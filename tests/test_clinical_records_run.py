"""The same patients as FHIR, MEDS and OMOP: the same table, and the same predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml

from bioloom.files import read_json
from tests.tiny_project import Project
from tests.tiny_records import DECLARED, OUTCOME, ZONES, made, same_patients

OTHERS = ("meds", "omop")


def declared(name: str) -> dict:
    """The declaration for the hospital that keeps a format."""
    said = yaml.safe_load(DECLARED) | {"outcomes": yaml.safe_load(OUTCOME)}
    if name == "meds":  # which says the sex by the code itself
        words = {"GENDER//M": "male", "GENDER//F": "female"}
        said["features"]["sex"] |= {"value": "code", "values": words}
    return said | {"format": name, "time_zone": ZONES[name]}


@pytest.mark.slow
def test_hospitals_that_disagree_give_one_table(tmp_path):
    files = same_patients(tmp_path, n=25)
    tables = {name: made(path, declared(name), roles=("died",))[0] for name, path in files.items()}
    fhir = tables["fhir"]
    assert len(fhir) == 25
    assert fhir.notna().all(axis=None)
    assert set(fhir["died"]) == {"0", "1"}
    assert set(fhir["sex"]) == {"male", "female"}
    for other in OTHERS:
        pd.testing.assert_frame_equal(fhir, tables[other], rtol=1e-6)


@pytest.mark.long
def test_a_model_of_one_hospital_predicts_alike_from_the_records_of_the_others(tmp_path):
    project = Project.create(tmp_path)
    for task in ("heart", "liver"):
        (tmp_path / f"tasks/{task}.yaml").unlink()
    same_patients(tmp_path / "data", n=60)
    datasets = {
        f"{name}_ward": {
            **{"clinical": f"data/{name}", "records": declared(name)},
            "columns": {"id": "patient"},
        }
        for name in OTHERS
    }
    own = {"clinical": "data/fhir", "records": declared("fhir")}
    datasets["training"] = own | {"columns": {"id": "patient", "label": "died"}}
    task = {
        "application": "disease_diagnosis",
        "datasets": datasets,
        "split": {"method": "holdout", "test": 0.25, "valid": 0.25},
        "leakage": {"limit": None},
        "model": {"name": "logistic_regression"},
        "baselines": {},
    }
    (tmp_path / "tasks/death.yaml").write_text(yaml.safe_dump(task))
    wanted = [f"results/death/{name}_ward/predictions.parquet" for name in OTHERS]
    log = project.snakemake(*wanted)
    predicted = {
        name: pd.read_parquet(tmp_path / path).set_index("sample_id")
        for name, path in zip(OTHERS, wanted, strict=True)
    }
    scores = pd.DataFrame({name: table["p.1"] for name, table in predicted.items()})
    assert len(scores) == 60
    assert scores["meds"].std() > 0.1
    np.testing.assert_allclose(scores["omop"], scores["meds"], rtol=1e-4)
    notes = read_json(tmp_path / "results/death/training/quality.json")["notes"]
    assert any("at or after the index" in note for note in notes)
    assert "2022-03-" not in log
