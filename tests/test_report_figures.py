"""Figures: what is drawn, in words that carry it, in colours that the page sets."""

import re
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from bioloom.report import figures
from bioloom.svg import COLOURS, draw_svg


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def mutations(letters: str, positions: range) -> pd.DataFrame:
    rows = [("item 1", p, letter, 0.1 * p - 1) for p in positions for letter in letters]
    return pd.DataFrame(rows, columns=["item", "position", "feature", "importance"])


def test_svg_has_no_fixed_colour_and_no_id_of_another_figure():
    svgs = [draw_svg(lambda axes, n=n: axes.plot([0, n], [0, 1]), (3, 2)) for n in (1, 2)]
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in svgs]
    assert not ids[0] & ids[1]
    assert all(code not in svgs[0] for code in COLOURS)
    assert "var(--ink)" in svgs[0]


def test_colours_of_files_are_those_of_the_light_page():
    light = files("bioloom.report").joinpath("layout.html").read_text().partition("@media")[0]
    assert all(f"--{name}: {code};" in light for code, name in COLOURS.items())


def test_names_with_dollars_and_angles_stay_text():
    table = pd.DataFrame({"feature": ["$x_1$ <b>"], "importance": [1.0], "low": 0.5, "high": 2.0})
    assert "$x_1$ &lt;b&gt;" in texts(figures.importance(table).svg)


def test_model_stands_before_its_baselines():
    line = {"false_positive_rate": [0, 1], "true_positive_rate": [0, 1]}
    table = pd.concat(pd.DataFrame(line).assign(model=name) for name in ("model", "k_mers"))
    assert texts(figures.roc(table).svg)[-2:] == ["model", "k mers"]


def test_of_many_baselines_the_best_is_named():
    line = {"false_positive_rate": [0, 1], "true_positive_rate": [0, 1]}
    names = ["model", "naive", *(f"peer_{n}" for n in range(6))]
    table = pd.concat(pd.DataFrame(line).assign(model=name) for name in names)
    assert texts(figures.roc(table, "peer_2").svg)[-3:] == ["model", "peer 2", "6 other baselines"]
    few = figures.roc(table[table["model"].isin(names[:4])], "peer_1")
    assert texts(few.svg)[-4:] == ["model", "peer 1", "peer 0", "naive"]


@pytest.mark.slow
@pytest.mark.parametrize("length", [12, 190])
def test_heat_map_has_its_letters_and_grows_with_the_sequence(length):
    table = mutations("ACDEFGHIKLMNPQRSTVWY", range(length)).assign(reference="K", predicted="AMP")
    figure = figures.mutations(table)
    shown = texts(figure.svg)
    assert shown.count("K") == length + 1
    assert figure.wide == (length == 190)
    assert figure.caption.startswith("Predicted: AMP.")


def test_masked_windows_are_bars():
    figure = figures.mutations(mutations("X", range(0, 120, 12)))
    assert "Fall of the score" in texts(figure.svg)
    assert "masked" in figure.caption


@pytest.mark.parametrize("size", [2, 18])
def test_confusion_matrix_writes_counts_where_there_is_room(size):
    names = [f"class {i:02}" for i in range(size)]
    counts = pd.DataFrame(np.full((size, size), 7), names, names).rename_axis("observed")
    table = counts.melt(ignore_index=False, var_name="predicted", value_name="count")
    shown = texts(figures.confusion(table.reset_index()).svg)
    assert shown.count("class 01") == 2
    assert shown.count("7") == (4 if size == 2 else 0)


def test_long_names_of_classes_are_cut_and_have_room():
    names = [f"{word} of a process with a name that goes on and on" for word in "abc"]
    counts = pd.DataFrame(np.full((3, 3), 7), names, names).rename_axis("observed")
    figure = figures.confusion(
        counts.melt(ignore_index=False, var_name="predicted", value_name="count").reset_index()
    )
    assert texts(figure.svg).count("a of a process with a name that …") == 2
    assert width(figure.svg) > width(
        figures.confusion(pd.DataFrame({"observed": ["x"], "predicted": ["x"], "count": [1]})).svg
    )


def width(svg: str) -> float:
    return float(re.findall(r'style="width:(\d+)px"', svg)[0])


def test_parts_of_the_test_rows_that_a_baseline_has_alone_are_not_drawn():
    """A model may call nothing of some quality, where a baseline does."""
    rows = [
        {"model": model, "class": part, "metric": "precision", "value": 0.9, "low": 0.8, "high": 1}
        for model, part in (("model", "GQ 30"), ("peer", "GQ 30"), ("peer", "GQ 50 and more"))
    ]
    figure = figures.strata(pd.DataFrame(rows))
    assert "GQ 30, precision" in figure.svg
    assert "GQ 50 and more" not in figure.svg
    assert figure.title == "Where it is right"


def test_targets_count_how_often_the_model_is_better():
    table = pd.DataFrame(
        {
            "model": ["model"] * 4 + ["tissue"] * 4,
            "target": list("abcd") * 2,
            "pearson": [0.3, 0.4, 0.5, 0.1, 0.2, 0.2, 0.2, 0.2],
        }
    )
    assert "75% of 4 targets" in figures.per_target(table, "tissue").caption
    assert figures.per_target(table, None).caption == "One dot a target."


@pytest.mark.parametrize("count", [3, 60])
def test_labels_are_named_where_they_are_not_too_many(count):
    names = [f"label {i}" for i in range(count)]
    scores = {"target": names * 2, "auroc": np.linspace(0.4, 0.9, 2 * count)}
    table = pd.DataFrame({"model": ["model"] * count + ["naive"] * count} | scores)
    figure = figures.per_label(table, "naive")
    assert ("label 1" in figure.svg) == (count == 3)
