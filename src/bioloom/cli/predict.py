"""Predict the rows of a file with a trained model; no result of the project is changed.

How the file is read, cleaned and turned into features is what the task says that trained the model:
`task.yaml` beside its folder, else what the model knows of that. The bytes are those that the
pipeline would write.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import yaml

from bioloom.application import Application, get_application
from bioloom.cli.run import MENDABLE, failure, started
from bioloom.errors import BEGIN, DataError, unknown_name
from bioloom.files import read_json, replacing
from bioloom.formats.sample_sheet import is_sheet, read_sheet, write_sheet
from bioloom.options import complete_options
from bioloom.pipeline.new_data import DATASET, NAME, new_task
from bioloom.pipeline.project import with_sources
from bioloom.pipeline.sections import to_json, without
from bioloom.pipeline.task_files import read_config, read_task_file
from bioloom.samples import read_table

HELP = "predict the rows of a file with a trained model"
TASK = f"tasks/{NAME}.yaml"
RESULTS = f"results/{NAME}/{DATASET}"
CONFIG = ("seed", "sources")
"""Of config.yaml, what is not about its tasks."""
SHARED = (".bioloom", "resources")
"""Stored embeddings and downloads of a project, which are not made anew."""
LEARNT = ("application", "kind", "clean", "features")
"""What of a task a model was trained by, whatever the task says since."""


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
    """Write the predictions, exit code 130 where asked to end; DataError for what can be mended."""
    trained = load(model, task)
    given = by_source(data, trained.application)
    _check_out(out, given)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with trained.predicted(given) as folder, replacing(out) as made:
            print(read_json(folder / "drift.json")["told"])
            shutil.copyfile(folder / "predictions.csv", made)
    except KeyboardInterrupt:
        print("Interrupted. Nothing was written.", file=sys.stderr)
        return 130
    print(f"{out}: predictions by {model}")
    return 0


def _interrupt(*_: object) -> None:
    """End as Ctrl-C does, once: `timeout` asks twice, and data that were copied are removed."""
    for again in (signal.SIGINT, signal.SIGTERM):
        signal.signal(again, signal.SIG_IGN)
    raise KeyboardInterrupt


def _check_out(out: Path, given: Mapping[str, str]) -> None:
    """DataError for a place that cannot have predictions, or has the data."""
    if out.suffix != ".csv":
        raise DataError("Predictions are written as CSV", file=out, hint="name a file `.csv`")
    if out.is_dir():
        raise DataError("Predictions are one file, and this is a folder", file=out)
    if any(out.exists() and os.path.exists(file) and out.samefile(file) for file in given.values()):
        hint = "name another file by `--out`"
        raise DataError("Predictions would take the place of the data", file=out, hint=hint)


@dataclass(frozen=True)
class TrainedModel:
    """A model folder, and the task that says how the data of the model are read."""

    folder: Path
    task: dict[str, Any]
    places: tuple[Path, ...] = (Path(),)
    """Folders that the paths of the task may be relative to, the likeliest first."""
    signature: Mapping[str, Any] = field(default_factory=dict)
    """The columns that the model was trained on."""

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
        content = new_task(self.task, self.folder.resolve(), given, self.places, self.signature)
        with TemporaryDirectory(prefix="bioloom-") as folder:
            project = Path(folder)
            self._write_project(project, content)
            # In a session of its own: Ctrl-C is told to it once, by this process.
            process = started("--directory", folder, f"{RESULTS}/predictions.csv", alone=True)
            try:
                said, _ = process.communicate()
            except KeyboardInterrupt:
                os.killpg(process.pid, signal.SIGINT)  # jobs, too: Snakemake would wait for them
                process.communicate()
                raise
            if process.returncode:
                told = failure(process.returncode, said.splitlines()).removeprefix(BEGIN)
                error = DataError if process.returncode == MENDABLE else RuntimeError
                raise error(_without_place(told))
            yield project / RESULTS

    def _write_project(self, project: Path, content: dict[str, Any]) -> None:
        """A project of one task, with what others have stored."""
        data = content["datasets"][DATASET]
        if self.application.reads and is_sheet(reads := data.get("reads", "")):
            # Paths in a sheet are relative to where the command runs, too.
            data["reads"] = str(project / f"reads{Path(reads).suffix.lower()}")
            write_sheet([lane.at(Path()) for lane in read_sheet(reads)], data["reads"])
        (project / "tasks").mkdir()
        kept = {key: value for key, value in read_config().items() if key in CONFIG}
        for file, said in (("config.yaml", kept), (TASK, content)):
            plain = json.loads(to_json(said))
            (project / file).write_text(yaml.safe_dump(plain, sort_keys=False), encoding="utf-8")
        for name in SHARED:
            places = (place / name for place in (Path(), *self.places))
            # What is stored is added to: not in a folder that is another one's.
            if folder := next((p for p in places if p.is_dir() and os.access(p, os.W_OK)), None):
                (project / name).symlink_to(folder.resolve())


def _without_place(told: str) -> str:
    """A message without where its mistake stands in the task that was made for the file."""
    return re.sub(rf"{TASK}: (datasets\.{DATASET}(: |\.))?", "", told)


def load(folder: str | Path, task: str | Path | None = None) -> TrainedModel:
    """The model in `results/<task>/model`, or in a copy of that folder.

    How its data are read says the file `task`, else task.yaml beside the folder, else the model;
    how they were cleaned and made into features says the model, where it knows. DataError where
    there is no such model or file, or none of them tells.
    """
    model = Path(os.path.abspath(folder))
    own, beside = model / "model.yaml", model.parent / "task.yaml"
    if not own.is_file():
        hint = "such a folder is results/<task>/model"
        raise DataError("No trained model", file=own.parent, hint=hint)
    known = _yaml(own)
    signature, reading = known.get("signature", {}), known.get("reading")
    if task is not None or beside.is_file():
        described = Path(os.path.abspath(task or beside))
        project = _project_of(described)
        content = _task_in(described, project)
        if reading:
            if content["application"] != reading["application"]:
                hint = "`bioloom run` trains the model of this task"
                raise DataError("The model is of another application", file=described, hint=hint)
            content = without(content, *LEARNT) | {k: reading[k] for k in LEARNT if k in reading}
        return TrainedModel(model, content, (project, Path()), signature)
    if not reading:
        hint = "say it by `--task`"
        raise DataError("How the model's data are read is not known", file=own, hint=hint)
    return TrainedModel(model, reading, signature=signature)


def _project_of(task: Path) -> Path:
    """The folder of the project that has tasks/<task>.yaml, or results/<task>/task.yaml."""
    above = task.parents[:3]
    marked = [p for p in above if (p / "config.yaml").is_file()]
    marked += [p for p in above if (p / "tasks").is_dir()]
    return [*marked, above[-1]][0]


def _task_in(file: Path, project: Path) -> dict[str, Any]:
    """What a task file of a project says; DataError unless it says what data are read, and how."""
    if not file.is_file():
        raise DataError("There is no such file", file=file)
    task = read_task_file(file).content
    datasets = task.get("datasets")
    if (
        not isinstance(task.get("application"), str)
        or not isinstance(datasets, dict)
        or not datasets
    ):
        hint = "`--task` names a file such as results/<task>/task.yaml"
        raise DataError(
            "This is no task: it has `application` and `datasets`", file=file, hint=hint
        )
    try:
        application = get_application(task["application"])
        task = with_sources(task, read_config(project).get("sources", {}))
        known = dict.fromkeys(application.all_sources) | application.dataset_options
        for name, block in task["datasets"].items():
            complete_options(block, known, name)
    except DataError as error:
        raise DataError(f"{file}: {error}") from error
    return task


def _yaml(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError("This is no YAML", file=file) from error
    if not isinstance(content, dict):
        raise DataError("This file says nothing", file=file)
    return content


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
