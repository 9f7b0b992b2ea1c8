"""How far apart two residues are, in bins; scored chain by chain against the solved structures.

Contacts by C-betas of every test chain; lDDT and TM-score of the C-alpha traces that `folding`
makes of the distances, for the first chains only, beside a random coil that knows no distance.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from bioloom.arrays import Ragged
from bioloom.errors import DataError
from bioloom.kinds import RERUN, ROW, Calibration, HeldOut, TestSet, multiclass
from bioloom.metrics import Scores, structures
from bioloom.metrics.structures import METRICS, contact_precision, lddt, tm_score
from bioloom.samples import COORDINATES
from bioloom.structures.distances import (
    BINS,
    CONTACT,
    distance_bins,
    pair_counts,
    pair_offsets,
    pairs_of,
    pairwise,
    square,
    summarise,
    upper,
)
from bioloom.structures.folding import fold, random_coil, trace_distances

COIL = "random_coil"
LEAST = min(least for least, _ in structures.RANGES.values())
NAMES = [metric.name for metric in METRICS]


def fits(samples: pd.DataFrame) -> bool:
    """Whether residues have coordinates."""
    return COORDINATES in samples


def outputs(samples: pd.DataFrame, positive: str | None) -> list[str]:
    """The bins of distances, whether or not they occur."""
    return BINS


def encode(samples: pd.DataFrame, bins: list[str]) -> Ragged:
    """The distance bin of each residue pair, from C-betas in `label.coordinates`."""
    lengths = samples["sequence"].str.len().to_numpy()
    coordinates = [np.asarray(values, float).reshape(-1, 6) for values in samples[COORDINATES]]
    if [len(values) for values in coordinates] != lengths.tolist():
        raise DataError("Coordinates and sequence differ in length", column=COORDINATES)
    found = np.concatenate([distance_bins(values[:, 3:]) for values in coordinates])
    return Ragged(found.astype(np.int64), pair_offsets(lengths))


def rows(samples: pd.DataFrame, bins: list[str]) -> pd.DataFrame:
    """`sample_id, i, j` of each residue pair."""
    lengths = samples["sequence"].str.len().to_numpy()
    return pd.DataFrame(pairs_of(samples["sample_id"].to_numpy(), lengths))


def unanswered(ids: np.ndarray, bins: list[str]) -> pd.DataFrame:
    """A row a sample, of no residues."""
    return pd.DataFrame({"sample_id": ids, "i": 0, "j": 0})


def answer(scores: np.ndarray, bins: list[str], calibration: Calibration) -> pd.DataFrame:
    """`contact, distance, spread` of each residue pair."""
    return pd.DataFrame(summarise(scores))


def test_set(test: pd.DataFrame, held_out: pd.DataFrame, options: dict[str, Any]) -> TestSet:
    """A row a test chain, with its own scores; of coordinates for the first `structures` chains.

    Curves are drawn of residue pairs at least 6 apart, of the classes apart and contact; a table
    has the distance maps of three chains.
    """
    test = test.sort_values(ROW, kind="stable", ignore_index=True)
    groups, group = np.unique(test["unit"], return_inverse=True)
    truth = [np.asarray(values, float).reshape(-1, 2, 3) for values in test[COORDINATES]]
    own, contacts, said = {}, {}, {}
    for name, table in held_out.groupby("model", sort=False):
        said[str(name)] = _matrices(table, test, truth)
        own[str(name)] = _scores(said[str(name)], truth, options["structures"])
        contacts[str(name)] = [_contacts(said[str(name)], truth, test, group)]
    own[COIL] = np.full((len(test), len(NAMES)), np.nan)
    for row, points in enumerate(truth[: options["structures"]]):
        coil = random_coil(len(points), seed=row)
        own[COIL][row] = _chain_scores(None, trace_distances(coil), coil, points)
    models = {name: _chains(test, group, scores) for name, scores in own.items()}
    drawn = TestSet(contacts, ["apart", "contact"], len(groups))
    maps = _maps(said["model"], truth, test, own["model"])
    return TestSet(models, [], len(groups), drawn=drawn, tables={"distance_maps": maps})


def _matrices(
    said: pd.DataFrame, test: pd.DataFrame, truth: list[np.ndarray]
) -> list[dict[str, np.ndarray]]:
    """`contact`, `distance` and `spread` (L, L) of each test chain."""
    said = said.sort_values([*ROW, "i", "j"], kind="stable")
    found = said.groupby(ROW, sort=True).size()
    expected = pair_counts(np.array([len(points) for points in truth]))
    chains = list(test[ROW].itertuples(index=False, name=None))
    if not np.array_equal(found.to_numpy(), expected) or list(found.index) != chains:
        raise DataError("residue pairs and test chains do not belong together", hint=RERUN)
    ends = np.cumsum(expected)[:-1]
    columns = {
        name: np.split(said[name].to_numpy(float), ends)
        for name in ("contact", "distance", "spread")
    }
    return [
        {name: square(parts[row], len(points)) for name, parts in columns.items()}
        for row, points in enumerate(truth)
    ]


def _scores(
    said: list[dict[str, np.ndarray]], truth: list[np.ndarray], structures: int
) -> np.ndarray:
    """The scores of each chain, (N, scores)."""
    first = said[:structures]
    traces: list[np.ndarray | None] = list(
        fold([m["distance"] for m in first], [m["spread"] for m in first])
    )
    traces += [None] * (len(said) - len(first))
    return np.array(
        [
            _chain_scores(maps["contact"], maps["distance"], trace, points)
            for maps, trace, points in zip(said, traces, truth, strict=True)
        ]
    )


def _chain_scores(
    contact: np.ndarray | None, distance: np.ndarray, trace: np.ndarray | None, truth: np.ndarray
) -> list[float]:
    target = pairwise(truth[:, 1])
    near = upper(target) < 20
    scores = {"distance_mae": float(np.abs(upper(distance) - upper(target))[near].mean())}
    if contact is not None:
        scores |= contact_precision(contact, target)
    if trace is not None:
        scores["lddt"] = float(lddt(trace, truth[:, 0]).mean())
        scores["tm_score"] = tm_score(trace, truth[:, 0])
    return [scores.get(name, np.nan) for name in NAMES]


def _chains(test: pd.DataFrame, group: np.ndarray, own: np.ndarray) -> list[HeldOut]:
    """A row a chain, with the scores that it has by itself (N, scores)."""
    n = len(test)
    nothing: dict[str, Any] = {"y": np.zeros(n), "call": np.zeros(n), "p": np.zeros((n, 0))}
    place: dict[str, Any] = {
        "fold": test["fold"].to_numpy(),
        "sample_id": test["sample_id"].to_numpy(),
    }
    scores = dict(zip(NAMES, own.T, strict=True))
    rows = HeldOut(-1, group=group, own=scores, **place, **nothing)
    return rows.by_repeat(test["repeat"].to_numpy())


def _contacts(
    said: list[dict[str, np.ndarray]],
    truth: list[np.ndarray],
    test: pd.DataFrame,
    group: np.ndarray,
) -> HeldOut:
    """A row a pair at least 6 apart: `y` whether it is a contact, `p` what the model says."""
    sizes, y, p = [], [], []
    for maps, points in zip(said, truth, strict=True):
        i, j = np.triu_indices(len(points), LEAST)
        sizes.append(len(i))
        y.append(pairwise(points[:, 1])[i, j] < CONTACT)
        p.append(np.clip(maps["contact"][i, j], 0, 1))
    chain = np.repeat(np.arange(len(test)), sizes)
    probability, actual = np.concatenate(p), np.concatenate(y).astype(int)
    called = (probability > 0.5).astype(int)
    both = np.stack([1 - probability, probability], 1)
    fold, sample = test["fold"].to_numpy()[chain], test["sample_id"].to_numpy()[chain]
    return HeldOut(0, fold, sample, group[chain], actual, called, both)


def _maps(
    said: list[dict[str, np.ndarray]],
    truth: list[np.ndarray],
    test: pd.DataFrame,
    scores: np.ndarray,
) -> pd.DataFrame:
    """`sample_id, rank, i, j, predicted, observed` of three chains: best, median, worst.

    By the error of their distances.
    """
    order = np.argsort(scores[:, NAMES.index("distance_mae")])
    tables = []
    for rank, row in zip(("best", "median", "worst"), order[[0, len(order) // 2, -1]], strict=True):
        i, j = np.triu_indices(len(truth[row]), 1)
        columns = {
            "sample_id": test["sample_id"].iloc[row],
            "rank": rank,
            "i": i + 1,
            "j": j + 1,
            "predicted": said[row]["distance"][i, j].round(1),
            "observed": upper(pairwise(truth[row][:, 1])).round(1),
        }
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def score(rows: HeldOut, weights: np.ndarray) -> Scores:
    """Nothing beyond the scores that each chain has by itself."""
    return {}


kind = replace(
    multiclass.kind,
    name="residue_pairs",
    unit="residue_pair",
    keys=("sample_id", "i", "j"),
    fits=fits,
    outputs=outputs,
    encode=encode,
    rows=rows,
    unanswered=unanswered,
    answer=answer,
    test_set=test_set,
    score=score,
    metrics=METRICS,
    primary="contacts_long_l5",
    plots=("roc", "pr", "calibration"),
    floor="separation",
    all_classes=False,  # few chains have pairs at every distance
)
