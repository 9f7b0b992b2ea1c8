"""What the tokenizer is given: the letters of a sequence, cleaned, with its masks."""

from __future__ import annotations

from typing import Any

from bioloom.embedders import normalise_dna, normalise_protein
from bioloom.errors import DataError

MASK = "<mask>"
UNKNOWN = {"protein": "X", "dna": "N"}


def normalise(sequence: str, options: dict[str, Any]) -> str:
    """The rules of `normalise_protein` or `normalise_dna`, but `<mask>` stays and J becomes X.

    Texts keep their letters; runs of white space become one space.
    """
    if options["alphabet"] == "text":
        text = " ".join(sequence.split())
        if not text:
            raise DataError("the text is empty", hint="drop empty texts in `clean`")
        return text
    clean = normalise_dna if options["alphabet"] == "dna" else normalise_protein
    unknown = UNKNOWN[options["alphabet"]]
    whole = clean(sequence)  # tells what is wrong, and where
    if MASK not in sequence:
        return whole.replace("J", unknown)
    # a mask is kept out of the cleaning; the letters around keep a part from being empty or a stop
    parts = sequence.rstrip().removesuffix("*").split(MASK)
    cleaned = [clean(f"{unknown}{part}{unknown}")[1:-1] for part in parts]
    return MASK.join(cleaned).replace("J", unknown)
