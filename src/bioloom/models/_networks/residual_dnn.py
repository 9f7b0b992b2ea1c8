"""Many small networks at once, and how they learn what a linear model leaves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from bioloom.models._networks._dropout import Dropout
from bioloom.progress import tell

if TYPE_CHECKING:
    from bioloom.models.residual_dnn import Model

ROWS = 4_096
"""Of a step."""
WARM_UP = 10
"""Steps until the learning rate is reached."""


class Committee(nn.Module):
    """B networks of two hidden layers side by side, whose last layers begin as zeros."""

    def __init__(
        self, networks: int, n_features: int, n_outputs: int, width: int, dropout: float
    ) -> None:
        super().__init__()
        sizes = [n_features, width, width]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for size, following in zip(sizes, [*sizes[1:], n_outputs], strict=True):
            bound = 1 / math.sqrt(max(size, 1))
            weight = torch.empty(networks, size, following).uniform_(-bound, bound)
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(torch.zeros(networks, 1, following)))
        nn.init.zeros_(self.weights[-1])
        self.dropout = Dropout(dropout)

    def first(self, x: torch.Tensor) -> torch.Tensor:
        """What the first layers give of rows (N, D), before their bend: (B, N, width)."""
        return x @ self.weights[0] + self.biases[0]

    def later(self, hidden: torch.Tensor) -> torch.Tensor:
        """The answers to what the first layers gave, (B, N, n_outputs)."""
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            bent = self.dropout(F.silu(hidden))
            hidden = torch.baddbmm(bias, bent, weight)
        return hidden

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, D) -> (B, N, n_outputs)."""
        return self.later(self.first(x))


def train(
    model: Model,
    rows: np.ndarray,
    targets: np.ndarray,
    without: np.ndarray,
    weight: np.ndarray,
    groups: np.ndarray,
) -> np.ndarray | None:
    """Train `model.committee`, each network `without (B,)` one fold, on all of the rows (N, D).

    `weight (N, n_outputs)` is that of each label, 0 where it is not known. The correction of each
    row by the networks that have not seen its fold, (N, n_outputs), when the other folds are
    answered best; None where it helps `groups (N,)` no more than chance does.
    """
    committee, spread = model.committee, torch.from_numpy(model.spread)
    x, y = torch.from_numpy(rows).float(), torch.from_numpy(targets / model.spread).nan_to_num()
    base = torch.from_numpy(model.linear.decisions) / spread
    folds, share = torch.from_numpy(model.linear.folds), torch.from_numpy(weight)
    names, fold = folds.unique(return_inverse=True)
    unseen = torch.from_numpy(without)[:, None] == folds
    learnt = (unseen if unseen.all() else ~unseen).double()  # of a single fold nothing is held out
    optimizer = torch.optim.AdamW(
        committee.parameters(), model.learning_rate, weight_decay=model.weight_decay
    )
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1, (step + 1) / WARM_UP))

    def losses(correction: torch.Tensor, some: torch.Tensor) -> torch.Tensor:
        return (share[some] * _loss(model, base[some] + correction, y[some])).sum(dim=-1)

    def elsewhere(values: torch.Tensor) -> torch.Tensor:
        """The loss of all folds but each, (folds,), by that of rows (N,)."""
        own = torch.zeros(len(names), dtype=values.dtype).index_add(0, fold, values)
        return own.sum() - own if len(own) > 1 else own

    everything = torch.arange(len(x))
    before = losses(torch.zeros_like(base), everything)
    best, least = before.sum().item(), elsewhere(before)
    kept, answers, since = None, torch.zeros_like(base), 0
    for epoch in range(model.epochs):
        committee.train()
        for some in torch.randperm(len(x)).split(ROWS):
            optimizer.zero_grad()
            own = losses(committee(x[some]).double(), some)
            (own * learnt[:, some]).sum(dim=1).div(len(some)).sum().backward()
            optimizer.step()
            warm.step()
        correction = _unseen(committee, x, unseen)
        now = losses(correction, everything)
        value, others = now.sum().item(), elsewhere(now)
        better = others < least
        least = torch.where(better, others, least)
        answers = torch.where(better[fold, None], correction, answers)
        tell(f"pass {epoch + 1} of {model.epochs}, left-out loss {value / len(x):.4f}")
        if value < best:
            best, since = value, 0
            kept = {name: part.clone() for name, part in committee.state_dict().items()}
        elif (since := since + 1) >= model.patience:
            break
    gain = (before - losses(answers, everything)).numpy()
    if kept is None or not _above_chance(gain, groups):
        return None
    committee.load_state_dict(kept)
    committee.eval()
    return (answers * spread).numpy()


def _above_chance(gain: np.ndarray, groups: np.ndarray) -> bool:
    """Whether the mean of gains (N,) is above its standard error, by the sums of their groups."""
    _, places = np.unique(groups, return_inverse=True)
    sums = np.bincount(places, gain)
    return bool(sums.sum() > np.sqrt(((sums - sums.mean()) ** 2).sum()))


@torch.inference_mode()
def _unseen(committee: Committee, x: torch.Tensor, unseen: torch.Tensor) -> torch.Tensor:
    """The mean answer to each row of the networks that have not seen it, (N, n_outputs)."""
    committee.eval()
    parts = [
        (committee(some).double() * mask[..., None]).sum(dim=0) / mask.sum(dim=0)[:, None]
        for some, mask in zip(x.split(ROWS), unseen.split(ROWS, dim=1), strict=True)
    ]
    return torch.cat(parts)


def _loss(model: Model, decisions: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Log loss or half the squared error of decisions (..., N, n_outputs), by label."""
    if model.classes:
        return -y * decisions.log_softmax(dim=-1)
    if model.labels:
        return F.binary_cross_entropy_with_logits(
            decisions, y.expand_as(decisions), reduction="none"
        )
    return (decisions - y) ** 2 / 2
