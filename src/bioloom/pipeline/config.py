"""config.yaml cut into the section that each step may see; `config_check` says what is wrong in it.

Imported by the Snakefile, so nothing heavy is imported here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bioloom.application import get_application
from bioloom.embedders import model_files, weights_source
from bioloom.sources import local_path

Config = dict[str, Any]

TABLE = "table"
"""The embedder of an application whose samples are a table: the columns themselves."""

PRETRAINED = "results/pretrained"
"""Where the networks of the `pretrain` blocks lie: `features: model` names them by it."""


def sections(task: Config, key: str) -> list[tuple[str, Config]]:
    """The task's own section `key` and those of its baselines, each with its place in the task."""
    baselines = task.get("baselines", {})
    return [(key, task[key])] + [
        (f"baselines.{name}.{key}", baseline[key])
        for name, baseline in baselines.items()
        if key in baseline
    ]


def is_pretrained(features: Config) -> bool:
    """Whether a `pretrain` block makes the model of a `features` section."""
    return features.get("model", "").startswith(f"{PRETRAINED}/")


def source_names(task: Config, dataset: str) -> list[str]:
    """The names of the sources that a data set gives, in the application's order."""
    application = get_application(task["application"])
    options = task["datasets"][dataset]
    return [n for n in (*application.sources, *application.optional_sources) if n in options]


def source_files(task: Config, dataset: str) -> dict[str, str]:
    """Source name -> local path of a data set, fetched or the user's own."""
    options = task["datasets"][dataset]
    return {name: local_path(options[name]) for name in source_names(task, dataset)}


def raw_files(task: Config, dataset: str) -> list[str]:
    """All files of a data set's sources; of a folder those in it, whose content then counts."""
    paths = map(Path, source_files(task, dataset).values())
    return [
        str(file)
        for path in paths
        for file in (sorted(filter(Path.is_file, path.rglob("*"))) if path.is_dir() else [path])
    ]


def has_nodes(task: Config) -> bool:
    """Whether the task's samples are pairs of nodes."""
    return get_application(task["application"]).nodes is not None


def nodes_files(task: Config, name: str, dataset: str) -> list[str]:
    """The table of nodes that a data set of pairs comes with, as a list of none or one path."""
    return [f"results/{name}/{dataset}/nodes.parquet"] if has_nodes(task) else []


def remote_sources(config: Config) -> dict[str, Config]:
    """Local path -> source, for everything that the fetch rule may have to bring."""
    sources = [
        task["datasets"][dataset][name]
        for task in config["tasks"].values()
        for dataset in task["datasets"]
        for name in source_names(task, dataset)
    ]
    for task in config["tasks"].values():
        sources += [_weights(section) for _, section in sections(task, "features")]
    for section in config.get("pretrain", {}).values():
        sources += section["corpora"].values()
    return {local_path(source): source for source in sources if isinstance(source, dict)}


def weights_file(task: Config, features: str) -> list[str]:
    """The weights of a features file before any fine-tuning, as a list of none or one path."""
    source = _weights(features_section(task, features))
    return [local_path(source)] if source else []


def weights_parts(task: Config, features: str) -> list[str]:
    """The files of a model folder of the user's: Snakemake compares what is in them, not its age.

    Folders that Snakemake made, and fetched files, are none of these.
    """
    return [
        str(part)
        for folder in map(Path, weights_file(task, features))
        if folder.is_dir() and not folder.is_relative_to("results")
        for part in model_files(folder)
    ]


def _weights(section: Config) -> Config | str | None:
    if section["embedder"] == TABLE:
        return None
    if is_pretrained(section) or Path(section.get("model") or "-").is_dir():
        return section["model"]
    return weights_source(embedder_section(section))


def embedder_section(section: Config) -> Config:
    """What of a `features` section is for its embedder."""
    return {key: value for key, value in section.items() if key not in ("network", "finetune")}


def features_section(task: Config, features: str) -> Config:
    """The `features` section behind `features` or `features.<baseline>`.

    Without `finetune`, of which nothing but the weights that it leaves concerns the features.
    """
    name = features.removeprefix("features").removeprefix(".")
    section = task["baselines"][name]["features"] if name else task["features"]
    return {key: value for key, value in section.items() if key != "finetune"}


def is_finetuned(task: Config, features: str) -> bool:
    """Whether a features file comes from the network that `finetune` leaves: but the task's own."""
    return features == "features" and "finetune" in task["features"]


def finetune_section(task: Config) -> Config:
    """The `finetune` options of a task; its short form names the method alone."""
    given = task["features"]["finetune"]
    return {"method": given} if isinstance(given, str) else given


def finetuned_embedder(task: Config) -> Config:
    """What finetune may know of the embedder: not how its states are pooled afterwards."""
    later = ("pooling", "segments", "dtype")
    section = embedder_section(task["features"])
    return {key: value for key, value in section.items() if key not in later}


def with_frozen(task: Config) -> Config:
    """The task, and where its embedder is fine-tuned the same run without that as a baseline."""
    if not is_finetuned(task, "features"):
        return task
    frozen = {"frozen": {"features": features_section(task, "features")}}
    return task | {"baselines": frozen | task.get("baselines", {})}


def features_names(task: Config) -> list[str]:
    """The features files that training needs: the task's, and those of its baselines."""
    baselines = task.get("baselines", {})
    return ["features"] + [
        f"features.{name}" for name in baselines if "features" in baselines[name]
    ]


def dataset_section(task: Config, dataset: str) -> Config:
    """What ingest may know beyond its files: how to read them."""
    names = source_names(task, dataset)
    return {key: value for key, value in task["datasets"][dataset].items() if key not in names}


def corpus_files(section: Config) -> dict[str, str]:
    """Corpus name -> local path of a `pretrain` block, fetched or the user's own."""
    return {name: local_path(source) for name, source in section["corpora"].items()}


def pretrain_section(section: Config) -> Config:
    """What pretrain may know beyond its corpora and the seed."""
    return {key: value for key, value in section.items() if key not in ("corpora", "seed")}


def train_section(task: Config) -> Config:
    """What train may know."""
    keys = ("application", "model", "baselines", "preprocess", "positive", "high_above")
    return {key: task[key] for key in keys if key in task}


def report_files(task: str) -> dict[str, str]:
    """What the report shows of a task, by what it is."""
    folder = f"results/{task}"
    return {
        "metrics": f"{folder}/metrics.json",
        "plots": f"{folder}/plots",
        "quality": f"{folder}/training/quality.json",
        "leakage": f"{folder}/leakage.json",
        "features": f"{folder}/training/features.json",
        "explanation": f"{folder}/explanation.parquet",
        "model": f"{folder}/model",
    }


def section_json(section: Config | None) -> str:
    """A section as sorted JSON: the form in which a rule's params carry it."""
    return json.dumps(section or {}, sort_keys=True)
