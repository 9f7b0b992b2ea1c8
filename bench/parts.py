"""What predicting many rows of a table takes, by one job a step and in parts.

`python -m bench.parts --rows 100000 1000000 --parts 1 10` prints a row of a table each, of the
small network of the tests on simulated patients of four columns: CPU seconds of all jobs, and the
memory of the largest.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

import numpy as np

from tests.tiny_project import Project, patients

BLOCK = 100_000  # rows made at a time
TOOK = re.compile(r"([\d.]+) s of CPU time, ([\d,]+) MiB at most")


def main() -> None:
    """Print as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--parts", type=int, nargs="+", default=[1, 10])
    asked = parser.parse_args()
    print("| rows | MiB | parts | CPU seconds | MiB of the largest job |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        project = Project.create(Path(folder))
        project.path("tasks/liver.yaml").unlink()
        project.snakemake("results/heart/model")
        for rows in asked.rows:
            size = write_ward(project.path("data/ward.csv"), rows) / 2**20
            for parts in asked.parts:
                project.configure(**{"tasks.heart.datasets.ward.parts": parts})
                said = project.snakemake("results/heart/ward/predictions.parquet")
                took = [
                    (float(seconds), int(memory.replace(",", "")))
                    for seconds, memory in TOOK.findall(said)
                ]
                seconds, largest = sum(s for s, _ in took), max(memory for _, memory in took)
                told = f"{rows:,} | {size:.0f} | {parts} | {seconds:.0f} | {largest:,}"
                print(f"| {told} |", flush=True)


def write_ward(path: Path, rows: int) -> int:
    """Write a table of so many new patients; its size in bytes."""
    block = patients(BLOCK, labelled=False, seed=1)
    rng = np.random.default_rng(2)
    for first in range(0, rows, BLOCK):
        some = block.sample(min(BLOCK, rows - first), random_state=rng.integers(2**31))
        numbers = some.select_dtypes("number")
        some = some.assign(**(numbers * rng.uniform(0.9, 1.1, numbers.shape)).round(2))
        some["age"] = some["age"].clip(upper=89)
        some["patient"] = [f"w{first + row}" for row in range(len(some))]
        some.to_csv(path, mode="a" if first else "w", header=not first, index=False)
    return path.stat().st_size


if __name__ == "__main__":
    main()
