"""dvc.yaml: one DVC stage a rule of the workflow, with the files of all tasks.

Snakemake decides what is made again and makes it; DVC versions the files, and compares params,
metrics and plots between commits. A stage's files come from Snakemake's own plan, so the two agree.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Collection, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from bioloom.pipeline.project import Project
from bioloom.pipeline.steps import STEPS
from bioloom.pipeline.tasks import Task

Config = dict[str, Any]

HEADER = """\
# Made from config.yaml and tasks by `make dvc.yaml`. Each stage runs Snakemake up to one step, for
# all tasks.
"""
CODE = ("Snakefile", "src/bioloom", "workflow/rules")
# Downloads are checked by their sha256 when they are fetched, so they need no version.
DOWNLOADS = "resources/"
NO_STAGE = ("all", "fetch")
# Tables of plots/ that DVC draws: template, x, y. "models" is .dvc/plots/models.json.
_CURVES = {
    "roc": ("models", "false_positive_rate", "true_positive_rate"),
    "pr": ("models", "recall", "precision"),
    "calibration": ("models", "predicted", "observed"),
}
PLOTS = _CURVES | {
    "predicted_observed": ("scatter", "observed", "predicted"),
    "per_target": ("bar_horizontal", "spearman", "target"),
    "per_label": ("bar_horizontal", "auroc", "target"),
}


@dataclass
class Job:
    """A job of Snakemake's plan."""

    rule: str
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()


def planned_jobs() -> list[Job]:
    """All jobs of the workflow in the working directory, as if nothing had run.

    Snakemake runs in this process, and holds the folder until the process ends.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1), snakefile=Path("Snakefile")
        )
        with redirect_stdout(io.StringIO()):
            workflow.dag(DAGSettings(forceall=True)).summary()  # which builds the DAG
        jobs = workflow._workflow.dag.jobs
        return [Job(job.rule.name, [*map(str, job.input)], [*map(str, job.output)]) for job in jobs]


def other_tasks(tasks: Collection[str], stages: Path) -> str | None:
    """What to tell where dvc.yaml is there and has not just these tasks."""
    if not stages.exists():
        return None
    # A look at its lines: to parse the file takes half a second.
    known = set(re.findall(r"\bresults/(\w+)/metrics\.json\b", stages.read_text()))
    if different := sorted(known.symmetric_difference(tasks)):
        return f"{stages} has not the tasks of this run ({', '.join(different)}): `make dvc.yaml`"
    return None


def dvc_stages(project: Project, config: Config, jobs: Sequence[Job]) -> Config:
    """The content of dvc.yaml for a project, its config and the jobs of its workflow."""
    rules = {job.rule for job in jobs} - {*NO_STAGE}
    return {
        "stages": {
            rule: _stage(rule, project, config, [job for job in jobs if job.rule == rule])
            for rule in sorted(rules, key=list(STEPS).index)
        },
        "plots": [plot for task in project.trained.values() for plot in _plots(task)],
        "artifacts": {
            task.name.replace("_", "-"): {
                "path": task.path("model"),
                "type": "model",
                "desc": f"{task.title or task.name}: {task.model['name']}",
                "labels": [task.application],
            }
            for task in project.trained.values()
        },
    }


def _stage(rule: str, project: Project, config: Config, jobs: Sequence[Job]) -> Config:
    inputs = {file for job in jobs for file in job.inputs if not file.startswith(DOWNLOADS)}
    outputs = sorted(file for job in jobs for file in job.outputs)
    metrics = [file for file in outputs if file.endswith("/metrics.json")]
    stage = {
        "cmd": f"snakemake --until {rule}",
        "deps": [*CODE, f"scripts/{rule}.py", *sorted(inputs)],
        "params": _params(rule, project, config),
        "outs": [{file: {"persist": True}} for file in outputs if file not in metrics],
        "metrics": [{file: {"cache": False, "persist": True}} for file in metrics],
    }
    return {key: value for key, value in stage.items() if value}


def _params(rule: str, project: Project, config: Config) -> list[Config]:
    """The keys of each file that a step depends on; of a file that a task is like, too."""
    step = STEPS[rule]
    params = {"config.yaml": [key for key in step.shared if key in config]}
    sections = ("like", *step.sections) if step.sections else ()
    for file in chain.from_iterable(file.files for file in project.files.values()):
        params[os.path.normpath(file.path)] = [key for key in sections if key in file.own]
    return [{file: keys} for file, keys in params.items() if keys]


def _plots(task: Task) -> list[Config]:
    """What `dvc plots` draws of a task: the tables that it has, whatever its kind proves to be."""
    return [
        {task.path("plots", f"{table}.csv"): {"template": template, "x": x, "y": y}}
        for table in task.kinds[0].plots
        if table in PLOTS and all(table in kind.plots for kind in task.kinds)
        for template, x, y in [PLOTS[table]]
    ]
