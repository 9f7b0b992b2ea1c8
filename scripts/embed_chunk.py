"""Put the vectors of a chunk of a data set's sequences into the store."""

from pathlib import Path

from bioloom.application import get_application
from bioloom.features import trained_identity
from bioloom.features.extract import embed_chunk
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
    chunk: str,
    device: str,
    run_record: Path,
) -> None:
    """Embed chunk `2-of-8`, and write the record of the run."""
    number, _, count = chunk.partition("-of-")
    made = embed_chunk(
        read_samples(samples),
        get_application(application),
        options,
        (int(number), int(count)),
        weights=weights_by_part(options, weights),
        store=shared_cache() / "embeddings",
        device=device,
        trained=trained_identity(model[0]) if model else None,
        nodes=read_table(nodes[0]) if nodes else None,
    )
    write_json(made, run_record)


if __name__ == "__main__":
    arguments = {
        "application": str,
        "samples": Path,
        "nodes": [Path],
        "options": json_objects,
        "weights": [Path],
        "model": [Path],
        "chunk": str,
        "device": str,
        "run_record": log_file,
    }
    run(__doc__, arguments, main)
