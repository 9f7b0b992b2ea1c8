"""Compare the predictions of a labelled data set that is not trained on with its labels."""

import sys
from pathlib import Path

from bioloom.application import get_application
from bioloom.features import read_features
from bioloom.files import write_json
from bioloom.fitted import Fitted
from bioloom.pipeline.command import json_object, run
from bioloom.privacy.small_cells import count_shown
from bioloom.samples import label_columns, read_samples, read_table, write_table
from bioloom.splits import read_splits
from bioloom.training.scored import answer, score, with_labels


def main(
    task: str,
    samples: Path,
    splits: Path,
    features: list[Path],
    model: Path,
    new: Path,
    raw: Path,
    nodes: list[Path],
    new_features: list[Path],
    options: dict,
    seed: int,
    metrics: Path,
    plots: Path,
) -> None:
    """Write metrics.json and plots/*.csv, as of the held-out rows, with what is left out."""
    trained, described = read_samples(samples), get_application(options["application"])
    parts, fitted = read_splits(splits, trained), Fitted.load(model)
    known = label_columns(trained)
    rows = read_table(raw)
    if described.labels is not None:
        rows = described.labels(rows, options.get("clean", {}))
    labelled, counts = with_labels(read_samples(new), rows, known, fitted)
    left_out = {reason: count_shown(n, described.private) for reason, n in counts.items()}
    for reason, count in left_out.items():
        print(f"{count} rows {reason} are not scored", file=sys.stderr)
    made, extracted = (
        {file.stem: read_features(file) for file in files} for files in (features, new_features)
    )
    answers = answer(trained, parts, made, options, seed, fitted, labelled, extracted)
    measured, curves = score(
        trained,
        parts,
        labelled,
        answers,
        fitted,
        task=task,
        application=options["application"],
        options=options.get("evaluate", {}),
        seed=seed,
        nodes=read_table(nodes[0]) if nodes else None,
        directed=described.directed,
        private=described.private,
    )
    write_json(measured | {"left_out": left_out}, metrics)
    for name, curve in curves.items():
        write_table(curve, plots / f"{name}.csv")


if __name__ == "__main__":
    arguments = {
        "task": str,
        "samples": Path,
        "splits": Path,
        "features": [Path],
        "model": Path,
        "new": Path,
        "raw": Path,
        "nodes": [Path],
        "new_features": [Path],
        "options": json_object,
        "seed": int,
        "metrics": Path,
        "plots": Path,
    }
    run(__doc__, arguments, main)
