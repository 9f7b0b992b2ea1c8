"""Masked language modelling: the loop, and a resume that continues bit for bit on a CPU.

AdamW, a warmed-up cosine rate, gradient clipping, bf16 autocast where it is faster. Everything
random comes from (seed, step), so a checkpoint is weights, optimizer state and the step. Under
torchrun each process trains on its share of a step's rows (DistributedDataParallel).
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import distributed
from torch.nn import functional as F
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import and_masks, packed_sequence_mask_function, sdpa_mask

from bioloom.pretraining.checkpoint import load_checkpoint, save_checkpoint
from bioloom.pretraining.rows import IGNORED, Rows
from bioloom.pretraining.settings import Training

ATTENTION = "bioloom_documents"
SECONDS_BETWEEN_LINES = 10
# Models that number positions from the padding token's number + 1.
FAIRSEQ_POSITIONS = ("camembert", "esm", "longformer", "roberta", "xlm-roberta")

_documents: ContextVar[torch.Tensor | None] = ContextVar("documents", default=None)


@dataclass
class Progress:
    """What a training run has done so far; JSON-able, kept in the checkpoint."""

    dtype: str
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    resumed: int = 0
    losses: list[tuple[int, float]] = field(default_factory=list)  # step, mean since the last one


def attend_within_documents(model: PreTrainedModel) -> None:
    """Let the model's attention stay within the documents given to `forward_rows`."""
    AttentionInterface.register(ATTENTION, sdpa_attention_forward)
    AttentionMaskInterface.register(ATTENTION, _document_mask)
    model.set_attn_implementation(ATTENTION)


def _document_mask(*, mask_function: Callable, **options: Any) -> torch.Tensor | None:
    documents = _documents.get()
    if documents is not None:
        mask_function = and_masks(mask_function, packed_sequence_mask_function(documents))
        options["allow_is_bidirectional_skip"] = False
    return sdpa_mask(mask_function=mask_function, **options)


def forward_rows(model: torch.nn.Module, rows: Rows, device: torch.device) -> torch.Tensor:
    """Logits (B, L, vocabulary) of rows; a token sees its own document, with its own positions."""
    tokens = torch.from_numpy(rows.tokens).to(device)
    if not rows.documents.any():  # one window a row: plain attention
        return model(input_ids=tokens).logits
    inner: Any = getattr(model, "module", model)  # of DistributedDataParallel
    options = {}
    if "position_ids" in signature(inner.forward).parameters:
        fairseq = inner.config.model_type in FAIRSEQ_POSITIONS
        first = inner.config.pad_token_id + 1 if fairseq else 0
        options["position_ids"] = torch.from_numpy(_positions(rows.documents) + first).to(device)
    token = _documents.set(torch.from_numpy(rows.documents).to(device))
    try:
        return model(input_ids=tokens, **options).logits
    finally:
        _documents.reset(token)


def _positions(documents: np.ndarray) -> np.ndarray:
    """The position of each token in its own document."""
    place = np.broadcast_to(np.arange(documents.shape[1]), documents.shape)
    starts = np.diff(documents, axis=1, prepend=-1) != 0
    return place - np.maximum.accumulate(np.where(starts, place, 0), axis=1)


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

    `rows_of(step, rows)` gives the rows of a step with these numbers.
    """
    rank, world = rank_and_world()
    optimizer = _optimizer(model, training)
    progress = load_checkpoint(checkpoint, model, optimizer, Progress)
    if progress is None:
        progress = Progress(dtype)
    else:
        progress.resumed += 1
        print(f"going on from step {progress.step}", file=sys.stderr, flush=True)
    network: torch.nn.Module = model
    if world > 1:  # static: some architectures have weights that masked language modelling lacks
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
            progress.losses.append((progress.step, torch.stack(recent).mean().item()))
            progress.seconds, recent = clock.seconds(), []
            if rank == 0:
                save_checkpoint(checkpoint, model, optimizer, progress)
    network.eval()
    return progress


def _learn(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    rows: Rows,
    training: Training,
    dtype: str,
    device: torch.device,
) -> torch.Tensor:
    """One step of gradient descent; the mean loss of the masked tokens before it."""
    with autocast(device, dtype):
        logits = forward_rows(network, rows, device)
    targets = torch.from_numpy(rows.targets).to(device)
    chosen = targets != IGNORED
    loss = F.cross_entropy(logits[chosen].float(), targets[chosen])
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), training.clip)
    optimizer.step()
    return loss.detach()


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


def rank_and_world() -> tuple[int, int]:
    """The number of this process, and how many train together; (0, 1) outside torchrun."""
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the other processes of torchrun for as long as the block lasts."""
    if rank_and_world()[1] == 1:
        yield
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


class _Clock:
    """Seconds of training over all runs, and a line of progress every few of them."""

    def __init__(self, progress: Progress, training: Training) -> None:
        self.progress, self.training = progress, training
        self.started = self.told = time.monotonic()
        self.before, self.first_step = progress.seconds, progress.step

    def seconds(self) -> float:
        """Seconds of training, those before a resume included."""
        return self.before + time.monotonic() - self.started

    def show(self, loss: torch.Tensor) -> None:
        """Print loss, speed and the time left."""
        now, step, steps = time.monotonic(), self.progress.step, self.training.steps
        if now - self.told < SECONDS_BETWEEN_LINES and step < steps:
            return
        self.told = now
        rate = (step - self.first_step) / (now - self.started)
        tokens = round(rate * self.training.rows * self.training.length)
        left = round((steps - step) / rate)
        print(
            f"step {step}/{steps}: loss {loss.item():.4f}, {tokens:,} tokens/s, {left} s left",
            file=sys.stderr,
            flush=True,
        )
