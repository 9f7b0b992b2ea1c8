"""Low-rank updates of an encoder, learnt with a linear head on its mean state."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bioloom.devices import device_name, enough_memory, fast_dtype
from bioloom.embedders._pooling import segment_means
from bioloom.embedders.huggingface.encoder import HuggingFace
from bioloom.embedders.huggingface.folder import UNUSED, encoder_of, load_network
from bioloom.errors import DataError
from bioloom.finetuning.rows import Rows
from bioloom.schedule import warm_cosine

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel

WARM_UP = 0.1  # share of the steps, before half a cosine down to zero
WEIGHT_DECAY = 0.01
LARGEST_NORM = 1.0  # of the gradient
MEMORY_HINT = (
    "lower `finetune: batch_tokens`; all windows of a sequence are in memory at once, "
    "so a lower `clean: max_length` may help, too"
)


@dataclass(frozen=True)
class Settings:
    """The `finetune` options; the schema of a task says what each is."""

    method: Literal["lora"] = "lora"
    rank: int = 8
    alpha: int = 16
    dropout: float = 0.05
    learning_rate: float = 5e-4
    epochs: int = 5
    patience: int = 2
    batch_size: int = 16
    batch_tokens: int = 8192


class Tuner:
    """An encoder with low-rank updates of its linear layers, and a linear head on its mean state.

    Hu et al. 2021, LoRA (arXiv:2106.09685). The head is only there to learn by.
    """

    def __init__(self, encoder: HuggingFace, settings: Settings, seed: int, outputs: int) -> None:
        import torch

        self.encoder, self.settings, self.seed = encoder, settings, seed
        self.device = torch.device(encoder.device)
        self.whole = load_network(encoder.folder, "float32").eval().to(self.device)
        inner = encoder_of(self.whole, encoder.layer)
        self.layers = linear_layers(inner)
        self.adapted = _adapt(inner, self.layers, settings)
        self.head = torch.nn.Linear(inner.config.hidden_size, outputs).to(self.device)
        self.learnt = [p for p in self.adapted.parameters() if p.requires_grad]
        self.bf16 = self.device.type == "cuda" and fast_dtype(encoder.device) == "bfloat16"

    def fit(self, train: Rows, valid: Rows) -> dict[str, Any]:
        """Train until the valid loss no longer falls; leave the best epoch's weights."""
        import torch
        from tqdm import tqdm

        parameters = [*self.learnt, *self.head.parameters()]
        optimizer = torch.optim.AdamW(
            parameters, self.settings.learning_rate, weight_decay=WEIGHT_DECAY
        )
        best, losses = _Best(self.learnt), []
        with tqdm(
            total=self.settings.epochs * len(train.texts),
            desc="finetune",
            unit="sequence",
            mininterval=1 if sys.stderr.isatty() else 30,
        ) as progress:
            for epoch in range(1, self.settings.epochs + 1):
                train_loss = self._epoch(train, optimizer, epoch, progress)
                valid_loss = self._loss(valid, np.arange(len(valid.texts)))
                losses.append({"epoch": epoch, "train_loss": train_loss, "valid_loss": valid_loss})
                progress.set_postfix(epoch=epoch, valid_loss=f"{valid_loss:.4f}")
                if not math.isfinite(train_loss + valid_loss):
                    raise DataError(
                        "Fine-tuning diverged: the loss is not a number",
                        hint="lower `finetune: learning_rate`",
                    )
                best.look(valid_loss, epoch)
                if epoch - best.epoch >= self.settings.patience:
                    break
        best.restore()
        return {"losses": losses, "best_epoch": best.epoch}

    def merged(self) -> PreTrainedModel:
        """The whole network with the updates added to its weights; the tuner is then used up."""
        self.adapted.merge_and_unload(safe_merge=True)
        return self.whole

    def described(self) -> dict[str, Any]:
        """What was trained, and on what."""
        import torch

        return {
            "adapted_layers": len(self.layers),
            "trained_parameters": sum(p.numel() for p in self.learnt),
            "device": device_name(self.device),
            "threads": torch.get_num_threads(),
            "dtype": "bfloat16" if self.bf16 else "float32",
        }

    def _epoch(
        self, rows: Rows, optimizer: torch.optim.Optimizer, epoch: int, progress: Any
    ) -> float:
        """One pass over the rows; their mean loss, each before the step that it was part of."""
        import torch

        size, settings = self.settings.batch_size, self.settings
        order = np.random.default_rng([self.seed, epoch]).permutation(len(rows.texts))
        batches = np.split(order, range(size, len(order), size))
        total = 0.0
        for i, batch in enumerate(batches):
            done = (epoch - 1 + i / len(batches)) / settings.epochs
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * warm_cosine(done, WARM_UP)
            optimizer.zero_grad()
            total += self._loss(rows, batch, learn=True) * rows.answers[batch].sum()
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, LARGEST_NORM)
            optimizer.step()
            progress.update(len(batch))
        return float(total / max(1, rows.answers.sum()))

    def _loss(self, rows: Rows, chosen: np.ndarray, learn: bool = False) -> float:
        """The mean loss of some rows, and its gradient where they are learnt from.

        They go through the network in packs of `batch_tokens`, whose gradients add up.
        """
        import torch

        self.adapted.train(learn)
        answers, total = max(1, rows.answers[chosen].sum()), 0.0
        texts = [rows.texts[i] for i in chosen]
        with torch.set_grad_enabled(learn), enough_memory("Fine-tuning", MEMORY_HINT):
            for states in self.encoder.states(texts, self._forward, padded=True):
                before, after = self.encoder.special
                ends = np.cumsum(states.lengths)
                inside = ends - states.lengths + before, ends - after
                means = segment_means(states.values, *inside, np.ones_like(ends))
                loss = self._summed(self.head(means), rows, chosen[states.order]) / answers
                if learn:
                    loss.backward()
                total += loss.item()
        return total

    def _forward(self, chunks: list[list[int]]) -> torch.Tensor:
        import torch

        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            return self.encoder.padded(chunks, self.adapted)

    def _summed(self, raw: torch.Tensor, rows: Rows, chosen: np.ndarray) -> torch.Tensor:
        """Cross-entropy, or squared errors of what was measured, summed over weighted rows."""
        import torch
        from torch.nn import functional as F

        y = torch.from_numpy(rows.y[chosen]).to(self.device)
        weight = torch.from_numpy(rows.weight[chosen]).float().to(self.device)
        if rows.output == "classes":
            return (weight * F.cross_entropy(raw, y, reduction="none")).sum()
        measured, y = torch.isfinite(y), y.nan_to_num().float()
        if rows.output == "labels":
            each = F.binary_cross_entropy_with_logits(raw, y, reduction="none")
        else:
            each = (raw - y).square()
        return (weight * torch.where(measured, each, 0.0).sum(dim=1)).sum()


class _Best:
    """The parameters of the epoch of the lowest valid loss."""

    def __init__(self, parameters: list[torch.nn.Parameter]) -> None:
        self.parameters, self.loss, self.epoch = parameters, math.inf, 0
        self.values: list[torch.Tensor] = []

    def look(self, loss: float, epoch: int) -> None:
        if loss < self.loss:
            self.loss, self.epoch = loss, epoch
            self.values = [p.detach().clone() for p in self.parameters]

    def restore(self) -> None:
        for parameter, value in zip(self.parameters, self.values, strict=True):
            parameter.data.copy_(value)


def linear_layers(encoder: PreTrainedModel) -> list[str]:
    """The names of all linear layers that the states pass."""
    import torch

    unused = UNUSED
    names = [
        name
        for name, module in encoder.named_modules()
        if isinstance(module, torch.nn.Linear) and not name.startswith(unused)
    ]
    if not names:
        raise DataError(f"{encoder.config.model_type} has no linear layer that LoRA could adapt")
    return names


def _adapt(encoder: PreTrainedModel, layers: list[str], settings: Settings) -> PeftModel:
    """The encoder with updates put into it, in place: they start at zero."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=layers,
    )
    return get_peft_model(encoder, config)
