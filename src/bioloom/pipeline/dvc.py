"""dvc.yaml: one DVC stage a rule of the workflow, with the files of all tasks.

Snakemake decides what is made again and makes it; DVC versions the files, and compares params,
metrics and plots between commits. A stage's files come from Snakemake's own plan, so the two agree.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from bioloom.pipeline.project import Project
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
# The steps in running order, and which sections of a task's config each depends on.
SECTIONS: dict[str, tuple[str, ...]] = {
    "ingest": ("application", "datasets"),
    "nodes": ("application", "datasets"),
    "clean": ("application", "clean"),
    "split": ("application", "split", "leakage"),
    "pretrain": (),
    "finetune": ("application", "features"),
    "extract_features": ("application", "features", "baselines"),
    "train": ("application", "model", "baselines", "preprocess", "positive", "high_above"),
    "evaluate": ("application", "evaluate"),
    "explain": ("application", "features", "explain"),
    "predict": (),
    "rank_links": ("application",),
    "export": ("application",),
    "report": ("title", "about"),
}
# What a step depends on beyond the tasks.
SHARED = {"ingest": ["sources"], "nodes": ["sources"]}
SHARED |= {step: ["seed"] for step in ("split", "finetune", "train", "evaluate", "explain")} | {
    "pretrain": ["seed", "pretrain"]
}
# Tables of plots/ that DVC draws: template, x, y. "models" is .dvc/plots/models.json.
_CURVES = {
    "roc": ("models", "false_positive_rate", "true_positive_rate"),
    "pr": ("models", "recall", "precision"),
    "calibration": ("models", "predicted", "observed"),
}
PLOTS = {
    "classification": _CURVES,
    "regression": {"predicted_observed": ("scatter", "observed", "predicted")},
    "multiregression": {"per_target": ("bar_horizontal", "spearman", "target")},
    "per_residue": _CURVES,
}


@dataclass
class Job:
    """A job of Snakemake's plan."""

    rule: str
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()


def planned_jobs() -> list[Job]:
    """All jobs of the workflow in the working directory, as if nothing had run."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--forceall", "--quiet", "host"]
    plan = subprocess.run(
        command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    jobs: list[Job] = []
    for line in plan.stdout.splitlines():
        if match := re.fullmatch(r"(?:local)?rule (\w+):", line):
            jobs.append(Job(match[1]))
        elif match := re.fullmatch(r" {4}(input|output): (.+)", line):
            setattr(jobs[-1], f"{match[1]}s", match[2].split(", "))
    return jobs


def dvc_stages(project: Project, config: Config, jobs: Sequence[Job]) -> Config:
    """The content of dvc.yaml for a project, its config and the jobs of its workflow."""
    rules = {job.rule for job in jobs} - {*NO_STAGE}
    return {
        "stages": {
            rule: _stage(rule, project, config, [job for job in jobs if job.rule == rule])
            for rule in sorted(rules, key=list(SECTIONS).index)
        },
        "plots": [plot for task in project.tasks.values() for plot in _plots(task)],
        "artifacts": {
            task.name.replace("_", "-"): {
                "path": task.path("model"),
                "type": "model",
                "desc": f"{task.title or task.name}: {task.model['name']}",
                "labels": [task.application],
            }
            for task in project.tasks.values()
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
    params: dict[str, list[str]] = {"config.yaml": SHARED.get(rule, [])}
    params["config.yaml"] = [key for key in params["config.yaml"] if key in config]
    sections = ("like", *SECTIONS[rule]) if SECTIONS[rule] else ()
    for file in chain.from_iterable(file.files for file in project.files.values()):
        params[os.path.normpath(file.path)] = [key for key in sections if key in file.own]
    return [{file: keys} for file, keys in params.items() if keys]


def _plots(task: Task) -> list[Config]:
    """What `dvc plots` draws of a task's tables."""
    return [
        {task.path("plots", f"{table}.csv"): {"template": template, "x": x, "y": y}}
        for table, (template, x, y) in PLOTS[task.code.task].items()
    ]
