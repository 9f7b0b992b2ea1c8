"""Letters to tokens: characters, k-mers side by side, or BPE, as a transformers fast tokenizer.

k-mers do not overlap, so a masked one cannot be read off its neighbours; letters that do not fill
a k-mer of known letters are tokens of their own (as in Nucleotide Transformer).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from bioloom.embedders import AMINO_ACIDS, BASES
from bioloom.embedders.huggingface.tokenizer import of_words, wrapped
from bioloom.errors import DataError
from bioloom.pretraining.corpus import Corpus
from bioloom.pretraining.settings import Tokenizer

if TYPE_CHECKING:
    import tokenizers
    from transformers import PreTrainedTokenizerFast

SPECIAL = {"pad": "<pad>", "unk": "<unk>", "cls": "<cls>", "sep": "<sep>", "mask": "<mask>"}
UNSURE = {"dna": "N", "protein": "BOUXZ"}
KNOWN = {"dna": BASES, "protein": AMINO_ACIDS}
BPE_LETTERS = 2_000_000  # of the corpus from which merges are learnt: more changes few of them
BPE_WINDOW = 256


class Codec:
    """A tokenizer and how to feed it with windows of letters.

    `fixed`: a token has `letters_per_token` letters, unsure ones aside; otherwise it is the mean.
    `token_letters (V,)` are the letters of each token, 0 for special ones.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, letters_per_token: float, *, fixed: bool = True
    ) -> None:
        self.tokenizer = tokenizer
        self.letters_per_token = letters_per_token
        self.fixed = fixed
        self._backend = tokenizer.backend_tokenizer
        vocabulary = tokenizer.get_vocab()
        self.first_letter = len(SPECIAL)  # all other tokens follow the special ones
        self.token_letters = np.zeros(len(vocabulary), dtype=np.int64)
        for token, number in vocabulary.items():
            self.token_letters[number] = 0 if number < self.first_letter else len(token)
        self._table: np.ndarray | None = None
        if all(len(token) == 1 for token in vocabulary if token not in SPECIAL.values()):
            self._table = np.full(256, vocabulary[SPECIAL["unk"]], dtype=np.int64)
            for token, number in vocabulary.items():
                if len(token) == 1:
                    self._table[ord(token)] = number

    def encode(self, windows: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The tokens of each window, without special ones."""
        if self._table is not None:  # ten times as fast as the tokenizer, and the same
            return [self._table[window] for window in windows]
        texts = [window.tobytes().decode() for window in windows]
        encoded = self._backend.encode_batch(texts, add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int64) for encoding in encoded]

    def id(self, name: str) -> int:
        """The number of a special token: pad, unk, cls, sep or mask."""
        return list(SPECIAL).index(name)


def build_codec(options: Tokenizer, alphabet: str, corpus: Corpus, length: int) -> Codec:
    """The tokenizer of a `tokenizer:` block; BPE learns its merges from the training corpus."""
    letters = KNOWN[alphabet] + UNSURE[alphabet]
    if options.kind == "characters":
        return Codec(
            wrapped(of_words([*SPECIAL.values(), *letters], SPECIAL["unk"], "."), SPECIAL, length),
            1,
        )
    if options.kind == "kmer":
        known = KNOWN[alphabet]
        kmers = ["".join(kmer) for kmer in product(known, repeat=options.k)]
        words = [*letters, *(kmer for kmer in kmers if len(kmer) > 1)]
        pattern = f"[{known}]{{{options.k}}}|."
        cut = of_words([*SPECIAL.values(), *words], SPECIAL["unk"], pattern)
        return Codec(wrapped(cut, SPECIAL, length), options.k)
    tokenizer = wrapped(_bpe(letters, options.vocabulary, corpus), SPECIAL, length)
    rng = np.random.default_rng(0)
    sample = [corpus.draw(BPE_WINDOW, rng) for _ in range(256)]
    tokens = sum(map(len, Codec(tokenizer, 1).encode(sample)))
    return Codec(tokenizer, sum(map(len, sample)) / tokens, fixed=False)


def _bpe(letters: str, size: int, corpus: Corpus) -> tokenizers.Tokenizer:
    from tokenizers import Tokenizer, models, trainers

    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL["unk"]))
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL.values()),
        initial_alphabet=list(letters),
        show_progress=False,
    )
    rng = np.random.default_rng(0)
    count = min(len(corpus), BPE_LETTERS) // BPE_WINDOW + 1
    windows = (corpus.draw(BPE_WINDOW, rng).tobytes().decode() for _ in range(count))
    tokenizer.train_from_iterator(windows, trainer)
    if tokenizer.get_vocab_size() < size:
        raise DataError(
            f"tokenizer: the corpus gives {tokenizer.get_vocab_size()} BPE tokens, not {size}",
            hint="lower `vocabulary`",
        )
    return tokenizer
