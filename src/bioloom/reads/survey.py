"""What the first reads of a lane tell: adapters, poly-G, frequent sequences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bioloom.formats._fastq_records import LETTERS, SEQUENCE
from bioloom.formats.fastq import Batch, read_batches
from bioloom.reads.choices import KITS

READS = 100_000  # of each file that are looked at
SEED = 12  # letters of an adapter: a read of 150 has them by chance 1 time in 100,000
RARE = 5e-4  # share of reads with an adapter below which there is none
# Two colours show no light as G: reads that end in so many, against those that end in C.
RUN, RUNS_TIMES, RUNS_SHARE = 10, 10, 1e-3
# As FastQC has it: sequences are counted by their first letters, from a share of reads on.
FREQUENT_LETTERS, FREQUENT_SHARE, FREQUENT_SHOWN = 50, 1e-3, 5


@dataclass(frozen=True)
class Survey:
    """Found in the first reads; shares are of the first mates."""

    kit: str | None
    dimers: float  # share that begins with its adapter: nothing was between the two
    has_poly_g: bool
    frequent: dict[str, float]  # sequence -> share


def survey(files: Sequence[Path]) -> Survey:
    """Look at the first reads of a lane's one or two files, which are checked already."""
    kits, ends, starts = Counter[str](), Counter[str](), Counter[bytes]()
    dimers = Counter[str]()
    reads = 0
    for mate, file in enumerate(files):
        for batch in _first_batches(file):
            text = batch.text.tobytes()
            reads += len(batch.table)
            for kit, adapters in KITS.items():
                seed = adapters[mate][:SEED].encode()
                kits[kit] += text.count(seed)
                dimers[kit] += text.count(b"\n" + seed) if mate == 0 else 0
            for letter in "GC":
                ends[letter] += _ends_in(batch, letter)
            if mate == 0:
                starts.update(_starts(batch))
    kit = max(KITS, key=lambda name: kits[name])
    total = starts.total()
    return Survey(
        kit if kits[kit] > RARE * reads else None,
        round(dimers[kit] / max(total, 1), 4),
        ends["G"] > max(RUNS_SHARE * reads, RUNS_TIMES * ends["C"]),
        {
            start.decode(): round(count / total, 4)
            for start, count in starts.most_common(FREQUENT_SHOWN)
            if count > max(FREQUENT_SHARE * total, 1)
        },
    )


def _first_batches(file: Path) -> Iterator[Batch]:
    """Batches of a file until they held enough reads."""
    for batch in read_batches(file):
        yield batch
        if batch.before + len(batch.table) >= READS:
            return


def _ends_in(batch: Batch, letter: str) -> int:
    """How many reads end in a run of the letter; qualities may have it, too."""
    ends = (batch.table[:, SEQUENCE] + batch.table[:, LETTERS])[batch.table[:, LETTERS] >= RUN]
    last = batch.text[ends[:, None] - np.arange(1, RUN + 1)]
    return int((last == ord(letter)).all(axis=1).sum())


def _starts(batch: Batch) -> list[bytes]:
    text = batch.text.tobytes()
    places = batch.table[:, [SEQUENCE, LETTERS]].tolist()
    return [text[at : at + min(n, FREQUENT_LETTERS)] for at, n in places if n]
