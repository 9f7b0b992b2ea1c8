"""The reads of several lanes, each a FASTQ file of single reads or one of each mate."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bioloom.reads.sequences import Reads, joined, load_reads


def load(lanes: list[list[Path]]) -> tuple[Reads, np.ndarray]:
    """The reads of all files, and which is the first of each file."""
    parts, counts = [], []
    for files in lanes:
        of_lane = [load_reads(file) for file in files]
        parts += of_lane
        counts += [len(part.offsets) - 1 for part in of_lane]
    return joined(parts), np.cumsum([0, *counts])[:-1]


def mates_of(lanes: list[list[Path]], reads: Reads, first: np.ndarray) -> np.ndarray:
    """The places (m, 2) of the mates among the reads of all lanes."""
    ends = np.append(first[1:], len(reads.offsets) - 1)
    numbers = np.split(np.arange(len(first)), np.cumsum([len(files) for files in lanes])[:-1])
    pairs = [
        np.stack([np.arange(first[i], ends[i]) for i in of_lane], axis=1)
        for of_lane in numbers
        if len(of_lane) == 2
    ]
    return np.concatenate([np.empty((0, 2), np.int64), *pairs])
