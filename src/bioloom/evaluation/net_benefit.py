"""Decision curves: what treating by a model is worth, against treating all or none.

Vickers and Elkin (2006): at a threshold t, above which one would treat, the net benefit is
TP / n - FP / n * t / (1 - t), in true positives a patient. A threshold says how many that are
treated for nothing one accepts for one that needed it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioloom.kinds import HeldOut, TestSet

THRESHOLDS = np.linspace(0.01, 0.99, 99)
ALL, NONE = "treat all", "treat none"


def decision_curve(test: TestSet) -> pd.DataFrame:
    """`model, threshold, net_benefit` of each model, of treating all and of treating none.

    Two classes; repeats averaged.
    """
    curves = {
        model: np.mean([_net_benefit(part, part.p[:, 1]) for part in repeats], axis=0)
        for model, repeats in test.models.items()
    }
    parts = test.models["model"]
    curves[ALL] = np.mean([_net_benefit(part, np.ones(len(part.y))) for part in parts], axis=0)
    curves[NONE] = np.zeros(len(THRESHOLDS))
    tables = [
        pd.DataFrame({"model": model, "threshold": THRESHOLDS, "net_benefit": curve})
        for model, curve in curves.items()
    ]
    return pd.concat(tables, ignore_index=True)


def _net_benefit(part: HeldOut, chance: np.ndarray) -> np.ndarray:
    weight = np.ones(len(part.y)) if part.weight is None else part.weight
    treated = (chance[:, None] >= THRESHOLDS) * weight[:, None]
    needed = part.y == 1
    odds = THRESHOLDS / (1 - THRESHOLDS)
    return (treated[needed].sum(axis=0) - treated[~needed].sum(axis=0) * odds) / weight.sum()
