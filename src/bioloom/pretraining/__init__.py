"""Pretrain a compact masked language model on unlabelled DNA or proteins.

FASTA or GenBank files in, a folder out that transformers and the `huggingface` embedder load:
config.json, model.safetensors, the tokenizer, training.json (what it learnt from and how well it
predicts held-out letters beside counting) and a model card.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bioloom.devices import claim_devices, device_name, enough_memory, fast_dtype, repeatable
from bioloom.errors import DataError
from bioloom.files import replacing_folder, sha256, write_json
from bioloom.pretraining.card import model_card
from bioloom.pretraining.corpus import Corpus, join_records, read_corpora, split_corpus
from bioloom.pretraining.processes import process_group, rank_and_world
from bioloom.pretraining.rows import Rows, draw_rows, held_out_rows
from bioloom.pretraining.settings import Settings, Training
from bioloom.pretraining.tokenizer import Codec, build_codec

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from bioloom.pretraining.masked_lm import Progress

CHECKPOINTS = Path(".bioloom/checkpoints")
KEY = 16  # hexadecimal digits of the hash in a checkpoint's name
HELD_OUT_TOKENS = 500_000  # on which perplexity is measured at most
HELD_OUT_MASK = 0.15  # whatever the share in training, so that runs compare


class _Data(NamedTuple):
    """What is trained on, what is held out, and the held-out rows that are predicted."""

    train: Corpus
    held_out: Corpus
    codec: Codec
    rows: Rows


def pretrain(
    corpora: Mapping[str, Path],
    section: Mapping[str, Any],
    folder: Path,
    *,
    seed: int,
    threads: int,
    code: str = "",
    checkpoints: Path = CHECKPOINTS,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train the network of a `pretrain:` block and write its folder; under torchrun rank 0 does.

    `corpora` are files by name, `code` is the hash of the step's code. Returned are training.json,
    which is the same wherever the network is trained, and a record of this run (device, speed).
    A run that was killed goes on from its last checkpoint, on a CPU with the same `threads` bit
    for bit, and one that was through does not train again. DataError: what the user can mend in
    corpora or settings.
    """
    import torch

    torch.set_num_threads(threads)
    settings = Settings.from_config(section)
    training = settings.training
    rank, world = rank_and_world()
    _check_shares(training, world)
    text, ends = join_records(read_corpora(corpora, settings.alphabet))
    recipe = {
        "corpora": {name: sha256(file) for name, file in corpora.items()},
        "settings": asdict(settings),
        "seed": seed,
        "versions": {name: version(name) for name in ("bioloom", "torch", "transformers")},
    }
    checkpoint = checkpoints / f"{folder.name}-{_key(recipe, code)}.safetensors"
    if rank == 0:
        _forget_others(checkpoint)
    data = _prepare(text, ends, settings, seed)
    batch = f"training: a batch of {training.tokens_per_batch} tokens"
    with (
        _device() as device,
        process_group(device),
        repeatable(seed, str(device), warn_only=True),
        enough_memory(batch, "lower `tokens_per_batch`"),
    ):
        model = _untrained(settings, data.codec, seed)
        torch.nn.Module.to(model, device)
        progress = _train(model, data, training, seed, device, checkpoint)
        record = recipe | {"records": len(ends)} | _facts(model, data, progress)
        if rank == 0:
            record["held_out"] = _measure(model, data, device, training.rows // world)
            _write(folder, model, data.codec, record)
    run = {
        "device": device_name(device),
        "processes": world,
        "threads": threads,
        "seconds": round(progress.seconds, 1),
        "tokens_per_second": round(progress.tokens / progress.seconds),
        "resumed": progress.resumed,
    }
    return record, run


def _check_shares(training: Training, world: int) -> None:
    if training.rows % world:
        raise DataError(
            f"training: {world} processes cannot share the {training.rows} rows of a batch evenly",
            hint=f"make `tokens_per_batch` a multiple of {world * training.length}",
        )


def _key(recipe: dict[str, Any], code: str) -> str:
    text = json.dumps([recipe, version("tokenizers"), code], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY]


def _forget_others(checkpoint: Path) -> None:
    """Delete the checkpoints of this network with another key, and what killed runs half wrote."""
    name = glob.escape(checkpoint.stem[:-KEY]) + KEY * "[0-9a-f]"
    for pattern in (f"{name}.safetensors", f".{name}.*.safetensors"):
        for left in checkpoint.parent.glob(pattern):
            if left != checkpoint:
                left.unlink(missing_ok=True)


def _prepare(text: np.ndarray, ends: np.ndarray, settings: Settings, seed: int) -> _Data:
    """Split and tokenise; the held-out rows are made here because they can turn out too few."""
    training = settings.training
    train, held_out = split_corpus(
        text,
        ends,
        settings.alphabet,
        share=training.held_out,
        block=training.block,
        least=settings.row_letters,
        seed=seed,
    )
    length = training.length
    codec = build_codec(settings.tokenizer, settings.alphabet, train, length)
    most = max(1, HELD_OUT_TOKENS // length)
    rows = held_out_rows(held_out, codec, length=length, mask=HELD_OUT_MASK, most=most)
    return _Data(train, held_out, codec, rows)


def _untrained(settings: Settings, codec: Codec, seed: int) -> PreTrainedModel:
    import torch

    from bioloom.pretraining.architecture import build_model

    torch.manual_seed(seed)
    return build_model(settings.architecture, codec, settings.training.length)


def _train(
    model: PreTrainedModel,
    data: _Data,
    training: Training,
    seed: int,
    device: torch.device,
    checkpoint: Path,
) -> Progress:
    from bioloom.pretraining.masked_lm import train

    def rows_of(step: int, rows: range) -> Rows:
        return draw_rows(
            data.train,
            data.codec,
            length=training.length,
            mask=training.mask,
            seed=seed,
            step=step,
            rows=rows,
        )

    dtype = fast_dtype(device.type) if training.precision == "auto" else training.precision
    return train(
        model, rows_of, training, seed=seed, dtype=dtype, device=device, checkpoint=checkpoint
    )


def _facts(model: PreTrainedModel, data: _Data, progress: Progress) -> dict[str, Any]:
    return {
        "letters": {"train": len(data.train), "held_out": len(data.held_out)},
        "parameters": model.num_parameters(),
        "vocabulary": len(data.codec.tokenizer),
        "steps": progress.step,
        "tokens_seen": progress.tokens,
        "dtype": progress.dtype,
        "loss": progress.losses,
    }


def _measure(
    model: PreTrainedModel, data: _Data, device: torch.device, batch: int
) -> dict[str, Any]:
    """Perplexity of the network, in fp32, and of counting on the same held-out masked tokens."""
    from bioloom.pretraining.masked_lm import masked_losses
    from bioloom.pretraining.perplexity import count_baselines, summary

    losses = {"model": masked_losses(model, data.rows, device, batch)}
    losses |= count_baselines(data.train, data.codec, data.rows)
    return summary(losses, data.rows, data.codec)


def _write(folder: Path, model: PreTrainedModel, codec: Codec, record: dict[str, Any]) -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()
    with replacing_folder(folder) as made:
        model.save_pretrained(made)
        codec.tokenizer.save_pretrained(made)
        (made / "README.md").write_text(model_card(record))
        write_json(record, made / "training.json")


@contextmanager
def _device() -> Iterator[torch.device]:
    """The GPU of this process under torchrun, else a free one, else the CPU."""
    import torch

    if "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
        yield device
        return
    with claim_devices(None) as names:
        yield torch.device(names[0])
