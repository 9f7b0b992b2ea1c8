"""Models of links learn from ends and known partners, and no label of a test pair reaches them."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from bioloom.arrays import Links, Network
from bioloom.errors import DataError
from bioloom.fitted.novelty import Novelty
from bioloom.fitted.preprocess import Preprocess
from bioloom.models import get_model

NODES, PAIRS, COLUMNS = 60, 400, 5
ORDERS = {"target_kernel": [True], "pair_kernel": [False]}  # others take pairs with and without one
CASES = [
    (name, directed)
    for name in ("gnn", "degree", "neighbours", "target_kernel", "pair_kernel")
    for directed in ORDERS.get(name, [False, True])
]
FAST = {"epochs": 25, "learning_rate": 1e-2, "dropout": 0.1, "width": 16}


def network(seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    ids = np.array([f"n{i:02d}" for i in range(NODES)])
    ends = rng.integers(NODES, size=(2, 100))
    context = np.hstack([ends, ends[::-1]])
    X = rng.normal(size=(NODES, COLUMNS)).astype(np.float32)
    return Network(ids, X, context, np.ones(context.shape[1], dtype=np.float32))


def pairs(n: int = PAIRS, seed: int = 1, directed: bool = False) -> tuple[Links, np.ndarray]:
    """Nodes of like sign in their first column are linked."""
    rng = np.random.default_rng(seed)
    shared = network()
    edges = np.array([rng.choice(NODES, 2, replace=False) for _ in range(n)])
    y = (shared.X[edges].prod(axis=1)[:, 0] > 0).astype(np.int64)
    return Links(shared, edges, rng.normal(size=(n, 2)).astype(np.float32), directed), y


def fit(name: str, directed: bool = False, **parameters):
    X, y = pairs(directed=directed)
    X_valid, y_valid = pairs(60, seed=2, directed=directed)
    given = {**FAST, **parameters} if name == "gnn" else parameters
    model = get_model(name)(output="classes", n_outputs=2, seed=1, **given)
    return model.fit(X, y, X_valid, y_valid)


@pytest.mark.parametrize("directed", [False, True])
def test_dense_says_the_same_of_both_orders_unless_directed(directed):
    X, _ = pairs(20, directed=directed)
    turned = replace(X, edges=X.edges[:, ::-1])
    assert np.allclose(X.dense(), turned.dense()) is not directed
    assert X.dense().shape == (20, (3 if directed else 2) * COLUMNS + 2)
    assert X[np.array([3, 1])].edges.tolist() == X.edges[[3, 1]].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gnn", "logistic_regression", "gradient_boosting", "svm", "dnn"])
@pytest.mark.parametrize("directed", [False, True])
def test_models_learn_from_pairs(name, directed):
    model = fit(name, directed)
    X, y = pairs(200, seed=3, directed=directed)
    assert roc_auc_score(y, model.predict_proba(X)[:, 1]) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(("name", "directed"), CASES)
def test_models_of_links_repeat_and_survive_saving(name, directed, device, tmp_path):
    model, (X, _) = fit(name, directed), pairs(50, seed=3, directed=directed)
    said = model.predict_proba(X)
    assert said.shape == (50, 2)
    np.testing.assert_allclose(said.sum(axis=1), 1)
    np.testing.assert_array_equal(fit(name, directed).predict_proba(X), said)
    model.save(tmp_path)
    np.testing.assert_array_equal(get_model(name).load(tmp_path).predict_proba(X), said)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors"}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "directed"), CASES)
def test_on_the_same_pairs_a_model_is_the_same_again(name, directed):
    (X, y), (asked, _) = pairs(directed=directed), pairs(50, seed=3, directed=directed)
    model = fit(name, directed)
    again = model.refitted(X, y)
    np.testing.assert_array_equal(again.predict_proba(asked), model.predict_proba(asked))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "directed"), CASES)
def test_a_score_does_not_depend_on_the_other_pairs_asked(name, directed):
    model, (X, _) = fit(name, directed), pairs(50, seed=3, directed=directed)
    whole = model.predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(X[np.arange(7)]), whole[:7], atol=1e-6)
    assert model.predict_proba(X[np.arange(0)]).shape == (0, 2)


@pytest.mark.slow
def test_nodes_are_found_again_by_id_in_another_network():
    """The same nodes in another order, and one of them gone, which leaves the others as known."""
    model, (X, _) = fit("gnn"), pairs(50, seed=3)
    order = np.random.default_rng(0).permutation(NODES)
    place = np.argsort(order)
    other = Network(
        X.network.node_id[order], X.network.X[order], place[X.network.context], X.network.weight
    )
    turned = replace(X, network=other, edges=place[X.edges])
    np.testing.assert_allclose(model.predict_proba(turned), model.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("directed", [False, True])
def test_no_training_edge_sees_itself(directed):
    X, y = pairs(directed=directed)
    model = fit("gnn", directed, hide=0.0, epochs=1)
    known = model._known(X.network.node_id)
    assert known.shape[1] == y.sum()
    batch = X.edges[:32]
    left = {tuple(edge) for edge in model._masked(known, batch, NODES).T.tolist()}
    asked = {tuple(edge) for edge in batch.tolist()}
    assert not asked & left
    if not directed:
        assert not {edge[::-1] for edge in asked} & left


def test_hidden_nodes_show_no_partner():
    X, _ = pairs()
    model = fit("gnn", hide=1.0, epochs=1)
    left = model._masked(model._known(X.network.node_id), X.edges[:16], NODES)
    assert not set(X.edges[:16].ravel()) & set(left.ravel())


def test_degree_knows_nothing_of_new_nodes_and_not_of_a_pair_itself():
    shared = network()
    edges = np.array([[0, 1], [0, 2], [0, 3], [4, 5], [6, 7], [8, 9]])
    y = np.array([1, 1, 1, 0, 0, 0])
    X = Links(shared, edges, np.zeros((6, 0), dtype=np.float32))
    model = get_model("degree")(output="classes", n_outputs=2, seed=1).fit(X, y, X, y)
    asked = replace(X, edges=np.array([[0, 40], [41, 42], [43, 44]]))
    said = model.predict_proba(asked)[:, 1]
    assert said[0] > said[1] == said[2]


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_a_table_is_refused(name):
    X = np.zeros((10, 3), dtype=np.float32)
    y = np.arange(10) % 2
    with pytest.raises(DataError, match="pairs"):
        get_model(name)(output="classes", n_outputs=2, seed=1).fit(X, y, X, y)


@pytest.mark.parametrize(("name", "directed"), [("target_kernel", False), ("pair_kernel", True)])
def test_pairs_of_the_other_order_are_refused(name, directed):
    with pytest.raises(DataError, match="order(.|\n)*_kernel"):
        fit(name, directed)


def test_a_kernel_of_pairs_finds_what_two_new_nodes_share():
    """Nodes of like sign go together; a sum of two single scores cannot say so."""
    X, y = pairs(300)
    inside = (X.edges < 40).all(axis=1)
    strange = (X.edges >= 40).all(axis=1)
    fitted, floor = (
        get_model("pair_kernel")(output="classes", n_outputs=2, seed=1, pairing=pairing).fit(
            X[inside], y[inside], X, y
        )
        for pairing in (True, False)
    )
    scores = [roc_auc_score(y[strange], m.predict_proba(X[strange])[:, 1]) for m in (fitted, floor)]
    assert scores[0] > 0.9
    assert scores[1] < 0.7


def test_a_pair_has_no_order():
    model, (X, _) = fit("pair_kernel"), pairs(20, seed=4)
    turned = replace(X, edges=X.edges[:, ::-1])
    np.testing.assert_allclose(model.predict_proba(turned), model.predict_proba(X), atol=1e-9)


def regulation(groups: np.ndarray | None = None):
    """Sources 0 to 4, and targets whose sources are those of the targets of their own cluster."""
    rng = np.random.default_rng(0)
    centres, cluster = rng.normal(size=(6, 12)), np.arange(NODES) % 6
    X = (centres[cluster] + 0.5 * rng.normal(size=(NODES, 12))).astype(np.float32)
    X -= X.mean(axis=1, keepdims=True)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    nodes = replace(network(), X=X)
    edges = np.array([(source, target) for source in range(5) for target in range(5, NODES)])
    y = (cluster[edges[:, 1]] == edges[:, 0]).astype(np.int64)
    links = Links(nodes, edges, np.zeros((len(edges), 0), dtype=np.float32), directed=True)
    known = edges[:, 1] < 45
    model = get_model("target_kernel")(output="classes", n_outputs=2, seed=1)
    groups = None if groups is None else groups[edges[known, 1]]
    return model.fit(links[known], y[known], links, y, groups=groups), links, y, known


def test_a_kernel_of_targets_knows_the_sources_of_new_ones():
    model, links, y, known = regulation()
    assert roc_auc_score(y[~known], model.predict_proba(links[~known])[:, 1]) > 0.9


def test_training_targets_are_answered_without_their_group():
    """Of a source all of whose targets are of one group nothing is left to tell them by."""
    whole = np.where(np.arange(NODES) % 6 == 0, 1000, np.arange(NODES))
    (apart, links, y, known), (alone, *_) = regulation(whole), regulation()
    asked = links[known & (links.edges[:, 0] == 0) & (y == 1)]
    said = [model.predict_proba(asked)[:, 1].mean() for model in (apart, alone)]
    assert said[0] < 0.3 < 0.7 < said[1]


def test_a_source_without_training_rows_has_the_targets_that_others_have():
    model, links, y, known = regulation()
    others = np.bincount(links.edges[known & (y == 1), 1], minlength=NODES)
    strange = replace(
        links[np.arange(40)], edges=np.column_stack([np.full(40, 50), np.arange(5, 45)])
    )
    said = model.predict_proba(strange)[:, 1]
    assert len(set(said.round(9))) == len(set(np.maximum(others[5:45], 1)))


def test_nodes_are_scaled_by_those_of_training_pairs_alone():
    X, y = pairs()
    some = X[(X.edges < 30).all(axis=1)]
    labels = y[: len(some)]
    before = Preprocess.fit(some, labels, {}).transform(some)
    values = X.network.X.copy()
    values[30:] = 1e6
    spoilt = replace(some, network=replace(X.network, X=values))
    after = Preprocess.fit(spoilt, labels, {}).transform(spoilt)
    np.testing.assert_array_equal(before.network.X[:30], after.network.X[:30])


def test_preprocessing_of_pairs_survives_saving(tmp_path):
    X, y = pairs()
    X = replace(X, X=np.where(X.X > 1, np.nan, X.X))
    fitted = Preprocess.fit(X, y, {})
    fitted.save(tmp_path)
    first, second = (p.transform(X) for p in (fitted, Preprocess.load(tmp_path)))
    np.testing.assert_array_equal(first.dense(), second.dense())
    assert np.isfinite(first.dense()).all()
    assert not Novelty.fit(first, first).outside(first).all()


def test_pairs_without_node_features():
    X, y = pairs()
    bare = replace(X, network=replace(X.network, X=np.zeros((NODES, 0), dtype=np.float32)))
    prepared = Preprocess.fit(bare, y, {}).transform(bare)
    assert prepared.dense().shape == (PAIRS, 2)


def test_pairs_of_which_nothing_varies_are_refused():
    X, y = pairs()
    bare = replace(X, network=replace(X.network, X=np.zeros((NODES, 0), dtype=np.float32)))
    with pytest.raises(DataError, match="No feature varies"):
        Preprocess.fit(replace(bare, X=np.ones((PAIRS, 1), dtype=np.float32)), y, {})


def test_neighbours_are_the_weighted_mean_over_the_most_similar_targets():
    """By a loop: each training target but the pair's own, the k most similar, weight r^4."""
    X, y = pairs(directed=True)
    model = fit("neighbours", directed=True, k=5)
    new, _ = pairs(30, seed=4, directed=True)
    known = {}
    for (source, target), linked in zip(X.edges, y, strict=True):
        known.setdefault(int(target), set())
        if linked:
            known[int(target)].add(int(source))
    expected = []
    for source, target in new.edges:
        alike = {n: float(X.network.X[target] @ X.network.X[n]) for n in known if n != target}
        near = sorted(alike, key=lambda n: -alike[n])[:5]
        weight = np.array([max(alike[n], 1e-3) ** 4 for n in near])
        hit = np.array([source in known[n] for n in near])
        expected.append((weight * hit).sum() / weight.sum())
    decision = np.array(expected) * model.weights[0] + model.weights[1]
    said = model.predict_proba(new)[:, 1]
    np.testing.assert_allclose(said, 1 / (1 + np.exp(-decision)), rtol=1e-5)


def test_neighbours_of_a_stranger_are_found_by_its_features():
    model = fit("neighbours")
    X, _ = pairs(20, seed=5)
    strangers = replace(X.network, node_id=np.char.add("new_", X.network.node_id))
    said = model.predict_proba(replace(X, network=strangers))[:, 1]
    assert np.ptp(said) == 0  # nobody is known to be linked to any of them
