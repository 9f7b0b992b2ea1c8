"""Several documents in one row of tokens: a model reads each as if it were alone in it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from inspect import signature
from typing import Any

import numpy as np
import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import and_masks, packed_sequence_mask_function, sdpa_mask

from bioloom.errors import DataError
from bioloom.pretraining.rows import Rows

ATTENTION = "bioloom_documents"
ROUNDING = 1e-4  # of the logits' standard deviation; what leaks in is above it even if untrained

_documents: ContextVar[torch.Tensor | None] = ContextVar("documents", default=None)


def keep_documents_apart(model: PreTrainedModel, length: int, first_letter: int) -> None:
    """Let `forward_rows` keep apart the documents of rows of up to `length` tokens.

    Models number positions from 0 or from the padding token's number + 1, and many attend to the
    whole row whatever mask they are given. What is right is found by trying with the weights as
    they are, which stay so, as does torch's random state. DataError: nothing is.
    """
    AttentionInterface.register(ATTENTION, sdpa_attention_forward)
    AttentionMaskInterface.register(ATTENTION, _document_mask)
    model.set_attn_implementation(ATTENTION)
    firsts = [0, model.config.pad_token_id + 1] if _takes_positions(model) else [0]
    network: Any = model
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        model.eval()
        for first in firsts:
            network.first_position = first
            if _reads_apart(model, length, first_letter):
                return
    raise DataError(
        f"architecture: {model.config.model_type} does not keep the sequences of a row apart",
        hint="bert, esm, modernbert, roberta and electra do",
    )


def forward_rows(model: torch.nn.Module, rows: Rows, device: torch.device) -> torch.Tensor:
    """Logits (B, L, vocabulary) of rows; a token sees its own document, with its own positions."""
    tokens = torch.from_numpy(rows.tokens).to(device)
    if not rows.documents.any():  # one window a row: plain attention
        return model(input_ids=tokens).logits
    inner: Any = getattr(model, "module", model)  # of DistributedDataParallel
    options = {}
    if _takes_positions(inner):
        positions = _positions(rows.documents) + inner.first_position
        options["position_ids"] = torch.from_numpy(positions).to(device)
    token = _documents.set(torch.from_numpy(rows.documents).to(device))
    try:
        return model(input_ids=tokens, **options).logits
    finally:
        _documents.reset(token)


def _document_mask(*, mask_function: Callable, **options: Any) -> torch.Tensor | None:
    documents = _documents.get()
    if documents is not None:
        mask_function = and_masks(mask_function, packed_sequence_mask_function(documents))
        options["allow_is_bidirectional_skip"] = False
    return sdpa_mask(mask_function=mask_function, **options)


def _takes_positions(model: torch.nn.Module) -> bool:
    return "position_ids" in signature(model.forward).parameters


def _positions(documents: np.ndarray) -> np.ndarray:
    """The position of each token in its own document."""
    place = np.broadcast_to(np.arange(documents.shape[1]), documents.shape)
    starts = np.diff(documents, axis=1, prepend=-1) != 0
    return place - np.maximum.accumulate(np.where(starts, place, 0), axis=1)


def _reads_apart(model: PreTrainedModel, length: int, first_letter: int) -> bool:
    """Whether two documents of a row of random letters get the logits of each alone."""
    cpu, cut = torch.device("cpu"), length // 3
    rng = np.random.default_rng(0)
    tokens = rng.integers(first_letter, model.config.vocab_size, (1, length))
    documents = (np.arange(length)[None] >= cut).astype(np.int64)

    def alone(part: np.ndarray) -> torch.Tensor:
        return forward_rows(model, Rows(part, part, np.zeros_like(part)), cpu)

    whole = alone(tokens)  # also shows that the longest document has positions enough
    apart = torch.cat([alone(tokens[:, :cut]), alone(tokens[:, cut:])], dim=1)
    together = forward_rows(model, Rows(tokens, tokens, documents), cpu)
    return bool((together - apart).abs().max() <= ROUNDING * whole.std())
