"""Turn sequences into vectors with a pretrained network, by the engine of the pipeline.

FASTA or GenBank in. Out, by its ending: .npz (`id`, `X`), .parquet (a row a sequence) or .h5 (one
data set a sequence, under its id). What was embedded before is looked up in the shared cache.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from bioloom.arrays import Ragged, Shaped, vectors
from bioloom.errors import DataError
from bioloom.features.engine import embed
from bioloom.files import replacing, shared_cache
from bioloom.formats.proteins import read_sequences
from bioloom.pipeline.sections import features_weights
from bioloom.sources import fetched

HELP = "turn sequences into vectors"
ENDINGS = (".npz", ".parquet", ".h5")
RAGGED = ("tokens",)
"""What `--pooling` asks for that has a row a letter."""


TABLES = (".csv", ".tsv", ".xlsx", ".parquet")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Sequences, network, and where vectors go."""
    parser.add_argument("sequences", type=Path, help="FASTA or GenBank")
    parser.add_argument(
        "--model", required=True, help="unirep, or the folder of a Hugging Face encoder"
    )
    parser.add_argument("--pooling", default="mean", help="mean, max, cls or tokens; default: mean")
    parser.add_argument("--out", type=Path, required=True, help=f"ends with {', '.join(ENDINGS)}")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 ...; default: what is free")


def main(sequences: Path, model: str, pooling: str, out: Path, device: str | None) -> None:
    """Write the vectors; DataError for what cannot be read, embedded or written so."""
    if out.suffix not in ENDINGS:
        raise DataError(f"Vectors are written as {', '.join(ENDINGS)}", file=out)
    if out.suffix == ".parquet" and pooling in RAGGED:
        raise DataError("A row a letter does not fit a table", file=out, hint="take .h5 or .npz")
    if sequences.suffix.lower() in TABLES:
        hint = "`features` of a task embed the sequences of a table"
        raise DataError("Expected FASTA or GenBank, got a table", file=sequences, hint=hint)
    unirep = model == "unirep"
    options = {"embedder": model} if unirep else {"embedder": "huggingface", "model": model}
    options |= {"pooling": pooling}
    table, notes = read_sequences(sequences)
    source = features_weights(options)
    weights = None
    if source is not None:
        weights = fetched(source) if isinstance(source, dict) else Path(source)
    made = embed(
        table["sequence"].tolist(),
        options,
        weights=weights,
        store=shared_cache() / "embeddings",
        device=device,
        ids=table["id"].tolist(),
    )
    with replacing(out) as temporary:
        _write(table["id"].tolist(), made.X, temporary, out.suffix)
    for note in notes:
        print(note)
    print(f"{out}: {len(table)} sequences by {made.info.get('identity') or model}")


def _write(ids: list[str], X: Shaped, path: Path, ending: str) -> None:
    if ending == ".h5":
        _write_hdf5(ids, X, path)
    elif ending == ".parquet":
        rows = vectors(X)
        names = [f"v{i}" for i in range(rows.shape[1])]
        pd.DataFrame(rows, columns=names).assign(id=ids)[["id", *names]].to_parquet(path)
    elif isinstance(X, Ragged):
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, id=np.array(ids), X=X.values, offsets=X.offsets)
    else:
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, id=np.array(ids), X=vectors(X))


def _write_hdf5(ids: list[str], X: Shaped, path: Path) -> None:
    """One data set a sequence, (D,) or (L, D); DataError for an id with a slash, a group there."""
    import h5py

    if slashed := next((name for name in ids if "/" in name), None):
        raise DataError(f"HDF5 takes no / in an id, got {slashed!r}", hint="take .npz or .parquet")
    with h5py.File(path, "w") as file:
        for i, name in enumerate(ids):
            file[name] = X.item(i) if isinstance(X, Ragged) else vectors(X)[i]
