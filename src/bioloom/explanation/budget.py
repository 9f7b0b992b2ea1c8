"""What an explanation may cost, and what of it is done for that.

Work is counted, not timed, so that a seed gives the same table on any machine: a second of the
budget is so many rows that a model answers, or letters that are read for it, as one core does.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence

from bioloom.embedders import Section, is_learnt

ANSWERS = 50_000
"""Rows, or pairs, a second."""
LETTERS = 200_000
"""Letters a second, where nothing learnt reads them before the model does."""
LETTERS_OF_A_NETWORK = 10_000
"""Letters a second that a pretrained network reads first."""
FEWEST_ROWS = 200
FEWEST_WINDOWS = 10
"""Of a sequence; where these are too many, too, fewer sequences are looked at."""


def letters_for(seconds: float, parts: Mapping[str, Section]) -> float:
    """How many letters of altered sequences are read for so many seconds."""
    learnt = any(map(is_learnt, parts.values()))
    return seconds * (LETTERS_OF_A_NETWORK if learnt else LETTERS)


def affordable_shuffles(seconds: float, rows: int, columns: int, repeats: int) -> tuple[float, int]:
    """The share of the rows, and the repeats, for which each column is shuffled."""
    once = rows * max(columns, 1)
    paid = seconds * ANSWERS / max(once, 1)
    if paid >= repeats:
        return 1.0, repeats
    share = min(1.0, max(paid, FEWEST_ROWS / max(rows, 1)))
    fewer = max(1, math.floor(paid))
    told = f"shuffled {fewer} in place of {repeats} times"
    _tell(told if share == 1 else f"{told}, on {share:.0%} of the rows")
    return share, fewer


def affordable_window(
    letters: float, lengths: Sequence[int], window: int, substitutes: int
) -> tuple[int, int]:
    """How many of the sequences are looked at, and by what window of letters.

    `substitutes` stand for each letter where the window is 1; a wider one is masked once.
    """

    def cost(width: int, items: int) -> int:
        each = substitutes if width == 1 else 1
        return sum(math.ceil(length / width) * each * length for length in lengths[:items])

    items, width = len(lengths), window
    widest = max(window, max(lengths, default=0) // FEWEST_WINDOWS)
    while cost(width, items) > letters and width < widest:
        width += 1
    while cost(width, items) > letters and items > 1:
        items -= 1
    if (items, width) != (len(lengths), window):
        _tell(f"{items} of {len(lengths)} sequences, by windows of {width} in place of {window}")
    return items, width


def affordable_texts(letters: float, length: int, substitutes: int, texts: int) -> int:
    """Of how many sequences of this length a mean map is made, at least two."""
    each = length * length * substitutes
    fewer = min(texts, max(2, int(letters // max(each, 1))))
    if fewer < texts:
        _tell(f"a mean over {fewer} in place of {texts} sequences")
    return fewer


def _tell(what: str) -> None:
    print(f"for `explain: budget`: {what}", file=sys.stderr)
