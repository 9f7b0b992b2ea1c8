"""Masked language modelling: the loop, and a resume that continues bit for bit on a CPU.

AdamW, a warmed-up cosine rate, gradient clipping, bf16 autocast where it is faster. Everything
random comes from (seed, step), so a checkpoint is weights, optimizer state and the step. Under
torchrun each process trains on its share of a step's rows (DistributedDataParallel).
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.nn import functional as F
from transformers import PreTrainedModel

from bioloom.errors import DataError
from bioloom.pretraining.checkpoint import load_checkpoint, save_checkpoint
from bioloom.pretraining.documents import forward_rows
from bioloom.pretraining.processes import rank_and_world
from bioloom.pretraining.rows import IGNORED, Rows
from bioloom.pretraining.settings import Training
from bioloom.progress import due, tell


@dataclass
class Progress:
    """What a training run has done so far; JSON-able, kept in the checkpoint."""

    dtype: str
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    resumed: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)  # step, mean since the last one


def train(
    model: PreTrainedModel,
    rows_of: Callable[[int, range], Rows],
    training: Training,
    *,
    seed: int,
    dtype: str,
    device: torch.device,
    checkpoint: Path,
) -> Progress:
    """Train in place from the checkpoint, if there is one, to the last step.

    `rows_of(step, rows)` gives the rows of a step with these numbers; under torchrun these divide
    among the processes. DataError: a loss that is no number, processes at different steps.
    """
    rank, world = rank_and_world()
    optimizer = _optimizer(model, training)
    progress = load_checkpoint(checkpoint, model, optimizer, Progress)
    if progress is None:
        progress = Progress(dtype)
    else:
        progress.resumed += 1
        if rank == 0:
            print(f"going on from step {progress.step}", file=sys.stderr, flush=True)
    network: torch.nn.Module = model
    if world > 1:
        _agree(progress, world)
        # static: some architectures have weights that masked language modelling lacks
        network = torch.nn.parallel.DistributedDataParallel(model, static_graph=True)
    mine = range(rank, training.rows, world)
    clock, recent = _Clock(progress, training), []
    network.train()
    while progress.step < training.steps:
        _prepare_step(optimizer, training, seed, progress.step, rank)
        rows = rows_of(progress.step, mine)
        recent.append(_learn(network, optimizer, rows, training, progress.dtype, device))
        progress.step += 1
        progress.tokens += training.rows * training.length
        if rank == 0:
            clock.show(recent[-1])
        if progress.step % training.checkpoint_every == 0 or progress.step == training.steps:
            progress.losses.append((progress.step, _finite_mean(recent, model, progress.step)))
            progress.seconds, recent = clock.seconds(), []
            if rank == 0:
                save_checkpoint(checkpoint, model, optimizer, progress)
    network.eval()
    return progress


def _agree(progress: Progress, world: int) -> None:
    """Train in the precision of rank 0; DataError when the processes stand at different steps."""
    everyone: list[Any] = [None] * world
    distributed.all_gather_object(everyone, (progress.step, progress.dtype))
    if len({step for step, _ in everyone}) > 1:
        raise DataError(
            "the processes go on from different steps", hint="checkpoints must be on a shared disk"
        )
    progress.dtype = everyone[0][1]


def _finite_mean(losses: list[torch.Tensor], model: PreTrainedModel, step: int) -> float:
    """The mean loss; DataError when it, or a weight after the last step, is no number."""
    mean = torch.stack(losses).mean().item()
    if not math.isfinite(mean) or not all(p.isfinite().all() for p in model.parameters()):
        raise DataError(
            f"training: the loss is no number by step {step}", hint="lower `learning_rate`"
        )
    return mean


def _learn(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    rows: Rows,
    training: Training,
    dtype: str,
    device: torch.device,
) -> torch.Tensor:
    """One step of gradient descent; the mean loss before it, over the rows of all processes."""
    with autocast(device, dtype):
        logits = forward_rows(network, rows, device)
    targets = torch.from_numpy(rows.targets).to(device)
    chosen = targets != IGNORED
    loss = F.cross_entropy(logits[chosen].float(), targets[chosen])
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), training.clip)
    optimizer.step()
    mean = loss.detach()
    if distributed.is_initialized():
        distributed.all_reduce(mean)
        mean /= distributed.get_world_size()
    return mean


def _prepare_step(
    optimizer: torch.optim.Optimizer, training: Training, seed: int, step: int, rank: int
) -> None:
    """Set the learning rate and, for dropout, torch's random state: both depend on the step."""
    progress = step / training.steps
    warm = min(1.0, (step + 1) / max(1.0, training.warmup * training.steps))
    for group in optimizer.param_groups:
        group["lr"] = training.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * progress))
    torch.manual_seed(int(np.random.default_rng([seed, step, rank]).integers(2**62)))


def _optimizer(model: PreTrainedModel, training: Training) -> torch.optim.AdamW:
    """AdamW; biases and norms do not decay."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, training.learning_rate, betas=(0.9, 0.98), fused=True)


@torch.inference_mode()
def masked_losses(
    model: PreTrainedModel, rows: Rows, device: torch.device, batch: int
) -> np.ndarray:
    """The negative log likelihood (M,) of each masked token of `rows`, in nats, by fp32."""
    losses = []
    for start in range(0, len(rows.tokens), batch):
        part = Rows(*(array[start : start + batch] for array in rows))
        logits = forward_rows(model, part, device)
        targets = torch.from_numpy(part.targets).to(device)
        chosen = targets != IGNORED
        loss = F.cross_entropy(logits[chosen].float(), targets[chosen], reduction="none")
        losses.append(loss.cpu().numpy())
    return np.concatenate(losses).astype(np.float64)


def autocast(device: torch.device, dtype: str) -> torch.autocast:
    """bf16 where asked for; weights and optimizer state stay fp32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=dtype == "bfloat16")


class _Clock:
    """Seconds of training over all runs, and a line of progress every few of them."""

    def __init__(self, progress: Progress, training: Training) -> None:
        self.progress, self.training = progress, training
        self.started = time.monotonic()
        self.before, self.first_step = progress.seconds, progress.step

    def seconds(self) -> float:
        """Seconds of training, those before a resume included."""
        return self.before + time.monotonic() - self.started

    def show(self, loss: torch.Tensor) -> None:
        """Print loss, speed and the time left."""
        step, steps = self.progress.step, self.training.steps
        if not due() and step < steps:
            return
        rate = (step - self.first_step) / (time.monotonic() - self.started)
        tokens = round(rate * self.training.rows * self.training.length)
        left = round((steps - step) / rate)
        tell(
            f"step {step} of {steps}, loss {loss.item():.4f}, {tokens:,} tokens/s, {left} s left",
            always=True,
        )
