"""Reads of ART (Huang et al. 2012, Bioinformatics 28:593), where it is on PATH.

What they are like was learnt by others from real runs (HiSeq 2500, 150 bases), not by us.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pysam

from bioloom.reads.sequences import decode, encode, load_reads
from bioloom.reads.simulate import PROFILE, RIGHT, SUBSTITUTED, Pairs

PROGRAM = "art_illumina"
OWN_RATE = 0.00195
"""Errors a letter of its profile, counted on 0.9 million letters."""
COMMAND = (
    *(PROGRAM, "-q", "-ss", "HS25", "-p", "-ef", "-na", "-nf", "0"),
    *("-ir", "0", "-dr", "0", "-ir2", "0", "-dr2", "0"),  # so that letters have their truth
    *("-l", f"{PROFILE.length}", "-m", f"{PROFILE.insert_mean}", "-s", f"{PROFILE.insert_sd}"),
)


def art_pairs(genome: np.ndarray, depth: float, error_rate: float, seed: int) -> Pairs:
    """Pairs of a genome (codes) with about this rate of substitutions, and their truth.

    Another rate than that of the profile is had by other qualities, of all letters alike.
    """
    shift = f"{-10 * np.log10(error_rate / OWN_RATE):.0f}"
    with TemporaryDirectory(prefix="bioloom-art-") as folder:
        fasta = Path(folder, "genome.fasta")
        fasta.write_text(f">genome\n{decode(genome)}\n")
        asked = ("-i", fasta, "-f", f"{depth}", "-rs", f"{seed}", "-qs", shift, "-qs2", shift)
        command = (*COMMAND, *asked, "-o", Path(folder, "reads"))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        read = [load_reads(Path(folder, f"reads{mate}.fq")) for mate in (1, 2)]
        with pysam.AlignmentFile(str(Path(folder, "reads_errFree.sam"))) as file:
            right = list(file)  # both mates of a pair, then the next pair's
    letters, qualities = (
        np.stack([part.reshape(-1, PROFILE.length) for part in parts], axis=1)
        for parts in zip(*((mate.codes, mate.qualities) for mate in read), strict=True)
    )
    truth = encode("".join(str(mate.get_forward_sequence()) for mate in right))
    truth = truth.reshape(letters.shape)
    first = right[0::2]
    start = np.array([min(mate.reference_start, mate.next_reference_start) for mate in first])
    size = np.array([abs(mate.template_length) for mate in first])
    reverse = np.array([mate.is_reverse for mate in first])
    errors = np.where(letters == truth, RIGHT, SUBSTITUTED).astype(np.uint8)
    which = np.zeros(len(first), np.int32)
    order = np.random.default_rng(seed).permutation(len(first))  # ART's is that of the genome
    pairs = Pairs(letters, qualities, errors, truth, which, start, start + size, reverse)
    return Pairs(*(part[order] for part in pairs))
