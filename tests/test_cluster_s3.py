"""An object store: results pushed to it come back. An emulator of S3 (moto) stands for it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from shutil import ignore_patterns

import pytest

from bioloom.cli.check import LOCK
from bioloom.cli.main import main
from bioloom.files import sha256
from bioloom.pipeline.lock import read_lock, write_lock
from tests.tiny_project import ROOT, TASKS, Project, patients

SECRET = "TheSecretThatIsInNoFile0123456789"
LAB = {"config.yaml", "tasks"}
KEY = "AKIATHEKEYINNOFILE00"


def needs(*modules: str) -> pytest.MarkDecorator:
    """Skip a test where a package is not installed."""
    missing = [module for module in modules if not find_spec(module)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 that runs in this process, as the environment of programs has it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client().create_bucket(Bucket="lab")
    yield url
    server.stop()


def client():
    """What a user would ask the store by."""
    import boto3

    return boto3.client("s3")


@pytest.fixture
def lab(s3: str, tmp_path: Path) -> Project:
    """A folder with a task, as on a laptop; the table is in the store alone, the code elsewhere."""
    folder = tmp_path / "lab"
    (folder / "tasks").mkdir(parents=True)
    (folder / "config.yaml").write_text("seed: 1\n")
    (folder / "tasks/liver.yaml").write_text(TASKS["liver"].lstrip())
    table = patients(80, labelled=True, seed=2).to_csv(index=False)
    client().put_object(Bucket="lab", Key="cohort/data/liver.csv", Body=table.encode())
    return Project(folder)


def by_profile(name: str) -> tuple[str, ...]:
    """The options of a run with data and results in the store."""
    return ("--workflow-profile", name, "--default-storage-prefix", "s3://lab/cohort")


def stored() -> dict[str, bytes]:
    """All that is in the store, by key."""
    s3 = client()
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="lab")
    keys = [found["Key"] for page in pages for found in page["Contents"]]
    return {key: s3.get_object(Bucket="lab", Key=key)["Body"].read() for key in keys}


def told_secrets(folder: Path) -> list[str]:
    """What of a folder, hidden files too, and of the store a credential is in."""
    files = (file for file in folder.rglob("*") if file.is_file())
    content = {str(file): file.read_bytes() for file in files} | stored()
    secrets = (SECRET.encode(), KEY.encode())
    return [name for name, text in content.items() if any(one in text for one in secrets)]


def shared_by_dvc(tiny_project: Project, lab: Project, tmp_path: Path) -> None:
    """After a run in the store its results are fetched, and a clone that pulls runs nothing."""
    (tmp_path / "fetched").mkdir()
    fetched = Project.create(tmp_path / "fetched")
    for name in ("tasks", "data"):
        shutil.rmtree(fetched.path(name))
    shutil.copytree(lab.path("tasks"), fetched.path("tasks"))
    fetched.run("bioloom", "fetch", "s3://lab/cohort/")
    local, here = (
        {name: record for name, record in read_lock(of.path(LOCK)).items() if "/liver/" in name}
        for of in (tiny_project, fetched)
    )
    assert here == local
    assert fetched.planned() == set()
    fetched.publish("s3://lab/dvc")
    clone = fetched.clone(tmp_path / "pulled")
    clone.run("dvc", "pull")
    assert clone.planned() == set()
    assert told_secrets(tmp_path) == []


@pytest.mark.long
@needs("moto", "flask_cors", "dvc_s3", "s3fs", "snakemake_storage_plugin_s3")
def test_results_on_s3_are_those_of_this_machine(
    tiny_project: Project, lab: Project, tmp_path: Path
):
    """What changes in the store, or in a task, is done again, and nothing else."""
    s3, options = client(), ("--snakefile", str(ROOT / "Snakefile"), *by_profile("s3"))
    said = lab.run("bioloom", "run", *by_profile("s3"))
    assert "Results are in s3://lab/cohort: `bioloom fetch s3://lab/cohort` brings" in said
    assert lab.planned(*options) == set()
    assert {file.name for file in lab.folder.iterdir()} == {*LAB, ".snakemake"}
    kept = stored()
    for file in tiny_project.path("results/liver").rglob("*"):
        if file.is_file():
            key = f"cohort/{file.relative_to(tiny_project.folder)}"
            assert kept[key] == file.read_bytes(), key
    assert {"cohort/snakemake.lock", "cohort/logs/liver/train.log"} <= kept.keys()
    assert told_secrets(lab.folder) == []

    clone = Project(shutil.copytree(lab.folder, tmp_path / "clone", ignore=ignore_patterns(".*")))
    assert clone.planned(*options) == set()
    shared_by_dvc(tiny_project, lab, tmp_path)
    clone.configure(**{"tasks.liver.evaluate.primary": "mcc"})
    lab.configure(**{"tasks.liver.evaluate.primary": "mcc"})
    scored = {"evaluate liver", "describe liver", "report_task liver", "report"}
    assert clone.planned(*options) == lab.planned(*options) == scored
    s3.put_object(Bucket="lab", Key="cohort/data/liver.csv", Body=b"patient,disease\n")
    assert "ingest liver training" in lab.planned(*options)


@needs("moto", "flask_cors", "s3fs")
def test_what_cannot_be_fetched_is_told(s3: str, tmp_path: Path, monkeypatch, capsys):
    """And nothing that is here is lost."""
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    asked, of = client(), "s3://lab/ward"

    def put(**objects: str) -> None:
        for name, content in objects.items():
            asked.put_object(Bucket="lab", Key=f"ward/{name.replace('__', '/')}", Body=content)

    def told(address: str = of) -> str:
        with suppress(SystemExit):
            main(["fetch", address])
        return "".join(capsys.readouterr())

    assert "ERROR: This store cannot be read: " in told("ftp2://lab")
    assert "ERROR: Nothing is stored there (file s3://lab/ward)" in told()
    put(data__a="a", results__a="of a", results__b__c="of a, in a folder")
    assert "No such object (file s3://lab/ward/snakemake.lock)" in told()
    record = dict.fromkeys(("rule", "params", "code")) | {"input": [f"{of}/data/a"]}
    write_lock(LOCK, {f"{of}/results/{name}": record for name in "ab"})
    put(**{LOCK.name: LOCK.read_text()})
    LOCK.unlink()
    time.sleep(1.1)  # dates of objects are whole seconds
    put(data__a="younger")
    assert "This object is younger than what was made of it (file s3://lab/ward/data/a)" in told()
    put(results__a="of it", results__b__c="of it, in a folder")
    Path("data/a").write_text("another")
    assert "with another content than in the store (file data/a)" in told()
    assert Path("data/a").read_text() == "another"
    assert not LOCK.exists()
    assert not Path("results").exists()
    Path("data/a").unlink()
    write_lock(LOCK, {"results/of_another_task": record})
    assert told() == "2 results are here, with what they were made of\n"
    assert Path("data/a").read_text() == "younger"
    found = read_lock(LOCK)
    assert found.keys() == {"results/a", "results/b", "results/of_another_task"}
    assert found["results/b"]["sha256"] == sha256("results/b")
    asked.delete_object(Bucket="lab", Key="ward/data/a")
    assert "2 results are here" in (said := told())
    assert "Not in the store, and taken as they are here: data/a" in said
    Path("data/a").unlink()
    assert "No such object (file s3://lab/ward/data/a)" in told()
    asked.delete_object(Bucket="lab", Key="ward/results/a")
    assert "No such object (file s3://lab/ward/results/a)" in told()
    copied = {"Bucket": "lab", "Key": f"ward/{LOCK}"}
    asked.copy_object(Bucket="lab", Key=f"copy/{LOCK}", CopySource=copied)
    assert "were made at another address (file s3://lab/ward/results/a)" in told("s3://lab/copy")


@pytest.mark.parametrize("name", ["kubernetes", "aws-batch"])
@needs("moto", "flask_cors", "snakemake_storage_plugin_s3")
@pytest.mark.long
def test_a_cloud_is_planned_by_its_profile(name: str, lab: Project, monkeypatch):
    """No more than that: no cluster and no cloud is asked here."""
    if not find_spec(plugin := f"snakemake_executor_plugin_{name.replace('-', '_')}"):
        pytest.skip(f"not installed: {plugin}")
    for role in ("QUEUE", "ROLE"):
        monkeypatch.setenv(f"SNAKEMAKE_AWS_BATCH_JOB_{role}", "arn:aws:batch:us-east-1:1:lab")
    # As docs/cluster.md has it.
    lab.path("Snakefile").write_text(
        "from bioloom.pipeline.home import HOME\n\n\ninclude: str(HOME / 'Snakefile')\n"
    )
    said = lab.snakemake("all", "--dry-run", *by_profile(str(ROOT / "profiles" / name)))
    assert "mem_mb=8000" in said[said.index("rule train:") :]
    assert "s3://lab/cohort/results/report.html (send to storage)" in said
