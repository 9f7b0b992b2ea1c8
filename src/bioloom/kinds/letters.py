"""The true letter at each position of a read, of which most are as they were read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bioloom.arrays import residues_of
from bioloom.errors import DataError
from bioloom.kinds import HeldOut, TestSet, _classes, residues
from bioloom.kinds._rows import Truth, join
from bioloom.metrics import Scores, correction, coverage
from bioloom.samples import RESIDUE_LABELS

BASES = "ACGT"
READ = "read"
"""The column of held-out rows and predictions with the letter that was read."""


def outputs(samples: pd.DataFrame, positive: str | None) -> list[str]:
    """The four bases."""
    residues.outputs(samples, positive)
    if strange := sorted(set("".join(samples[RESIDUE_LABELS])) - set(BASES)):
        raise DataError(f"{strange[0]!r} is none of the bases {BASES}", column=RESIDUE_LABELS)
    return list(BASES)


def rows(samples: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """`sample_id, position, read` of each letter."""
    return residues.rows(samples, classes).rename(columns={"residue": READ})


def test_set(test: pd.DataFrame, held_out: pd.DataFrame, options: dict[str, Any]) -> TestSet:
    """A row a letter."""
    truth = residues.encode(test, list(BASES))
    placed = residues_of(np.arange(len(test)), truth.lengths)
    place = pd.DataFrame({"position": placed["position"]})
    known = Truth(test, truth.values, list(BASES), at=placed["sample_id"], place=place)

    def said(table: pd.DataFrame, joined: Truth, model: str) -> dict[str, Any]:
        read = np.full(len(joined.rows), -1)
        read[joined.places(table, model)] = pd.Index(list(BASES)).get_indexer(pd.Index(table[READ]))
        return _classes.said(table, joined, model) | {"facts": {"wrong": read != joined.y}}

    return join(known, held_out, said)


def score(rows: HeldOut, weights: np.ndarray) -> Scores:
    """What correction did, and how often sets hold the truth."""
    scores = correction.correction_scores(rows.facts["wrong"], rows.call != rows.y, weights)
    return scores | coverage.coverage(rows.inside, weights)


kind = replace(
    residues.kind,
    name="letters",
    keys=("sample_id", "position", READ),
    outputs=outputs,
    rows=rows,
    test_set=test_set,
    score=score,
    metrics=(*correction.METRICS, *coverage.METRICS),
    primary="gain",
    plots=("confusion",),
    floor="as_read",
)
