"""Turn samples into features with a foundation model, or cheap ones."""

from pathlib import Path

from bioloom.application import get_application
from bioloom.features import trained_identity, write_features
from bioloom.features.extract import extract_features
from bioloom.files import shared_cache, write_json
from bioloom.pipeline.command import json_objects, log_file, run
from bioloom.pipeline.sections import Features, weights_by_part
from bioloom.samples import read_samples, read_table


def main(
    application: str,
    samples: Path,
    nodes: list[Path],
    options: Features,
    weights: list[Path],
    model: list[Path],
    device: str,
    features: Path,
    record: Path,
    run_record: Path,
) -> None:
    """Write features.npz, the record of what they are, and that of the run.

    New data come with the folder of the model that will predict them; it may not be there yet.
    """
    extracted, info, run_info = extract_features(
        read_samples(samples),
        get_application(application),
        options,
        weights=weights_by_part(options, weights),
        store=shared_cache() / "embeddings",
        device=device,
        trained=trained_identity(model[0]) if model else None,
        nodes=read_table(nodes[0]) if nodes else None,
    )
    write_features(extracted, features)
    write_json(info, record)
    write_json(run_info, run_record)


if __name__ == "__main__":
    arguments = {
        "application": str,
        "samples": Path,
        "nodes": [Path],
        "options": json_objects,
        "weights": [Path],
        "model": [Path],
        "device": str,
        "features": Path,
        "record": Path,
        "run_record": log_file,
    }
    run(__doc__, arguments, main)
