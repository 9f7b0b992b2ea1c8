"""The kernel of words is what loops over words say, and it finds what words say of a label."""

from itertools import product

import numpy as np
import pytest

from bioloom.arrays import Ragged
from bioloom.embedders import one_hot
from bioloom.errors import DataError
from bioloom.models import _kernels, get_model, sequence_kernel
from bioloom.models._kernels import effective_rows, variance_weights
from bioloom.models._words import Letters, View, placed, spectrum

DNA = np.array(list("ACGT"))


def tokens(texts: list[str], alphabet: str = "dna") -> Ragged:
    options = {"alphabet": alphabet, "pooling": "tokens", "window": 1}
    return one_hot.features(texts, options)[0]


def drawn(rows: int, length: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(row) for row in DNA[rng.integers(0, 4, (rows, length))]]


def read(texts: list[str]) -> Ragged:
    X = tokens(texts)
    return Letters("ACGT", np.arange(4), np.full(4, 0.5)).read(X)


def model(output: str = "values", n_outputs: int = 1, **parameters):
    return get_model("sequence_kernel")(output=output, n_outputs=n_outputs, seed=1, **parameters)


def fit(texts: list[str], y: np.ndarray, output: str = "values", n_outputs: int = 1, **given):
    X = tokens(texts)
    return model(output, n_outputs).fit(X, y, X[:0], y[:0], columns=DNA, **given)


def turned(word: str) -> str:
    return word[::-1].translate(str.maketrans("ACGT", "TGCA"))


@pytest.mark.parametrize("strands", [False, True])
def test_a_spectrum_counts_the_words_of_a_loop(strands):
    texts = [*drawn(4, 30), "ACGTNNACGTTT", "AC", "NNN"]
    counts = spectrum(read(texts), 3, 4, strands=strands).toarray()
    for row, text in enumerate(texts):
        expected = dict.fromkeys(map("".join, product("ACGT", repeat=3)), 0)
        for i in range(len(text) - 2):
            word = text[i : i + 3]
            if "N" not in word:
                expected[min(word, turned(word)) if strands else word] += 1
        np.testing.assert_allclose(counts[row], np.sqrt(list(expected.values())), rtol=1e-6)


@pytest.mark.parametrize("apart", [1, 4])
def test_words_by_their_place_are_shared_by_the_two_knots_beside_them(apart):
    texts = ["ACGTACGTAC", "ANGTTT", ""]
    places = 5
    counts = placed(read(texts), 2, 4, apart, places).toarray().reshape(3, places, 16)
    expected = np.zeros_like(counts)
    for row, text in enumerate(texts):
        for i in range(len(text) - 1):
            if "N" not in text[i : i + 2]:
                word = "ACGT".index(text[i]) * 4 + "ACGT".index(text[i + 1])
                for knot in range(places):
                    expected[row, knot, word] += max(0.0, 1 - abs(i / apart - knot))
    np.testing.assert_allclose(counts, expected, atol=1e-6)


def test_products_and_distances_are_those_of_centred_counts():
    known, new = read(drawn(6, 20)), read(drawn(3, 20, seed=1))
    view = View.of(lambda texts: spectrum(texts, 2, 4, strands=False), known)
    rows, others = (view.counts(texts).toarray() for texts in (known, new))
    centre = rows.mean(axis=0)
    scale = np.mean(((rows - centre) ** 2).sum(axis=1))
    a, b = (others - centre) / np.sqrt(scale), (rows - centre) / np.sqrt(scale)
    np.testing.assert_allclose(view.products(view.counts(new)), a @ b.T, atol=1e-5)
    apart = ((a[:, None] - b) ** 2).sum(axis=2)
    np.testing.assert_allclose(view.distances(view.counts(new)), apart, atol=1e-5)


def test_left_out_errors_of_weighted_rows_are_those_of_refits():
    """Each group is left out of ridge on the whole kernel, by the definition."""
    texts, rng = drawn(24, 15), np.random.default_rng(3)
    y, groups, weight = rng.normal(size=24), rng.integers(0, 6, 24), rng.uniform(0.2, 3, 24)
    fitted = fit(texts, y, groups=groups)
    kernel = sequence_kernel.compared(fitted.views, read(texts))[0].astype(float)
    every = np.arange(24)
    loss, coefficients, _, errors = fitted._best(kernel, every, y, groups, weight)
    level = np.average(y, weights=weight)
    losses = []
    for strength in sequence_kernel.kernel.STRENGTHS:
        refits = np.zeros(24)
        for group in np.unique(groups):
            out = groups == group
            inside = kernel[np.ix_(~out, ~out)] + np.diag(strength / weight[~out])
            refits[out] = kernel[np.ix_(out, ~out)] @ np.linalg.solve(inside, (y - level)[~out])
        losses.append(np.average((refits - y + level) ** 2, weights=weight))
        if loss == pytest.approx(losses[-1], abs=1e-6):
            np.testing.assert_allclose(errors[:, 0], refits - y + level, atol=1e-6)
            whole = np.linalg.solve(kernel + np.diag(strength / weight), y - level)
            np.testing.assert_allclose(coefficients[:, 0], whole, atol=1e-5)
    assert loss == pytest.approx(min(losses), abs=1e-6)


@pytest.mark.slow
def test_kernels_of_long_sequences_that_differ_in_one_letter_have_no_negative_eigenvalue():
    """Products are a thousand times what is left of them when they are centred."""
    [whole] = drawn(1, 3000)
    rng = np.random.default_rng(1)
    texts = [whole[:i] + DNA[rng.integers(4)] + whole[i + 1 :] for i in rng.integers(0, 3000, 60)]
    y = rng.normal(size=60)
    fitted = fit(texts, y)
    for part in sequence_kernel.compared(fitted.views, read(texts)):
        assert np.linalg.eigvalsh(part.astype(float)).min() > -1e-3


def test_a_word_anywhere_is_the_spectrum_and_letters_that_go_together_are_the_register():
    rng = np.random.default_rng(0)
    motif = [
        text[:p] + "TGACTCA" + text[p + 7 :]
        for text, p in zip(drawn(150, 60), rng.integers(0, 53, 150), strict=True)
    ]
    texts, y = [*motif, *drawn(150, 60, seed=5)], np.repeat([1.0, 0.0], 150)
    order = rng.permutation(300)
    texts, y = [texts[i] for i in order], y[order]
    found = fit(texts[:200], y[:200])
    assert found.facts["kernel"] != "register"
    assert np.corrcoef(found.predict(tokens(texts[200:])), y[200:])[0, 1] > 0.6
    short = drawn(400, 6)
    y = np.array([(t[1] in "AC") == (t[4] in "AC") for t in short], dtype=float)  # neither alone
    found = fit(short[:300], y[:300])
    assert found.facts["kernel"] == "register"
    assert np.corrcoef(found.predict(tokens(short[300:])), y[300:])[0, 1] > 0.4


@pytest.mark.parametrize(("output", "size"), [("classes", 2), ("labels", 2), ("values", 3)])
def test_all_that_it_gives_survives_saving(output, size, tmp_path):
    texts = drawn(80, 12)
    signal = np.array([[text.count(letter) for letter in "ACG"] for text in texts], dtype=float)
    y = signal[:, :size]
    y = (y[:, 0] > 3).astype(int) if output == "classes" else (y > 3 if output == "labels" else y)
    fitted = fit(texts, np.asarray(y, dtype=int if output == "classes" else float), output, size)
    X = tokens([*drawn(9, 15, seed=2), "NNNN", ""])
    before = fitted.outputs(X)
    assert before.shape == (11, size)
    assert np.isfinite(before).all()
    fitted.save(tmp_path)
    loaded = get_model("sequence_kernel").load(tmp_path)
    np.testing.assert_array_equal(loaded.outputs(X), before)
    assert loaded.facts == fitted.facts


def test_proteins_have_words_of_their_letters():
    rng = np.random.default_rng(0)
    letters = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    texts = ["".join(row) for row in letters[rng.integers(0, 20, (120, 30))]]
    y = np.array([sum(map(text.count, "KR")) for text in texts], dtype=float)
    X = tokens(texts, "protein")
    fitted = model().fit(X[np.arange(100)], y[:100], X[:0], y[:0], columns=letters)
    assert np.corrcoef(fitted.predict(X[np.arange(100, 120)]), y[100:])[0, 1] > 0.5


def test_standardised_letters_are_read_as_they_were():
    """As a member of an ensemble sees them."""
    texts = drawn(60, 10)
    y = np.array([text.count("A") for text in texts], dtype=float)
    X = tokens(texts)
    scaled = Ragged((X.values.astype(np.float32) - [0.2, 0.3, 0.2, 0.3]) / 0.4, X.offsets)
    plain, other = (model().fit(x, y, x[:0], y[:0], columns=DNA) for x in (X, scaled))
    np.testing.assert_allclose(plain.predict(X), other.predict(scaled), atol=1e-5)


def test_what_are_no_letters_is_refused():
    X = Ragged(np.random.default_rng(0).normal(size=(20, 4)).astype(np.float16), np.array([0, 20]))
    for columns in (DNA, None, np.array(["unirep_1", "unirep_2", "unirep_3", "unirep_4"])):
        with pytest.raises(DataError, match="reads letters. Hint: .*one_hot"):
            model().fit(X, np.zeros(1), X[:0], np.zeros(0), columns=columns)


def test_the_error_of_landmarks_is_told(monkeypatch):
    monkeypatch.setattr(_kernels, "EXACT_ROWS", 40)
    monkeypatch.setattr(_kernels, "LANDMARKS", 30)
    texts = drawn(200, 8)
    y = np.array([text.count("A") for text in texts], dtype=float)
    few = fit(texts, y)
    assert few.facts["landmarks"] == 30
    monkeypatch.setattr(_kernels, "LANDMARKS", 150)
    many = fit(texts, y)
    assert 0 < many.facts["missed_by_landmarks"] < few.facts["missed_by_landmarks"] < 1


def test_weights_are_the_variance_that_reads_leave():
    rng = np.random.default_rng(0)
    reads = rng.choice([2, 20, 100], 20_000)
    errors = rng.normal(size=(20_000, 1)) * np.sqrt(0.5 + 10 / reads)[:, None]
    weight = variance_weights(errors, reads)
    ratio = weight[reads == 100].mean() / weight[reads == 2].mean()
    assert ratio == pytest.approx((0.5 + 10 / 2) / (0.5 + 10 / 100), rel=0.3)
    assert effective_rows(np.ones(7)) == pytest.approx(7)
    assert effective_rows(weight) > effective_rows(reads.astype(float))
    assert variance_weights(np.zeros((5, 1)), np.arange(1, 6)).tolist() == [1.0] * 5


def test_rows_of_few_reads_count_less_and_so_many_rows_are_told():
    texts, rng = drawn(300, 8), np.random.default_rng(0)
    truth = np.array([text.count("A") - text.count("C") for text in texts], dtype=float)
    reads = np.where(np.arange(300) % 2, 100, 1)
    y = truth + rng.normal(size=300) * np.sqrt(20 / reads)
    new = drawn(300, 8, seed=7)
    expected = np.array([text.count("A") - text.count("C") for text in new], dtype=float)
    plain, weighted = fit(texts, y), fit(texts, y, sample_weight=reads / reads.mean())
    errors = [
        np.mean((fitted.predict(tokens(new)) - expected) ** 2) for fitted in (plain, weighted)
    ]
    assert errors[1] < errors[0]
    assert 150 < weighted.facts["effective_rows"] < 300
    assert "effective_rows" not in plain.facts


@pytest.mark.slow
def test_a_member_beside_a_network(tmp_path):
    texts = drawn(120, 8)
    y = np.array([text.count("A") for text in texts], dtype=float)
    X = tokens(texts)
    members = [{"name": "lstm", "epochs": 1}, {"name": "sequence_kernel"}]
    joined = get_model("ensemble")(output="values", n_outputs=1, seed=1, of=members)
    joined.fit(X[np.arange(80)], y[:80], X[np.arange(80, 120)], y[80:], columns=DNA)
    assert joined.weights[1] > joined.weights[0]
    refitted = joined.refitted(X, y, columns=DNA)
    refitted.save(tmp_path)
    loaded = get_model("ensemble").load(tmp_path)
    np.testing.assert_allclose(loaded.predict(X), refitted.predict(X))
