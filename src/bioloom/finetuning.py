"""LoRA fine-tuning of a Hugging Face encoder on the training rows of a task.

Samples and their one partition in, a folder out that the `huggingface` embedder loads: the merged
weights, the tokenizer, finetuning.json and a model card. Test rows are left out before anything is
looked at; valid rows only choose the epoch. A sequence goes through the embedder's own tokenizer,
and a long one through its windows, so that training sees the states which features are made of.
"""

from __future__ import annotations

import math
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from bioloom.application import Application, Kind, kind_of
from bioloom.devices import claim_devices, device_name, enough_memory, repeatable
from bioloom.embedders import complete, huggingface, normalise_all
from bioloom.embedders.huggingface.encoder import HuggingFace
from bioloom.embedders.huggingface.folder import (
    UNUSED,
    encoder_of,
    load_network,
    unused_parts,
)
from bioloom.errors import DataError
from bioloom.files import replacing_folder, write_json
from bioloom.pooling import segment_means
from bioloom.samples import label_columns

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
PACKAGES = ("bioloom", "peft", "torch", "transformers")


@dataclass(frozen=True)
class Settings:
    """The `finetune` options; the schema of config.yaml says what each is."""

    method: Literal["lora"] = "lora"
    rank: int = 8
    alpha: int = 16
    dropout: float = 0.05
    learning_rate: float = 5e-4
    epochs: int = 5
    patience: int = 2
    batch_size: int = 16
    batch_tokens: int = 8192


@dataclass(frozen=True)
class Rows:
    """Normalised sequences, their targets and how much each counts.

    `y` has class codes (N,) int64, or standardised values (N, T) with NaN where not measured.
    """

    texts: list[str]
    y: np.ndarray
    weight: np.ndarray

    @property
    def answers(self) -> np.ndarray:
        """How many labels each row has, (N,): what a mean loss is the mean of."""
        return np.ones(len(self.y)) if self.y.ndim == 1 else np.isfinite(self.y).sum(axis=1)


def finetune(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    application: Application,
    embedder: dict[str, Any],
    options: dict[str, Any],
    folder: Path,
    *,
    weights: Path | None,
    seed: int,
    task: str,
) -> dict[str, Any]:
    """Fine-tune the `embedder`, write `folder` as a whole, and return its finetuning.json.

    `weights` is a folder with the network before; None: the embedder's `model` names it.
    DataError: labels that are not one a sequence, several partitions, a loss that diverges, too
    little memory.
    """
    settings, section = Settings(**options), complete(embedder)
    kind, train, valid = labelled_rows(samples, splits, application, section)
    with claim_devices(None) as [device], repeatable(seed, device, warn_only=True):
        encoder = huggingface.load(section, weights, device, "float32")
        encoder.budget = settings.batch_tokens
        tuner = Tuner(encoder, settings, seed, outputs_of(kind, train))
        progress = tuner.fit(train, valid)
        record = {
            "task": task,
            "embedder": embedder,
            "weights_sha256_before": encoder.identity["weights_sha256"],
            "settings": asdict(settings),
            "seed": seed,
            "kind": kind,
            "rows": {"train": len(train.texts), "valid": len(valid.texts)},
            "max_length": encoder.max_length,
            "overlap": encoder.overlap,
            **tuner.described(),
            **progress,
            "versions": {name: version(name) for name in PACKAGES},
        }
        _write(folder, tuner.merged(), encoder, record)
    return record


def labelled_rows(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    application: Application,
    embedder: dict[str, Any],
) -> tuple[Kind, Rows, Rows]:
    """The kind of the task, and its train and valid rows: no other row is looked at."""
    if len(splits[["repeat", "fold"]].drop_duplicates()) > 1:
        raise DataError(
            "Fine-tuning takes one partition: cross-validation would need a network for each fold",
            hint="`split: {method: holdout}` or `column`",
        )
    part = splits.set_index("sample_id")["split"].reindex(samples["sample_id"]).to_numpy()
    samples, part = samples[part != "test"], part[part != "test"]
    kind, inputs = kind_of(application, samples), application.inputs(samples)
    if kind in ("per_residue", "per_pair") or not isinstance(inputs, list):
        raise DataError("Fine-tuning takes sequences with one label, or several values, each")
    texts = normalise_all(inputs, samples["sample_id"].tolist(), huggingface, embedder)
    y = _targets(samples, part == "train")
    weight = samples["sample_weight"] if "sample_weight" in samples else pd.Series(1.0, part)
    rows = {}
    for name in ("train", "valid"):
        chosen = np.flatnonzero(part == name)
        # as in training: weights are of mean 1, and each valid row counts once
        share = weight.to_numpy(float)[chosen] if name == "train" else np.ones(len(chosen))
        rows[name] = Rows([texts[i] for i in chosen], y[chosen], share / share.mean())
    return kind, rows["train"], rows["valid"]


def _targets(samples: pd.DataFrame, train: np.ndarray) -> np.ndarray:
    """Class codes (N,), or values (N, T) less the mean of train rows, over their deviation."""
    columns = label_columns(samples)
    if not pd.api.types.is_numeric_dtype(samples[columns[0]]):
        return pd.factorize(samples["label"], sort=True)[0].astype(np.int64)
    values = samples[columns].to_numpy(dtype=float)
    known = pd.DataFrame(values[train])
    centre, spread = known.mean().fillna(0), known.std(ddof=0).replace(0, 1).fillna(1)
    return (values - centre.to_numpy()) / spread.to_numpy()


def outputs_of(kind: Kind, rows: Rows) -> int:
    """How many numbers the head gives: one a class (every class has training rows), or a target."""
    return rows.y.shape[1] if "regression" in kind else int(rows.y.max()) + 1


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
        self.bf16 = self.device.type == "cuda" and torch.cuda.is_bf16_supported(
            including_emulation=False
        )

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
                group["lr"] = settings.learning_rate * _rate(done)
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
            for states in self.encoder.states(texts, self._forward):
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

        y = torch.from_numpy(rows.y[chosen]).to(self.device)
        weight = torch.from_numpy(rows.weight[chosen]).float().to(self.device)
        if rows.y.ndim == 1:
            each = torch.nn.functional.cross_entropy(raw, y, reduction="none")
        else:
            measured = torch.isfinite(y)
            each = torch.where(measured, raw - y.nan_to_num().float(), 0.0).square().sum(dim=1)
        return (weight * each).sum()


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


def _rate(progress: float) -> float:
    """Share of the learning rate: linear warm-up, then half a cosine down to zero."""
    return min(1.0, (progress + 1e-3) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * progress))


def _write(
    folder: Path, model: PreTrainedModel, encoder: HuggingFace, record: dict[str, Any]
) -> None:
    """The folder under another name, then renamed: it is there as a whole or not at all."""
    unused = unused_parts(model)
    state = {k: v for k, v in model.state_dict().items() if not k.startswith(unused)}
    with replacing_folder(folder) as made:
        model.save_pretrained(made, state_dict=state)
        encoder.tokenizer.save_pretrained(made)
        write_json(record, made / "finetuning.json")
        (made / "README.md").write_text(model_card(record))


def model_card(record: dict[str, Any]) -> str:
    """README.md of the folder, in the form of a Hugging Face model card."""
    rows, settings = record["rows"], record["settings"]
    lines = [
        f"| {loss['epoch']} | {loss['train_loss']:.4f} | {loss['valid_loss']:.4f} |"
        for loss in record["losses"]
    ]
    return f"""---
library_name: transformers
pipeline_tag: feature-extraction
---
# {record["embedder"]["model"]}, fine-tuned for {record["task"]}

LoRA (rank {settings["rank"]}, alpha {settings["alpha"]}) of {record["adapted_layers"]} linear
layers, merged into the weights: {record["trained_parameters"]:,} parameters were trained by bioloom
on {rows["train"]:,} labelled sequences ({record["kind"]}, seed {record["seed"]},
{record["device"]}, {record["dtype"]}). Weights before: sha256
`{record["weights_sha256_before"]}`.

| epoch | train loss | valid loss |
|---|---|---|
{chr(10).join(lines)}

The weights are those of epoch {record["best_epoch"]}, which {rows["valid"]:,} valid rows chose.
Features of the training rows were fitted to their labels: score nothing on them. finetuning.json
has all settings.
"""
