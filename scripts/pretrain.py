"""Pretrain a masked language model on unlabelled sequences."""

from pathlib import Path

from bioloom.command import json_object, run
from bioloom.pretraining import pretrain


def main(files: dict, options: dict, seed: int, threads: int, model: Path) -> None:
    """Write the folder that the huggingface embedder loads."""
    corpora = {name: Path(file) for name, file in files.items()}
    pretrain(corpora, options, model, seed=seed, threads=threads)


if __name__ == "__main__":
    arguments = {
        "files": json_object,
        "options": json_object,
        "seed": int,
        "threads": int,
        "model": Path,
    }
    run(__doc__, arguments, main)
