"""Haplotypes with edits, reads of them aligned as their edits are written, and their calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bioloom.reads.alignments import open_reads
from bioloom.samples import VARIANT
from bioloom.variants.candidates import Theta
from bioloom.variants.evidence import Person, region_evidence
from bioloom.variants.genotypes import genotypes
from bioloom.variants.recalibration import nominal
from bioloom.variants.reference import Reference
from tests.tiny_reads import Read, write_reads

Edit = tuple[int, str, str]  # 0-based start, letters of the reference, letters instead
Place = tuple[str, int | None]  # a letter, and its position on the reference


def random_letters(n: int, seed: int = 0) -> str:
    """No letter twice in a row, so that no indel can be shifted by chance of a run."""
    rng = np.random.default_rng(seed)
    return "".join("ACGT"[i] for i in np.cumsum(rng.integers(1, 4, n)) % 4)


def haplotype(reference: str, edits: list[Edit]) -> list[Place]:
    """Letters with the positions that they are aligned to."""
    places: list[Place] = []
    at = 0
    for start, ref, alt in sorted(edits):
        assert reference[start : start + len(ref)] == ref, (start, ref)
        places += [(reference[i], i) for i in range(at, start)]
        shared = min(len(ref), len(alt))
        places += [(alt[i], start + i if i < shared else None) for i in range(len(alt))]
        at = start + len(ref)
    return places + [(reference[i], i) for i in range(at, len(reference))]


def read(name: str, places: list[Place], **options) -> Read:
    """A read of these places; its ends are aligned."""
    while places[0][1] is None:
        places = places[1:]
    while places[-1][1] is None:
        places = places[:-1]
    cigar: list[list] = []
    before = places[0][1] - 1
    for _, position in places:
        steps = ["I"] if position is None else ["D"] * (position - before - 1) + ["M"]
        before = before if position is None else position
        for step in steps:
            if cigar and cigar[-1][1] == step:
                cigar[-1][0] += 1
            else:
                cigar.append([1, step])
    text = "".join(f"{n}{step}" for n, step in cigar)
    return Read(name, places[0][1], text, "".join(letter for letter, _ in places), **options)


def reads_over(
    reference: str, edits: list[Edit], site: int, n: int, name: str, length: int = 80, **options
) -> list[Read]:
    """N reads of a haplotype that lie over a site, each begun a little further on."""
    places = haplotype(reference, edits)
    centre = min(i for i, (_, at) in enumerate(places) if at is not None and at >= site)
    starts = np.linspace(centre - length + 25, centre - 25, n).astype(int)
    return [
        read(f"{name}{site}.{i}", places[start : start + length], **options)
        for i, start in enumerate(starts)
    ]


def write_reference(folder: Path, contigs: dict[str, str]) -> Path:
    """A FASTA in lines of 60."""
    lines = []
    for name, letters in contigs.items():
        lines += [f">{name}", *(letters[i : i + 60] for i in range(0, len(letters), 60))]
    path = folder / "reference.fa"
    path.write_text("\n".join(lines) + "\n")
    return path


def person(folder: Path, contigs: dict[str, str], reads: list[Read], name="x", **options) -> Person:
    """A sample with these reads."""
    lengths = {contig: len(letters) for contig, letters in contigs.items()}
    path = write_reads(folder / f"{name}.bam", reads, lengths)
    return Person(name, open_reads(path), nominal(), **options)


def evidence(
    folder: Path, contigs: dict[str, str], people: list[Person], size: int = 10_000
) -> pd.DataFrame:
    """All rows of all contigs, in regions of a size."""
    reference = Reference(write_reference(folder, contigs))
    parts = [
        region_evidence(people, reference, contig, start, min(start + size, length), Theta())
        for contig, length in reference.lengths.items()
        for start in range(0, length, size)
    ]
    return pd.concat(parts, ignore_index=True)


def calls(rows: pd.DataFrame) -> list[tuple]:
    """(position from 1, ref, alternatives, likeliest genotype, depths) of sites that vary."""
    found = []
    for _, row in rows.iterrows():
        site = {name.removeprefix(VARIANT): value for name, value in row.items()}
        if site["allele"] != 1:
            continue
        size = 1 + len(site["alts"].split(","))
        genotype = genotypes(size, site["ploidy"])[int(np.argmax(site["posteriors"]))]
        if any(genotype):
            depths = tuple(int(depth) for depth in site["depths"])
            found.append((site["pos"], site["ref"], site["alts"], genotype, depths))
    return found
