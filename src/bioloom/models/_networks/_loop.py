"""The one training loop of all torch models.

AdamW with a warmed-up cosine rate, gradient clipping, early stopping on the loss of the valid rows
with the best weights restored, one seed for everything random. Per-token features are batched by
length, so that little is padded; a network gets `x (B, L, D)` with `mask (B, L)`, or `x (B, D)`.
Its answers are a row a sample, or a row a residue or pair of residues end to end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from bioloom.arrays import Ragged, Shaped, end_to_end, token_lengths
from bioloom.errors import DataError
from bioloom.progress import tell
from bioloom.schedule import warm_cosine
from bioloom.structures.distances import answer_offsets

if TYPE_CHECKING:
    from bioloom.models._network import NetworkModel

TOKENS_PER_BATCH = 16_384
POOL = 16
"""Batches that are drawn together and sorted by length."""
WARM_UP = 0.05
"""Share of the steps."""

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


def train(
    model: NetworkModel,
    X: Shaped,
    target: np.ndarray,
    weight: np.ndarray | None,
    X_valid: Shaped,
    target_valid: np.ndarray,
) -> int:
    """Train `model.network`, which has its first weights, on standardised targets.

    Returns the epochs that its last weights have seen.
    """
    y, y_valid = torch.from_numpy(target), torch.from_numpy(target_valid)
    share = None if weight is None else torch.from_numpy(weight).float()
    loss = _loss(model, y)
    places = _places(model, X)
    stop = EarlyStopping(model.network, model.patience)
    optimizer = torch.optim.AdamW(
        model.network.parameters(), model.learning_rate, weight_decay=model.weight_decay, fused=True
    )
    rng = np.random.default_rng(model.seed)
    for epoch in range(model.epochs):
        _train_epoch(model, X, places, y, share, loss, optimizer, epoch, rng)
        if not torch.isfinite(y_valid).any():
            tell(f"epoch {epoch + 1} of {model.stop or model.epochs}")
            if epoch + 1 == model.stop:
                break
            continue
        valid_loss = loss(forward(model, X_valid), y_valid, None).item()
        tell(f"epoch {epoch + 1} of {model.epochs}, valid loss {valid_loss:.4f}")
        if not np.isfinite(valid_loss):
            raise DataError(
                "Training diverged: the valid loss is not a number",
                hint="lower `model: learning_rate`, or look for extreme values in the features",
            )
        if stop.should_stop(valid_loss, epoch):
            break
    stop.restore_best()
    model.network.eval()
    return 1 + (epoch if stop.weights is None else stop.best_epoch)


def _train_epoch(
    model: NetworkModel,
    X: Shaped,
    places: Ragged,
    target: torch.Tensor,
    weight: torch.Tensor | None,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    rng: np.random.Generator,
) -> None:
    device = next(model.network.parameters()).device
    model.network.train()
    batches = shuffled_batches(X, model.batch_size, rng)
    for i, rows in enumerate(batches):
        progress = (epoch + i / len(batches)) / model.epochs
        for group in optimizer.param_groups:
            group["lr"] = model.learning_rate * warm_cosine(progress, WARM_UP)
        with _mixed_precision(device):
            raw = model.network(*model.batch(X, rows, device))
        optimizer.zero_grad()
        share = None if weight is None else weight[rows].to(device)
        answers = target[places.tokens(rows)].to(device)
        loss(raw.float(), answers, share).backward()
        nn.utils.clip_grad_norm_(model.network.parameters(), 1.0)
        optimizer.step()


@torch.inference_mode()
def forward(model: NetworkModel, X: Shaped) -> torch.Tensor:
    """Logits or standardised values of all rows on the CPU, (rows, n_outputs) float32."""
    device = next(model.network.parameters()).device
    model.network.eval()
    places = _places(model, X)
    raw = torch.zeros(places.offsets[-1], model.n_outputs)
    for rows in batches_by_length(X, np.arange(len(X)), size=model.answered_at_once):
        with _mixed_precision(device):
            answered = model.network(*model.batch(X, rows, device))
        raw[places.tokens(rows)] = answered.float().cpu()
    return raw


def _places(model: NetworkModel, X: Shaped) -> Ragged:
    """Where the answers for each row of X stand among all: one a sample, residue or pair."""
    return Ragged(np.empty(0), answer_offsets(model.unit, X))


def _loss(model: NetworkModel, target: torch.Tensor) -> Loss:
    """Cross-entropy over classes or known labels, or the mean squared error of measured values."""
    if model.labels:
        return _label_loss(model, target)
    if not model.classes:
        return _measured_error
    weight = torch.ones(model.n_outputs)
    if model.class_weight == "balanced":
        counts = target.sum(dim=0)
        weight = len(target) / (model.n_outputs * counts.clamp(min=1))

    def cross_entropy(
        raw: torch.Tensor, target: torch.Tensor, share: torch.Tensor | None
    ) -> torch.Tensor:
        classes, by_class = target.argmax(dim=1), weight.to(raw.device)
        if share is None:
            return F.cross_entropy(raw, classes, by_class)
        losses = F.cross_entropy(raw, classes, by_class, reduction="none")
        return (share * losses).sum() / by_class[classes].sum()

    return cross_entropy


def _label_loss(model: NetworkModel, target: torch.Tensor) -> Loss:
    """Cross-entropy of each label by itself, over those that are known."""
    weights = torch.ones(2, model.n_outputs)
    if model.class_weight == "balanced":
        counts = torch.stack([(target == side).sum(dim=0) for side in (0, 1)])
        weights = counts.sum(dim=0) / (2 * counts.clamp(min=1))

    def cross_entropy(
        raw: torch.Tensor, target: torch.Tensor, share: torch.Tensor | None
    ) -> torch.Tensor:
        known, target = torch.isfinite(target), target.nan_to_num()
        without, having = weights.to(raw.device)
        weight = known * torch.where(target == 1, having, without)
        if share is not None:
            weight = weight * share[:, None]
        losses = F.binary_cross_entropy_with_logits(raw, target, weight, reduction="sum")
        return losses / known.sum().clamp(min=1)

    return cross_entropy


class EarlyStopping:
    """Keeps the weights of the best epoch and says when to give up."""

    def __init__(self, network: nn.Module, patience: int) -> None:
        self.network, self.patience = network, patience
        self.best_loss, self.best_epoch = math.inf, 0
        self.weights: dict[str, torch.Tensor] | None = None

    def should_stop(self, loss: float, epoch: int) -> bool:
        """Look at the valid loss of an epoch; true after `patience` epochs without a better one."""
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, epoch
            self.weights = {k: v.clone() for k, v in self.network.state_dict().items()}
        return epoch - self.best_epoch >= self.patience

    def restore_best(self) -> None:
        """Put the best weights back; the last ones stay where there was no valid loss."""
        if self.weights is not None:
            self.network.load_state_dict(self.weights)


def shuffled_batches(X: Shaped, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Row numbers of the batches of one epoch, each row once.

    Tokens: batches are drawn from pools of `POOL` batches that are sorted by length.
    """
    order = rng.permutation(len(X))
    if token_lengths(X) is None:
        return list(np.split(order, range(size, len(order), size)))
    pools = np.split(order, range(POOL * size, len(order), POOL * size))
    batches = [batch for pool in pools for batch in batches_by_length(X, pool, size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def batches_by_length(X: Shaped, rows: np.ndarray, size: int) -> list[np.ndarray]:
    """`rows` in batches of at most `size` items and, tokens, of `TOKENS_PER_BATCH` when padded."""
    lengths = token_lengths(X)
    if lengths is None:
        return list(np.split(rows, range(size, len(rows), size)))
    rows = rows[np.argsort(lengths[rows], kind="stable")]
    lengths = lengths[rows]
    cuts, start = [], 0
    for i, length in enumerate(lengths):
        if i > start and (i - start == size or (i - start + 1) * length > TOKENS_PER_BATCH):
            cuts.append(i)
            start = i
    return list(np.split(rows, cuts))


def take(
    X: Shaped, rows: np.ndarray, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """`x (B, D)` and None; or `x (B, L, D)`, zero where padded, and `mask (B, L)`.

    An item without tokens becomes one token of zeros, so that each row has something to attend to.
    """
    items = X[rows]
    lengths = token_lengths(items)
    if lengths is None:
        return torch.from_numpy(items).to(device), None
    values = end_to_end(items)
    mask = np.arange(max(1, lengths.max(initial=0))) < lengths[:, None]
    x = np.zeros((*mask.shape, values.shape[1]), dtype=np.float32)
    x[mask] = values
    mask[:, 0] = True
    return torch.from_numpy(x).to(device), torch.from_numpy(mask).to(device)


def _mixed_precision(device: torch.device) -> torch.autocast:
    """bf16 on a GPU that has it; these networks are too small to gain from it on a CPU."""
    wanted = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted)


def _measured_error(
    raw: torch.Tensor, target: torch.Tensor, share: torch.Tensor | None
) -> torch.Tensor:
    measured = torch.isfinite(target)
    squares = torch.where(measured, raw - target.nan_to_num(), 0.0).square()
    if share is not None:
        squares = share[:, None] * squares
    return squares.sum() / measured.sum().clamp(min=1)
