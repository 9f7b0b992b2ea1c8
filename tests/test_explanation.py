"""In-silico mutagenesis: of the task's letters, and of what predictions say."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.arrays import Ragged, cells
from bioloom.embedders import AMINO_ACIDS
from bioloom.embedders.read_evidence import NAMES, PROPOSED
from bioloom.explanation.budget import ANSWERS, affordable_shuffles, affordable_window
from bioloom.explanation.explain import explain
from bioloom.explanation.mutagenesis import alphabet_of, mask_residues, mutate
from bioloom.explanation.permutation import permute
from bioloom.features import Features, engine
from bioloom.features.extract import extract_features
from bioloom.fitted import Fitted
from bioloom.fitted.preprocess import Preprocess
from bioloom.kinds import Calibration, get_kind
from bioloom.models import get_model
from bioloom.training.train import train_task
from tests.toys import partition, patients

PROTEINS = get_application("protein_function")
PROMOTERS = get_application("gene_expression")

PARTS = {"table": {"embedder": "table"}}


def evidence(n: int = 4, length: int = 30) -> tuple[pd.DataFrame, Features]:
    """Reads of which each letter is as proposed, and else nothing is known."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, n * length)
    values = rng.random((n * length, len(NAMES))).astype(np.float32)
    values[:, PROPOSED] = np.eye(4)[truth]
    texts = ["".join("ACGT"[c] for c in read) for read in truth.reshape(n, length)]
    ids = np.array([f"1:{i}" for i in range(n)])
    samples = pd.DataFrame({"sample_id": ids, "sequence": texts, "label.residues": texts})
    return samples, Features(ids, Ragged(values, np.arange(n + 1) * length), np.array(NAMES), "")


def test_columns_of_tokens_are_shuffled_over_all_tokens():
    samples, features = evidence()
    kind, outputs = get_kind("letters"), list("ACGT")
    model = get_model("spectrum")(output="classes", n_outputs=4, seed=1, unit="residue")
    preprocess = Preprocess.fit(features.X, np.empty(0), {})
    fitted = Fitted(kind, "spectrum", {}, model, preprocess, None, outputs, Calibration())
    parts = {"read_evidence": {"embedder": "read_evidence"}}
    found = permute(samples, features, fitted, 2, 1, parts).set_index("feature")["importance"]
    assert found.idxmax() == "proposed"
    assert found["proposed"] > 1
    assert (found.drop("proposed") == 0).all()


@dataclass
class Known(Fitted):
    """A model whose features are its scores."""

    def scores(self, X):  # noqa: D102
        return X.values if isinstance(X, Ragged) else X


def known(kind, outputs, threshold=None):
    calibration = Calibration(threshold=threshold)
    return Known(get_kind(kind), "known", {}, None, None, None, outputs, calibration)


def alanines(sequences):
    """The positive class is as likely as alanine is frequent, at most 0.45."""
    positive = np.array([0.45 * s.count("A") / len(s) for s in sequences])
    return np.column_stack([1 - positive, positive])


@pytest.mark.slow
@pytest.mark.parametrize("model", ["gradient_boosting", "logistic_regression"])
def test_a_category_is_shuffled_as_one_and_found(model):
    samples, features = patients(200)
    options = {"application": "disease_diagnosis", "model": {"name": model}}
    _, fitted, _ = train_task(samples, partition(samples), {"features": features}, options, 1, [])
    found = permute(samples[95:], features, fitted, repeats=3, seed=1, parts=PARTS).set_index(
        "feature"
    )
    assert sorted(found.index) == ["age", "marker", "site"]
    assert found.loc["site", "low"] > 0.05
    if model == "gradient_boosting":  # only this one sees what is missing
        assert found.loc["marker", "low"] > 0.05
    pd.testing.assert_frame_equal(
        permute(samples[95:], features, fitted, repeats=3, seed=1, parts=PARTS).set_index(
            "feature"
        ),
        found,
    )


@pytest.mark.parametrize(
    ("embedder", "application", "sequences", "alphabet"),
    [
        ({"embedder": "unirep"}, PROTEINS, ["GATTACA"], "protein"),
        ({"embedder": "kmer"}, PROMOTERS, ["GATTACA"], "dna"),
        ({"embedder": "kmer", "alphabet": "protein"}, PROMOTERS, ["GATTACA"], "protein"),
        ({"embedder": "kmer", "alphabet": "dna"}, PROTEINS, ["GATTACA"], "dna"),
        ({"embedder": "unirep"}, replace(PROTEINS, alphabet=None), ["GATTACA"], "dna"),
        ({"embedder": "unirep"}, replace(PROTEINS, alphabet=None), ["MKV"], "protein"),
    ],
)
def test_the_task_says_of_which_letters_sequences_are(embedder, application, sequences, alphabet):
    assert alphabet_of(embedder, application, sequences) == alphabet


def test_a_peptide_of_four_letters_is_no_dna():
    samples = pd.DataFrame({"sample_id": ["p"], "sequence": ["GATTACA"]})
    fitted = known("binary", ["no", "yes"], threshold=0.1)
    X = alanines(samples["sequence"])
    found = mutate(samples, X, fitted, alanines, "protein", 1, 1)
    assert len(found) == 7 * 19
    assert set(found["feature"]) == set(AMINO_ACIDS)
    masked = mutate(samples, X, fitted, alanines, "protein", 1, 3)
    assert masked["feature"].tolist() == ["X"] * 3
    assert masked["reference"].tolist() == ["GAT", "TAC", "A"]
    assert mutate(samples, X, fitted, alanines, "dna", 1, 3)["feature"].tolist() == ["N"] * 3


def test_the_class_is_that_of_the_predictions():
    """Called positive from 0.3 on, though the other class is always the likelier one."""
    samples = pd.DataFrame({"sample_id": ["many", "few"], "sequence": ["AAAG", "AGGG"]})
    fitted = known("binary", ["no", "yes"], threshold=0.3)
    X = alanines(samples["sequence"])
    found = mutate(samples, X, fitted, alanines, "protein", 2, 1)
    said = found.drop_duplicates("item").set_index("item")["predicted"]
    expected = np.array(fitted.outputs)[fitted.kind.decide(X, fitted.calibration)]
    assert said.to_dict() == dict(zip(samples["sample_id"], expected, strict=True))
    many = found[found["item"] == "many"]
    assert (many.loc[many["position"] < 3, "importance"] > 0).all()  # each alanine speaks for it
    few = found[(found["item"] == "few") & (found["position"] == 0)]
    assert (few["importance"] < 0).all()  # against "no"


def test_a_chain_is_mostly_of_its_commonest_class():
    """Two residues are just H, one is surely C: the mean probability would say C."""
    samples = pd.DataFrame({"sample_id": ["p"], "sequence": ["MKV"]})
    scores = np.array([[0.45, 0.55], [0.45, 0.55], [1, 0]])
    X = Ragged(scores, np.array([0, 3]))
    fitted = known("residues", ["C", "H"])
    found = mask_residues(
        samples, X, fitted, lambda texts: np.tile(scores, (len(texts), 1)), "protein", 1, 2
    )
    assert found["predicted"].unique().tolist() == ["mostly H"]
    assert found["importance"].tolist() == [0, 0]


def test_known_sequences_are_not_embedded_again(monkeypatch):
    """Mutants of short sequences also fit a model of positions that knows longer ones."""
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACDEFGHIK"), rng.integers(4, 9))) for _ in range(60)]
    samples = pd.DataFrame({"sample_id": [f"p{i}" for i in range(60)], "sequence": sequences})
    samples["group"] = samples["sample_id"]
    samples["label"] = np.where(samples["sequence"].str[0] < "E", "early", "late")
    split = np.repeat(["train", "valid", "test"], 20)
    splits = pd.DataFrame({"sample_id": samples["sample_id"], "unit": range(60), "split": split})
    splits = splits.assign(repeat=0, fold=0)
    section = {"embedder": "one_hot", "pooling": "positions"}
    features = extract_features(samples, PROTEINS, section)[0]
    options = {"application": "protein_function", "model": {"name": "logistic_regression"}}
    _, fitted, _ = train_task(samples, splits, {"features": features}, options, 1, [])
    embedded, embed = [], engine.embed
    monkeypatch.setattr(
        engine, "embed", lambda texts, *rest, **more: embedded.extend(texts) or embed(texts, *rest)
    )
    settings = {"embedder": section, "weights": None, "seed": 1}
    found = explain(samples, splits, features, fitted, PROTEINS, {"items": 3}, **settings)
    chosen = samples.set_index("sample_id").loc[found["item"].unique(), "sequence"]
    assert len(embedded) == len(found) == 19 * chosen.str.len().sum()
    assert found.groupby("position")["importance"].max().idxmax() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        {"name": "dnn"},
        {"name": "svm"},
        {"name": "svm", "kernel": "linear"},
        {"name": "logistic_regression"},
        {"name": "gradient_boosting"},
        {"name": "ensemble", "of": [{"name": "dnn"}, {"name": "kernel"}, {"name": "svm"}]},
        {"name": "linear"},
        {"name": "residual_dnn"},
        {"name": "ensemble", "weighed_on": "left_out", "of": [{"name": "linear"}, {"name": "svm"}]},
    ],
    ids=lambda model: "-".join(map(str, list(model.values())[:2])),
)
def test_what_a_model_answers_to_altered_columns_is_what_it_answers_to_altered_rows(model):
    samples, features = patients(80)
    options = {"application": "disease_diagnosis", "model": model}
    _, fitted, _ = train_task(
        samples, partition(samples, 50, 20), {"features": features}, options, 1, []
    )
    X = fitted.preprocess.transform(features.rows(samples["sample_id"]))
    values, rng = cells(X), np.random.default_rng(2)
    columns = np.array([0, 2])
    others = np.stack([rng.permutation(values)[:, columns] for _ in range(11)])
    before = values.copy()
    found = fitted.model.altered(X)(columns, others)
    assert np.array_equal(values, before, equal_nan=True)
    for other, said in zip(others, found, strict=True):
        values[:, columns] = other
        np.testing.assert_allclose(said, fitted.raw(X), rtol=0, atol=1e-5)


def test_a_small_budget_shuffles_less_often_and_then_fewer_rows(capsys):
    assert affordable_shuffles(1, rows=100, columns=10, repeats=5) == (1.0, 5)
    assert capsys.readouterr().err == ""
    assert affordable_shuffles(1, rows=1_000, columns=20, repeats=5) == (1.0, 2)
    assert "shuffled 2 in place of 5 times" in capsys.readouterr().err
    assert affordable_shuffles(1, rows=10_000, columns=10, repeats=5) == (0.5, 1)
    assert "on 50% of the rows" in capsys.readouterr().err
    assert affordable_shuffles(1e-6, rows=1_000, columns=10, repeats=5) == (0.2, 1)


def test_a_small_budget_widens_the_window_and_then_leaves_sequences_out(capsys):
    def letters(lengths, window):
        return sum(-(-n // window) * n * (19 if window == 1 else 1) for n in lengths)

    assert affordable_window(letters([30, 20], 1), [30, 20], 1, 19) == (2, 1)
    assert capsys.readouterr().err == ""
    items, window = affordable_window(2_000, [200, 150], 1, 19)
    assert items == 1
    assert letters([200], window) == 2_000  # ten windows, the least that is done
    assert affordable_window(letters([30, 20], 2), [30, 20], 1, 19) == (2, 2)
    assert "by windows of 2 in place of 1" in capsys.readouterr().err


def explained(budget: float, repeats: int = 4) -> pd.DataFrame:
    samples, features = patients(200)
    options = {"application": "disease_diagnosis", "model": {"name": "logistic_regression"}}
    _, fitted, _ = train_task(samples, partition(samples), {"features": features}, options, 1, [])
    settings = {"embedder": {"embedder": "table"}, "weights": None, "seed": 1}
    application, options = get_application("disease_diagnosis"), {"budget": budget}
    options |= {"repeats": repeats}
    splits = partition(samples)
    return explain(samples, splits, features, fitted, application, options, **settings)


def test_what_a_budget_leaves_is_the_explanation_of_fewer_shuffles():
    rows = int((partition(patients(200)[0])["split"] == "valid").sum())
    enough = explained(rows * 3 * 2 / ANSWERS)  # three columns, twice
    pd.testing.assert_frame_equal(enough, explained(60, repeats=2))


def test_without_a_budget_nothing_is_explained():
    found = explained(0)
    assert found.empty
    assert list(found.columns) == list(explained(60).columns)


def test_a_column_of_too_many_categories_for_a_model_is_explained_dissolved():
    samples, features = patients(120, sites=[f"ward {n}" for n in range(40)])
    options = {"application": "disease_diagnosis", "model": {"name": "gradient_boosting"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(get_model("gradient_boosting"), "most_categories", 20)
        splits = {"features": features}
        _, fitted, _ = train_task(samples, partition(samples), splits, options, 1, [])
    X = fitted.preprocess.transform(features.rows(samples["sample_id"]))
    assert isinstance(X, np.ndarray)
    column = np.array([0])
    [said] = fitted.model.altered(X)(column, X[None, ::-1, column].copy())
    assert not np.array_equal(said, fitted.raw(X))
