"""Compare every result that is here with its recorded digest, and name what was altered."""

import sys
from pathlib import Path

from bioloom.pipeline.command import run
from bioloom.pipeline.verify import verify


def main(lock: Path) -> None:
    """Read all outputs of the lock once; raise DataError with those that differ."""
    print(verify(lock), file=sys.stderr)


if __name__ == "__main__":
    run(__doc__, {"lock": Path}, main)
