"""The images of sites that a network looks at; their layout is that of `arrays.images`."""

from __future__ import annotations

import numpy as np

from bioloom.arrays.images import DEPTH, HALF, SPAN, WIDTH
from bioloom.reads.observations import NOTHING
from bioloom.variants.candidates import Site
from bioloom.variants.realignment import Evidence


def image(own: Evidence, site: Site, allele: int, letters: np.ndarray, origin: int) -> bytes:
    """The image of one allele from its site's fragments; `letters` of the reference at `origin`.

    Of more fragments than there is room for, every so-manieth is shown.
    """
    n = len(own.site)
    shown = np.arange(n) if n <= DEPTH else np.linspace(0, n - 1, DEPTH).astype(int)
    picture = np.zeros((1 + len(shown), WIDTH), np.uint8)
    picture[:, :SPAN] = NOTHING
    at = site.start - origin - HALF
    low, high = max(0, at), min(len(letters), at + SPAN)
    picture[0, low - at : high - at] = letters[low:high]
    likelihood = own.likelihood[shown]
    odds = likelihood[:, allele] - np.delete(likelihood, allele, axis=1).max(axis=1)
    picture[1:, :SPAN] = own.codes[shown]
    picture[1:, SPAN : 2 * SPAN] = own.quality[shown]
    picture[1:, 2 * SPAN : 3 * SPAN] = np.clip(own.insertion[shown], 0, 255)
    scalars = (
        np.clip(np.round(odds * 10), -127, 127) + 128,
        own.mapping[shown],
        own.reverse[shown],
        own.clipped[shown],
        np.minimum(own.mismatches[shown], 255),
        np.minimum(own.end_distance[shown], 255),
    )
    for place, values in enumerate(scalars, 3 * SPAN):
        picture[1:, place] = values
    return picture.tobytes()
