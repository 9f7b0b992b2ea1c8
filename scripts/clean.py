"""Standardise raw rows to samples, and record what was kept, dropped and why."""

import sys
from pathlib import Path

from bioloom.application import get_application
from bioloom.errors import DataError
from bioloom.files import read_json, write_json
from bioloom.pipeline.command import json_object, run
from bioloom.samples import Raw, label_columns, read_table, write_samples, write_table
from bioloom.samples.cleaning import likely_slips
from bioloom.samples.quality import quality as describe_quality


def main(
    application: str,
    dataset: str,
    raw: Path,
    notes: Path,
    options: dict,
    samples: Path,
    dropped: Path,
    quality: Path,
) -> None:
    """Write samples.parquet, dropped.parquet and quality.json.

    Labels of new data are not looked at: their rows stay, whatever they say. Of new data no sample
    need be left: reads may nowhere differ from the reference, and rows that are dropped get their
    reason as prediction.
    """
    chosen = get_application(application)
    rows = read_table(raw)
    if dataset != "training":
        labels = label_columns(rows)
        if rows[labels].notna().any(axis=None):
            print("Labels of new data are set aside: `scored` compares them", file=sys.stderr)
        rows = rows.drop(columns=labels)
    slips = likely_slips(rows, private=chosen.private)
    read, cleaned = Raw(rows, [*read_json(notes), *slips]), chosen.clean(rows, options)
    for note in [*read.notes, *cleaned.notes]:
        print(note, file=sys.stderr)
    if cleaned.samples.empty and dataset == "training":
        hint = "quality.json and the `clean` options say what was dropped"
        raise DataError("No samples are left after cleaning", file=raw, hint=hint)
    write_samples(cleaned.samples, samples)
    write_table(cleaned.dropped, dropped)
    described = describe_quality(read, cleaned, private=chosen.private)
    for reason, count in described["dropped"].items():
        print(f"Dropped {count} of {len(rows)} rows: {reason}", file=sys.stderr)
    write_json(described, quality)


if __name__ == "__main__":
    arguments = {
        "application": str,
        "dataset": str,
        "raw": Path,
        "notes": Path,
        "options": json_object,
        "samples": Path,
        "dropped": Path,
        "quality": Path,
    }
    run(__doc__, arguments, main)
