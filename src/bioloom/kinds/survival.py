"""The time to an event, which of some samples is only known to be longer: a survival curve each.

Samples have `label.time` and `label.event`, and where rows come under observation late
`label.entry`; `label.competing` says that another event ended the time. A curve is then the share
to whom the event has not happened, and a risk by a horizon its cumulative incidence.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.kinds import Calibration, HeldOut, Kind, Labels, Learnt, TestSet, _classes
from bioloom.kinds._rows import Truth, check_complete, join
from bioloom.metrics import Scores, survival
from bioloom.samples import COMPETING, ENTRY, EVENT, TIME

GRID = 25  # times at which a curve is known
STILL_AT_RISK = 0.05  # share of rows that a curve ends with, and at least
FEWEST_AT_RISK = 10
SEEN_BY_HORIZON = 0.8  # share of the events, where no horizon is declared
COMPETE = (
    "risks and curves (`free`) are of the event before any that competes (cumulative incidence), "
    "and who had another one counts in all scores as one who never has it"
)
FREE, RISK = "free.", "risk."


def fits(samples: pd.DataFrame) -> bool:
    """Whether samples have a time and an event."""
    return {EVENT, TIME} <= set(samples)


def encode(samples: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Entry (-inf where from the start), time, whether the event was seen, (N, 3).

    Where events compete also whether another one ended the time, (N, 4).
    """
    table = samples[[TIME, EVENT]]
    if table.isna().to_numpy().any():
        raise DataError("a sample has no time or no event", hint="clean drops these")
    time, event = (table[name].to_numpy(float) for name in table)
    entry = np.full(len(table), -np.inf)
    if ENTRY in samples:
        entered = samples[ENTRY].to_numpy(float)
        entry = np.where(entered > 0, entered, -np.inf)
    other = [samples[COMPETING].to_numpy(float)] if COMPETING in samples else []
    return np.column_stack([entry, time, event, *other])


def outputs(samples: pd.DataFrame, positive: str | None) -> list[str]:
    """The times at which curves are given: quantiles of those of events, to three digits.

    None is later than the time at which enough rows are still at risk to say anything of it.
    """
    y = encode(samples, [])
    if not y[:, 2].any():
        raise DataError("No event was seen", column=EVENT, hint="which value is the event?")
    quantiles = np.quantile(y[y[:, 2] == 1, 1], np.linspace(0.02, 1, GRID))
    last = longest(y[:, 1])
    times = {float(f"{time:.3g}") for time in [*quantiles, last]}
    return [f"{time:g}" for time in sorted(times) if 0 < time <= last]


def longest(times: np.ndarray) -> float:
    """The latest time that enough of the rows (N,) reached: later, few stand for all."""
    times = np.sort(times)
    few = max(FEWEST_AT_RISK, int(STILL_AT_RISK * len(times)))
    last = times[max(len(times) - few, 0)]
    scale = 10.0 ** np.floor(np.log10(last) - 2) if last > 0 else 1.0
    return float(f"{np.floor(last / scale) * scale:.3g}")


def when(names: list[str]) -> np.ndarray:
    """The times that outputs name, (K,)."""
    return np.array([float(name) for name in names])


def calibrate(raw: np.ndarray, y: np.ndarray, labels: Labels, learnt: Learnt) -> Calibration:
    """The horizons: those declared, or one by which most events were seen.

    Curves stay as they are: over training rows they expect the events that were seen, and valid
    rows are too few to know better. DataError for a horizon later than rows were followed.
    """
    times = when(labels.outputs)
    for horizon in labels.horizons or ():
        if horizon > min(times[-1], learnt.y[:, 1].max()):
            raise DataError(
                f"`horizons`: too few rows were followed to {horizon:g}",
                hint=f"the largest one is {times[-1]:g}",
            )
    # One for all partitions, whose risks are pooled: it is no more than where to look.
    horizons = sorted(labels.horizons or [_horizon(np.asarray(labels.y), times)])
    return Calibration(horizons=horizons)


def _horizon(y: np.ndarray, times: np.ndarray) -> float:
    """The first of the times by which most of the events were seen."""
    seen = y[y[:, 2] == 1, 1]
    wanted = np.quantile(seen, SEEN_BY_HORIZON) if len(seen) else times[-1]
    return float(times[min(np.searchsorted(times, wanted), len(times) - 1)])


def scores(raw: np.ndarray, calibration: Calibration) -> np.ndarray:
    """The shares without the event as they are, (N, K)."""
    return raw


def decide(scores: np.ndarray, calibration: Calibration) -> np.ndarray:
    """The one output: the curve, (N,)."""
    return np.zeros(len(scores), dtype=int)


def answer(scores: np.ndarray, names: list[str], calibration: Calibration) -> pd.DataFrame:
    """`prediction` (the risk by the last horizon), `risk.<horizon>`, `median`, `free.<time>`.

    The median is the first time by which half have had the event, none where no time is.
    """
    times = when(names)
    columns = {}
    for horizon in calibration.horizons:
        by = survival.hazard_at(scores, times, np.full(len(scores), horizon))
        columns[f"{RISK}{horizon:g}"] = -np.expm1(-by)
    half = scores <= 0.5
    median = np.where(half.any(axis=1), times[half.argmax(axis=1)], np.nan)
    last = list(columns.values())[-1]
    table = pd.DataFrame({"prediction": last, **columns, "median": median})
    return table.assign(**{f"{FREE}{name}": scores[:, i] for i, name in enumerate(names)})


def loss(scores: np.ndarray, y: np.ndarray) -> float:
    """1 - C: the share of pairs in the wrong order."""
    risk = -np.log(np.clip(scores, 1e-9, 1)).sum(axis=1)
    return float(1 - survival.concordance(y, risk, np.ones((len(y), 1)))[0])


def as_number(y: np.ndarray) -> np.ndarray:
    """One number a row, by which columns may be chosen, (N,): events seen less events expected.

    That is the martingale residual of no model (Therneau et al. 1990, Biometrika 77, 147).
    """
    times, events, _, at_risk = survival.life_table(y)
    hazard = np.concatenate([[0.0], np.cumsum(events / np.maximum(at_risk, 1))])
    entry, end = (hazard[np.searchsorted(times, y[:, i], side="right")] for i in (0, 1))
    return y[:, 2] - (end - entry)


def test_set(test: pd.DataFrame, held_out: pd.DataFrame, options: dict[str, Any]) -> TestSet:
    """Test rows with time and event."""
    names = [name.removeprefix(FREE) for name in map(str, held_out) if name.startswith(FREE)]
    y = encode(test, [])
    joined = join(Truth(test, y, names), held_out, said)
    if COMPETING in test:
        tables = {"cumulative_incidence": incidence(y, when(names))}
        joined = replace(joined, tables=tables, flags=[COMPETE])
    return joined


def incidence(y: np.ndarray, times: np.ndarray) -> pd.DataFrame:
    """`event, time, incidence, one_minus_kaplan_meier` of the event and of those that compete."""
    cause = survival.cause_of(y)
    shares = survival.aalen_johansen(y, cause, times)
    tables = []
    for number, (name, share) in enumerate(zip(("event", "competing event"), shares, strict=False)):
        own = np.column_stack([y[:, :2], cause == number + 1])
        alone = 1 - survival.kaplan_meier(own, times)
        columns = {"time": times, "incidence": share, "one_minus_kaplan_meier": alone}
        tables.append(pd.DataFrame({"event": name, **columns}))
    return pd.concat(tables, ignore_index=True)


def said(table: pd.DataFrame, truth: Truth, model: str) -> dict[str, Any]:
    """The risk and the curve of one model in the order of the truth, and the curve's times."""
    at, n = truth.places(table, model), len(truth.y)
    risk, free = np.full(n, np.nan), np.full((n, len(truth.outputs)), np.nan)
    risk[at] = table["prediction"].to_numpy(float)
    free[at] = table[[f"{FREE}{name}" for name in truth.outputs]].to_numpy(float)
    check_complete(~np.isfinite(free), model)
    facts = {"when": np.tile(when(truth.outputs), (n, 1))}
    for name in [name for name in map(str, table) if name.startswith(RISK)]:
        by = np.full(n, np.nan)
        by[at] = table[name].to_numpy(float)
        facts[name] = truth.level(by)
    return {
        "call": truth.level(risk),
        "p": truth.level(free),
        "facts": facts,
    }


def score(rows: HeldOut, weights: np.ndarray) -> Scores:
    """The metrics of a time to an event."""
    return survival.survival_scores(rows.y, rows.call, rows.p, rows.facts["when"][0], weights)


kind = Kind(
    name="survival",
    output="survival",
    unit="sample",
    keys=("sample_id",),
    fits=fits,
    outputs=outputs,
    encode=encode,
    rows=_classes.rows,
    unanswered=_classes.unanswered,
    calibrate=calibrate,
    scores=scores,
    decide=decide,
    answer=answer,
    loss=loss,
    test_set=test_set,
    score=score,
    metrics=survival.METRICS,
    primary="concordance",
    plots=("survival_groups", "risk_calibration"),
    floor="kaplan_meier",
    as_number=as_number,
    horizons=True,
)
