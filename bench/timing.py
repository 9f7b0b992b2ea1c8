"""Timing that repeats: interleaved cases, the minimum over rounds, process CPU time by default."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Size = Literal["tiny", "usual", "full"]


def cpu_seconds() -> float:
    """CPU time of this process and its finished children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


@dataclass(frozen=True)
class Goal:
    """At least `at_least` in `speed(ours) / speed(peer)`; speed is work over seconds.

    With equal work (the default) that is a plain ratio of times; with floating-point operations as
    work and a matrix product as peer it is the fraction of a limit.
    """

    name: str
    ours: str
    peer: str
    at_least: float | None = None  # None: printed, not judged

    @property
    def lowest(self) -> float | None:
        """The ratio below which CI fails, at its tiny size."""
        return self.at_least / 2 if self.at_least else None


@dataclass(frozen=True)
class Suite:
    """Cases of one path. `check(outputs)` raises when a case does not agree with the oracle."""

    name: str
    cases: dict[str, Callable[[], Any]]
    check: Callable[[dict[str, Any]], dict[str, float]]
    goals: list[Goal]
    work: dict[str, float] = field(default_factory=dict)
    rounds: int | None = None  # at most so many
    clock: Callable[[], float] = cpu_seconds
    skipped: dict[str, str] = field(default_factory=dict)  # what is not measured here, and why


def measure(suite: Suite, rounds: int) -> dict[str, Any]:
    """Check every case once against the oracle, then time them in alternating order."""
    rounds = min(rounds, suite.rounds or rounds)
    outputs = {}
    for name, case in suite.cases.items():
        outputs[name] = case()
        _tell(f"{suite.name}: {name}, for the check")
    agreement = suite.check(outputs)
    del outputs
    seconds = dict.fromkeys(suite.cases, float("inf"))
    for turn in range(rounds):
        for name in list(suite.cases)[:: 1 if turn % 2 == 0 else -1]:
            start = suite.clock()
            suite.cases[name]()
            took = suite.clock() - start
            seconds[name] = min(seconds[name], took)
            _tell(f"{suite.name}: {name}, round {turn + 1} of {rounds}, {took:.3f} s")
    speed = {name: suite.work.get(name, 1.0) / max(s, 1e-9) for name, s in seconds.items()}
    ratios = [
        {"name": g.name, "value": speed[g.ours] / speed[g.peer], "goal": g.at_least}
        | {"lowest": g.lowest}
        for g in suite.goals
    ]
    measured = {"suite": suite.name, "seconds": seconds, "agreement": agreement, "ratios": ratios}
    return measured | {"skipped": suite.skipped}


def _tell(line: str) -> None:
    """Progress: a large case takes a minute."""
    print(line, file=sys.stderr, flush=True)
