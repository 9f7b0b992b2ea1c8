"""A task: what one file of `tasks` says, and which files and options each step gets of it.

Imported by the Snakefile, so nothing heavy is imported here.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from bioloom.application import OF_PERSONS, OF_PREDICTIONS, Application, get_application
from bioloom.embedders import is_learnt, model_files, parts_of
from bioloom.features import own_sections
from bioloom.files import members
from bioloom.kinds import Kind, get_kind
from bioloom.models import get_model
from bioloom.options import complete_options, left_of
from bioloom.pipeline.home import HOME
from bioloom.pipeline.reads import Reads, reads_of
from bioloom.pipeline.sections import (
    RESULTS,
    Features,
    Section,
    Source,
    embedder_options,
    features_weights,
    is_users_folder,
    without,
)
from bioloom.pipeline.steps import STEPS
from bioloom.reads.choices import aligner_of
from bioloom.sources import local_path


@dataclass(frozen=True)
class Task:
    """One task, all that its file says and what that means for its steps.

    A features file is called `features`, or `features.<baseline>` where a baseline has its own:
    see `own_sections`.
    """

    name: str
    application: str
    datasets: dict[str, Section]
    split: Section
    features: Features
    model: Section
    trained: str | None = None
    """The folder of a finished model, where there is no training data set."""
    kind: str | None = None
    """What is predicted, of `Application.kinds`, where the labels do not tell."""
    clean: Section = field(default_factory=dict)
    leakage: Section = field(default_factory=dict)
    preprocess: Section = field(default_factory=dict)
    baselines: dict[str, Section] = field(default_factory=dict)
    evaluate: Section = field(default_factory=dict)
    explain: Section = field(default_factory=dict)
    positive: str | None = None
    high_above: float | str | None = None
    threshold: float | str | None = None
    horizons: list[float] | None = None
    transform: str | None = None
    refit: bool | None = None
    """Whether the model for new data learns from all rows, as it does where nothing is said."""
    title: str | None = None
    about: Section = field(default_factory=dict)

    def path(self, *parts: str) -> str:
        """A file or folder of the task's results."""
        return "/".join((RESULTS, self.name, *parts))

    @property
    def heading(self) -> str:
        """What its pages are headed by: its title, or its name in words."""
        return self.title or self.name.replace("_", " ").capitalize()

    @property
    def code(self) -> Application:
        """The application's functions."""
        return get_application(self.application)

    @property
    def kinds(self) -> list[Kind]:
        """What it may predict; the first is what it is taken to be before data are seen."""
        return [get_kind(name) for name in self.kind_names]

    @property
    def kind_names(self) -> list[str]:
        """The names of these: what the task says, else all of its application."""
        return [self.kind] if self.kind else list(self.code.kinds)

    def sections(self, key: str) -> list[tuple[str, Any]]:
        """The task's own section `key` and those of its baselines, each with its place."""
        return [(key, getattr(self, key))] + [
            (f"baselines.{name}.{key}", baseline[key])
            for name, baseline in self.baselines.items()
            if key in baseline
        ]

    # Data sets --------------------------------------------------------------------------------

    @property
    def new_data(self) -> list[str]:
        """The data sets that get predictions."""
        return [dataset for dataset in self.datasets if dataset != "training"]

    @property
    def scored(self) -> list[str]:
        """Those of them whose labels the predictions are compared with."""
        return [dataset for dataset in self.new_data if self.block(dataset).get("scored")]

    @property
    def paged(self) -> list[str]:
        """Those of which each person has a page."""
        return [dataset for dataset in self.new_data if self.block(dataset).get("pages")]

    def at(self, dataset: str) -> Section:
        """What predictions of a data set must know of it: the share of the positive class."""
        prior = self.block(dataset).get("prior")
        return {} if prior is None else {"prior": prior}

    def score_options(self, dataset: str) -> Section:
        """What the scores of a data set must know."""
        return without(self.seen("score"), "datasets") | self.at(dataset)

    @property
    def is_trained(self) -> bool:
        """Whether a model is trained, and scored, for the task."""
        return "training" in self.datasets

    @property
    def model_folder(self) -> str | None:
        """The model that predicts: the task's own, the one that it names, or one that ships."""
        if self.is_trained:
            return self.path("model")
        shipped = self.code.trained
        return self.trained or (os.path.relpath(HOME / shipped) if shipped else None)

    @property
    def tells(self) -> bool:
        """Whether the model that predicts can say on what single answers rest."""
        if self.is_trained or self.model_folder is None:
            return get_model(self.model["name"]).tells
        described = Path(self.model_folder) / "model.yaml"
        return get_model(yaml.safe_load(described.read_text())["model"]).tells

    def parts(self, dataset: str) -> list[str]:
        """The parts of a data set that are done by jobs of their own; none where it is one.

        A part has a name below the data set's, and its results lie below those.
        """
        count = self.block(dataset).get("parts", 1)
        return [f"{dataset}/part_{n}" for n in range(1, count + 1)] if count > 1 else []

    def block(self, dataset: str) -> Section:
        """What the task's file says of a data set, or of the one that it is a part of."""
        return self.datasets[whole(dataset)]

    def sources(self, dataset: str) -> dict[str, Source]:
        """The sources that a data set gives, by name, in the application's order."""
        options = self.block(dataset)
        return {name: options[name] for name in self.code.all_sources if name in options}

    def given_files(self, dataset: str) -> dict[str, str]:
        """Source name -> local path of a data set, fetched or the user's own."""
        return {name: local_path(source) for name, source in self.sources(dataset).items()}

    def reads(self, dataset: str) -> Reads | None:
        """The sequencing reads of a data set, and where the rules put what they make of them."""
        files, goal = self.given_files(dataset), self.code.reads
        simulated = len(self.simulation(dataset)["depths"]) if self.is_simulated(dataset) else 0
        if not goal or not simulated and "reads" not in files:
            return None
        index = self.index(files["reference"]) if goal == "aligned" else None
        folder = self.path(whole(dataset), "reads")
        return reads_of(files.get("reads", ""), goal, folder, index, simulated)

    def index(self, reference: str) -> str:
        """The folder of a reference, made ready for alignment: data sets may share it."""
        return self.path("references", hashlib.sha256(reference.encode()).hexdigest()[:12])

    def indexed(self, index: str) -> tuple[str, list[str]]:
        """The reference of such a folder, and the aligners that it is for."""
        aligners, reference = set[str](), ""
        for dataset in self.datasets:
            reads = self.reads(dataset)
            if reads and reads.index == index:
                reference = self.given_files(dataset)["reference"]
                option = self.reads_options(dataset)["aligner"]
                aligners |= {aligner_of(option, lane) for lane in reads.fastq}
        return reference, sorted(aligners)

    def is_simulated(self, dataset: str) -> bool:
        """Whether rules simulate a data set's reads."""
        return bool(self.code.simulate) and "simulate" in self.block(dataset)

    def simulation(self, dataset: str) -> Section:
        """How they do."""
        given = self.block(dataset)["simulate"]
        return complete_options(given, self.code.simulate, f"{dataset}.simulate")

    def source_files(self, dataset: str) -> dict[str, str]:
        """What `ingest` gets: the files that are given, or what the rules make of reads."""
        return self.given_files(dataset) | self.made_sources(dataset)

    def made_sources(self, dataset: str) -> dict[str, str]:
        """Those that rules make of reads."""
        reads = self.reads(dataset)
        if reads is None:
            return {}
        made = {"reads": reads.ready}
        if reads.simulated and dataset in ("training", *self.scored):
            made["truth"] = str(Path(reads.simulated[0]).parent)
        if self.parts(whole(dataset)):
            made["indexes"] = reads.indexes
        return made

    def raw_files(self, dataset: str) -> list[str]:
        """All files of a data set's sources; of a folder those in it, whose content then counts."""
        reads, made = self.reads(dataset), self.made_sources(dataset)
        given = [file for name, file in self.given_files(dataset).items() if name not in made]
        found = [
            str(file)
            for path in given
            for file in (members(Path(path)) if os.path.isdir(path) else [path])
        ]
        if reads is None:
            return found
        indexes = reads.index_files if self.parts(whole(dataset)) else []
        return [*found, reads.ready, *reads.files, *indexes]

    def dataset_options(self, dataset: str) -> Section:
        """What a data set says beyond its files: how to read them."""
        return without(self.block(dataset), *self.sources(dataset))

    def ingest_options(self, dataset: str) -> Section:
        """What of it is for `ingest`, with what it must know of the task.

        That is the kind where it decides how labels are read, the columns that `clean` drops where
        what they hold is not to be looked at, and whether labels are for scores alone.
        """
        known = {
            "kind": self.kind,
            "drop": self.clean.get("drop"),
            "scored": whole(dataset) in self.scored,
        }
        asked = {
            name: value for name, value in known.items() if value and name in self.code.options
        }
        unread = (*self.code.reads_options, *OF_PREDICTIONS, *OF_PERSONS)
        options = without(self.dataset_options(dataset), *unread)
        part = {"part": int(dataset.rpartition("_")[2])} if dataset != whole(dataset) else {}
        return options | asked | part

    def reads_options(self, dataset: str) -> Section:
        """How the reads of a data set are trimmed and aligned."""
        known = self.code.reads_options
        given = {k: v for k, v in self.dataset_options(dataset).items() if k in known}
        return complete_options(given, known, dataset)

    @property
    def has_nodes(self) -> bool:
        """Whether the samples are pairs of nodes."""
        return self.code.links

    def nodes(self, dataset: str) -> list[str]:
        """The table of nodes that a data set of pairs comes with, as a list of none or one path."""
        return [self.path(dataset, "nodes.parquet")] if self.has_nodes else []

    # Features ---------------------------------------------------------------------------------

    @property
    def features_sections(self) -> dict[str, Features]:
        """Features file -> its options, but `finetune`: its weights alone concern the features."""
        frozen = without(self.finetuned, "finetune") if self.is_finetuned() else self.features
        return {"features": frozen} | own_sections(self.baselines)

    @property
    def features_parts(self) -> list[tuple[str, Section]]:
        """The parts of all features sections, each with its place: several are told by name."""
        return [
            (place if len(parts) == 1 else f"{place}.{name}", part)
            for place, section in self.sections("features")
            for parts in [parts_of(section)]
            for name, part in parts.items()
        ]

    def features_files(self, dataset: str = "training") -> list[str]:
        """The features of a data set for all models: the task's, and those of its baselines."""
        return [self.path(dataset, f"{name}.npz") for name in self.features_sections]

    def is_learnt(self, features: str) -> bool:
        """Whether a network makes vectors of a features file, which are then stored."""
        return any(map(is_learnt, parts_of(self.features_sections[features]).values()))

    def weights_sources(self, features: str) -> list[Source]:
        """Where the weights of a features file come from, of those parts that have any."""
        sources = map(features_weights, parts_of(self.features_sections[features]).values())
        return [source for source in sources if source]

    def weights(self, features: str) -> list[str]:
        """The weights of a features file before any fine-tuning, in the order of its parts."""
        return [local_path(source) for source in self.weights_sources(features)]

    def weights_parts(self, features: str) -> list[str]:
        """The files of model folders of the user's: Snakemake compares them, not their age."""
        folders = filter(is_users_folder, self.weights(features))
        return [str(part) for folder in folders for part in model_files(Path(folder))]

    # Fine-tuning ------------------------------------------------------------------------------

    def is_finetuned(self, features: str = "features") -> bool:
        """Whether features come from the network that `finetune` leaves: the task's own alone."""
        return features == "features" and "finetune" in self.features

    @property
    def finetuned(self) -> Section:
        """The features that are fine-tuned: one part, which a list cannot be."""
        [part] = parts_of(self.features).values()
        return part

    @property
    def finetune_options(self) -> Section:
        """The `finetune` options; their short form names the method alone."""
        given = self.finetuned["finetune"]
        return {"method": given} if isinstance(given, str) else given

    @property
    def finetuned_embedder(self) -> Section:
        """What finetune may know of the embedder: not how its states are pooled afterwards."""
        return without(embedder_options(self.finetuned), "pooling", "segments", "dtype")

    def with_frozen(self) -> Task:
        """The task; where its embedder is fine-tuned, with the run without that as a baseline.

        Such a model is not refitted: it would take features that know the labels of some rows.
        """
        if not self.is_finetuned():
            return self
        frozen = {"frozen": {"features": self.features_sections["features"]}}
        return replace(self, baselines=frozen | self.baselines, refit=False)

    # Model and report -------------------------------------------------------------------------

    @property
    def learning_curve(self) -> list[str]:
        """The answers of models of fewer labels, as a list of one path, or of none."""
        asked = self.evaluate.get("learning_curve")
        return [self.path("learning_curve.parquet")] if asked else []

    @property
    def curve_options(self) -> Section:
        """What that step must know: how models are trained, and on how many labels."""
        seen = without(self.seen("learning_curve"), "evaluate")
        return seen | {"learning_curve": self.evaluate["learning_curve"]}

    def seen(self, step: str) -> Section:
        """What a step may know of all sections: those that say anything."""
        sections = {key: getattr(self, key) for key in STEPS[step].sections}
        return {key: value for key, value in sections.items() if value not in (None, {})}

    @property
    def reading(self) -> Section:
        """How training data are read, as of a task: what predicts new data with its model alone.

        Without the user's files, and which of their rows were read, whose ids may be persons'; a
        source that is fetched, such as a genome, is kept.
        """
        options = left_of(self.dataset_options("training"), self.code.dataset_options, "rows")
        fetched = {k: s for k, s in self.sources("training").items() if isinstance(s, dict)}
        said = {name: getattr(self, name) for name in ("application", "kind", "clean", "features")}
        known = {name: value for name, value in said.items() if value}
        return known | {"datasets": {"training": fetched | options}}

    @property
    def report_files(self) -> dict[str, str]:
        """What the report shows, by what it is."""
        if not self.is_trained:
            return {}
        shown = {
            what: self.path(file) for step in STEPS.values() for what, file in step.shown.items()
        }
        for dataset in self.new_data:
            shown[f"predictions.{dataset}"] = self.path(dataset, "predictions.parquet")
            if self.code.shown:
                shown[f"{self.code.shown}.{dataset}"] = self.path(dataset, "export")
            if not self.parts(dataset):
                shown[f"drift.{dataset}"] = self.path(dataset, "drift.json")
        for dataset in self.scored:
            shown[f"scored.{dataset}"] = self.path(dataset, "metrics.json")
        for dataset in self.datasets:
            reads = self.reads(dataset)
            if reads:
                shown[f"reads.{dataset}"] = reads.summary
            if reads and reads.fastq:
                shown[f"multiqc.{dataset}"] = reads.report
        return shown


def whole(dataset: str) -> str:
    """The data set that a part is one of, or that it is itself."""
    return dataset.partition("/")[0]
