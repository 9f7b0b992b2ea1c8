"""Say what the answers to new data rest on, row by row."""

from pathlib import Path

from bioloom.explanation.rows import explain_rows
from bioloom.features import read_features
from bioloom.fitted import Fitted
from bioloom.pipeline.command import json_object, run
from bioloom.samples import read_samples, write_table


def main(samples: Path, features: Path, model: Path, files: dict, folder: Path) -> None:
    """Write a CSV file a table into `folder`; errors name the user's `files` of the samples."""
    folder.mkdir(parents=True, exist_ok=True)
    new, extracted = read_samples(samples), read_features(features)
    told = explain_rows(new, extracted, Fitted.load(model), ", ".join(files.values()))
    for name, table in told.items():
        write_table(table, folder / f"{name}.csv")


if __name__ == "__main__":
    arguments = {
        "samples": Path,
        "features": Path,
        "model": Path,
        "files": json_object,
        "folder": Path,
    }
    run(__doc__, arguments, main)
