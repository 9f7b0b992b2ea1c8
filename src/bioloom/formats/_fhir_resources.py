"""A resource of FHIR where it stands in a file, and the keys by which others refer to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bioloom.formats.times import NoZone, bounds

_HISTORY = re.compile(r"/_history/[^/]+$")
_URL = re.compile(r"(?P<base>https?://.+?)/(?P<local>[A-Z][A-Za-z]+/[A-Za-z0-9.-]+)$")


@dataclass(frozen=True)
class Resource:
    """The JSON of a resource, its file, and the line (in a bundle the entry) that has it."""

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
        """What references call it by: `Patient/1` with and without its server, or a URN."""
        named = f"{self.kind}/{self.content['id']}" if "id" in self.content else None
        keys = [f"{self.base}/{named}"] if named and self.base else []
        keys += [named] if named else []
        return keys + ([self.url] if self.url and self.url not in keys else [])

    @cached_property
    def version(self) -> tuple[int, int]:
        """What is larger in a newer version: when it was changed, then its number."""
        meta = self.content.get("meta") or {}
        try:
            changed = bounds(str(meta.get("lastUpdated", "")), "UTC")
        except NoZone:
            changed = None
        number = str(meta.get("versionId", ""))
        return (changed[0] if changed else 0, int(number) if number.isdigit() else 0)


def reference_key(resource: Resource) -> str:
    """A key of a resource that nothing refers to."""
    return f"{resource.file} {resource.line}"


def split_reference(reference: str) -> tuple[str | None, str]:
    """The server (None: the same), and the rest of a reference without its version."""
    plain = _HISTORY.sub("", reference)
    match = _URL.match(plain)
    return (match["base"], match["local"]) if match else (None, plain)
