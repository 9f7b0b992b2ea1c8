"""Pretrain a compact masked language model on unlabelled DNA or proteins.

FASTA files in, a folder out that transformers and the `huggingface` embedder load: config.json,
model.safetensors, the tokenizer, training.json (what it learnt from and how well it predicts
held-out letters beside counting) and a model card.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioloom.devices import claim_devices, device_name, fast_dtype, repeatable
from bioloom.files import sha256, write_json
from bioloom.pretraining.card import model_card
from bioloom.pretraining.corpus import Corpus, read_corpora, split_corpus
from bioloom.pretraining.settings import Settings

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from bioloom.pretraining.tokenizer import Codec

CHECKPOINTS = Path(".bioloom/checkpoints")
HELD_OUT_TOKENS = 500_000  # on which perplexity is measured at most
HELD_OUT_MASK = 0.15  # whatever the share in training, so that runs compare


def pretrain(
    corpora: Mapping[str, Path],
    section: Mapping[str, Any],
    folder: Path,
    *,
    seed: int,
    threads: int,
    checkpoints: Path = CHECKPOINTS,
) -> dict[str, Any]:
    """Train the network of a `pretrain:` block, write its folder, and return its training.json.

    `corpora` are FASTA files by name. A run that was killed goes on from its last checkpoint, on a
    CPU with the same `threads` bit for bit. DataError: unreadable corpora or settings.
    """
    import torch

    from bioloom.pretraining.masked_lm import process_group, rank_and_world

    torch.set_num_threads(threads)
    checksums = {name: sha256(file) for name, file in corpora.items()}
    recipe = {"corpora": checksums, "settings": dict(section), "seed": seed}
    versions = {name: version(name) for name in ("bioloom", "torch", "transformers", "tokenizers")}
    checkpoint = checkpoints / f"{_key(recipe, versions)}.safetensors"
    rank, world = rank_and_world()
    with _device() as device, process_group(device), repeatable(seed, str(device), warn_only=True):
        record = _train_and_measure(corpora, section, folder, seed, device, checkpoint)
    record |= recipe | {"threads": threads, "processes": world, "versions": versions}
    if rank == 0:
        (folder / "README.md").write_text(model_card(record))
        write_json(record, folder / "training.json")
        for left in checkpoints.glob(f"*{checkpoint.stem}*"):  # also what a killed run was writing
            left.unlink()
    return record


def _train_and_measure(
    corpora: Mapping[str, Path],
    section: Mapping[str, Any],
    folder: Path,
    seed: int,
    device: torch.device,
    checkpoint: Path,
) -> dict[str, Any]:
    """The network trained and saved in `folder`, and what is to be known of it."""
    import torch
    from transformers.utils import logging

    from bioloom.pretraining import masked_lm
    from bioloom.pretraining.rows import draw_rows

    settings = Settings.from_config(section)
    training = settings.training
    records = read_corpora(corpora, settings.alphabet)
    corpus, held_out = split_corpus(
        records, settings.alphabet, share=training.held_out, block=training.block, seed=seed
    )
    codec, model = _codec_and_model(settings, corpus, seed)
    torch.nn.Module.to(model, device)

    def rows_of(step: int, rows: range) -> Any:
        return draw_rows(
            corpus,
            codec,
            length=training.length,
            mask=training.mask,
            seed=seed,
            step=step,
            rows=rows,
        )

    dtype = fast_dtype(device.type) if training.precision == "auto" else training.precision
    progress = masked_lm.train(
        model, rows_of, training, seed=seed, dtype=dtype, device=device, checkpoint=checkpoint
    )
    record = {
        "parameters": model.num_parameters(),
        "vocabulary": len(codec.tokenizer),
        "length": training.length,
        "records": len(records),
        "letters": {"train": len(corpus), "held_out": len(held_out)},
        "steps": progress.step,
        "tokens_seen": progress.tokens,
        "seconds": round(progress.seconds, 1),
        "tokens_per_second": round(progress.tokens / progress.seconds),
        "resumed": progress.resumed,
        "device": device_name(device),
        "dtype": progress.dtype,
        "loss": progress.losses,
    }
    if masked_lm.rank_and_world()[0] == 0:
        logging.disable_progress_bar()
        model.save_pretrained(folder)
        codec.tokenizer.save_pretrained(folder)
        record["held_out"] = _measure(model, corpus, held_out, codec, settings, device)
    return record


def _codec_and_model(
    settings: Settings, corpus: Corpus, seed: int
) -> tuple[Codec, PreTrainedModel]:
    import torch

    from bioloom.pretraining.architecture import build_model
    from bioloom.pretraining.tokenizer import build_codec

    length = settings.training.length
    codec = build_codec(settings.tokenizer, settings.alphabet, corpus, length)
    torch.manual_seed(seed)
    return codec, build_model(settings.architecture, codec, length)


def _measure(
    model: PreTrainedModel,
    corpus: Corpus,
    held_out: Corpus,
    codec: Codec,
    settings: Settings,
    device: torch.device,
) -> dict[str, Any]:
    """Perplexity of the network, in fp32, and of counting on the same held-out masked tokens."""
    from bioloom.pretraining.masked_lm import masked_losses
    from bioloom.pretraining.perplexity import count_baselines, summary
    from bioloom.pretraining.rows import held_out_rows

    training = settings.training
    most = max(1, HELD_OUT_TOKENS // training.length)
    rows = held_out_rows(held_out, codec, length=training.length, mask=HELD_OUT_MASK, most=most)
    losses = {"model": masked_losses(model, rows, device, training.rows)}
    return summary(losses | count_baselines(corpus, codec, rows), rows, codec.letters_per_token)


def _key(recipe: dict[str, Any], versions: dict[str, str]) -> str:
    text = json.dumps([recipe, versions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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
