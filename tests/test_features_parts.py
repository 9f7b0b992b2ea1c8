"""A `features` section as a list: parts side by side, and free text that only its part reads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from bioloom.application import get_application
from bioloom.arrays import Ragged, shape_of, vectors
from bioloom.embedders import parts_of
from bioloom.evaluation.evaluate import evaluate
from bioloom.explanation.explain import explain
from bioloom.explanation.permutation import permute
from bioloom.features import align, features_file
from bioloom.features.engine import embed
from bioloom.features.extract import extract_features
from bioloom.features.parts import Made, block_of, side_by_side
from bioloom.fitted.signature import make_signature
from bioloom.kinds import get_kind
from bioloom.pipeline.check import task_mistakes
from bioloom.pipeline.code import code_hash
from bioloom.pipeline.defaults import with_defaults
from bioloom.pipeline.sections import weights_by_part
from bioloom.pipeline.tasks import Task
from bioloom.predictions.predict import predict
from bioloom.samples import feature_columns
from bioloom.samples.quality import quality
from bioloom.splits.leakage import audit
from bioloom.training.train import train_task
from tests.tiny_models import configs, protein_bert
from tests.tiny_project import ROOT, Project, patients
from tests.toys import partition, refused

CLINICAL = get_application("disease_diagnosis")
PROTEINS = get_application("protein_function")
SECRET = "zyxwvu"
WORDS = {"present": "tired and short of breath", "absent": "no complaint at all"}

KMERS = [{"embedder": "kmer", "k": 1}, {"embedder": "kmer", "k": 2}]


@pytest.fixture(scope="module")
def bert(made_once) -> str:
    """A folder with a tiny encoder whose tokens are lower-case letters."""
    return str(made_once("letters", lambda f: protein_bert(f, configs()["bert"], ascii_lowercase)))


def text_part(bert: str, **options: Any) -> dict[str, Any]:
    return {"embedder": "huggingface", "model": bert, "alphabet": "text", "input": "text.note"} | (
        options
    )


def noted(n: int = 120, labelled: bool = True, seed: int = 0) -> pd.DataFrame:
    """Patients whose note tells the diagnosis; some have none, and each one names a secret."""
    rows = patients(n, labelled=True, seed=seed)
    rng = np.random.default_rng(seed)
    said = rows["disease"].map(WORDS) + [f" {SECRET} {word}" for word in _words(n, rng)]
    rows["note"] = said.mask(rng.random(n) < 0.1)
    return rows if labelled else rows.drop(columns="disease")


def _words(n: int, rng: np.random.Generator) -> list[str]:
    return ["".join(rng.choice(list(ascii_lowercase), 5)) for _ in range(n)]


def samples_of(table: pd.DataFrame, folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The samples of a table with notes, and what quality.json says of them."""
    table.to_csv(folder / "patients.csv", index=False)
    labelled = {"label": "disease"} if "disease" in table else {}
    options = {"columns": {"id": "patient"} | labelled, "types": {"note": "text"}}
    raw = CLINICAL.ingest({"clinical": folder / "patients.csv"}, options)
    cleaned = CLINICAL.clean(raw.samples, {})
    return cleaned.samples, quality(raw, cleaned, private=True)


def proteins(n: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list("ACDEFGHIK"), 8)) for _ in range(n)]
    ids = [f"p{i}" for i in range(n)]
    return pd.DataFrame({"sample_id": ids, "group": ids, "sequence": sequences})


# Side by side -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_new_data_get_the_precision_of_training(bert, tmp_path, monkeypatch):
    section = [{"embedder": "table", "columns": ["smoker"]}, text_part(bert)]
    samples, _ = samples_of(noted(12), tmp_path)

    def extracted(machine, trained=None, **changes):
        monkeypatch.setattr("bioloom.embedders.huggingface.fast_dtype", lambda device: machine)
        parts = [section[0], section[1] | changes]
        features, info, _ = extract_features(
            samples, CLINICAL, parts, device="cpu", store=tmp_path, trained=trained
        )
        return features, info["huggingface"]

    fine, coarse = extracted("float32")[0], extracted("bfloat16")[0]
    assert fine.embedder.endswith(" float32")
    assert coarse.embedder == fine.embedder.removesuffix("float32") + "bfloat16"
    taken, info = extracted("bfloat16", trained=fine.embedder)
    assert taken.embedder == fine.embedder
    np.testing.assert_array_equal(vectors(taken.X), vectors(fine.X))
    assert "note" not in info
    assert extracted("bfloat16", trained=coarse.embedder)[0].embedder == coarse.embedder
    lacking, info = extracted("float32", trained=coarse.embedder)
    assert lacking.embedder == fine.embedder
    assert info["note"] == "in float32, while the model was trained on bfloat16"
    assert align(lacking, list(coarse.names), coarse.embedder).embedder == fine.embedder
    said, _ = extracted("float32", trained=fine.embedder, dtype="bfloat16")
    assert said.embedder.endswith(" bfloat16")
    refused(lambda: align(said, list(fine.names), fine.embedder), "trained on features")


def test_parts_stand_side_by_side_as_they_are_alone():
    samples = proteins()
    features, record, _ = extract_features(samples, PROTEINS, KMERS)
    alone = [extract_features(samples, PROTEINS, part)[0] for part in KMERS]
    assert np.array_equal(features.X, np.hstack([part.X for part in alone]))
    assert features.X.dtype == np.float32
    assert features.names[0] == "kmer_1.A"
    assert features.names[-1] == "kmer_2.YY"
    assert len(set(features.names)) == 20 + 400
    assert features.embedder == "kmer k=1 + kmer k=2" == record["identity"]
    assert record["features"] == 420
    assert record["kmer_2"] == {"embedder": "kmer", "sequences": 4}


def test_a_list_of_one_is_its_part():
    samples = proteins()
    listed, alone = (extract_features(samples, PROTEINS, s) for s in (KMERS[:1], KMERS[0]))
    assert np.array_equal(listed[0].X, alone[0].X)
    assert list(listed[0].names) == list(alone[0].names)
    assert listed[0].embedder == alone[0].embedder
    assert listed[1:] == alone[1:]


def test_a_table_twice_keeps_its_columns_apart(tmp_path):
    samples, _ = samples_of(noted(20), tmp_path)
    sections = [{"embedder": "table"}, {"embedder": "table", "columns": ["age"]}]
    names = list(extract_features(samples, CLINICAL, sections)[0].names)
    assert names[0] == "table_1.age"
    assert names[-1] == "table_2.age"
    assert block_of("table_1.smoker=yes", parts_of(sections)) == "table_1.smoker"


def test_parts_of_sequences_are_explained_by_letters():
    samples = proteins(60)
    samples["label"] = np.where(samples["sequence"].str.count("A") > 0, "a", "other")
    splits = partition(samples, 30, 15)
    features = extract_features(samples, PROTEINS, KMERS)[0]
    options = {"application": "protein_function", "model": {"name": "logistic_regression"}}
    fitted, *_ = train_task(samples, splits, {"features": features}, options, 1, [])
    settings = {"embedder": KMERS, "weights": None, "seed": 1}
    found = explain(samples, splits, features, fitted, PROTEINS, {"items": 2}, **settings)
    assert len(found) == 2 * 8 * 19
    assert found.loc[found["reference"] == "A", "importance"].abs().mean() > 0


def test_a_part_with_a_row_a_token_is_refused():
    tokens = {"embedder": "one_hot"}
    refused(
        lambda: extract_features(proteins(), PROTEINS, [KMERS[0], tokens]),
        "one_hot has a row a token",
        "pooling: mean",
    )
    made = Made(Ragged(np.zeros((2, 3)), np.array([0, 2])), list("abc"), {}, {})
    assert side_by_side({"one_hot": made}) is made


# Text -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_text_is_embedded_and_a_missing_one_is_a_gap(bert, tmp_path):
    samples, _ = samples_of(noted(40), tmp_path)
    samples.loc[0, "text.note"] = "  "
    section = [{"embedder": "table"}, text_part(bert)]
    features, record, _ = extract_features(samples, CLINICAL, section, device="cpu")
    table = extract_features(samples, CLINICAL, section[0])[0]
    assert list(features.names[:4]) == [f"table.{name}" for name in table.names]
    assert np.array_equal(vectors(features.X)[:, :4], vectors(table.X))
    known = samples["text.note"].str.strip().fillna("") != ""
    assert not known[0]
    assert np.isnan(vectors(features.X)[~known, 4:]).all()
    options = {key: value for key, value in section[1].items() if key != "input"}
    texts = samples.loc[known, "text.note"].tolist()
    assert np.allclose(
        vectors(features.X)[known, 4:], embed(texts, options, device="cpu").X, atol=1e-5
    )
    assert record["huggingface"]["without_text"] == "fewer than 5" or (~known).sum() > 4
    assert record["huggingface"]["sequences"] == len(samples)
    assert "unique" not in record["huggingface"]


@pytest.mark.slow
def test_new_data_without_any_text_have_the_same_features(bert, tmp_path):
    samples, _ = samples_of(noted(40), tmp_path)
    section = [{"embedder": "table"}, text_part(bert)]
    store = tmp_path / "store"
    known = extract_features(samples, CLINICAL, section, store=store, device="cpu")[0]
    new = samples.assign(**{"text.note": pd.Series([None] * len(samples), dtype="str")})
    features = extract_features(new, CLINICAL, section, store=store, device="cpu")[0]
    aligned = align(features, list(known.names), known.embedder)
    assert np.isnan(vectors(aligned.X)[:, 4:]).all()
    assert np.array_equal(vectors(aligned.X)[:, :4], vectors(known.X)[:, :4])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"input": "text.nota"}, "Unknown column of texts 'text.nota'.*did you mean 'text.note'"),
        ({"input": "text.smoker"}, "types: {note: text}.*did you mean 'text.note'"),
        ({"input": "note"}, "did you mean 'text.note'"),
        ({"input": "age"}, "Unknown column of texts 'age'"),
        ({"input": "label"}, "Unknown column of texts 'label'"),
        ({"input": None}, "A table takes `embedder: table`, got 'huggingface'.*`input: <column>`"),
        ({"pooling": "tokens"}, "a text has one vector"),
    ],
)
def test_what_is_no_text_is_refused(change, expected, bert, tmp_path):
    samples, _ = samples_of(noted(20), tmp_path)
    part = text_part(bert) | change
    message = refused(
        lambda: extract_features(samples, CLINICAL, [{"embedder": "table"}, part], device="cpu"),
        expected,
    )
    assert SECRET not in message


def test_a_text_that_cannot_be_embedded_is_told_by_its_row(bert, tmp_path):
    samples, _ = samples_of(noted(20), tmp_path)
    samples["text.note"] = samples["text.note"].fillna("a")
    part = text_part(bert) | {"alphabet": "dna"}
    message = refused(lambda: extract_features(samples, CLINICAL, part), "sequence 1: ")
    assert "P000" not in message


def test_a_table_part_takes_no_sequences():
    refused(lambda: extract_features(proteins(), PROTEINS, {"embedder": "table"}), "are sequences")


def test_free_text_is_no_feature_and_told_nowhere(tmp_path):
    samples, told = samples_of(noted(), tmp_path)
    assert feature_columns(samples) == ["age", "pressure", "smoker"]
    assert samples["text.note"].str.contains(SECRET).sum() > 100
    assert set(told["columns"]["text.note"]) == {"type", "missing", "length"}
    signature = make_signature(samples)
    assert signature["text.note"] == {"type": "text"}
    few, few_told = samples_of(noted(8), tmp_path)
    assert few_told["columns"]["text.note"] == {
        "type": "text",
        "missing": "fewer than 5" if few["text.note"].isna().any() else 0,
        "length": None,
    }
    assert SECRET not in json.dumps([told, few_told, signature])


def test_text_is_asked_for(tmp_path):
    noted().to_csv(tmp_path / "patients.csv", index=False)
    options = {"columns": {"id": "patient", "label": "disease"}}
    files = {"clinical": tmp_path / "patients.csv"}
    message = refused(
        lambda: CLINICAL.ingest(files, options), "free text", r"types: \{note: text\}"
    )
    assert SECRET not in message
    raw = CLINICAL.ingest(files, options | {"not_identifiers": ["note"]})
    message = refused(lambda: CLINICAL.clean(raw.samples, {}), "too many", r"types: \{note: text\}")
    assert SECRET not in message
    empty = noted().assign(note=None)
    refused(lambda: samples_of(empty, tmp_path), "No row has a text.*text.note")


def test_a_text_can_be_left_out(tmp_path):
    noted().to_csv(tmp_path / "patients.csv", index=False)
    options = {"columns": {"id": "patient", "label": "disease"}, "types": {"note": "text"}}
    raw = CLINICAL.ingest({"clinical": tmp_path / "patients.csv"}, options)
    assert "text.note" not in CLINICAL.clean(raw.samples, {"drop": ["text.note"]}).samples


@pytest.mark.slow
def test_a_table_with_notes_from_samples_to_explanation(bert, tmp_path):
    samples, _ = samples_of(noted(160), tmp_path)
    splits = partition(samples, 90, 40)
    section = [{"embedder": "table", "columns": ["smoker"]}, text_part(bert)]
    features = extract_features(samples, CLINICAL, section, device="cpu")[0]
    options = {"application": "disease_diagnosis", "model": {"name": "logistic_regression"}}
    _, fitted, held_out = train_task(samples, splits, {"features": features}, options, 1, [])
    _, nearest = audit(samples, splits, {}, measure="table", private=True)
    measured, _ = evaluate(
        samples,
        splits,
        held_out,
        task="notes",
        application="disease_diagnosis",
        kind=get_kind("binary"),
        options={"resamples": 100},
        seed=1,
        nearest=nearest,
        private=True,
    )
    assert measured["test"]["auroc"] > 0.8  # of the note alone
    settings = {"embedder": section, "weights": None, "seed": 1}
    found = explain(samples, splits, features, fitted, CLINICAL, {"repeats": 2}, **settings)
    assert found["feature"].tolist() == ["huggingface", "table.smoker"]
    assert found["importance"][0] > 0.1
    fitted.save(tmp_path / "model")
    fitted.settings["id"] = "x"
    new, _ = samples_of(noted(12, labelled=False, seed=3), tmp_path)
    embedded = extract_features(new, CLINICAL, section, device="cpu")[0]
    predicted = predict(new, embedded, fitted, tmp_path / "new")
    assert len(predicted) == 12
    assert SECRET not in predicted.to_csv() + found.to_csv()
    assert SECRET not in (tmp_path / "model/model.yaml").read_text()
    without_note = new.drop(columns="text.note")
    refused(lambda: predict(without_note, embedded, fitted, tmp_path / "new"), "text.note")


# In a task file ---------------------------------------------------------------------------------


def clinical(tmp_path: Path, features: Any, **others: Any) -> dict[str, Any]:
    (tmp_path / "patients.csv").touch()
    training = {
        "clinical": str(tmp_path / "patients.csv"),
        "columns": {"id": "patient", "label": "disease"},
        "types": {"note": "text"},
    }
    return {
        "application": "disease_diagnosis",
        "datasets": {"training": training},
        "features": features,
    } | others


def peptides(tmp_path: Path, features: Any) -> dict[str, Any]:
    (tmp_path / "peptides.csv").touch()
    return {
        "application": "protein_function",
        "datasets": {"training": {"sequences": str(tmp_path / "peptides.csv")}},
        "features": features,
    }


TABLE = {"embedder": "table"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"pooling": "tokens"}, "features.huggingface: a text .* needs one vector a sample"),
        ({"finetune": "lora"}, "`finetune` of huggingface cannot stand in a list"),
        ({"network": {"profile": True}}, "`network` of huggingface cannot stand in a list"),
        ({"input": None}, "features.1.input: None is not of type 'string'"),
        ({"alphabet": "protein"}, "features.huggingface: `input` names a column of texts"),
        ({"pool": "mean"}, "features.huggingface: .*did you mean 'pooling'"),
        ({"model": 5}, "features.1.model: 5 is not of type"),
    ],
)
def test_a_mistake_in_a_part_is_named(change, expected, bert, tmp_path):
    content = clinical(tmp_path, [TABLE, text_part(bert)])
    assert task_mistakes("notes", content) == []
    content = clinical(tmp_path, [TABLE, text_part(bert) | change])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert re.search(expected, "\n".join(task_mistakes("notes", content)))


def one_mistake(content: dict[str, Any]) -> str:
    [mistake] = task_mistakes("mine", content)
    return mistake


def test_parts_fit_their_application(bert, tmp_path):
    part = text_part(bert)
    without = {key: value for key, value in part.items() if key != "input"}
    mistake = one_mistake(clinical(tmp_path, [TABLE, without]))
    assert "disease_diagnosis has a table, which huggingface does not take" in mistake
    assert "`input: text.note`" in mistake
    assert "column of texts" in one_mistake(clinical(tmp_path, TABLE | {"input": "text.note"}))
    assert "features: [] should be non-empty" in one_mistake(clinical(tmp_path, []))
    assert task_mistakes("mine", clinical(tmp_path, part)) == []
    tuned = clinical(tmp_path, part | {"finetune": "lora"}, split={"method": "holdout"})
    assert "`input` cannot be fine-tuned" in one_mistake(tuned)
    assert task_mistakes("mine", peptides(tmp_path, KMERS)) == []
    assert "one_hot, as a part" in one_mistake(
        peptides(tmp_path, [*KMERS, {"embedder": "one_hot"}])
    )
    pairs = peptides(tmp_path, [{"embedder": "kmer"}, {"embedder": "composition"}])
    sources = {"sequences": str(tmp_path / "peptides.csv"), "pairs": str(tmp_path / "peptides.csv")}
    pairs |= {"application": "protein_interaction", "datasets": {"training": sources}}
    assert "pairs of nodes take one embedder" in one_mistake(pairs)


def test_baselines_have_lists_too(bert, tmp_path):
    listed = {"both": {"features": [TABLE, text_part(bert)]}}
    content = clinical(tmp_path, TABLE, baselines=listed)
    assert task_mistakes("mine", content) == []
    task = Task("mine", **with_defaults(content))
    assert task.weights("features.both") == [bert]
    assert task.weights("features") == []
    listed["both"]["features"][1]["pooling"] = "tokens"
    assert one_mistake(content).startswith("baselines.both.features.huggingface: a text of")


def test_equal_sections_of_baselines_are_one_file(bert, tmp_path):
    """Whatever their order."""
    network, kmers = {"embedder": "huggingface", "model": bert}, {"embedder": "kmer", "k": 2}
    baselines = {
        "svm": {"features": kmers, "model": {"name": "svm"}},
        "forest": {"features": dict(reversed(kmers.items())), "model": {"name": "random_forest"}},
        "both": {"features": [network, kmers]},
        "plain": {"model": {"name": "svm"}},
    }
    task = Task("mine", **with_defaults(peptides(tmp_path, network)) | {"baselines": baselines})
    sections = task.features_sections
    assert list(sections) == ["features", "features.both", "features.forest"]
    taken = {name: features_file(baseline, baselines) for name, baseline in baselines.items()}
    assert taken == {
        "svm": "features.forest",
        "forest": "features.forest",
        "both": "features.both",
        "plain": "features",
    }


def test_a_list_of_one_in_a_file_is_its_part(tmp_path):
    section = {"embedder": "huggingface", "model": "my/esm", "finetune": "lora"}
    listed, alone = (with_defaults(peptides(tmp_path, f)) for f in ([section], section))
    assert listed == alone
    assert Task("mine", **listed).is_finetuned()


def test_the_run_without_foundation_models_keeps_the_other_parts(bert, tmp_path):
    def cheap(content):
        return with_defaults(content)["baselines"].get("no_foundation_model")

    assert cheap(clinical(tmp_path, [TABLE, text_part(bert)])) == {"features": TABLE}
    assert cheap(clinical(tmp_path, text_part(bert))) is None
    assert cheap(peptides(tmp_path, KMERS)) is None
    unirep = {"embedder": "unirep", "pooling": "mean"}
    composition = {"embedder": "composition"}
    assert cheap(peptides(tmp_path, [unirep, KMERS[0]])) == {"features": [composition, KMERS[0]]}
    assert cheap(peptides(tmp_path, [unirep, composition])) == {"features": composition}


def test_each_part_gets_its_weights(bert):
    learnt = {"embedder": "huggingface", "model": bert}
    unirep = {"embedder": "unirep"}
    features = [unirep, KMERS[0], learnt, unirep | {"size": 64}]
    task = Task("mine", "protein_function", {}, {}, features, {})
    files = task.weights("features")
    assert len(files) == 3
    given = weights_by_part(features, [Path(file) for file in files])
    assert list(given) == ["unirep_1", "huggingface", "unirep_2"]
    assert given["huggingface"] == Path(bert)
    assert all(Path(part).parent == Path(bert) for part in task.weights_parts("features"))
    assert weights_by_part(learnt, [Path("results/mine/finetuned")]) == {
        "huggingface": Path("results/mine/finetuned")
    }


def test_all_embedders_of_a_list_count_in_the_code():
    def hashed(*embedders):
        features = [{"embedder": name} for name in embedders]
        return code_hash(
            "extract_features", Task("mine", "protein_function", {}, {}, features, {"name": "dnn"})
        )

    assert hashed("unirep", "kmer") == hashed("kmer", "unirep")
    assert len({hashed("unirep"), hashed("one_hot"), hashed("unirep", "one_hot")}) == 3


# Through the pipeline ---------------------------------------------------------------------------


@pytest.mark.long
def test_a_task_with_notes_runs_once_and_tells_no_note(bert, tmp_path):
    folder = tmp_path / "lab"
    for name in ("data", "tasks"):
        (folder / name).mkdir(parents=True)
    noted(90).to_csv(folder / "data/notes.csv", index=False)
    noted(6, labelled=False, seed=5).to_csv(folder / "data/ward.csv", index=False)
    columns = {"id": "patient", "label": "disease"}
    types = {"note": "text"}
    task = {
        "application": "disease_diagnosis",
        "datasets": {
            "training": {"clinical": "data/notes.csv", "columns": columns, "types": types},
            "ward": {"clinical": "data/ward.csv", "columns": {"id": "patient"}, "types": types},
        },
        "split": {"method": "holdout", "test": 0.25, "valid": 0.25},
        "leakage": {"limit": None},
        "features": [TABLE, text_part(bert)],
        "model": {"name": "logistic_regression"},
        "baselines": {"table_only": {"features": TABLE}},
        "evaluate": {"resamples": 100},
        "explain": {"repeats": 1},
    }
    (folder / "tasks/notes.yaml").write_text(yaml.safe_dump(task))
    lab = Project(folder)
    command = ("--snakefile", str(ROOT / "Snakefile"), "--cores", "1")
    lab.snakemake(*command)
    assert lab.planned(*command) == set()
    found = pd.read_parquet(folder / "results/notes/explanation.parquet")
    assert set(found["feature"]) == {"huggingface", "table.age", "table.pressure", "table.smoker"}
    assert len(pd.read_csv(folder / "results/notes/ward/predictions.csv")) == 6
    record = json.loads((folder / "results/notes/training/features.json").read_text())
    assert record["huggingface"]["weights_sha256"]
    assert record["identity"].startswith("table + huggingface alphabet=text input=text.note")
    holders = {"raw.parquet", "samples.parquet"}  # as all columns
    for place in ("results", "logs", ".bioloom", ".snakemake", "snakemake.lock"):
        files = [folder / place] if (folder / place).is_file() else (folder / place).rglob("*")
        for file in files:
            if file.is_file() and file.name not in holders:
                assert SECRET not in content_of(file), file


def content_of(file: Path) -> str:
    """All that a file says, also where it is compressed or has texts of wide letters."""
    if file.suffix == ".parquet":
        return pd.read_parquet(file).to_csv()
    if file.suffix == ".npz":
        with np.load(file, allow_pickle=False) as arrays:
            texts = [arrays[name] for name in arrays if arrays[name].dtype.kind == "U"]
        return " ".join(str(text) for array in texts for text in np.ravel(array))
    return file.read_bytes().decode(errors="replace")


def test_a_table_in_a_list_keeps_its_categories_and_gaps(bert, tmp_path):
    samples, _ = samples_of(noted(40), tmp_path)
    section = [{"embedder": "table"}, text_part(bert)]
    features = extract_features(samples, CLINICAL, section, device="cpu")[0]
    alone = extract_features(samples, CLINICAL, section[0])[0]
    assert shape_of(features.X) == "table"
    assert list(features.names) == features.X.names
    assert features.X.categories[: len(alone.X.columns)] == alone.X.categories
    np.testing.assert_array_equal(vectors(features.X)[:, :4], vectors(alone.X))
    options = {"application": "disease_diagnosis", "model": {"name": "gradient_boosting"}}
    fitted, *_ = train_task(
        samples, partition(samples, 20, 10), {"features": features}, options, 1, []
    )
    found = permute(samples.tail(20), features, fitted, 1, 1, parts_of(section))
    assert set(found["feature"]) <= {*(f"table.{c}" for c in alone.X.columns), "huggingface"}


def test_notes_alone_are_audited_by_equal_texts(tmp_path):
    samples, _ = samples_of(noted(40), tmp_path)
    samples = samples[["sample_id", "label", "group", "text.note"]]
    samples["text.note"] = [f"note {i}" for i in range(39)] + ["note 3"]
    _, items = audit(samples, partition(samples, 20, 10), {}, measure="table", private=True)
    nearest = items.set_index("sample_id")
    assert nearest.loc[samples["sample_id"].iloc[39], "nearest"] == samples["sample_id"].iloc[3]
    assert nearest["similarity"].value_counts().to_dict() == {0.5: 9, 1.0: 1}
