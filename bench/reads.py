"""Counts of bases from BAM against a loop over pysam's pileup and samtools depth."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pysam

from bench.timing import Goal, Size, Suite
from bioloom.reads.bam import Bam
from bioloom.reads.bgzf import read_blocks
from bioloom.reads.pileup import Counting, pileup

DEPTH, READ = 30, 150
POSITIONS = {"tiny": 100_000, "usual": 1_000_000, "full": 4_000_000}
COUNTING = Counting(mapping_quality=1, base_quality=10)
SEPARATE = Counting(mapping_quality=1, base_quality=10, fragments=False)
CODES = {"A": 0, "C": 1, "G": 2, "T": 3}


def suite(size: Size, folder: Path) -> Suite:
    """Simulated pairs at 30x; pysam's loop works on a fiftieth, speeds are per position."""
    n = POSITIONS[size]
    file = folder / "reads.bam"
    simulate(file, n)
    reads = Bam(file)
    few = n // 50
    cases: dict[str, Callable[[], Any]] = {
        "counts, ours": partial(ours, reads, n, COUNTING),
        "counts, ours, each read a witness": partial(ours, reads, n, SEPARATE),
        "pysam pileup loop": partial(pysam_loop, file, few),
        "samtools depth": partial(samtools_depth, file, folder / "depth.txt"),
        "samtools depth, mates once": partial(samtools_depth, file, folder / "once.txt", "-s"),
        "index, ours": partial(Bam, file),
        "inflate": partial(inflate, file),
    }
    goals = [
        Goal("counts against pysam's pileup loop", "counts, ours", "pysam pileup loop", 100.0),
        Goal("counts against samtools depth", "counts, ours", "samtools depth", 0.5),
        Goal("counts against samtools depth -s", "counts, ours", "samtools depth, mates once"),
        Goal("counts, fraction of inflating alone", "counts, ours", "inflate"),
    ]
    work = {name: float(few if "pysam" in name else n) for name in cases}
    return Suite("reads", cases, partial(agree, few), goals, work)


def simulate(file: Path, n: int) -> None:
    """Pairs of 2 x 150 from fragments of 350 bases, sorted, with binned qualities and indels."""
    rng = np.random.default_rng(0)
    count = DEPTH * n // (2 * READ)
    lengths = np.clip(rng.normal(350, 70, count), READ, 700).astype(int)
    starts = rng.integers(0, n - 720, count)
    reference = rng.choice(list("ACGT"), n)
    pieces = []
    for i, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        mates = start, start + length - READ
        pieces += [(mates[0], i, 99, mates[1]), (mates[1], i, 147, mates[0])]
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": "chr1", "LN": n}]}
    with pysam.AlignmentFile(str(file), "wb", header=header) as out:
        for start, i, flag, mate in sorted(pieces):
            out.write(_read(out.header, reference, rng, int(start), i, flag, int(mate)))
    pysam.index(str(file))


def _read(
    header: Any, reference: np.ndarray, rng: Any, start: int, i: int, flag: int, mate: int
) -> Any:
    read = pysam.AlignedSegment(header)
    read.query_name, read.flag = f"A0:17:HXX:{i % 4}:{1101 + i % 700}:{i * 7 % 32768}:{i}", flag
    read.reference_id = read.next_reference_id = 0
    read.reference_start, read.next_reference_start = start, mate
    read.mapping_quality = 60 if rng.random() < 0.97 else 0
    kind = rng.random()
    if kind < 0.01:
        letters = np.delete(reference[start : start + READ + 2], [70, 71])
        read.cigartuples = [(0, 70), (2, 2), (0, READ - 70)]
    elif kind < 0.02:
        letters = np.insert(reference[start : start + READ - 2], 70, ["G", "T"])
        read.cigartuples = [(0, 70), (1, 2), (0, READ - 72)]
    else:
        letters = reference[start : start + READ].copy()
        read.cigartuples = [(0, READ)]
    letters[rng.random(READ) < 0.004] = "C"
    read.query_sequence = "".join(letters)
    read.query_qualities = rng.choice([2, 12, 23, 37], READ, p=[0.01, 0.04, 0.1, 0.85])
    return read


def ours(reads: Bam, n: int, counting: Counting) -> np.ndarray:
    """Counts (n, 5, 2)."""
    return pileup(reads.records("chr1", 0, n), 0, n, counting).counts


def pysam_loop(file: Path, n: int) -> np.ndarray:
    """By pysam, each read a witness: counts (n, 5, 2)."""
    counts = np.zeros((n, 5, 2), np.int32)
    with pysam.AlignmentFile(str(file)) as reads:
        columns = reads.pileup(
            "chr1", 0, n, truncate=True, ignore_overlaps=False, ignore_orphans=False,
            min_base_quality=0, min_mapping_quality=1, max_depth=1_000_000,
        )  # fmt: skip
        for column in columns:
            for read in column.pileups:
                alignment, at = read.alignment, read.query_position
                strand, qualities = int(alignment.is_reverse), alignment.query_qualities
                if at is None:
                    after = read.query_position_or_next
                    if min(qualities[after - 1], qualities[after]) >= 10:
                        counts[column.reference_pos, 4, strand] += 1
                elif qualities[at] >= 10:
                    counts[column.reference_pos, CODES[alignment.query_sequence[at]], strand] += 1
    return counts


def samtools_depth(file: Path, out: Path, *options: str) -> Path:
    """Depth of the reads and bases that count, a line a position."""
    pysam.samtools.depth(*options, "-a", "-Q", "1", "-q", "10", "-o", str(out), str(file))
    return out


def inflate(file: Path) -> int:
    """Inflated bytes: what no reader of the file can do without."""
    return sum(len(block.data) for block in read_blocks(file))


def agree(few: int, outputs: dict[str, Any]) -> dict[str, float]:
    """Every read a witness: the bases of pysam and the depth of samtools, at each position.

    With mates once samtools keeps the first of two different bases and we weigh them: nearly equal.
    """
    ours, separate, loop, *files = list(outputs.values())[:5]
    depth, once = (np.array([int(x.split()[2]) for x in file.open()]) for file in files)
    if not np.array_equal(separate[:few], loop):
        raise SystemExit("the counts are not those of pysam's pileup")
    if not np.array_equal(separate[:, :4].sum(axis=(1, 2)), depth):
        raise SystemExit("the counts do not add up to samtools depth")
    equal = float((ours[:, :4].sum(axis=(1, 2)) == once).mean())
    if equal < 0.95:
        raise SystemExit(f"with mates once, only {equal:.0%} of depths are those of samtools")
    return {"counts": 1.0, "depth": 1.0, "depth, mates once": equal}
