"""Train a task's model and its baselines on fewer labels, and predict the held-out rows."""

from pathlib import Path

from bioloom.features import read_features
from bioloom.pipeline.command import json_object, run
from bioloom.samples import read_samples, write_table
from bioloom.splits import read_splits
from bioloom.training.learning_curve import learning_curve


def main(
    samples: Path, splits: Path, features: list[Path], options: dict, seed: int, answers: Path
) -> None:
    """Write learning_curve.parquet."""
    table = read_samples(samples)
    extracted = {file.stem: read_features(file) for file in features}
    said = learning_curve(table, read_splits(splits, table), extracted, options, seed)
    write_table(said, answers)


if __name__ == "__main__":
    arguments = {
        "samples": Path,
        "splits": Path,
        "features": [Path],
        "options": json_object,
        "seed": int,
        "answers": Path,
    }
    run(__doc__, arguments, main)
