"""What stands in a model's folder: the network, its tokenizer, and the hash of both."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioloom.embedders import model_files
from bioloom.embedders._untrained import untrained
from bioloom.errors import DataError
from bioloom.files import sha256

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

log = logging.getLogger(__name__)

UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError)
UNUSED = ("pooler.", "contact_head.")  # parts of networks that no state of a token passes


def check_files(folder: Path) -> None:
    """DataError unless there are weights, and an index of them names files of the folder alone.

    Others would be read, and could change without a change of `weights_hash`.
    """
    if not any(folder.glob("*.safetensors")):
        raise DataError(
            "the model has no *.safetensors file",
            file=folder,
            hint="`save_pretrained` of transformers writes one",
        )
    for index in folder.glob("*.safetensors.index.json"):
        with _readable(folder):
            named = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        if outside := [name for name in named if Path(name).name != name]:
            raise DataError(
                f"the index names {outside[0]!r}, which is not in the folder itself",
                file=index,
                hint="all weights lie beside their index, as `save_pretrained` writes them",
            )


def load_config(folder: Path) -> PretrainedConfig:
    """The configuration of a folder; DataError where transformers does not know the model."""
    from transformers import AutoConfig

    with _readable(folder):
        if "auto_map" in json.loads((folder / "config.json").read_text()):
            log.warning("%s asks for code of its own, which is never run: transformers' is", folder)
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder; DataError where transformers finds none."""
    from transformers import AutoTokenizer

    with _readable(folder):
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


def load_encoder(
    folder: Path, device: str, dtype: str, layer: int, seed: int | None = None
) -> PreTrainedModel:
    """The part of a folder's network that gives states, ready to run; with a seed, untrained."""
    if seed is None:
        return encoder_of(load_network(folder, dtype), layer).eval().to(device)
    import torch

    # drawn in full precision, so that it is one network in each
    encoder = encoder_of(load_network(folder, "float32"), layer)
    weights = dict(encoder.named_parameters())
    drawn = untrained({name: part.detach().numpy() for name, part in weights.items()}, seed)
    with torch.no_grad():
        for name, part in weights.items():
            part.copy_(torch.from_numpy(drawn[name]))
    return encoder.eval().to(device, getattr(torch, dtype))


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
            ignore_mismatched_sizes=True,  # told below
        )
    unused = unused_parts(model)
    if missing := sorted(k for k in loading["missing_keys"] if not k.startswith(unused)):
        raise DataError(
            f"the model's files lack {', '.join(missing[:3])} ...",
            file=folder,
            hint="is config.json that of these weights?",
        )
    if mismatched := sorted(loading["mismatched_keys"]):
        name, given, asked = mismatched[0]
        raise DataError(
            f"{name} is of shape {tuple(given)}, by config.json of {tuple(asked)}",
            file=folder,
            hint="is config.json that of these weights?",
        )
    return model


def encoder_of(model: PreTrainedModel, layer: int) -> PreTrainedModel:
    """The part of a network that gives states; DataError unless it has this layer."""
    encoder = model.get_encoder() if _has_decoder(model) else model
    layers = encoder.config.num_hidden_layers
    if layer > layers:
        raise DataError(
            f"features: the model has {layers} layers, got layer {layer}",
            hint=f"from 0, the embeddings, to {layers}; -1 is the last",
        )
    return encoder


def unused_parts(model: PreTrainedModel) -> tuple[str, ...]:
    """What the names of weights begin with that the states of the encoder do not depend on."""
    return (*UNUSED, "decoder.") if _has_decoder(model) else UNUSED


def _has_decoder(model: PreTrainedModel) -> bool:
    """Whether an encoder and a decoder stand side by side: a lone T5 encoder is read as both."""
    return hasattr(model, "encoder") and hasattr(model, "decoder")


def embeddings_of(model: PreTrainedModel) -> int | None:
    """How many tokens the model has an embedding of; None: it has no table of them."""
    try:
        table: Any = model.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None
    return getattr(table, "num_embeddings", None)


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
    except (*UNREADABLE, SafetensorError) as error:
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
    for path in model_files(folder):
        digest.update(f"{path.name} {sha256(path)}\n".encode())
    return digest.hexdigest()
