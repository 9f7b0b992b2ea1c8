"""Lines that say how far a long step is."""

from __future__ import annotations

import pytest

from bioloom import progress
from bioloom.progress import at, tell


@pytest.fixture(autouse=True)
def job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(progress.JOB, "train heart")
    monkeypatch.setattr(progress, "SECONDS", 0.0)


def test_a_line_says_the_job_and_all_places_that_it_is_in(capsys):
    with at("model, partition 2 of 3"):
        tell("epoch 1 of 5")
    with at("naive, partition 1 of 3"):
        pass
    assert capsys.readouterr().err.splitlines() == [
        "at work: train heart: model, partition 2 of 3",
        "at work: train heart: model, partition 2 of 3, epoch 1 of 5",
        "at work: train heart: naive, partition 1 of 3",
    ]


def test_a_place_that_fails_is_left(capsys):
    with pytest.raises(ValueError, match="boom"), at("model"):
        raise ValueError("boom")
    tell("the next one")
    assert capsys.readouterr().err.splitlines()[1:] == ["at work: train heart: the next one"]


def test_of_many_quick_parts_few_are_told(monkeypatch, capsys):
    monkeypatch.setattr(progress, "SECONDS", 3600.0)
    for number in range(100):
        with at(f"partition {number}"):
            tell("half")
    tell("the last step", always=True)
    assert capsys.readouterr().err == "at work: train heart: the last step\n"
