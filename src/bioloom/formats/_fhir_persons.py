"""Whose a record of FHIR is: references, servers, identifiers, and persons that were merged.

A person who was `replaced-by` another is that one. `seealso` and `refer` join nobody, and are told.
Ids of another server are other persons, also where they are the same text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bioloom.errors import DataError
from bioloom.formats._fhir_resources import Resource, found_in, split_reference
from bioloom.formats.events import DEATH, SEX
from bioloom.formats.times import NoZone, bounds, no_zone
from bioloom.privacy import names
from bioloom.privacy.small_cells import count_shown

NOT_HERE = "its person is in no file"
OTHER_SERVER = "its person is on another server"
NO_PERSON = "it is of no person"
SEVERAL = "its identifier is that of several persons"
DATE = len("1950-02-28")
OWN = tuple(
    (kind, tuple(path.split(".")))
    for kind, paths in {
        names.NAMES: "name.family name.given name.text contact.name.family contact.name.given "
        "contact.name.text",
        names.RECORDS: "identifier.value",
        names.PHONES: "telecom.value contact.telecom.value",
        names.PLACES: "address.line address.text address.city address.postalCode "
        "contact.address.line contact.address.text contact.address.city contact.address.postalCode",
        names.DATES: "birthDate",
        names.PHOTOS: "photo.url photo.title",
    }.items()
    for path in paths.split()
)
"""Kinds of identifiers, and the paths to the elements of a Patient that are one."""
UNKNOWN = (NOT_HERE, OTHER_SERVER, NO_PERSON, SEVERAL)


class Persons:
    """The patients of all files, each by every name that a reference may have for them.

    They are those of which `is_shaped` holds.
    """

    def __init__(self, patients: list[Resource], server: str | None) -> None:
        self.servers = {one.base for one in patients if one.base} | ({server} if server else set())
        self.patients = {_name(one, server): one for one in patients}
        self.by_key = {key: name for name, one in self.patients.items() for key in one.keys}
        self.by_identifier: dict[tuple[str, str], set[str]] = {}
        for name, one in self.patients.items():
            for identifier in one.content.get("identifier", []):
                self.by_identifier.setdefault(_key(identifier), set()).add(name)
        self.linked = 0
        self.replaced = self._links()  # which may name persons by their identifiers
        for key, several in self.by_identifier.items():
            self.by_identifier[key] = {self._survivor(name) for name in several}

    def _links(self) -> dict[str, str]:
        """Who was replaced, by whom, as both sides may tell it."""
        replaced = {}
        for name, one in self.patients.items():
            for link in one.content.get("link", []):
                other = self._find(str(link["other"].get("reference", "")), one)
                if link.get("type") == "replaced-by" and other not in UNKNOWN:
                    replaced[name] = other
                elif link.get("type") == "replaces" and other not in UNKNOWN:
                    replaced[other] = name
                else:
                    self.linked += 1
        return replaced

    def _survivor(self, name: str) -> str:
        """Who a person is after all merges; DataError for a circle of them."""
        seen = [name]
        while name in self.replaced:
            name = self.replaced[name]
            if name in seen:
                one = self.patients[name]
                raise DataError(
                    "Persons replace each other in a circle", file=one.file, row=one.line
                )
            seen.append(name)
        return name

    def of_subject(self, resource: Resource) -> str:
        """The person of a record, or one of `UNKNOWN`."""
        subject = resource.content.get("subject") or resource.content.get("patient") or {}
        reference = subject.get("reference")
        if reference and reference.startswith("#"):
            held = resource.content.get("contained", [])
            inside = [one for one in held if f"#{one.get('id')}" == reference]
            if not inside or inside[0].get("resourceType") != "Patient":
                return NO_PERSON
            return self._by_identifiers(inside[0].get("identifier", []))
        if reference:
            found = self._find(str(reference), resource)
            return found if found in UNKNOWN else self._survivor(found)
        return self._by_identifiers([subject["identifier"]] if "identifier" in subject else [])

    def _find(self, reference: str, resource: Resource) -> str:
        """The name, before any merge, of the person that a reference of a resource calls.

        Raises DataError where it names a server and the files do not say which one is theirs.
        """
        base, local = split_reference(reference)
        if local.startswith("Patient?identifier="):
            system, _, value = local.partition("=")[2].partition("|")
            return self._by_identifiers([{"system": system, "value": value}])
        if "/" in local and not local.startswith("Patient/"):
            return NO_PERSON
        if base is not None and not self.servers:
            raise DataError(
                "References name a server, and the files do not say whose export they are",
                file=resource.file,
                row=resource.line,
                hint=f"`records: {{base_url: {base}}}` if it is that one's",
            )
        if base is not None and base not in self.servers:
            return OTHER_SERVER
        return found_in(self.by_key, base or resource.base, local) or NOT_HERE

    def _by_identifiers(self, identifiers: list[dict[str, Any]]) -> str:
        found = set().union(*(self.by_identifier.get(_key(one), set()) for one in identifiers))
        return found.pop() if len(found) == 1 else SEVERAL if found else NOT_HERE

    @staticmethod
    def is_known(name: str) -> bool:
        """Whether `of_subject` has found a person."""
        return name not in UNKNOWN

    def names(self) -> list[str]:
        """All persons but those who were replaced."""
        return sorted(name for name in self.patients if name not in self.replaced)

    def births(self) -> dict[str, str]:
        """The dates of birth, as far as they are known."""
        given = {name: self.patients[name].content.get("birthDate") for name in self.names()}
        days = {name: str(day)[:DATE] for name, day in given.items() if day}
        return {name: day for name, day in days.items() if bounds(day, "UTC")}

    def own(self) -> dict[str, list[tuple[str, str]]]:
        """What tells who each person is: kind and text, also of those whom one replaced."""
        found: dict[str, list[tuple[str, str]]] = {}
        for name, one in self.patients.items():
            own = found.setdefault(self._survivor(name), [])
            own += [(kind, text) for kind, path in OWN for text in _texts(one.content, path)]
        return found

    def events(self, time_zone: str | None, record: int) -> list[dict[str, Any]]:
        """The sex, which always holds, and death, numbered from `record` on."""
        rows = []
        for name in self.names():
            one = self.patients[name]
            place = {"patient": name, "file": one.file.name, "line": one.line}
            if gender := one.content.get("gender"):
                rows.append({**place, "code": SEX, "text": str(gender)})
            died = one.content.get("deceasedDateTime")
            try:
                span = bounds(str(died), time_zone) if died else None
            except NoZone:
                raise no_zone(one.file, one.line) from None
            if span or died or one.content.get("deceasedBoolean") is True:
                first, last = span or (None, None)
                times = {"time": first, "latest": last, "known": last}
                rows.append({**place, "code": DEATH, **times})
        return [{**row, "record": record + i} for i, row in enumerate(rows)]

    def notes(self) -> list[str]:
        """Who was merged, and who is linked and stays apart."""
        merged = f"{count_shown(len(self.replaced))} persons were merged, as the files say"
        linked = f"{count_shown(self.linked)} links of persons (seealso, refer) join nobody"
        return [*([merged] if self.replaced else []), *([linked] if self.linked else [])]


def _name(patient: Resource, server: str | None) -> str:
    """The id of a person; of another server than the export's also that, or what a bundle has."""
    if not patient.keys:
        raise DataError(
            "A Patient without id, which no reference can name",
            file=patient.file,
            row=patient.line,
        )
    own = "id" in patient.content and patient.base in (None, server)
    return str(patient.content["id"]) if own else patient.keys[0]


def _texts(content: Any, path: tuple[str, ...]) -> Iterator[str]:
    """All texts at a path, whose elements may be lists."""
    if isinstance(content, list):
        for one in content:
            yield from _texts(one, path)
    elif path and isinstance(content, dict):
        yield from _texts(content.get(path[0]), path[1:])
    elif not path and isinstance(content, str):
        yield content


def _key(identifier: dict[str, Any]) -> tuple[str, str]:
    """An identifier as it is compared: by its system and value."""
    return str(identifier.get("system")), str(identifier["value"] if "value" in identifier else "")
