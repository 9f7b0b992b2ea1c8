"""A transformers encoder over packs of sequences, long ones by windows, in the memory there is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from bioloom.devices import Budget, is_out_of_memory
from bioloom.embedders import SequenceError, States, states_in_order
from bioloom.embedders.huggingface.folder import (
    check_files,
    embeddings_of,
    load_config,
    load_encoder,
    positions_of,
    weights_hash,
)
from bioloom.embedders.huggingface.tokens import Chunk, Tokens
from bioloom.errors import DataError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

DEFAULT_LENGTH = 1024  # tokens, where neither model nor tokenizer states a limit
# Near the cores of a CPU lie the activations of some 1,024 tokens a thread. The number is one for
# all, however many threads there are: the last bits of padded batches depend on their mates.
CPU_TOKENS, GPU_TOKENS = 4096, 65_536
# How far states in a batch may be from those of a sequence alone, as a share of their spread:
# what rounding explains, far below what a wrong position or a look at another sequence does.
ROUNDING = {"float32": 1e-3, "bfloat16": 0.1}

Forward = Callable[[list[Chunk]], "torch.Tensor"]  # chunks -> states (T, D), chunk after chunk

log = logging.getLogger(__name__)


class Batching(NamedTuple):
    """How sequences share a batch: `packed` end to end, `padded`, or only with `equal lengths`.

    `first` is the number of the first position of a packed sequence.
    """

    way: Literal["packed", "padded", "equal lengths"]
    first: int = 0


class _TooLargeError(Exception):
    """One chunk alone needs more than memory holds."""

    def __init__(self, chunk: Chunk) -> None:
        super().__init__(f"{len(chunk)} tokens")
        self.chunk = chunk


class HuggingFace:
    """A transformers encoder over packs of whole sequences, or padded batches where it must be."""

    mean_special = False

    def __init__(self, folder: Path, options: dict[str, Any], device: str, dtype: str) -> None:
        """`folder` holds config.json, the tokenizer and *.safetensors."""
        check_files(folder)
        self.folder, self.device, self.dtype = folder, device, dtype
        self.layer, self.untrained = options["layer"], options["untrained"]
        self.config = load_config(folder)
        self.tokens = Tokens(folder, options["alphabet"])
        self.special = len(self.tokens.prefix), len(self.tokens.suffix)
        if options["pooling"] == "cls" and not self.tokens.prefix:
            raise DataError(
                "features: pooling cls needs a token before the sequence; this model has none",
                file=folder,
                hint="choose `pooling: mean`",
            )
        self.max_length = options["max_length"] or self._longest()
        self.window = self.max_length - sum(self.special)
        self.overlap = self.window // 4 if options["overlap"] is None else options["overlap"]
        if self.overlap >= self.window:
            raise DataError(f"features: overlap must be below {self.window}, got {self.overlap}")
        self.budget = Budget(CPU_TOKENS if device == "cpu" else GPU_TOKENS, "tokens")
        self.identity: dict[str, Any] = {
            "dtype": dtype,
            "weights_sha256": weights_hash(folder),
            "layer": self.layer,
            "max_length": self.max_length,
            "overlap": self.overlap,
            "spaced": self.tokens.spaced,
            "mask": self.tokens.mask,
        }
        if (folder / "finetuning.json").exists():
            self.identity["finetuned"] = True
        if self.untrained is not None:
            self.identity["untrained"] = self.untrained
        self.info: dict[str, Any] = {"device": device}

    def encode(self, sequences: Sequence[str]) -> Iterator[States]:
        """Whole sequences in batches of `budget` tokens, longest first; long ones by windows."""
        self.info["batching"] = self._batching.way
        padded = self._batching.way == "padded"
        yield from self.states(sequences, self._forward, padded=padded)

    def reference(self, sequences: Sequence[str]) -> list[np.ndarray]:
        """The same windows by the model as transformers loads it: fp32, each without a mate."""
        import torch

        device = self.device
        while True:
            try:
                plain = self._load(device, "float32")

                def alone(chunks: list[Chunk], plain: PreTrainedModel = plain) -> torch.Tensor:
                    return torch.cat([self._pad([chunk], plain) for chunk in chunks])

                return states_in_order(self.states(sequences, alone), len(sequences))
            except RuntimeError as error:
                if device == "cpu" or not is_out_of_memory(error):
                    raise
            device = "cpu"  # a network that only just fits has no room for its fp32 copy

    def _load(self, device: str, dtype: str) -> PreTrainedModel:
        return load_encoder(self.folder, device, dtype, self.layer, self.untrained)

    @cached_property
    def model(self) -> PreTrainedModel:
        """The network in the working precision; DataError where `max_length` is beyond it."""
        model = self._load(self.device, self.dtype)
        rows, words = embeddings_of(model), len(self.tokens.tokenizer)
        if rows is not None and words > rows:
            raise DataError(
                f"the tokenizer has {words} tokens, the network knows {rows}",
                file=self.folder,
                hint="are tokenizer and weights of one model?",
            )
        limit = positions_of(model)
        if limit is not None and self.max_length > limit:
            raise DataError(
                f"features: max_length {self.max_length} is more than the {limit} tokens that the "
                "model has positions for",
                file=self.folder,
                hint="longer sequences go through windows: leave `max_length` out",
            )
        return model

    @cached_property
    def _batching(self) -> Batching:
        """The fastest way to share a batch that leaves each sequence as it is alone: by trying.

        Models count positions from 0 or from the padding token's number + 1. Some have attention
        of their own, which cannot be replaced, and some look across padding.
        """
        from bioloom.embedders.huggingface import packing

        model = self.model
        chunks = self._random_chunks((12, 12, 9, 7))
        implementation = model.config._attn_implementation
        starts = (0, (model.config.pad_token_id or 0) + 1)
        alone = [self._pad([chunk], model).float() for chunk in chunks]
        try:
            packing.install(model)
            for first in starts:
                if self._leaves_alone(partial(self._pack, first=first), chunks, alone):
                    return Batching("packed", first)
        except (TypeError, ValueError, LookupError, RuntimeError, ImportError) as error:
            log.info("%s is not packed: %s", self.folder, error)
        model.set_attn_implementation(implementation)
        padded = self._leaves_alone(partial(self._pad, model=model), chunks, alone)
        return Batching("padded" if padded else "equal lengths")

    def _leaves_alone(
        self, forward: Forward, chunks: list[Chunk], alone: list[torch.Tensor]
    ) -> bool:
        """Whether `forward` gives a chunk the states that it has alone, whoever is beside it."""
        import torch

        expected = torch.cat(alone[1:])
        spread = (expected - expected.mean(dim=0)).norm()
        states = forward(chunks[1:]).float()
        # another first chunk of the same length: to the last bit, nothing may change for the rest
        one, other = (forward([first, *chunks[2:]])[len(first) :] for first in chunks[:2])
        close = (states - expected).norm() <= ROUNDING[self.dtype] * spread
        return bool(close) and torch.allclose(one, other, rtol=0, atol=1e-6 * float(spread))

    def _random_chunks(self, lengths: Sequence[int]) -> list[Chunk]:
        tokenizer, generator = self.tokens.tokenizer, np.random.default_rng(0)
        special = set(tokenizer.all_special_ids)
        ids = [i for i in range(min(len(tokenizer), 1000)) if i not in special]
        return [generator.choice(ids, n).tolist() for n in lengths]

    def _longest(self) -> int:
        """The most tokens at once: two below the positions, as RoBERTa-like models count from 2."""
        limits = [self.tokens.tokenizer.model_max_length]
        if (getattr(self.config, "max_position_embeddings", None) or 0) > 2:
            limits.append(self.config.max_position_embeddings - 2)
        longest = min(limits)
        return longest if longest < 1_000_000 else DEFAULT_LENGTH

    def states(
        self, sequences: Sequence[str], forward: Forward, *, padded: bool = False
    ) -> Iterator[States]:
        """The states that `forward` gives, in packs of at most `budget` tokens, longest first.

        Padding counts where `forward` pads. SequenceError tells which sequence does not fit in
        memory, or has no token.
        """
        if not sequences:
            return
        chunks = self.tokens(sequences)
        for sequence, chunk in zip(sequences, chunks, strict=True):
            if len(chunk) == sum(self.special):
                raise SequenceError("the model's tokenizer leaves nothing of it", sequence)
        for pack in self._packs([len(chunk) for chunk in chunks], padded):
            whole = [chunks[i] for i in pack]
            long = len(whole[0]) > self.max_length
            try:
                values = self._by_windows(whole[0], forward) if long else forward(whole)
            except _TooLargeError as error:
                tokens = len(error.chunk)
                place = 0 if long else [chunk is error.chunk for chunk in whole].index(True)
                raise SequenceError(
                    f"{tokens} tokens at once are more than memory holds",
                    sequences[pack[place]],
                    hint=f"set `max_length` of the features block below {tokens}",
                ) from error
            yield States(np.array(pack), values, np.array([len(chunk) for chunk in whole]))

    def _packs(self, lengths: list[int], padded: bool) -> Iterator[list[int]]:
        """Chunks to run at once, longest first: those that need windows alone."""
        pack: list[int] = []
        size = 0
        for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
            cost = lengths[pack[0]] if pack and padded else lengths[i]
            if pack and (size + cost > self.budget.size or lengths[pack[0]] > self.max_length):
                yield pack
                pack, size, cost = [], 0, lengths[i]
            pack.append(i)
            size += cost
        if pack:
            yield pack

    def _by_windows(self, chunk: Chunk, forward: Forward) -> torch.Tensor:
        """The states of a long sequence; special tokens come from its first and last window."""
        import torch

        before, after = self.special
        inner = chunk[before : len(chunk) - after]
        spans = windows(len(inner), self.window, self.overlap)
        at_once = max(1, self.budget.size // self.max_length)
        prefix, suffix = self.tokens.prefix, self.tokens.suffix
        kept = []
        for group in (spans[i : i + at_once] for i in range(0, len(spans), at_once)):
            parts = [prefix + inner[s : s + self.window] + suffix for s, _, _ in group]
            states = forward(parts).split(self.max_length)
            for (start, left, right), values in zip(group, states, strict=True):
                first = 0 if left == 0 else before + left - start
                last = len(values) if right == len(inner) else before + right - start
                kept.append(values[first:last])
        return torch.cat(kept)

    def _forward(self, chunks: list[Chunk]) -> torch.Tensor:
        """The states of these chunks; where memory does not suffice, by halves from now on."""
        import torch

        try:
            return self._batch(chunks)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(chunks) == 1:
                raise _TooLargeError(chunks[0]) from error
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()
        self.budget.halve(sum(map(len, chunks)))
        half = len(chunks) // 2
        return torch.cat([self._forward(chunks[:half]), self._forward(chunks[half:])])

    def _batch(self, chunks: list[Chunk]) -> torch.Tensor:
        """The states of these chunks, in one batch where that leaves them as they are alone."""
        import torch

        way, first = self._batching
        if way == "padded":
            return self._pad(chunks, self.model)
        if way == "equal lengths":
            return torch.cat([self._pad(list(c), self.model) for _, c in groupby(chunks, key=len)])
        # ESM scales a row by its share of masks, so a masked sequence needs its own row
        mask = self.tokens.tokenizer.mask_token_id
        by_row = getattr(self.model.config, "token_dropout", False)
        if by_row and any(mask in chunk for chunk in chunks):
            return torch.cat([self._pack([chunk], first) for chunk in chunks])
        return self._pack(chunks, first)

    def _pack(self, chunks: list[Chunk], first: int) -> torch.Tensor:
        """States (T, D) of chunks end to end in one row."""
        import torch

        from bioloom.embedders.huggingface.packing import packed_forward

        tokens = torch.tensor([token for chunk in chunks for token in chunk], device=self.device)
        lengths = [len(chunk) for chunk in chunks]
        with torch.inference_mode():
            output = packed_forward(self.model, tokens, lengths, first, **self._wanted)
        return self._chosen_layer(output)[0]

    def _pad(self, chunks: list[Chunk], model: PreTrainedModel) -> torch.Tensor:
        import torch

        with torch.inference_mode():
            return self.padded(chunks, model)

    def padded(self, chunks: list[Chunk], model: Any) -> torch.Tensor:
        """States (T, D) of chunks as rows padded to the longest, with gradients where wanted."""
        import torch

        lengths = torch.tensor([len(chunk) for chunk in chunks])
        real = torch.arange(int(lengths.max())) < lengths[:, None]
        tokens = torch.full(real.shape, self.tokens.tokenizer.pad_token_id or 0)
        tokens[real] = torch.tensor([token for chunk in chunks for token in chunk])
        mask = real.to(model.device)
        output = model(tokens.to(model.device), attention_mask=mask.long(), **self._wanted)
        return self._chosen_layer(output)[mask].to(self.device)

    @property
    def _wanted(self) -> dict[str, bool]:
        return {"output_hidden_states": True} if self.layer >= 0 else {}

    def _chosen_layer(self, output: Any) -> torch.Tensor:
        return output.hidden_states[self.layer] if self.layer >= 0 else output.last_hidden_state


def windows(length: int, size: int, overlap: int) -> list[tuple[int, int, int]]:
    """(start, first kept, end of kept) of windows of `size` over `length` > size tokens.

    Neighbours share at least `overlap` tokens, and the shared ones are cut in their middle.
    """
    starts = [*range(0, length - size, size - overlap), length - size]
    cuts = [(a + size + b) // 2 for a, b in zip(starts, starts[1:], strict=False)]
    return list(zip(starts, [0, *cuts], [*cuts, length], strict=True))
