"""Jobs in processes of their own: answers in order, errors as they are, the killed told."""

from __future__ import annotations

import os
import signal
import time

import pytest

from bioloom.errors import DataError
from bioloom.features.processes import ProcessKilledError, run_each

pytestmark = pytest.mark.slow


def late(seconds: float, answer: str) -> str:
    time.sleep(seconds)
    return answer


def refuse(name: str) -> None:
    raise DataError("Broken", column=name)


def die(seconds: float) -> None:
    if seconds:
        time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


def either(name: str, *arguments) -> str | None:
    return {"late": late, "refuse": refuse, "die": die}[name](*arguments)


def test_answers_are_in_the_order_of_the_jobs():
    assert run_each(late, [(0.5, "a"), (0, "b"), (0.2, "c")]) == ["a", "b", "c"]
    assert run_each(late, []) == []


@pytest.mark.long
@pytest.mark.parametrize("seconds", [0, 0.5])
def test_one_that_is_killed_is_told_and_the_others_are_ended(seconds):
    with pytest.raises(ProcessKilledError):
        run_each(either, [("late", 600, "a"), ("die", seconds), ("late", 600, "b")])


def test_an_error_is_raised_as_it_is():
    with pytest.raises(DataError, match="column c") as error:
        run_each(either, [("late", 600, "a"), ("refuse", "c")])
    assert "in refuse" in error.value.__notes__[0]
