"""Bayesian networks: exact under any evidence, honest about what cannot be, read and written."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.bayes import learning, network
from bioloom.bayes.cases import about, entropy
from bioloom.bayes.coding import MISSING, UNSEEN, Categories, Numbers
from bioloom.bayes.network import Network, Node
from bioloom.formats.bif import read_bif, write_bif
from tests.toys import refused, write

# Some of the probabilities are 0: pack years and a gene lead to a disease, which a test shows.
LUNG = """network invented {
}
variable pack_years {
  type discrete [ 3 ] { low, mid, high };
}
variable gene {
  type discrete [ 3 ] { normal, variant, double };
}
variable disease {
  type discrete [ 3 ] { none, mild, severe };
}
variable test {
  type discrete [ 3 ] { neg, indet, pos };
}
probability ( pack_years ) {
  table 0.5, 0.3, 0.2;
}
probability ( gene ) {
  table 0.7, 0.25, 0.05;
}
probability ( disease | pack_years, gene ) {
  (low, normal) 0.95, 0.05, 0;
  (low, variant) 0.85, 0.12, 0.03;
  (low, double) 0.6, 0.3, 0.1;
  (mid, normal) 0.88, 0.1, 0.02;
  (mid, variant) 0.7, 0.2, 0.1;
  (mid, double) 0.4, 0.35, 0.25;
  (high, normal) 0.75, 0.17, 0.08;
  (high, variant) 0.5, 0.3, 0.2;
  (high, double) 0, 0.4, 0.6;
}
probability ( test | disease ) {
  (none) 0.9, 0.1, 0;
  (mild) 0.3, 0.3, 0.4;
  (severe) 0.05, 0.15, 0.8;
}
"""
DISEASE = 2
PACK_YEARS = Numbers(np.array([0, 5, 20, 60], dtype=np.float32), ("low", "mid", "high"))


@pytest.fixture
def lung(tmp_path) -> Network:
    return read_bif(write(tmp_path / "network.bif", LUNG))


def codes_of(lung: Network, **states: str) -> np.ndarray:
    """The codes of one row, (1, V)."""
    named = zip(lung.names, lung.nodes, strict=True)
    return np.array([[n.states.index(states[f]) if f in states else -1 for f, n in named]])


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ({}, (0.82705, 0.12405, 0.0489)),
        ({"test": "pos"}, (0, Fraction(827, 1479), Fraction(652, 1479))),
        (
            {"gene": "double", "test": "neg"},
            (Fraction(1512, 1963), Fraction(402, 1963), Fraction(49, 1963)),
        ),
        ({"pack_years": "high"}, (0.65, 0.214, 0.136)),
        ({"pack_years": "high", "gene": "double", "test": "neg"}, (0, 0.8, 0.2)),
        (
            {"pack_years": "mid", "gene": "normal", "test": "indet"},
            (Fraction(8, 11), Fraction(30, 121), Fraction(3, 121)),
        ),
        # an unseen state of the gene, taken as missing
        ({"pack_years": "mid", "test": "pos"}, (0, 0.571726, 0.428274)),
        ({"disease": "mild"}, (0, 1, 0)),
    ],
)
def test_posteriors_are_those_of_fractions(lung, evidence, expected):
    belief = lung.ask(codes_of(lung, **evidence), [DISEASE])
    np.testing.assert_allclose(belief.p[0], [float(p) for p in expected], atol=5e-7)
    assert belief.possible.all()


@pytest.mark.parametrize(
    ("impossible", "beside"),
    [
        ({"pack_years": "low", "gene": "normal", "disease": "severe"}, {"test": "pos"}),
        ({"pack_years": "high", "gene": "double", "disease": "none"}, {}),
        ({"disease": "none", "test": "pos"}, {"gene": "normal"}),
    ],
)
def test_evidence_of_probability_0_is_named_and_has_no_posterior(lung, impossible, beside):
    codes = codes_of(lung, **impossible, **beside)
    belief = lung.ask(codes, [DISEASE])
    assert not belief.possible.any()
    assert (belief.p == 0).all()
    assert [lung.names[field] for field in lung.conflict(codes[0])] == [
        name for name in lung.names if name in impossible
    ]


def test_what_a_missing_field_would_tell_by_two_formulas(lung):
    codes = codes_of(lung, gene="double")
    prior = lung.ask(codes, [DISEASE]).p
    assert entropy(prior)[0] == pytest.approx(1.5513, abs=5e-5)
    for name, bits in {"test": 0.5365, "pack_years": 0.2418}.items():
        told = about(lung, codes, DISEASE, lung.names.index(name))
        assert told.information[0] == pytest.approx(bits, abs=5e-5)
        left = (told.plausible[0] * entropy(told.what_if[0])).sum()
        assert told.information[0] == pytest.approx(entropy(prior)[0] - left)


def test_what_if_is_the_posterior_with_the_field_set_and_without_is_that_without_it(lung):
    codes = codes_of(lung, gene="variant", test="neg")
    told = about(lung, codes, DISEASE, lung.names.index("test"))
    for code, state in enumerate(("neg", "indet", "pos")):
        expected = lung.ask(codes_of(lung, gene="variant", test=state), [DISEASE]).p
        np.testing.assert_allclose(told.what_if[:, code], expected)
    np.testing.assert_allclose(told.without, lung.ask(codes_of(lung, gene="variant"), [DISEASE]).p)


# Against enumeration and pgmpy ---------------------------------------------------------------


@st.composite
def networks(draw, most: int = 5) -> Network:
    """Small networks, in any order of their fields, with many zeros."""
    size = draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    order, states = rng.permutation(size), rng.integers(1, 4, size)
    nodes: list[Node] = [None] * size  # type: ignore[list-item]
    for rank, field in enumerate(order):
        parents = tuple(int(p) for p in order[:rank] if rng.random() < 0.5)
        table = rng.integers(0, 4, [*(states[p] for p in parents), states[field]]).astype(float)
        table[table.sum(axis=-1) == 0] = 1
        table /= table.sum(axis=-1, keepdims=True)
        own = tuple(f"s{i}" for i in range(states[field]))
        nodes[field] = Node(f"f{field}", own, parents, table)
    return Network(tuple(nodes))


def enumerated(net: Network, codes: np.ndarray, asked: list[int]) -> np.ndarray:
    """P(asked, evidence) by the sum over all states of all fields."""
    sizes = [len(node.states) for node in net.nodes]
    found = np.zeros([sizes[field] for field in asked])
    for states in product(*map(range, sizes)):
        if all(code in (-1, state) for code, state in zip(codes, states, strict=True)):
            p = 1.0
            for field, node in enumerate(net.nodes):
                p *= node.table[(*(states[parent] for parent in node.parents), states[field])]
            found[tuple(states[field] for field in asked)] += p
    return found


@settings(max_examples=60, deadline=None)
@given(networks(), st.data())
def test_elimination_is_enumeration(net, data):
    size = len(net.nodes)
    sizes = [len(node.states) for node in net.nodes]
    rows = data.draw(
        st.lists(st.tuples(*(st.integers(-1, s - 1) for s in sizes)), min_size=1, max_size=6)
    )
    asked = data.draw(st.lists(st.integers(0, size - 1), max_size=2, unique=True))
    codes = np.array(rows)
    belief = net.ask(codes, asked)
    for row, p, log_evidence in zip(codes, belief.p, belief.log_evidence, strict=True):
        joint = enumerated(net, row, asked)
        assert np.exp(log_evidence) == pytest.approx(joint.sum(), abs=1e-12)
        if joint.sum():
            np.testing.assert_allclose(p, joint / joint.sum(), atol=1e-9)
            continue
        conflict = net.conflict(row)
        alone = np.full(size, -1)
        alone[conflict] = row[conflict]
        assert enumerated(net, alone, []) == 0
        for field in conflict:  # none to spare
            assert enumerated(net, np.where(np.arange(size) == field, -1, alone), []) > 0


@pytest.mark.slow
def test_elimination_is_that_of_pgmpy_on_a_written_network(lung, tmp_path):
    from pgmpy.inference import VariableElimination
    from pgmpy.readwrite import BIFReader

    rng = np.random.default_rng(0)
    write_bif(lung, tmp_path / "written.bif")
    model = BIFReader(str(tmp_path / "written.bif")).get_model()
    assert model.check_model()
    assert {*model.edges()} == {*lung.edges}
    peer = VariableElimination(model)
    for _ in range(20):
        codes = rng.integers(-1, 3, 4)
        codes[DISEASE] = -1
        belief = lung.ask(codes[None], [DISEASE])
        given = {lung.names[f]: lung.nodes[f].states[c] for f, c in enumerate(codes) if c >= 0}
        found = peer.query(["disease"], evidence=given, show_progress=False)
        values = [found.get_value(disease=state) for state in lung.nodes[DISEASE].states]
        np.testing.assert_allclose(belief.p[0], values, atol=1e-12)


def test_rows_are_answered_alike_one_by_one_and_where_tables_are_halved(lung, monkeypatch):
    codes = np.array([*product((-1, 0, 2), (-1, 1), (-1,), (-1, 0, 1))])
    together = lung.ask(codes, [DISEASE])
    monkeypatch.setattr(network, "MOST_CELLS", 40)
    np.testing.assert_allclose(lung.ask(codes, [DISEASE]).p, together.p)
    monkeypatch.setattr(network, "MOST_CELLS", 2)
    refused(lambda: lung.ask(codes, [DISEASE]), "too dense.*max_parents")


def test_the_evidence_of_thousands_of_fields_does_not_vanish():
    """Each of 3,000 fields has probability .01 and tells nearly nothing: the product is 1e-6000."""
    rare = np.array([[0.01, 0.99], [0.0101, 0.9899]])
    fields = [Node(f"x{i}", ("a", "b"), (3000,), rare) for i in range(3000)]
    net = Network((*fields, Node("y", ("0", "1"), (), np.array([0.5, 0.5]))))
    codes = np.array([[0] * 3000 + [-1]])
    belief = net.ask(codes, [3000])
    odds = 3000 * np.log(1.01)
    assert np.log(belief.p[0, 1] / belief.p[0, 0]) == pytest.approx(odds)


@pytest.mark.parametrize(
    "node",
    [
        Node("a", ("x", "y"), (), np.array([0.5, 0.6])),
        Node("a", ("x", "y"), (), np.array([1.5, -0.5])),
        Node("a", ("x", "y"), (), np.array([1.0])),
        Node("a", ("x", "y"), (7,), np.array([[0.5, 0.5]])),
        Node("a", ("x", "y"), (0,), np.full((2, 2), 0.5)),
    ],
)
def test_a_damaged_network_is_refused(node):
    refused(lambda: Network((node,)), "damaged")


# BIF -----------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(networks())
def test_a_written_network_is_read_back_to_the_last_digit(tmp_path_factory, net):
    path = tmp_path_factory.mktemp("bif") / "network.bif"
    write_bif(net, path)
    found = read_bif(path)
    assert found.edges == net.edges
    for ours, theirs in zip(net.nodes, found.nodes, strict=True):
        assert ours.states == theirs.states
        np.testing.assert_array_equal(ours.table, theirs.table)


def test_names_become_words_no_two_alike(tmp_path):
    node = Node("tumour size", ("<=20", "20", ">20", "a b", "a_b"), (), np.full(5, 0.2))
    write_bif(Network((node,)), tmp_path / "network.bif")
    [found] = read_bif(tmp_path / "network.bif").nodes
    assert found.name == "tumour_size"
    assert found.states == ("le_20", "20", "gt_20", "a_b", "a_b_2")


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("  (mild) 0.3, 0.3, 0.4;\n", "", "test"),
        ("(mild) 0.3, 0.3, 0.4", "(mild) 0.3, 0.3", "test"),
        ("(mild) 0.3, 0.3, 0.4", "(mild) 0.3, x, 0.4", "test"),
        ("(mild) 0.3", "(medium) 0.3", "test"),
        ("test | disease", "test | illness", "test"),
        ("table 0.7, 0.25, 0.05;", "", "gene"),
        ("table 0.7", "table 0.9", "gene"),
    ],
)
def test_a_table_that_is_not_whole_is_refused_by_name(tmp_path, old, new, column):
    path = write(tmp_path / "network.bif", LUNG.replace(old, new))
    refused(lambda: read_bif(path), f"column {column}")


def test_a_file_without_variables_is_no_network(tmp_path):
    refused(lambda: read_bif(write(tmp_path / "x.bif", "a,b\n1,2\n")), "No variable", "BIF")


# Fields --------------------------------------------------------------------------------------


def test_the_lower_edge_belongs_to_a_bin_and_what_lies_outside_to_none():
    values = np.array([0, 4.999, 5, 30, 59.9, 60, 75, -1, np.nan])
    expected = [0, 0, 1, 2, 2, UNSEEN, UNSEEN, UNSEEN, MISSING]
    assert PACK_YEARS.codes(values).tolist() == expected
    assert PACK_YEARS.below(values).tolist() == [False] * 7 + [True, False]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=60),
    st.integers(1, 8),
)
def test_each_value_of_training_has_a_bin_and_no_bin_is_empty(values, bins):
    column = np.array(values, dtype=np.float32)
    field = Numbers.fit(column, bins)
    codes = field.codes(column)
    assert (codes >= 0).all()
    assert set(codes.tolist()) == set(range(len(field.names)))
    assert len(field.names) <= bins
    assert len({*field.names}) == len(field.names)
    assert (field.edges[codes] <= column).all()
    assert (column < field.edges[codes + 1]).all()


def test_few_values_have_a_bin_each_and_bins_hold_equally_many():
    assert Numbers.fit(np.repeat([0, 1, 1, 0], 5), 4).names == ("0", "1")
    assert Numbers.fit(np.repeat([0, 0, 0, 0, 1, 2, 7], 5), 3).names == ("0", "1", "from_1.5")
    assert Numbers.fit(np.array([3.5, 8]), 1).names == ("any",)
    field = Numbers.fit(np.arange(100), 4)
    assert field.names == ("below_24.5", "24.5_to_49.5", "49.5_to_74.5", "from_74.5")
    assert np.bincount(field.codes(np.arange(100))).tolist() == [25] * 4


def test_a_value_that_most_rows_have_leaves_bins_to_the_others():
    """Pack-years of which most are 0, and counts of which most are 5."""
    zeros = np.concatenate([np.zeros(80), np.arange(1, 31)])
    field = Numbers.fit(zeros, 4)
    assert field.names == ("0", "0.5_to_10.5", "10.5_to_20.5", "from_20.5")
    assert np.bincount(field.codes(zeros)).tolist() == [80, 10, 10, 10]
    middle = np.concatenate([np.arange(5) / 5, np.full(80, 5.0), np.arange(6, 36)])
    assert np.bincount(Numbers.fit(middle, 4).codes(middle)).tolist() == [5, 80, 18, 12]


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(1, 40)), min_size=1, max_size=9),
    st.integers(1, 6),
)
def test_bins_are_never_more_than_asked_for_nor_of_few_rows(counts, bins):
    values = np.repeat(*np.array(counts, dtype=int).T)
    field = Numbers.fit(values, bins)
    size = np.bincount(field.codes(values), minlength=len(field.names))
    assert len(field.names) <= max(bins, 1)
    assert len(size) == 1 or size.min() >= 5


def test_no_state_is_a_value_of_fewer_than_five_rows():
    assert Numbers.fit(np.array([0] * 9 + [37.219]), 4).names == ("any",)
    # The rare 5 goes with the next value, the rare 90 with the one before.
    rare = np.array([1] * 8 + [5] * 2 + [7] * 6 + [9] * 5 + [90])
    field = Numbers.fit(rare, 9)
    assert field.names == ("1", "3_to_8", "from_8")
    assert field.codes(np.array([1, 5, 7, 9, 90])).tolist() == [0, 1, 1, 2, 2]
    values = 1.237 * np.arange(100)
    inner = Numbers.fit(values, 4).edges[1:-1]
    assert inner.tolist() == pytest.approx([30.3, 61.2, 92.2])


def test_an_edge_has_more_digits_where_three_are_no_longer_between_its_neighbours():
    values = np.repeat([1000.25, 1000.75, 1001.25], 5)
    field = Numbers.fit(values, 3)
    assert field.edges[1:-1].tolist() == [1000.5, 1001.0]
    near = np.repeat(np.array([1, np.nextafter(np.float32(1), np.float32(2))], np.float32), 5)
    assert Numbers.fit(near, 2).codes(near).tolist() == [0] * 5 + [1] * 5


def test_a_category_that_training_had_not_is_unseen():
    field = Categories.fit(np.repeat([2.0, 0, 2], 5), ("a", "b", "c"))
    assert field.names == ("a", "c")
    assert field.codes(np.array([0, 1, 2, np.nan])).tolist() == [0, UNSEEN, 1, MISSING]


def test_rare_categories_are_one_state():
    names = ("a", "bishop_of_X", "c", "other", "z")
    field = Categories.fit(np.array([0.0] * 6 + [1] + [2] * 4 + [3] * 5), names)
    assert field.names == ("a", "other", "other_")
    assert field.codes(np.array([0, 1, 2, 3, 4, np.nan])).tolist() == [0, 2, 2, 1, UNSEEN, MISSING]
    assert Categories.fit(np.array([1.0]), names).names == ("other",)
    assert Categories.fit(np.array([]), names).codes(np.array([1, np.nan])).tolist() == [-2, -1]


# Learning ------------------------------------------------------------------------------------


def chain(rows: int = 600, seed: int = 0, gaps: float = 0.0) -> learning.Rows:
    """Strong ties a -> b -> c, and d by itself."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 2, rows)
    b = np.where(rng.random(rows) < 0.9, a, 1 - a)
    c = np.where(rng.random(rows) < 0.9, b, 1 - b)
    codes = np.column_stack([a, b, c, rng.integers(0, 3, rows)])
    codes[rng.random(codes.shape) < gaps] = MISSING
    return learning.Rows(codes, (2, 2, 2, 3), np.ones(rows))


@pytest.mark.slow
def test_the_score_and_the_search_are_those_of_pgmpy_where_nothing_is_missing():
    import pandas as pd
    from pgmpy.causal_discovery import HillClimbSearch
    from pgmpy.structure_score import BIC

    rows = chain()
    frame = pd.DataFrame(rows.codes.astype(str), columns=[*"abcd"])
    peer = BIC(frame)
    for field, parents in ((0, ()), (1, (0,)), (2, (0, 1)), (3, (2,))):
        names = tuple("abcd"[parent] for parent in parents)
        assert rows.score(field, parents) == pytest.approx(peer.local_score("abcd"[field], names))
    found = learning.hill_climb(rows, "abcd", [], [], 3)
    search = HillClimbSearch(scoring_method="bic-d", return_type="dag", show_progress=False)
    best = peer.score(search.fit(frame).causal_graph_)
    # Edges that can be turned have the same score either way.
    assert sum(map(rows.score, range(4), found)) == pytest.approx(best)


@pytest.mark.slow
@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_ties_are_found_required_edges_stay_and_forbidden_ones_never_come(gaps):
    rows = chain(gaps=gaps)

    def edges(required=(), forbidden=(), max_parents=3) -> set[tuple[int, int]]:
        found = learning.hill_climb(rows, "abcd", required, forbidden, max_parents)
        return {(parent, child) for child, parents in enumerate(found) for parent in parents}

    skeleton = {frozenset(edge) for edge in edges()}
    assert skeleton == {frozenset((0, 1)), frozenset((1, 2))}
    assert (3, 0) in edges(required=[(3, 0)])
    forbidden = [(0, 1), (1, 0)]
    assert not edges(forbidden=forbidden) & {*forbidden}


def test_edges_of_experts_that_cannot_be_are_refused_by_name():
    def check(required, forbidden=(), most=3):
        return lambda: learning.check_edges("abcd", required, forbidden, most)

    refused(check([(0, 1), (1, 0)]), "circle: a -> b, b -> a")
    refused(check([(0, 1)], [(0, 1)]), "a -> b is required and forbidden")
    refused(check([(0, 3), (1, 3)], most=1), "2 required edges lead to d, `max_parents` is 1")


def test_a_column_that_is_mostly_missing_is_no_better_a_parent_for_that():
    """Its likelihood is over fewer rows, so their sum would be smaller whatever it says."""
    rng = np.random.default_rng(1)
    codes = np.column_stack([rng.integers(0, 2, 500), rng.integers(0, 2, 500)])
    codes[rng.random(500) < 0.8, 1] = MISSING
    rows = learning.Rows(codes, (2, 2), np.ones(500))
    assert rows.score(0, [1]) < rows.score(0, [])


def test_tables_are_smoothed_counts_of_the_rows_that_have_field_and_parents():
    codes = np.array([[0, 0], [0, 1], [0, 1], [1, 1], [MISSING, 0], [0, MISSING]])
    rows = learning.Rows(codes, (3, 2), np.array([1, 1, 1, 1, 9, 9.0]))
    np.testing.assert_allclose(
        rows.table(1, [0], pseudo_count=1), [[2 / 5, 3 / 5], [1 / 3, 2 / 3], [1 / 2, 1 / 2]]
    )
    # Without smoothing what no row has is 0, and parents never seen say nothing.
    np.testing.assert_allclose(
        rows.table(1, [0], pseudo_count=0), [[1 / 3, 2 / 3], [0, 1], [10 / 13, 3 / 13]]
    )
    np.testing.assert_allclose(rows.table(0, [], 0), [12 / 13, 1 / 13, 0])


def test_a_tree_ties_each_field_to_the_target_and_to_the_field_that_tells_most():
    rows = chain()
    parents = learning.tree(rows, target=3)
    assert parents[3] == ()
    assert all(3 in parents[field] for field in (0, 1, 2))
    ties = {frozenset((f, p)) for f in range(3) for p in parents[f] if p != 3}
    assert ties == {frozenset((0, 1)), frozenset((1, 2))}
    assert learning.naive(3, target=1) == ((1,), (), (1,))


def test_a_network_learnt_from_rows_has_their_frequencies():
    rows = chain(20_000)
    net = learning.network(
        rows, "abcd", [("0", "1")] * 3 + [("x", "y", "z")], ((), (0,), (1,), ()), 0
    )
    belief = net.ask(np.array([[1, -1, -1, -1]]), [2])
    assert belief.p[0, 1] == pytest.approx(0.9 * 0.9 + 0.1 * 0.1, abs=0.02)
