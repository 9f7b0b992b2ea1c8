"""Eight runs at once, more than there are cores: whether all of them give the same bytes.

`python -m bench.load` embeds sequences with UniRep, fetched once, in eight folders at the same time
and prints the different sha256 of what they wrote. Exit code 1 where there is more than one.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
RUNS, SEQUENCES, LONGEST = 8, 60, 300


def main() -> None:
    """Run them and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="unirep", help="as of `bioloom embed`")
    model = parser.parse_args().model
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice([*LETTERS], n)) for n in rng.integers(20, LONGEST, SEQUENCES)]
    begin, sums = time.perf_counter(), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="bioloom-load-") as place:
        fasta = Path(place) / "in.fasta"
        fasta.write_text("".join(f">s{i}\n{text}\n" for i, text in enumerate(texts)))
        downloads = Path(".bioloom/downloads")
        downloads.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "bioloom", "embed", str(fasta), "--model", model]
        runs = []
        for number in range(RUNS):
            own = Path(place) / str(number) / ".bioloom"
            own.mkdir(parents=True)
            (own / "downloads").symlink_to(downloads.absolute())
            runs.append(subprocess.Popen([*command, "--out", "out.npz"], cwd=own.parent))
        codes = [run.wait() for run in runs]
        if any(codes):
            sys.exit("A run failed")
        for number in range(RUNS):
            sums[sha256((Path(place) / str(number) / "out.npz").read_bytes()).hexdigest()] += 1
    print(f"{RUNS} runs at once in {time.perf_counter() - begin:.0f} s; sha256, and of how many:")
    for digest, count in sums.items():
        print(digest, count)
    sys.exit(len(sums) > 1)


if __name__ == "__main__":
    main()
