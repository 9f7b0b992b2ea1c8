"""Train a task's model and its baselines, and predict the held-out rows."""

from pathlib import Path

from bioloom.features import read_features
from bioloom.pipeline.command import json_object, run
from bioloom.samples import read_samples, write_table
from bioloom.splits import read_splits
from bioloom.training.train import train_task


def main(
    samples: Path,
    splits: Path,
    features: list[Path],
    options: dict,
    reading: dict,
    seed: int,
    model: Path,
    scored_model: Path,
    held_out: Path,
) -> None:
    """Write the folders model/ and scored_model/, and held_out.parquet.

    The model for new data says in model.yaml how those are read (`Task.reading`).
    """
    table = read_samples(samples)
    extracted = {file.stem: read_features(file) for file in features}
    fitted, scored, predictions = train_task(
        table, read_splits(splits, table), extracted, options, seed, inputs=[samples, *features]
    )
    fitted.settings = fitted.settings | {"reading": reading}
    fitted.save(model)
    scored.save(scored_model)
    write_table(predictions, held_out)


if __name__ == "__main__":
    arguments = {
        "samples": Path,
        "splits": Path,
        "features": [Path],
        "options": json_object,
        "reading": json_object,
        "seed": int,
        "model": Path,
        "scored_model": Path,
        "held_out": Path,
    }
    run(__doc__, arguments, main)
