"""Features of networks: correlation, CLR and context by hand, pairs written and read, ranking."""

import tracemalloc

import networkx
import numpy as np
import pandas as pd
import pytest

from bioloom.application import Application
from bioloom.errors import DataError
from bioloom.features import Features, read_features, write_features
from bioloom.features.extract import extract_features
from bioloom.formats.edges import write_graphml
from bioloom.links.blocks import make_blocks, make_units, matched_negatives
from bioloom.links.features import nearest_neighbours, standard_profiles
from bioloom.links.ranking import rank_links
from bioloom.samples import write_table
from bioloom.similarity import get_measure

APPLICATION = Application(
    kinds=("binary", "multiclass"),
    ingest=None,
    clean=None,
    inputs=lambda t: list(t["sequence"]),
    sources=(),
    defaults=lambda task: {},
)


def nodes(n: int = 8, conditions: int = 12, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"node_id": [f"g{i}" for i in range(n)], "sequence": "MKLV"})
    values = rng.normal(size=(n, conditions))
    values[1] = values[0] * 2 + 3
    return table.assign(**{f"expression.c{i}": values[:, i] for i in range(conditions)})


def samples(*pairs: tuple[int, int]) -> pd.DataFrame:
    ends = pd.DataFrame([(f"g{a}", f"g{b}") for a, b in pairs], columns=["source", "target"])
    return ends.assign(sample_id=ends["source"] + "|" + ends["target"], group="x")


def features(table: pd.DataFrame, nodes: pd.DataFrame, **settings) -> Features:
    options = {"embedder": "table", "columns": [], "network": settings}
    return extract_features(table, APPLICATION, options, nodes=nodes)[0]


def test_correlation_is_pearsons():
    table = nodes()
    X = features(samples((0, 1), (2, 5)), table, pairs=["correlation", "strength"]).X
    values = table.filter(like="expression.").to_numpy()
    assert X.X[:, 0] == pytest.approx([1.0, np.corrcoef(values[2], values[5])[0, 1]], abs=1e-5)
    assert X.X[:, 1] == pytest.approx(np.abs(X.X[:, 0]))


def test_clr_by_hand():
    table = nodes()
    X = features(samples((2, 5)), table, pairs=["clr"]).X
    square = np.corrcoef(table.filter(like="expression.").to_numpy()) ** 2
    information = -np.log1p(-np.clip(square, 0, 1 - 1e-6)) / 2
    scores = []
    for a, b in ((2, 5), (5, 2)):
        own = np.delete(information[a], a)
        scores.append(max(0, (information[a, b] - own.mean()) / own.std()))
    assert X.X[0, 0] == pytest.approx(np.hypot(*scores), abs=1e-4)


def test_a_node_without_expression_has_no_correlation_and_no_context():
    table = nodes()
    table.loc[3, [c for c in table if c.startswith("expression.")]] = np.nan
    X = features(samples((3, 4), (0, 1)), table, pairs=["correlation", "clr"], context=3).X
    assert np.isnan(X.X[0]).all()
    assert np.isfinite(X.X[1]).all()
    assert 3 not in X.network.context
    assert np.isnan(standard_profiles(table)[3]).all()


def test_nodes_without_any_expression():
    table = nodes()[["node_id", "sequence"]]
    X = features(samples((3, 4)), table, pairs=["correlation"], context=3).X
    assert np.isnan(X.X).all()
    assert X.network.context.shape == (2, 0)


def test_neighbours_are_those_of_strongest_correlation_both_ways():
    correlation = np.array([[1, -0.9, 0.6, 0.1], [-0.9, 1, 0.2, 0], [0.6, 0.2, 1, 0.55]])
    correlation = np.vstack([correlation, [0.1, 0, 0.55, 1]])
    edges, weight = nearest_neighbours(correlation, 1)
    assert {tuple(edge) for edge in edges.T.tolist()} == {
        (0, 1), (1, 0), (2, 0), (0, 2), (3, 2), (2, 3)
    }  # fmt: skip
    assert weight.min() == pytest.approx(0.55)


def test_features_of_pairs_survive_the_file(tmp_path):
    made = features(samples((0, 1), (4, 2)), nodes(), pairs=["clr"], context=2, profile=True)
    write_features(made, tmp_path / "features.npz")
    read = read_features(tmp_path / "features.npz")
    assert read.X.network.node_id.tolist() == [f"g{i}" for i in range(8)]
    np.testing.assert_array_equal(read.X.dense(), made.X.dense())
    np.testing.assert_array_equal(read.X.network.context, made.X.network.context)
    assert read.names.tolist()[-2:] == ["expression.c11", "pair.clr"]
    assert read.rows(pd.Series(["g4|g2"])).edges.tolist() == [[4, 2]]


def test_sequences_of_nodes_are_embedded_and_missing_ones_left_open():
    table = nodes()
    table.loc[2, "sequence"] = None
    options = {"embedder": "composition", "network": {}}
    X = extract_features(samples((2, 3)), APPLICATION, options, nodes=table)[0].X
    assert np.isnan(X.network.X[2]).all()
    assert np.isfinite(X.network.X[3]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"pairs": ["clir"]}, "no pair feature clir"), ({"contxt": 3}, "did you mean 'context'")],
)
def test_misspelt_settings_are_named(settings, message):
    with pytest.raises(DataError, match=message):
        features(samples((0, 1)), nodes(), **settings)


def test_the_forest_finds_what_a_target_depends_on():
    table = nodes(n=6, conditions=60)
    profiles = table.filter(like="expression.").columns
    table.loc[5, profiles] = np.abs(table.loc[3, profiles].to_numpy(dtype=float))  # r is about 0
    edges = [(source, 5) for source in range(5)]
    forest = features(samples(*edges), table, pairs=["forest"]).X.X[:, 0]
    assert forest.argmax() == 3
    assert np.nansum(forest) == pytest.approx(1, abs=1e-5)


def test_an_end_that_is_no_node_is_refused():
    with pytest.raises(DataError, match="1 pairs have an end that is no node"):
        features(samples((0, 99)), nodes())


def test_few_pairs_of_many_nodes_need_no_matrix_of_these():
    """The nodes of a genome squared are gigabytes."""
    nodes = pd.DataFrame({"node_id": [f"n{i}" for i in range(60_000)]})
    ends = [
        (0, 1),
        (2, 3),
        (0, 3),
        (59_999, 7),
        (4, 5),
        (1, 0),
        (8, 9),
        (9, 59_999),
        (6, 6),
        (2, 3),
    ]
    pairs = pd.DataFrame(ends, columns=["source", "target"]).map(lambda i: f"n{i}")
    queries, targets = np.arange(5), np.arange(5, 10)
    tracemalloc.start()
    found = {
        directed: get_measure("ends").compare(pairs, nodes, directed)(queries, targets)
        for directed in (True, False)
    }
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 100 * 2**20
    # 0-1 is 1-0 turned round, 2-3 is there again, and of the others at most one end is.
    assert found[False][0].tolist() == [1, 1, 0.5, 0.5, 0]
    assert found[False][1].tolist() == [0, 4, 0, 2, -1]
    assert found[True][0].tolist() == [0, 1, 0.5, 0, 0]
    assert found[True][1].tolist() == [-1, 4, 4, -1, -1]


def test_pairs_are_ranked_and_written(tmp_path):
    table = samples((0, 1), (2, 3), (4, 5))
    predictions = pd.DataFrame(
        {
            "sample_id": table["sample_id"],
            "prediction": ["no", "yes", "yes"],
            "p.no": [0.9, 0.4, 0.1],
            "p.yes": [0.1, 0.6, 0.9],
            "abstain": "",
            "model_id": "m",
        }
    )
    ranked, linked, names = rank_links(table, nodes().assign(name="abc"), predictions)
    assert ranked["source"].tolist() == ["g4", "g2", "g0"]
    assert ranked["source_name"].tolist() == ["abc"] * 3
    write_table(ranked, tmp_path / "pairs.tsv")
    assert pd.read_csv(tmp_path / "pairs.tsv", sep="\t")["score"].tolist() == [0.9, 0.6, 0.1]
    write_graphml(linked, names, tmp_path / "pairs.graphml", directed=True)
    graph = networkx.read_graphml(tmp_path / "pairs.graphml")
    assert set(graph.edges) == {("g4", "g5"), ("g2", "g3")}
    assert graph.edges["g4", "g5"]["score"] == 0.9


def test_a_graph_can_be_read_back_whatever_its_names(tmp_path):
    edges = pd.DataFrame({"source": ["a\x01", "a\x02"], "target": "b", "how": ["\x0b", "\ufffe"]})
    names = {"a\x01": "\x1f<&>", "b": "β"}
    write_graphml(edges, names, tmp_path / "a.graphml", directed=False)
    graph = networkx.read_graphml(tmp_path / "a.graphml")
    assert dict(graph.nodes(data="name")) == {r"a\x01": r"\x1f<&>", "b": "β", r"a\x02": r"a\x02"}
    assert [how for _, _, how in graph.edges(data="how")] == [r"\x0b", r"\ufffe"]


def cliques(count: int, size: int) -> np.ndarray:
    inside = np.array([(a, b) for a in range(size) for b in range(a)])
    return np.vstack([inside + size * i for i in range(count)])


def test_units_hold_complexes_and_families_together():
    edges = cliques(6, 3)
    family = np.arange(18)
    family[4] = family[0]  # a protein of the second complex is like one of the first
    unit = make_units(edges, family, blocks=2, seed=1)
    assert len(set(unit)) == 5
    assert len(set(unit[:6])) == 1


def test_a_giant_component_is_cut_into_communities():
    edges = np.vstack([cliques(8, 6), [[6 * i, 6 * i + 7] for i in range(7)]])
    edges = edges[(edges < 48).all(axis=1)]
    unit = make_units(edges, np.arange(48), blocks=4, seed=1)
    assert len(set(unit)) > 4
    assert (unit[edges[:, 0]] != unit[edges[:, 1]]).mean() < 0.1


def test_negatives_stay_in_blocks_between_units_and_match_degrees():
    edges = cliques(12, 4)
    unit = make_units(edges, np.arange(48), blocks=3, seed=1)
    block = make_blocks(unit, edges, 3)
    drawn = matched_negatives(edges, unit, block, 1, seed=1)
    assert (block[drawn[:, 0]] == block[drawn[:, 1]]).all()
    assert (unit[drawn[:, 0]] != unit[drawn[:, 1]]).all()
    assert len({tuple(pair) for pair in drawn.tolist()}) == len(drawn)
    wanted, got = (np.bincount(pairs.ravel(), minlength=48) for pairs in (edges, drawn))
    assert (got <= wanted).all()
    assert got.sum() > 0.95 * wanted.sum()


def test_tempered_clr_is_high_for_profiles_that_go_together_and_missing_without_any():
    rng = np.random.default_rng(0)
    growth, own = rng.normal(size=(1, 30)), rng.normal(size=(3, 30))
    values = 5 * growth + own[np.arange(12) % 3] + 0.3 * rng.normal(size=(12, 30))
    table = nodes().iloc[:0].reindex(range(13)).assign(node_id=[f"g{i}" for i in range(13)])
    table = table[["node_id"]].join(
        pd.DataFrame(values).add_prefix("expression.").reindex(range(13))
    )
    pairs = [(0, 3), (1, 4), (0, 1), (3, 5), (0, 12)]
    made = features(samples(*((int(a), int(b)) for a, b in pairs)), table, pairs=["tempered_clr"])
    alike, apart, missing = made.X.X[:2, 0], made.X.X[2:4, 0], made.X.X[4, 0]
    assert alike.min() > 2 * apart.max()
    assert np.isnan(missing)


def test_nodes_are_compared_only_where_that_is_asked_for():
    table = pd.DataFrame({"node_id": [f"g{i}" for i in range(60_000)]})  # a matrix of 14 GB
    X = features(samples((3, 4)), table).X
    assert X.network.context.shape == (2, 0)
