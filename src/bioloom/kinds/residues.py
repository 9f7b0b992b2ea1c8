"""A class a residue, such as its secondary structure: letters as long as the sequence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bioloom.arrays import Ragged, residues_of
from bioloom.errors import DataError
from bioloom.kinds import HeldOut, TestSet, _classes, multiclass
from bioloom.kinds._rows import Truth, join
from bioloom.metrics import Scores, classification, coverage, segments
from bioloom.samples import RESIDUE_LABELS


def fits(samples: pd.DataFrame) -> bool:
    """Whether residues have labels."""
    return RESIDUE_LABELS in samples


def outputs(samples: pd.DataFrame, positive: str | None) -> list[str]:
    """The letters that occur."""
    lengths = samples[RESIDUE_LABELS].str.len()
    if (lengths != samples["sequence"].str.len()).any():
        raise DataError("Labels and sequence differ in length", column=RESIDUE_LABELS)
    letters = sorted(set("".join(samples[RESIDUE_LABELS])))
    if len(letters) < 2:
        raise DataError("All residues are of one class", column=RESIDUE_LABELS)
    return letters


def encode(samples: pd.DataFrame, classes: list[str]) -> Ragged:
    """The code of each residue's letter."""
    letters = pd.Series(list("".join(samples[RESIDUE_LABELS])), name=RESIDUE_LABELS, dtype=object)
    offsets = np.concatenate([[0], np.cumsum(samples[RESIDUE_LABELS].str.len())])
    return Ragged(_classes.codes(letters, classes), offsets)


def rows(samples: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """`sample_id, position, residue` of each residue."""
    lengths = samples["sequence"].str.len().to_numpy()
    table = pd.DataFrame(residues_of(samples["sample_id"].to_numpy(), lengths))
    return table.assign(residue=np.array(list("".join(samples["sequence"]))))


def unanswered(ids: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """A row a sample, of no residue."""
    return pd.DataFrame({"sample_id": ids, "position": 0})


def test_set(test: pd.DataFrame, held_out: pd.DataFrame, options: dict[str, Any]) -> TestSet:
    """A row a residue, chain after chain, with the segment overlap of each chain at its first."""
    classes = _classes.classes_of(held_out)
    truth = encode(test, classes)
    placed = residues_of(np.arange(len(test)), truth.lengths)
    at, place = placed["sample_id"], pd.DataFrame({"position": placed["position"]})

    def said(table: pd.DataFrame, joined: Truth, model: str) -> dict[str, Any]:
        columns = _classes.said(table, joined, model)
        overlap = np.full(len(at), np.nan)
        called = Ragged(columns["call"], truth.offsets)
        chains = [segments.segment_overlap(truth.item(i), called.item(i)) for i in range(len(test))]
        overlap[truth.offsets[:-1]] = chains
        return columns | {"own": columns.get("own", {}) | {"sov": overlap}}

    return join(Truth(test, truth.values, classes, at=at, place=place), held_out, said)


def score(rows: HeldOut, weights: np.ndarray) -> Scores:
    """Metrics of classes without those of a ranking: Q3 is the accuracy over three states."""
    found = classification.call_scores_of_classes(rows.y, rows.call, rows.p, weights)
    return found | coverage.coverage(rows.inside, weights)


kind = replace(
    multiclass.kind,
    name="residues",
    unit="residue",
    keys=("sample_id", "position"),
    fits=fits,
    outputs=outputs,
    encode=encode,
    rows=rows,
    unanswered=unanswered,
    test_set=test_set,
    score=score,
    metrics=(
        *segments.METRICS,
        *classification.macro_metrics("auroc", "auprc"),
        *coverage.METRICS,
    ),
    primary="accuracy",
    plots=(*_classes.PLOTS, "per_class"),
)
