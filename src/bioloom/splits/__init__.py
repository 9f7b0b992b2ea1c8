"""Splits: which samples train, validate and test in each partition, checked when read and written.

splits (sample_id, unit, repeat, fold, split): each (repeat, fold) is one partition of all samples.
Hold-out is (0, 0); cross-validation adds (-1, -1), train and valid only, on which the final model
is fitted. `unit` numbers what stays together (a group, or groups joined through sequence clusters;
of a block its groups); scores are resampled by it.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bioloom.errors import DataError
from bioloom.samples import read_table, write_table
from bioloom.samples.columns import has_classes
from bioloom.samples.variants import FOUND

COLUMNS = ["sample_id", "unit", "repeat", "fold", "split"]
SPLITS = ("train", "valid", "test")
FINAL = (-1, -1)


def check_splits(
    splits: pd.DataFrame, samples: pd.DataFrame, file: str | Path | None = None
) -> None:
    """DataError unless each partition holds every sample once and may be trained and tested on.

    That is: train, valid and test are not empty (the final partition has no test), no group and no
    unit is in two of them, and train has every class. Messages count them; they name none.
    """
    if list(splits.columns) != COLUMNS:
        raise DataError(f"splits need the columns {COLUMNS}, got {list(splits.columns)}", file=file)
    if splits.empty:
        raise DataError("there are no splits", file=file)
    if samples["sample_id"].duplicated().any():
        raise DataError("sample_id must be unique", column="sample_id")
    samples = samples.set_index("sample_id")
    for (repeat, fold), part in splits.groupby(["repeat", "fold"], sort=False):
        problem, hint = _problem(part, samples, final=(repeat, fold) == FINAL)
        if problem:
            where = f"in repeat {repeat}, fold {fold}"
            raise DataError(f"bad split {where}: {problem}", file=file, hint=hint)


def write_splits(splits: pd.DataFrame, samples: pd.DataFrame, path: str | Path) -> None:
    """Check `splits` against their samples, then write them as parquet."""
    check_splits(splits, samples)
    write_table(splits, path)


def read_splits(path: str | Path, samples: pd.DataFrame) -> pd.DataFrame:
    """The splits in `path`, checked against their samples."""
    splits = read_table(path)
    check_splits(splits, samples, file=path)
    return splits


def _problem(part: pd.DataFrame, samples: pd.DataFrame, final: bool) -> tuple[str, str]:
    """What is wrong with one partition, and a hint; two empty strings where nothing is."""
    place = samples.index.get_indexer(pd.Index(part["sample_id"]))
    found = int((place >= 0).sum())
    if part["sample_id"].duplicated().any() or not found == len(part) == len(samples):
        problem = f"{len(part)} rows, {found} of them known, where each of {len(samples)} samples "
        return problem + "must be once", "the samples changed since: split them again"
    split = part["split"].to_numpy()
    wanted = SPLITS[:2] if final else SPLITS
    if set(split) != set(wanted):
        problem = f"expected {', '.join(wanted)}, got {', '.join(sorted(map(str, set(split))))}"
        return problem, "too few groups (or clusters) for these fractions or folds"
    rows = samples.iloc[place]
    for together in (rows.get("group"), part["unit"]):
        if together is None:
            continue
        straddling = pd.Series(split).groupby(together.to_numpy()).nunique() > 1
        if straddling.any():
            problem = f"{straddling.sum()} groups are in more than one split"
            return problem, "samples of one group must stay together, or the test is not honest"
    if has_classes(samples):
        lacking = set(rows["label"]) - set(rows["label"][split == "train"])
        # Genotypes are the same three, whichever occur.
        if lacking and FOUND not in samples:
            problem = f"no training sample of class {', '.join(sorted(lacking))}"
            return problem, "drop or merge classes of very few groups, or use fewer folds"
    return "", ""
