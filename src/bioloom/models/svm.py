"""Support vector machines for classes, labels, values and targets, all on one kernel matrix.

The kernel of the training rows is computed once and shared: by all targets or labels (each fitted
on its measured rows) and by the one-against-rest machines of several classes. All of them together
are one matrix of coefficients, so that a prediction is one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from bioloom.arrays import Shaped, vectors
from bioloom.devices import cores
from bioloom.errors import DataError
from bioloom.models._estimator import Altered, Estimator, target_matrix

# The kernel matrix of this many rows takes 7 GB.
MOST_ROWS = 30_000
MOST_COPIED = 8_000_000_000  # bytes of kernels of known rows, one a thread


@dataclass(kw_only=True)
class Model(Estimator):
    """SVC or SVR by libsvm; the saved model holds the support vectors, which are training rows."""

    C: float = 1.0
    """Cost of an error: larger fits training rows more closely; of a value in its deviations."""
    epsilon: float = 0.1
    """Errors below this cost nothing; regression only, in standard deviations of the label."""
    kernel: Literal["rbf", "linear"] = "rbf"
    """How alike two rows are."""
    gamma: float | Literal["scale"] = "scale"
    """Width of the RBF kernel; "scale" is 1 / (columns of X x variance of X)."""
    class_weight: Literal["balanced"] | None = None
    """`balanced`: a rare class counts as much as a frequent one."""

    def fit(self, X: Shaped, y: Shaped, X_valid: Shaped, y_valid: Shaped) -> Self:
        """Fit one machine a target or class on the training rows; valid rows are not used."""
        from joblib import Parallel, delayed

        X = vectors(X).astype(np.float64)
        if len(X) > MOST_ROWS:
            raise DataError(
                f"Model svm compares all pairs of training rows, {len(X)} are too many",
                hint=f"it takes {MOST_ROWS}; dnn or gradient_boosting take more",
            )
        self.scale = self._scale(X)
        kernel = self._kernel(X, X)
        columns = self._columns(y)
        # libsvm lets go of the interpreter lock: threads share the kernel and use all cores. Where
        # some rows are not known each has a copy of its own, so there are fewer of them.
        copies = MOST_COPIED // kernel.nbytes if np.isnan(columns).any() else cores()
        machines = Parallel(n_jobs=min(cores(), max(copies, 1)), prefer="threads")(
            delayed(self._fit_one)(kernel, column) for column in columns.T
        )
        coefficients = np.column_stack([coefficients for coefficients, _ in machines])
        support = np.flatnonzero(coefficients.any(axis=1))
        self.vectors, self.coefficients = X[support], coefficients[support]
        self.intercepts = np.array([intercept for _, intercept in machines])
        return self

    def decision(self, X: Shaped) -> np.ndarray:
        """Signed distance to each class boundary, or the values: (N, machines)."""
        if not len(self.vectors):  # every training row is within epsilon of the intercept
            return np.tile(self.intercepts, (len(X), 1))
        kernel = self._kernel(vectors(X).astype(np.float64), self.vectors)
        return kernel @ self.coefficients + self.intercepts

    def outputs(self, X: Shaped) -> np.ndarray:
        """Sigmoid (labels, two classes) or softmax of the decision, or values: (N, n_outputs)."""
        return self._said(self.decision(X))

    def _said(self, decision: np.ndarray) -> np.ndarray:
        from scipy.special import expit, softmax

        if self._two_classes:
            return np.hstack([expit(-decision), expit(decision)])
        if self.labels:
            return expit(decision)
        return softmax(decision, axis=1) if self.classes else decision

    def altered(self, X: Shaped) -> Altered:
        """Other cells of a column change each comparison with a support vector by a term."""
        if not isinstance(X, np.ndarray) or not len(self.vectors):
            return super().altered(X)
        own, linear = X.astype(np.float64), self.kernel == "linear"
        before = self._kernel(own, self.vectors) if linear else _squares(own, self.vectors)

        def answers(columns: np.ndarray, others: np.ndarray) -> np.ndarray:
            given = []
            for other in others.astype(np.float64):
                change, support = other - own[:, columns], self.vectors[:, columns]
                both = other + own[:, columns]
                inner = change @ support.T
                if linear:
                    kernel = before + inner
                else:
                    further = (change * both).sum(axis=1)[:, None] - 2 * inner
                    kernel = np.exp(-self.scale * np.maximum(before + further, 0))
                given.append(self._said(kernel @ self.coefficients + self.intercepts))
            return np.stack(given)

        return answers

    def state(self) -> dict[str, np.ndarray]:
        """Support vectors, one column of coefficients and an intercept a machine, kernel width."""
        return {
            "vectors": self.vectors,
            "coefficients": self.coefficients,
            "intercepts": self.intercepts,
            "scale": np.array([self.scale]),
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over the machines."""
        self.vectors, self.coefficients = arrays["vectors"], arrays["coefficients"]
        self.intercepts, self.scale = arrays["intercepts"], float(arrays["scale"][0])

    @property
    def _two_classes(self) -> bool:
        return self.classes and self.n_outputs == 2

    def _scale(self, X: np.ndarray) -> float:
        if self.gamma != "scale":
            return float(self.gamma)
        variance = X.var()
        return 1 / (X.shape[1] * variance) if variance > 0 else 1.0

    def _kernel(self, X: np.ndarray, Z: np.ndarray) -> np.ndarray:
        from sklearn.metrics.pairwise import rbf_kernel

        return X @ Z.T if self.kernel == "linear" else rbf_kernel(X, Z, gamma=self.scale)

    def _columns(self, y: Shaped) -> np.ndarray:
        """What each machine learns, (N, machines): +1 and -1, or values."""
        targets = target_matrix(y, self.output, self.n_outputs)
        if self.output == "values":
            return targets
        signs = 2 * targets - 1
        return signs[:, 1:] if self._two_classes else signs

    def _fit_one(self, kernel: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients of all training rows (N,), zero where not measured, and the intercept."""
        from sklearn.svm import SVC, SVR

        coefficients = np.zeros(len(target))
        rows = np.flatnonzero(~np.isnan(target))
        if len(np.unique(target[rows])) < 2:
            mean = float(target[rows].mean()) if len(rows) else 0.0
            # a label that all rows have, or none of which it is known
            return coefficients, (np.inf if mean > 0 else -np.inf) if self.labels else mean
        if self.output != "values":
            machine = SVC(C=self.C, kernel="precomputed", class_weight=self.class_weight)
        else:
            machine = SVR(C=self.C, kernel="precomputed", epsilon=self.epsilon)
        measured = kernel if len(rows) == len(target) else kernel[np.ix_(rows, rows)]
        spread = float(target[rows].std()) if self.output == "values" else 1.0
        machine.fit(measured, target[rows] / spread)
        coefficients[rows[machine.support_]] = machine.dual_coef_[0] * spread
        return coefficients, float(machine.intercept_[0]) * spread


def _squares(X: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """The squared distance of each row to each other one."""
    from sklearn.metrics import euclidean_distances

    return euclidean_distances(X, Z, squared=True)
