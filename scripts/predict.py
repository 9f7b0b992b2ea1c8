"""Predict new data with a trained model."""

import sys
from pathlib import Path

from bioloom.features import read_features
from bioloom.files import write_json
from bioloom.fitted import Fitted
from bioloom.fitted.signature import unknown_columns
from bioloom.pipeline.command import json_object, run
from bioloom.predictions.drift import drift
from bioloom.predictions.predict import predict, summary, with_dropped
from bioloom.samples import read_samples, read_table, write_table


def main(
    samples: Path,
    dropped: Path,
    features: Path,
    model: Path,
    files: dict,
    options: dict,
    predictions: Path,
    table: Path,
    drift_file: Path,
) -> None:
    """Write drift.json and predictions.parquet, and these as a table that any program opens.

    Errors name the user's `files` of the samples.
    """
    fitted = Fitted.load(model).at_prior(options.get("prior"))
    new = read_samples(samples)
    if unknown := unknown_columns(new, fitted.settings["signature"]):
        print(f"Not used, for training did not have them: {', '.join(unknown)}", file=sys.stderr)
    extracted = read_features(features)
    if extracted.embedder != (trained := fitted.settings["features"]):
        print(f"Features {extracted.embedder!r}, in training {trained!r}", file=sys.stderr)
    found = drift(new, extracted, fitted)
    print(found["told"], file=sys.stderr, flush=True)
    predicted = predict(new, extracted, fitted, ", ".join(files.values()))
    predicted = with_dropped(predicted, read_table(dropped), fitted)
    write_json(found, drift_file)
    write_table(predicted, predictions)
    write_table(predicted, table)
    print(summary(predicted), file=sys.stderr)


if __name__ == "__main__":
    arguments = {
        "samples": Path,
        "dropped": Path,
        "features": Path,
        "model": Path,
        "files": json_object,
        "options": json_object,
        "predictions": Path,
        "table": Path,
        "drift_file": Path,
    }
    run(__doc__, arguments, main)
