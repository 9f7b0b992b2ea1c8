"""Logos: letters as paths, above and below the line, with the sites in words."""

import pandas as pd

from bioloom.report.logos import is_logo, logo, site_summary


def item_map(**columns) -> pd.DataFrame:
    rows = [
        (p, other, ref, value)
        for p, (ref, value) in enumerate([("A", 0.3), ("C", -0.1), ("G", 0.0)])
        for other in "ACGT"
        if other != ref
    ]
    table = pd.DataFrame(rows, columns=["position", "feature", "reference", "importance"])
    return table.assign(**{"item": "s1", **columns})


def test_a_logo_is_for_dna_letter_by_letter():
    assert is_logo(item_map())
    assert not is_logo(item_map(reference="M"))
    assert not is_logo(item_map(reference="ACG"))
    assert not is_logo(item_map().drop(columns="reference"))


def test_an_item_shows_its_own_letters():
    figure = logo(item_map(predicted="7.50"))
    assert figure.title == "s1"
    assert figure.caption.startswith("Predicted: 7.50.")
    assert figure.svg.count("#2f9e4f") == 1  # one A
    assert "#d1483c" not in figure.svg  # no T


def test_a_mean_map_shows_all_letters_and_its_sites():
    table = item_map(site=["box"] * 3 + [""] * 6)
    figure = logo(table)
    assert figure.svg.count("#2f9e4f") == 2  # A in its own place, and in that of C
    assert "box" in figure.svg
    assert site_summary(table) == ("Mean fall for a letter of box +0.300; outside of these −0.050.")


def test_equal_maps_give_equal_figures():
    assert logo(item_map()).svg == logo(item_map()).svg
