"""Measure the held-out predictions: metrics with intervals, baselines, curves."""

from pathlib import Path

from bioloom.application import get_application
from bioloom.evaluation.evaluate import evaluate
from bioloom.files import write_json
from bioloom.kinds import kind_of
from bioloom.pipeline.command import json_object, run
from bioloom.samples import read_samples, read_table, write_table
from bioloom.splits import read_splits


def main(
    task: str,
    application: str,
    kinds: list[str],
    samples: Path,
    splits: Path,
    nodes: list[Path],
    nearest: Path,
    held_out: Path,
    fewer: list[Path],
    options: dict,
    seed: int,
    metrics: Path,
    plots: Path,
) -> None:
    """Write metrics.json and plots/*.csv."""
    table, described = read_samples(samples), get_application(application)
    measured, curves = evaluate(
        table,
        read_splits(splits, table),
        read_table(held_out),
        task=task,
        application=application,
        kind=kind_of(kinds, table),
        options=options,
        seed=seed,
        nearest=read_table(nearest),
        nodes=read_table(nodes[0]) if nodes else None,
        fewer=read_table(fewer[0]) if fewer else None,
        directed=described.directed,
        private=described.private,
    )
    write_json(measured, metrics)
    for name, curve in curves.items():
        write_table(curve, plots / f"{name}.csv")


if __name__ == "__main__":
    arguments = {
        "task": str,
        "application": str,
        "kinds": [str],
        "samples": Path,
        "splits": Path,
        "nodes": [Path],
        "nearest": Path,
        "held_out": Path,
        "fewer": [Path],
        "options": json_object,
        "seed": int,
        "metrics": Path,
        "plots": Path,
    }
    run(__doc__, arguments, main)
