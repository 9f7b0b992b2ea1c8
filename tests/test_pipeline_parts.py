"""New data in parts: jobs that each predict a share of the rows leave what one job leaves."""

from __future__ import annotations

import pandas as pd
import pytest

from bioloom.application import get_application, read_data
from bioloom.pipeline.check import task_mistakes
from tests.tiny_project import Project

WARD = {"clinical": "data/ward.csv", "columns": {"id": "patient"}}


def predictions(project: Project) -> tuple[pd.DataFrame, str]:
    folder = project.path("results/heart/ward")
    return pd.read_parquet(folder / "predictions.parquet"), (folder / "predictions.csv").read_text()


@pytest.mark.long
def test_parts_leave_the_predictions_of_the_whole(project: Project):
    whole, text = predictions(project)
    project.configure(**{"tasks.heart.datasets.ward": WARD | {"parts": 3}})
    project.snakemake()
    joined, joined_text = predictions(project)
    pd.testing.assert_frame_equal(joined, whole)
    assert joined_text == text
    assert len(pd.read_parquet(project.path("results/heart/ward/part_3/predictions.parquet"))) == 2
    assert project.planned() == set()


def test_a_separator_is_that_of_the_whole_file(tmp_path):
    path = tmp_path / "ward.csv"
    path.write_text("p1;low;2\np2;low,rising;3\n")
    options = {
        "columns": {"id": "patient"},
        "read": {"clinical": {"header": False, "column_names": ["patient", "dose", "age"]}},
    }
    parts = [
        read_data(get_application("disease_diagnosis"), {"clinical": path}, options | part).samples
        for part in ({"part": n, "parts": 2} for n in (1, 2))
    ]
    assert [part["dose"].tolist() for part in parts] == [["low"], ["low,rising"]]


def test_an_id_of_two_parts_is_refused_and_nobody_is_named(project: Project):
    path = project.path("data/ward.csv")
    ward = pd.read_csv(path)
    ward.loc[5, "patient"] = ward.loc[0, "patient"]
    ward.to_csv(path, index=False)
    project.configure(**{"tasks.heart.datasets.ward": WARD | {"parts": 2}})
    said = project.snakemake("results/heart/ward/predictions.parquet", check=False)
    assert "ERROR: 1 ids are those of rows in two parts" in said
    assert ward.loc[0, "patient"] not in said.split("ERROR: ", 1)[1]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"scored": True}, "cannot stand beside `scored`"),
        ({"pages": True}, "cannot stand beside `pages`"),
        ({"records": {"index": {"take": "all"}}}, "cannot stand beside `records`"),
        ({"quasi_identifiers": ["age"]}, "cannot stand beside `quasi_identifiers`"),
        ({"keep": {"age": [60]}}, "cannot stand beside `keep`"),
        ({"expression": "data/heart.csv"}, "cannot stand beside `expression`"),
        (
            {"columns": {"id": "patient", "patient": "who"}, "privacy": {"seen": "shift"}},
            "`shift` counts from a patient's first row",
        ),
        ({"clinical": "data/ward.xlsx"}, "is no CSV, TSV, Parquet or FASTA file"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(changes, told):
    datasets = {
        "training": {"clinical": "data/heart.csv", "columns": {"id": "patient", "label": "ill"}},
        "ward": WARD | {"parts": 2} | changes,
    }
    task = {"application": "disease_diagnosis", "datasets": datasets}
    assert told in "".join(task_mistakes("heart", task))
