"""A page a person: what is predicted, why, what is missing, and what the model was made for."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from bioloom.application import application_names, get_application
from bioloom.pipeline.check import task_mistakes
from bioloom.pipeline.defaults import with_defaults
from bioloom.pipeline.tasks import Task
from bioloom.predictions.predict import with_dropped
from bioloom.report.person import answers, write_pages
from tests.test_models_bayesian_network import answered, cohort, new_patients, told, trained

ABOUT = {"title": "Response <to> a drug", "about": {"limits": "One hospital & one year."}}


def pages(new: pd.DataFrame, dropped: pd.DataFrame, folder: Path) -> dict[str, str]:
    """Name -> page of these persons, by a network that answers them."""
    fitted = trained(cohort(), structure="naive")
    predictions = with_dropped(answered(fitted, new), dropped, fitted)
    facts = {"model": "bayesian_network", "id": "m"}
    write_pages(new, predictions, told(fitted, new), facts, "precision_medicine", ABOUT, folder)
    return {file.name: file.read_text() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    new = new_patients().replace({"sample_id": {"all": "a/b <c>"}})
    new = new.replace({"sample_id": {"below": "index"}})
    dropped = pd.DataFrame({"sample_id": ["lost"], "reason": ["no value in any column"]})
    return pages(new, dropped, tmp_path_factory.mktemp("pages"))


def test_the_index_is_headed_by_the_task(made: dict[str, str]) -> None:
    assert "<h1>Response &lt;to&gt; a drug</h1>" in made["index.html"]
    task = {"application": "disease_risk", "datasets": {"training": {"clinical": "a.csv"}}}
    assert Task("heart_failure", **with_defaults(task)).heading == "Heart failure"
    assert Task("heart_failure", **with_defaults(task | {"title": "HF"})).heading == "HF"


def test_each_person_has_a_page_that_the_index_links(made: dict[str, str]) -> None:
    linked = re.findall(r'href="([^"]+)"', made["index.html"])
    assert sorted(linked) == sorted(made.keys() - {"index.html"})
    assert len(linked) == 6
    for page in made.values():
        assert not re.findall(r"https?://|<script|src=", page)  # opens offline


def test_a_page_says_what_is_predicted_missing_and_doubted(made: dict[str, str]) -> None:
    page = made["nothing.html"]
    assert "probability of yes" in page
    assert "Missing: gene, dose, marker, site, machine." in page
    assert "How much each missing field would tell" in page
    assert "What each observed field contributes" not in page
    assert "dose: above the range of training" in made["above.html"]
    assert "300 rows" not in page  # what is not known is not said
    assert "One hospital &amp; one year." in page


def test_who_was_left_out_has_a_page_with_the_reason(made: dict[str, str]) -> None:
    page = made["lost.html"]
    assert "There is none." in page
    assert "no value in any column" in page


def test_names_are_text_and_files_are_safe(made: dict[str, str]) -> None:
    [name] = [name for name in made if name.startswith("a_b")]
    assert "a/b &lt;c&gt;" in made[name]
    assert "<c>" not in made[name]
    assert "Response &lt;to&gt; a drug" in made[name]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"prediction": 0.51, "risk.1826": 0.244, "risk.3652": 0.51, "median": 3790.0}
            | {"free.23": 0.99},
            {"risk by 1826": "24.4%", "risk by 3652": "51.0%", "median": "3,790"},
        ),
        (
            {"prediction": 34.25, "low": 20.0, "high": 47.5},
            {"prediction": "34.25", "interval, to hold 90%": "20 to 47.5"},
        ),
        ({"prediction": None, "low": None, "high": None}, None),
    ],
)
def test_answers_of_each_form_are_told_in_words(row: dict, expected: dict | None) -> None:
    told = answers(pd.DataFrame([{"sample_id": "p", "abstain": "", "model_id": "m"} | row]))
    assert told == ([] if expected is None else [expected])


def test_options_are_told_by_rank() -> None:
    rows = pd.DataFrame({"sample_id": "p", "option": ["a", "b"], "rank": [2, 1], "prediction": 0.5})
    assert [told["option"] for told in answers(rows)] == ["b", "a"]


@pytest.mark.parametrize("name", application_names())
def test_pages_are_of_persons_alone(name: str) -> None:
    assert ("pages" in get_application(name).dataset_options) == get_application(name).private
    task = {"application": name, "datasets": {"new": {"pages": True}}, "trained": "nowhere"}
    assert any("pages" in mistake for mistake in task_mistakes("t", task)) != (
        get_application(name).private
    )
