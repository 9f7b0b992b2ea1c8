"""What is fitted on the training rows before a model sees them: imputation, scaling, selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from bioloom.arrays import Shaped, Table, shape_of, tables, with_tables
from bioloom.errors import DataError
from bioloom.options import Option, complete_options

UNWEIGHTED = 2
"""Mark of a model that takes tables whose numbers are free of weights; those of before have 1."""
DEFAULTS: dict[str, Any] = {
    "scale": True,
    "scale_flags": Option(True, about="whether `scale` is for columns of two values, too"),
    "select": None,
}


@dataclass(frozen=True)
class Columns:
    """How the columns of one table are prepared, as plain arrays.

    `keep (K,)` are the input columns that vary, `median (K,)` fills their gaps, `mean` and `scale
    (K,)` standardise them, `chosen (S,)` are those of the K that a selection left.
    """

    keep: np.ndarray
    median: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    chosen: np.ndarray

    @classmethod
    def fit(
        cls,
        values: np.ndarray,
        y: np.ndarray,
        options: dict[str, Any],
        *,
        gaps: bool,
        constants: bool = False,
    ) -> Columns:
        """Fit on a table (N, D); `gaps` says whether values may be missing.

        With `constants` columns are kept that have but one value.
        """
        from sklearn.impute import SimpleImputer
        from sklearn.preprocessing import StandardScaler

        # A column that is empty or constant in the training rows says nothing: drop it here, so
        # that neither the imputer nor the F test meets it.
        keep = np.flatnonzero(np.isfinite(values).any(axis=0) if constants else _varies(values))
        median, mean, scale = np.zeros(len(keep)), np.zeros(len(keep)), np.ones(len(keep))
        if not len(keep):  # nodes, or links, may have no features of their own
            return cls(keep, median, mean, scale, keep)
        values = values[:, keep]
        if gaps:
            imputer = SimpleImputer(strategy="median").fit(values)
            median, values = imputer.statistics_, imputer.transform(values)
        if options["scale"]:
            scaler = StandardScaler().fit(values)
            mean, scale = scaler.mean_, scaler.scale_
            if not options["scale_flags"]:
                flags = _are_flags(values)
                mean, scale = np.where(flags, 0.0, mean), np.where(flags, 1.0, scale)
        chosen = np.arange(len(keep))
        if options["select"]:
            chosen = _best_columns((values - mean) / scale, y, min(options["select"], len(keep)))
        return cls(keep, median, mean, scale, chosen)

    def transform(self, values: np.ndarray) -> np.ndarray:
        """The table as a model takes it, float32."""
        columns = self.keep[self.chosen]
        median, mean, scale = (
            statistic[self.chosen].astype(np.float32)
            for statistic in (self.median, self.mean, self.scale)
        )
        # In place: tokens are many.
        prepared = values[:, columns].astype(np.float32)
        np.copyto(prepared, median, where=np.isnan(prepared))
        prepared -= mean
        prepared /= scale
        return prepared

    @property
    def support(self) -> np.ndarray:
        """Indices of the input columns that the model really sees."""
        return self.keep[self.chosen]


class Preprocess:
    """Median imputation, standardisation and, with `select: k`, the k best columns by F test.

    Per-token features are only standardised, over all training tokens. An F test ranks columns
    by the training labels alone (ANOVA for classes, correlation for a value; of several labels or
    targets the one that it tells most of). Of links, the nodes
    that end a training link are samples of one table, and the links' own features of another.

    A `Table` is dissolved first, unless the model takes it `whole`: then its categories and gaps
    stay, and of its columns those are kept that are left of the dissolved ones.
    """

    def __init__(
        self, tables: list[Columns], *, whole: bool = False, is_weighted: bool = False
    ) -> None:
        """`is_weighted`: whether it is of a model of a table whose numbers had their weight."""
        self.tables = tables
        self.whole = whole
        self.is_weighted = is_weighted

    @classmethod
    def fit(
        cls,
        X: Shaped,
        y: np.ndarray,
        options: dict[str, Any],
        takes: Sequence[str] = (),
        *,
        constants: bool = False,
    ) -> Preprocess:
        """Fit on training rows for a model that `takes` these shapes; `y` is for the selection.

        `constants`: whether the model reads columns that do not vary.
        """
        options = complete_options(options, DEFAULTS, "preprocess")
        if options["select"] and shape_of(X) not in ("vectors", "table"):
            raise DataError(f"`preprocess: select` is for tables, not for {shape_of(X)}")
        gaps = shape_of(X) != "tokens"
        whole = shape_of(X) == "table" and "table" in takes
        kept = {"gaps": gaps, "constants": constants}
        columns = [Columns.fit(table, y, options, **kept) for table in tables(X)]
        fitted = cls(columns, whole=whole)
        if not any(len(table.keep) for table in fitted.tables):
            raise DataError(
                "No feature varies among the training rows, so there is nothing to learn from",
                hint="look at the columns in quality.json, and at `features` and `clean: drop`",
            )
        return fitted

    def transform(self, X: Shaped) -> Shaped:
        """The features as the model takes them, float32; DataError for another shape."""
        if self.whole and shape_of(X) != "table":
            raise DataError(
                f"The model was trained on a table, the features are {shape_of(X)}",
                hint="extract the features anew",
            )
        if self.is_weighted and (cast(Table, X).weight != 1).any():
            raise DataError(
                "The model was trained by an older version, which weighted numbers of tables",
                hint="train it again",
            )
        prepared = with_tables(X, [table.transform for table in self.tables])
        if self.whole:
            return cast(Table, X).with_prepared(cast(np.ndarray, prepared), self.support)
        return prepared

    @property
    def support(self) -> np.ndarray:
        """Indices of the (dissolved) columns of a table that the model really sees."""
        return self.tables[0].support

    def save(self, folder: Path) -> None:
        """Write preprocess.safetensors."""
        from safetensors.numpy import save_file

        arrays = {
            f"{number}.{name}": np.ascontiguousarray(values)
            for number, table in enumerate(self.tables)
            for name, values in vars(table).items()
        }
        if self.whole:
            arrays["whole"] = np.array([UNWEIGHTED])
        save_file(arrays, folder / "preprocess.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Preprocess:
        """Read preprocess.safetensors."""
        from safetensors.numpy import load_file

        tables: dict[str, dict[str, np.ndarray]] = {}
        arrays = load_file(folder / "preprocess.safetensors")
        whole = arrays.pop("whole", None)
        for name, values in arrays.items():
            number, _, part = name.partition(".")
            tables.setdefault(number, {})[part] = values
        is_weighted = whole is not None and int(whole[0]) != UNWEIGHTED
        columns = [Columns(**tables[number]) for number in sorted(tables)]
        return cls(columns, whole=whole is not None, is_weighted=is_weighted)


def _best_columns(values: np.ndarray, y: np.ndarray, size: int) -> np.ndarray:
    """The columns with the least p for a label, each tested on the rows where it is known.

    Of labels that are known for many and for few rows F alone would favour the latter.
    """
    from sklearn.feature_selection import f_classif, f_regression

    test = f_classif if np.issubdtype(y.dtype, np.integer) else f_regression
    best_f, best_p = np.full(values.shape[1], -np.inf), np.full(values.shape[1], np.inf)
    for label in y.reshape(len(y), -1).T:
        rows = ~np.isnan(label)
        if len(np.unique(label[rows])) > 1:
            with np.errstate(divide="ignore", invalid="ignore"):  # constant in these rows
                f, p = test(values[rows], label[rows])
            better = (p < best_p) | ((p == best_p) & (f > best_f))
            best_f, best_p = np.where(better, f, best_f), np.where(better, p, best_p)
    # p of the best ones may all be 0
    return np.sort(np.lexsort((best_f, -best_p))[-size:])


def _are_flags(values: np.ndarray) -> np.ndarray:
    """Which columns of a table without gaps have two values or fewer, (D,) bool."""
    return ((values == values.min(axis=0)) | (values == values.max(axis=0))).all(axis=0)


def _varies(values: np.ndarray) -> np.ndarray:
    """Which columns have two values or more, (D,) bool; gaps are none."""
    if not len(values):
        return np.zeros(values.shape[1], dtype=bool)
    with np.errstate(invalid="ignore"):
        return np.fmax.reduce(values, axis=0) > np.fmin.reduce(values, axis=0)
