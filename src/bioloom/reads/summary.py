"""All samples of a data set: the sheet of what is ready, their figures, and what looks odd."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
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


def list_reads(
    lanes: Sequence[Lane],
    trimmed: Trimmed,
    bams: Mapping[str, Path],
    statistics: Mapping[str, Path],
    reference: Path | None,
    sheet: Path,
) -> dict[str, Any]:
    """Write the sheet of the samples that have reads, and give what is known of each sample.

    `bams` and `statistics` are by the sample's name in file names, and empty where reads are
    trimmed only. Rows of reads that came aligned stay. DataError where no sample is left.
    """
    samples = {
        sample: _sample(sample, trimmed, statistics, reference)
        for sample in dict.fromkeys(lane.sample for lane, _ in trimmed)
    }
    kept = {sample for sample, found in samples.items() if found["fragments_kept"]}
    rows = [lane for lane in lanes if lane.bam]
    for lane, folder in trimmed:
        if lane.sample not in kept:
            continue
        if not bams:
            files = sorted(map(str, folder.glob("*.fastq.gz")))
            mates = dict(zip(("fastq_1", "fastq_2"), files, strict=False))
            one = Lane(lane.sample, **mates, lane=lane.lane, platform=lane.platform)
            rows += [one] if read_json(folder / "trimmed.json")["fragments_kept"] else []
        elif all(row.sample != lane.sample for row in rows):
            bam = str(bams[lane.folder])
            rows.append(Lane(lane.sample, bam=bam, platform=lane.platform))
    if not rows:
        counts = ", ".join(f"{name}: 0 of {s['fragments']}" for name, s in samples.items())
        hint = "`adapters`, `trim_quality` and `min_read_length` decide what is kept"
        raise DataError(f"No sample has reads after trimming ({counts} fragments)", hint=hint)
    write_sheet(rows, sheet)
    return samples


def write_summary(samples: Mapping[str, Mapping[str, Any]], file: Path) -> None:
    """Write it as JSON, and as a table beside it (`.csv`), a row a sample."""
    write_json(samples, file)
    columns = dict.fromkeys(key for found in samples.values() for key in found)
    table = file.with_suffix(".csv")
    with replacing(table) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["sample", *columns])
        for sample, found in samples.items():
            writer.writerow([sample, *(_cell(found.get(column)) for column in columns)])


def _sample(
    sample: str, trimmed: Trimmed, statistics: Mapping[str, Path], reference: Path | None
) -> dict[str, Any]:
    """The figures of a sample over its lanes, those of its BAM, and hints."""
    lanes = [(lane, read_json(folder / "trimmed.json")) for lane, folder in trimmed]
    records = [record for lane, record in lanes if lane.sample == sample]
    [folder] = {lane.folder for lane, _ in lanes if lane.sample == sample}
    keys = ("fragments", "fragments_kept", "too_short", "bases", "bases_kept")
    found: dict[str, Any] = {key: sum(record[key] for record in records) for key in keys}
    files = [file for record in records for file in record["files"]]
    reads = sum(file["reads"] for file in files)
    cut = [of_mate for record in records for of_mate in record["cut"].values()]
    for name in ("adapter", "polyG"):
        of_reads = sum(mate[name]["reads"] for mate in cut if name in mate)
        found[f"{name.lower()}_reads"] = round(of_reads / max(reads, 1), 4)
    found |= {
        "gc": round(sum(file["gc"] for file in files) / max(found["bases"], 1), 4),
        "dimers": max(record["dimers"] for record in records),
        "frequent": {s: share for record in records for s, share in record["frequent"].items()},
        "phred_64": sorted(f["file"] for f in files if f["quality_offset"] == 64),
        "quality_offset_assumed": sorted(f["file"] for f in files if f["is_offset_assumed"]),
    }
    found |= read_statistics(statistics[folder]) if folder in statistics else {}
    reference_gc = read_facts(reference)["gc"] if reference else None
    return found | {"hints": hints(found, reference_gc)}


def hints(found: Mapping[str, Any], reference_gc: float | None) -> list[str]:
    """What may be wrong with a sample, one sentence each; the limits are rules of thumb."""
    if not found["fragments_kept"]:
        return [f"left out: 0 of {found['fragments']} fragments are left after trimming"]
    unknown = {s: x for s, x in found["frequent"].items() if x > 0.01 and not _is_known(s)}
    said = {
        "adapter dimers: fragments without an insert": found["dimers"] > 0.01,
        "adapters in many reads: fragments are shorter than reads": found["adapter_reads"] > 0.2,
        "many reads end in G: no light on a machine of two colours": found["polyg_reads"] > 0.05,
        "frequent sequences of unknown origin": bool(unknown),
        "few reads are mapped: another organism, or another build": found.get("mapped", 1) < 0.8,
        "many copies: little material, or many cycles": found.get("duplicates", 0) > 0.3,
        "GC is unlike the reference's: contamination, or a selection of regions": (
            reference_gc is not None and abs(found["gc"] - reference_gc) > 0.05
        ),
        "quality characters do not tell their encoding: Phred+33 is taken": bool(
            found["quality_offset_assumed"]
        ),
        "Phred+64 was converted": bool(found["phred_64"]),
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
