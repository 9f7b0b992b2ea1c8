"""What runs again after which change: the planned jobs of a finished project."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from bioloom.pipeline import code as provenance
from bioloom.pipeline.code import code_hash
from bioloom.pipeline.steps import STEPS
from bioloom.pipeline.tasks import Task
from tests.tiny_project import ROOT, Project, patients

RULE = re.MULTILINE | re.DOTALL
HEART = {
    "train heart",
    "evaluate heart",
    "explain heart",
    "predict heart ward",
    "report_task heart",
    "report",
}


def test_touching_every_input_runs_nothing(project: Project) -> None:
    for folder in ("data", "results", "scripts", "src", "tasks", "workflow"):
        for file in project.path(folder).rglob("*"):
            os.utime(file)
    for name in ("config.yaml", "Snakefile", "snakemake.lock"):
        os.utime(project.path(name))
    assert project.planned() == set()


def test_what_the_report_shows_is_made_again_where_it_is_gone(project: Project) -> None:
    shutil.rmtree(project.path("results/heart/model"))
    assert {"train heart", "predict heart ward"} <= project.planned() <= HEART
    project.path("results/liver/explanation.parquet").unlink()
    assert "explain liver" in project.planned()
    shutil.rmtree(project.path("results/liver"))
    assert {"ingest liver training", "train liver", "evaluate liver"} < project.planned()


def test_what_only_serves_others_may_make_room(project: Project) -> None:
    project.path("results/heart/training/raw.parquet").unlink()
    project.path("results/liver/held_out.parquet").unlink()
    assert project.planned() == set()
    assert project.planned("results/liver/held_out.parquet") >= {"train liver"}


def test_a_model_parameter_reruns_the_model_of_its_task(project: Project) -> None:
    project.configure(**{"tasks.heart.model.layers": 2})
    assert project.planned() == {"describe heart", *HEART}


def test_an_edited_network_retrains_only_who_uses_it(project: Project) -> None:
    """What else an edit concerns: `test_a_module_counts_for_the_steps_that_run_it`."""
    module = project.path("src/bioloom/models/_networks/dnn.py")
    module.write_text(module.read_text() + "# edited\n")
    assert project.planned() == HEART


def test_changed_evaluation_trains_nothing(project: Project) -> None:
    project.configure(
        **{"tasks.liver.evaluate.primary": "mcc", "tasks.liver.title": "Score {x} of <y>"}
    )
    assert project.planned() == {
        "describe liver",
        "evaluate liver",
        "report_task liver",
        "report",
    }


def test_new_data_are_prepared_and_predicted(project: Project) -> None:
    patients(5, labelled=False, seed=9).to_csv(project.path("data/icu.csv"), index=False)
    project.configure(
        **{"tasks.liver.datasets.icu": {"clinical": "data/icu.csv", "columns": {"id": "patient"}}}
    )
    assert project.planned() == {
        "describe liver",
        "ingest liver icu",
        "clean liver icu",
        "extract_features liver icu features",
        "predict liver icu",
        "report_task liver",
        "report",
    }


def test_changed_raw_data_run_their_task_again(project: Project) -> None:
    patients(90, labelled=True, seed=7).to_csv(project.path("data/liver.csv"), index=False)
    assert project.planned() == {
        "ingest liver training",
        "clean liver training",
        "split liver",
        "extract_features liver training features",
        "train liver",
        "evaluate liver",
        "explain liver",
        "report_task liver",
        "report",
    }


TASK = Task(
    "peptides",
    application="protein_function",
    datasets={},
    split={},
    features={"embedder": "unirep"},
    model={"name": "dnn"},
    baselines={"dipeptides": {"features": {"embedder": "kmer"}, "model": {"name": "svm"}}},
)


TABLE = replace(TASK, application="disease_diagnosis", features={"embedder": "table"}, baselines={})
TRAINED = {"train", "learning_curve", "explain", "explain_rows", "pages", "predict", "score"}
"""Steps that run the task's model."""
EMBED = {"embed_chunk", "extract_features"}
OF_APPLICATION = {step for step in STEPS if "application" in STEPS[step].modules}


def read_anew() -> None:
    """Forget what is known of the files of the code."""
    provenance._closure.cache_clear()
    provenance._hash.cache_clear()


@pytest.fixture
def sources(monkeypatch, tmp_path: Path) -> Path:
    """A copy of the package and the scripts, which the hash is made of."""
    package = tmp_path / "src/bioloom"
    shutil.copytree(provenance.PACKAGE, package)
    shutil.copytree(provenance.SCRIPTS, tmp_path / "scripts")
    monkeypatch.setattr(provenance, "PACKAGE", package)
    monkeypatch.setattr(provenance, "SCRIPTS", tmp_path / "scripts")
    read_anew()
    yield package
    read_anew()


EDITED = {
    "models/dnn.py": TRAINED,
    "models/_networks/dnn.py": TRAINED,
    "models/_networks/_loop.py": TRAINED,
    "models/_networks/transformer.py": set(),
    "models/svm.py": {"train", "learning_curve", "score"},
    "models/transformer.py": set(),
    "embedders/unirep.py": {*EMBED, "explain"},
    "applications/drug_response.py": set(),
    "applications/protein_function.py": OF_APPLICATION,
    "pipeline/command.py": set(),
    "features/engine.py": {*EMBED, "explain"},
    "features/store.py": {*EMBED, "explain"},
    "links/features.py": set(),
    "features/extract.py": EMBED,
    "splits/split.py": {"split"},
    "features/__init__.py": {*EMBED, *TRAINED},
    "evaluation/evaluate.py": {"evaluate", "score"},
    "errors.py": set(STEPS),
}


@pytest.mark.slow
def test_a_module_counts_for_the_steps_that_run_it(sources: Path) -> None:
    assert changed_by(sources, EDITED, TASK) == EDITED


@pytest.mark.slow
def test_what_embeds_sequences_is_nothing_to_a_table(sources: Path) -> None:
    names = ("features/engine", "features/store", "links/features", "embedders/unirep")
    edited = dict.fromkeys((f"{name}.py" for name in names), set())
    assert changed_by(sources, edited, TABLE) == edited


def changed_by(sources: Path, modules: Iterable[str], task: Task) -> dict[str, set[str]]:
    """The steps of a task that an edit of each of these modules concerns."""
    before, changed = {step: code_hash(step, task) for step in STEPS}, {}
    for module in modules:
        path = sources / module
        text = path.read_text()
        path.write_text(text + "# edited\n")
        read_anew()
        changed[module] = {step for step in STEPS if code_hash(step, task) != before[step]}
        path.write_text(text)
    return changed


# What makes samples, features or splits, of which the later steps see only the files.
MAKERS = {"samples.cleaning", "features.engine", "features.store", "features.extract"}
MAKERS |= {"embedders._pooling", "links.features", "splits.split", "splits.leakage"}


@pytest.mark.parametrize(
    ("step", "others"),
    [
        ("train", {"evaluation.evaluate", "predictions.predict"}),
        ("evaluate", {"training.train", "fitted"}),
        ("predict", {"training.train", "evaluation.evaluate"}),
    ],
)
def test_a_step_that_reads_a_file_is_not_made_of_what_wrote_it(step: str, others: set[str]) -> None:
    files = provenance._closure(provenance.SCRIPTS / f"{step}.py")
    paths = [file.relative_to(provenance.PACKAGE) for file in files if "bioloom" in file.parts]
    reached = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths}
    assert not reached & (MAKERS | others)
    assert not {name for name in reached if name.startswith("embedders")}


def test_a_ranking_is_made_anew_with_its_application() -> None:
    assert {"rank_links", "export", "train"} <= OF_APPLICATION
    assert "predict" not in OF_APPLICATION


def test_the_table_of_steps_fits_the_rules() -> None:
    rules = "".join(file.read_text() for file in (ROOT / "workflow/rules").glob("*.smk"))
    blocks = dict(re.findall(r"^rule (\w+):(.*?)(?=^\S|\Z)", rules, RULE))
    assert blocks.keys() - {"fetch"} == STEPS.keys()
    for name, step in STEPS.items():
        assert ("seed=" in blocks[name]) == ("seed" in step.shared), name
        assert (ROOT / f"scripts/{name}.py").exists()


def test_each_output_is_named_to_its_script() -> None:
    """By these names a job knows what it made."""
    rules = "".join(file.read_text() for file in (ROOT / "workflow/rules").glob("*.smk"))
    for name, block in re.findall(r"^rule (\w+):(.*?)(?=^\S|\Z)", rules, RULE):
        _, _, rest = block.partition("    output:\n")
        named = re.split(r"^    \w", rest, flags=re.M)[0]
        outputs = re.findall(r"^ +(\w+)=(?!.*\btouch\()", named, re.M)
        command = block.partition("shell:")[2]
        assert [o for o in outputs if f"{{output.{o}" not in command] == [], name


@pytest.mark.slow
def test_the_hash_is_the_same_in_another_folder(sources: Path) -> None:
    copied = [code_hash(step, TASK) for step in STEPS]
    shutil.rmtree(sources.parents[1] / "other", ignore_errors=True)
    other = sources.parents[1] / "other"
    shutil.copytree(sources, other / "src/bioloom")
    shutil.copytree(provenance.SCRIPTS, other / "scripts")
    provenance.PACKAGE, provenance.SCRIPTS = other / "src/bioloom", other / "scripts"
    read_anew()
    assert [code_hash(step, TASK) for step in STEPS] == copied
