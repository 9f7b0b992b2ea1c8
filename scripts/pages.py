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
    about: dict,
    folder: Path,
) -> None:
    """Write index.html and a page a person into `folder`."""
    new, fitted = read_samples(samples), Fitted.load(model)
    told = explain_rows(new, read_features(features), fitted, samples) if fitted.model.tells else {}
    facts = fitted.settings | {"model": fitted.model_name}
    write_pages(new, read_table(predictions), told, facts, application, about, folder)


if __name__ == "__main__":
    arguments = {
        "application": str,
        "samples": Path,
        "features": Path,
        "predictions": Path,
        "model": Path,
        "about": json_object,
        "folder": Path,
    }
    run(__doc__, arguments, main)
