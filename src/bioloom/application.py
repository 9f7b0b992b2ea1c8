"""What is particular to one application; every stage is shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from bioloom.options import Option
from bioloom.registry import find, names_in
from bioloom.samples import Cleaned, Raw

# How the FASTQ files of a sample sheet are trimmed, and aligned.
TRIMMING = {
    "adapters": Option(
        "auto", about="`auto`, a kit, `none`, or the sequences behind the two mates"
    ),
    "poly_g": Option(None, type=bool, about="cut runs of G at the end; null where reads show them"),
    "trim_quality": Option(0, minimum=0, about="Phred; ends of lower quality are cut"),
    "min_read_length": Option(30, minimum=1, about="letters; a pair goes where a mate is shorter"),
}
OF_PREDICTIONS = {
    "scored": Option(
        False,
        type=bool,
        about="compare the predictions with the labels that these data have",
        of="rows",
    ),
    "prior": Option(
        None,
        type=float,
        above=0,
        maximum=0.999999,
        about="share of positives among these data, where it is not that of training",
        of="rows",
    ),
}
"""What new data may say of their labels."""
IN_PARTS = {
    "parts": Option(
        1, minimum=1, maximum=10_000, about="jobs that each predict a part of the rows", of="rows"
    )
}
"""What new data may say where rows of a source can be shared out among jobs."""
OF_PERSONS = {"pages": Option(False, type=bool, about="write a page for each person", of="rows")}
TASK_OPTIONS = ("kind", "part", "drop")
ALIGNERS = ("auto", "bwa", "mappy", "bwa-mem2", "minimap2")
ALIGNING = {
    "aligner": Option(
        "auto", choices=ALIGNERS, about="auto is `bwa` for short and `mappy` for long reads"
    )
}


@dataclass(frozen=True)
class Application:
    """The data side of one application.

    `kinds` are what it may predict, by their names in `bioloom.kinds`: which of them a task has,
    its labelled samples say (`kind_of`). The first is what plots and metrics are taken to be
    where nothing else is said.
    Training data need the `training_sources` as well, or one of the `training_options`, by which
    `ingest` makes labels; these and `label_sources`, which say labels alone, are also for new data
    that are scored.
    `ingest(files, options)` reads the data set's source files (name in config -> local path;
    options are the data set's other keys) into named tables: samples with `sample_id`, and where
    samples are `links` (`source`, `target`) the nodes that they join (`node_id`, inputs,
    `expression.<condition>`), of which `inputs` is asked then;
    `clean(raw, options)` standardises it; `inputs(samples)` gives what an embedder takes:
    a list of sequences or a table. `measures` are how alike two samples are in the leakage audit,
    by their names in `bioloom.similarity`: the first that fits the samples is taken.
    `write(samples, predictions, files, folder, options)` puts predictions of new data into files of
    the field; `files` are the data set's sources, for what a header or a reference must say, and
    `options` its other keys, as `ingest` gets them.
    `shown` is the part of the report, by its name there, that shows what `write` made.
    `divided` are sources, of which new data have one, whose rows or records mean the same alone,
    each with those that may be beside it, as what rows are looked up in: such data may say `parts`,
    so many jobs that each have a share of the file. An `ingest` with options `part` and `parts` of
    its own shares out in its own way.
    `join(folders, folder)` puts what `write` made of these parts together.
    Where samples are persons `private` is true: no value of a row appears in logs or reports.
    `noun` is what a report calls the samples.
    `directed` says that the links (a, b) and (b, a) differ.
    Where samples have a `sequence`, `alphabet` says of which letters it is.
    `reads` says what a source `reads` holds when `ingest` gets it: "aligned" to the source
    `reference`, or "trimmed". The rules make that of the FASTQ files of a sample sheet, and name it
    in a sheet of their own; BAM and CRAM come as they are. `simulate` are what the block of that
    name of a data set may say, where rules can make reads, and their truth, of the `reference`.
    `knowledge` are sources that are no samples, such as a genome or a table of rules: what a model
    was trained with holds for new data as well.
    `trained` is the folder of a model that ships with the project, below its root: it predicts for
    tasks without training data.
    `tables` are those sources that may be tables, each with what a data set's `read` may say of it.
    `options` (of a data set, beside its sources), `columns` (of its `columns`) and `clean_options`
    say what `ingest` and `clean` take, each with its default: tasks are checked against them before
    any job runs. The options `kind`, `part` and `drop` are not for data sets to say: the pipeline
    does, by the task, as it says `scored` where `ingest` asks for it.
    `labels(samples, options)` puts the labels of raw samples into the form that `clean` gives them,
    where it changes them.
    `defaults(task)` are the sections `features`, `preprocess`, `model` and `baselines` of a task
    that leaves them out.
    """

    kinds: tuple[str, ...]
    ingest: Callable[[dict[str, Path], dict[str, Any]], Raw]
    clean: Callable[[pd.DataFrame, dict[str, Any]], Cleaned]
    inputs: Callable[[pd.DataFrame], list[str] | pd.DataFrame]
    sources: tuple[str, ...]
    defaults: Callable[[dict[str, Any]], dict[str, Any]]
    optional_sources: tuple[str, ...] = ()
    training_sources: tuple[str, ...] = ()
    label_sources: tuple[str, ...] = ()
    training_options: frozenset[str] = frozenset()
    knowledge: tuple[str, ...] = ()
    measures: tuple[str, ...] = ("table",)
    private: bool = False
    noun: str = "samples"
    links: bool = False
    directed: bool = False
    alphabet: Literal["protein", "dna"] | None = None
    reads: Literal["aligned", "trimmed"] | None = None
    simulate: Mapping[str, Any] = field(default_factory=dict)
    trained: str | None = None
    write: (
        Callable[[pd.DataFrame, pd.DataFrame, dict[str, Path], Path, dict[str, Any]], None] | None
    ) = None
    shown: str | None = None
    divided: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    join: Callable[[list[Path], Path], None] | None = None
    labels: Callable[[pd.DataFrame, dict[str, Any]], pd.DataFrame] | None = None
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, Any] = field(default_factory=dict)
    clean_options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def all_sources(self) -> tuple[str, ...]:
        """What a data set may name files by."""
        return self.sources + self.optional_sources

    @property
    def dataset_options(self) -> dict[str, Any]:
        """What a data set may say beside its sources."""
        own = {name: o for name, o in self.options.items() if name not in TASK_OPTIONS}
        of_rows = (IN_PARTS if self.divided else {}) | (OF_PERSONS if self.private else {})
        return own | self.reads_options | OF_PREDICTIONS | of_rows

    @property
    def reads_options(self) -> dict[str, Any]:
        """Those of them that are for the rules that trim and align."""
        if not self.reads:
            return {}
        return TRIMMING | ALIGNING if self.reads == "aligned" else TRIMMING


def read_data(
    application: Application, files: Mapping[str, Path], options: Mapping[str, Any]
) -> Raw:
    """What `ingest` makes of a data set, or of the part of it that `options` say.

    Raises DataError as `ingest` does, and for a part without rows.
    """
    if not application.divided:
        return application.ingest(dict(files), dict(options))
    rest = {name: value for name, value in options.items() if name not in ("part", "parts")}
    if "part" not in options:
        return application.ingest(dict(files), rest)
    from bioloom.formats.shares import share
    from bioloom.formats.table import is_table, read_options, separator_of

    (name,) = (name for name in application.divided if name in files)
    read = None
    if name in application.tables and is_table(files[name]):
        # The separator is that of the whole file, which the first row of a share may not show.
        read = read_options(name, {"read": {}} | rest)
        if files[name].suffix.lower() != ".parquet":
            read["separator"] = separator_of(files[name], read)
            given = rest.get("read", {})
            said = {**given.get(name, {}), "separator": read["separator"]}
            rest["read"] = {**given, name: said}
    with share(files[name], options["part"], options["parts"], read) as path:
        return application.ingest({**files, name: path}, rest)


def application_names() -> list[str]:
    """The names of all applications: the modules in `bioloom.applications`."""
    return names_in("bioloom.applications")


def get_application(name: str) -> Application:
    """The application that a task names."""
    return find("bioloom.applications", name, "application").application
