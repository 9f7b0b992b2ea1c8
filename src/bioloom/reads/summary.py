"""All samples of a data set: the sheet of what is ready, their figures, and what looks odd."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bioloom.errors import DataError
from bioloom.files import read_json, replacing, write_json
from bioloom.formats.sample_sheet import Lane, write_sheet
from bioloom.reads.choices import KITS
from bioloom.reads.reference import read_facts
from bioloom.reads.statistics import read_statistics

Trimmed = Sequence[tuple[Lane, Path]]
"""Lanes with the folders of their trimmed reads."""
MANY = 100_000  # reads, of which some are copies whatever the library


def list_reads(
    lanes: Sequence[Lane], trimmed: Trimmed, bams: Mapping[str, Path], sheet: Path
) -> None:
    """Write the sheet of the samples that have reads; rows of reads that came aligned stay.

    `bams` are those of the samples by name, and empty where reads are trimmed only. DataError
    where no sample is left.
    """
    counts = {lane: read_json(folder / "trimmed.json") for lane, folder in trimmed}
    rows = [lane for lane in lanes if lane.bam]
    for lane, folder in trimmed:
        if not counts[lane]["fragments_kept"]:
            continue
        if not bams:
            files = sorted(map(str, folder.glob("*.fastq.gz")))
            mates = dict(zip(("fastq_1", "fastq_2"), files, strict=False))
            rows.append(replace(lane, **{"fastq_1": "", "fastq_2": ""} | mates))
        elif all(row.sample != lane.sample for row in rows):
            bam = str(bams[lane.sample])
            rows.append(Lane(lane.sample, bam=bam, platform=lane.platform))
    if not rows:
        said = ", ".join(f"{lane.sample}: 0 of {c['fragments']}" for lane, c in counts.items())
        hint = "`adapters`, `trim_quality` and `min_read_length` decide what is kept"
        raise DataError(f"No sample has reads after trimming ({said} fragments)", hint=hint)
    write_sheet(rows, sheet)


def summarise_reads(
    trimmed: Trimmed, statistics: Mapping[str, Path], reference: Path | None
) -> dict[str, dict[str, Any]]:
    """What is known of each sample: of its lanes as they were trimmed, of its BAM, and hints.

    `statistics` are folders by sample, `reference` is the folder of the one that is ready.
    """
    lanes: dict[str, list[dict[str, Any]]] = {}
    for lane, folder in trimmed:
        lanes.setdefault(lane.sample, []).append(read_json(folder / "trimmed.json"))
    gc = read_facts(reference)["gc"] if reference else None
    samples = {}
    for sample in dict.fromkeys([*lanes, *statistics]):
        found = _trimmed(lanes[sample]) if sample in lanes else {}
        found |= read_statistics(statistics[sample]) if sample in statistics else {}
        samples[sample] = found | {"hints": hints(found, gc)}
    return samples


def write_summary(samples: Mapping[str, Mapping[str, Any]], file: Path, table: Path) -> None:
    """Write it as JSON, and as a table in CSV, a row a sample."""
    write_json(samples, file)
    columns = dict.fromkeys(key for found in samples.values() for key in found)
    with replacing(table) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["sample", *columns])
        for sample, found in samples.items():
            writer.writerow([sample, *(_cell(found.get(column)) for column in columns)])


def _trimmed(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures over the lanes of a sample."""
    keys = ("fragments", "fragments_kept", "too_short", "bases", "bases_kept")
    found: dict[str, Any] = {key: sum(record[key] for record in records) for key in keys}
    files = [file for record in records for file in record["files"]]
    reads = sum(file["reads"] for file in files)
    cut = [of_mate for record in records for of_mate in record["cut"].values()]
    for name in ("adapter", "polyG"):
        of_reads = sum(mate[name]["reads"] for mate in cut if name in mate)
        found[f"{name.lower()}_reads"] = round(of_reads / max(reads, 1), 4)
    return found | {
        "gc": round(sum(file["gc"] for file in files) / max(found["bases"], 1), 4),
        "dimers": max(record["dimers"] for record in records),
        "frequent": {s: share for record in records for s, share in record["frequent"].items()},
        "phred_64": sorted(f["file"] for f in files if f["quality_offset"] == 64),
        "quality_offset_assumed": sorted(f["file"] for f in files if f["is_offset_assumed"]),
    }


def hints(found: Mapping[str, Any], reference_gc: float | None) -> list[str]:
    """What may be wrong with a sample, one sentence each; the limits are rules of thumb."""
    if found.get("fragments_kept") == 0:
        return [f"left out: 0 of {found['fragments']} fragments are left after trimming"]
    frequent = {s for s, share in found.get("frequent", {}).items() if share > 0.01}
    gc = found.get("gc")
    said = {
        "adapter dimers: fragments without an insert": found.get("dimers", 0) > 0.01,
        "adapters in many reads: fragments are shorter than reads": (
            found.get("adapter_reads", 0) > 0.2
        ),
        "many reads end in G: no light on a machine of two colours": (
            found.get("polyg_reads", 0) > 0.05
        ),
        "frequent sequences of unknown origin": not all(map(_is_known, frequent)),
        "few reads are mapped: another organism, or another build": found.get("mapped", 1) < 0.8,
        "many copies: little material, or many cycles": found.get("duplicates", 0) > 0.3,
        "no copies are marked: each counts as a witness of its own where variants are called": (
            found.get("reads", 0) >= MANY and found.get("duplicates") == 0
        ),
        "GC is unlike the reference's: contamination, or a selection of regions": (
            gc is not None and reference_gc is not None and abs(gc - reference_gc) > 0.05
        ),
        "quality characters do not tell their encoding: Phred+33 is taken": bool(
            found.get("quality_offset_assumed")
        ),
        "Phred+64 was converted": bool(found.get("phred_64")),
    }
    return [sentence for sentence, is_so in said.items() if is_so]


def _is_known(sequence: str) -> bool:
    """Whether a frequent sequence is an adapter, or a run of one letter."""
    starts = [adapter[:12] for adapters in KITS.values() for adapter in adapters]
    return any(start in sequence for start in starts) or len(set(sequence)) == 1


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return "; ".join(value)
    return json.dumps(value) if isinstance(value, dict) else value
