"""Write a page for each person of a new data set."""

from pathlib import Path

from bioloom.explanation.rows import explain_rows
from bioloom.features import read_features
from bioloom.fitted import Fitted
from bioloom.pipeline.command import json_object, run
from bioloom.report.person import write_pages
from bioloom.samples import read_samples, read_table


def main(
    application: str,
    samples: Path,
    features: Path,
    predictions: Path,
    model: Path,
    files: dict,
    about: dict,
    folder: Path,
) -> None:
    """Write index.html and a page a person into `folder`; errors name the user's `files`."""
    new, fitted = read_samples(samples), Fitted.load(model)
    told = {}
    if fitted.model.tells:
        told = explain_rows(new, read_features(features), fitted, ", ".join(files.values()))
    facts = fitted.settings | {"model": fitted.model_name}
    write_pages(new, read_table(predictions), told, facts, application, about, folder)


if __name__ == "__main__":
    arguments = {
        "application": str,
        "samples": Path,
        "features": Path,
        "predictions": Path,
        "model": Path,
        "files": json_object,
        "about": json_object,
        "folder": Path,
    }
    run(__doc__, arguments, main)
