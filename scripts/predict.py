"""Predict new data with a trained model."""

from pathlib import Path

import pandas as pd

from bioloom.command import run
from bioloom.features import read_features
from bioloom.fitted import Fitted
from bioloom.predictions import predict, with_dropped
from bioloom.samples import read_samples, write_table


def main(samples: Path, dropped: Path, features: Path, model: Path, predictions: Path) -> None:
    """Write predictions.parquet."""
    fitted = Fitted.load(model)
    table = predict(read_samples(samples), read_features(features), fitted, samples)
    write_table(with_dropped(table, pd.read_parquet(dropped), fitted), predictions)


if __name__ == "__main__":
    arguments = {
        "samples": Path,
        "dropped": Path,
        "features": Path,
        "model": Path,
        "predictions": Path,
    }
    run(__doc__, arguments, main)
