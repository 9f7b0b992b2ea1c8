"""Whether tables have the columns that a task names, by their first lines alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bioloom.application import Application
from bioloom.clinical.table import ROW
from bioloom.errors import DataError
from bioloom.formats.columns import require_columns
from bioloom.formats.edges import is_mitab
from bioloom.formats.table import is_table, names_in_text
from bioloom.options import left_of
from bioloom.pipeline.mistakes import mistakes_of
from bioloom.pipeline.sections import Section
from bioloom.pipeline.tasks import Task

SAMPLES = "samples"
"""What `read` says of a matrix alone: its rows may be what `columns` names."""


def column_mistakes(task: Task) -> list[str]:
    """Columns that no table of their data set has; what cannot be told so quickly is none."""
    mistakes = []
    for dataset in task.datasets:
        place = f"datasets.{dataset}"
        try:
            table = _header(task, dataset)
        except DataError as error:
            mistakes.append(f"{place}: {error}")
            continue
        if table is not None:
            asked = _named(task.dataset_options(dataset), _roles(task, dataset))
            named = [*dict.fromkeys(asked)]
            wrong = (
                mistakes_of(place, require_columns, table, [name], _files(task, dataset))
                for name in named
            )
            mistakes += [mistake for found in wrong for mistake in found]
    return mistakes


def _tables(task: Task, dataset: str) -> dict[str, str]:
    given = task.given_files(dataset)
    return {source: file for source, file in given.items() if source in task.code.tables}


def _files(task: Task, dataset: str) -> str:
    return ", ".join(file for file in _tables(task, dataset).values() if is_table(Path(file)))


def _header(task: Task, dataset: str) -> pd.DataFrame | None:
    """The columns of all tables of a data set; None where one of them does not tell its own."""
    names = _column_names(task.given_files(dataset), task.dataset_options(dataset), task.code)
    return pd.DataFrame(columns=names) if names else None


def _column_names(
    files: Mapping[str, str], options: Mapping[str, Any], application: Application
) -> list[str] | None:
    """The columns of all tables among files, by source; None where one does not tell its own."""
    names = list[str]()
    if options.get("records"):  # whose tables hold events, and no columns of patients
        return None
    for source, given in files.items():
        file = Path(given)
        if source not in application.tables:
            continue
        if SAMPLES in application.tables[source] or not file.is_file() or is_mitab(file):
            return None
        if not is_table(file):
            continue  # beside a table a FASTA has no columns
        found = names_in_text(file, **options.get("read", {}).get(source, {}))
        if found is None:
            return None
        names += found
    return [*dict.fromkeys(names)]


def _roles(task: Task, dataset: str) -> Section:
    """The roles of columns that a data set names; new data may lack those of some."""
    roles = task.block(dataset).get("columns", {})
    return roles if dataset == "training" else left_of(roles, task.code.columns, "columns")


def _named(options: Section, roles: Section) -> Iterator[str]:
    """The columns that a data set names, those of its `roles` among them."""
    for role, name in roles.items():
        names: list[Any] = name if isinstance(name, list) else [name]
        yield from (str(n) for n in names if n is not None and (role, n) != ("id", ROW))
    for choice in ("keep", "exclude"):
        yield from map(str, options.get(choice, {}))
