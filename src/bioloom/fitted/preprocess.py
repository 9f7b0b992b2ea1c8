"""What is fitted on the training rows before a model sees them: imputation, scaling, selection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bioloom.arrays import Shaped, shape_of, tables, with_tables
from bioloom.errors import DataError
from bioloom.files import write_skops
from bioloom.options import complete_options

DEFAULTS: dict[str, Any] = {"scale": True, "select": None}


@dataclass(frozen=True)
class Columns:
    """How the columns of one table are prepared: those in `keep`, by a scikit-learn pipeline."""

    pipeline: Any
    keep: np.ndarray

    @classmethod
    def fit(
        cls, values: np.ndarray, y: np.ndarray, options: dict[str, Any], *, gaps: bool
    ) -> Columns:
        """Fit on a table (N, D); `gaps` says whether values may be missing."""
        from sklearn.feature_selection import SelectKBest, f_classif, f_regression
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler

        # A column that is empty or constant in the training rows says nothing: drop it here, so
        # that neither the imputer nor the F test meets it.
        keep = np.flatnonzero(_varies(values))
        steps: list[Any] = [SimpleImputer(strategy="median")] if gaps else []
        steps.append(StandardScaler() if options["scale"] else FunctionTransformer())
        if options["select"]:
            test = f_classif if np.issubdtype(y.dtype, np.integer) else f_regression
            steps.append(SelectKBest(test, k=min(options["select"], len(keep))))
        # Nodes, or links, may have no features of their own, which scikit-learn refuses.
        pipeline = make_pipeline(*steps)
        return cls(pipeline.fit(values[:, keep], y) if len(keep) else pipeline, keep)

    def transform(self, values: np.ndarray) -> np.ndarray:
        """The table as a model takes it, float32."""
        if not len(self.keep):
            return np.zeros((len(values), 0), dtype=np.float32)
        prepared = self.pipeline.transform(values[:, self.keep].astype(np.float32))
        return np.asarray(prepared, dtype=np.float32)

    @property
    def support(self) -> np.ndarray:
        """Indices of the input columns that the model really sees."""
        last = self.pipeline[-1]
        return self.keep[last.get_support()] if hasattr(last, "get_support") else self.keep


class Preprocess:
    """Median imputation, standardisation and, with `select: k`, the k best columns by F test.

    Per-token features are only standardised, over all training tokens. An F test ranks columns
    by the training labels alone (ANOVA for classes, correlation for a value). Of links, the nodes
    that end a training link are samples of one table, and the links' own features of another.
    """

    def __init__(self, tables: list[Columns]) -> None:
        self.tables = tables

    @classmethod
    def fit(cls, X: Shaped, y: np.ndarray, options: dict[str, Any]) -> Preprocess:
        """Fit on training rows; `y` is used by the selection alone."""
        options = complete_options(options, DEFAULTS, "preprocess")
        if options["select"] and shape_of(X) != "vectors":
            raise DataError(f"`preprocess: select` is for tables, not for {shape_of(X)}")
        if options["select"] and y.ndim > 1:
            raise DataError(
                f"`preprocess: select` ranks features by one label, the samples have {y.shape[1]}",
                hint="remove it; `clean: drop` or `features: columns` leave columns out",
            )
        gaps = shape_of(X) != "tokens"
        fitted = cls([Columns.fit(table, y, options, gaps=gaps) for table in tables(X)])
        if not any(len(table.keep) for table in fitted.tables):
            raise DataError(
                "No feature varies among the training rows, so there is nothing to learn from",
                hint="look at the columns in quality.json, and at `features` and `clean: drop`",
            )
        return fitted

    def transform(self, X: Shaped) -> Shaped:
        """The features as the model takes them, float32."""
        return with_tables(X, [table.transform for table in self.tables])

    @property
    def support(self) -> np.ndarray:
        """Indices of the input columns of a table that the model really sees."""
        return self.tables[0].support

    def save(self, folder: Path) -> None:
        """Write preprocess.skops."""
        fitted = [{"pipeline": table.pipeline, "keep": table.keep} for table in self.tables]
        write_skops(fitted, folder / "preprocess.skops")

    @classmethod
    def load(cls, folder: Path) -> Preprocess:
        """Read preprocess.skops."""
        from skops.io import load

        # Plain types and the two F tests: nothing that runs code of its own when loaded.
        module = "sklearn.feature_selection._univariate_selection"
        trusted = ["numpy.dtype", f"{module}.f_classif", f"{module}.f_regression"]
        fitted = load(folder / "preprocess.skops", trusted=trusted)
        return cls([Columns(**table) for table in fitted])


def _varies(values: np.ndarray) -> np.ndarray:
    if not values.size:
        return np.zeros(values.shape[1], dtype=bool)
    with np.errstate(invalid="ignore"):
        filled = np.where(np.isnan(values), -np.inf, values)
        highest = filled.max(axis=0)
        lowest = np.where(np.isnan(values), np.inf, values).min(axis=0)
    return highest > lowest
