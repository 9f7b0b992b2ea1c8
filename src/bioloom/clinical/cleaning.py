"""Patients cleaned: rows without label, values out of range, rare classes and categories."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from bioloom.clinical.table import FREE_TEXT
from bioloom.errors import DataError, in_yaml
from bioloom.options import Option, complete_options
from bioloom.privacy.small_cells import FEW, count_shown
from bioloom.samples import (
    EVENT,
    PATIENT,
    Cleaned,
    feature_columns,
    label_columns,
    persons,
    text_columns,
)
from bioloom.samples.cleaning import (
    drop_columns,
    drop_rows,
    label_rules,
    require_labels,
    without_rare_labels,
)
from bioloom.samples.columns import is_number

CLEAN: dict[str, Any] = {
    "drop": Option([], about="columns that are no features"),
    "ranges": Option(
        {}, about="column to [lowest, highest], null for no limit; values beyond are missing"
    ),
    "max_categories": Option(50, about="different texts of a category"),
    "min_class_size": Option(1, about="patients of a class; rarer ones are dropped"),
    "min_category_size": Option(FEW, minimum=1, about="patients of a category; rarer ones are one"),
}
RARE = "other (rare)"
"""The category of those that fewer patients have than `min_category_size`."""


def clean_patients(raw: pd.DataFrame, options: dict[str, Any]) -> Cleaned:
    """Leave out rows without label and the `drop` columns; what is out of range becomes missing."""
    options = complete_options(options, CLEAN, "clean")
    notes: list[str] = []
    labelled = bool(label_columns(raw))
    samples = drop_columns(raw, options["drop"], training=labelled)
    samples, out_of_range = _within(samples, options["ranges"])
    notes += out_of_range
    if EVENT not in samples:  # which is no label that a patient has or not
        samples, left_out = without_rare_labels(samples, options["min_class_size"], private=True)
        notes += left_out
    rules = label_rules(samples, options["min_class_size"]) if labelled else {}
    samples, dropped = drop_rows(samples, rules)
    if labelled:
        require_labels(samples)
    features, texts = feature_columns(samples), text_columns(samples)
    _check_categories(samples, features, options["max_categories"])
    if labelled:
        samples, rare = _without_rare(samples, features, options["min_category_size"])
        notes += rare
        _check_texts(samples, texts)
    columns = [*features, *texts]
    copies = samples.duplicated(columns).sum() if columns else 0
    if copies:
        notes.append(f"{count_shown(copies)} rows have the same values as an earlier one")
    others = [name for name in (PATIENT, "sample_weight") if name in samples]
    samples = samples[["sample_id", *label_columns(samples), "group", *others, *columns]]
    return Cleaned(samples, dropped, notes)


def _within(samples: pd.DataFrame, ranges: Mapping[str, Any]) -> tuple[pd.DataFrame, list[str]]:
    """Values outside `ranges` (column -> [lowest, highest]) made missing, and how many."""
    notes = []
    for name, given in ranges.items():
        low, high = _limits(name, given)
        if name not in samples or not is_number(samples[name]):
            raise DataError("`clean: ranges` needs a column of numbers", column=name)
        outside = samples[name].notna() & ~samples[name].between(low, high)
        samples = samples.assign(**{name: samples[name].mask(outside)})
        if outside.any():
            count = count_shown(outside.sum())
            notes.append(f"{count} values of {name} outside {low} to {high} are missing")
    return samples, notes


def _limits(name: str, given: Any) -> tuple[float, float]:
    """The lowest and the highest value of a column; null is no limit."""
    numeric = isinstance(given, list) and all(
        end is None or (isinstance(end, int | float) and not isinstance(end, bool)) for end in given
    )
    if numeric and len(given) == 2:
        low, high = given
        low, high = -math.inf if low is None else low, math.inf if high is None else high
        if low <= high:
            return low, high
    raise DataError(
        f"`clean: ranges` has {given!r} for {name}",
        hint="write `[lowest, highest]`, numbers, or null where there is no limit",
    )


def _check_categories(samples: pd.DataFrame, features: list[str], most: int) -> None:
    """A text with many different values is no category, and may identify a person."""
    for name in features:
        if is_number(samples[name]):
            continue
        if (different := samples[name].nunique()) > most:
            raise DataError(
                f"{different} different texts are too many for a category",
                column=name,
                hint=f"leave it out with `clean: {{drop: [{in_yaml(name)}]}}`, raise "
                f"max_categories, or make it free text: `types: {{{in_yaml(name)}: {FREE_TEXT}}}`",
            )


def _without_rare(
    samples: pd.DataFrame, features: list[str], least: int
) -> tuple[pd.DataFrame, list[str]]:
    """Categories of fewer than `least` patients as one, for a model keeps their names; and notes.

    New data keep theirs: the model has not seen a rare one, and says so.
    """
    changed, notes = dict[str, pd.Series](), list[str]()
    for name in features:
        if is_number(samples[name]):
            continue
        patients = persons(samples).groupby(samples[name]).nunique()
        rare = patients.index[patients < least]
        if len(rare):
            changed[name] = samples[name].mask(samples[name].isin(rare), RARE)
            notes.append(f"{len(rare)} categories of {name} that few patients have are one")
    return samples.assign(**changed), notes


def _check_texts(samples: pd.DataFrame, texts: list[str]) -> None:
    """Nothing can be learnt of free text that no patient has."""
    for name in texts:
        if samples[name].isna().all():
            raise DataError("No row has a text", column=name, hint="leave it out by `clean: drop`")
