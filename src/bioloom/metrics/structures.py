"""How near a predicted structure is to the solved one: contact precision, lDDT, TM-score.

All on equal residues: position i of the prediction is position i of the truth.
"""

from __future__ import annotations

import numpy as np

from bioloom.metrics import Metric
from bioloom.structures.distances import CONTACT, pairwise

RANGES = {"short": (6, 11), "medium": (12, 23), "long": (24, np.inf)}
SHARES = {"l": 1, "l2": 2, "l5": 5}
SPELT = {"l5": "L/5", "l2": "L/2", "l": "L"}
METRICS = (
    *(
        Metric(
            f"contacts_{name}_{share}",
            f"Precision of the surest {part} {name}-range contacts",
            short=f"{part} {name}-range",
        )
        for name in ("long", "medium", "short")
        for share, part in SPELT.items()
    ),
    Metric(
        "distance_mae", "Error of distances below 20 Å (Å)", lower_is_better=True, bounded=False
    ),
    Metric("lddt", "lDDT of C-alphas"),
    Metric("tm_score", "TM-score"),
)
LDDT_RADIUS, LDDT_LIMITS = 15.0, (0.5, 1.0, 2.0, 4.0)


def contact_precision(contact: np.ndarray, distance: np.ndarray) -> dict[str, float]:
    """Share of true contacts among the L, L/2, L/5 surest pairs of each range of separation.

    `contact (L, L)` probabilities, `distance (L, L)` of the true C-betas. NaN where the chain has
    no true contact of the range.
    """
    length = len(contact)
    i, j = np.triu_indices(length, 1)
    scores = {}
    for name, (least, most) in RANGES.items():
        inside = (j - i >= least) & (j - i <= most)
        true = distance[i, j][inside] < CONTACT
        surest = np.argsort(-contact[i, j][inside], kind="stable")
        for share, part in SHARES.items():
            chosen = true[surest[: max(1, length // part)]]
            scores[f"contacts_{name}_{share}"] = chosen.mean() if true.any() else np.nan
    return scores


def lddt(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The lDDT of each C-alpha (Mariani et al. 2013), (L,), from traces (L, 3).

    Of the true distances below 15 A, the share kept within 0.5, 1, 2 and 4 A, averaged.
    """
    target = pairwise(true)
    counted = (target < LDDT_RADIUS) & ~np.eye(len(true), dtype=bool)
    error = np.abs(pairwise(predicted) - target)
    kept = np.mean([error < limit for limit in LDDT_LIMITS], axis=0)
    return (kept * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)


def tm_score(predicted: np.ndarray, true: np.ndarray) -> float:
    """TM-score (Zhang & Skolnick 2004) of traces (L, 3), residue by residue.

    The best of superpositions that start from fragments of several lengths and go on with the
    residues that are near.
    """
    length = len(true)
    scale = max(0.5, 1.24 * np.cbrt(max(length - 15, 0)) - 1.8)
    best = 0.0
    for size in sorted({length, *(max(4, length // part) for part in (2, 4, 8))}, reverse=True):
        for start in range(0, max(1, length - size + 1), max(1, size // 2)):
            chosen = np.zeros(length, dtype=bool)
            chosen[start : start + size] = True
            for _ in range(10):
                moved = superpose(predicted, true, chosen)
                off = np.linalg.norm(moved - true, axis=1)
                best = max(best, float((1 / (1 + (off / scale) ** 2)).mean()))
                near = off < max(scale, 4.5)
                if near.sum() < 3 or (near == chosen).all():
                    break
                chosen = near
    return best


def superpose(points: np.ndarray, target: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Points (L, 3) moved so that the chosen ones best fit `target` (Kabsch 1976)."""
    centre, goal = points[chosen].mean(axis=0), target[chosen].mean(axis=0)
    u, _, v = np.linalg.svd((points[chosen] - centre).T @ (target[chosen] - goal))
    turn = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ v))])
    return (points - centre) @ (u * turn) @ v + goal
