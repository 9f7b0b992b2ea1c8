"""What models of a time to an event share: the partial likelihood and the baseline hazard.

`y (N, 3)` is entry, time and event, as in `bioloom.metrics.survival`. Where events compete a model
learns the hazard of each cause, and answers with the share to whom the event happens first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bioloom.metrics.survival import ENTRY, EVENT, TIME, incidence_of


@dataclass(frozen=True)
class RiskSets:
    """Who is at risk at each time of an event (E of them), as sums over sorted rows.

    `times (E,)`, `events (E,)`; `by_time`, `by_entry (N,)` sort the rows, `left`, `entered (E,)`
    are where among them those begin that are still there, and end that have come.
    """

    times: np.ndarray
    events: np.ndarray
    place: np.ndarray
    by_time: np.ndarray
    by_entry: np.ndarray
    left: np.ndarray
    entered: np.ndarray
    first: np.ndarray
    last: np.ndarray
    late: bool

    @classmethod
    def of(cls, y: np.ndarray) -> RiskSets:
        """The risk sets of these outcomes."""
        event = y[:, EVENT] == 1
        times, place = np.unique(y[event, TIME], return_inverse=True)
        events = np.bincount(place, minlength=len(times)).astype(float)
        by_time, by_entry = np.argsort(y[:, TIME]), np.argsort(y[:, ENTRY])
        left = np.searchsorted(y[by_time, TIME], times, side="left")
        entered = np.searchsorted(y[by_entry, ENTRY], times, side="left")
        # the events that a row is at risk of: those after its entry, up to its time
        first = np.searchsorted(times, y[:, ENTRY], side="right")
        last = np.searchsorted(times, y[:, TIME], side="right")
        where = np.full(len(y), -1)
        where[event] = place
        late = bool(np.isfinite(y[:, ENTRY]).any())
        return cls(times, events, where, by_time, by_entry, left, entered, first, last, late)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """The sum of values (N, ...) over those at risk at each time, (E, ...).

        From the end: what is left of a cohort is not what a large value of long ago lets through.
        """
        still = _from_the_end(values[self.by_time])[self.left]
        if self.late:
            # who is still there, but for those who come later
            still = still - _from_the_end(values[self.by_entry])[self.entered]
        return still

    def spread(self, values: np.ndarray) -> np.ndarray:
        """The sum of values (E,) over the events that each row is at risk of, (N,)."""
        total = np.concatenate([[0.0], np.cumsum(values)])
        return total[self.last] - total[self.first]


def _from_the_end(values: np.ndarray) -> np.ndarray:
    """Sums of the last N, N - 1, ... 0 of the values (N, ...), (N + 1, ...)."""
    nothing = np.zeros((1, *values.shape[1:]))
    return np.concatenate([np.cumsum(values[::-1], axis=0)[::-1], nothing])


def partial_likelihood(score: np.ndarray, sets: RiskSets) -> tuple[float, np.ndarray, np.ndarray]:
    """Minus the log partial likelihood of scores (N,); its gradient, and the events expected (N,).

    The gradient is the events expected of a row less those seen. Ties as Breslow has them (Cox
    1972, J R Stat Soc B 34, 187; Breslow 1974, Biometrics 30, 89).
    """
    hazard = np.exp(score - score.max())
    total = np.maximum(sets.sums(hazard), 1e-300)
    event = sets.place >= 0
    loss = (sets.events * (np.log(total) + score.max())).sum() - score[event].sum()
    expected = hazard * sets.spread(sets.events / total)
    return float(loss), expected - event, expected


def baseline_hazard(score: np.ndarray, sets: RiskSets, when: np.ndarray) -> np.ndarray:
    """Breslow's cumulative hazard of a row of score 0 at the times `when`, (K,)."""
    total = np.maximum(sets.sums(np.exp(score)), 1e-300)
    hazard = np.concatenate([[0.0], np.cumsum(sets.events / total)])
    return hazard[np.searchsorted(sets.times, when, side="right")]


def free_of(hazards: list[np.ndarray]) -> np.ndarray:
    """The share to whom the event has not happened by each time, (N, K).

    Of the cumulative hazards (N, K) of the event and of what competes with it, if anything does.
    """
    return np.exp(-hazards[0]) if len(hazards) == 1 else 1 - incidence_of(*hazards)
