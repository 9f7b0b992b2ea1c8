"""Fine-tuning: it learns from train rows alone, repeats, and leaves a folder that embeds."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.embedders import AMINO_ACIDS
from bioloom.errors import DataError
from bioloom.features.engine import embed
from bioloom.files import read_json
from bioloom.finetuning import finetune
from bioloom.pipeline.check import task_mistakes
from tests.tiny_models import configs, protein_bert

pytestmark = pytest.mark.slow

OPTIONS = {"rank": 4, "epochs": 3, "learning_rate": 0.01}
PARTS = ["train", "train", "train", "valid", "test"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    import torch

    torch.manual_seed(0)
    return protein_bert(tmp_path_factory.mktemp("finetuning"), configs()["bert"])


def table(n=100, seed=0):
    """Proteins with either much K or much E, and which of the two as the label."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(["basic", "acidic"], n)
    letters = {"basic": list(AMINO_ACIDS + "K" * 10), "acidic": list(AMINO_ACIDS + "E" * 10)}
    sequences = ["".join(rng.choice(letters[label], 20)) for label in labels]
    ids = [f"p{i:03d}" for i in range(n)]
    return pd.DataFrame({"sample_id": ids, "sequence": sequences, "label": labels})


def partition(samples):
    parts = [PARTS[i % len(PARTS)] for i in range(len(samples))]
    columns = {"sample_id": samples["sample_id"], "repeat": 0, "fold": 0, "split": parts}
    return pd.DataFrame(columns)


def tune(samples, splits, model, folder, application="protein_function", **options):
    return finetune(
        samples,
        splits,
        get_application(application),
        {"embedder": "huggingface", "model": str(model)},
        OPTIONS | options,
        folder,
        weights=None,
        seed=1,
        task="charge",
    )


def vectors(sequences, model):
    return embedding(sequences, model).X


def embedding(sequences, model):
    return embed(sequences, {"embedder": "huggingface", "model": str(model), "dtype": "float32"})


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def tuned(bert, tmp_path_factory):
    samples, folder = table(), tmp_path_factory.mktemp("tuned") / "finetuned"
    return folder, tune(samples, partition(samples), bert, folder)


def test_it_learns_and_leaves_a_folder_that_embeds(tuned, bert):
    folder, record = tuned
    losses = [epoch["valid_loss"] for epoch in record["losses"]]
    assert min(losses) < 0.9 * np.log(2)  # of a coin
    assert losses[record["best_epoch"] - 1] == min(losses)
    assert record["rows"] == {"train": 60, "valid": 20}
    assert read_json(folder / "finetuning.json") == json.loads(json.dumps(record))
    sequences = table()["sequence"].tolist()
    after, before = vectors(sequences, folder), vectors(sequences, bert)
    assert after.shape == before.shape
    assert abs(after - before).max() > 0.01
    told = [embedding(["MKT"], model).info.get("finetuned") for model in (folder, bert)]
    assert told == [True, None]


def test_rows_of_the_test_split_change_nothing(tuned, bert, tmp_path):
    samples = table()
    chosen = partition(samples)["split"] == "test"
    samples.loc[chosen, "label"] = "other"
    samples.loc[chosen, "sequence"] = "WWWW"
    tune(samples, partition(samples), bert, tmp_path / "other")
    assert weights(tmp_path / "other") == weights(tuned[0])


def test_valid_rows_choose_the_epoch_and_no_more(bert, tmp_path):
    samples = table()
    first = tune(samples, partition(samples), bert, tmp_path / "one", patience=9)
    flipped = partition(samples)["split"] == "valid"
    other = {"basic": "acidic", "acidic": "basic"}
    samples.loc[flipped, "label"] = samples.loc[flipped, "label"].map(other)
    second = tune(samples, partition(samples), bert, tmp_path / "two", patience=9)
    losses = ([epoch["train_loss"] for epoch in record["losses"]] for record in (first, second))
    assert next(losses) == next(losses)


def test_packs_of_any_size_give_the_same_gradients(tuned, bert, tmp_path):
    samples = table()
    small = tune(samples, partition(samples), bert, tmp_path / "s", batch_tokens=64, dropout=0.0)
    large = tune(samples, partition(samples), bert, tmp_path / "l", dropout=0.0)
    for one, other in zip(small["losses"][:1], large["losses"][:1], strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=0.05)


@pytest.mark.parametrize("family", ["esm", "modernbert", "distilbert", "t5"])
def test_other_families(family, tmp_path):
    model = protein_bert(tmp_path / family, configs()[family])
    samples = table(20)
    tune(samples, partition(samples), model, tmp_path / "tuned", epochs=1)
    assert np.isfinite(vectors(["MKTAYIAK"], tmp_path / "tuned")).all()


def test_several_values_with_gaps_and_windows(bert, tmp_path):
    samples = table(40).drop(columns="label")
    samples["label.a"] = samples["sequence"].str.count("K").astype(float)
    samples["label.b"] = np.where(np.arange(40) % 2, np.nan, 1.0)
    splits = partition(samples)
    application = replace(get_application("gene_expression"), kinds=("targets",))
    section = {"embedder": "huggingface", "model": str(bert), "max_length": 12, "overlap": 4}
    record = finetune(
        samples.assign(sequence="ACGT" * 5),
        splits,
        application,
        section | {"alphabet": "dna"},
        OPTIONS,
        tmp_path / "tuned",
        weights=None,
        seed=1,
        task="values",
    )
    assert record["kind"] == "targets"
    assert np.isfinite([epoch["valid_loss"] for epoch in record["losses"]]).all()


def test_several_labels_with_gaps(bert, tmp_path):
    samples = table()
    labels = {
        "basic": samples["label"] == "basic",
        "lysine": samples["sequence"].str.count("K") > 3,
    }
    for name, label in labels.items():
        samples[f"label.{name}"] = label.astype("boolean").mask(samples.index % 7 == 0)
    samples = samples.drop(columns="label")
    record = tune(samples, partition(samples), bert, tmp_path / "tuned")
    losses = [epoch["valid_loss"] for epoch in record["losses"]]
    assert record["kind"] == "multilabel"
    assert min(losses) < 0.6  # a coin has 0.69


def test_a_failed_run_leaves_what_was_there(bert, tmp_path):
    samples, folder = table(20), tmp_path / "tuned"
    tune(samples, partition(samples), bert, folder, epochs=1)
    kept = weights(folder)
    with pytest.raises(DataError, match="diverged"):
        tune(samples, partition(samples), bert, folder, learning_rate=1e30)
    assert weights(folder) == kept
    assert [path.name for path in tmp_path.iterdir()] == ["tuned"]


def test_several_partitions_are_refused(bert, tmp_path):
    samples = table(20)
    folds = pd.concat([partition(samples), partition(samples).assign(fold=1)])
    with pytest.raises(DataError, match="a network for each fold"):
        tune(samples, folds, bert, tmp_path / "tuned")


# The workflow --------------------------------------------------------------------------------


def task(model="models/bert"):
    columns = {"id": "sample_id", "label": "label"}
    return {
        "application": "protein_function",
        "datasets": {
            "training": {"sequences": "data/proteins.csv", "columns": columns},
            "new": {"sequences": "data/new.csv", "columns": {"id": "sample_id"}},
        },
        "split": {"method": "holdout", "test": 0.2, "valid": 0.2},
        "leakage": {"limit": None},
        "features": {
            "embedder": "huggingface",
            "model": model,
            "finetune": {"method": "lora", "epochs": 1},
        },
        "model": {"name": "logistic_regression"},
        "evaluate": {"primary": "auroc", "resamples": 100},
    }


@pytest.mark.long
def test_a_project_has_the_frozen_run_beside_it(project, bert):
    shutil.copytree(bert, project.path("models/bert"))
    table().to_csv(project.path("data/proteins.csv"), index=False)
    table(5, seed=3).drop(columns="label").to_csv(project.path("data/new.csv"), index=False)
    project.configure(**{"tasks.charge": task()})
    assert "finetune charge" in project.planned()
    project.snakemake()
    assert "frozen" in read_json(project.path("results/charge/metrics.json"))["baselines"]
    assert len(pd.read_parquet(project.path("results/charge/new/predictions.parquet"))) == 5
    assert project.planned() == set()
    project.configure(**{"tasks.charge.features.finetune.epochs": 2})
    planned = project.planned()
    assert {"finetune charge", "extract_features charge training features"} <= planned
    assert "extract_features charge training features.frozen" not in planned


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t["features"].update(finetune="lorra"), "lora"),
        (lambda t: t["features"].update(finetune={"method": "lora", "rnk": 2}), "rank"),
        (lambda t: t["features"].update(finetune="lora", embedder="kmer"), "cannot be fine-tuned"),
        (lambda t: t.update(split={"method": "cross_validation"}), "a network for each fold"),
        (
            lambda t: t.update(baselines={"other": {"features": dict(t["features"])}}),
            "only the features of the task itself",
        ),
        (
            lambda t: t.update(baselines={"frozen": {"model": {"name": "svm"}}}),
            "`frozen` is the name of the run without",
        ),
        (lambda t: t["model"].update(search={"C": [1, 2]}), "the search of model would score"),
    ],
)
def test_a_mistake_in_the_config_is_named(change, expected, bert, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name in ("proteins", "new"):
        (tmp_path / f"data/{name}.csv").write_text("sample_id,sequence,label\n")
    section = task(str(bert))
    change(section)
    section["features"].pop("model") if section["features"]["embedder"] == "kmer" else None
    assert re.search(expected, "\n".join(task_mistakes("charge", section)))
