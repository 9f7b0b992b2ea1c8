"""Packed attention: sequences end to end in one row, each attending to itself only, no padding.

`install(model)` switches a transformers encoder to it through the library's public attention
interface; `packed_forward` runs token ids `(T,)` of sequences with given lengths. On CPU attention
goes sequence by sequence in head chunks that stay in cache, on CUDA through torch's varlen kernel.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.models.esm.modeling_esm import EsmIntermediate

NAME = "bioloom_packed"
BEYOND = ("position_bias", "s_aux", "softcap")  # by the names that transformers hands them over
SCORE_BYTES = 2**20  # of the score matrices that are alive at once on CPU


@dataclass(frozen=True)
class _Batch:
    lengths: list[int]
    cumulative: torch.Tensor  # (n + 1,) int32 on the device


_batch: ContextVar[_Batch] = ContextVar("packed_batch")


def install(model: PreTrainedModel) -> None:
    """Make the model's attention expect packed input; ValueError where it cannot be replaced."""
    AttentionInterface.register(NAME, packed_attention)
    AttentionMaskInterface.register(NAME, _no_mask)
    model.set_attn_implementation(NAME)
    if model.config._attn_implementation != NAME:  # transformers warns, and keeps its own
        raise ValueError(f"{model.config.model_type} has attention of its own")
    _fuse_gelu(model)


def packed_forward(
    model: PreTrainedModel, tokens: torch.Tensor, lengths: list[int], first: int, **options: Any
) -> Any:
    """The model's output for `tokens (T,)`, whose positions count from `first` in each sequence."""
    positions = torch.cat([torch.arange(first, first + n) for n in lengths]).to(tokens.device)
    cumulative = torch.tensor([0, *lengths], device=tokens.device).cumsum(0).to(torch.int32)
    token = _batch.set(_Batch(lengths, cumulative))
    try:
        return model(input_ids=tokens[None], position_ids=positions[None], **options)
    finally:
        _batch.reset(token)


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attention within each packed sequence: (1, heads, T, d) in, (1, T, heads, d) out.

    `sliding_window` w lets a token see those at a distance below w, as in flash attention.
    ValueError for what is more than softmax over all tokens: biases, caps, sinks, causal masks.
    """
    wanted = [name for name in BEYOND if others.get(name) is not None]
    if attention_mask is not None or wanted or getattr(module, "is_causal", False):
        raise ValueError(f"packed attention has no {', '.join(wanted) or 'mask'}")
    batch = _batch.get()
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if query.is_cuda and query.dtype in (torch.bfloat16, torch.float16):
        return _varlen(query, key, value, batch, scale, sliding_window), None
    attend = _attend_whole if query.is_cuda else _attend
    out = query.new_empty(query.shape[2], query.shape[1], query.shape[3])
    start = 0
    for length in batch.lengths:
        span = slice(start, start + length)
        q, k, v = query[0, :, span], key[0, :, span], value[0, :, span]
        attend(q, k, v, scale, sliding_window, out[span])
        start += length
    return out[None], None


def _attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    scale: float,
    window: int | None,
    out: torch.Tensor,
) -> None:
    """One sequence, (heads, L, d) into `out (L, heads, d)`, a few heads or query rows at a time.

    The scores that are alive at once stay in a core's cache.
    """
    heads, length, _ = q.shape
    there = torch.arange(length)
    row_bytes = length * q.element_size()
    rows = min(length, max(64, SCORE_BYTES // row_bytes))
    chunk = max(1, SCORE_BYTES // (rows * row_bytes))
    keys = k.transpose(1, 2)
    for head in range(0, heads, chunk):
        h = slice(head, head + chunk)
        for row in range(0, length, rows):
            r = slice(row, row + rows)
            scores = torch.bmm(q[h, r], keys[h])
            if scale != 1:
                scores *= scale
            if window is not None:
                far = (there[r, None] - there).abs() >= window
                scores.masked_fill_(far, float("-inf"))
            weights = torch.softmax(scores, dim=-1)
            out[r, h] = torch.bmm(weights, v[h]).transpose(0, 1)


def _attend_whole(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    scale: float,
    window: int | None,
    out: torch.Tensor,
) -> None:
    """The same in one piece, for a GPU in fp32, which the varlen kernel does not take."""
    there = torch.arange(q.shape[1], device=q.device)
    near = None if window is None else (there[:, None] - there).abs() < window
    whole = scaled_dot_product_attention(q[None], k[None], v[None], near, scale=scale)
    out[:] = whole[0].transpose(0, 1)


def _varlen(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    batch: _Batch,
    scale: float,
    window: int | None,
) -> torch.Tensor:
    from torch.nn.attention.varlen import varlen_attn

    side = -1 if window is None else window - 1
    ends, longest = batch.cumulative, max(batch.lengths)
    q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))
    out = varlen_attn(q, k, v, ends, ends, longest, longest, scale=scale, window_size=(side, side))
    return torch.as_tensor(out).unsqueeze(0)


def _fuse_gelu(model: PreTrainedModel) -> None:
    """ESM spells out the erf GELU in five passes over its widest array; torch has it in one.

    On CPU that is a sixth of the whole time. It is the same function, rounded once.
    """
    for module in model.modules():
        if isinstance(module, EsmIntermediate):
            module.forward = partial(_dense_gelu, module.dense)  # type: ignore[method-assign]


def _dense_gelu(dense: torch.nn.Module, hidden_states: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.gelu(dense(hidden_states))


def _no_mask(*_: Any, **__: Any) -> None:
    """Packed attention needs no mask."""
