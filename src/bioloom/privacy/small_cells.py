"""Small cells: what a report says of few persons, who could be told by it."""

from __future__ import annotations

# Of fewer persons than these no count, and no range, is given.
FEW = 5
HIDDEN = f"fewer than {FEW}"
FEWEST_PERSONS = 20


def count_shown(count: float, private: bool = True) -> int | str:
    """A count as a report may show it: of persons (`private`) none from 1 to 4.

    >>> count_shown(3), count_shown(3, private=False), count_shown(12)
    ('fewer than 5', 3, 12)
    """
    return HIDDEN if private and 0 < count < FEW else int(count)
