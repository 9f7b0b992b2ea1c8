"""FHIR R4: bundles (JSON) and NDJSON, plain or gzip, one file or a folder of them, as events.

JSON is read as it is, with checks of our own. A library of FHIR classes takes `20251001` for
seconds since 1970, refuses a whole file for one odd record, and is slower by far: here the odd
record is left out and counted.

Of a resource that is there in several versions the newest counts, once, and what it says now
decides: one that was entered in error is gone. Persons are in `_fhir_persons`, what becomes an
event in `_fhir_events`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bioloom.errors import DataError
from bioloom.formats._fhir_events import READINGS, Left, events_of
from bioloom.formats._fhir_persons import Persons
from bioloom.formats._fhir_resources import (
    Malformed,
    Resource,
    is_shaped,
    reference_key,
    shaped,
)
from bioloom.formats.events import Records, event_table, left_out_table
from bioloom.formats.text import open_text
from bioloom.formats.times import NoZone, no_zone
from bioloom.privacy.small_cells import count_shown

ENDINGS = (".json", ".ndjson", ".jsonl")
NOT_COUNTED = ("Patient", "Medication")
"""What is read, and is no event itself."""
SHAPE = "not made as FHIR R4 says"


def read_fhir(
    path: Path,
    time_zone: str | None,
    base_url: str | None = None,
    known_at_onset: bool = False,
) -> Records:
    """The events of FHIR files; DataError for what is no FHIR, and for a time without any zone.

    `base_url` is that of the server whose export it is: references to other servers are to other
    persons. A bundle says it by its `fullUrl`. With `known_at_onset` a condition, or a drug that is
    told of, was known from its begin on where no record says since when; else that is missing.
    """
    read = [one for file, shown in _files(path) for one in _resources(file, shown)]
    servers = sorted({one.base for one in read if one.base})
    server = base_url.rstrip("/") if base_url else servers[0] if len(servers) == 1 else None
    named = [one.at(server) for one in read]
    sound, odd = list[Resource](), list[Resource]()
    for one in named:
        (sound if is_shaped(one) else odd).append(one)
    resources, again = _newest(sound)
    persons = Persons([one for one in resources if one.kind == "Patient"], server)
    by_key = {key: one.content for one in resources for key in one.keys}
    rows = list[dict[str, Any]]()
    left: list[tuple[str, str | None, str, int]] = [
        (f"{one.kind}: {SHAPE}", None, one.file.name, one.line) for one in odd
    ]
    unread: Counter[str] = Counter()
    record = uncoded = 0
    for one in resources:
        if one.kind not in READINGS:
            unread.update([] if one.kind in NOT_COUNTED else [one.kind])
            continue
        place, known = (one.file.name, one.line), False
        found: list[dict[str, Any] | Left]
        try:
            with shaped():
                patient = persons.of_subject(one)
                known = persons.is_known(patient)
                found = [Left(patient)]
                if known:
                    found = list(events_of(one, by_key, time_zone, known_at_onset))
        except NoZone:
            raise no_zone(one.file, one.line) from None
        except Malformed:
            found = [Left(SHAPE)]
        for event in found:
            if isinstance(event, Left):
                whose = patient if known else None
                left.append((f"{one.kind}: {event.reason}", whose, *place))
                continue
            record += 1
            uncoded += event.pop("uncoded", False)
            for code in event.pop("codes"):
                where = {"record": record, "file": place[0], "line": place[1]}
                rows.append({**event, "code": code, "patient": patient, **where})
    rows += persons.events(time_zone, record + 1)
    notes = [f"{n} resources of the type {kind} are not read" for kind, n in sorted(unread.items())]
    notes += [f"{again} older versions and copies of resources do not count"] if again else []
    notes += [f"{count_shown(uncoded)} values have a unit in text alone"] if uncoded else []
    notes += persons.notes()
    told = persons.names(), persons.births(), left_out_table(left), notes, persons.own()
    return Records(event_table(rows), *told)


def _files(path: Path) -> list[tuple[Path, Path]]:
    """The files, each with the name to show: of a folder its number, for many name a patient."""
    if not path.is_dir():
        return [(path, path)]
    found = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.name.lower().removesuffix(".gz").endswith(ENDINGS)
    ]
    if not found:
        raise DataError("The folder has no .json or .ndjson file", file=path)
    return [(file, path / f"file {number}") for number, file in enumerate(found, start=1)]


def _resources(file: Path, shown: Path) -> Iterator[Resource]:
    """The resources of a file, each with its line, in a bundle with the number of its entry."""
    try:
        with open_text(file) as stream:
            text = stream.read()
    except DataError as error:
        raise DataError(str(error).replace(str(file), str(shown))) from None
    if ".json" in (suffix.lower() for suffix in file.suffixes):
        content = _json(text, shown, None)
        if content.get("resourceType") == "Bundle":
            yield from _entries(content, shown)
        else:
            yield _checked(content, shown, 1)
        return
    for line, written in enumerate(text.split("\n"), start=1):
        if written.strip():
            yield _checked(_json(written, shown, line), shown, line)


def _entries(bundle: Mapping[str, Any], file: Path) -> Iterator[Resource]:
    if bundle.get("type") == "history":
        raise DataError(
            "A bundle of the history, with resources that were deleted",
            file=file,
            hint="export the resources as they are now",
        )
    entries = bundle.get("entry", [])
    if not isinstance(entries, list):
        raise DataError("`entry` of a Bundle is a list", file=file)
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or not isinstance(entry.get("resource"), dict):
            continue
        found, url = _checked(entry["resource"], file, number), entry.get("fullUrl")
        yield Resource(found.content, file, number, url if isinstance(url, str) else None)


def _checked(content: dict[str, Any], file: Path, line: int) -> Resource:
    if not isinstance(content.get("resourceType"), str):
        raise DataError(
            "Expected a resource of FHIR, which says its `resourceType`", file=file, row=line
        )
    return Resource(content, file, line)


def _json(text: str, file: Path, line: int | None) -> dict[str, Any]:
    def no_number(word: str) -> float:
        raise ValueError(word)

    try:
        content = json.loads(text, parse_constant=no_number)
    except (ValueError, RecursionError) as error:
        at = getattr(error, "lineno", 1) if line is None else line
        raise DataError(
            "This is no JSON",
            file=file,
            row=at,
            hint="NDJSON has one resource a line and the ending .ndjson; is the file whole?",
        ) from None
    if not isinstance(content, dict):
        raise DataError("Expected a resource of FHIR, an object in JSON", file=file, row=line)
    return content


def _newest(resources: list[Resource]) -> tuple[list[Resource], int]:
    """Each resource once, in its newest version, and how many others there were."""
    kept: dict[str, Resource] = {}
    for one in resources:
        key = one.keys[0] if one.keys else reference_key(one)
        other = kept.get(key)
        if other is None or one.version > other.version:
            kept[key] = one
        elif one.version == other.version and one.content != other.content:
            raise DataError(
                f"A {one.kind} is there twice, and nothing says which is newer; the other is in "
                f"{other.file.name}, row {other.line}",
                file=one.file,
                row=one.line,
                hint="keep one, or the `meta` with `versionId` and `lastUpdated`",
            )
    return list(kept.values()), len(resources) - len(kept)
