"""Regions of a genome against sets of positions."""

from __future__ import annotations

import numpy as np

from bioloom.variants.regions import inside, intersection, joined, share_of


def test_regions_are_sets_of_positions():
    rng = np.random.default_rng(2)
    for _ in range(50):
        sides, masks = [], []
        for _ in range(2):
            regions = [
                (str(c), int(s), int(s + n))
                for c, s, n in rng.integers(1, 30, (6, 3)) % (3, 40, 9) + (0, 0, 1)
            ]
            sides.append(joined(regions))
            masks.append({(c, i) for c, s, e in regions for i in range(s, e)})
        both = [(c, i) for c, s, e in intersection(*sides) for i in range(s, e)]
        assert sorted(both) == sorted(masks[0] & masks[1])
        places = [(c, i) for c, s, e in sides[0] for i in range(s, e)]
        shares = [share_of(sides[0], number, 7) for number in range(1, 8)]
        parts = [[(c, i) for c, s, e in share for i in range(s, e)] for share in shares]
        assert sum(parts, []) == places
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        places = [(str(c), i) for c in range(3) for i in range(50)]
        contig, position = (np.array(column) for column in zip(*places, strict=True))
        known = [place in masks[0] for place in places]
        assert inside(contig, position, sides[0]).tolist() == known


def test_only_what_begins_inside_a_region_counts():
    contig, position = np.array(["c", "c"]), np.array([1, 42])
    regions = [("c", 0, 1), ("c", 40, 43), ("d", 0, 9)]
    assert inside(contig, position, regions).tolist() == [False, True]
    assert inside(contig, position, []).tolist() == [False, False]
