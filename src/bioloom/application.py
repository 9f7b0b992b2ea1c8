"""What is particular to one application; every stage is shared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Literal

import pandas as pd

from bioloom.errors import unknown_name
from bioloom.kinds import Kind
from bioloom.samples import COORDINATES
from bioloom.samples.cleaning import Cleaned

Measure = Literal["sequence", "variants", "table", "pairs", "ends"]


@dataclass(frozen=True)
class Application:
    """The data side of one application.

    `task` picks loss, metrics, baselines and plots: "classification" becomes binary or multiclass
    by the number of classes; "per_residue" has one class a residue of the column `sequence`, the
    text `label.residues`, or a distance a pair of residues, from `label.coordinates`.
    `ingest(files, options)` reads the data set's source files (name in config -> local path;
    options are the data set's other keys) into a table with `sample_id`;
    `clean(raw, options)` standardises it; `inputs(samples)` gives what an embedder takes:
    a list of sequences or a table. `measure` is how alike two samples are in the leakage audit
    (`measure_of` says when it falls back). `write(samples, predictions, folder)` puts predictions
    of new data into files of the field.
    Where samples are persons `private` is true: no value of a row appears in logs or reports.
    Where samples are pairs (`source`, `target`), `nodes(files, options)` gives the table of their
    ends (`node_id`, inputs, `expression.<condition>`), and `inputs` is asked of that; `directed`
    says that (a, b) and (b, a) differ.
    Where samples have a `sequence`, `alphabet` says of which letters it is.
    `defaults(task)` are the sections `features`, `preprocess`, `model` and `baselines` of a task
    that leaves them out.
    """

    task: Literal["classification", "regression", "multiregression", "per_residue"]
    ingest: Callable[[dict[str, Path], dict[str, Any]], pd.DataFrame]
    clean: Callable[[pd.DataFrame, dict[str, Any]], Cleaned]
    inputs: Callable[[pd.DataFrame], list[str] | pd.DataFrame]
    sources: tuple[str, ...]
    optional_sources: tuple[str, ...] = ()
    measure: Measure = "table"
    private: bool = False
    nodes: Callable[[dict[str, Path], dict[str, Any]], pd.DataFrame] | None = None
    directed: bool = False
    alphabet: Literal["protein", "dna"] | None = None
    write: Callable[[pd.DataFrame, pd.DataFrame, Path], None] | None = None
    defaults: Callable[[dict[str, Any]], dict[str, Any]] = lambda task: {}


def kind_of(application: Application, samples: pd.DataFrame) -> Kind:
    """What is predicted: a classification is binary with two classes, multiclass with more."""
    if COORDINATES in samples:
        return "per_pair"
    if application.task != "classification":
        return application.task
    return "binary" if samples["label"].nunique() == 2 else "multiclass"


def measure_of(application: Application, samples: pd.DataFrame) -> Measure:
    """How alike two samples are.

    Variants of one sequence are compared letter by letter; sequences of different lengths by
    alignment, and where there is none, the columns of the table.
    """
    if application.measure != "variants":
        return application.measure
    if "sequence" not in samples:
        return "table"
    return "variants" if samples["sequence"].str.len().nunique() == 1 else "sequence"


def application_names() -> list[str]:
    """The names of all applications: the modules in `bioloom.applications`."""
    package = import_module("bioloom.applications")
    return sorted(module.name for module in iter_modules(package.__path__))


def get_application(name: str) -> Application:
    """The application that a task in config.yaml names."""
    if name not in application_names():
        raise unknown_name("application", name, application_names())
    return import_module(f"bioloom.applications.{name}").application
