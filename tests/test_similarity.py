"""Alignments, clusters and distances against plain oracles that share no code with them."""

import os
import subprocess
import sys
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.errors import DataError
from bioloom.formats.dna import reverse_complement
from bioloom.similarity import get_measure
from bioloom.similarity.alignment import DNA, PROTEIN, count_identities, scoring_for
from bioloom.similarity.sequence import identities, nearest_sequences, sequence_clusters
from bioloom.similarity.table import nearest_rows
from bioloom.similarity.variants import nearest_variants
from bioloom.splits.leakage import audit
from bioloom.splits.split import split_samples

RESIDUES = "ARNDCQEGHILKMFPSTWYV"
sequences = st.text(RESIDUES[:6] + "X", min_size=1, max_size=14)


def oracle(a: str, b: str, scoring) -> int:
    """Identities of the best local alignment by Smith and Waterman 1981: any gap, any length."""

    def pair(x, y):
        if x not in scoring.letters or y not in scoring.letters:
            return (-1, 0)
        return (
            int(scoring.matrix[scoring.letters.index(x), scoring.letters.index(y)]),
            int(x == y),
        )

    def gap(length):
        return scoring.gap_open + (length - 1) * scoring.gap_extend

    best = np.full((len(a) + 1, len(b) + 1), None)
    for i in range(len(a) + 1):
        for j in range(len(b) + 1):
            options = [(0, 0)]
            if i and j:
                score, same = pair(a[i - 1], b[j - 1])
                before = best[i - 1, j - 1]
                options.append((before[0] + score, before[1] + same))
            options += [(best[i - k, j][0] - gap(k), best[i - k, j][1]) for k in range(1, i + 1)]
            options += [(best[i, j - k][0] - gap(k), best[i, j - k][1]) for k in range(1, j + 1)]
            best[i, j] = max(options)
    return max(best.ravel())[1]


def identity(a: str, b: str, scoring=PROTEIN) -> float:
    return oracle(a, b, scoring) / min(len(a), len(b))


def aligned(items, scoring):
    i, j = np.array(list(combinations(range(len(items)), 2))).T
    codes, offsets = scoring.encode(items)
    return i, j, count_identities(codes, offsets, i, j, scoring)


@settings(max_examples=40, deadline=None)
@given(st.lists(sequences, min_size=2, max_size=6))
def test_alignment_is_smith_waterman(items):
    for i, j, found in zip(*aligned(items, PROTEIN), strict=True):
        assert found == oracle(items[i], items[j], PROTEIN)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text("ACGT", min_size=1, max_size=16), min_size=2, max_size=5))
def test_alignment_of_dna_is_smith_waterman(items):
    for i, j, found in zip(*aligned(items, DNA), strict=True):
        assert found == oracle(items[i], items[j], DNA)


def test_alignment_opens_gaps_where_they_pay():
    left, right = "WWHHWWCCHWW", "MMWWCCMHWCW"
    codes, offsets = PROTEIN.encode([left + right, left + "AAA" + right])
    found = count_identities(codes, offsets, np.array([0]), np.array([1]), PROTEIN)
    assert found.tolist() == [22]


@pytest.mark.slow
def test_more_pairs_than_lanes_of_mixed_lengths():
    rng = np.random.default_rng(1)
    items = ["".join(rng.choice(list(RESIDUES), size)) for size in [*range(1, 38), 90]]
    i, j, found = aligned(items, PROTEIN)
    for k in rng.choice(len(i), 40, replace=False):
        assert found[k] == oracle(items[i[k]], items[j[k]], PROTEIN)
    codes, offsets = PROTEIN.encode(items)
    assert (count_identities(codes, offsets, j, i, PROTEIN) == found).all()


def test_sequences_too_long_for_the_arithmetic_are_refused():
    codes, offsets = PROTEIN.encode(["A" * 12000, "A" * 12000])
    with pytest.raises(DataError, match="too long to align"):
        count_identities(codes, offsets, np.array([0]), np.array([1]), PROTEIN)


@pytest.mark.parametrize(
    ("items", "expected"),
    [(["acgt", "NNU"], DNA), (["ACGTE"], PROTEIN), ([], DNA)],
)
def test_dna_is_told_from_protein(items, expected):
    assert scoring_for(items) is expected


def test_case_and_spelling_do_not_matter():
    similarity, index = nearest_sequences(["mkuwly"], ["AAAA", "MKCWLY"])
    assert (similarity[0], index[0]) == (1.0, 1)


families = st.lists(st.text("ACDE", min_size=3, max_size=12), min_size=1, max_size=14)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(families, st.sampled_from([0.4, 0.5, 0.75, 1.0]))
def test_clusters_are_the_components_of_the_identity_graph(items, threshold):
    labels = list(range(len(items)))
    for i, j in combinations(range(len(items)), 2):
        if items[i] == items[j] or identity(items[i], items[j], scoring_for(items)) >= threshold:
            labels = [labels[i] if label == labels[j] else label for label in labels]
    found = sequence_clusters(items, threshold)
    assert len(set(zip(labels, found, strict=True))) == len(set(labels)) == len(set(found))


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(families, families)
def test_nearest_is_the_first_most_identical(queries, targets):
    scoring = scoring_for([*queries, *targets])
    similarity, index = nearest_sequences(queries, targets)
    for query, value, nearest in zip(queries, similarity, index, strict=True):
        expected = [identity(query, target, scoring) for target in targets]
        assert value == max(expected)
        assert nearest == (expected.index(max(expected)) if max(expected) else -1)


def mutate(sequence, share, rng):
    letters = np.array(list(sequence))
    where = rng.random(len(letters)) < share
    letters[where] = rng.choice(list(RESIDUES), where.sum())
    return "".join(letters)


def test_long_relatives_are_found_through_seeds():
    rng = np.random.default_rng(2)
    founders = ["".join(rng.choice(list(RESIDUES), 250)) for _ in range(30)]
    relatives = [mutate(f[20:] + f[:5], 0.5, rng) for f in founders]
    similarity, index = nearest_sequences(relatives, founders)
    assert (index == np.arange(30)).all()
    assert (similarity > 0.4).all()
    clusters = sequence_clusters(founders + relatives, 0.35)
    assert (clusters[:30] == clusters[30:]).all()
    assert len(set(clusters)) == 30


def test_blocks_of_pairs_change_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    items = ["".join(rng.choice(list("ACDE"), rng.integers(5, 20))) for _ in range(40)]
    whole = sequence_clusters(items, 0.7), *nearest_sequences(items[:9], items[9:])
    monkeypatch.setattr("bioloom.similarity.sequence.BLOCK", 100)
    parts = sequence_clusters(items, 0.7), *nearest_sequences(items[:9], items[9:])
    for one, other in zip(whole, parts, strict=True):
        assert (one == other).all()


def test_no_sequences_and_empty_sequences():
    assert sequence_clusters([], 0.4).tolist() == []
    assert nearest_sequences(["ACD"], [])[1].tolist() == [-1]
    assert nearest_sequences([], ["ACD"])[0].tolist() == []
    with pytest.raises(DataError, match="empty sequence"):
        sequence_clusters(["ACD", ""], 0.4)


values = st.floats(-10, 10).map(lambda v: round(v, 2)) | st.just(float("nan"))


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 4))
def test_nearest_row_is_the_smallest_root_mean_square(data, columns):
    row = st.lists(values, min_size=columns, max_size=columns)
    targets = np.array(data.draw(st.lists(row, min_size=1, max_size=8)))
    queries = np.array(data.draw(st.lists(row, min_size=1, max_size=8)))
    scale = []
    for column in targets.T:
        known = column[~np.isnan(column)]
        spread = 1.4826 * np.median(np.abs(known - np.median(known))) if len(known) else 0
        scale.append(spread or (np.ptp(known) if len(known) else 0) or 1)
    distance, index = nearest_rows(queries, targets)
    for query, found, nearest in zip(queries, distance, index, strict=True):
        square = ((query - targets) / scale) ** 2
        shared = (~np.isnan(square)).sum(axis=1)
        alone = (np.isnan(query) != np.isnan(targets)).sum(axis=1)
        with np.errstate(invalid="ignore"):
            mean = (np.nansum(square, axis=1) + alone) / (shared + alone)
            expected = np.where(shared > 0, np.sqrt(mean), np.inf)
        np.testing.assert_allclose(found, expected.min(), atol=1e-5)
        assert (nearest == -1) == np.isinf(found)
        if nearest >= 0:
            np.testing.assert_allclose(expected[nearest], expected.min(), atol=1e-5)


def test_duplicate_rows_are_at_no_distance_and_a_flag_counts_one():
    rng = np.random.default_rng(4)
    targets = np.column_stack([rng.normal(1e6, 1, 200), rng.random(200) < 0.02]).astype(float)
    targets[:3, 1] = [0, 1, np.nan]
    distance, index = nearest_rows(targets[:3], targets)
    assert (distance == 0).all()
    assert index[:2].tolist() == [0, 1]
    flipped = targets[:1] + [[0, 1]]
    assert nearest_rows(flipped, targets[:1].repeat(2, axis=0))[0] == pytest.approx(np.sqrt(0.5))
    assert nearest_rows(targets[:2], targets[:0])[1].tolist() == [-1, -1]
    with pytest.raises(ValueError, match="columns"):
        nearest_rows(targets, targets[:, :1])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**16), st.integers(1, 12), st.integers(1, 30))
def test_the_nearest_variant_is_the_one_of_least_hamming_distance(seed, length, count):
    rng = np.random.default_rng(seed)
    queries, targets = (
        ["".join(row) for row in rng.choice(list("ACGTN"), (n, length))] for n in (9, count)
    )
    similarity, nearest = nearest_variants(queries, targets)
    for query, found, i in zip(queries, similarity, nearest, strict=True):
        equal = [sum(a == b for a, b in zip(query, t, strict=True)) for t in targets]
        assert found == pytest.approx(max(equal) / length)
        assert i == (int(np.argmax(equal)) if max(equal) else -1)


def test_folds_find_the_same_neighbours_from_pairs_that_are_aligned_once():
    rng = np.random.default_rng(0)
    letters = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    parents = ["".join(rng.choice(letters, length)) for length in (30, 60, 100, 200)]
    texts = []
    for parent in parents * 6:
        child = np.array(list(parent))
        changed = rng.random(len(child)) < 0.2
        child[changed] = rng.choice(letters, changed.sum())
        texts.append("".join(child))
    samples = pd.DataFrame({"sample_id": range(24), "sequence": [*texts[:23], texts[0]]})
    compare = get_measure("sequence").compare(samples, None, False)
    folds = np.arange(24) // 4 % 3
    for fold in (0, 1, 2):
        queries, targets = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        sides = [list(samples["sequence"].iloc[rows]) for rows in (queries, targets)]
        expected, found = nearest_sequences(*sides), compare(queries, targets)
        assert np.allclose(found[0], expected[0])
        assert np.array_equal(found[1], expected[1])


def test_a_pair_is_as_alike_in_every_fold_and_when_it_is_audited_again():
    """9 letters of 10 are no less than a limit of 0.9, whichever fold they are in."""
    letters = np.random.default_rng(17).choice(list("ACDEFGHIKLMNPQRSTVWY"), (15, 10))
    first = ["".join(row) for row in letters]
    texts = first + [text[:9] + ("W" if text[9] != "W" else "A") for text in first]
    samples = pd.DataFrame({"sample_id": range(30), "sequence": texts})
    one, other = np.arange(15), np.arange(15, 30)
    for _ in range(2):
        compare = get_measure("sequence").compare(samples, None, False)
        for queries, targets in ((one, other), (other, one), (one, other)):
            similarity, nearest = compare(queries, targets)
            assert (similarity == 9 / 10).all()
            assert nearest.tolist() == list(range(15))


@pytest.mark.slow
def test_an_alignment_leaves_torch_the_cores_that_it_was_given():
    code = (
        "from bioloom.similarity.sequence import identities\n"
        "import torch\n"
        "identities(['MKVLAAGH' * 5, 'MKVLAAGHW' * 5])\n"
        "print(torch.get_num_threads())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1"]


def dna(n: int, length: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice([*"ACGT"], length)) for _ in range(n)]


@pytest.mark.parametrize("length", [30, 120])
def test_of_dna_the_other_strand_is_as_near_and_of_proteins_it_is_none(length):
    texts = dna(8, length)
    turned = [reverse_complement(text) for text in texts]
    similarity, nearest = nearest_sequences(turned, texts)
    assert (similarity == 1).all()
    assert nearest.tolist() == list(range(8))
    assert (sequence_clusters([*texts, *turned], 0.9)[:8] == np.arange(8)).all()
    assert len(set(sequence_clusters([*texts, *turned], 0.9))) == 8
    matrix = identities([*texts, *turned])
    assert (np.diag(matrix[:8, 8:]) == 1).all()
    assert np.array_equal(matrix, matrix.T)
    proteins = [text.replace("T", "W") for text in texts]
    assert (nearest_sequences([text[::-1] for text in proteins], proteins)[0] < 1).all()


@pytest.mark.parametrize("shortest", [60, 40])
@pytest.mark.parametrize("method", ["auto", "column"])
def test_both_strands_of_an_element_stay_together_or_are_told(shortest, method):
    """Of equal lengths, and of unequal ones."""
    rng = np.random.default_rng(1)
    texts = [text[: rng.integers(shortest, 61)] for text in dna(60, 60, 2)]
    texts += [reverse_complement(text) for text in texts]
    ids = [f"e{i}" for i in range(120)]
    side = np.where(np.arange(120) < 60, "train", "test")
    label = rng.normal(size=120)
    samples = pd.DataFrame({"sample_id": ids, "group": ids, "sequence": texts, "label": label})
    samples["split"] = side
    said = {"method": method} | ({"column": "split"} if method == "column" else {})
    splits = split_samples(samples, said, 1)
    if method == "auto":
        unit = splits.drop_duplicates("sample_id").set_index("sample_id")["unit"][ids].to_numpy()
        assert (unit[:60] == unit[60:]).all()
        return
    measure = "variants" if shortest == 60 else "sequence"
    report, nearest = audit(samples, splits, {}, measure=measure)
    assert (nearest["similarity"] == 1).all()
    assert report["near_duplicates"] == 60


def test_of_one_length_a_changed_or_a_short_other_strand_is_found_and_chance_is_not():
    rng = np.random.default_rng(3)
    texts = dna(50, 40, 3)
    turned = []
    for text in texts:
        letters = [*reverse_complement(text)]
        for at in rng.choice(40, 5, replace=False):
            letters[at] = {"A": "C", "C": "G", "G": "T", "T": "A"}[letters[at]]
        turned.append("".join(letters))
    assert (both_strands(texts, turned) == 35 / 40).all()
    short = dna(20, 10, 4)
    assert (both_strands(short, [reverse_complement(text) for text in short]) == 1).all()
    unlike = dna(100, 12, 6)
    assert (
        both_strands(unlike[:50], unlike[50:]) == nearest_variants(unlike[50:], unlike[:50])[0]
    ).all()


def both_strands(train: list[str], test: list[str]) -> np.ndarray:
    """How near each of `test` is to what is nearest of `train`."""
    samples = pd.DataFrame({"sequence": [*train, *test]})
    compare = get_measure("variants").compare(samples, None, False)
    return compare(np.arange(len(train), len(samples)), np.arange(len(train)))[0]
