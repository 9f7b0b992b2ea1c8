"""What is fitted on the training rows before a model sees them: imputation, scaling, selection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bioloom.arrays import Ragged
from bioloom.errors import DataError
from bioloom.files import write_skops

DEFAULTS: dict[str, Any] = {"scale": True, "select": None}


class Preprocess:
    """Median imputation, standardisation and, with `select: k`, the k best columns by F test.

    Per-token features are only standardised, over all training tokens. An F test ranks columns
    by the training labels alone (ANOVA for classes, correlation for a value).
    """

    def __init__(self, pipeline: Any, keep: np.ndarray) -> None:
        self.pipeline = pipeline
        self.keep = keep

    @classmethod
    def fit(cls, X: np.ndarray | Ragged, y: np.ndarray, options: dict[str, Any]) -> Preprocess:
        """Fit on training rows; `y` is used by the selection alone."""
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
        if not len(keep):
            raise DataError(
                "No feature varies among the training rows, so there is nothing to learn from",
                hint="look at the columns in quality.json, and at `features` and `clean: drop`",
            )
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
        return cls(make_pipeline(*steps).fit(values[:, keep], y), keep)

    def transform(self, X: np.ndarray | Ragged) -> np.ndarray | Ragged:
        """The features as the model takes them, float32."""
        values = X.values if isinstance(X, Ragged) else X
        prepared = np.asarray(
            self.pipeline.transform(values[:, self.keep].astype(np.float32)), dtype=np.float32
        )
        return Ragged(prepared, X.offsets) if isinstance(X, Ragged) else prepared

    @property
    def support(self) -> np.ndarray:
        """Indices of the input columns that the model really sees."""
        last = self.pipeline[-1]
        return self.keep[last.get_support()] if hasattr(last, "get_support") else self.keep

    def save(self, folder: Path) -> None:
        """Write preprocess.skops."""
        write_skops({"pipeline": self.pipeline, "keep": self.keep}, folder / "preprocess.skops")

    @classmethod
    def load(cls, folder: Path) -> Preprocess:
        """Read preprocess.skops."""
        from skops.io import load

        # Plain types and the two F tests: nothing that runs code of its own when loaded.
        module = "sklearn.feature_selection._univariate_selection"
        trusted = ["numpy.dtype", f"{module}.f_classif", f"{module}.f_regression"]
        return cls(**load(folder / "preprocess.skops", trusted=trusted))


def _varies(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        filled = np.where(np.isnan(values), -np.inf, values)
        highest = filled.max(axis=0)
        lowest = np.where(np.isnan(values), np.inf, values).min(axis=0)
    return highest > lowest
