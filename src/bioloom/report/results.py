"""The result of a task: its score beside the best baseline's, as overview and record have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from bioloom.kinds import get_kind
from bioloom.metrics import Metric

VERDICTS = {
    "better": "better",
    "equal": "no better",
    "worse": "worse",
    "none": "too few groups",
}
"""In a word or two; metrics.json has the sentence."""


@dataclass(frozen=True)
class Result:
    """What metrics.json says of a task first: the metric that decides, and the difference.

    `low`, `high` and those of the difference are None where resampling gives none; all of the
    baseline is None where there is none to compare with.
    """

    task: str
    title: str
    metrics: dict[str, Any]

    @property
    def application(self) -> str:
        """The name of its application."""
        return self.metrics["application"]

    @property
    def metric(self) -> Metric:
        """The metric that decides."""
        return get_kind(self.metrics["kind"]).metric(self.metrics["primary"])

    @property
    def value(self) -> float:
        """The score of the task's model."""
        return self.metrics["test"][self.metric.name]

    @property
    def low(self) -> float | None:
        """The lower end of its 95 % interval."""
        return self.metrics["test"].get(f"{self.metric.name}_low")

    @property
    def high(self) -> float | None:
        """The upper end."""
        return self.metrics["test"].get(f"{self.metric.name}_high")

    @property
    def difference(self) -> dict[str, Any]:
        """Of the model to the best baseline: `against, value` and, where known, `low, high`."""
        return self.metrics.get("difference") or {}

    @property
    def against(self) -> str | None:
        """The best baseline."""
        return self.difference.get("against")

    @property
    def baseline(self) -> float | None:
        """Its score."""
        scores = self.metrics["baselines"].get(self.against, {})
        return scores.get(self.metric.name)

    @property
    def naive(self) -> float | None:
        """The score of the naive model."""
        return self.metrics["baselines"].get("naive", {}).get(self.metric.name)

    @property
    def outcome(self) -> str:
        """A key of VERDICTS."""
        return self.metrics["outcome"]

    @property
    def verdict(self) -> str:
        """What the difference says."""
        return VERDICTS[self.outcome]

    @property
    def record(self) -> dict[str, Any]:
        """What a text that quotes the result is compared with: numbers to five decimals."""
        name = self.metric.name
        ends = {"value": self.value, "low": self.low, "high": self.high}
        baselines = {
            baseline: scores[name]
            for baseline, scores in self.metrics["baselines"].items()
            if name in scores
        }
        return {
            "metric": self.metric.label,
            **_rounded(ends),
            "baselines": _rounded(baselines),
            "difference": _rounded(self.difference),
            "verdict": self.verdict,
        }


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: round(v, 5) if isinstance(v, float) else v for k, v in values.items()}


def scales(results: Iterable[Result]) -> dict[Metric, tuple[float, float]]:
    """The worst and the best that is drawn of each metric: scores with their ends, and baselines.

    The naive score is in it, so that how far a score is from it shows of a single task, too.
    """
    seen: dict[Metric, list[float]] = {}
    for result in results:
        drawn = (result.value, result.low, result.high, result.baseline, result.naive)
        known = [value for value in drawn if value is not None and isfinite(value)]
        seen.setdefault(result.metric, []).extend(known)
    return {
        metric: (max(values), min(values)) if metric.lower_is_better else (min(values), max(values))
        for metric, values in seen.items()
        if values
    }
