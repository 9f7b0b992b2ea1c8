"""Assemblers of others on PATH, on reads that are corrected already: MEGAHIT and SPAdes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bioloom.devices import cores
from bioloom.errors import DataError
from bioloom.files import work_folder
from bioloom.formats.fasta import read_fasta
from bioloom.reads.assembly.assemble import SHORTEST, Contigs, no_contig
from bioloom.reads.programs import program
from bioloom.reads.sequences import encode

PROGRAMS = {"megahit": "megahit", "spades": "spades.py"}
MADE = "made"
CONTIGS = {"megahit": "final.contigs.fa", "spades": "contigs.fasta"}
GRAPH = "assembly_graph_with_scaffolds.gfa"  # MEGAHIT makes none


def assemble_by(assembler: str, lanes: Sequence[Sequence[Path]], folder: Path) -> Contigs:
    """The contigs that megahit or spades makes of the FASTQ files of each lane, mates or single.

    A graph that it writes is put into `folder` as assembly.gfa. DataError where it is not on PATH,
    ends with an error, which it tells itself, or makes no contig of `SHORTEST` letters.
    """
    with work_folder(folder / assembler) as work:
        command = [*_command(assembler, lanes), "-o", str(work / MADE)]
        command += ["-t", str(cores())]
        done = subprocess.run(command, stdout=sys.stderr.fileno(), stderr=subprocess.STDOUT)
        if done.returncode:
            message = f"{assembler} ended with the code {done.returncode}"
            raise DataError(message, hint="what it says is in the log")
        contigs = read_fasta(work / MADE / CONTIGS[assembler])
        if (work / MADE / GRAPH).exists():
            shutil.copyfile(work / MADE / GRAPH, folder / "assembly.gfa")
    contigs = sorted(contigs, key=lambda contig: -len(contig.sequence))
    long = [contig for contig in contigs if len(contig.sequence) >= SHORTEST]
    if not long:
        raise no_contig(max((len(contig.sequence) for contig in contigs), default=0))
    headers = [" ".join(filter(None, (contig.id, contig.description))) for contig in long]
    return Contigs([encode(contig.sequence) for contig in long], headers)


def version_of(assembler: str) -> str:
    """What the program says of its version; DataError where it is not on PATH."""
    command = [program(PROGRAMS[assembler], "assembler"), "--version"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _command(assembler: str, lanes: Sequence[Sequence[Path]]) -> list[str]:
    command = [program(PROGRAMS[assembler], "assembler")]
    if assembler == "spades":
        command.append("--only-assembler")
    for files in lanes:
        if assembler == "spades":  # all lanes are one library
            flags = [["--s", "1"]] if len(files) == 1 else [["--pe-1", "1"], ["--pe-2", "1"]]
        else:
            flags = [["-r"]] if len(files) == 1 else [["-1"], ["-2"]]
        for flag, file in zip(flags, files, strict=True):
            command += [*flag, str(file)]
    return command
