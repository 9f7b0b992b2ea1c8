"""The one training loop of all torch models.

AdamW with a warmed-up cosine rate, gradient clipping, early stopping on the loss of the valid rows
with the best weights restored, one seed for everything random. Per-token features are batched by
length, so that little is padded; a network gets `x (B, L, D)` with `mask (B, L)`, or `x (B, D)`.
Its answers are a row a sample, or a row a residue or pair of residues end to end.
"""

from __future__ import annotations

import math
import sys
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from bioloom.arrays import Ragged, Shaped, end_to_end, tables, token_lengths
from bioloom.devices import claim_devices, repeatable
from bioloom.errors import DataError
from bioloom.models._estimator import Estimator, column_means, target_matrix
from bioloom.structures.distances import answer_offsets

TOKENS_PER_BATCH = 16_384
POOL = 16
"""Batches that are drawn together and sorted by length."""
WARM_UP = 0.05
SECONDS_BETWEEN_LINES = 10

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]


@dataclass(kw_only=True)
class NetworkModel(Estimator):
    """A model that trains the torch network which `build` gives."""

    epochs: int = 60
    patience: int = 10
    """Epochs without a better valid loss before training stops."""
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    class_weight: Literal["balanced"] | None = None

    answered_at_once = 1024

    @abstractmethod
    def build(self, n_features: int) -> nn.Module:
        """An untrained network: `forward(x, mask)` gives logits or standardised values."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Train until the valid loss no longer falls; without valid rows for all epochs."""
        target = target_matrix(y, self.output, self.n_outputs)
        self.centre, self.spread = _standard(target, self.classes)
        target_valid = target_matrix(y_valid, self.output, self.n_outputs)
        X, X_valid = self.taken(X), self.taken(X_valid)
        self.n_features = tables(X)[0].shape[1]
        with claim_devices(None) as [device], repeatable(self.seed, device):
            self.network = self.build(self.n_features).to(device)
            weight = None if sample_weight is None else torch.from_numpy(sample_weight).float()
            self._train(X, self._scaled(target), weight, X_valid, self._scaled(target_valid))
        return self

    def outputs(self, X: Shaped) -> np.ndarray:
        """Softmax probabilities, or values in the unit of the label."""
        with claim_devices(None) as [device]:
            self.network.to(device)
            raw = self._forward(self.taken(X))
        if self.classes:
            return raw.double().softmax(dim=1).numpy()
        return raw.double().numpy() * self.spread + self.centre

    def state(self) -> dict[str, np.ndarray]:
        """Weights, the scale of the targets, and the width of X."""
        weights = {f"network.{k}": v.cpu().numpy() for k, v in self.network.state_dict().items()}
        width = np.array([self.n_features])
        return weights | {"centre": self.centre, "spread": self.spread, "n_features": width}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Build the network and take over its weights."""
        self.centre, self.spread = arrays["centre"], arrays["spread"]
        self.n_features = int(arrays["n_features"][0])
        self.network = self.build(self.n_features)
        start = "network."
        weights = {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
        self.network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        self.network.eval()

    def batch(self, X: Shaped, rows: np.ndarray, device: torch.device) -> tuple[Any, ...]:
        """What the network takes of some rows."""
        return take(X, rows, device)

    def _scaled(self, target: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(((target - self.centre) / self.spread).astype(np.float32))

    def _train(
        self,
        X: Shaped,
        target: torch.Tensor,
        weight: torch.Tensor | None,
        X_valid: Shaped,
        target_valid: torch.Tensor,
    ) -> None:
        loss = self._loss(target)
        stop = EarlyStopping(self.network, self.patience)
        optimizer = torch.optim.AdamW(
            self.network.parameters(),
            self.learning_rate,
            weight_decay=self.weight_decay,
            fused=True,
        )
        rng = np.random.default_rng(self.seed)
        told = time.monotonic()
        for epoch in range(self.epochs):
            self._train_epoch(X, target, weight, loss, optimizer, epoch, rng)
            if not torch.isfinite(target_valid).any():
                continue
            valid_loss = loss(self._forward(X_valid), target_valid, None).item()
            if time.monotonic() - told > SECONDS_BETWEEN_LINES:
                told = time.monotonic()
                line = f"epoch {epoch + 1}/{self.epochs}: valid loss {valid_loss:.4f}"
                print(line, file=sys.stderr, flush=True)
            if not np.isfinite(valid_loss):
                raise DataError(
                    "Training diverged: the valid loss is not a number",
                    hint="lower `model: learning_rate`, or look for extreme values in the features",
                )
            if stop.should_stop(valid_loss, epoch):
                break
        stop.restore_best()
        self.network.eval()

    def _train_epoch(
        self,
        X: Shaped,
        target: torch.Tensor,
        weight: torch.Tensor | None,
        loss: Loss,
        optimizer: torch.optim.Optimizer,
        epoch: int,
        rng: np.random.Generator,
    ) -> None:
        device = next(self.network.parameters()).device
        self.network.train()
        batches = shuffled_batches(X, self.batch_size, rng)
        for i, rows in enumerate(batches):
            progress = (epoch + i / len(batches)) / self.epochs
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * _rate(progress)
            with _mixed_precision(device):
                raw = self.network(*self.batch(X, rows, device))
            optimizer.zero_grad()
            share = None if weight is None else weight[rows].to(device)
            answers = target[self._answers(X, rows)].to(device)
            loss(raw.float(), answers, share).backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            optimizer.step()

    @torch.inference_mode()
    def _forward(self, X: Shaped) -> torch.Tensor:
        """Logits or standardised values of all rows on the CPU, (rows, n_outputs) float32."""
        device = next(self.network.parameters()).device
        self.network.eval()
        raw = torch.zeros(self._answer_offsets(X)[-1], self.n_outputs)
        for rows in batches_by_length(X, np.arange(len(X)), size=self.answered_at_once):
            with _mixed_precision(device):
                answered = self.network(*self.batch(X, rows, device))
            raw[self._answers(X, rows)] = answered.float().cpu()
        return raw

    def _answers(self, X: Shaped, rows: np.ndarray) -> np.ndarray:
        """Where the answers for these rows of X stand among all answers."""
        return Ragged(np.empty(0), self._answer_offsets(X)).tokens(rows)

    def _answer_offsets(self, X: Shaped) -> np.ndarray:
        """Where the answers of each row of X begin: one a sample, a residue or a pair of them."""
        return answer_offsets(self.unit, X)

    def _loss(self, target: torch.Tensor) -> Loss:
        """Cross-entropy over classes, or the mean squared error over the measured targets."""
        if not self.classes:
            return _measured_error
        weight = torch.ones(self.n_outputs)
        if self.class_weight == "balanced":
            counts = target.sum(dim=0)
            weight = len(target) / (self.n_outputs * counts.clamp(min=1))

        def cross_entropy(
            raw: torch.Tensor, target: torch.Tensor, share: torch.Tensor | None
        ) -> torch.Tensor:
            classes, by_class = target.argmax(dim=1), weight.to(raw.device)
            if share is None:
                return F.cross_entropy(raw, classes, by_class)
            losses = F.cross_entropy(raw, classes, by_class, reduction="none")
            return (share * losses).sum() / by_class[classes].sum()

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


def _rate(progress: float) -> float:
    """Share of the learning rate: linear warm-up, then half a cosine down to zero."""
    return min(1.0, (progress + 1e-3) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * progress))


def _measured_error(
    raw: torch.Tensor, target: torch.Tensor, share: torch.Tensor | None
) -> torch.Tensor:
    measured = torch.isfinite(target)
    squares = torch.where(measured, raw - target.nan_to_num(), 0.0).square()
    if share is not None:
        squares = share[:, None] * squares
    return squares.sum() / measured.sum().clamp(min=1)


def _standard(target: np.ndarray, classes: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each target over its measured rows; 0 and 1 for classes."""
    n_outputs = target.shape[1]
    if classes:
        return np.zeros(n_outputs), np.ones(n_outputs)
    centre = column_means(target, empty=0.0)
    spread = np.sqrt(column_means((target - centre) ** 2, empty=1.0))
    return centre, np.where(spread > 0, spread, 1.0)
