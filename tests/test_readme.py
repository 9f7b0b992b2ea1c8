"""The README's table of results says what the record of the run says (`scripts/showcase.py`)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bioloom.files import read_json

ROOT = Path(__file__).parents[1]
RECORD = read_json(ROOT / "docs/results.json")
NUMBER = r"[-+]?\d+(?:\.\d+)?"


def table() -> dict[str, list[str]]:
    """Task -> the cells of its row."""
    lines = (ROOT / "README.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    named = [(re.search(r"\(`(\w+)`\)$", row[0]), row) for row in rows if len(row) == 5]
    return {match[1]: row for match, row in named if match}


def says(text: str, value: float) -> bool:
    """Whether a number as written is this one, rounded as it is."""
    decimals = len(text.partition(".")[2])
    return abs(float(text) - value) <= 0.5 * 10**-decimals + 1e-5


def test_the_table_has_every_task_of_the_run():
    assert sorted(table()) == sorted(RECORD)


@pytest.mark.parametrize("task", RECORD)
def test_a_row_says_what_the_run_measured(task):
    _, _, score, baselines, against = table()[task]
    found, difference = RECORD[task], RECORD[task]["difference"]
    assert (match := re.search(rf"({NUMBER}) \(({NUMBER}) to ({NUMBER})\)$", score))
    expected = [found[end] for end in ("value", "low", "high")]
    assert all(map(says, match.groups(), expected)), (score, expected)
    assert (match := re.match(rf"({NUMBER}) \(({NUMBER}) to ({NUMBER})\): (.+)$", against))
    *numbers, verdict = match.groups()
    expected = [difference[end] for end in ("value", "low", "high")]
    assert all(map(says, numbers, expected)), (against, expected)
    assert verdict == found["verdict"]
    told = [re.search(rf"({NUMBER})$", part)[1] for part in baselines.split(", ")]
    known = list(found["baselines"].values())
    missing = [text for text in told if not any(says(text, value) for value in known)]
    assert missing == []
    assert any(says(text, found["baselines"][difference["against"]]) for text in told)
