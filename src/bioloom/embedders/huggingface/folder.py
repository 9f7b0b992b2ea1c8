"""What stands in a model's folder: the network, its tokenizer, and the hash of both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bioloom.errors import DataError
from bioloom.files import sha256

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

READ = (".safetensors", ".json", ".txt", ".model")
RECORDS = ("training.json", "finetuning.json")  # bioloom's own, with times and devices
UNUSED = ("pooler.", "contact_head.")  # parts of networks that no state of a token passes


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder; DataError where transformers finds none."""
    from transformers import AutoTokenizer

    with _readable(folder):
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


def load_encoder(folder: Path, device: str, dtype: str, layer: int) -> PreTrainedModel:
    """The part of a folder's network that gives states, ready to run."""
    return encoder_of(load_network(folder, dtype), layer).eval().to(device)


def load_network(folder: Path, dtype: str) -> PreTrainedModel:
    """The network of a folder, with the decoder where it has one.

    DataError when its files cannot be read, or lack weights of the encoder, which would silently
    be random.
    """
    import torch
    from transformers import AutoModel

    # transformers' report of missing weights is replaced by the check below
    with _quiet_transformers(), _readable(folder):
        model, loading = AutoModel.from_pretrained(
            folder,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    unused = unused_parts(model)
    if missing := sorted(k for k in loading["missing_keys"] if not k.startswith(unused)):
        raise DataError(f"the model's files lack {', '.join(missing[:3])} ...", file=folder)
    return model


def encoder_of(model: PreTrainedModel, layer: int) -> PreTrainedModel:
    """The part of a network that gives states; DataError unless it has this layer."""
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    if layer > encoder.config.num_hidden_layers:
        raise DataError(f"features: the model has {encoder.config.num_hidden_layers} layers")
    return encoder


def unused_parts(model: PreTrainedModel) -> tuple[str, ...]:
    """What the names of weights begin with that the states of the encoder do not depend on."""
    return (*UNUSED, "decoder.") if model.config.is_encoder_decoder else UNUSED


def positions_of(model: PreTrainedModel) -> int | None:
    """The most tokens that the model has learnt positions for; None: it has no table of them."""
    from torch.nn import Embedding

    tables = [
        table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
        for name, table in model.named_modules()
        if isinstance(table, Embedding) and name.endswith("position_embeddings")
    ]
    return min(tables, default=None)


@contextmanager
def _readable(folder: Path) -> Iterator[None]:
    """Turn what transformers says of files that it cannot read into a DataError."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        problem = str(error).strip().split("\n")[0].rstrip(".")
        raise DataError(
            f"transformers cannot read the model: {problem}",
            file=folder,
            hint="it needs whole config.json, tokenizer and *.safetensors files, no code",
        ) from error


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    from transformers.utils import logging as transformers_logging

    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        transformers_logging.enable_progress_bar()


def weights_hash(folder: Path) -> str:
    """The sha256 of all that decides the vectors: weights, configuration and tokenizer."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in READ and path.name not in RECORDS:
            digest.update(f"{path.name} {sha256(path)}\n".encode())
    return digest.hexdigest()
