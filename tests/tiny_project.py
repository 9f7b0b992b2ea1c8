"""A small project: a copy of this repository with two clinical tasks that run in seconds.

`heart` trains a DNN on a hold-out split and predicts new patients, `liver` a logistic regression.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from tests.preloaded import programs_folder

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "workflow", "scripts", "src", "profiles", "envs", "pyproject.toml")
VERSIONED = (".dvc/config", ".dvc/.gitignore", ".dvc/plots", ".dvcignore", ".gitignore")
TASKS = {
    "heart": """
title: Heart disease
application: disease_diagnosis
kind: binary
datasets:
  training: {clinical: data/heart.csv, columns: {id: patient, label: disease}}
  ward: {clinical: data/ward.csv, columns: {id: patient}}
split: {method: holdout, test: 0.25, valid: 0.2}
leakage: {limit: null}
features: {embedder: table}
model: {name: dnn, width: 8, layers: 1, epochs: 3}
evaluate: {primary: auroc, resamples: 100}
explain: {repeats: 1}
""",
    "liver": """
application: disease_diagnosis
datasets:
  training: {clinical: data/liver.csv, columns: {id: patient, label: disease}}
split: {method: holdout, test: 0.25, valid: 0.2}
leakage: {limit: null}
features: {embedder: table}
model: {name: logistic_regression}
baselines: {gradient_boosting: {model: {name: gradient_boosting}}}
evaluate: {primary: auroc, resamples: 100}
explain: {repeats: 1}
""",
}


class Project:
    """A folder with Snakefile, workflow, scripts, src, profiles, data, config.yaml and tasks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, folder: Path) -> Project:
        """A new project in an empty folder; nothing has run."""
        # With what was compiled: numba takes seconds for a loop.
        unwanted = shutil.ignore_patterns("*.egg-info")
        for part in PARTS:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part, ignore=unwanted)
            else:
                shutil.copy2(ROOT / part, folder / part)
        (folder / "config.yaml").write_text("seed: 1\ntasks: tasks\n")
        (folder / "tasks").mkdir()
        for name, content in TASKS.items():
            (folder / f"tasks/{name}.yaml").write_text(content.lstrip())
        (folder / "data").mkdir()
        for seed, (name, labelled) in enumerate(
            {"heart": True, "ward": False, "liver": True}.items()
        ):
            patients(80 if labelled else 6, labelled, seed).to_csv(
                folder / f"data/{name}.csv", index=False
            )
        return cls(folder)

    def copy(self, folder: Path) -> Project:
        """A copy with results and modification times."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        return Project(folder)

    def path(self, name: str) -> Path:
        """A file of the project."""
        return self.folder / name

    def run(self, *command: str, check: bool = True) -> str:
        """The output of a command in the project's folder, with this environment's programs."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if check and done.returncode:
            raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def snakemake(self, *arguments: str, check: bool = True) -> str:
        """Run the workflow; the output of Snakemake and its jobs."""
        return self.run("snakemake", *arguments, check=check)

    def planned(self, *arguments: str) -> set[str]:
        """The jobs that a run would start, such as "train heart", "clean heart ward", "report"."""
        jobs, rule = set(), ""
        for line in self.snakemake("--dry-run", *arguments).splitlines():
            if match := re.match(r"(?:local)?rule (\w+):$", line):
                rule = match[1]
                jobs.add(rule)
            elif match := re.match(r" +wildcards: (.+)$", line):
                jobs.discard(rule)
                values = [part.split("=")[1] for part in match[1].split(", ")]
                jobs.add(" ".join([rule, *values]))
        return jobs - {"all"}

    def make_stages(self) -> None:
        """Write dvc.yaml."""
        script = ("python", "scripts/dvc_stages.py")
        self.run(*script, "--config", "config.yaml", "--stages", "dvc.yaml")

    def publish(self, remote: str) -> None:
        """Bring the project into git, and its results to a remote of DVC."""
        for name in VERSIONED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
            self.path(name).parent.mkdir(exist_ok=True)
            copy(ROOT / name, self.path(name))
        self.make_stages()
        self.run("git", "init", "--quiet", "--initial-branch", "main")
        self.run("dvc", "remote", "add", "--default", "shared", remote)
        self.run("dvc", "commit", "--force")
        self.run("git", "add", ".")
        self.run("git", "commit", "--quiet", "--message", "first run")
        self.run("dvc", "push")

    def clone(self, folder: Path) -> Project:
        """A fresh clone of the published project: no results but the metrics, which are in git."""
        self.run("git", "clone", "--quiet", ".", str(folder))
        return Project(folder)

    def configure(self, **changes: Any) -> None:
        """Change config.yaml or a task file: `configure(**{"tasks.heart.model.layers": 2})`."""
        for place, value in changes.items():
            file, keys = self.path("config.yaml"), place.split(".")
            if keys[0] == "tasks" and self.path("tasks").is_dir():
                file, keys = self.path(f"tasks/{keys[1]}.yaml"), keys[2:]
            content = yaml.safe_load(file.read_text()) if file.exists() else {}
            file.write_text(yaml.safe_dump(changed(content, keys, value), sort_keys=False))


def changed(content: Any, keys: list[str], value: Any) -> Any:
    """Nested content with another value at the end of `keys`."""
    if not keys:
        return value
    return content | {keys[0]: changed(content.get(keys[0], {}), keys[1:], value)}


def environment() -> dict[str, str]:
    """The environment of tests, with the programs of its Python and no user's settings."""
    programs = (str(programs_folder()), os.path.dirname(sys.executable), os.environ["PATH"])
    settings = {
        "PATH": os.pathsep.join(programs),
        "OMP_NUM_THREADS": "1",
        "SLURM_CONF": os.devnull,  # where Slurm does not answer, its plugin waits for it at import
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "test",
        "GIT_AUTHOR_EMAIL": "test@example.org",
        "GIT_COMMITTER_NAME": "test",
        "GIT_COMMITTER_EMAIL": "test@example.org",
    }
    return os.environ | settings


def patients(n: int, labelled: bool, seed: int) -> pd.DataFrame:
    """A clinical table with a signal in age and blood pressure."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "patient": [f"P{i:03d}" for i in range(n)],
            "age": rng.normal(60, 10, n).round().clip(max=89),  # above, it may tell who one is
            "pressure": rng.normal(130, 15, n).round(),
            "smoker": rng.choice(["yes", "no"], n),
        }
    )
    risk = (table["age"] - 60) / 10 + (table["pressure"] - 130) / 15
    if labelled:
        noisy = risk + rng.normal(0, 0.5, n)
        table["disease"] = np.where(noisy > 0, "present", "absent")
    return table
