"""What is fitted on the training rows before a model sees them: imputation, scaling, selection."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bioloom.arrays import Links, Ragged
from bioloom.errors import DataError
from bioloom.files import write_skops

DEFAULTS: dict[str, Any] = {"scale": True, "select": None}


class Preprocess:
    """Median imputation, standardisation and, with `select: k`, the k best columns by F test.

    Per-token features are only standardised, over all training tokens. An F test ranks columns
    by the training labels alone (ANOVA for classes, correlation for a value). Of pairs, the nodes
    that end a training pair are samples of one table, and the pairs' own features of another.
    """

    def __init__(self, pipeline: Any, keep: np.ndarray, pairs: Preprocess | None = None) -> None:
        self.pipeline = pipeline
        self.keep = keep
        self.pairs = pairs

    @classmethod
    def fit(
        cls, X: np.ndarray | Ragged | Links, y: np.ndarray, options: dict[str, Any]
    ) -> Preprocess:
        """Fit on training rows; `y` is used by the selection alone."""
        if isinstance(X, Links):
            if options.get("select"):
                raise DataError("`preprocess: select` is for tables, not for pairs of nodes")
            fitted = cls._fit_table(X.network.X[X.used_nodes()], y, options)
            fitted.pairs = cls._fit_table(X.X, y, options)
            seen = len(fitted.keep) + len(fitted.pairs.keep)
        else:
            fitted = cls._fit_table(X, y, options)
            seen = len(fitted.keep)
        if not seen:
            raise DataError(
                "No feature varies among the training rows, so there is nothing to learn from",
                hint="look at the columns in quality.json, and at `features` and `clean: drop`",
            )
        return fitted

    @classmethod
    def _fit_table(
        cls, X: np.ndarray | Ragged, y: np.ndarray, options: dict[str, Any]
    ) -> Preprocess:
        from sklearn.feature_selection import SelectKBest, f_classif, f_regression
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler

        unknown = set(options) - set(DEFAULTS)
        if unknown:
            raise DataError(f"Unknown preprocess options {sorted(unknown)}")
        options = DEFAULTS | options
        values = X.values.astype(np.float32) if isinstance(X, Ragged) else X
        # A column that is empty or constant in the training rows says nothing: drop it here, so
        # that neither the imputer nor the F test meets it.
        keep = np.flatnonzero(_varies(values))
        steps: list[Any] = [] if isinstance(X, Ragged) else [SimpleImputer(strategy="median")]
        steps.append(StandardScaler() if options["scale"] else FunctionTransformer())
        if options["select"] and y.ndim > 1:
            raise DataError(
                f"`preprocess: select` ranks features by one label, the samples have {y.shape[1]}",
                hint="remove it; `clean: drop` or `features: columns` leave columns out",
            )
        if options["select"] and not isinstance(X, Ragged):
            test = f_classif if np.issubdtype(y.dtype, np.integer) else f_regression
            steps.append(SelectKBest(test, k=min(options["select"], len(keep))))
        # Nodes, or pairs, may have no features of their own, which scikit-learn refuses.
        pipeline = make_pipeline(*steps)
        return cls(pipeline.fit(values[:, keep], y) if len(keep) else pipeline, keep)

    def transform(self, X: np.ndarray | Ragged | Links) -> np.ndarray | Ragged | Links:
        """The features as the model takes them, float32."""
        if isinstance(X, Ragged):
            return Ragged(self._prepared(X.values), X.offsets)
        if not isinstance(X, Links):
            return self._prepared(X)
        if self.pairs is None:
            raise ValueError("fitted on a table, not on pairs")
        network = replace(X.network, X=self._prepared(X.network.X))
        return replace(X, network=network, X=self.pairs._prepared(X.X))

    def _prepared(self, values: np.ndarray) -> np.ndarray:
        if not len(self.keep):
            return np.zeros((len(values), 0), dtype=np.float32)
        prepared = self.pipeline.transform(values[:, self.keep].astype(np.float32))
        return np.asarray(prepared, dtype=np.float32)

    @property
    def support(self) -> np.ndarray:
        """Indices of the input columns that the model really sees."""
        last = self.pipeline[-1]
        return self.keep[last.get_support()] if hasattr(last, "get_support") else self.keep

    def save(self, folder: Path) -> None:
        """Write preprocess.skops."""
        fitted = {"pipeline": self.pipeline, "keep": self.keep}
        if self.pairs is not None:
            fitted["pairs"] = {"pipeline": self.pairs.pipeline, "keep": self.pairs.keep}
        write_skops(fitted, folder / "preprocess.skops")

    @classmethod
    def load(cls, folder: Path) -> Preprocess:
        """Read preprocess.skops."""
        from skops.io import load

        # Plain types and the two F tests: nothing that runs code of its own when loaded.
        module = "sklearn.feature_selection._univariate_selection"
        trusted = ["numpy.dtype", f"{module}.f_classif", f"{module}.f_regression"]
        fitted = load(folder / "preprocess.skops", trusted=trusted)
        pairs = fitted.pop("pairs", None)
        return cls(**fitted, pairs=cls(**pairs) if pairs else None)


def _varies(values: np.ndarray) -> np.ndarray:
    if not values.size:
        return np.zeros(values.shape[1], dtype=bool)
    with np.errstate(invalid="ignore"):
        filled = np.where(np.isnan(values), -np.inf, values)
        highest = filled.max(axis=0)
        lowest = np.where(np.isnan(values), np.inf, values).min(axis=0)
    return highest > lowest
