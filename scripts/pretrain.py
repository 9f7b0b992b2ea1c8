"""Pretrain a masked language model on unlabelled sequences."""

from pathlib import Path

from bioloom.files import write_json
from bioloom.pipeline.command import json_files, json_object, log_file, run
from bioloom.pretraining import pretrain
from bioloom.pretraining.processes import rank_0_speaks_first, rank_and_world


def main(
    files: dict,
    options: dict,
    seed: int,
    threads: int,
    code: str,
    model: Path,
    run_record: Path,
) -> None:
    """Write the folder that the huggingface embedder loads, and the record of the run."""
    corpora = {name: Path(file) for name, file in files.items()}
    with rank_0_speaks_first():
        _, run_info = pretrain(corpora, options, model, seed=seed, threads=threads, code=code)
    if rank_and_world()[0] == 0:
        write_json(run_info, run_record)


if __name__ == "__main__":
    arguments = {
        "files": json_files,
        "options": json_object,
        "seed": int,
        "threads": int,
        "code": str,
        "model": Path,
        "run_record": log_file,
    }
    run(__doc__, arguments, main)
