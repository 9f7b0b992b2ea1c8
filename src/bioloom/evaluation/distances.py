"""Held-out distances of residue pairs, scored chain by chain against the solved structures.

Contacts by C-betas of every test chain; lDDT and TM-score of the C-alpha traces that `folding`
makes of the distances, for the first chains only, beside a random coil that knows no distance.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.evaluation.test_set import RERUN, ROW, HeldOut, TestSet
from bioloom.metrics.structures import PAIR_SCORES, RANGES, contact_precision, lddt, tm_score
from bioloom.samples import COORDINATES
from bioloom.structures.distances import CONTACT, pair_counts, pairwise, square, upper
from bioloom.structures.folding import fold, random_coil, trace_distances

COIL = "random_coil"
LEAST = min(least for least, _ in RANGES.values())


def read_pair_test_set(
    samples: pd.DataFrame, splits: pd.DataFrame, held_out: pd.DataFrame, *, structures: int
) -> tuple[TestSet, TestSet, pd.DataFrame]:
    """(scores a chain, contacts a pair, distance maps of a few chains) of all models.

    In the first a row is a test chain, `call (N, scores)` its scores in the order of PAIR_SCORES,
    NaN where not defined or, for coordinates, beyond the first `structures` chains. In the second
    a row is a pair at least 6 residues apart, and the classes are apart and contact.
    """
    test = splits.loc[splits["split"] == "test", [*ROW, "unit"]]
    test = test.merge(samples[["sample_id", COORDINATES]], on="sample_id", how="left")
    test = test.sort_values(ROW, kind="stable", ignore_index=True)
    if test.empty or "model" not in set(held_out["model"]):
        raise DataError("there are no test rows predicted by the task's model", hint=RERUN)
    groups, group = np.unique(test["unit"], return_inverse=True)
    truth = [np.asarray(values, float).reshape(-1, 2, 3) for values in test[COORDINATES]]
    models, contacts, said = {}, {}, {}
    for name, rows in held_out.groupby("model", sort=False):
        said[str(name)] = _matrices(rows, test, truth)
        models[str(name)] = _scores(said[str(name)], truth, structures)
        contacts[str(name)] = _contacts(said[str(name)], truth, test, group)
    models[COIL] = np.full((len(test), len(PAIR_SCORES)), np.nan)
    for row, points in enumerate(truth[:structures]):
        coil = random_coil(len(points), seed=row)
        models[COIL][row] = _chain_scores(None, trace_distances(coil), coil, points)
    chains = {name: _rows(test, group, call) for name, call in models.items()}
    scored = TestSet(_repeats(chains, test), [], [], [], len(groups))
    pairs = TestSet({name: [rows] for name, rows in contacts.items()}, ["apart", "contact"], [], [],
                    len(groups))  # fmt: skip
    return scored, pairs, _maps(said["model"], truth, test, models["model"])


def _matrices(
    said: pd.DataFrame, test: pd.DataFrame, truth: list[np.ndarray]
) -> list[dict[str, np.ndarray]]:
    """`contact`, `distance` and `spread` (L, L) of each test chain."""
    said = said.sort_values([*ROW, "i", "j"], kind="stable")
    found = said.groupby(ROW, sort=True).size()
    expected = pair_counts(np.array([len(points) for points in truth]))
    if not np.array_equal(found.to_numpy(), expected) or list(found.index) != list(
        test[ROW].itertuples(index=False, name=None)
    ):
        raise DataError("predicted pairs and test chains do not belong together", hint=RERUN)
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
    return [scores.get(name, np.nan) for name in PAIR_SCORES]


def _rows(test: pd.DataFrame, group: np.ndarray, call: np.ndarray) -> HeldOut:
    n = len(test)
    none, quantile = np.zeros((n, 0)), np.full(n, np.nan)
    sample = test["sample_id"].to_numpy()
    return HeldOut(-1, test["fold"].to_numpy(), sample, group, np.zeros(n), call, none, quantile)


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
    both, quantile = np.stack([1 - probability, probability], 1), np.full(len(chain), np.nan)
    fold, sample = test["fold"].to_numpy()[chain], test["sample_id"].to_numpy()[chain]
    return HeldOut(0, fold, sample, group[chain], actual, called, both, quantile)


def _repeats(chains: dict[str, HeldOut], test: pd.DataFrame) -> dict[str, list[HeldOut]]:
    repeat = test["repeat"].to_numpy()
    numbers = np.unique(repeat)
    return {
        name: [replace(rows[repeat == number], repeat=int(number)) for number in numbers]
        for name, rows in chains.items()
    }


def _maps(
    said: list[dict[str, np.ndarray]],
    truth: list[np.ndarray],
    test: pd.DataFrame,
    scores: np.ndarray,
) -> pd.DataFrame:
    """`sample_id, rank, i, j, predicted, observed` of three chains: best, median, worst.

    By the error of their distances.
    """
    order = np.argsort(scores[:, PAIR_SCORES.index("distance_mae")])
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
