"""Assemblies of simulated reads of a real genome: ours against MEGAHIT and SPAdes, where on PATH.

`python -m bench.assembly genome.fasta --depth 30 10 --error 0.003` prints a row of a table each:
figures against the genome from contigs of 500 bases on, CPU seconds and MiB at most, one thread.
Ours corrects by the k-mer spectrum first, and what that takes counts; the others get the reads as
they are, and SPAdes corrects with BayesHammer. With `--art` the reads are those of ART.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.art import art_pairs
from bioloom.applications.genome_assembly import simulated_genome
from bioloom.formats.fasta import read_fasta
from bioloom.reads.assembly.assemble import assemble
from bioloom.reads.assembly.figures import LEAST, against_reference
from bioloom.reads.assembly.others import CONTIGS
from bioloom.reads.assembly.write import write_contigs
from bioloom.reads.lanes import load, mates_of
from bioloom.reads.learning import correct_again, propose
from bioloom.reads.sequences import decode, encode
from bioloom.reads.simulate import profile_of, simulate_pairs, write_fastq

FIGURES = ("genome_fraction", "ng50", "nga50", "misassemblies", "mismatches_per_100kb",
           "indels_per_100kb")  # fmt: skip
PROGRAMS = {
    "MEGAHIT": ("megahit", "-t", "1", "-1", "{0}", "-2", "{1}", "-o", "{2}/made"),
    "SPAdes": ("spades.py", "-t", "1", "-1", "{0}", "-2", "{1}", "-o", "{2}/made"),
}


def main() -> None:
    """Print as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("genome", type=Path, help="FASTA, of which the first record is taken")
    parser.add_argument("--depth", type=float, nargs="+", default=[30.0, 10.0])
    parser.add_argument("--error", type=float, nargs="+", default=[0.003])
    parser.add_argument("--length", type=int, help="bases of the genome, from its first on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", help="ours, MEGAHIT, SPAdes")
    parser.add_argument("--art", action="store_true", help="reads of ART, another simulator")
    asked = parser.parse_args()
    genome = simulated_genome(asked.genome, {"start": 1, "length": asked.length})
    print(f"| depth | errors | by | {' | '.join(FIGURES)} | CPU seconds | MiB |")
    print("|---" * (len(FIGURES) + 5) + "|")
    for depth in asked.depth:
        for error in asked.error:
            with tempfile.TemporaryDirectory() as folder:
                files = [Path(folder, f"reads_{mate}.fastq.gz") for mate in (1, 2)]
                if asked.art:
                    pairs = art_pairs(genome, depth, error, asked.seed)
                else:
                    rng = np.random.default_rng(asked.seed)
                    pairs = simulate_pairs([genome], depth, rng, profile_of(error))
                write_fastq(pairs, *files)
                del pairs
                for name, command in commands(files, Path(folder)).items():
                    if asked.only and name not in asked.only:
                        continue
                    seconds, memory = measured(command)
                    contigs = read_fasta(Path(folder, contigs_of(name)))
                    found = against_reference(
                        [
                            encode(contig.sequence)
                            for contig in contigs
                            if len(contig.sequence) >= LEAST
                        ],
                        {"genome": decode(genome)},
                    )
                    shutil.rmtree(Path(folder, "made"), ignore_errors=True)
                    told = " | ".join(f"{found[figure]:,.4g}" for figure in FIGURES)
                    row = f"{depth:g} | {error:g} | {name} | {told} | {seconds:.0f} | {memory:,.0f}"
                    print(f"| {row} |", flush=True)


def contigs_of(name: str) -> str:
    """The file of contigs that a command leaves."""
    return f"made/{CONTIGS[name.lower()]}" if name in PROGRAMS else "contigs.fasta"


def commands(files: list[Path], folder: Path) -> dict[str, list[str]]:
    """Ours, and the programs that are here, each on these files."""
    ours = [
        sys.executable,
        "-c",
        "import sys; from bench.assembly import ours; ours(*sys.argv[1:])",
    ]
    found = {"ours": [*ours, *map(str, files), str(folder / "contigs.fasta")]}
    for name, parts in PROGRAMS.items():
        if shutil.which(parts[0]):
            found[name] = [part.format(*files, folder) for part in parts]
    return found


def ours(first: str, second: str, contigs: str) -> None:
    """Correct the reads by their spectrum, and assemble them."""
    lanes = [[Path(first), Path(second)]]
    reads, begins = load(lanes)
    corrected = correct_again(propose(reads).reads)
    write_contigs(assemble(corrected, mates=mates_of(lanes, reads, begins)), Path(contigs))


def measured(command: list[str]) -> tuple[float, float]:
    """CPU seconds of a command and its children, and the MiB of the largest process."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**10


if __name__ == "__main__":
    main()
