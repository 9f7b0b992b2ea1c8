"""An object store: results pushed to it come back. An emulator of S3 (moto) stands for it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.tiny_project import Project

SECRET = "TheSecretThatIsInNoFile0123456789"
KEY = "AKIATHEKEYINNOFILE00"


def needs(*modules: str) -> pytest.MarkDecorator:
    """Skip a test where a package is not installed."""
    missing = [module for module in modules if not find_spec(module)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
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


def told_secrets(folder: Path) -> list[str]:
    """The files of a folder, hidden ones too, that a credential is in."""
    files = (file for file in folder.rglob("*") if file.is_file())
    secrets = (SECRET.encode(), KEY.encode())
    return [str(file) for file in files if any(one in file.read_bytes() for one in secrets)]


@needs("moto", "flask_cors", "dvc_s3")
def test_a_clone_that_pulls_from_s3_has_nothing_to_do(project: Project, store: str, tmp_path: Path):
    project.publish("s3://lab/dvc")
    clone = project.clone(tmp_path / "clone")
    clone.run("dvc", "pull")
    assert clone.planned() == set()
    assert told_secrets(tmp_path) == []
