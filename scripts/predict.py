"""Predict new data with a trained model."""

from pathlib import Path

from bioloom.command import run
from bioloom.features import read_features
from bioloom.fitted import Fitted
from bioloom.predictions import predict
from bioloom.samples import read_samples, write_table


def main(samples: Path, features: Path, model: Path, predictions: Path) -> None:
    """Write predictions.parquet."""
    table = predict(read_samples(samples), read_features(features), Fitted.load(model), samples)
    write_table(table, predictions)


if __name__ == "__main__":
    arguments = {"samples": Path, "features": Path, "model": Path, "predictions": Path}
    run(__doc__, arguments, main)
