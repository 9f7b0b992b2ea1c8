"""Smallest tasks of each application, from files to samples: see tests/examples/README.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bioloom.application import application_names, get_application
from bioloom.files import read_json
from bioloom.kinds import kind_of
from bioloom.pipeline.check import task_mistakes
from bioloom.pipeline.defaults import with_defaults
from bioloom.pipeline.task_files import read_task_file
from bioloom.pipeline.tasks import Task
from bioloom.samples import check_samples, feature_columns, label_columns, write_table
from scripts import clean, ingest
from tests.toys import refused

EXAMPLES = Path(__file__).parent / "examples"


FOLDERS = sorted(
    {*application_names(), *(path.parent.name for path in EXAMPLES.glob("*/task.yaml"))}
)


@pytest.fixture(params=FOLDERS)
def content(request, monkeypatch) -> dict[str, Any]:
    """What the task file of an example says; its folder is the one at work."""
    folder = EXAMPLES / request.param
    assert (folder / "task.yaml").exists(), f"{folder} is missing: see {EXAMPLES}/README.md"
    monkeypatch.chdir(folder)
    content = read_task_file(Path("task.yaml")).content
    assert request.param.startswith(content["application"])  # a second one is called so and by more
    return content


@pytest.fixture
def task(content: dict[str, Any]) -> Task:
    return Task("example", **with_defaults(content))


def make(task: Task, dataset: str, folder: Path) -> dict[str, pd.DataFrame]:
    """The tables that the steps ingest and clean write of a data set."""
    names = ("raw", "nodes", "samples", "dropped")
    raw, nodes, samples, dropped = (folder / f"{dataset}.{name}.parquet" for name in names)
    notes, quality = (folder / f"{dataset}.{name}.json" for name in ("notes", "quality"))
    files, options = task.source_files(dataset), task.ingest_options(dataset)
    ingest.main(task.application, files, options, raw, nodes, notes)
    clean.main(task.application, dataset, raw, notes, task.clean, samples, dropped, quality)
    return {name: pd.read_parquet(folder / f"{dataset}.{name}.parquet") for name in names}


def compare(samples: pd.DataFrame, expected: str, folder: Path) -> None:
    """Both as a CSV file has them; floats approximately."""
    write_table(samples, folder / expected)
    pd.testing.assert_frame_equal(pd.read_csv(folder / expected), pd.read_csv(expected))


def test_an_example_passes_the_check_of_its_config(content, task):
    assert task_mistakes("example", content) == []
    assert "training" in content["datasets"]
    assert len(task.new_data) == 1


def test_training_data_become_these_samples(task, tmp_path):
    samples = make(task, "training", tmp_path)["samples"]
    compare(samples, "samples.csv", tmp_path)


def test_new_data_keep_their_rows_in_order_and_have_no_label(task, tmp_path):
    [dataset] = task.new_data
    made = make(task, dataset, tmp_path)
    samples, raw = made["samples"], made["raw"]
    assert not label_columns(samples)
    gone = set(made["dropped"]["sample_id"]) - set(samples["sample_id"])
    ids = raw["sample_id"].drop_duplicates()
    assert samples["sample_id"].tolist() == ids[~ids.isin(gone)].tolist()
    if Path("new.csv").exists():
        compare(samples, "new.csv", tmp_path)


def test_every_row_is_kept_or_counted(task, tmp_path):
    for dataset in task.datasets:
        made = make(task, dataset, tmp_path)
        # Pairs that are drawn as negatives are no rows.
        kept = made["samples"]["sample_id"].isin(made["raw"]["sample_id"]).sum()
        assert len(made["raw"]) == kept + len(made["dropped"])
        assert read_json(tmp_path / f"{dataset}.quality.json")["rows_in"] == len(made["raw"])


def test_samples_keep_the_contract(task, tmp_path):
    for dataset in task.datasets:
        made = make(task, dataset, tmp_path)
        samples = check_samples(made["samples"], dataset)
        for column in feature_columns(samples):
            values = samples[column]
            assert values.dtype.kind == "f" or pd.api.types.is_string_dtype(values), column
        if task.has_nodes:
            assert set(samples["source"]) | set(samples["target"]) <= set(made["nodes"]["node_id"])
        embedded = made["nodes"] if task.has_nodes else samples
        assert len(task.code.inputs(embedded)) == len(embedded)


def test_a_misspelt_option_is_refused(task):
    options = task.ingest_options("training")
    refused(lambda: read(task, options | {"colums": {}}), "Unknown option 'colums'")
    raw = read(task, options)
    refused(lambda: task.code.clean(raw, {"min_lenth": 1}), "'min_lenth' under `clean`")


def test_a_wrong_role_or_column_is_named(task):
    options = task.ingest_options("training")
    columns = options.get("columns", {})
    if not task.code.columns:
        refused(lambda: read(task, options | {"columns": {}}), "Unknown option 'columns'")
    for role in task.code.columns:
        wrong = options | {"columns": columns | {f"{role}s": "x"}}
        refused(lambda wrong=wrong: read(task, wrong), f"'{role}s' under `columns`")
    for role in columns:
        wrong = options | {"columns": columns | {role: "Line"}}
        refused(lambda wrong=wrong: read(task, wrong), "no such column.*column Line")


def test_a_task_may_say_each_kind_of_its_application(content):
    for kind in get_application(content["application"]).kinds:
        assert task_mistakes("example", content | {"kind": kind}) == []


@pytest.mark.slow
def test_a_task_may_say_the_kind_that_its_labels_are(content, task, tmp_path):
    """Which is what the labels are taken for where the task says nothing."""
    samples = make(task, "training", tmp_path)["samples"]
    kind = kind_of(task.kind_names, samples).name
    said = Task("example", **with_defaults(content | {"kind": kind}))
    pd.testing.assert_frame_equal(make(said, "training", tmp_path)["samples"], samples)
    assert kind_of(said.kind_names, samples).name == kind


def test_the_kind_is_not_for_a_data_set_to_say(content):
    training = content["datasets"]["training"] | {"kind": "value"}
    datasets = content["datasets"] | {"training": training}
    [first, *_] = task_mistakes("example", content | {"datasets": datasets})
    assert "Unknown option 'kind'" in first


def read(task: Task, options: dict[str, Any]) -> pd.DataFrame:
    """The raw rows of the training data, by these options."""
    files = {name: Path(file) for name, file in task.source_files("training").items()}
    return task.code.ingest(files, options).samples
