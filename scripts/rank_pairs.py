"""Write predicted pairs in the forms of the field: a ranked table and a graph."""

from pathlib import Path

import pandas as pd

from bioloom.application import get_application
from bioloom.command import run
from bioloom.formats.edges import write_graphml, write_tsv
from bioloom.networks import rank_pairs
from bioloom.samples import read_samples


def main(
    application: str, samples: Path, nodes: Path, predictions: Path, pairs: Path, graph: Path
) -> None:
    """Write pairs.tsv, best first, and pairs.graphml with those predicted to be linked."""
    ranked, linked, names = rank_pairs(
        read_samples(samples), pd.read_parquet(nodes), pd.read_parquet(predictions)
    )
    write_tsv(ranked, pairs)
    write_graphml(linked, names, graph, directed=get_application(application).directed)


if __name__ == "__main__":
    arguments = {
        "application": str,
        "samples": Path,
        "nodes": Path,
        "predictions": Path,
        "pairs": Path,
        "graph": Path,
    }
    run(__doc__, arguments, main)
