"""Scores of times to an event; see `bioloom.metrics`.

Outcomes are `y (N, 3)`: entry (-inf where a row was followed from the start), time, and whether the
event was seen then (1) or the row was censored (0). A row is at risk at t where entry < t <= time.
Of what happens at one time, events come before censorings. Where other events compete, `y (N, 4)`
says last whether one of them ended the time (1). `free` is the share to whom the event has not
happened by a time: also those to whom another one happened first, who never have it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bioloom.metrics import Metric, Scores
from bioloom.metrics._weighted import ratio

ENTRY, TIME, EVENT, OTHER = range(4)
BLOCK = 1_000  # rows that are paired with all others at once
METRICS = (
    Metric("concordance", "Concordance (Harrell's C)", short="Harrell's C"),
    Metric("integrated_brier", "Integrated Brier score", lower_is_better=True),
    Metric("observed_expected", "Events seen / expected", bounded=False, ordered=False),
)


def life_table(y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The different times, and the events, censorings and rows at risk at each, (T,) each."""
    times, place = np.unique(y[:, TIME], return_inverse=True)
    events = np.bincount(place, y[:, EVENT], len(times))
    censored = np.bincount(place, 1 - y[:, EVENT], len(times))
    entered = np.searchsorted(np.sort(y[:, ENTRY]), times, side="left")
    gone = np.searchsorted(np.sort(y[:, TIME]), times, side="left")
    return times, events, censored, entered - gone


def step(
    factors: np.ndarray, times: np.ndarray, when: np.ndarray, *, before: bool = False
) -> np.ndarray:
    """The product of the factors (T,) of all times up to each `when`, or only before it."""
    place = np.searchsorted(times, when, side="left" if before else "right")
    return np.concatenate([[1.0], np.cumprod(factors)])[place]


def kaplan_meier(y: np.ndarray, when: np.ndarray) -> np.ndarray:
    """The share without the event at the times `when`, (K,).

    Kaplan and Meier 1958, J Am Stat Assoc 53, 457; late entry counts in the rows at risk.
    """
    times, events, _, at_risk = life_table(y)
    return step(1 - events / np.maximum(at_risk, 1), times, when)


def uncensored(y: np.ndarray, when: np.ndarray, *, before: bool) -> np.ndarray:
    """G, the share not censored by the times `when`, (K,), or just before them.

    Whoever had the event at the time of a censoring is no longer at risk of it.
    """
    times, events, censored, at_risk = life_table(y)
    return step(1 - censored / np.maximum(at_risk - events, 1), times, when, before=before)


def aalen_johansen(y: np.ndarray, cause: np.ndarray, when: np.ndarray) -> np.ndarray:
    """The share to whom each of the causes 1 to C had happened first by the times `when`, (C, K).

    `cause (N,)` is 0 where the row was censored. All that happens at one time is of one risk set,
    so that ties are exact, and the shares and `kaplan_meier` of any cause add up to 1 (Aalen and
    Johansen 1978, Scand J Stat 5, 141).
    """
    times, events, _, at_risk = life_table(np.column_stack([y[:, :2], cause > 0]))
    hazard = 1 / np.maximum(at_risk, 1)
    free = step(1 - events * hazard, times, times, before=True)
    place = np.searchsorted(times, y[:, TIME])
    shares = []
    for number in range(1, int(cause.max(initial=1)) + 1):
        rises = free * hazard * np.bincount(place[cause == number], minlength=len(times))
        found = np.concatenate([[0.0], np.cumsum(rises)])
        shares.append(found[np.searchsorted(times, when, side="right")])
    return np.array(shares)


def cause_of(y: np.ndarray) -> np.ndarray:
    """What ended each row, (N,): 0 censored, 1 the event, 2 one that competes with it."""
    other = y[:, OTHER] == 1 if y.shape[1] > OTHER else np.zeros(len(y), dtype=bool)
    return np.where(y[:, EVENT] == 1, 1, np.where(other, 2, 0))


def by_cause(y: np.ndarray) -> list[np.ndarray]:
    """The rows as outcomes (N, 3) of each cause alone, of which all others are censorings."""
    causes = (1, 2) if y.shape[1] > OTHER else (1,)
    return [np.column_stack([y[:, :EVENT], cause_of(y) == cause]) for cause in causes]


def incidence_of(hazard: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The share to whom the event has happened first by each of K times, (N, K).

    Of cumulative hazards at the times, `hazard` of the event and `other` of what competes, (N, K)
    each. Between two times both are taken to rise evenly.
    """
    own = np.diff(hazard, axis=1, prepend=0.0)
    both = own + np.diff(other, axis=1, prepend=0.0)
    free = np.exp(-(np.cumsum(both, axis=1) - both))
    share = np.divide(own, both, out=np.zeros_like(own), where=both > 0)
    return np.cumsum(free * share * -np.expm1(-both), axis=1)


def brier_weights(y: np.ndarray, when: np.ndarray) -> np.ndarray:
    """How much a row counts in the Brier score at each time, (N, K): by inverse of being censored.

    An event by t, of whatever cause, counts 1 / G(T-), a row that outlived t counts 1 / G(t), one
    censored by t counts nothing (Graf et al. 1999, Stat Med 18, 2529).
    """
    ended = np.column_stack([y[:, :EVENT], cause_of(y) > 0])
    time, event = y[:, TIME, None], ended[:, EVENT, None] == 1
    of_event = 1 / uncensored(ended, y[:, TIME], before=True)[:, None]
    outlived = time > when
    of_outlived = 1 / np.where(outlived.any(axis=0), uncensored(ended, when, before=False), 1.0)
    return np.where(outlived, of_outlived, np.where(event, of_event, 0.0))


def had_by(y: np.ndarray, when: np.ndarray) -> np.ndarray:
    """Whether each row had the event by each time, (N, K); of who was censored before it, no."""
    return (y[:, TIME, None] <= when) & (y[:, EVENT, None] == 1)


def brier(
    y: np.ndarray, free: np.ndarray, when: np.ndarray, counts: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The Brier score at each time, (K, B): `free (N, K)` is the predicted share without event.

    `counts (N, K)` are `brier_weights`.
    """
    return (counts * (1.0 - had_by(y, when) - free) ** 2).T @ weights / weights.sum(axis=0)


def integrated(values: np.ndarray, when: np.ndarray) -> np.ndarray:
    """The mean over time of values (K, B) at the times (K,), by trapezia."""
    if len(when) == 1:
        return values[0]
    return np.trapezoid(values, when, axis=0) / (when[-1] - when[0])


def concordance(y: np.ndarray, risk: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Harrell's C, (B,): of pairs whose order is known, in how many the earlier had more risk.

    A pair is an event and a row that outlived it and was at risk then: it had entered before, and
    its own time is later, or the same and censored. Who had a competing event, whenever it was,
    never has this one (Wolbers et al. 2009, Epidemiology 20, 555). Equal risks count half (Harrell
    et al. 1982, JAMA 247, 2543).
    """
    never = cause_of(y) == 2
    right, pairs = np.zeros(weights.shape[1]), np.zeros(weights.shape[1])
    for rows in _blocks(np.flatnonzero(y[:, EVENT] == 1)):
        time, other = y[rows, TIME, None], y[:, TIME]
        later = (other > time) | ((other == time) & (y[:, EVENT] == 0)) | never
        known = (later & (y[:, ENTRY] < time)).astype(float)
        more = (np.sign(risk[rows, None] - risk) + 1) / 2
        pairs += np.einsum("ib,ib->b", weights[rows], known @ weights)
        right += np.einsum("ib,ib->b", weights[rows], (known * more) @ weights)
    return ratio(right, pairs)


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), BLOCK):
        yield rows[start : start + BLOCK]


def hazard_at(free: np.ndarray, when: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Cumulative hazards at one time a row, (N,), between those of `free (N, K)` at `when (K,)`.

    It starts with 0 at time 0, or at the first of `when` where that is earlier; -inf has none.
    """
    known = -np.log(np.clip(free, 1e-9, 1.0))
    start = min(0.0, float(when[0]) - 1e-9)
    place = np.clip(np.searchsorted(when, times, side="right"), 0, len(when) - 1)
    left = np.where(place > 0, when[place - 1], start)
    before = np.where(place > 0, known[np.arange(len(free)), place - 1], 0.0)
    after = known[np.arange(len(free)), place]
    share = np.clip((times - left) / (when[place] - left), 0.0, 1.0)
    return np.where(np.isneginf(times), 0.0, before + share * (after - before))


def expected(y: np.ndarray, free: np.ndarray, when: np.ndarray) -> np.ndarray:
    """The events that a prediction expects of each row between its entry and its time, (N,).

    Nothing is expected after the last of the times.
    """
    entry, end = (hazard_at(free, when, y[:, column]) for column in (ENTRY, TIME))
    return end - entry


def survival_scores(
    y: np.ndarray, risk: np.ndarray, free: np.ndarray, when: np.ndarray, weights: np.ndarray
) -> Scores:
    """C of `risk (N,)`; of `free (N, K)` at `when` events seen over expected, and the Brier score.

    The latter is not defined where rows enter late: who was not there cannot stand for the
    censored. Where events compete, seen and expected are those by the last time that is followed,
    the censored weighted for as well.
    """
    found = {"concordance": concordance(y, risk, weights)}
    followed = when < y[:, TIME].max(initial=-np.inf)  # later, nobody tells
    compete = y.shape[1] > OTHER
    if np.isneginf(y[:, ENTRY]).all() and followed.any():
        times, curves = when[followed], free[:, followed]
        counts = brier_weights(y, times)
        scores = brier(y, curves, times, counts, weights)
        found["integrated_brier"] = integrated(scores, times)
        if compete:
            had = (counts * had_by(y, times))[:, -1] @ weights
            found["observed_expected"] = ratio(had, (1 - curves[:, -1]) @ weights)
    if compete:
        return found
    seen = (y[:, EVENT] * (y[:, TIME] <= when[-1])) @ weights
    found["observed_expected"] = ratio(seen, expected(y, free, when) @ weights)
    return found
