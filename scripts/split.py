"""Split samples so that no group straddles, and audit how near each test item is to training."""

import sys
from pathlib import Path

from bioloom.application import get_application
from bioloom.files import write_json
from bioloom.pipeline.command import json_object, run
from bioloom.samples import read_samples, read_table, write_table
from bioloom.similarity import measure_of
from bioloom.splits import write_splits
from bioloom.splits.leakage import audit as audit_leakage
from bioloom.splits.split import chosen_options, split_samples


def main(
    application: str,
    samples: Path,
    nodes: list[Path],
    options: dict,
    audit: dict,
    seed: int,
    splits: Path,
    leakage: Path,
    nearest: Path,
) -> None:
    """Write splits.parquet, leakage.json and leakage.parquet."""
    chosen = get_application(application)
    table = read_samples(samples)
    split = chosen_options(table, options)
    if audit.get("limit") == "auto":  # what was kept apart stays apart; nothing else has a limit
        audit = {"limit": split.get("identity")}
    parts = split_samples(table, split, seed)
    report, items = audit_leakage(
        table,
        parts,
        audit,
        measure=measure_of(chosen.measures, table),
        private=chosen.private,
        nodes=read_table(nodes[0]) if nodes else None,
        directed=chosen.directed,
    )
    for flag in report["flags"]:
        print(flag, file=sys.stderr)
    write_splits(parts, table, splits)
    described = ", ".join(f"{name} {value}" for name, value in split.items())
    write_json({"split": described} | report, leakage)
    write_table(items, nearest)


if __name__ == "__main__":
    arguments = {
        "application": str,
        "samples": Path,
        "nodes": [Path],
        "options": json_object,
        "audit": json_object,
        "seed": int,
        "splits": Path,
        "leakage": Path,
        "nearest": Path,
    }
    run(__doc__, arguments, main)
