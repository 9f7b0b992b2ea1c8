"""The tree that the report draws: its nodes are those of the model, and its rules can be read."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from bioloom.arrays import Table
from bioloom.fitted.preprocess import Preprocess
from bioloom.report import patients
from tests.test_models import build, dense, labels
from tests.toys import refused


def test_the_first_tree_has_the_rules_of_the_model(tmp_path):
    y, n = labels(dense(), "binary")
    y_valid = labels(dense(60, seed=1), "binary")[0]
    model = build("decision_tree", "binary", n, trees=1, depth=2)
    model.fit(dense(), y, dense(60, seed=1), y_valid)
    model.export(tmp_path, ["no", "yes"])
    nodes = pd.read_csv(tmp_path / "tree.csv").set_index("node")
    rules = pd.read_csv(tmp_path / "rules.csv")
    ends = nodes[nodes["effect"].notna()]
    assert sorted(ends["effect"]) == sorted(rules["effect"])
    assert (nodes["trees"] == 1).all()
    assert nodes.loc[0, "parent"] == -1
    for end in ends.itertuples():
        told, above = [end.condition], end.parent
        while above > 0:
            told.append(nodes.loc[above, "condition"])
            above = nodes.loc[above, "parent"]
        columns = {one.split()[0] for one in told}
        rule = rules.loc[np.isclose(rules["effect"], end.effect), "rule"].iloc[0]
        assert columns == set(re.findall(r"x\d+", rule))


def grown(depth: int) -> pd.DataFrame:
    """The nodes of a tree that is split in two everywhere, as `tree.csv` has them."""
    rows = [(0, 0, -1, "", np.nan, 1.0, 1)]
    for node in range(1, 2 ** (depth + 1) - 1):
        ends = node >= 2**depth - 1
        told = f"a column with a rather long name <= {node}.5"
        rows.append((0, node, (node - 1) // 2, told, 1.25 if ends else np.nan, 2.0**-depth, 1))
    return pd.DataFrame(rows, columns="answer node parent condition effect share trees".split())


def test_a_tree_is_drawn_with_its_conditions_and_what_its_rules_do():
    figure = patients.tree(grown(3), "multiplies the odds by")
    told = re.findall(r"<text[^>]*>([^<]*)<", figure.svg)
    assert told.count("1.25") == 8  # a line for each rule
    assert sum(text.startswith("a column with") for text in told) == 14
    assert any(text.endswith("&lt;= 7.5") for text in told)  # the cut of a long condition stays
    assert "multiplies the odds by" in figure.caption


def test_of_a_large_tree_the_first_conditions_are_drawn():
    told = re.findall(r"<text[^>]*>([^<]*)<", patients.tree(grown(6), "adds").svg)
    assert told.count("4 rules") == patients.MOST_ENDS
    assert "1.25" not in told


@pytest.mark.parametrize("first", [0, 1_996, 154_313, 0.123456])
@pytest.mark.parametrize("trees", [1, 3])
def test_a_rule_does_what_it_says(first, trees):
    """Whole years, or ten thousandths: the cut lies between what are neighbours."""
    x = (first + np.arange(8) * (1e-4 if first % 1 else 1)).repeat(40).astype(np.float32)
    y = (np.arange(320) >= 160).astype(int)
    model = build("decision_tree", "binary", 2, trees=trees, depth=1)
    model.fit(x[:, None], y, x[:, None], y)
    for rule in model.rules()["rule"]:
        low, high = (re.search(pattern, rule) for pattern in ("x1 > (\\S+)", "x1 <= (\\S+)"))
        told = x > float(low[1]) if low else x <= float(high[1])
        assert np.array_equal(told, y == bool(low))


def test_weights_of_columns_change_no_rule():
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.uniform(30, 80, 200).round(), rng.integers(0, 2, 200)])
    table = Table(
        values.astype(np.float32), ("age", "sex"), ((), ("f", "m")), np.ones(2, np.float32)
    )
    y = (values[:, 0] > 60).astype(int) ^ (values[:, 1] == 1) * (rng.random(200) < 0.3)
    told = []
    for weight in ([1, 1], [2, 4]):
        own = replace(table, weight=np.array(weight, np.float32))
        fitted = Preprocess.fit(own, y, {"scale": False}, ("table", "vectors"))
        X = fitted.transform(own)
        model = build("decision_tree", "binary", 2, trees=1, depth=2).fit(X, y, X, y)
        told.append((model.rules()["rule"].tolist(), model.why(X)))
    assert told[0] == told[1]
    assert any("sex is" in rule for rule in told[0][0])


def test_a_model_with_weights_in_its_cuts_is_refused(tmp_path):
    weight = np.array([2], np.float32)
    X = Table(np.arange(20, dtype=np.float32)[:, None], ("age",), ((),), weight)
    Preprocess.fit(X, np.arange(20), {"scale": False}, ("table",)).save(tmp_path)
    assert Preprocess.load(tmp_path).transform(X).values[:, 0].tolist() == list(range(20))
    [file] = tmp_path.iterdir()
    save_file(load_file(file) | {"whole": np.array([1])}, file)
    refused(lambda: Preprocess.load(tmp_path).transform(X), "older version", "train it again")
    assert Preprocess.load(tmp_path).transform(replace(X, weight=weight / 2)) is not None


@pytest.mark.slow
def test_a_rare_label_counts_as_much_as_a_frequent_one():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2)).astype(np.float32)
    y = np.column_stack([rng.random(400) < 0.07, X[:, 0] > 0]).astype(float)
    y[::3, 1] = np.nan
    said = []
    for balanced in (None, "balanced"):
        model = build("decision_tree", "multilabel", 2, class_weight=balanced)
        said.append(model.fit(X, y, X, y)._outputs(X).mean(axis=0))
    assert said[0][0] == pytest.approx(0.07, abs=0.03)
    assert said[1][0] > 3 * said[0][0]
