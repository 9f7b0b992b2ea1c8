"""Sequences to token ids as a model's own tokenizer makes them, masks and spaces in place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bioloom.embedders import AMINO_ACIDS, BASES
from bioloom.embedders.huggingface.folder import load_tokenizer
from bioloom.embedders.huggingface.letters import MASK, UNKNOWN
from bioloom.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LETTERS = {"protein": AMINO_ACIDS, "dna": BASES}
PROBE_LETTERS = 240  # BERT's tokenizer gives up on words of over 100 letters

Chunk = list[int]  # token ids, special tokens in


class Tokens:
    """The tokenizer of a folder, for sequences of one alphabet.

    `prefix` and `suffix` are the special tokens around a sequence; `mask` is what stands for
    `<mask>`: the unknown letter where the model has no mask token.
    """

    def __init__(self, folder: Path, alphabet: str) -> None:
        """DataError: a tokenizer that does not know the letters would make all sequences equal."""
        self.tokenizer = load_tokenizer(folder)
        self.mask: str = self.tokenizer.mask_token or UNKNOWN.get(alphabet, MASK)
        self.spaced = False
        if alphabet == "text":
            known = bool(set(self._ids("binds the receptor")) - {self.tokenizer.unk_token_id})
        else:
            letters = LETTERS[alphabet]
            probe = letters * (PROBE_LETTERS // len(letters))
            known = self._knows(probe)
            if not known:  # letters are words to ProtBERT and ProtT5: `M K T`
                self.spaced = True
                known = self._knows(" ".join(probe))
        if not known:
            raise DataError(
                f"the tokenizer does not know the letters of {alphabet}",
                file=folder,
                hint="are its files there, and is `alphabet` of the features block right?",
            )
        self.prefix, self.suffix = _special_tokens(self.tokenizer, folder)

    def __call__(self, sequences: Sequence[str]) -> list[Chunk]:
        """The token ids of each sequence between the special tokens."""
        texts = [s.replace(MASK, self.mask) for s in sequences]
        if self.spaced:
            texts = [_with_spaces(text, self.tokenizer.mask_token) for text in texts]
        ids = self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        return [self.prefix + list(chunk) + self.suffix for chunk in ids]

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _knows(self, text: str) -> bool:
        ids = self._ids(text)
        return bool(ids) and self.tokenizer.unk_token_id not in ids


def _special_tokens(tokenizer: PreTrainedTokenizerBase, folder: Path) -> tuple[Chunk, Chunk]:
    """The tokens that the tokenizer puts before and after a sequence."""
    bare = list(tokenizer("A", add_special_tokens=False)["input_ids"])
    full = list(tokenizer("A")["input_ids"])
    for before in range(len(full) - len(bare) + 1):
        if full[before : before + len(bare)] == bare:
            return full[:before], full[before + len(bare) :]
    raise DataError("the tokenizer puts special tokens into a sequence", file=folder)


def _with_spaces(text: str, mask: str | None) -> str:
    parts = text.split(mask) if mask else [text]
    return f" {mask} ".join(" ".join(part) for part in parts)
