"""dvc.yaml: one DVC stage a rule of the workflow, with the files of all tasks.

Snakemake decides what is made again and makes it; DVC versions the files, and compares params,
metrics and plots between commits. A stage's files come from Snakemake's own plan, so the two agree.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bioloom.application import get_application
from bioloom.kinds import get_kind

Config = dict[str, Any]

HEADER = """\
# Made from config.yaml by `make dvc.yaml`. Each stage runs Snakemake up to one step, for all tasks.
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
SHARED = {step: ["seed"] for step in ("split", "finetune", "train", "evaluate", "explain")} | {
    "pretrain": ["seed", "pretrain"]
}
# Tables of plots/ that DVC draws: template, x, y. "models" is .dvc/plots/models.json.
_CURVES = {
    "roc": ("models", "false_positive_rate", "true_positive_rate"),
    "pr": ("models", "recall", "precision"),
    "calibration": ("models", "predicted", "observed"),
}
PLOTS = _CURVES | {
    "predicted_observed": ("scatter", "observed", "predicted"),
    "per_target": ("bar_horizontal", "spearman", "target"),
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


def dvc_stages(config: Config, jobs: Sequence[Job]) -> Config:
    """The content of dvc.yaml for a config and the jobs of its workflow."""
    rules = {job.rule for job in jobs} - {*NO_STAGE}
    tasks = config["tasks"]
    return {
        "stages": {
            rule: _stage(rule, config, [job for job in jobs if job.rule == rule])
            for rule in sorted(rules, key=list(SECTIONS).index)
        },
        "plots": [plot for name, task in tasks.items() for plot in _plots(name, task)],
        "artifacts": {
            name.replace("_", "-"): {
                "path": f"results/{name}/model",
                "type": "model",
                "desc": f"{task.get('title', name)}: {task['model']['name']}",
                "labels": [task["application"]],
            }
            for name, task in tasks.items()
        },
    }


def _stage(rule: str, config: Config, jobs: Sequence[Job]) -> Config:
    inputs = {file for job in jobs for file in job.inputs if not file.startswith(DOWNLOADS)}
    outputs = sorted(file for job in jobs for file in job.outputs)
    metrics = [file for file in outputs if file.endswith("/metrics.json")]
    params = [
        f"tasks.{name}.{section}"
        for name, task in config["tasks"].items()
        for section in SECTIONS[rule]
        if section in task
    ] + [key for key in SHARED.get(rule, []) if key in config]
    stage = {
        "cmd": f"snakemake --until {rule}",
        "deps": [*CODE, f"scripts/{rule}.py", *sorted(inputs)],
        "params": [{"config.yaml": params}] if params else [],
        "outs": [{file: {"persist": True}} for file in outputs if file not in metrics],
        "metrics": [{file: {"cache": False, "persist": True}} for file in metrics],
    }
    return {key: value for key, value in stage.items() if value}


def _plots(name: str, task: Config) -> list[Config]:
    """What `dvc plots` draws of a task's tables."""
    return [
        {f"results/{name}/plots/{table}.csv": {"template": template, "x": x, "y": y}}
        for table in get_kind(get_application(task["application"]).kinds[0]).plots
        if table in PLOTS
        for template, x, y in [PLOTS[table]]
    ]
