"""Describe the results of this folder as an RO-Crate, to publish or archive them.

Writes ro-crate-metadata.json: each file with its digest, the job that made it, and of what. The
results are compared with their recorded digests before.
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

from bioloom.cli.check import LOCK
from bioloom.files import write_json

HELP = "describe the results as an RO-Crate"
OUT = Path("ro-crate-metadata.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What no file of the project says."""
    parser.add_argument(
        "--license", required=True, help="under which the folder is given on, such as an SPDX link"
    )
    parser.add_argument("--name", default=Path.cwd().name, help="default: that of the folder")
    parser.add_argument("--description", default="Results of a bioloom project", help="in words")


def main(license: str, name: str, description: str) -> None:
    """Write the metadata; DataError where a result is not what was made."""
    # With Snakemake, which other commands do without.
    from bioloom.pipeline.crate import Stated, crate_of
    from bioloom.pipeline.lock import read_lock
    from bioloom.pipeline.verify import verify

    print(verify(LOCK))
    content = crate_of(read_lock(LOCK), Stated(name, description, license, date.today()))
    write_json(content, OUT)
    print(f"{OUT}: {len(content['@graph'])} entities")
