"""What is drawn of times to an event: curves of risk groups, and calibration at horizons."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioloom.kinds import TestSet
from bioloom.metrics.survival import cause_of, kaplan_meier, life_table

GROUPS = ("low risk", "middle risk", "high risk")
BINS = 5
FEWEST = 10  # rows of a bin
RISK = "risk."
Z, TAIL = 1.959964, 0.025  # of 95 %


def survival_groups(test: TestSet, draws: np.ndarray) -> pd.DataFrame:
    """`group, time, observed, low, high, predicted, n` of thirds of the test rows by their risk.

    Kaplan-Meier with intervals beside the mean of the model's curves; of the first repeat, and NaN
    from where on nobody of the third was followed. Where
    events compete it is 1 - the share to whom the event happened first (Aalen and Johansen).
    """
    [rows, *_] = test.models["model"]
    when = np.array([float(name) for name in test.outputs])
    third = _parts(rows.call, len(GROUPS))
    tables = []
    for number, name in enumerate(GROUPS):
        inside = third == number
        if inside.sum() < FEWEST:
            continue
        known = np.where(followed(rows.y[inside], when), 1.0, np.nan)
        observed, low, high = free_interval(rows.y[inside], when)
        curves = {"observed": observed * known, "low": low * known, "high": high * known}
        predicted = rows.p[inside].mean(axis=0)
        place = {"group": name, "time": when, **curves, "predicted": predicted}
        tables.append(pd.DataFrame({**place, "n": int(inside.sum())}))
    columns = ["group", "time", "observed", "low", "high", "predicted", "n"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def risk_calibration(test: TestSet, draws: np.ndarray) -> pd.DataFrame:
    """`horizon, predicted, observed, low, high, n` in fifths of the risk by each horizon.

    Observed is 1 - Kaplan-Meier of the rows in the fifth: who was censored is not taken as well.
    Where events compete it is the share to whom the event happened first, by Aalen and Johansen.
    """
    [rows, *_] = test.models["model"]
    found = []
    for name in [name for name in rows.facts if name.startswith(RISK)]:
        horizon, risk = float(name.removeprefix(RISK)), rows.facts[name]
        fifth = _parts(risk, max(1, min(BINS, len(risk) // FEWEST)))
        for number in np.unique(fifth):
            inside = fifth == number
            if inside.sum() < FEWEST:  # equal risks make parts of any size
                continue
            if not followed(rows.y[inside], np.array([horizon])).all():
                continue  # nobody of them so long
            observed, low, high = incidence_interval(rows.y[inside], horizon)
            place = {"horizon": horizon, "predicted": risk[inside].mean(), "observed": observed}
            found.append({**place, "low": low, "high": high, "n": int(inside.sum())})
    return pd.DataFrame(found)


def followed(y: np.ndarray, when: np.ndarray) -> np.ndarray:
    """Whether curves of these rows say anything of the times `when` (K,), beyond being flat.

    They do up to the last time of a row, and behind it where no row is left without an event.
    """
    last = y[:, 1].max(initial=0)
    return (when <= last) | bool((cause_of(y)[y[:, 1] == last] > 0).all())


def free_interval(y: np.ndarray, when: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The share to whom the event has not happened, and its 95 % interval, (K,) each."""
    if not (cause_of(y) == 2).any():
        return kaplan_meier_interval(y, when)
    observed, low, high = np.array([incidence_interval(y, time) for time in when]).T
    return 1 - observed, 1 - high, 1 - low


def _parts(risk: np.ndarray, parts: int) -> np.ndarray:
    """Which of the equally large parts each row is in, (N,); equal risks are in one."""
    edges = np.quantile(risk, np.linspace(0, 1, parts + 1)[1:-1])
    return np.searchsorted(edges, risk, side="left")


def incidence_interval(y: np.ndarray, horizon: float) -> tuple[float, float, float]:
    """The share to whom the event happened first by a horizon, and its 95 % interval.

    The variance is that of Aalen's delta method, which is Greenwood's where nothing competes
    (Marubini and Valsecchi 1995), on the scale of log(-log).
    """
    at = np.array([horizon])
    cause = cause_of(y)
    if not (cause == 2).any():
        observed, high, low = (1 - float(curve[0]) for curve in kaplan_meier_interval(y, at))
        return observed, low, high
    times, ended, _, at_risk = life_table(np.column_stack([y[:, :2], cause > 0]))
    reached = times <= horizon
    times, d, n = times[reached], ended[reached], np.maximum(at_risk[reached], 1)
    own = np.bincount(
        np.searchsorted(times, y[(cause == 1) & (y[:, 1] <= horizon), 1]), minlength=len(times)
    )
    free = np.concatenate([[1.0], np.cumprod(1 - d / n)])[:-1]
    share = np.cumsum(free * own / n)
    total = float(share[-1]) if len(share) else 0.0
    later = total - share
    variance = float(
        (later**2 * d / (n * np.maximum(n - d, 1e-9))).sum()
        + (free**2 * (n - own) * own / n**3).sum()
        - 2 * (later * free * own / n**2).sum()
    )
    if not 0 < total < 1:  # what n rows of one kind allow (exact binomial)
        none = total <= 0
        # Who had the other event, or is watched until then, did not have this one.
        told = (y[:, 1] >= horizon) | (cause == 2) if none else cause == 1
        rows = max(int(told.sum()), 1)
        return total, (0.0 if none else TAIL ** (1 / rows)), (1 - TAIL ** (1 / rows) if none else 1)
    reach = np.exp(Z * np.sqrt(max(variance, 0.0)) / (total * -np.log(total)))
    return total, total**reach, total ** (1 / reach)


def kaplan_meier_interval(
    y: np.ndarray, when: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kaplan-Meier and its 95 % interval at the times `when`, (K,) each.

    Greenwood's variance on the scale of log(-log), which keeps within 0 and 1 (Kalbfleisch and
    Prentice 1980).
    """
    times, events, _, at_risk = life_table(y)
    left = np.maximum(at_risk - events, 1e-9)
    rises = np.cumsum(events / (np.maximum(at_risk, 1) * left))
    variance = np.concatenate([[0.0], rises])[np.searchsorted(times, when, side="right")]
    free = kaplan_meier(y, when)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.exp(Z * np.sqrt(variance) / -np.log(free))
        low, high = free**reach, free ** (1 / reach)
    # Where nobody, or everybody, has had the event: what n rows of one kind allow (exact binomial).
    rows = np.maximum((y[:, 1, None] >= when).sum(axis=0), 1)
    never, always = free == 1, free == 0
    low = np.where(never, TAIL ** (1 / rows), np.where(always, 0.0, low))
    high = np.where(always, 1 - TAIL ** (1 / len(y)), np.where(never, 1.0, high))
    return free, low, high
