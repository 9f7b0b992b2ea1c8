"""Bring the results of a run in an object store into this folder.

With what they were made of, and their provenance: a run here does nothing, and DVC shares them as
if it had been here.
"""

from __future__ import annotations

import argparse

from bioloom.cli.check import LOCK

HELP = "bring results from an object store"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the results are."""
    parser.add_argument("store", help="its address, such as s3://lab/cohort")


def main(store: str) -> None:
    """Print how many there are; DataError where they cannot be brought."""
    # With Snakemake, which other commands do without.
    from bioloom.pipeline.fetched import fetch

    count, own = fetch(store, LOCK)
    print(f"{count} results are here, with what they were made of")
    if own:
        print(f"Not in the store, and taken as they are here: {', '.join(own)}")
