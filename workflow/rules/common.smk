"""The only place that reads the config: checks it, and says which file belongs to which task.

Requires: config.yaml and task files.
Makes: wildcard constraints, input and params functions for the rules.
"""

import os
import sys
from dataclasses import asdict
from pathlib import Path

# Jobs run the Python that runs Snakemake, also where its environment is not activated, and this
# workflow's own code, also where another copy is installed (git worktree, `dvc exp run --temp`), or
# where it is a module of another workflow. Data, tasks and results are the working folder's.
CODE = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
SOURCES = str(CODE / "src")
os.environ.update(BIOLOOM_SCRIPTS=str(CODE / "scripts"))
sys.path.insert(0, SOURCES)
for name, first in {"PATH": os.path.dirname(sys.executable), "PYTHONPATH": SOURCES}.items():
    os.environ[name] = os.pathsep.join(filter(None, [first, os.environ.get(name)]))

from bioloom.errors import DataError, one_line_errors
from bioloom.pipeline.code import code_hash
from bioloom.pipeline.command import passed
from bioloom.pipeline.dvc import other_tasks
from bioloom.pipeline.project import read_project
from bioloom.pipeline.steps import STEPS
from bioloom.pipeline.sections import is_users_folder, to_json

# Where Snakemake puts what a job takes of an object store and gives to it; nothing without one.
STORED = ""
if workflow.storage_settings.default_storage_provider:
    prefix = workflow.storage_settings.default_storage_prefix
    with one_line_errors():
        if not prefix:
            raise DataError(
                "Results go to an object store, and it is not said where",
                hint="--default-storage-prefix s3://bucket/folder",
            )
    provider = workflow.storage_registry.default_storage_provider
    STORED = os.path.abspath(provider.object(prefix.rstrip("/")).local_path())
os.environ.update(BIOLOOM_STORED=STORED)

# Whether another workflow uses this one as a module: its rules may make the files that tasks name.
IS_MODULE = not workflow.modifier.is_main_snakefile()

with one_line_errors():
    if workflow.modifier.path_modifier.prefix:
        raise DataError(
            "`prefix` would move files, but not their names in tasks",
            hint="leave it out of the module; `use rule * from bioloom as bioloom_*` names the rules",
        )
    PROJECT = read_project(config, may_lack_files=IS_MODULE or bool(STORED))
    REMOTE = PROJECT.remote_sources

TASKS = PROJECT.tasks

# Tasks of another folder, named in the call, are none of dvc.yaml's business.
if (
    workflow.is_main_process
    and not IS_MODULE
    and "tasks" not in workflow.config_settings.overwrite_config
):
    if message := other_tasks(PROJECT.trained, Path("dvc.yaml")):
        print(message, file=sys.stderr)


# The longer what follows a step, the earlier it starts: first all samples, then features and models,
# so that no long job is left for the end. Rules that are not named here follow.
PRIORITY = {
    "ingest": 6,
    "clean": 5,
    "finetune": 4,
    "extract_features": 3,
    "split": 3,
    "train": 2,
    "pretrain": 4,
}


wildcard_constraints:
    task="|".join(TASKS),
    dataset="[a-z][a-z0-9_]*(/part_[0-9]+)?",
    pretrained="[a-z][a-z0-9_]*",
    sha256="[0-9a-f]{12}",
    features=r"features(\.[a-z0-9_]+)?",
    sample="[A-Za-z0-9][A-Za-z0-9._+-]*",
    lane="[A-Za-z0-9][A-Za-z0-9._+-]*",


# The data sets that are done in parts, each with its task's name before it.
PARTED = "|".join(
    f"(?<=/{task.name}/){dataset}"
    for task in TASKS.values()
    for dataset in task.datasets
    if task.parts(dataset)
)


def task_of(wildcards):
    return TASKS[wildcards.task]


def application(wildcards):
    return task_of(wildcards).application


def section(step, name):
    """A params function: one section of the task that a step may see, as sorted JSON."""
    assert name in STEPS[step].sections, f"{step} does not see {name}: see pipeline/steps.py"
    return lambda wildcards: to_json(getattr(task_of(wildcards), name))


def source_files(wildcards):
    return to_json(task_of(wildcards).source_files(wildcards.dataset))


def fetched_source(wildcards, output):
    """The source of a file below resources/. By `output` Snakemake knows that its path tells all."""
    return to_json(REMOTE[f"resources/{wildcards.sha256}/{wildcards.name}"])


def ingest_options(wildcards):
    return to_json(task_of(wildcards).ingest_options(wildcards.dataset))


def features_options(wildcards):
    return to_json(task_of(wildcards).features_sections[wildcards.features])


def features_code(step):
    """A params function: the hash of the modules that a step runs for one features file."""

    def hashed(wildcards):
        task = task_of(wildcards)
        return code_hash(step, task, features=task.features_sections[wildcards.features])

    return hashed


def code(step):
    """A params function: the hash of the modules that a step runs for this task."""
    return lambda wildcards: code_hash(step, task_of(wildcards))


def pretrained_weights(wildcards, name="features"):
    """The weights as they came; the age of a folder of the user's says nothing."""
    files = task_of(wildcards).weights(name)
    return [ancient(file) if is_users_folder(file) else file for file in files]


def pretrained_parts(wildcards, name="features"):
    return task_of(wildcards).weights_parts(name)


def weights(wildcards):
    """The weights of a features file: as they came, or as `finetune` leaves them."""
    task, name = task_of(wildcards), getattr(wildcards, "features", "features")
    if task.is_finetuned(name):
        return task.path("finetuned")
    return pretrained_weights(wildcards, name)


def parts(wildcards):
    name = getattr(wildcards, "features", "features")
    return [] if task_of(wildcards).is_finetuned(name) else pretrained_parts(wildcards, name)


def chunks(wildcards):
    """What jobs leave that each embed a chunk of a data set first; nothing where one does it all."""
    if not task_of(wildcards).is_learnt(wildcards.features):
        return []
    files = gather.chunks(
        f"results/{{task}}/{{dataset}}/{{features}}.{{scatteritem}}{CHUNK}", **wildcards
    )
    return [ancient(file) for file in files] if len(files) > 1 else []


def model_of_new_data(wildcards):
    """The model that takes these features, but of training data and of baselines."""
    is_its_own = wildcards.dataset != "training" and wildcards.features == "features"
    return [task_of(wildcards).model_folder] if is_its_own else []


def nodes_of(wildcards):
    """An input function: the nodes of a data set whose samples are pairs, else nothing."""
    return task_of(wildcards).nodes(getattr(wildcards, "dataset", "training"))


def reads(wildcards):
    """The sequencing reads of a data set, and the files that are made of them."""
    return task_of(wildcards).reads(wildcards.dataset)


def parts_of(wildcards, file):
    """A file of each part of a data set."""
    task = task_of(wildcards)
    return [task.path(part, file) for part in task.parts(wildcards.dataset)]


def described_reads(wildcards):
    return to_json(reads(wildcards).described)


def reference(wildcards):
    return task_of(wildcards).given_files(wildcards.dataset)["reference"]


def indexed(wildcards):
    """The reference of a folder that is ready for alignment, and its aligners."""
    task = task_of(wildcards)
    return task.indexed(task.path("references", wildcards.sha256))


def reads_options(wildcards):
    return to_json(task_of(wildcards).reads_options(wildcards.dataset))


def lane(wildcards):
    return reads(wildcards).lane(wildcards.sample, wildcards.lane)


def trimmed_lanes(wildcards):
    return [reads(wildcards).trimmed(lane) for lane in reads(wildcards).fastq]


def lanes_json(lanes):
    return to_json([asdict(lane) for lane in lanes])


def of_new_data(name, made=lambda task: True):
    """A file of each new data set, of those tasks that have such."""
    return [
        task.path(dataset, name)
        for task in filter(made, TASKS.values())
        for dataset in task.new_data
    ]


def predictions():
    return of_new_data("predictions.parquet")


def ranked_links():
    return [
        file
        for form in ("tsv", "graphml")
        for file in of_new_data(f"links.{form}", made=lambda task: task.has_nodes)
    ]


def reads_reports():
    """Figures of all reads, also of those that came aligned and of tasks that train nothing."""
    return [
        file
        for task in TASKS.values()
        for reads in map(task.reads, task.datasets)
        if reads
        for file in reads.reports
    ]


def shown():
    """All that the report shows of trained tasks, so that what somebody removed is made again.

    Else nobody would ask for it: what is made of it is there.
    """
    tasks = PROJECT.trained.values()
    return [file for t in tasks for file in [*t.report_files.values(), t.path("report.html")]]


def explained_rows():
    """On what single answers rest, of models that tell it, and of data sets that one job predicts."""
    return [
        task.path(dataset, "explanation")
        for task in TASKS.values()
        for dataset in task.new_data
        if task.tells and not task.parts(dataset)
    ]


def pages():
    """The folders of pages, a page a person."""
    return [task.path(dataset, "pages") for task in TASKS.values() for dataset in task.paged]


def exports():
    """Predictions in the forms of the field, of applications that have such."""
    return of_new_data("export", made=lambda task: task.code.write is not None)
