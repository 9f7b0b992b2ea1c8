"""A transformers encoder over packs of sequences, long ones by windows, in the memory there is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bioloom.embedders import SequenceError, States
from bioloom.embedders.huggingface.folder import load_encoder, load_tokenizer, weights_hash
from bioloom.embedders.huggingface.letters import MASK, UNKNOWN
from bioloom.errors import DataError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DEFAULT_LENGTH = 1024  # tokens, where neither model nor tokenizer states a limit
CPU_TOKENS = 1024  # a thread: the activations of a layer stay near the core
GPU_TOKENS = 65_536

Chunk = list[int]  # token ids, special tokens in
Forward = Callable[[list[Chunk]], "torch.Tensor"]  # chunks -> states (T, D), chunk after chunk

log = logging.getLogger(__name__)


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
        import torch

        if not any(folder.glob("*.safetensors")):
            raise DataError("the model has no *.safetensors file", file=folder)
        self.folder, self.device, self.dtype = folder, device, dtype
        self.layer = options["layer"]
        self.tokenizer = load_tokenizer(folder)
        self.prefix, self.suffix = _special_tokens(self.tokenizer)
        self.special = len(self.prefix), len(self.suffix)
        self.mask = self.tokenizer.mask_token or UNKNOWN.get(options["alphabet"], MASK)
        self.spaced = options["alphabet"] != "text" and _needs_spaces(self.tokenizer)
        self.max_length = options["max_length"] or self._longest()
        self.window = self.max_length - sum(self.special)
        self.overlap = self.window // 4 if options["overlap"] is None else options["overlap"]
        if self.overlap >= self.window:
            raise DataError(f"features: overlap must be below {self.window}, got {self.overlap}")
        self.budget = GPU_TOKENS if device != "cpu" else CPU_TOKENS * torch.get_num_threads()
        self.identity: dict[str, Any] = {
            "dtype": dtype,
            "weights_sha256": weights_hash(folder),
            "layer": self.layer,
            "max_length": self.max_length,
            "overlap": self.overlap,
            "spaced": self.spaced,
        }
        self.info: dict[str, Any] = {"device": device}

    def encode(self, sequences: Sequence[str]) -> Iterator[States]:
        """Whole sequences in packs of `budget` tokens, longest first; long ones by windows."""
        self.info["packed"] = self._first_position is not None
        yield from self.states(sequences, self._forward)

    def reference(self, sequences: Sequence[str]) -> list[np.ndarray]:
        """The same windows as padded batches of the model as transformers loads it, in fp32."""
        plain = load_encoder(self.folder, self.device, "float32", self.layer)
        states: list[np.ndarray] = [np.empty(0)] * len(sequences)
        batches = self.states(sequences, lambda chunks: self._pad(chunks, plain))
        for batch in batches:
            values = np.split(batch.values.cpu().numpy(), np.cumsum(batch.lengths)[:-1])
            for i, value in zip(batch.order, values, strict=True):
                states[i] = value
        return states

    @cached_property
    def model(self) -> PreTrainedModel:
        """The network in the working precision."""
        return load_encoder(self.folder, self.device, self.dtype, self.layer)

    @cached_property
    def _first_position(self) -> int | None:
        """The number of the first position in packed input; None: this model cannot be packed.

        Models count positions from 0 or from the padding token's number + 1, and some take no
        positions at all, so both are tried on a few random tokens against padded sequences.
        """
        from bioloom import packing

        generator = np.random.default_rng(0)
        special = set(self.tokenizer.all_special_ids)
        ids = [i for i in range(min(len(self.tokenizer), 1000)) if i not in special]
        chunks = [generator.choice(ids, n).tolist() for n in (12, 9, 7)]
        expected = self._pad(chunks, self.model).float()
        implementation = self.model.config._attn_implementation
        try:
            packing.install(self.model)
            starts = (0, (self.model.config.pad_token_id or 0) + 1)
            errors = [float((self._pack(chunks, s).float() - expected).norm()) for s in starts]
            if min(errors) < 0.05 * expected.norm():
                return starts[int(np.argmin(errors))]
        except (TypeError, ValueError, LookupError, RuntimeError) as error:
            log.info("%s is not packed: %s", self.folder, error)
        self.model.set_attn_implementation(implementation)
        return None

    def _longest(self) -> int:
        """The most tokens at once: two below the positions, as RoBERTa-like models count from 2."""
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(self.folder, local_files_only=True)
        limits = [self.tokenizer.model_max_length]
        if getattr(config, "max_position_embeddings", None):
            limits.append(config.max_position_embeddings - 2)
        longest = min(limits)
        return longest if longest < 1_000_000 else DEFAULT_LENGTH

    def _tokenise(self, sequences: Sequence[str]) -> list[Chunk]:
        texts = [s.replace(MASK, self.mask) for s in sequences]
        if self.spaced:
            texts = [_with_spaces(text, self.tokenizer.mask_token) for text in texts]
        ids = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        return [self.prefix + list(chunk) + self.suffix for chunk in ids]

    def states(self, sequences: Sequence[str], forward: Forward) -> Iterator[States]:
        """The states that `forward` gives, in packs of at most `budget` tokens, longest first.

        SequenceError tells which sequence does not fit in memory.
        """
        chunks = self._tokenise(sequences)
        for pack in self._packs([len(chunk) for chunk in chunks]):
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

    def _packs(self, lengths: list[int]) -> Iterator[list[int]]:
        """Chunks to run at once, longest first: those that need windows alone."""
        pack: list[int] = []
        size = 0
        for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
            if pack and (size + lengths[i] > self.budget or lengths[pack[0]] > self.max_length):
                yield pack
                pack, size = [], 0
            pack.append(i)
            size += lengths[i]
        if pack:
            yield pack

    def _by_windows(self, chunk: Chunk, forward: Forward) -> torch.Tensor:
        """The states of a long sequence; special tokens come from its first and last window."""
        import torch

        before, after = self.special
        inner = chunk[before : len(chunk) - after]
        spans = windows(len(inner), self.window, self.overlap)
        at_once = max(1, self.budget // self.max_length)
        kept = []
        for group in (spans[i : i + at_once] for i in range(0, len(spans), at_once)):
            parts = [self.prefix + inner[s : s + self.window] + self.suffix for s, _, _ in group]
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
            if self._first_position is None:
                return self._pad(chunks, self.model)
            # ESM scales a row by its share of masks, so a masked sequence needs its own row
            mask = self.tokenizer.mask_token_id
            if getattr(self.model.config, "token_dropout", False) and any(
                mask in c for c in chunks
            ):
                return torch.cat([self._pack([c], self._first_position) for c in chunks])
            return self._pack(chunks, self._first_position)
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            if len(chunks) == 1:
                raise _TooLargeError(chunks[0]) from error
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()
        self.budget = max(1, sum(map(len, chunks)) // 2)
        log.warning("out of memory: batches of %d tokens from now on", self.budget)
        half = len(chunks) // 2
        return torch.cat([self._forward(chunks[:half]), self._forward(chunks[half:])])

    def _pack(self, chunks: list[Chunk], first: int) -> torch.Tensor:
        """States (T, D) of chunks end to end in one row."""
        import torch

        from bioloom.packing import packed_forward

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
        tokens = torch.full(real.shape, self.tokenizer.pad_token_id or 0)
        tokens[real] = torch.tensor([token for chunk in chunks for token in chunk])
        mask = real.to(self.device)
        output = model(tokens.to(self.device), attention_mask=mask.long(), **self._wanted)
        return self._chosen_layer(output)[mask]

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


def _special_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[Chunk, Chunk]:
    """The tokens that the tokenizer puts before and after a sequence."""
    bare = list(tokenizer("A", add_special_tokens=False)["input_ids"])
    full = list(tokenizer("A")["input_ids"])
    before = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
    return full[:before], full[before + len(bare) :]


def _needs_spaces(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether letters are words to this tokenizer (ProtBERT, ProtT5: `M K T`)."""
    unknown = tokenizer.unk_token_id
    together, apart = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in _PROBES)
    return unknown in together and unknown not in apart


_PROBES = ("ACGTACGTACGT", "A C G T A C G T A C G T")


def _with_spaces(text: str, mask: str | None) -> str:
    parts = text.split(mask) if mask else [text]
    return f" {mask} ".join(" ".join(part) for part in parts)


def _is_out_of_memory(error: RuntimeError) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
