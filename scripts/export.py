"""Write predictions of new data in the forms of the field."""

from pathlib import Path

from bioloom.application import get_application
from bioloom.pipeline.command import json_files, json_object, run
from bioloom.samples import read_samples, read_table


def main(
    application: str, files: dict, options: dict, samples: Path, predictions: Path, folder: Path
) -> None:
    """Write the application's files into `folder`."""
    write = get_application(application).write
    if write is None:
        raise ValueError(f"{application} has no files of its own")
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: Path(file) for name, file in files.items()}
    write(read_samples(samples), read_table(predictions), paths, folder, options)


if __name__ == "__main__":
    arguments = {
        "application": str,
        "files": json_files,
        "options": json_object,
        "samples": Path,
        "predictions": Path,
        "folder": Path,
    }
    run(__doc__, arguments, main)
