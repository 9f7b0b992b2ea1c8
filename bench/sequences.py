"""Few labelled sequences: the exact kernel of words beside the LSTM and simple models.

`python -m bench.sequences` prints a table: R2 on the test rows of the shipped
split, mean, least and most of three draws of so many training rows, all models with the same ones.
Data and models are those of the tasks, but for the kernel. Nothing is chosen on test rows.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import yaml

from bioloom.application import get_application
from bioloom.features import own_sections
from bioloom.features.extract import extract_features
from bioloom.metrics.regression import regression_scores
from bioloom.sources import fetch
from bioloom.splits.split import split_samples
from bioloom.training.learning_curve import learning_curve

TASKS = (Path("tasks/more/splicing_mpsa.yaml"), Path("tasks/lac_promoter.yaml"))
SIZES, SEED = (300, 1_000, 3_000), 1


def curve(file: Path, sizes: list[int]) -> pd.DataFrame:
    """R2 by model, number of labels and draw, of a task."""
    task = yaml.safe_load(file.read_text())
    application = get_application(task["application"])
    training = task["datasets"]["training"]
    source = training.pop("sequences")
    packages = yaml.safe_load(Path("config.yaml").read_text())["sources"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / Path(source["member"]).name
        fetch(packages[source["source"]] | {"member": source["member"]}, path)
        raw = application.ingest({"sequences": path}, training).samples
    samples = application.clean(raw, task.get("clean", {})).samples
    splits = split_samples(samples, task["split"], SEED)
    task["baselines"]["lstm"] = {"model": task["model"]}
    task["model"] = {"name": "sequence_kernel"}
    asked = {"features": task["features"]} | own_sections(task["baselines"])
    features = {
        name: extract_features(samples, application, section)[0] for name, section in asked.items()
    }
    answers = learning_curve(samples, splits, features, task | {"learning_curve": sizes}, SEED)
    known = samples.set_index("sample_id")
    found = []
    for (model, labels, draw), table in answers.groupby(["model", "labels", "draw"]):
        own = known.loc[table["sample_id"]]
        weight = own.get("sample_weight", pd.Series(1.0, index=own.index)).to_numpy(float)
        y, said = own["label"].to_numpy(), table["prediction"].to_numpy()
        score = regression_scores(y, said, weight[:, None])["r2"][0]
        found.append((file.stem, model, labels, draw, float(np.asarray(score))))
    return pd.DataFrame(found, columns=["task", "model", "labels", "draw", "r2"])


def main() -> None:
    """Print a row a task and model, a column a number of labels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", type=Path, default=TASKS)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    given = parser.parse_args()
    print("| task | model | " + " | ".join(f"{size} labels" for size in given.sizes) + " |")
    print("|---" * (2 + len(given.sizes)) + "|")
    for file in given.tasks:
        table = curve(file, list(given.sizes))
        for model, rows in table.groupby("model"):
            said = [
                f"{r2.mean():.3f} ({r2.min():.3f} to {r2.max():.3f})"
                for _, r2 in rows.groupby("labels")["r2"]
            ]
            print(f"| `{file.stem}` | {model} | " + " | ".join(said) + " |", flush=True)


if __name__ == "__main__":
    main()
