"""Fast tokenizers of transformers, made of a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tokenizers
    from transformers import PreTrainedTokenizerFast


def of_words(words: Sequence[str], unknown: str, pattern: str) -> tokenizers.Tokenizer:
    """A fixed vocabulary, whose words have the numbers of their places.

    `pattern` cuts the text into words; what is none of the vocabulary is `unknown`.
    """
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    numbers = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), "isolated")
    return tokenizer


def wrapped(
    tokenizer: tokenizers.Tokenizer, special: Mapping[str, str], length: int | None
) -> PreTrainedTokenizerFast:
    """As transformers takes it: with `cls` before and `sep` behind, and at most `length` tokens.

    `special` are the tokens called pad, unk, cls, sep and mask.
    """
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    cls, sep = special["cls"], special["sep"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (cls, sep)],
    )
    names = {f"{name}_token": token for name, token in special.items()}
    limit = {} if length is None else {"model_max_length": length}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **limit, **names)
