"""What is predicted of what: one module a kind, found by its name.

A kind answers for itself: which samples it fits, how labels become numbers, how answers are
calibrated, laid out and scored, and which metrics and plots it has. Stages ask it; none compares
its name. An application declares the kinds it may have; the samples say which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from bioloom.arrays import Ragged
from bioloom.errors import DataError
from bioloom.metrics import Metric, Scores
from bioloom.registry import find, names_in

Output = Literal["classes", "labels", "values", "survival"]
"""What a model answers with: probabilities of classes, of which a sample has one, or of labels, of
which it has any number, or numbers, or shares without an event at several times."""
Unit = Literal["sample", "residue", "residue_pair"]
"""What one answer is about."""

Strata = dict[str, tuple[np.ndarray, tuple[str, ...]]]
"""Parts of test rows by name: a mask (A,), and the metrics that say something of the part."""

ROW = ["repeat", "fold", "sample_id"]
MOST_LOG = 80.0
"""Of a logarithm that is turned back: what is beyond is no answer."""
RERUN = "run the train step again: held_out and splits do not belong together"


@dataclass(frozen=True)
class Calibration:
    """What is fitted on validation rows.

    `temperature` of probabilities; `threshold`, the probability of the positive class, or of each
    label, from which it is called, or the value above which is high; `quantile`, how far sets and
    intervals reach: of all classes a row with one number each, of each label a row (no, yes), of
    each number a row of those between the `cuts` of what is predicted; `least`, the lowest value of
    each number; `horizons`, the times by which a risk is told; `lines`, a line through the errors
    of each output, as the kind `arms` has them; `share`, that of the positive class among training
    rows; `odds`, by what the odds of that class are multiplied; `power`, that of the scale on which
    a number was learnt: 1 as it is, 0 its logarithm.
    """

    temperature: float = 1.0
    threshold: float | list[float] | None = None
    quantile: list[list[float]] = field(default_factory=list)
    cuts: list[list[float]] = field(default_factory=list)
    least: list[float] = field(default_factory=list)
    horizons: list[float] = field(default_factory=list)
    lines: list[list[float]] = field(default_factory=list)
    share: float | None = None
    odds: float = 1.0
    power: float = 1.0


@dataclass(frozen=True)
class HeldOut:
    """What one model said of the test rows of one repeat (N rows, all folds together).

    Classes: `y`, `call (N,)` class indices, `p (N, K)` probabilities. Values: `y`, `call (N,)`, or
    `(N, T)` with NaN in `y` where a target was not measured; `p` is empty. Labels: all three
    `(N, T)`, `y` and `call` 0 or 1. `group (N,)` indexes the test units (`splits`), the same in all
    models and repeats. `inside`, of the shape of `call`, says whether the set or interval holds the
    truth, 1 or 0; NaN where none was given. `weight (N,)` is how much a row counts, mean 1;
    `threshold (N,)` is where a value is called high. `own` are scores that a row has by itself, NaN
    where it has none: the metric of that name is their mean. `facts (N,)` of rows are what a kind's
    own metrics ask for beside.
    """

    repeat: int
    fold: np.ndarray
    sample_id: np.ndarray
    group: np.ndarray
    y: np.ndarray
    call: np.ndarray
    p: np.ndarray
    inside: np.ndarray | None = None
    weight: np.ndarray | None = None
    threshold: np.ndarray | None = None
    own: dict[str, np.ndarray] = field(default_factory=dict)
    facts: dict[str, np.ndarray] = field(default_factory=dict)

    def __getitem__(self, rows: np.ndarray) -> HeldOut:
        """The rows at `rows` (integers or a boolean mask)."""
        others = ("repeat", "own", "facts")
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in others}
        chosen: dict[str, Any] = {name: a[rows] for name, a in arrays.items() if a is not None}
        own = {name: values[rows] for name, values in self.own.items()}
        facts = {name: values[rows] for name, values in self.facts.items()}
        return HeldOut(self.repeat, **chosen, own=own, facts=facts)

    def keys(self) -> pd.MultiIndex:
        """`repeat, fold, sample_id` of each row."""
        repeat = np.full(len(self.fold), self.repeat)
        return pd.MultiIndex.from_arrays([repeat, self.fold, self.sample_id], names=ROW)

    def by_repeat(self, repeat: np.ndarray) -> list[HeldOut]:
        """The rows of each repeat by themselves; `repeat (N,)` says whose each is."""
        return [replace(self[repeat == n], repeat=int(n)) for n in np.unique(repeat)]


@dataclass(frozen=True)
class TestSet:
    """The predictions of all models on the test rows: `models[name][repeat]`.

    `outputs` are the classes in the order of the probability columns, the positive one of two last,
    or the targets or labels that are scored; `skipped` have too few test values or no spread.
    `drawn` is what curves are drawn of, where that is not the models' rows; `tables` are further
    plot tables. `facts` are what metrics.json says of the rows beside, `flags` what a reader should
    keep in mind; `verdicts` are words for "better", "equal" and "worse" in place of the usual ones.
    """

    models: dict[str, list[HeldOut]]
    outputs: list[str]
    groups: int
    skipped: list[str] = field(default_factory=list)
    drawn: TestSet | None = None
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    verdicts: dict[str, str] = field(default_factory=dict)

    __test__ = False  # not a test case, whatever pytest thinks of the name


class Learnt(NamedTuple):
    """The labels of the training rows, and how much each row counts, (N,).

    A model of `balanced` class weights answers as if all classes had been equally frequent.
    """

    y: np.ndarray
    weight: np.ndarray | None = None
    balanced: bool = False


def is_balanced(parameters: Mapping[str, Any]) -> bool:
    """Whether a model of these parameters, or each member of an ensemble, has equal classes."""
    members = parameters.get("of", [])
    own = parameters.get("class_weight")
    weights = [member.get("class_weight", own) for member in members] or [own]
    return all(weight == "balanced" for weight in weights)


@dataclass(frozen=True)
class Given:
    """What a kind takes from training rows beside labels, as who got which treatment.

    `weighted(labels, samples, train)`: the labels with weights that only the training rows `train
    (N,) bool` of a partition may tell. `facts(samples, train)`: what they tell of all samples, a
    row each, which is joined to the test rows. `remember(samples)`: what model.yaml says of the
    training rows. `finish(predictions, samples, remembered)`: the last word on predictions of new
    samples.
    """

    weighted: Callable[[Labels, pd.DataFrame, np.ndarray], Labels]
    facts: Callable[[pd.DataFrame, np.ndarray], pd.DataFrame]
    remember: Callable[[pd.DataFrame], dict[str, Any]]
    finish: Callable[[pd.DataFrame, pd.DataFrame, dict[str, Any]], pd.DataFrame]


@dataclass(frozen=True)
class Kind:
    """What is predicted of what; S are samples, A answers (more than S where a sample has several).

    `keys`: the columns that name an answer. `fits(samples)`: whether labelled samples are of this
    kind. `outputs(samples, positive)`: names of the classes or targets. `encode(samples, outputs)`:
    the labels as numbers. `rows(samples, outputs)`: the keys of all answers, in the order of the
    scores. `unanswered(ids, outputs)`: the same of samples that got no answer.
    `calibrate(raw, y, labels, learnt)`: from the model's answers to valid rows, whose weights are
    those of `labels`.
    `scores(raw, calibration)`: calibrated answers, (A, outputs). `decide(scores, calibration)`:
    which output is called, (A,). `answer(scores, outputs, calibration)`: the columns that held-out
    rows and predictions have. `loss(scores, y)`: for search and permutation importance.
    `test_set(test, held_out, options)`: predictions joined to the labels of test rows.
    `score(rows, weights)`: the metrics. `strata(rows)`: parts of the rows by name, each a mask
    and the metrics that say something of it. `primary` decides; `floor` is the naive model.
    `given`: what it asks of the training rows where labels alone do not say enough. `decisive`: the
    baseline that alone decides what is better.
    """

    name: str
    output: Output
    unit: Unit
    keys: tuple[str, ...]
    fits: Callable[[pd.DataFrame], bool]
    outputs: Callable[[pd.DataFrame, str | None], list[str]]
    encode: Callable[[pd.DataFrame, list[str]], np.ndarray | Ragged]
    rows: Callable[[pd.DataFrame, list[str]], pd.DataFrame]
    unanswered: Callable[[np.ndarray, list[str]], pd.DataFrame]
    calibrate: Callable[[np.ndarray, np.ndarray, Labels, Learnt], Calibration]
    scores: Callable[[np.ndarray, Calibration], np.ndarray]
    decide: Callable[[np.ndarray, Calibration], np.ndarray]
    answer: Callable[[np.ndarray, list[str], Calibration], pd.DataFrame]
    loss: Callable[[np.ndarray, np.ndarray], float]
    test_set: Callable[[pd.DataFrame, pd.DataFrame, dict[str, Any]], TestSet]
    score: Callable[[HeldOut, np.ndarray], Scores]
    metrics: tuple[Metric, ...]
    primary: str
    plots: tuple[str, ...]
    strata: Callable[[HeldOut], Strata] | None = None
    floor: str = "naive"
    high_call: bool = False  # whether `high_above` makes sense
    threshold: float | str | None = None  # the rule of `threshold`, where a class is called by one
    given: Given | None = None
    decisive: str | None = None
    facts: tuple[str, ...] = ()  # columns of samples that its scores ask for
    all_classes: bool = False  # whether each class needs a training row
    at_prior: Callable[[Calibration, float, float | str], Calibration] | None = None
    """The calibration where another share is positive; with the rule by which that threshold is."""
    horizons: bool = False  # whether `horizons` makes sense
    transforms: bool = False  # whether `transform` makes sense
    as_number: Callable[[np.ndarray], np.ndarray] | None = None
    """Encoded labels as what columns are chosen by, where they are not that themselves."""

    def metric(self, name: str) -> Metric:
        """One of its metrics by name; one that it does not list is labelled by its name."""
        known = {metric.name: metric for metric in self.metrics}
        return known.get(name) or Metric(name, name)


@dataclass(frozen=True)
class Labels:
    """The labels as a model takes them: class codes (N,), values (N,) or (N, targets), 0 and 1.

    Of residues or pairs of them: class codes as Ragged. `outputs` name the columns of an answer.
    `weight (N,)` is how much a sample counts; `high_above` is where a value starts to be called
    high; `threshold` and `horizons` are what a task says; `power` is that of the scale on which
    numbers are learnt.
    """

    kind: Kind
    y: np.ndarray | Ragged
    outputs: list[str]
    weight: np.ndarray | None = None
    high_above: float | None = None
    threshold: float | str | None = None
    horizons: Sequence[float] | None = None
    power: float = 1.0

    @property
    def taught(self) -> np.ndarray | Ragged:
        """The labels on the scale on which a model learns them."""
        return self.y if isinstance(self.y, Ragged) else to_scale(self.y, self.power)

    @property
    def rule(self) -> float | str:
        """By which the threshold is chosen: what the task says, or the rule of the kind."""
        rule = self.kind.threshold if self.threshold is None else self.threshold
        if rule is None:
            raise ValueError(f"{self.kind.name} calls nothing by a threshold")
        return rule


TRANSFORMS = {"log": 0.0, "sqrt": 0.5}
"""What `transform` of a number may be, and the power of its scale (Box & Cox 1964)."""


def to_scale(values: np.ndarray, power: float) -> np.ndarray:
    """Numbers on the scale of a power: as they are (1), square roots (0.5) or logarithms (0)."""
    if power == 1:
        return values
    return np.log(values) if power == 0 else values**power


def from_scale(values: np.ndarray, power: float) -> np.ndarray:
    """What `to_scale` made of numbers; below a square root of 0 there is none."""
    if power == 1:
        return values
    if power == 0:  # what is not known, an infinite end, stays so
        near = np.where(np.isinf(values), values, np.clip(values, -MOST_LOG, MOST_LOG))
        return np.exp(near)
    return np.maximum(values, 0) ** (1 / power)


def kind_names() -> list[str]:
    """The names of all kinds: the modules in `bioloom.kinds`."""
    return names_in(__name__)


def get_kind(name: str) -> Kind:
    """The kind of that name."""
    return find(__name__, name, "kind").kind


def kind_of(names: Sequence[str], samples: pd.DataFrame) -> Kind:
    """Which of these kinds labelled samples are of: the first that fits."""
    for kind in map(get_kind, names):
        if kind.fits(samples):
            return kind
    raise DataError(
        f"The labels are of none of the kinds {', '.join(names)}",
        column="label",
        hint="look at the label column, and at `kind` in the task",
    )


def encode_labels(
    samples: pd.DataFrame,
    kind: Kind,
    positive: str | None = None,
    high_above: float | str | None = None,
    threshold: float | str | None = None,
    horizons: Sequence[float] | None = None,
    transform: str | None = None,
) -> Labels:
    """Class codes (the positive class last) or values, and the weights where there are any."""
    if positive is not None and kind.output != "classes":
        raise DataError(
            f"`positive` names a class, the task predicts a {kind.name}",
            hint="`high_above` says which values are high",
        )
    if high_above is not None and not kind.high_call:
        raise DataError(f"`high_above` needs a number as label, the task predicts {kind.name}")
    if threshold is not None and kind.threshold is None:
        raise DataError(f"`threshold` is for two classes, the task predicts {kind.name}")
    if horizons is not None and not kind.horizons:
        raise DataError(f"`horizons` are of times to an event, the task predicts {kind.name}")
    if transform is not None and not kind.transforms:
        raise DataError(f"`transform` is of one number, the task predicts {kind.name}")
    outputs = kind.outputs(samples, positive)
    weighted = "sample_weight" in samples and kind.unit == "sample"
    weight = samples["sample_weight"].to_numpy(float) if weighted else None
    y = kind.encode(samples, outputs)
    high = high_above
    if high == "median":  # of all labels: in folds a call means the same
        high = np.median(np.asarray(y))
    power = 1.0 if transform is None else _power(transform, y)
    high = None if high is None else float(high)
    return Labels(kind, y, outputs, weight, high, threshold, horizons, power)


def _power(transform: str, y: Any) -> float:
    """The power of a transform of labels (N,) that it is defined for; else DataError."""
    power = TRANSFORMS[transform]
    wrong = y <= 0 if power == 0 else y < 0
    if wrong.any():
        raise DataError(
            f"`transform: {transform}` is not defined for {wrong.sum()} of {len(y)} labels, which "
            f"are {'0 or less' if power == 0 else 'below 0'}",
            column="label",
            hint="`transform: sqrt` takes 0" if power == 0 else "leave `transform` out",
        )
    return power
