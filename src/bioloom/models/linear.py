"""A linear model without a setting to choose: the mean of many, each worth what it foretells.

Columns are weighted by a power of their F test (none to the fourth), so that of thousands the
telling ones count most, and each choice is fitted with penalties over four decades: logistic
regression for classes and labels, ridge regression for values. Every F test and fit is made anew
without each fold of the training rows; settings are averaged with the likelihood of the answers to
the folds that they have not seen as weights (stacking of densities by their evidence). What is
left is one matrix. Where columns are more than rows, all of it is done in the space of the rows,
which is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import numpy as np

from bioloom.arrays import Shaped, vectors
from bioloom.models._estimator import Altered, Estimator, target_matrix
from bioloom.models._folds import folds_of, learning_parts

POWERS = (0.0, 1.0, 2.0, 4.0)
"""Of the root of F, by which a column is weighted."""
PENALTIES = tuple(float(10**power) for power in np.linspace(-0.5, 4, 7))
"""C, where rows have the mean length 1."""
FEW_POWERS, FEW_PENALTIES = (0.0, 2.0), PENALTIES[::2]
MANY_CELLS = 1_000_000
"""Of rows times dimensions; from here on fewer settings are tried."""
MOST_COLUMNS = 2_000
"""Where rows are more than this, too, that many columns of the largest F are taken."""
LEAST_F, MOST_F = 1e-6, 1_000.0
STOP = {"gtol": 1e-4, "ftol": 1e-9}
"""When a logistic regression is found: its gradient, and the last gain."""
TEMPERATURES = np.geomspace(0.2, 10, 30)
NEVER = -30.0
"""The log odds of a class that no training row has."""

Slopes = tuple[np.ndarray, np.ndarray]
"""Of a fit: weights (D, K) and intercepts (K,)."""
Solve = Callable[[np.ndarray, np.ndarray, np.ndarray, tuple[float, ...]], list[Slopes]]


class Mean(NamedTuple):
    """Weights (D, K), intercepts (K,), and the left-out answers to the training rows, (N, K)."""

    weights: np.ndarray
    intercepts: np.ndarray
    left_out: np.ndarray


@dataclass(kw_only=True)
class Model(Estimator):
    """Logistic or ridge regression, averaged over penalties and weights of columns."""

    class_weight: Literal["balanced"] | None = None
    """`balanced`: a rare class counts as much as a frequent one."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> Self:
        """Learn from the training rows; valid rows are not used.

        `groups (N,)` are held out together where settings are weighed.
        """
        rows, y = vectors(X).astype(np.float64), np.asarray(y)
        weight = np.ones(len(rows)) if sample_weight is None else sample_weight
        self.folds = folds_of(y, groups, self.seed)
        if self.classes:
            means = [self._classes(rows, y, weight, self.folds, self.n_outputs)]
        else:
            targets = target_matrix(y, self.output, self.n_outputs)
            means = [self._target(rows, target, weight) for target in targets.T]
        self.weights, self.intercepts, self.decisions = (
            np.concatenate(part, axis=-1) for part in zip(*means, strict=True)
        )
        return self

    def cross_fitted(self, X: Shaped, y: Shaped, **given: np.ndarray) -> np.ndarray:
        """Those of the folds by which it was fitted."""
        return self.said(self.decisions)

    def _target(self, X: np.ndarray, target: np.ndarray, weight: np.ndarray) -> Mean:
        """The model of one label or value, on the rows where it is known; K is 1."""
        known = np.flatnonzero(~np.isnan(target) & (weight > 0))
        kept = X[known], target[known], weight[known], self.folds[known]
        if not len(known):
            nothing = np.zeros((len(X), 1))
            return Mean(np.zeros((X.shape[1], 1)), np.zeros(1), nothing)
        if not self.labels:
            mean = _values(*kept)
        else:
            codes = kept[1].astype(np.int64)
            mean = self._classes(X[known], codes, weight[known], kept[3], 2)
            mean = Mean(*(part[..., 1:] - part[..., :1] for part in mean))
        decisions = X @ mean.weights + mean.intercepts
        decisions[known] = mean.left_out
        return mean._replace(left_out=decisions)

    def _classes(
        self, X: np.ndarray, y: np.ndarray, weight: np.ndarray, folds: np.ndarray, size: int
    ) -> Mean:
        """The mean of logistic regressions of codes `y (N,)`."""
        from scipy.special import log_softmax, softmax

        truth = np.eye(size)[y]
        if self.class_weight:
            sizes = truth.sum(axis=0)
            weight = weight * (len(y) / (sizes[y] * (sizes > 0).sum()))
        weights, intercepts, crossed = _settings(X, truth, weight, folds, _logistic)
        # Which classes the rows had that answer a row: of one that they lack nothing is learnt.
        met = np.zeros(truth.shape, dtype=bool)
        for learnt, asked in learning_parts(folds):
            met[asked] = weight[learnt] @ truth[learnt] > 0
        blur, told = 1 / (len(y) + 2), weight * met[np.arange(len(y)), y]
        smooth = (1 - blur) * truth + blur * met / np.maximum(met.sum(axis=1, keepdims=True), 1)
        smooth *= told[:, None]
        losses = np.array(
            [
                [
                    by_fold(-(smooth * log_softmax(one / heat, axis=1)).sum(axis=1), folds)
                    for heat in TEMPERATURES
                ]
                for one in crossed
            ]
        )
        rows = by_fold(told, folds)

        def worth(those: np.ndarray) -> np.ndarray:
            if not rows[those].any():
                return np.full(len(losses), 1 / len(losses))
            own = losses[..., those].sum(axis=-1)
            return softmax(-own.min(axis=1)) / TEMPERATURES[own.argmin(axis=1)]

        return _mean(weights, intercepts, crossed, folds, worth)

    def outputs(self, X: Shaped) -> np.ndarray:
        """Probabilities or values, (N, n_outputs)."""
        return self.said(self.decided(vectors(X)))

    def decided(self, X: np.ndarray) -> np.ndarray:
        """The decisions of rows (N, D), (N, n_outputs)."""
        return X @ self.weights + self.intercepts

    def said(self, decisions: np.ndarray) -> np.ndarray:
        """Decisions (..., n_outputs) as probabilities or values."""
        from scipy.special import expit, softmax

        if self.labels:
            return expit(decisions)
        return softmax(decisions, axis=-1) if self.classes else decisions

    def altered(self, X: Shaped) -> Altered:
        """Other cells of a column change the decision by a term."""
        X = vectors(X)
        before = self.decided(X)

        def answers(columns: np.ndarray, others: np.ndarray) -> np.ndarray:
            return self.said(before + (others - X[:, columns]) @ self.weights[columns])

        return answers

    def state(self) -> dict[str, np.ndarray]:
        """The matrix and its intercepts."""
        return {"weights": self.weights, "intercepts": self.intercepts}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take them over."""
        self.weights, self.intercepts = arrays["weights"], arrays["intercepts"]


def _values(X: np.ndarray, y: np.ndarray, weight: np.ndarray, folds: np.ndarray) -> Mean:
    """The mean of ridge regressions of numbers `y (N,)`, in their unit."""
    from scipy.special import softmax

    if np.ptp(y) == 0:
        return Mean(np.zeros((X.shape[1], 1)), y[:1], y[:, None])
    centre, spread = y.mean(), y.std()
    scaled = ((y - centre) / spread)[:, None]
    weights, intercepts, crossed = _settings(X, scaled, weight, folds, _ridge)
    errors = np.array([by_fold(weight * (one - scaled)[:, 0] ** 2, folds) for one in crossed])
    rows = by_fold(np.ones(len(y)), folds)

    def worth(those: np.ndarray) -> np.ndarray:
        size = rows[those].sum()
        return softmax(-size / 2 * np.log(errors[:, those].sum(axis=1) / size + 1e-12))

    mean = _mean(weights, intercepts, crossed, folds, worth)
    return Mean(mean.weights * spread, *(part * spread + centre for part in mean[1:]))


def by_fold(values: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """The sums of values (N,) over the rows of each fold, (folds,)."""
    return np.bincount(np.unique(folds, return_inverse=True)[1], values)


def _mean(
    weights: np.ndarray,
    intercepts: np.ndarray,
    crossed: np.ndarray,
    folds: np.ndarray,
    worth: Callable[[np.ndarray], np.ndarray],
) -> Mean:
    """The settings, each by its `worth` (S,) in the folds of a mask.

    What left-out answers of a fold are made of is told by the other folds alone.
    """
    names = np.unique(folds)
    everywhere = np.ones(len(names), dtype=bool)
    left_out = np.empty(crossed.shape[1:])
    for place, name in enumerate(names):
        others = np.arange(len(names)) != place
        own = worth(others if others.any() else everywhere)
        left_out[folds == name] = np.tensordot(own, crossed[:, folds == name], 1)
    chosen = worth(everywhere)
    return Mean(np.tensordot(chosen, weights, 1), np.tensordot(chosen, intercepts, 1), left_out)


def _settings(
    X: np.ndarray, Y: np.ndarray, weight: np.ndarray, folds: np.ndarray, solve: Solve
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each setting the weights (S, D, K), intercepts (S, K) and left-out answers (S, N, K)."""
    many = len(X) * min(X.shape) > MANY_CELLS
    powers, penalties = (FEW_POWERS, FEW_PENALTIES) if many else (POWERS, PENALTIES)
    parts = learning_parts(folds)
    tests = [f_test(X[learnt], Y[learnt], weight[learnt]) for learnt, _ in parts]
    test = f_test(X, Y, weight)
    weights, intercepts = [], []
    crossed = np.zeros((len(powers), len(penalties), *Y.shape))
    for place, power in enumerate(powers):
        for F, (learnt, asked) in zip(tests, parts, strict=True):
            space = RowSpace.of(X[learnt], F, power)
            fits = solve(space.rows(X[learnt]), Y[learnt], weight[learnt], penalties)
            there = space.rows(X[asked])
            crossed[place][:, asked] = [there @ slopes + level for slopes, level in fits]
        space = RowSpace.of(X, test, power)
        for slopes, level in solve(space.rows(X), Y, weight, penalties):
            weights.append(space.back(slopes, X.shape[1]))
            intercepts.append(level)
    return np.stack(weights), np.stack(intercepts), crossed.reshape(-1, *Y.shape)


class RowSpace(NamedTuple):
    """Weighted columns, turned into no more dimensions than there are rows."""

    columns: np.ndarray
    """Those that are taken, (E,)."""
    scale: np.ndarray
    """Of these, (E,)."""
    axes: np.ndarray | None
    """(E, dimensions); None where columns are the fewer."""

    @classmethod
    def of(cls, X: np.ndarray, F: np.ndarray, power: float) -> RowSpace:
        """That of rows X (N, D), where a column counts by the root of its F (D,) to this power."""
        columns = np.arange(len(F))
        if min(X.shape) > MOST_COLUMNS:
            columns = np.sort(np.argsort(-F, kind="stable")[:MOST_COLUMNS])
        scale = np.clip(F[columns], LEAST_F, MOST_F) ** (power / 2)
        scale = scale / np.sqrt((scale**2).sum())
        if len(columns) <= len(X):
            return cls(columns, scale, None)
        weighted = X[:, columns] * scale
        values, vectors = np.linalg.eigh(weighted @ weighted.T)
        kept = values > 1e-8 * values.max()
        return cls(columns, scale, weighted.T @ (vectors[:, kept] / np.sqrt(values[kept])))

    def rows(self, X: np.ndarray) -> np.ndarray:
        """Rows (N, D) in this space."""
        weighted = X[:, self.columns] * self.scale
        return weighted if self.axes is None else weighted @ self.axes

    def back(self, slopes: np.ndarray, size: int) -> np.ndarray:
        """Slopes of this space as those of all columns, (size, K)."""
        turned = slopes if self.axes is None else self.axes @ slopes
        weights = np.zeros((size, slopes.shape[1]))
        weights[self.columns] = self.scale[:, None] * turned
        return weights


def f_test(X: np.ndarray, Y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """F of each column of X (N, D): ANOVA of one-hot Y (N, K), or of its correlation with Y (N, 1).

    0 of a column that is constant.
    """
    classes = Y.shape[1] > 1
    total = weight.sum()
    centred = X - weight @ X / total
    whole, seen = weight @ centred**2, (weight > 0)[:, None]
    least = np.min(X, axis=0, where=seen, initial=np.inf)
    # Rounding leaves a constant column something that F would take for all there is to tell.
    whole[least == np.max(X, axis=0, where=seen, initial=-np.inf)] = 0
    if classes:
        sizes = weight @ Y
        sums = (weight[:, None] * Y).T @ centred
        sums, sizes = sums[sizes > 0], sizes[sizes > 0]
        between, freedom = (sums**2 / sizes[:, None]).sum(axis=0), max(len(sizes) - 1, 1)
    else:
        y = Y[:, 0] - weight @ Y[:, 0] / total
        freedom = 1
        between = ((weight * y) @ centred) ** 2 / max(weight @ y**2, 1e-12)
    within = np.maximum(whole - between, 1e-12 * whole)
    left = max((weight > 0).sum() - freedom - 1, 1)
    return np.divide(between / freedom * left, within, where=within > 0, out=np.zeros(len(whole)))


def _logistic(
    Z: np.ndarray, Y: np.ndarray, weight: np.ndarray, penalties: tuple[float, ...]
) -> list[Slopes]:
    """Logistic regressions of one-hot Y (N, K): slopes (D, K) and intercepts (K,) a penalty."""
    from scipy.optimize import minimize

    known = np.flatnonzero(weight @ Y)
    level = np.full(Y.shape[1], NEVER)
    if len(known) < 2:
        level[known] = 0
        return [(np.zeros((Z.shape[1], Y.shape[1])), level)] * len(penalties)
    rows, truth = np.hstack([Z, np.ones((len(Z), 1))]), Y[:, known]
    share = weight[:, None] / weight.sum()
    at, found = np.zeros((rows.shape[1], len(known))), []

    def loss(flat: np.ndarray, ridge: float) -> tuple[float, np.ndarray]:
        own = flat.reshape(at.shape)
        decisions = rows @ own
        decisions -= decisions.max(axis=1, keepdims=True)
        p = np.exp(decisions)
        total = p.sum(axis=1, keepdims=True)
        value = (share * (np.log(total) - (truth * decisions).sum(axis=1, keepdims=True))).sum()
        gradient = rows.T @ (share * (p / total - truth))
        gradient[:-1] += ridge * own[:-1]
        return value + ridge / 2 * (own[:-1] ** 2).sum(), gradient.ravel()

    for penalty in penalties:
        # Of two classes both have slopes here, each with half of the usual penalty.
        ridge = (2 if len(known) == 2 else 1) / (penalty * weight.sum())
        at = minimize(loss, at.ravel(), (ridge,), "L-BFGS-B", jac=True, options=STOP).x.reshape(
            at.shape
        )
        slopes, own = np.zeros((Z.shape[1], Y.shape[1])), level.copy()
        slopes[:, known], own[known] = at[:-1], at[-1]
        found.append((slopes, own))
    return found


def _ridge(
    Z: np.ndarray, Y: np.ndarray, weight: np.ndarray, penalties: tuple[float, ...]
) -> list[Slopes]:
    """Ridge regressions of numbers Y (N, 1), by one decomposition: as `_logistic`."""
    total = weight.sum()
    centre, level = weight @ Z / total, weight @ Y / total
    root = np.sqrt(weight)[:, None]
    left, values, right = np.linalg.svd(root * (Z - centre), full_matrices=False)
    own = left.T @ (root * (Y - level))
    found = []
    for penalty in penalties:
        slopes = right.T @ ((values / (values**2 + 1 / penalty))[:, None] * own)
        found.append((slopes, level - centre @ slopes))
    return found
