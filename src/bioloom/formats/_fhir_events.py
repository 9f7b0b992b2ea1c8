"""What of a resource of FHIR becomes an event: which status, code, times and value it must have."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bioloom.formats import ucum
from bioloom.formats._fhir_resources import (
    Malformed,
    Resource,
    found_in,
    shaped,
    split_reference,
    typed,
)
from bioloom.formats.times import bounds

STANDARD = ("http://loinc.org", "http://snomed.info/sct")
"""Of a coded value with several codings the first of these systems is taken, else the first."""
Span = tuple[int | None, int | None]
NO_TIME: Span = (None, None)


@dataclass(frozen=True)
class Left:
    """Why a record, or a part of one, is no event."""

    reason: str


@dataclass(frozen=True)
class Reading:
    """How a type of resource is read.

    `codes` names the fields of its code, `times` those of when it happened, the first that is
    there, `known` that of when it was told; where it is `told` apart and not there, the record
    began long before anybody knew of it, maybe. Of a period (`open`) the begin alone is meant: who
    is admitted is known before the stay is over.
    """

    statuses: tuple[str, ...]
    codes: tuple[str, ...]
    times: tuple[str, ...]
    known: str | None = None
    open: bool = False
    told: bool = False


READINGS = {
    "Observation": Reading(
        ("final", "amended", "corrected"),
        ("code",),
        ("effectiveDateTime", "effectiveInstant", "effectivePeriod"),
        "issued",
    ),
    "Condition": Reading(
        *((), ("code",), ("onsetDateTime", "onsetPeriod", "recordedDate")),
        *("recordedDate", True, True),
    ),
    "MedicationRequest": Reading(
        ("active", "on-hold", "completed", "stopped"),
        ("medicationCodeableConcept", "medicationReference"),
        ("authoredOn",),
    ),
    "MedicationStatement": Reading(
        ("active", "completed", "on-hold", "stopped"),
        ("medicationCodeableConcept", "medicationReference"),
        ("effectiveDateTime", "effectivePeriod"),
        *("dateAsserted", True, True),
    ),
    "Procedure": Reading(
        ("completed", "in-progress"), ("code",), ("performedDateTime", "performedPeriod")
    ),
    "Encounter": Reading(
        ("finished", "in-progress", "arrived", "triaged", "onleave"),
        ("class", "type"),
        ("period",),
        open=True,
    ),
}
DOSES = {"MedicationRequest": "dosageInstruction", "MedicationStatement": "dosage"}
"""Where a drug says how much of it is taken."""
ORDERS = ("order", "original-order", "reflex-order", "filler-order", "instance-order")


def events_of(
    resource: Resource, by_key: Mapping[str, Any], time_zone: str | None, known_at_onset: bool
) -> Iterator[dict[str, Any] | Left]:
    """The events of a resource, each with its `codes`, times, value, unit and text; or why none.

    `uncoded` says that the unit is a text alone. `by_key` finds resources that it refers to;
    `known_at_onset` says that what began was known, where nothing says since when. Raises
    `times.NoZone` for a time without any zone.
    """
    content, reading = resource.content, READINGS[resource.kind]
    if reason := _refused(content, resource.kind, reading):
        yield Left(reason)
        return
    times = _times(content, reading, time_zone, known_at_onset)
    if isinstance(times, Left):
        yield times
        return
    codes = _codes(resource, reading, by_key)
    if resource.kind != "Observation":
        dose = _dose(content) if resource.kind in DOSES else {}
        yield {"codes": codes, **times, **dose} if codes else Left("no code")
        return
    yield from _measured(content, codes, times)


STATUSES = frozenset(
    "registered preliminary cancelled entered-in-error unknown draft intended not-taken planned"
    " preparation not-done on-hold stopped ended active".split()
)
"""Words that a message may show."""


def _refused(content: Mapping[str, Any], kind: str, reading: Reading) -> str | None:
    """Why a resource does not count as it stands."""
    status = content.get("status")
    if reading.statuses and status not in reading.statuses:
        return f"status {status}" if status in STATUSES else "no known status"
    if kind == "Condition":
        verified = {one.get("code") for one in _codings(content.get("verificationStatus"))}
        if verified - {"confirmed"}:
            return "not confirmed, but refuted, in doubt or entered in error"
    if content.get("doNotPerform") is True or (
        kind == "MedicationRequest" and content.get("intent") not in ORDERS
    ):
        return "no order"
    return None


def _codings(concept: Any) -> list[dict[str, Any]]:
    return [one for one in (concept or {}).get("coding", []) if one.get("code")]


def _written(coding: Mapping[str, Any]) -> str:
    return f"{coding.get('system', '')}|{coding['code']}"


def _codes(resource: Resource, reading: Reading, by_key: Mapping[str, Any]) -> list[str]:
    """All codes of a resource, also those of a medication that it refers to."""
    content, found = resource.content, list[str]()
    for name in reading.codes:
        given = content.get(name)
        if name == "medicationReference" and given:
            reference = str(given.get("reference", ""))
            held = {f"#{one.get('id')}": one for one in content.get("contained", [])}
            base, local = split_reference(reference)
            drug = held.get(reference) or found_in(by_key, base or resource.base, local)
            given = (drug or {}).get("code")
        concepts = given if isinstance(given, list) else [given]
        for concept in filter(None, concepts):
            of_class = [concept] if concept.get("code") and "coding" not in concept else []
            found += [_written(one) for one in of_class or _codings(concept)]
    return [*dict.fromkeys(found)]


def _times(
    content: Mapping[str, Any], reading: Reading, time_zone: str | None, known_at_onset: bool
) -> dict[str, int | None] | Left:
    """When it happened, and by when it was known: not before both of what is told of it."""
    happened = next(((n, content[n]) for n in reading.times if content.get(n)), None)
    if happened is None:
        return Left("no time")
    span = _span(happened[1], time_zone, reading.open)
    told = content.get(reading.known) if reading.known else None
    issued = _span(told, time_zone, reading.open) if told else span
    if span == NO_TIME or issued == NO_TIME:
        return Left("a time that is no date of FHIR")
    known = max(edge for edge in (span[1], issued[1]) if edge is not None)
    untold = reading.told and not told and not known_at_onset
    return {"time": span[0], "latest": span[1], "known": None if untold else known}


def _span(given: Any, time_zone: str | None, only_begin: bool) -> Span:
    """The first and last instant of a date, a time or a period."""
    if not isinstance(given, dict):
        return bounds(str(given), time_zone) or NO_TIME
    begin = bounds(str(given.get("start", "")), time_zone)
    end = bounds(str(given.get("end", "")), time_zone)
    if begin is None or (end is None and not only_begin):
        return NO_TIME
    return begin if only_begin or end is None else (begin[0], end[1])


def _measured(
    content: Mapping[str, Any], codes: list[str], times: Mapping[str, int | None]
) -> Iterator[dict[str, Any] | Left]:
    """The value of an observation, and each of its components as one of its own."""
    parts = content.get("component", [])
    value = _value(content)
    if value is not None or not (parts or content.get("hasMember")):
        yield _event(codes, times, value)
    for part in parts:
        named = [_written(one) for one in _codings(part.get("code"))]
        yield _event(named, times, _value(part))


def _dose(content: Mapping[str, Any]) -> dict[str, Any]:
    """The number and unit of what is taken at once, where one amount alone is told."""
    try:
        with shaped():
            given = [
                rate.get("doseQuantity")
                for one in content.get(DOSES[content["resourceType"]], [])
                for rate in one.get("doseAndRate", [])
            ]
            quantity = _quantity(given[0]) if len(given) == 1 and given[0] else None
    except Malformed:  # the drug was ordered, however odd its amount is written
        return {}
    return quantity if isinstance(quantity, dict) else {}


def _event(
    codes: list[str], times: Mapping[str, int | None], value: dict[str, Any] | Left | None
) -> dict[str, Any] | Left:
    if isinstance(value, Left):
        return value
    if value is None:
        return Left("no value")
    return {"codes": codes, **times, **value} if codes else Left("no code")


def _value(part: Mapping[str, Any]) -> dict[str, Any] | Left | None:
    """Number and unit, or text, of what is measured; None where there is no value."""
    if "valueQuantity" in part:
        return _quantity(part["valueQuantity"])
    if "valueInteger" in part:
        return {"value": float(typed(part["valueInteger"], int)), "unit": "1"}
    if "valueCodeableConcept" in part:
        codings = _codings(part["valueCodeableConcept"])
        if not codings:
            return {"text": typed(part["valueCodeableConcept"].get("text"), str, type(None))}
        first = {one.get("system"): one for one in reversed(codings)}
        best = next((first[system] for system in STANDARD if system in first), codings[0])
        return {"text": str(best["code"])}
    if "valueString" in part:
        return {"text": typed(part["valueString"], str)}
    if "valueBoolean" in part:
        return {"text": str(typed(part["valueBoolean"], bool)).lower()}
    return Left("a value of another type") if any(n.startswith("value") for n in part) else None


def _quantity(given: Mapping[str, Any]) -> dict[str, Any] | Left | None:
    """A quantity: what its unit's code says; both where the text says another, which no list has.

    So the value is refused, and that there was one stays known.
    """
    if given.get("value") is None:
        return None
    value = float(typed(given["value"], int, float))
    text = typed(given.get("unit"), str, type(None))
    if not math.isfinite(value):
        raise ValueError("no number")
    code = given.get("code") if given.get("system") == ucum.SYSTEM else None
    unit = code or text or given.get("code")
    if given.get("comparator"):
        return {"text": f"{given['comparator']} {value:.15g} {unit or ''}".strip()}
    if code and text and ucum.differ(str(text), str(code)):
        return {"value": value, "unit": f"{text} or {code}"}
    return {"value": value, "unit": unit, "uncoded": bool(unit) and not code}
