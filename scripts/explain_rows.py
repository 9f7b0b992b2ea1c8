"""Say what the answers to new data rest on, row by row."""

from pathlib import Path

from bioloom.explanation.rows import explain_rows
from bioloom.features import read_features
from bioloom.fitted import Fitted
from bioloom.pipeline.command import run
from bioloom.samples import read_samples, write_table


def main(samples: Path, features: Path, model: Path, folder: Path) -> None:
    """Write a CSV file a table into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    new, extracted = read_samples(samples), read_features(features)
    for name, table in explain_rows(new, extracted, Fitted.load(model), samples).items():
        write_table(table, folder / f"{name}.csv")


if __name__ == "__main__":
    run(__doc__, {"samples": Path, "features": Path, "model": Path, "folder": Path}, main)
