"""The kind `genotypes`, its metrics against plain loops, and the models that know its images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bioloom.arrays import Images, from_arrays, shape_of, to_arrays, vectors
from bioloom.arrays.images import NEVER, SPAN, WIDTH, rows_of
from bioloom.evaluation.curves import strata
from bioloom.kinds import HeldOut, Labels, Learnt, TestSet, get_kind
from bioloom.kinds.genotypes import best_threshold
from bioloom.metrics.variants import scores
from bioloom.models import get_model
from bioloom.similarity import get_measure


def toy(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(copies, calls, probabilities) of candidates."""
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=[0.6, 0.25, 0.15])
    logits = rng.normal(0, 1, (n, 3)) + 2.5 * np.eye(3)[y]
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return y, p.argmax(axis=1), p


def plain_f1(y, call) -> float:
    """By counting, one row after the other; a wrong genotype is both missed and false."""
    hit = missed = false = 0
    for true, said in zip(y, call, strict=True):
        hit += true > 0 and true == said
        missed += true > 0 and true != said
        false += said > 0 and true != said
    return 2 * hit / (2 * hit + missed + false)


def test_scores_are_those_of_counting_in_each_part_and_each_resample():
    y, call, p = toy()
    rng = np.random.default_rng(1)
    part, found = rng.integers(0, 2, len(y)), rng.random(len(y)) < 0.9
    drawn = rng.multinomial(len(y), np.full(len(y), 1 / len(y)), 3).T.astype(float)
    weights = np.column_stack([np.ones(len(y)), drawn])
    measured = scores(y, call, p, part, found, weights)
    for column in range(weights.shape[1]):
        rows = np.repeat(np.arange(len(y)), weights[:, column].astype(int))
        assert measured["f1"][column] == pytest.approx(plain_f1(y[rows], call[rows]))
        for name, number in (("snp", 0), ("indel", 1)):
            mine = rows[part[rows] == number]
            expected = plain_f1(y[mine], call[mine])
            assert measured[f"{name}_f1"][column] == pytest.approx(expected)
        present = np.minimum(y[rows], 1), np.minimum(call[rows], 1)
        assert measured["allele_f1"][column] == pytest.approx(plain_f1(*present))
    assert measured["accuracy"][0] == pytest.approx((y == call)[found].mean())
    variants = y > 0
    assert measured["not_found"][0] == pytest.approx((~found)[variants].mean())
    assert measured["genotype_accuracy"][0] == pytest.approx(
        (y == call)[variants & (call > 0)].mean()
    )


def test_the_threshold_is_the_best_of_all():
    y, _, p = toy(200)
    genotype = 1 + p[:, 1:].argmax(axis=1)
    tried = [
        plain_f1(y, np.where(1 - p[:, 0] >= threshold, genotype, 0))
        for threshold in np.linspace(0, 1, 2001)
    ]
    chosen = best_threshold(p, y)
    found = plain_f1(y, np.where(1 - p[:, 0] >= chosen, genotype, 0))
    assert found == pytest.approx(max(tried))


def test_a_threshold_without_variants_is_a_half():
    p = np.tile([0.8, 0.1, 0.1], (5, 1))
    assert best_threshold(p, np.zeros(5, int)) == 0.5


def test_rows_that_are_no_candidates_tell_nothing_of_others():
    """A model that starts from no prior is unsure of them, and wrong."""
    y, _, p = toy(300)
    kind, outputs = get_kind("genotypes"), ["0/0", "0/1", "1/1"]
    beside, missed = np.tile([0.99, 0.009, 0.001], (40, 1)), np.ones(40, int)
    alone = kind.calibrate(p, y, Labels(kind, y, outputs, np.ones(300)), Learnt(y))
    raw, true, weight = np.vstack([p, beside]), np.append(y, missed), np.repeat([1.0, 0], [300, 40])
    among = kind.calibrate(raw, true, Labels(kind, true, outputs, weight), Learnt(y))
    assert (among.temperature, among.quantile) == (alone.temperature, alone.quantile)


def test_genotypes_are_a_kind_of_alleles_alone():
    kind = get_kind("genotypes")
    samples = pd.DataFrame({"label": ["0/0", "0/1"], "variant.found": [True, True]})
    assert kind.fits(samples)
    assert not kind.fits(samples.drop(columns="variant.found"))
    assert kind.outputs(samples, None) == ["0/0", "0/1", "1/1"]


def images(n: int = 30, seed: int = 0) -> Images:
    """Random images of 0 to 12 reads."""
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(n):
        rows = rng.integers(0, 40, (1 + rng.integers(0, 13), WIDTH), dtype=np.uint8)
        rows[:, :SPAN] = rng.integers(0, 6, (len(rows), SPAN))
        rows[:, 3 * SPAN] = rng.integers(60, 200, len(rows))
        pictures.append(rows.tobytes())
    logs = np.log(rng.dirichlet([1, 1, 1], n))
    table = rng.normal(size=(n, 4)).astype(np.float32)
    return Images(table, *rows_of(pictures), logs.astype(np.float32))


def test_images_keep_their_rows_when_chosen_and_in_files():
    X = images()
    assert shape_of(X) == "images"
    assert vectors(X) is X.table
    chosen = X[np.array([5, 0, 5])]
    for place, row in enumerate((5, 0, 5)):
        mine, theirs = (
            x.rows[x.offsets[i] : x.offsets[i + 1]] for x, i in ((chosen, place), (X, row))
        )
        assert np.array_equal(mine, theirs)
    again = from_arrays(to_arrays(X))
    for name in ("table", "rows", "offsets", "prior"):
        assert np.array_equal(getattr(again, name), getattr(X, name))


def untrained(n_features: int = 4):
    model = get_model("pileup_cnn")(output="classes", n_outputs=3, seed=1)
    model.n_features, model.network = n_features, model.build(n_features)
    return model


def test_an_untrained_network_says_what_the_prior_says():
    X = images()
    prior = np.exp(np.maximum(X.prior, -6.0))
    expected = prior / prior.sum(axis=1, keepdims=True)
    assert np.allclose(untrained().outputs(X), expected, atol=1e-5)


def test_what_can_never_be_stays_so():
    X = images(1)
    never = Images(X.table, X.rows, X.offsets, np.array([[0, NEVER, NEVER]], np.float32))
    assert untrained().outputs(never)[0, 0] > 1 - 1e-9
    model = untrained()
    model.network.trust.data.fill_(0.3)
    assert model.outputs(never)[0, 0] > 1 - 1e-9


def test_the_order_of_reads_is_nothing_and_a_site_needs_none():
    import torch

    X = images(6)
    model = untrained()
    torch.nn.init.normal_(model.network.answer.weight)
    rng = np.random.default_rng(0)
    rows = X.rows.copy()
    for first, last in zip(X.offsets[:-1], X.offsets[1:], strict=True):
        rows[first + 1 : last] = rng.permutation(rows[first + 1 : last])
    turned = Images(X.table, rows, X.offsets, X.prior)
    assert np.allclose(model.outputs(X), model.outputs(turned), atol=1e-5)
    empty = Images(X.table[:1], X.rows[:1], np.array([0, 1]), X.prior[:1])
    assert np.isfinite(model.outputs(empty)).all()
    alone = np.concatenate([model.outputs(X[np.array([i])]) for i in range(len(X))])
    assert np.allclose(alone, model.outputs(X), atol=1e-5)


@pytest.mark.slow
def test_a_network_learns_what_the_prior_does_not_know():
    X = images(400, seed=2)
    y = (X.table[:, 0] > 0).astype(int)
    rows, valid = np.arange(300), np.arange(300, 400)
    options = {"epochs": 15, "patience": 15, "batch_size": 32, "learning_rate": 4e-3}
    model = get_model("pileup_cnn")(output="classes", n_outputs=3, seed=1, **options)
    model.fit(X[rows], y[rows], X[valid], y[valid])
    assert (model.predict_proba(X[valid]).argmax(axis=1) == y[valid]).mean() > 0.85


def test_a_filter_calls_what_has_the_quality():
    prior = np.log(np.array([[0.005, 0.99, 0.005], [0.05, 0.9, 0.05], [0.9, 0.05, 0.05]]))
    X = images(3)
    X = Images(X.table, X.rows, X.offsets, prior.astype(np.float32))
    model = get_model("posterior")(output="classes", n_outputs=3, seed=1, quality=20.0)
    assert model.outputs(X).argmax(axis=1).tolist() == [1, 0, 0]
    assert np.allclose(
        get_model("posterior")(output="classes", n_outputs=3, seed=1).outputs(X),
        np.exp(prior),
        atol=1e-6,
    )


def test_nearness_in_the_genome_is_that_of_the_nearest_on_its_contig():
    rng = np.random.default_rng(0)
    samples = pd.DataFrame(
        {
            "variant.chrom": rng.choice(["a", "b", "c"], 60, p=[0.5, 0.4, 0.1]),
            "variant.pos": rng.integers(1, 5000, 60),
        }
    )
    measure = get_measure("region")
    queries, targets = np.arange(20), np.flatnonzero(samples["variant.chrom"] != "c")
    targets = targets[targets >= 20]
    likeness, nearest = measure.compare(samples, None, False)(queries, targets)
    for query, found, at in zip(queries, likeness, nearest, strict=True):
        contig, position = samples.iloc[query]
        mine = samples.iloc[targets]
        mine = mine[mine["variant.chrom"] == contig]
        if mine.empty:
            assert (found, at) == (0, -1)
            continue
        distance = (mine["variant.pos"] - position).abs().min()
        assert found == pytest.approx(1 / (1 + distance / 1000))
        assert abs(samples["variant.pos"].iloc[targets[at]] - position) == distance


def test_parts_of_the_test_rows_are_scored_by_themselves():
    """By depth, repeat and quality; each row lies in one part of a way, and a part may be empty."""
    y, call, p = toy()
    zeros, rng = np.zeros(len(y), int), np.random.default_rng(3)
    facts = {
        "indel": rng.random(len(y)) < 0.2,
        "found": rng.random(len(y)) < 0.9,
        "depth": rng.integers(0, 30, len(y)),
        "repeat": rng.integers(0, 4, len(y)),
    }
    rows = HeldOut(0, zeros, np.arange(len(y)), np.arange(len(y)), y, call, p)
    rows = replace(rows, facts=facts)
    kind = get_kind("genotypes")
    parts = kind.strata(rows)
    for way in ("depth", "letters repeated"):
        assert sum(mask for name, (mask, _) in parts.items() if name.startswith(way)).tolist() == [
            1
        ] * len(y)
    draws = np.ones((len(y), 2), int)
    table = strata(TestSet({"model": [rows]}, list("abc"), len(y)), kind.strata, kind, draws)
    table = table.set_index(["class", "metric"])
    assert "depth 30 and more" not in table.index.get_level_values(0)
    few = (facts["depth"] >= 5) & (facts["depth"] < 10) & (y > 0)
    recall = (call[few] == y[few]).mean()
    assert table.loc[("depth 5 to 9", "recall"), "value"] == pytest.approx(recall)
    quality = -10 * np.log10(1 - p[np.arange(len(y)), call])
    sure = (call > 0) & (quality >= 10) & (quality < 20)
    precision = (call[sure] == y[sure]).mean()
    assert table.loc[("GQ 10 to 19", "precision"), "value"] == pytest.approx(precision)
    assert ("GQ 10 to 19", "recall") not in table.index
