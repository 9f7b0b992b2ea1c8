"""The only place that reads the config: checks it, and says which file belongs to which task.

Requires: config.yaml. Makes: wildcard constraints, input and params functions for the rules.
"""

import os
import sys

# Jobs run the Python that runs Snakemake, also where its environment is not activated, and this
# folder's own code, also where another copy is installed (git worktree, `dvc exp run --temp`).
SOURCES = os.path.join(workflow.basedir, "src")
sys.path.insert(0, SOURCES)
for name, first in {"PATH": os.path.dirname(sys.executable), "PYTHONPATH": SOURCES}.items():
    os.environ[name] = os.pathsep.join(filter(None, [first, os.environ.get(name)]))

from bioloom.application import get_application
from bioloom.pipeline.config import (
    corpus_files,
    dataset_section,
    features_names,
    features_section,
    finetune_section,
    finetuned_embedder,
    has_nodes,
    is_finetuned,
    nodes_files,
    pretrain_section,
    raw_files,
    remote_sources,
    report_files,
    section_json,
    source_files,
    train_section,
    weights_file,
    weights_parts,
    with_frozen,
)
from bioloom.pipeline.check import check_config
from bioloom.errors import DataError
from bioloom.pipeline.code import code_hash

try:
    check_config(config, workflow.source_path("../schemas/config.schema.yaml"))
    REMOTE = remote_sources(config)
except DataError as error:
    print(f"ERROR: {error}", file=sys.stderr)
    sys.exit(2)

config.setdefault("seed", 1)
TASKS = {name: with_frozen(task) for name, task in config["tasks"].items()}


# The longer what follows a step, the earlier it starts: first all samples, then features and models,
# so that no long job is left for the end. Rules that are not named here follow.
PRIORITY = {
    "ingest": 6,
    "nodes": 6,
    "clean": 5,
    "finetune": 4,
    "extract_features": 3,
    "split": 3,
    "train": 2,
    "pretrain": 4,
}


wildcard_constraints:
    task="|".join(TASKS),
    dataset="[a-z][a-z0-9_]*",
    pretrained="[a-z][a-z0-9_]*",
    sha256="[0-9a-f]{12}",
    features=r"features(\.[a-z0-9_]+)?",


def task_of(wildcards):
    return TASKS[wildcards.task]


def section(name):
    """A params function: one section of the task's config as sorted JSON."""
    return lambda wildcards: section_json(task_of(wildcards).get(name))


def code(step):
    """A params function: the hash of the modules that a step runs for this task."""
    return lambda wildcards: code_hash(step, task_of(wildcards))


def pretrained_weights(wildcards, name="features"):
    """The weights as they came; the age of a folder of the user's says nothing."""
    files = weights_file(task_of(wildcards), name)
    return ancient(files) if weights_parts(task_of(wildcards), name) else files


def pretrained_parts(wildcards, name="features"):
    return weights_parts(task_of(wildcards), name)


def weights(wildcards):
    """The weights of a features file: as they came, or as `finetune` leaves them."""
    name = getattr(wildcards, "features", "features")
    if is_finetuned(task_of(wildcards), name):
        return f"results/{wildcards.task}/finetuned"
    return pretrained_weights(wildcards, name)


def parts(wildcards):
    name = getattr(wildcards, "features", "features")
    return [] if is_finetuned(task_of(wildcards), name) else pretrained_parts(wildcards, name)


def nodes_of(wildcards, dataset="{dataset}"):
    """An input function: the nodes of a data set whose samples are pairs, else nothing."""
    name = dataset.format(**wildcards)
    return nodes_files(task_of(wildcards), wildcards.task, name)


def ranked_links():
    return [
        path.replace("predictions.parquet", f"links.{form}")
        for path in predictions()
        if has_nodes(TASKS[path.split("/")[1]])
        for form in ("tsv", "graphml")
    ]


def new_data():
    """Tasks and their new data sets."""
    return [
        (task, dataset)
        for task in TASKS
        for dataset in TASKS[task]["datasets"]
        if dataset != "training"
    ]


def predictions():
    return [f"results/{task}/{dataset}/predictions.parquet" for task, dataset in new_data()]


def exports():
    """The same in the forms of the field, of applications that have such."""
    return [
        f"results/{task}/{dataset}/export"
        for task, dataset in new_data()
        if get_application(TASKS[task]["application"]).write is not None
    ]
