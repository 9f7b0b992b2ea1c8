"""Losses that sums of trees lower: where they start, and the next step of each row.

A loss holds the labels of N rows and looks at scores (N, S): logits of classes or labels, values,
or the log of a hazard.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from bioloom.kinds import Output
from bioloom.metrics.survival import by_cause
from bioloom.models._estimator import column_means
from bioloom.models._survival import RiskSets, partial_likelihood

FEW = 1e-3  # a share that logits start from, where a class is hardly there


class Loss(ABC):
    """What every loss says of scores (N, S) of rows with these `targets`, NaN where not known."""

    def __init__(self, targets: np.ndarray) -> None:
        self.targets = targets

    @abstractmethod
    def start(self, weight: np.ndarray) -> np.ndarray:
        """The best scores that are the same for all rows, (S,)."""

    @abstractmethod
    def value(self, scores: np.ndarray) -> float:
        """The mean loss."""

    @abstractmethod
    def step(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and second derivatives by each score, (N, S); 0 where a label is not known."""

    @staticmethod
    @abstractmethod
    def answers(scores: np.ndarray) -> np.ndarray:
        """Scores (N, S) as probabilities or values."""


class Squared(Loss):
    """Half the squared error of numbers."""

    def start(self, weight: np.ndarray) -> np.ndarray:
        """The means."""
        return column_means(self.targets, empty=0.0, weight=weight)

    def value(self, scores: np.ndarray) -> float:
        """Over what was measured."""
        return float(np.nanmean((self.targets - scores) ** 2)) / 2

    def step(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The error, and 1."""
        known = ~np.isnan(self.targets)
        return np.where(known, scores - self.targets, 0.0), known.astype(float)

    @staticmethod
    def answers(scores: np.ndarray) -> np.ndarray:
        """As they are."""
        return scores


class Logistic(Loss):
    """Log loss of labels that are each there or not."""

    def start(self, weight: np.ndarray) -> np.ndarray:
        """Logits of the shares."""
        share = np.clip(column_means(self.targets, empty=0.5, weight=weight), FEW, 1 - FEW)
        return np.log(share / (1 - share))

    def value(self, scores: np.ndarray) -> float:
        """Over the labels that are known."""
        return float(np.nanmean(np.logaddexp(0, scores) - self.targets * scores))

    def step(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The error of p, and p (1 - p)."""
        p, known = _sigmoid(scores), ~np.isnan(self.targets)
        return np.where(known, p - self.targets, 0.0), np.where(known, p * (1 - p), 0.0)

    @staticmethod
    def answers(scores: np.ndarray) -> np.ndarray:
        """The probability of each label; of two classes, of both."""
        return _sigmoid(scores)


class OfTwo(Logistic):
    """Log loss of two classes, by the logit of the second."""

    def __init__(self, targets: np.ndarray) -> None:
        super().__init__(targets[:, 1:])

    @staticmethod
    def answers(scores: np.ndarray) -> np.ndarray:
        """The probabilities of both."""
        return np.hstack([_sigmoid(-scores), _sigmoid(scores)])


class Softmax(Loss):
    """Log loss of several classes, of which a row has one."""

    def start(self, weight: np.ndarray) -> np.ndarray:
        """Logs of the shares."""
        return np.log(np.clip(column_means(self.targets, empty=0.0, weight=weight), FEW, 1))

    def value(self, scores: np.ndarray) -> float:
        """Of the class that a row has."""
        p = Softmax.answers(scores)
        return float(-np.log(np.clip((p * self.targets).sum(axis=1), 1e-12, 1)).mean())

    def step(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The error of p, and p (1 - p)."""
        p = Softmax.answers(scores)
        return p - self.targets, p * (1 - p)

    @staticmethod
    def answers(scores: np.ndarray) -> np.ndarray:
        """Probabilities that add up to 1."""
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)


class Partial(Loss):
    """Cox's partial likelihood of times to an event; of events that compete a score each."""

    def __init__(self, targets: np.ndarray) -> None:
        super().__init__(targets)
        self.sets = [RiskSets.of(one) for one in by_cause(targets)]

    def start(self, weight: np.ndarray) -> np.ndarray:
        """0: who has the mean hazard."""
        return np.zeros(len(self.sets))

    def value(self, scores: np.ndarray) -> float:
        """Minus its log, by row."""
        told = (partial_likelihood(scores[:, c], sets)[0] for c, sets in enumerate(self.sets))
        return sum(told) / len(scores)

    def step(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Events expected less seen, and events expected."""
        told = [partial_likelihood(scores[:, c], sets)[1:] for c, sets in enumerate(self.sets)]
        gradients, expected = zip(*told, strict=True)
        return np.column_stack(gradients), np.column_stack(expected)

    @staticmethod
    def answers(scores: np.ndarray) -> np.ndarray:
        """The hazard, as a multiple of the mean one."""
        return np.exp(scores)


def loss_for(output: Output, n_outputs: int) -> type[Loss]:
    """The loss by which such answers are learnt."""
    if output == "classes":
        return OfTwo if n_outputs == 2 else Softmax
    return {"labels": Logistic, "values": Squared, "survival": Partial}[output]


def _sigmoid(scores: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -scores))
