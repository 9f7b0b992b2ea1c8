"""Predict the rows of a file with a trained model; no result of the project is changed.

How the file is read, cleaned and turned into features is what the task says that trained the model:
`task.yaml` beside its folder, else what the model knows of that. The bytes are those that the
pipeline would write.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import yaml

from bioloom.application import Application, get_application
from bioloom.cli.check import config_here
from bioloom.cli.run import MENDABLE, failure, started
from bioloom.errors import BEGIN, DataError, unknown_name
from bioloom.files import read_json, replacing
from bioloom.pipeline.check_tables import column_names_of
from bioloom.samples import read_table

HELP = "predict the rows of a file with a trained model"
OUTCOME = {"label", "time", "event", "entry", "arm", "outcome", "group", "weight", "split"}
"""Columns of training data that new data need not have."""
OF_OUTCOME = {
    *("event", "censored", "competing", "horizon", "at_start", "assignment", "good"),
    *("bins", "classes", "unlabelled", "label_separator"),
}
"""Options that say how such columns are read."""
BY_COLUMN = ("privacy", "types", "codebook")
LISTED = ("identifiers", "not_identifiers", "quasi_identifiers")
"""Options about columns that new data may lack: by name, and lists of names."""
OF_THE_OTHER = ("scored", "prior", "parts", "pages", "simulate")
"""What is said of one data set and not of the next."""
RESULTS = "results/predicted/new"
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


def main(model: Path, data: list[str], out: Path, task: Path | None) -> None:
    """Write the predictions; DataError for what a user can mend."""
    if out.suffix != ".csv":
        raise DataError("Predictions are written as CSV", file=out, hint="name a file `.csv`")
    trained = load(model, task)
    with trained.predicted(by_source(data, trained.application)) as folder, replacing(out) as made:
        print(read_json(folder / "drift.json")["told"])
        shutil.copyfile(folder / "predictions.csv", made)
    print(f"{out}: predictions by {model}")


@dataclass(frozen=True)
class TrainedModel:
    """A model folder, and the task that says how the data of the model are read."""

    folder: Path
    task: dict[str, Any]
    places: tuple[Path, ...] = (Path(),)
    """Folders that the paths of the task may be relative to, the likeliest first."""

    @property
    def application(self) -> Application:
        """What the model is of."""
        return get_application(self.task["application"])

    def predict(self, *data: str | Path, **sources: str | Path) -> pd.DataFrame:
        """The predictions of a file, a row an answer, as `bioloom predict` writes them.

        Where an application reads several files they are named by source: `predict(clinical=...,
        expression=...)`. Features are made as in training; DataError for data that do not fit.
        """
        given = [str(file) for file in data] + [f"{name}={file}" for name, file in sources.items()]
        with self.predicted(by_source(given, self.application)) as folder:
            return read_table(folder / "predictions.parquet")

    @contextmanager
    def predicted(self, given: dict[str, str]) -> Iterator[Path]:
        """A folder with `predictions.csv` and `.parquet` of these files, which is gone after it."""
        for file in given.values():
            if not Path(file).exists():
                raise DataError("There is no such file", file=file)
        content = new_task(self.task, self.folder.resolve(), given, self.places)
        with TemporaryDirectory(prefix="bioloom-") as folder:
            project = Path(folder)
            (project / "tasks").mkdir()
            kept = {key: value for key, value in config_here().items() if key in CONFIG}
            (project / "config.yaml").write_text(yaml.safe_dump(kept))
            (project / "tasks/predicted.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
            for name in SHARED:
                if Path(name).is_dir():
                    (project / name).symlink_to(Path(name).resolve())
            process = started("--directory", folder, f"{RESULTS}/predictions.csv")
            said, _ = process.communicate()
            if process.returncode:
                told = failure(process.returncode, said.splitlines())
                error = DataError if process.returncode == MENDABLE else RuntimeError
                raise error(told.removeprefix(BEGIN))
            yield project / RESULTS


def load(folder: str | Path, task: str | Path | None = None) -> TrainedModel:
    """The model in `results/<task>/model`, or in a copy of that folder.

    How its data are read says the file `task`, else task.yaml beside the folder, else the model.
    DataError where there is no such model or file, or none of them tells.
    """
    model = Path(folder)
    own, beside = model / "model.yaml", model.parent / "task.yaml"
    if not own.is_file():
        hint = "such a folder is results/<task>/model"
        raise DataError("No trained model", file=model, hint=hint)
    if task is not None or beside.is_file():
        described = Path(task or beside)
        # results/<task>/task.yaml, or tasks/<task>.yaml, of a project.
        places = (*described.absolute().parents[2:0:-1], Path())
        return TrainedModel(model, _task_in(described), places)
    known = _yaml(own)
    if "reading" not in known:
        hint = "say it by `--task`"
        raise DataError("How the model's data are read is not known", file=own, hint=hint)
    return TrainedModel(model, known["reading"])


def _task_in(file: Path) -> dict[str, Any]:
    """A task file; DataError unless it says what data are read, and how."""
    if not file.is_file():
        raise DataError("There is no such file", file=file)
    task = _yaml(file)
    if "application" not in task or not isinstance(task.get("datasets"), dict):
        hint = "`--task` names a file such as results/<task>/task.yaml"
        raise DataError(
            "This is no task: it has `application` and `datasets`", file=file, hint=hint
        )
    return task


def _yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError("This is no YAML", file=file) from error
    if not isinstance(content, dict):
        raise DataError("This file says nothing", file=file)
    return content


def new_task(
    trained: dict[str, Any],
    model: Path,
    given: dict[str, str],
    places: tuple[Path, ...] = (Path(),),
) -> dict[str, Any]:
    """The task that predicts files, by source, as the task `trained` would have read them.

    Its paths are relative to one of `places`; DataError for a file that is in none of them, and for
    a fine-tuned network that does not lie beside the model.
    """
    application = get_application(trained["application"])
    datasets = trained["datasets"]
    # The first data set without labels; where all have some, they are no part of the new data.
    unlabelled = (n for n, block in datasets.items() if n != "training" and not block.get("scored"))
    like = next(unlabelled, next(iter(datasets)))
    options = {k: v for k, v in datasets[like].items() if k not in application.all_sources}
    labelled = like == "training" or datasets[like].get("scored")
    if labelled and "columns" in options:
        columns = options["columns"].items()
        # Of patients a group is no feature, and new ones need not have it.
        unneeded = OUTCOME - ({"group"} if application.private else set())
        options["columns"] = {role: name for role, name in columns if role not in unneeded}
        options = {key: value for key, value in options.items() if key not in OF_OUTCOME}
        options = _of_those_there(options, column_names_of(given, options, application))
    # What is no file of the new data is as in training, such as a genome.
    kept = {
        source: _found(file, places)
        for source, file in datasets[like].items()
        if source in application.all_sources and source not in given
        if source in application.sources and source != application.sources[0]
    }
    new = options | kept | {source: str(Path(file).resolve()) for source, file in given.items()}
    of_the_other = {*OF_THE_OTHER, *application.training_options}
    shared = ("application", "kind", "clean")
    features = trained.get("features")
    parts = features if isinstance(features, list) else [features] if features else []
    parts = [_part(part, model, places) for part in parts]
    return {
        **{key: trained[key] for key in shared if trained.get(key)},
        **({"features": parts if isinstance(features, list) else parts[0]} if parts else {}),
        "trained": str(model),
        "datasets": {"new": {k: v for k, v in new.items() if k not in of_the_other}},
    }


def _of_those_there(options: dict[str, Any], columns: list[str] | None) -> dict[str, Any]:
    """The options without what they say of columns that are not there, such as of the outcome.

    All of them where the columns are not known.
    """
    if not columns:
        return options
    kept = dict(options)
    for key in BY_COLUMN:
        if key in kept:
            kept[key] = {name: said for name, said in kept[key].items() if str(name) in columns}
    for key in LISTED:
        if key in kept:
            kept[key] = [name for name in kept[key] if str(name) in columns]
    return {key: value for key, value in kept.items() if value or options[key] == value}


def _part(part: dict[str, Any], model: Path, places: tuple[Path, ...]) -> dict[str, Any]:
    """A part of `features`, whose network is in a folder that any project finds."""
    if "finetune" in part:
        network = model.parent / "finetuned"
        if not network.is_dir():
            hint = "copy results/<task>/finetuned along with the model"
            raise DataError("The network of this model was fine-tuned", file=network, hint=hint)
        return {k: v for k, v in part.items() if k != "finetune"} | {"model": str(network)}
    if "model" in part:
        return part | {"model": _found(part["model"], places)}
    return part


def _found(path: Any, places: tuple[Path, ...]) -> Any:
    """The whole path of what a task names; what is no text is a source to fetch."""
    if not isinstance(path, str):
        return path
    for place in places:
        if (place / path).exists():
            return str((place / path).resolve())
    hint = "copy it along, or run this where the task finds it"
    raise DataError("The model was trained with this, and it is not here", file=path, hint=hint)


def by_source(data: list[str], application: Application) -> dict[str, str]:
    """The files by source; one without `<source>=` is of the application's first.

    DataError for a source that the application does not have, or has twice.
    """
    given = dict[str, str]()
    for part in data:
        source, named, file = part.partition("=")
        if named and not Path(part).exists():
            if source not in application.all_sources:
                raise unknown_name("source", source, application.all_sources)
        elif not application.sources:
            hint = f"`<source>=<file>`, of {', '.join(application.all_sources)}"
            raise DataError("Of which source this file is, is not said", file=part, hint=hint)
        else:
            source, file = application.sources[0], part
        if source in given:
            hint = "one file a source: `<source>=<file>`"
            raise DataError(f"Two files are given for {source}", file=file, hint=hint)
        given[source] = file
    return given
