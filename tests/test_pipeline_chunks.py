"""Chunks of a data set that jobs of their own embed: their number decides who does what alone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bioloom.files import read_json, sha256
from tests.tiny_models import protein_bert
from tests.tiny_project import Project

DATA = "proteins/training"
EMBEDDED = ("features.npz", "features.json")


@pytest.fixture
def proteins(tmp_path: Path) -> Project:
    """A project with a task of 30 proteins and a small network."""
    folder = tmp_path / "project"
    folder.mkdir()
    project = Project.create(folder)
    for file in project.folder.glob("tasks/*"):
        file.unlink()
    save_network(project)
    sequences = ("MKV" * (4 + i % 5) + "ACDEFGHIKL"[i % 10] * (1 + i % 3) for i in range(30))
    rows = [f"p{i},{sequence},{'ab'[i % 2]}" for i, sequence in enumerate(sequences)]
    project.path("data/proteins.csv").write_text("\n".join(["id,sequence,label", *rows]) + "\n")
    columns = {"id": "id", "label": "label"}
    task = {
        "application": "protein_function",
        "datasets": {"training": {"sequences": "data/proteins.csv", "columns": columns}},
        "split": {"method": "holdout", "test": 0.2, "valid": 0.2},
        "features": {"embedder": "huggingface", "model": "models/bert"},
        "model": {"name": "logistic_regression"},
        "baselines": {},
    }
    project.configure(**{"tasks.proteins": task})
    return project


def save_network(project: Project) -> None:
    """Of random weights, others each time."""
    from transformers import BertConfig

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=32, intermediate_size=16, **sizes)
    protein_bert(project.path("models/bert"), config)


def extract(project: Project, chunks: int) -> dict[str, str]:
    """The digests of the features that so many chunks leave."""
    project.snakemake("--set-scatter", f"chunks={chunks}", "--until", "extract_features")
    return {name: sha256(project.path(f"results/{DATA}/{name}")) for name in EMBEDDED}


def encoded(project: Project) -> list[int]:
    """How many sequences each chunk has embedded, and last the step of the features itself."""
    logs = project.path(f"logs/{DATA}")
    chunks = [read_json(file) for file in sorted(logs.glob("features.*-of-*.json"))]
    whole = read_json(logs / "features.json")
    return [chunk["huggingface"]["encoded"] for chunk in chunks] + [whole["encoded"]]


@pytest.mark.long
def test_another_number_of_chunks_embeds_nothing_and_gives_the_same_bytes(
    proteins: Project,
) -> None:
    first = extract(proteins, chunks=2)
    lock = proteins.path("snakemake.lock").read_bytes()
    *chunks, rest = encoded(proteins)
    assert min(chunks) > 0
    assert (sum(chunks), rest) == (30, 0)
    assert not list(proteins.folder.rglob("*.embedded"))
    os.utime(proteins.path("models/bert"))  # content counts
    os.utime(proteins.path("models/bert/model.safetensors"))
    for number in (1, 2, 5):  # 2: nobody asks for what was temporary again
        planned = proteins.planned("--set-scatter", f"chunks={number}")
        assert not {job for job in planned if job.startswith(("embed_chunk", "extract_features"))}

    for name in EMBEDDED:
        proteins.path(f"results/{DATA}/{name}").unlink()
    shutil.rmtree(proteins.path(f"logs/{DATA}"))
    assert extract(proteins, chunks=5) == first
    assert encoded(proteins) == [0] * 6
    assert proteins.path("snakemake.lock").read_bytes() == lock

    # without what was stored, and by one job
    shutil.rmtree(proteins.path(".bioloom"))
    shutil.rmtree(proteins.path(f"results/{DATA}"))
    shutil.rmtree(proteins.path(f"logs/{DATA}"))
    assert extract(proteins, chunks=1) == first
    assert encoded(proteins) == [30]
    save_network(proteins)
    assert "extract_features proteins training features" in proteins.planned()
