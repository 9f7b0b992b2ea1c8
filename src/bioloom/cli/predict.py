"""Predict the rows of a file with a trained model; nothing of the project is changed.

How the file is read, cleaned and turned into features is what the task says that trained the model:
`task.yaml`, beside its model folder. The bytes are those that the pipeline would write.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from bioloom.application import Application, get_application
from bioloom.cli.check import config_here
from bioloom.cli.run import MENDABLE, failure, started
from bioloom.errors import DataError, unknown_name
from bioloom.files import read_json, replacing

HELP = "predict the rows of a file with a trained model"
OUTCOME = {"label", "time", "event", "entry", "group", "weight", "split"}
"""Columns of training data that new data need not have."""
SAMPLES = "results/predicted/new/samples.parquet"
OF_THE_OTHER = ("scored", "prior", "parts")
"""What is said of one data set and not of the next."""
TABLE = "results/predicted/new/predictions.csv"
DRIFT = "results/predicted/new/drift.json"
CONFIG = ("seed", "sources")
"""Of config.yaml, what is not about its tasks."""
SHARED = (".bioloom", "resources")
"""Stored embeddings and downloads of the project at work, which are not made anew."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, the data and where predictions go."""
    parser.add_argument("model", type=Path, help="results/<task>/model")
    parser.add_argument(
        "data", nargs="+", help="a file, or <source>=<file> where an application reads several"
    )
    parser.add_argument("--out", type=Path, required=True, help="predictions as CSV")
    parser.add_argument(
        "--task", type=Path, help="the task, where task.yaml is not beside the model"
    )


def main(model: Path, data: list[str], out: Path, task: Path | None) -> int:
    """Write the predictions; exit code 2 for what a user can mend."""
    if out.suffix != ".csv":
        raise DataError("Predictions are written as CSV", file=out, hint="name a file `.csv`")
    described = task or model.parent / "task.yaml"
    if not (model / "model.yaml").is_file():
        raise DataError(
            "No trained model", file=model, hint="such a folder is results/<task>/model"
        )
    if not described.is_file():
        raise DataError(
            "How the model's data are read is not known", file=described, hint="say it by `--task`"
        )
    content = new_task(yaml.safe_load(described.read_text()), model.resolve(), data)
    with TemporaryDirectory(prefix="bioloom-") as folder:
        project = Path(folder)
        (project / "tasks").mkdir()
        kept = {key: value for key, value in config_here().items() if key in CONFIG}
        (project / "config.yaml").write_text(yaml.safe_dump(kept))
        (project / "tasks/predicted.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        for name in SHARED:
            if Path(name).is_dir():
                (project / name).symlink_to(Path(name).resolve())
        process = started("--directory", folder, TABLE)
        said, _ = process.communicate()
        if process.returncode:
            told, mendable = failure(said.splitlines())
            # The samples of the project that is gone by now are the rows of the file.
            print(told.replace(SAMPLES, ", ".join(data)), file=sys.stderr)
            return MENDABLE if mendable else process.returncode
        print(read_json(project / DRIFT)["told"])
        with replacing(out) as temporary:
            shutil.copyfile(project / TABLE, temporary)
    print(f"{out}: predictions by {model}")
    return 0


def new_task(trained: dict[str, Any], model: Path, data: list[str]) -> dict[str, Any]:
    """The task that predicts `data` as the task `trained` would have read them.

    DataError for a source that the application does not have.
    """
    application = get_application(trained["application"])
    given = _named(data, application)
    datasets = trained["datasets"]
    like = next((name for name in datasets if name != "training"), "training")
    options = {k: v for k, v in datasets[like].items() if k not in application.all_sources}
    if like == "training" and "columns" in options:
        columns = options["columns"].items()
        options["columns"] = {role: name for role, name in columns if role not in OUTCOME}
    # What is no file of the new data is as in training, such as a genome.
    kept = {
        source: _absolute(file)
        for source, file in datasets[like].items()
        if source in application.all_sources and source not in given
        if source in application.sources and source != application.sources[0]
    }
    new = options | kept | {source: _absolute(file) for source, file in given.items()}
    shared = ("application", "kind", "clean")
    features = trained.get("features")
    parts = features if isinstance(features, list) else [features] if features else []
    parts = [
        {k: _absolute(v) if k == "model" and Path(v).exists() else v for k, v in p.items()}
        for p in parts
    ]
    return {
        **{key: trained[key] for key in shared if trained.get(key)},
        **({"features": parts if isinstance(features, list) else parts[0]} if parts else {}),
        "trained": str(model),
        "datasets": {"new": {k: v for k, v in new.items() if k not in OF_THE_OTHER}},
    }


def _named(data: list[str], application: Application) -> dict[str, str]:
    """The files by source; one without `<source>=` is of the application's first."""
    given = dict[str, str]()
    for part in data:
        source, named, file = part.partition("=")
        if named and not Path(part).exists():
            if source not in application.all_sources:
                raise unknown_name("source", source, application.all_sources)
        else:
            source, file = application.sources[0], part
        if source in given:
            hint = "one file a source: `<source>=<file>`"
            raise DataError(f"Two files are given for {source}", file=file, hint=hint)
        given[source] = file
    return given


def _absolute(file: Any) -> Any:
    """The path of a file here, wherever it is used; what is no text is a source to fetch."""
    return str(Path(file).resolve()) if isinstance(file, str) else file
