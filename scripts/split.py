"""Split samples so that no group straddles, and audit how near each test item is to training."""

from pathlib import Path

import pandas as pd

from bioloom.application import get_application
from bioloom.files import write_json
from bioloom.pipeline.command import json_object, run
from bioloom.samples import read_samples, write_table
from bioloom.similarity import measure_of
from bioloom.splits import write_splits
from bioloom.splits.leakage import audit as audit_leakage
from bioloom.splits.split import split_samples


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
    parts = split_samples(table, options, seed)
    report, items = audit_leakage(
        table,
        parts,
        audit,
        measure=measure_of(chosen.measures, table),
        private=chosen.private,
        nodes=pd.read_parquet(nodes[0]) if nodes else None,
        directed=chosen.directed,
    )
    write_splits(parts, table, splits)
    write_json(report, leakage)
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
