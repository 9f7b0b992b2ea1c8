"""A resource of FHIR where it stands in a file, and the keys by which others refer to it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bioloom.errors import DataError
from bioloom.formats.times import NoZone, bounds

_HISTORY = re.compile(r"/_history/[^/]+$")
_URL = re.compile(r"(?P<base>https?://.+?)/(?P<local>[A-Z][A-Za-z]+/[A-Za-z0-9.-]+)$")


OF_PERSON: dict[str, type] = {
    "gender": str,
    "birthDate": str,
    "deceasedBoolean": bool,
    "deceasedDateTime": str,
}
"""What is read of a person, and its type in JSON."""


class Malformed(Exception):
    """JSON that has not the shape that R4 gives it."""


@dataclass(frozen=True)
class Resource:
    """The JSON of a resource, its file, and the line (in a bundle the entry) that has it.

    `file` is a name to show: of a folder it has the file's number, for hospitals name files by
    their patients.
    """

    content: dict[str, Any]
    file: Path
    line: int
    url: str | None = None

    @property
    def kind(self) -> str:
        """Its `resourceType`."""
        return str(self.content["resourceType"])

    @cached_property
    def base(self) -> str | None:
        """The address of the server, of an entry of a bundle that says it."""
        match = _URL.match(_HISTORY.sub("", self.url or ""))
        return match["base"] if match else None

    @cached_property
    def keys(self) -> list[str]:
        """What references call it by: its type and id, at its server, or a URN."""
        named = f"{self.kind}/{self.content['id']}" if "id" in self.content else None
        keys = [f"{self.base}/{named}" if self.base else named] if named else []
        return [*keys, *([self.url] if self.url and self.url not in keys else [])]

    def at(self, server: str | None) -> Resource:
        """The resource as one of a server, where its file says none."""
        if self.url or server is None or "id" not in self.content:
            return self
        return replace(self, url=f"{server}/{self.kind}/{self.content['id']}")

    @cached_property
    def version(self) -> tuple[int, int]:
        """What is larger in a newer version: when it was changed, then its number."""
        with shaped():
            return self._version(self.content.get("meta") or {})

    def _version(self, meta: dict[str, Any]) -> tuple[int, int]:
        try:
            changed = bounds(str(meta.get("lastUpdated", "")), "UTC")
        except NoZone:
            changed = None
        number = str(meta.get("versionId", ""))
        return (changed[0] if changed else 0, int(number) if number.isdigit() else 0)


@contextmanager
def shaped() -> Iterator[None]:
    """Malformed where the JSON of a resource has not the shape that R4 gives it."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, DataError | NoZone):
            raise
        raise Malformed from None


def typed(value: Any, *types: type) -> Any:
    """The value, if it is of one of the types, as JSON has them; TypeError for any other."""
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise TypeError(f"no {types[0].__name__}")
    return value


def is_shaped(resource: Resource) -> bool:
    """Whether that by which all resources, and persons, are told apart has the shape of R4."""
    content = resource.content
    try:
        with shaped():
            _ = resource.version
            if resource.kind == "Patient":
                _ = [link["other"].get("reference") for link in content.get("link", [])]
                _ = [identifier.get("value") for identifier in content.get("identifier", [])]
                for name, type_ in OF_PERSON.items():
                    if name in content:
                        typed(content[name], type_)
    except Malformed:
        return False
    return True


def reference_key(resource: Resource) -> str:
    """A key of a resource that nothing refers to."""
    return f"{resource.file} {resource.line}"


def split_reference(reference: str) -> tuple[str | None, str]:
    """The server (None: the same), and the rest of a reference without its version."""
    plain = _HISTORY.sub("", reference)
    match = _URL.match(plain)
    return (match["base"], match["local"]) if match else (None, plain)


def found_in(by_key: Mapping[str, Any], base: str | None, local: str) -> Any:
    """What a reference leads to, None for nothing: by the server that is meant, or by a URN."""
    return by_key.get(f"{base}/{local}" if base and "/" in local else local)
