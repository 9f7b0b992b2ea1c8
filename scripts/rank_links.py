"""Write predicted pairs in the forms of the field: a ranked table and a graph."""

from pathlib import Path

from bioloom.application import get_application
from bioloom.formats.edges import write_graphml
from bioloom.links.ranking import rank_links
from bioloom.pipeline.command import run
from bioloom.samples import read_samples, read_table, write_table


def main(
    application: str, samples: Path, nodes: Path, predictions: Path, ranked: Path, graph: Path
) -> None:
    """Write links.tsv, best first, and links.graphml with those predicted to be linked."""
    links, linked, names = rank_links(
        read_samples(samples), read_table(nodes), read_table(predictions)
    )
    write_table(links, ranked)
    write_graphml(linked, names, graph, directed=get_application(application).directed)


if __name__ == "__main__":
    arguments = {
        "application": str,
        "samples": Path,
        "nodes": Path,
        "predictions": Path,
        "ranked": Path,
        "graph": Path,
    }
    run(__doc__, arguments, main)
