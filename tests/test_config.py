"""A mistake in config.yaml is one readable line, before any job runs."""

from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from bioloom.config import check_config, remote_sources, train_section
from bioloom.errors import DataError

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"


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
        (lambda t: t["features"].update(embedder="unirap"), "no embedder 'unirap'"),
        (lambda t: t["features"].update(pool="mean"), "has no option pool"),
        (lambda t: t["datasets"]["training"].update(sequences="no.csv"), "no such file 'no.csv'"),
        (lambda t: t["datasets"]["training"].pop("sequences"), "non-empty|'sequences' is missing"),
        (lambda t: t.pop("split"), "'split' is a required property"),
        (lambda t: t["baselines"].update(naive={"model": {"name": "svm"}}), "naive"),
        (lambda t: t["datasets"].pop("training"), "'training' is a required property"),
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
