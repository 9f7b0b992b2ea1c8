"""Results are a matter of data and seeds, not of what else the machine does meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bioloom.devices import fast_dtype
from bioloom.embedders import AMINO_ACIDS
from bioloom.files import members
from tests.tiny_models import configs, protein_bert
from tests.tiny_project import Project

PEPTIDES = """
application: protein_function
datasets:
  training: {sequences: data/peptides.csv, columns: {id: id, sequence: sequence, label: label}}
  screen: {sequences: data/screen.csv, columns: {id: id, sequence: sequence}}
split: {method: holdout, test: 0.25, valid: 0.2}
leakage: {limit: null}
features: {embedder: huggingface, model: data/bert, pooling: tokens}
model:
  name: ensemble
  of: [{name: transformer, width: 16, epochs: 2}, {name: svm}]
baselines:
  boosting: {features: {embedder: kmer, k: 1}, model: {name: gradient_boosting}}
evaluate: {resamples: 100}
explain: {items: 1, window: 10}
"""


@contextmanager
def load(processes: int) -> Iterator[None]:
    """Busy processes beside what runs in the block."""
    command = [sys.executable, "-c", "while True: sum(range(10**6))"]
    busy = [subprocess.Popen(command) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def lay_out(folder: Path) -> Project:
    """A project of one task, whose features a network of random weights makes."""
    folder.mkdir()
    project = Project.create(folder)
    for task in project.path("tasks").iterdir():
        task.unlink()
    project.path("tasks/peptides.yaml").write_text(PEPTIDES.lstrip())
    rng = np.random.default_rng(3)
    for name, count in {"peptides": 80, "screen": 6}.items():
        lines = ["id,sequence,label"]
        for i in range(count):
            charged = rng.random() < 0.5
            letters = AMINO_ACIDS + "KR" * 10 * charged
            lines.append(
                f"{name}{i},{''.join(rng.choice([*letters], 25))},{'no yes'.split()[charged]}"
            )
        project.path(f"data/{name}.csv").write_text("\n".join(lines) + "\n")
    return project


def results(project: Project) -> dict[str, bytes]:
    """Name -> content of all that a run leaves, also the lock."""
    files = [*members(project.path("results")), project.path("snakemake.lock")]
    return {str(file.relative_to(project.folder)): file.read_bytes() for file in files}


@pytest.mark.long
def test_a_run_under_load_leaves_the_same_bytes(tmp_path: Path) -> None:
    """Also with another number of threads a job."""
    idle, loaded = (lay_out(tmp_path / name) for name in ("idle", "loaded"))
    protein_bert(idle.path("data/bert"), configs()["bert"])
    shutil.copytree(idle.path("data/bert"), loaded.path("data/bert"))
    idle.snakemake("--cores", "1")
    with load(os.cpu_count() or 1):
        loaded.snakemake("--cores", "2")
    before, after = results(idle), results(loaded)
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == []
    written = json.loads(before["results/peptides/training/features.json"])
    assert written["dtype"] == fast_dtype("cpu")
