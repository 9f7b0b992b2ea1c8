"""Split samples into train, valid and test so that no group is on two sides.

samples (sample_id, group, label or label.<target>) -> splits, as `bioloom.splits` describes them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bioloom.errors import DataError, unknown_name
from bioloom.formats.dna import is_dna, reverse_complement
from bioloom.options import Option, complete_options
from bioloom.samples import ENDS_BY, is_links, label_columns
from bioloom.samples.arms import ARM
from bioloom.samples.columns import has_classes, is_flag
from bioloom.splits import COLUMNS, FINAL, SPLITS, check_splits

_SHARED = {
    "by": Option(
        "group", choices=("group", "block", "cluster", "row", "end"), about="what stays on one side"
    ),
    "identity": Option(
        None,
        type=float,
        above=0,
        maximum=1,
        about="of sequences, from which they are of one cluster",
    ),
    "valid": Option(0.1, above=0, maximum=1, about="share of all samples"),
}
OPTIONS: dict[str, dict[str, Option]] = {
    "holdout": {**_SHARED, "test": Option(0.2, above=0, maximum=1, about="share of all samples")},
    "cross_validation": {
        **_SHARED,
        "folds": Option(5, minimum=2, about="parts, of which each is tested once"),
        "repeats": Option(1, minimum=1, about="times that folds are drawn"),
    },
    "column": {**_SHARED, "column": Option(None, type=str, about="holds train, valid or test")},
    "auto": {},
}
FEW = 500
"""Samples: below, all of them are tested in turn, and more than once."""
SHORT = 0.9
"""Of what a part was to have: with less it lacks some."""
SPELLINGS = {"training": "train", "validation": "valid", "val": "valid", "dev": "valid"}


def split_samples(samples: pd.DataFrame, options: dict, seed: int) -> pd.DataFrame:
    """Splits of `samples` by the `split:` options of a task; the same seed gives the same splits.

    `method` is holdout (`test`, `valid`), cross_validation (`folds`, `repeats`, `valid`) or column
    (`column` holds a shipped split; `valid` is carved from train where it has none). `test` and
    `valid` are fractions of all samples. What stays together: `by: group` (the group column),
    `by: block` (the block column: sets of groups), `by: cluster` (also sequences linked at
    `identity` or above), `by: row` (only where no group repeats) or, of pairs, `by: end`: ends are
    held out, and a pair is tested where one of its ends is. `method: auto` chooses by the
    samples (`chosen_options`). Raises DataError for options or data that allow no such split.
    """
    options = checked_options(chosen_options(samples, options))
    if samples.empty:
        raise DataError("there are no samples to split")
    if not label_columns(samples):
        raise DataError(
            "The training data have no label",
            hint="name its column under `datasets: training: columns: {label: ...}`; where all "
            "pairs of a network are known ones, say `all_interact: true` there",
        )
    if options["by"] == "end":
        return _split_by_end(samples, options, np.random.default_rng([seed, 0]))
    units = _units(samples, options["by"], options["identity"])
    # A shipped split is as it is: there the audit tells.
    drawn = options["method"] != "column" and options["by"] != "block"
    if drawn and "sequence" in samples and is_dna(samples["sequence"]):
        units = _with_other_strand(units, samples["sequence"])
    # Blocks are few: the groups in them are what a score is resampled by.
    resampled = units if options["by"] != "block" else pd.factorize(samples["group"])[0]
    strata = _strata(samples)
    if options["method"] == "column":
        partitions = {(0, 0): _shipped(samples, options["column"])}
    elif options["method"] == "holdout":
        fractions = [1 - options["test"] - options["valid"], options["valid"], options["test"]]
        parts = _assign(units, strata, fractions, np.random.default_rng([seed, 0]))
        partitions = {(0, 0): np.array(SPLITS)[parts]}
    else:
        partitions = _folds(units, strata, options["folds"], options["repeats"], seed)
    for i, split in enumerate(partitions.values()):
        if "valid" not in split:
            rng = np.random.default_rng([seed, 1, i])
            _carve_valid(split, units, strata, options["valid"], rng)
        if options["method"] != "column":
            _check_sizes(split, units, options)
    splits = pd.concat(
        [_partition(samples, resampled, place, split) for place, split in partitions.items()],
        ignore_index=True,
    )
    check_splits(splits, samples)
    return splits


def _split_by_end(samples: pd.DataFrame, options: dict, rng: np.random.Generator) -> pd.DataFrame:
    """Hold out families of ends: a pair is on the side of that of its ends which is held out most.

    So a test pair has one new end, or two, and no pair is left out. Families are taken in a drawn
    order until their pairs make up the fraction, and a pair is resampled with its new end.
    """
    if not is_links(samples) or not samples["group"].str.contains(ENDS_BY, regex=False).all():
        raise DataError(
            "split by end is for pairs of which both ends have a family",
            hint="`clean: {hold_out: one}` of protein_interaction",
        )
    ends = samples["group"].str.split(ENDS_BY, expand=True, regex=False).to_numpy(str)
    names, families = np.unique(ends, return_inverse=True)
    families = families.reshape(ends.shape)
    pairs = _pairs_of(families, len(names))
    side = np.zeros(len(names), dtype=int)  # train; 1 valid, 2 test
    own = np.zeros(len(samples), dtype=int)  # the same of pairs
    order = rng.permutation(len(names))
    for part, fraction in ((2, options["test"]), (1, options["valid"])):
        held = 0
        for family in order[side[order] == 0]:
            added = pairs[family][own[pairs[family]] < part]
            if held + len(added) <= fraction * len(samples):
                side[family], own[added] = part, part
                held += len(added)
    place = side[families].argmax(axis=1)  # of two new ends the first
    split = np.array(SPLITS)[own]
    unit = families[np.arange(len(families)), place]
    splits = _partition(samples, unit, (0, 0), split)
    check_splits(splits, samples)
    return splits


def _pairs_of(families: np.ndarray, count: int) -> list[np.ndarray]:
    """The numbers of the pairs of each family, of families (N, 2) of their ends."""
    both = families[:, 0] != families[:, 1]
    ends = np.concatenate([families[:, 0], families[both, 1]])
    pairs = np.concatenate([np.arange(len(families)), np.flatnonzero(both)])
    cuts = np.cumsum(np.bincount(ends, minlength=count))[:-1]
    return np.split(pairs[np.argsort(ends, kind="stable")], cuts)


def _partition(
    samples: pd.DataFrame, units: np.ndarray, place: tuple[int, int], split: np.ndarray
) -> pd.DataFrame:
    columns = (samples["sample_id"].to_numpy(), units, *place, split)
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def chosen_options(samples: pd.DataFrame, options: dict) -> dict:
    """The `split:` options where `method: auto` is decided by the samples; others as they are.

    Few samples are cross-validated, many held out once. What stays together: blocks where there are
    any, sequences that are alike, else groups.
    """
    if options.get("method") != "auto":
        return options
    checked_options(options)
    if len(samples) < FEW:
        method = {"method": "cross_validation", "folds": 5, "repeats": 3, "valid": 0.15}
    else:
        method = {"method": "holdout", "test": 0.2, "valid": 0.15}
    if "block" in samples:
        return method | {"by": "block"}
    if is_links(samples) and samples["group"].str.contains(ENDS_BY, regex=False).all():
        return {"method": "holdout", "test": 0.2, "valid": 0.15, "by": "end"}
    identity = _identity(samples)
    if identity is not None:
        return method | {"by": "cluster", "identity": identity}
    return method | {"by": "group" if "group" in samples else "row"}


def _identity(samples: pd.DataFrame) -> float | None:
    """The identity above which sequences are alike; None where there are none, or variants of one.

    Unrelated peptides of 20 residues are 45 % identical by chance, and DNA has four letters: a
    lower identity would link all to one giant cluster.
    """
    if "sequence" not in samples or samples["sequence"].str.len().nunique() == 1:
        return None
    dna = is_dna(samples["sequence"])
    return 0.7 if dna or samples["sequence"].str.len().median() < 50 else 0.4


def checked_options(options: dict) -> dict:
    """Options with defaults filled in; DataError for unknown keys and values out of range."""
    method = options.get("method", "holdout")
    if method not in OPTIONS:
        raise unknown_name("split method", method, OPTIONS)
    given = {name: value for name, value in options.items() if name != "method"}
    full = complete_options(given, OPTIONS[method], f"split: {method}") | {"method": method}
    if method == "auto":
        return full
    if full["by"] == "end" and method != "holdout":
        raise DataError("split by end is a holdout: in folds a pair would be tested twice")
    if (full["by"] == "cluster") != (full["identity"] is not None):
        raise DataError("split by cluster needs identity, and only split by cluster takes it")
    if method == "column" and full["column"] is None:
        raise DataError("split method column needs column: the name of the column that has it")
    test = full.get("test", 1 / full["folds"] if "folds" in full else 0)
    if test + full["valid"] >= 1:
        raise DataError(f"test {test:.3g} and valid {full['valid']} leave no training samples")
    return full


def _strata(samples: pd.DataFrame) -> np.ndarray:
    """What to balance, (N, S) of 0 and 1: the class, the fifth of a number, or all of many labels.

    The first stratum of several labels is all samples; of several numbers it is the only one. Of
    patients with one of several arms it is the arm.
    """
    if ARM in samples:
        codes = pd.factorize(samples[ARM])[0]
        return np.eye(codes.max() + 1)[codes]
    if "label" not in samples:
        labels = [samples[name] for name in label_columns(samples) if is_flag(samples[name])]
        flags = [label.to_numpy(dtype=float, na_value=0) for label in labels]
        return np.column_stack([np.ones(len(samples)), *flags])
    if samples["label"].isna().any():
        raise DataError(f"{samples['label'].isna().sum()} samples have no label", column="label")
    if has_classes(samples):
        codes = pd.factorize(samples["label"])[0]
    else:
        fifths = pd.qcut(samples["label"], 5, labels=False, duplicates="drop")
        codes = fifths.fillna(0).to_numpy(int)
    return np.eye(codes.max() + 1)[codes]


def _units(samples: pd.DataFrame, by: str, identity: float | None) -> np.ndarray:
    """What stays together, (N,) int: rows, groups, or groups joined through sequence clusters."""
    if "group" not in samples and by == "group":
        raise DataError("split by group needs a group column", hint="name one, or split by: row")
    groups = pd.factorize(samples["group"])[0] if "group" in samples else np.arange(len(samples))
    if (groups < 0).any():
        raise DataError(f"{(groups < 0).sum()} samples have no group", column="group")
    if by == "block":
        if "block" not in samples:
            raise DataError("these samples have no blocks to split by", column="block")
        return pd.factorize(samples["block"])[0]
    if by == "row" and len(set(groups)) < len(groups):
        raise DataError("split by row where groups repeat puts a group on both sides")
    if identity is None:  # it comes with split by cluster, and only with it
        return groups
    if "sequence" not in samples:
        raise DataError("split by cluster needs a sequence column", column="sequence")
    from bioloom.similarity import connected
    from bioloom.similarity.sequence import sequence_clusters

    clusters = sequence_clusters(samples["sequence"].tolist(), identity)
    # A graph of groups and clusters with one edge a sample: its components share neither.
    size = len(groups)
    return connected(groups, size + clusters, 2 * size)[groups]


def _with_other_strand(units: np.ndarray, sequences: pd.Series) -> np.ndarray:
    """The units (N,) joined where one holds the reverse complement of a sequence of the other."""
    from bioloom.similarity import connected

    place = {text: i for i, text in enumerate(sequences)}
    other = np.array([place.get(reverse_complement(text), -1) for text in sequences])
    known = np.flatnonzero(other >= 0)
    return connected(units[known], units[other[known]], len(units))[units]


def _assign(
    units: np.ndarray, strata: np.ndarray, fractions: list[float], rng: np.random.Generator
) -> np.ndarray:
    """Part of each sample, (N,) int: whole units, in parts of about `fractions`, strata balanced.

    `strata (N, S)` says with 0 and 1 in which strata a sample is. Strata of few samples each leave
    the last parts short: all samples are then a stratum, too.
    """

    def least(part: np.ndarray) -> float:
        return float((np.bincount(part, minlength=len(fractions)) / fractions).min() / len(part))

    [other] = rng.spawn(1)
    part = _filled(units, strata, fractions, rng)
    if least(part) < SHORT and strata.shape[1] > 1:
        again = np.column_stack([np.ones(len(strata)), strata])
        even = _filled(units, again, fractions, other)
        part = even if least(even) > least(part) else part
    return part


def _filled(
    units: np.ndarray, strata: np.ndarray, fractions: list[float], rng: np.random.Generator
) -> np.ndarray:
    """Part of each sample, (N,) int.

    Greedy: units from the largest to the smallest (equal ones shuffled) each go where they least
    raise the chi-square of the stratum counts against those wanted; parts share large units first
    and small ones fill them up. The last units go to parts that are still empty.
    """
    _, unit = np.unique(units, return_inverse=True)
    strata = strata[:, strata.any(axis=0)]
    counts = np.zeros((unit.max() + 1, strata.shape[1]))
    np.add.at(counts, unit, strata)
    wanted = np.outer(fractions, counts.sum(axis=0))
    filled = np.zeros_like(wanted)
    order = rng.permutation(len(counts))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    part = np.zeros(len(counts), dtype=int)
    for left, i in zip(range(len(order), 0, -1), order, strict=True):
        cost = (counts[i] * (counts[i] + 2 * (filled - wanted)) / wanted).sum(axis=1)
        occupied = filled.any(axis=1)
        if left <= (~occupied).sum():
            cost[occupied] = np.inf
        part[i] = cost.argmin()
        filled[part[i]] += counts[i]
    return part[unit]


def _carve_valid(
    split: np.ndarray, units: np.ndarray, strata: np.ndarray, valid: float, rng: np.random.Generator
) -> None:
    """Turn whole units of the train rows of `split`, `valid` of all rows, into valid, in place."""
    train = np.flatnonzero(split == "train")
    share = min(valid * len(split) / max(len(train), 1), 0.5)
    if len(train):
        parts = _assign(units[train], strata[train], [1 - share, share], rng)
        split[train[parts == 1]] = "valid"


def _folds(
    units: np.ndarray, strata: np.ndarray, folds: int, repeats: int, seed: int
) -> dict[tuple[int, int], np.ndarray]:
    """Train and test rows of each (repeat, fold); the final partition is all train."""
    if folds == len(units) == len(np.unique(units)):
        raise DataError(
            f"`folds: {folds}` tests one sample at a time, by which nothing can be ranked",
            hint="fewer folds, such as 10",
        )
    partitions = {}
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, 0, repeat])
        fold_of = _assign(units, strata, [1 / folds] * folds, rng)
        for fold in range(folds):
            partitions[repeat, fold] = np.where(fold_of == fold, "test", "train").astype("<U5")
    partitions[FINAL] = np.full(len(units), "train")
    return partitions


def _check_sizes(split: np.ndarray, units: np.ndarray, options: dict) -> None:
    """DataError where large units left valid or test less than half of what was asked for."""
    test = options.get("test", 1 / options["folds"] if "folds" in options else 0)
    if options.get("folds") == len(np.unique(units)):
        test = 0  # each unit is tested by itself, such as a hospital, however large it is
    for name, asked in (("valid", options["valid"]), ("test", test)):
        share = (split == name).mean()
        if 0 < share < asked / 2:
            raise DataError(
                f"{name} has {share:.1%} of the samples where {asked:.0%} was asked for; the "
                f"largest group or cluster holds {np.bincount(units).max() / len(units):.1%}",
                hint="unequal groups; for clusters a higher identity makes smaller ones",
            )


def _shipped(samples: pd.DataFrame, column: str) -> np.ndarray:
    """The split that came with the data, (N,), in our words."""
    if column not in samples:
        raise DataError("the split column is not in the samples", column=column)
    words = samples[column].astype(str).str.strip().str.lower().replace(SPELLINGS)
    wrong = ~words.isin(SPLITS)
    if wrong.any():
        example = samples[column][wrong].iloc[0]
        raise DataError(
            f"{wrong.sum()} samples have a split that is not train, valid or test, as {example!r}",
            column=column,
        )
    return words.to_numpy(dtype="<U5")
