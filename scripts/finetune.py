"""Fine-tune a task's embedder on its training rows."""

from dataclasses import replace
from pathlib import Path

from bioloom.application import get_application
from bioloom.finetuning import finetune
from bioloom.pipeline.command import json_object, optional_path, run
from bioloom.samples import read_samples
from bioloom.splits import read_splits


def main(
    task: str,
    application: str,
    kinds: list[str],
    samples: Path,
    splits: Path,
    weights: list[Path],
    embedder: dict,
    options: dict,
    seed: int,
    model: Path,
) -> None:
    """Write the folder that the huggingface embedder loads."""
    table = read_samples(samples)
    finetune(
        table,
        read_splits(splits, table),
        replace(get_application(application), kinds=tuple(kinds)),
        embedder,
        options,
        model,
        weights=optional_path(weights),
        seed=seed,
        task=task,
    )


if __name__ == "__main__":
    arguments = {
        "task": str,
        "application": str,
        "kinds": [str],
        "samples": Path,
        "splits": Path,
        "weights": [Path],
        "embedder": json_object,
        "options": json_object,
        "seed": int,
        "model": Path,
    }
    run(__doc__, arguments, main)
