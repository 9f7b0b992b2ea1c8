"""A mistake in config.yaml is one readable line, before any job runs."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from bioloom.errors import DataError
from bioloom.pipeline.check import check_config
from bioloom.pipeline.config import raw_files, remote_sources, train_section
from tests.tiny_project import ROOT
from tests.toys import SCHEMA


@pytest.fixture
def config(monkeypatch):
    monkeypatch.chdir(ROOT)
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def mistakes(config, change):
    changed = deepcopy(config)
    change(changed["tasks"]["antimicrobial_peptides"])
    with pytest.raises(DataError) as error:
        check_config(changed, SCHEMA)
    return str(error.value)


def test_the_shipped_config_is_right(config):
    check_config(config, SCHEMA)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t.update(feature={}), "did you mean 'features'"),
        (lambda t: t.update(application="protein_funktion"), "did you mean 'protein_function'"),
        (lambda t: t["model"].update(name="tranformer"), "did you mean 'transformer'"),
        (
            lambda t: t["features"].update(embedder="unirap"),
            "Unknown embedder 'unirap'. Hint: did you mean 'unirep'",
        ),
        (lambda t: t["features"].update(pool="mean"), "has no option pool"),
        (lambda t: t["datasets"]["training"].update(sequences="no.csv"), "no such file 'no.csv'"),
        (lambda t: t["datasets"]["training"].pop("sequences"), "non-empty|'sequences' is missing"),
        (lambda t: t.pop("split"), "'split' is a required property"),
        (lambda t: t["baselines"].update(naive={"model": {"name": "svm"}}), "naive"),
        (lambda t: t["datasets"].pop("training"), "'training' is a required property"),
        (lambda t: t["clean"].update(min_lenght=3), "clean: .*did you mean 'min_length'"),
        (lambda t: t["split"].update(identiy=0.4), "split: .*did you mean 'identity'"),
        (lambda t: t["split"].update(test=2), "split: test must be a number"),
        (lambda t: t["model"].update(dropuot=0), "model: .*did you mean 'dropout'"),
        (lambda t: t["model"].update(search={"widht": [1]}), "model: .*did you mean 'width'"),
        (
            lambda t: t["baselines"]["dipeptides"]["model"].update(c=1),
            "baselines.dipeptides.model: .*'c'",
        ),
        (lambda t: t["datasets"]["training"].update(colums={}), "did you mean 'columns'"),
        (lambda t: t["datasets"]["training"].update(columns={"lable": 1}), "mean 'label'"),
        (lambda t: t["datasets"]["training"].update(columns=5), "`training: columns` takes a dict"),
        (lambda t: t["datasets"]["training"].update(read={"sequence": {}}), "mean 'sequences'"),
        (lambda t: t.update(evaluate={"primary": "aurco"}), "evaluate.primary: .*mean 'auroc'"),
        (lambda t: t.update(positive=True), 'write "yes" in quotes'),
        (lambda t: t["features"].update(model=5), "features.model: 5 is not of type 'string'"),
        (lambda t: t["datasets"]["training"].update(sequences=5), "a source is a path"),
        (lambda t: t["datasets"]["training"]["sequences"].update(sha256="abc"), "64 hexadecimal"),
        (
            lambda t: t["datasets"]["training"]["sequences"].update(member="../../x"),
            "names no file",
        ),
        (lambda t: t["datasets"]["training"]["sequences"].update(member=5), "expected text, got 5"),
        (lambda t: t["datasets"].update(model=t["datasets"]["training"]), "'model' is taken"),
        (lambda t: t["datasets"].update(plots=t["datasets"]["training"]), "'plots' is taken"),
        (lambda t: t["datasets"].update({"New": t["datasets"]["training"]}), "name 'New' is not"),
        (lambda t: t["datasets"].update({1: t["datasets"]["training"]}), "name 1 is not"),
        (lambda t: t.update(features={"embedder": "huggingface", "model": "no"}), "no folder 'no'"),
        (lambda t: t.update(features={"embedder": "huggingface"}), "needs `model: <folder"),
        (lambda t: t.update(features={"embedder": "table", "blocs": []}), "did you mean 'blocks'"),
    ],
)
def test_a_mistake_is_named(config, change, expected):
    import re

    assert re.search(expected, mistakes(config, change))


def test_every_mistake_has_a_line(config):
    def change(task):
        task["model"]["name"] = "nothing"
        task["features"]["embedder"] = "nothing"

    assert mistakes(config, change).count("\n") == 1


def test_training_does_not_see_the_data_sets(config):
    section = train_section(config["tasks"]["antimicrobial_peptides"])
    assert {"datasets", "split", "features", "clean"}.isdisjoint(section)


def test_weights_and_artifacts_are_fetched_to_places_named_by_checksum(config):
    for path, source in remote_sources(config).items():
        assert path.split("/")[1] == source["sha256"][:12]


def test_the_files_of_a_folder_count_and_not_its_age(tmp_path):
    (tmp_path / "chains").mkdir()
    for name in ("b.pdb", "a.pdb"):
        (tmp_path / "chains" / name).touch()
    sources = {"structures": str(tmp_path / "chains"), "sequences": "my.fasta"}
    task = {"application": "protein_structure", "datasets": {"training": sources}}
    files = raw_files(task, "training")
    assert [Path(file).name for file in files if "chains" in file] == ["a.pdb", "b.pdb"]
    assert "my.fasta" in files
