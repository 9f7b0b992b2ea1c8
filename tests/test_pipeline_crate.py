"""The RO-Crate of a run: every file with its digest, the job that made it, and of what."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bioloom.cli.main import main
from bioloom.pipeline.lock import Record, write_lock

LICENSE = "https://spdx.org/licenses/CC0-1.0"


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def record(output: str, rule: str, *inputs: str) -> Record:
    checksums = {file: f"sha256:{digest(file)}" for file in inputs}
    return {
        "rule": rule,
        "input": list(inputs),
        "params": [],
        "code": "",
        "input_checksums": checksums,
        "sha256": digest(output),
    }


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a lock of two jobs, one of which reads a file from elsewhere."""
    folder = tmp_path / "study"
    for name in ("study/results/t", "study/data"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(folder)
    outside = str(tmp_path / "secret place.csv")
    texts = {outside: "a", "data/in.csv": "b", "results/t/x.parquet": "c", "results/t/y.json": "d"}
    for name, text in texts.items():
        Path(name).write_text(text)
    write_lock(
        Path("snakemake.lock"),
        {
            "results/t/x.parquet": record("results/t/x.parquet", "ingest", "data/in.csv", outside),
            "results/t/y.json": record("results/t/y.json", "evaluate", "results/t/x.parquet"),
        },
    )
    return folder


def test_each_result_has_its_digest_and_the_job_that_made_it(project: Path) -> None:
    from rocrate.rocrate import ROCrate

    assert main(["crate", "--license", LICENSE, "--name", "A study"]) == 0
    crate = ROCrate(project)  # as others read it
    assert (crate.name, crate.root_dataset["license"]) == ("A study", LICENSE)
    files = {entity.id: entity for entity in crate.data_entities}
    assert files.keys() == {"data/in.csv", "results/t/x.parquet", "results/t/y.json"}
    assert all(entity["sha256"] == digest(name) for name, entity in files.items())
    actions = {action["name"]: action for action in crate.root_dataset["mentions"]}
    made = {name: [result.id for result in each["result"]] for name, each in actions.items()}
    assert made == {
        "ingest results/t": ["results/t/x.parquet"],
        "evaluate results/t": ["results/t/y.json"],
    }
    read = actions["ingest results/t"]["object"]
    assert [entity["name"] for entity in read] == ["in.csv", "secret place.csv"]
    assert actions["ingest results/t"]["instrument"]["name"] == "ingest"


def test_no_place_of_this_machine_is_in_it(project: Path) -> None:
    main(["crate", "--license", LICENSE])
    text = Path("ro-crate-metadata.json").read_text()
    assert str(project.parent) not in text
    main(["crate", "--license", LICENSE])
    assert Path("ro-crate-metadata.json").read_text() == text
    assert json.loads(text)["@graph"]


def test_an_altered_input_is_not_described(project: Path, capsys) -> None:
    Path("data/in.csv").write_text("other")
    with pytest.raises(SystemExit):
        main(["crate", "--license", LICENSE])
    assert "not what was read (file data/in.csv)" in capsys.readouterr().err


def test_an_altered_result_is_not_described(project: Path, capsys) -> None:
    Path("results/t/y.json").write_text("other")
    with pytest.raises(SystemExit) as ended:
        main(["crate", "--license", LICENSE])
    assert ended.value.code == 2
    assert "results/t/y.json" in capsys.readouterr().err
    assert not Path("ro-crate-metadata.json").exists()


def test_the_validator_of_crates_finds_nothing_wrong(project: Path) -> None:
    """Without the network: the context is that of the library, not that of its address."""
    services = pytest.importorskip("rocrate_validator.services")
    settings = pytest.importorskip("rocrate_validator.models").ValidationSettings
    import rocrate

    assert main(["crate", "--license", LICENSE, "--name", "A study"]) == 0
    written = Path("ro-crate-metadata.json")
    crate = json.loads(written.read_text())
    known = Path(rocrate.__file__).parent / "data/ro-crate.jsonld"
    written.write_text(json.dumps(crate | {"@context": json.loads(known.read_text())["@context"]}))
    asked = {"rocrate_uri": str(project), "profile_identifier": "ro-crate-1.1", "offline": True}
    found = services.validate(settings(**asked)).get_issues()
    assert [issue.message for issue in found] == []
