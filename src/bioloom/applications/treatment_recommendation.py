"""Treatments of patients: which of several arms of a trial, or of a cohort, to give to whom.

A row is a patient with the arm that was given and its outcome: yes or no, a number, or whether an
event had happened at a horizon. What makes an outcome good, and how arms were assigned, is
declared: nothing of it can be seen in a table. All else is as `bioloom.clinical.table` reads it,
and rules that exclude an arm as `bioloom.clinical.rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.clinical import cleaning, outcomes, rules
from bioloom.clinical import table as clinical
from bioloom.errors import DataError
from bioloom.formats.columns import likely_type, numbers, require_columns, text, without_point
from bioloom.options import Option, complete_options, named_columns
from bioloom.privacy.small_cells import count_shown
from bioloom.samples import EVENT, TIME, Cleaned, Raw, label_columns, persons
from bioloom.samples.arms import (
    ARM,
    HORIZON,
    OUTCOME,
    PROPENSITY,
    SIGN,
    named,
    option_columns,
    word_columns,
)
from bioloom.samples.cleaning import drop_rows

OPTIONS: dict[str, Any] = (
    clinical.OPTIONS
    | rules.OPTIONS
    | outcomes.OPTIONS
    | {
        "assignment": Option(
            None,
            about="how arms were: randomised, observed, or arm to its share of the lots",
            of="labels",
        ),
        "good": Option(
            None,
            type=str,
            about="of a number high or low; of two classes the good one",
            of="labels",
        ),
    }
)
COLUMNS: dict[str, Any] = (
    clinical.COLUMNS
    | rules.COLUMNS
    | {
        "arm": Option(None, about="the treatment that was given", of="labels"),
        "outcome": Option(None, about="a number, or one of two classes", of="labels"),
        "time": Option(
            None,
            several=True,
            about="until the event; of a list, the first event counts",
            of="labels",
        ),
        "event": Option(
            None, several=True, about="what ended the time, of each in its order", of="labels"
        ),
    }
)
CLEAN: dict[str, Any] = cleaning.CLEAN | {
    "min_arm_size": Option(20, minimum=2, about="patients of an arm; fewer stop the run")
}
SIGNS = {"high": 1.0, "low": -1.0}
RANDOMISED, OBSERVED = "randomised", "observed"
UNLIKELY = 1e-4
"""Probability of such counts of arms below which they contradict the ratio that is said."""


def ingest(files: dict[str, Path], options: dict[str, Any]) -> Raw:
    """Patients with what `samples.arms` says of arm, outcome and rules."""
    options = complete_options(options, OPTIONS, "datasets")
    return clinical.read_patients(files, options, COLUMNS, partial(_outcome, files))


def _outcome(
    files: Mapping[str, Path],
    table: pd.DataFrame,
    columns: Mapping[str, Any],
    options: dict[str, Any],
    path: Path,
) -> tuple[pd.DataFrame, list[str]]:
    """Arm, outcome and rules of the rows, and notes; of new data the rules alone."""
    labels, notes, arms = pd.DataFrame(index=table.index), list[str](), None
    if columns["arm"]:
        require_columns(table, [columns["arm"]], path)
        given = without_point(text(table[columns["arm"]]))
        arms = given.value_counts()
        labels[ARM] = given
        outcome, told = _outcomes(table, columns, options, path)
        labels = labels.join(outcome)
        labels[PROPENSITY], assigned = _propensity(given, options["assignment"], path)
        notes = [told, assigned]
    elif any(columns[role] for role in ("outcome", "time", "event")):
        raise DataError(
            "Which column holds the arm?", file=path, hint="name it as `columns: {arm: ...}`"
        )
    excluded = rules.read_exclusions(files, table, options, columns["drugs"], path, arms)
    # Of new patients more is excluded at prediction, by words that training did not have.
    for name in option_columns(excluded) if arms is not None else ():
        count = count_shown(int(excluded[name].notna().sum()))
        notes.append(f"{name.partition('.')[2]} is excluded by a rule for {count} patients")
    return labels.join(excluded), notes


def _outcomes(
    table: pd.DataFrame, columns: Mapping[str, Any], options: Mapping[str, Any], path: Path
) -> tuple[pd.DataFrame, str]:
    """The outcome's columns, and in words what it is and which one is good."""
    timed = bool(columns["time"] or columns["event"])
    if timed == bool(columns["outcome"]):
        raise DataError(
            "What is the outcome?",
            file=path,
            hint="`columns: {outcome: ...}`, or `{time: ..., event: ...}` with a `horizon`",
        )
    good = options["good"]
    if good is None:
        raise DataError(
            "Is a large outcome good? That is not guessed",
            file=path,
            hint="`good: high` or `good: low`; of two classes the name of the good one",
        )
    if timed:
        return _timed(table, columns, options, path)
    for name in ("event", "horizon"):
        if options[name] is not None:
            raise DataError(f"`{name}` is for an outcome of `columns: {{time: ..., event: ...}}`")
    name = columns["outcome"]
    require_columns(table, [name], path)
    if good in SIGNS and likely_type(table[name]) == "number":
        values = pd.DataFrame({OUTCOME: numbers(table[name], path), SIGN: SIGNS[good]})
        return values, f"Outcome: {name}, a number of which a {good} one is good"
    classes = without_point(text(table[name]))
    known = sorted(classes.dropna().unique())
    if len(known) != 2 or good not in known:
        problem = f"there are {len(known)} classes, two are needed"
        raise DataError(
            f"`good: {good}` is no class of the outcome" if len(known) == 2 else problem,
            file=path,
            column=name,
            hint="of two classes `good` names one; of a number it is high or low",
        )
    is_good = classes.eq(good).astype(float).where(classes.notna())
    return pd.DataFrame({OUTCOME: is_good, SIGN: 1.0}), f"Outcome: {name}, of which {good} is good"


def _timed(
    table: pd.DataFrame, columns: Mapping[str, Any], options: Mapping[str, Any], path: Path
) -> tuple[pd.DataFrame, str]:
    """Time and event of the first of several events, and in words what counts."""
    times, events = (
        [given] if isinstance(given, str) else list(given or [])
        for given in (columns["time"], columns["event"])
    )
    if len(times) != len(events):
        raise DataError(
            f"{len(times)} columns of times and {len(events)} of events", hint="name one of each"
        )
    wrong = [name for name in ("event", "horizon") if options[name] is None]
    if wrong or options["good"] not in SIGNS:
        raise DataError(
            "An outcome of times needs `horizon`, `event` and `good`",
            file=path,
            hint='`horizon: 1826` (in the unit of the times), `event: "1"` (what the column of '
            "the event holds where it happened), `good: high` where no event is good",
        )
    if options["competing"]:
        raise DataError(
            "`competing` events have columns of their own here: what happened first counts",
            hint="name them all: `columns: {time: [...], event: [...]}`",
        )
    pairs = [
        outcomes.read_times(table, {"time": when, "event": what, "entry": None}, options, path)[0]
        for when, what in zip(times, events, strict=True)
    ]
    when = pd.concat([pair[TIME] for pair in pairs], axis=1, keys=times)
    seen = pd.concat([pair[EVENT].eq(True) for pair in pairs], axis=1, keys=times)
    # Nobody is followed for the first of several events longer than for each of them.
    first = when.min(axis=1).where(when.notna().all(axis=1))
    happened = (when.eq(first, axis=0) & seen).any(axis=1)
    outcomes.refuse_later(table, named_columns(columns), first, options, path)
    horizon = float(options["horizon"])
    values = {TIME: first, EVENT: happened.astype(float), HORIZON: horizon}
    value = "good" if options["good"] == "high" else "bad"
    told = f"Outcome: no event ({' or '.join(events)}) within {horizon:g}, which is {value}"
    return pd.DataFrame(values).assign(**{SIGN: SIGNS[options["good"]]}), told


def _propensity(arms: pd.Series, assignment: Any, path: Path) -> tuple[pd.Series, str]:
    """The probability with which each row's arm was given, missing where nobody drew lots."""
    sizes = arms.value_counts().sort_index()
    names = list(sizes.index)
    if assignment == OBSERVED:
        told = "Treatment was not randomised: all that is said of it is an association"
        return pd.Series(np.nan, arms.index), told
    if assignment == RANDOMISED:
        assignment = dict.fromkeys(names, 1)
    if not isinstance(assignment, dict) or not assignment:
        raise DataError(
            "How were arms assigned? That is not guessed",
            file=path,
            hint="`assignment: randomised`, with other ratios than equal ones "
            "`assignment: {<arm>: 2, <arm>: 1}`, or `assignment: observed`",
        )
    shares = {str(arm): share for arm, share in assignment.items()}
    if set(shares) != set(names) or not all(_is_share(share) for share in shares.values()):
        raise DataError(
            f"`assignment` needs a number above 0 for each of {named(sizes)}, and no other",
            file=path,
            column=str(arms.name),
        )
    total = sum(shares.values())
    expected = np.array([shares[name] for name in names]) * sizes.sum() / total
    from scipy.stats import chisquare

    if chisquare(sizes.to_numpy(), expected).pvalue < UNLIKELY:
        raise DataError(
            "The numbers of patients contradict the randomisation that is said",
            file=path,
            column=str(arms.name),
            hint="say the ratio, `assignment: {<arm>: 2, <arm>: 1}`, or `assignment: observed`",
        )
    ratio = ", ".join(f"{name} {shares[name]:g}" for name in names)
    known = {name: share / total for name, share in shares.items()}
    return arms.map(known).astype(float), f"Arms were randomised, as {ratio}"


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def clean(raw: pd.DataFrame, options: dict[str, Any]) -> Cleaned:
    """As of patients; of training data rows without arm or outcome are left out, and counted.

    DataError for an arm of few patients, and for a horizon that no patient of an arm is followed
    to.
    """
    options = complete_options(options, CLEAN, "clean")
    least = options["min_arm_size"]
    own = {name: value for name, value in options.items() if name in cleaning.CLEAN}
    samples, dropped = raw, pd.DataFrame({"sample_id": [], "reason": []}, dtype=str)
    if label_columns(raw):
        lacking = {
            f"no {what}": (lambda s, n=name: s[n].isna())
            for name, what in ((ARM, "arm"), (OUTCOME, "outcome"), (TIME, "outcome"))
            if name in raw
        }
        samples, dropped = drop_rows(raw, lacking)
        _check_sizes(samples, least)
        if TIME in samples:
            _check_horizon(samples)
    ruled = [*option_columns(samples), *word_columns(samples)]
    excluded = samples[["sample_id", *ruled]]
    cleaned = cleaning.clean_patients(samples.drop(columns=ruled), own)
    joined = cleaned.samples.merge(excluded, on="sample_id", how="left")
    gone = pd.concat([dropped, cleaned.dropped], ignore_index=True)
    return Cleaned(joined, gone, cleaned.notes)


def _check_sizes(samples: pd.DataFrame, least: int) -> None:
    """Raise DataError for arms of fewer patients than `least`."""
    sizes = persons(samples).groupby(samples[ARM]).nunique()
    if (small := sizes[sizes < least]).size:
        raise DataError(
            f"Fewer than {least} patients each got some of {len(sizes)} arms: {named(small)}",
            column=ARM,
            hint="leave the arm out by `exclude`, or lower `clean: min_arm_size`",
        )


def _check_horizon(samples: pd.DataFrame) -> None:
    """Raise DataError where nobody of an arm is followed to the horizon."""
    horizon, longest = samples[HORIZON].iloc[0], samples.groupby(ARM)[TIME].max().min()
    if longest < horizon:
        raise DataError(
            f"`horizon: {horizon:g}` is past the follow-up of an arm",
            column=TIME,
            hint=f"the largest one is {np.floor(longest):g}",
        )


def defaults(task: dict[str, Any]) -> dict[str, Any]:
    """A forest an arm on all columns, beside a linear model an arm."""
    return {
        "features": {"embedder": "table"},
        "model": {"name": "random_forest", "min_samples_leaf": 10},
        "baselines": {"ridge": {"model": {"name": "logistic_regression"}}},
    }


application = Application(
    kinds=("arms",),
    noun="patients",
    ingest=ingest,
    clean=clean,
    inputs=clinical.patient_columns,
    sources=("clinical",),
    optional_sources=(*clinical.OPTIONAL_SOURCES, *rules.SOURCES),
    knowledge=rules.SOURCES,
    private=True,
    tables=clinical.TABLES | rules.TABLES,
    divided={"clinical": rules.SOURCES},
    options=OPTIONS,
    columns=COLUMNS,
    clean_options=CLEAN,
    defaults=defaults,
)
