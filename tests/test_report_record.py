"""Reporting records say what the files of a run say, and nothing else."""

import re

import pytest

from bioloom.files import read_json
from bioloom.report import record as records
from bioloom.report.record import DOME, TRIPOD, UNKNOWN, Facts, record
from tests.tiny_project import Project


def facts(**changes) -> Facts:
    """Of a clinical task, as small as it can be."""
    metrics = {
        "kind": "binary",
        "primary": "auroc",
        "positive": "yes",
        "n": {"train": 40, "valid": 10, "test": 20, "test_groups": 20, "folds": 1, "repeats": 1},
        "test": {"auroc": 0.8, "auroc_low": 0.7, "auroc_high": 0.9},
        "baselines": {"naive": {}},
        "verdict": "better than the best baseline, naive",
        "difference": {"value": 0.3, "low": 0.2, "high": 0.4, "against": "naive"},
        "bootstrap": {"level": 0.95, "resamples": 100},
        "flags": ["small test set: 20 groups"],
    }
    quality = {"rows_in": 73, "rows_kept": 70, "dropped": {"no label": 3}, "labels": {"yes": 30}}
    whole = {
        "task": {"application": "disease_risk", "title": "Risk"},
        "metrics": metrics,
        "quality": quality | {"notes": ["codes of http://loinc.org|2339-0"]},
        "leakage": {"split": "by group"},
        "features": {"features": 5, "identity": "table"},
        "model": {},
    }
    return Facts(**(whole | changes))


@pytest.mark.parametrize(
    ("application", "checklist", "title"),
    [("disease_risk", TRIPOD, "TRIPOD+AI"), ("protein_function", DOME, "DOME")],
)
def test_every_item_is_answered_or_said_to_be_unknown(application, checklist, title):
    said = record("mine", facts(task={"application": application, "title": "Risk"}))
    assert said.startswith(f"# Reporting record of Risk ({title})")
    rows = [line for line in said.splitlines() if line.startswith("| ") and "item" not in line]
    assert len(rows) == sum(map(len, checklist.values()))
    cells = [re.split(r"(?<!\\)\|", row) for row in rows]
    assert all(len(row) == 4 and row[2].strip() for row in cells)


def test_what_the_run_knows_is_there_and_what_it_does_not_is_left_to_an_author():
    said = record("mine", facts())
    assert "AUROC 0.800 (0.700 to 0.900)" in said
    assert "+0.300 (+0.200 to +0.400)" in said
    assert "small test set" in said
    [funding] = [line for line in said.splitlines() if "funding" in line]
    assert UNKNOWN in funding


def test_of_few_persons_no_count_is_given():
    assert "no label: fewer than 5" in record("mine", facts())
    others = facts(task={"application": "protein_function"})
    assert "no label: 3" in record("mine", others)


@pytest.mark.slow
def test_a_run_leaves_a_record_of_each_task(project: Project):
    said = project.path("results/records/heart.md").read_text()
    metrics = read_json(project.path("results/heart/metrics.json"))
    assert f"{metrics['test']['auroc']:.3f}" in said
    assert "refitted on all" in said
    assert project.path("results/records/liver.md").is_file()
    assert records.UNKNOWN in said
