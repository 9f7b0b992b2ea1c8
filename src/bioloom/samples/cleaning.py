"""What the applications share: options with defaults, and rows dropped with the reason counted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError, unknown_name
from bioloom.options import Option
from bioloom.privacy.small_cells import FEW, count_shown
from bioloom.samples import feature_columns, label_columns, text_columns
from bioloom.samples.columns import has_classes, is_flag

FEWEST_OF_LABEL = 5
"""Samples that have one of several labels, and that lack it: each part of a split needs both."""

SHORTEST_NAME = 5
"""Letters from which on two names of classes are alike by a slip and not by chance."""
SHORTEST_EXCHANGED = 4
"""The same where two letters are exchanged, and it is no code in capitals."""
SHORT_WORD = 3
"""Letters of a last word that tells grades or types apart, at most."""
SLIP_TIMES = 10
"""How many times as many rows the class has that a slip of the pen was meant for."""

Rules = Mapping[str, Callable[[pd.DataFrame], pd.Series]]


def drop_columns(samples: pd.DataFrame, names: Sequence[str], *, training: bool) -> pd.DataFrame:
    """The samples without the features or texts `names`; DataError for what training data lack.

    New data may lack such a column.
    """
    features = [*feature_columns(samples), *text_columns(samples)]
    for name in names if training else ():
        if name not in features:
            raise unknown_name("feature", name, features, " under `clean: drop`")
    return samples.drop(columns=[name for name in names if name in features])


def drop_rows(samples: pd.DataFrame, rules: Rules) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that no rule marks, and `sample_id, reason` of the others: the first rule's."""
    dropped = [pd.DataFrame({"sample_id": [], "reason": []}, dtype=str)]
    for reason, is_bad in rules.items():
        bad = is_bad(samples).to_numpy(dtype=bool)
        dropped.append(samples.loc[bad, ["sample_id"]].assign(reason=reason))
        samples = samples[~bad]
    return samples.reset_index(drop=True), pd.concat(dropped, ignore_index=True)


LENGTHS = {
    "min_length": Option(1, about="letters"),
    "max_length": Option(None, about="letters"),
    "max_unknown": Option(0.2, about="share of letters that are unknown"),
}
"""Options of `clean` for sequences: letters, and the share of those that are unknown."""


def sequence_rules(
    options: Mapping[str, Any], ambiguous: str, letters: str, *, labelled: bool
) -> Rules:
    """Rules by `LENGTHS`; `ambiguous` is a pattern of unknown letters, and `letters` their name.

    What is too short or too unknown to be learnt from is kept of new data, whose predictions say
    so; `max_length` bounds what is computed, and holds for both.
    """
    longest = options["max_length"] or float("inf")
    rules: Rules = {"no sequence": lambda s: s["sequence"].fillna("").eq("")}
    too_long: Rules = {"longer than max_length": lambda s: s["sequence"].str.len() > longest}
    if not labelled:
        return {**rules, **too_long}
    return {
        **rules,
        "shorter than min_length": lambda s: s["sequence"].str.len() < options["min_length"],
        **too_long,
        f"more unknown {letters} than max_unknown": lambda s: (
            s["sequence"].str.count(ambiguous) > options["max_unknown"] * s["sequence"].str.len()
        ),
    }


def merge_copies(
    samples: pd.DataFrame, usable: np.ndarray, same: Sequence[str] = ("sequence",)
) -> pd.DataFrame:
    """The same rows with the label and weight of all usable copies together: alike in `same`.

    The label is the mean by `sample_weight`, where there is one, and the weight the sum. A copy
    can then be dropped. `usable (N,)` are the rows that have a label and may be used.
    """
    weight = samples.get("sample_weight", pd.Series(1.0, index=samples.index)).where(usable, 0.0)
    values = weight * samples["label"].where(usable, 0.0)
    copies = pd.DataFrame({"value": values, "weight": weight}).groupby(
        [samples[name] for name in same], dropna=False
    )
    total = copies.transform("sum")
    merged = samples.assign(label=samples["label"].mask(usable, total["value"] / total["weight"]))
    if "sample_weight" in samples:
        merged["sample_weight"] = samples["sample_weight"].mask(usable, total["weight"])
    return merged


def merge_labels(samples: pd.DataFrame) -> pd.DataFrame:
    """The same rows with all that any copy of their `sequence` knows of several labels.

    A copy can then be dropped. Copies that contradict each other stay as they are.
    """
    labels = label_columns(samples)
    copies = samples.groupby("sequence", dropna=False)[labels]
    agree = copies.transform("nunique").max(axis=1) <= 1
    known = copies.transform("first")
    return samples.assign(**{name: samples[name].mask(agree, known[name]) for name in labels})


def unlabelled(samples: pd.DataFrame) -> pd.Series:
    """Rows whose label is missing, or all of several labels."""
    return samples[label_columns(samples)].isna().all(axis=1)


def label_rules(samples: pd.DataFrame, min_class_size: int) -> Rules:
    """Rules that drop rows without a label, and of classes rows of a rare one."""
    rules: dict[str, Callable[[pd.DataFrame], pd.Series]] = {"no label": unlabelled}
    if has_classes(samples):
        rules["class smaller than min_class_size"] = rare_class(min_class_size)
    return rules


def rare_class(min_class_size: int) -> Callable[[pd.DataFrame], pd.Series]:
    """A rule: rows of a class with fewer than `min_class_size` rows."""
    return lambda samples: samples["label"].map(samples["label"].value_counts()) < min_class_size


def likely_slips(rows: pd.DataFrame, *, private: bool) -> list[str]:
    """Notes on classes of very few rows whose names are one edit away from that of another class.

    `resistnat` beside `resistant` is likely to be it. Names that differ in digits alone, or are
    shorter than `SHORTEST_NAME`, are often those of grades; of these, `scik` beside `sick` is told.
    Of persons (`private`) the name of a rare class is not shown.
    """
    if not has_classes(rows):
        return []
    counts = rows["label"].dropna().astype("str").value_counts()
    named = {str(name): int(n) for name, n in counts.items() if str(name).strip()}
    notes = []
    for name, count in named.items():
        usual = (other for other, n in named.items() if n >= SLIP_TIMES * count)
        near = next((other for other in usual if _is_one_edit(name, other)), None)
        if count < FEW and near is not None:
            shown = "A class" if private else f"The class {name!r}"
            notes.append(
                f"{shown} of {count_shown(count, private)} rows is called nearly as {near!r}: is "
                "it a slip of the pen? `classes` under the data set renames it"
            )
    return notes


def _is_one_edit(one: str, other: str) -> bool:
    """Whether a letter is another, is left out or put in, or two are exchanged.

    Digits and signs do not count (`HLA-DR+`), nor a short last word, which tells grades and types
    apart (`grade II`, `luminal B`). Short names are one edit apart by an exchange alone.
    """
    *first, last = one.split()
    *other_first, other_last = other.split()
    if first and first == other_first and max(len(last), len(other_last)) <= SHORT_WORD:
        return False
    same = len(os.path.commonprefix([one, other]))
    a, b = one[same:], other[same:]
    exchanged = a[:2] == b[:2][::-1] and a[2:] == b[2:]
    changed = exchanged or a[1:] == b[1:] or a[1:] == b or a == b[1:]
    if min(len(one), len(other)) < SHORTEST_NAME:
        changed = exchanged and len(one) >= SHORTEST_EXCHANGED and not other.isupper()
    return changed and re.sub(r"[\W\d_]", "", one) != re.sub(r"[\W\d_]", "", other)


def require_labels(samples: pd.DataFrame) -> None:
    """Raise DataError unless there are two classes, different numbers, or a label to tell apart."""
    if has_classes(samples):
        require_classes(samples)
    elif (samples[label_columns(samples)].nunique() < 2).all():
        raise DataError(
            f"All {len(samples)} labels are equal",
            column="label",
            hint="look at the label column, and at what quality.json and `clean` drop",
        )


def without_rare_labels(
    samples: pd.DataFrame, min_class_size: int, *, private: bool = False
) -> tuple[pd.DataFrame, list[str]]:
    """The samples without labels that fewer than `min_class_size` have, or lack; and a note.

    It concerns several labels alone; a sample keeps its others. Fewer than `FEWEST_OF_LABEL` are
    too few in any case. The note names what is left out; of persons (`private`) not what one to
    four of them have or lack. DataError where no label is left.
    """
    flags = [name for name in label_columns(samples) if is_flag(samples[name])]
    if not flags:
        return samples, []
    least = max(min_class_size, FEWEST_OF_LABEL)
    counts = pd.DataFrame({name: samples[name].value_counts() for name in flags})
    fewest = counts.reindex([True, False]).fillna(0).min()
    rare = fewest.index[fewest < least]
    if len(rare) == len(flags):
        raise DataError(
            f"There is no label that {least} samples have and {least} samples lack",
            column="label",
            hint="look at `label_separator`, at `clean: min_class_size`, or bring more samples",
        )
    told = [name for name in rare if not private or fewest[name] == 0 or fewest[name] >= FEW]
    names = ", ".join(name.removeprefix("label.") for name in told)
    note = (
        f"{len(rare)} of {len(flags)} labels, which fewer than {least} have or lack, are left out"
        + (f": {names}" if names else "")
    )
    return samples.drop(columns=rare), [note] if len(rare) else []


def require_classes(samples: pd.DataFrame) -> None:
    """Raise DataError unless there are at least two classes."""
    classes = samples["label"].unique()
    if len(classes) < 2:
        got = f"all {len(samples)} samples are {classes[0]!r}" if len(classes) else "no sample"
        raise DataError(
            f"A classification needs two classes, got {got}",
            column="label",
            hint="look at the label column, and at what quality.json and `clean` drop",
        )
