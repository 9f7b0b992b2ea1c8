"""Put the parts of a data set together: their predictions, and these in the form of the field."""

from pathlib import Path

from bioloom.application import get_application
from bioloom.pipeline.command import run
from bioloom.predictions.parts import join_csv, join_parquet


def main(
    application: str,
    parts: list[Path],
    exports: list[Path],
    predictions: Path,
    table: Path,
    folder: Path,
) -> None:
    """Write predictions.parquet, the same as CSV, and the application's files into `folder`."""
    join = get_application(application).join
    if join is None:
        raise ValueError(f"{application} has no parts")
    join_parquet(parts, predictions)
    join_csv([part.with_suffix(".csv") for part in parts], table)
    folder.mkdir(parents=True, exist_ok=True)
    join(exports, folder)


if __name__ == "__main__":
    arguments = {
        "application": str,
        "parts": [Path],
        "exports": [Path],
        "predictions": Path,
        "table": Path,
        "folder": Path,
    }
    run(__doc__, arguments, main)
