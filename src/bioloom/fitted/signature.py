"""What a model was trained on, saved with it, and the check of new data against it.

A missing or retyped column is refused. Extra columns are left out. What can be embedded but was
never seen (an unknown category, a sequence much longer than any in training, many unknown
residues) keeps its row and gives it a reason to abstain.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from bioloom.errors import DataError, in_yaml
from bioloom.formats.dna import is_dna
from bioloom.samples import OPTION, feature_columns, text_columns
from bioloom.samples.arms import option_columns
from bioloom.samples.columns import categories, is_number

MAX_UNKNOWN_RESIDUES = 0.2
MAX_LENGTH_RATIO = 1.5


def make_signature(samples: pd.DataFrame) -> dict[str, Any]:
    """Type of each column, categories, and the ends of lengths; no other value of a row.

    `samples` are the training rows: what only a valid or test row has was never learnt.
    """
    signature: dict[str, Any] = {}
    for name in feature_columns(samples):
        column = samples[name]
        if name == "sequence":
            lengths = column.str.len()
            ends = {"min_length": int(lengths.min()), "max_length": int(lengths.max())}
            unknown = "N" if is_dna(column) else "X"
            signature[name] = {"type": "sequence", **ends, "unknown": unknown}
        elif is_number(column):
            signature[name] = {"type": "number"}
        else:
            signature[name] = {"type": "category", "values": categories(column)}
    signature |= {name: {"type": "text"} for name in text_columns(samples)}
    # New data must have gone through the same rules.
    return signature | {name: {"type": "option"} for name in option_columns(samples)}


def check_signature(samples: pd.DataFrame, signature: dict[str, Any], file: str | Path) -> None:
    """Refuse new data that lack a column of the training data or give it another type."""
    missing = [name for name in signature if name not in samples]
    if missing:
        shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise DataError(
            f"{len(missing)} columns that the model was trained on are missing: {shown}",
            file=file,
            hint="give the data set the rules that the training data have"
            if missing[0].startswith(OPTION)
            else "new data need the columns of the training data (a missing value may stay empty), "
            "and their data set what made columns there, such as `records` and `landmarks`",
        )
    for name, described in signature.items():
        numeric = is_number(samples[name])
        empty = samples[name].isna().all()
        if not empty and numeric != (described["type"] == "number"):
            raise DataError(
                f"Expected a {described['type']}, got {samples[name].dtype}",
                file=file,
                column=name,
                hint=f"`types: {{{in_yaml(name)}: {described['type']}}}` under the data set, as in "
                "training",
            )


def unknown_columns(samples: pd.DataFrame, signature: dict[str, Any]) -> list[str]:
    """Columns of new data that the model was not trained on; nothing reads them."""
    columns = [*feature_columns(samples), *text_columns(samples)]
    return [name for name in columns if name not in signature]


def reasons_to_abstain(samples: pd.DataFrame, signature: dict[str, Any]) -> pd.Series:
    """For each row the reasons, joined by "; ", or an empty text."""
    reasons = pd.Series([""] * len(samples), index=samples.index)
    for name, described in signature.items():
        for text, rows in _doubts(samples[name], described).items():
            reasons[rows] += f"; {name}: {text}"
    return reasons.str.removeprefix("; ")


def _doubts(column: pd.Series, described: dict[str, Any]) -> dict[str, pd.Series]:
    if described["type"] == "category":
        return {"unknown category": column.notna() & ~column.isin(described["values"])}
    if described["type"] == "sequence":
        length = column.str.len()
        unknown = column.str.count(described["unknown"]) / length.clip(lower=1)
        return {
            "shorter than in training": MAX_LENGTH_RATIO * length < described["min_length"],
            "longer than in training": length > MAX_LENGTH_RATIO * described["max_length"],
            "many unknown residues": unknown > MAX_UNKNOWN_RESIDUES,
        }
    return {}
