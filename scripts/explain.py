"""Say what the model looks at, on validation rows."""

from pathlib import Path

from bioloom.application import get_application
from bioloom.explanation.explain import explain
from bioloom.features import read_features
from bioloom.fitted import Fitted
from bioloom.pipeline.command import json_object, json_objects, run
from bioloom.pipeline.sections import Features, weights_by_part
from bioloom.samples import read_samples, write_table
from bioloom.splits import read_splits


def main(
    application: str,
    samples: Path,
    splits: Path,
    features: Path,
    weights: list[Path],
    model: Path,
    options: dict,
    embedder: Features,
    seed: int,
    explanation: Path,
) -> None:
    """Write explanation.parquet."""
    table = read_samples(samples)
    explained = explain(
        table,
        read_splits(splits, table),
        read_features(features),
        Fitted.load(model),
        get_application(application),
        options,
        embedder=embedder,
        weights=weights_by_part(embedder, weights),
        seed=seed,
    )
    write_table(explained, explanation)


if __name__ == "__main__":
    arguments = {
        "application": str,
        "samples": Path,
        "splits": Path,
        "features": Path,
        "weights": [Path],
        "model": Path,
        "options": json_object,
        "embedder": json_objects,
        "seed": int,
        "explanation": Path,
    }
    run(__doc__, arguments, main)
