"""A reference made ready for alignment, once, in a folder of the results.

The folder has `reference.fa` (one record a contig, named by its first word) with its index,
`reference.dict` (a SAM header with M5 of each contig), `facts.json` (bases, gc), and what the
aligners want.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from hashlib import md5
from pathlib import Path
from typing import Any, TextIO

import pysam

from bioloom.errors import DataError
from bioloom.files import read_json, replacing_folder, write_json
from bioloom.formats.fasta import Record, iter_fasta
from bioloom.reads.programs import program, require

FASTA, DICT, FACTS, BWA = "reference.fa", "reference.dict", "facts.json", "bwa"
LINE = 60  # letters


def index_reference(fasta: str | Path, aligners: Iterable[str], folder: Path) -> None:
    """Write the folder; DataError for a FASTA that names a contig twice or has an empty one."""
    with replacing_folder(folder) as new:
        _copy(fasta, new)
        pysam.faidx(str(new / FASTA))
        for aligner in aligners:
            if aligner == "bwa":
                require("pybwa")
                from pybwa import BwaIndex

                BwaIndex.index(new / FASTA, prefix=new / BWA)
                shutil.copyfile(new / DICT, new / f"{BWA}.dict")  # its own says where it was made
            elif aligner == "bwa-mem2":
                run = [
                    program(aligner, "aligner"),
                    "index",
                    "-p",
                    f"{new / aligner}",
                    f"{new / FASTA}",
                ]
                subprocess.run(run, check=True)


def contigs_of(fasta: str | Path) -> Iterator[Record]:
    """The contigs; DataError for a FASTA that names one twice or has an empty one."""
    names = set()
    for record in iter_fasta(fasta):
        if record.id in names or not record.id or not record.sequence:
            what = "is there twice" if record.id in names else "lacks a name or a sequence"
            message = f"The contig {record.id!r} {what}"
            hint = "a contig's name is the first word of its header"
            raise DataError(message, file=fasta, row=record.row, hint=hint)
        names.add(record.id)
        yield record


def write_contig(contig: Record, out: TextIO) -> None:
    """Write it in lines of one length, as an index needs them."""
    letters = contig.sequence
    out.write(f">{contig.id}\n")
    out.writelines(f"{letters[at : at + LINE]}\n" for at in range(0, len(letters), LINE))


def read_facts(folder: Path) -> dict[str, Any]:
    """The number of `bases`, and the share of those that are G or C of A, C, G and T."""
    facts: dict[str, Any] = read_json(folder / FACTS)
    return facts


def _copy(fasta: str | Path, folder: Path) -> None:
    """Write the contigs, and what is of them."""
    lines: dict[str, str] = {}
    counts = dict.fromkeys("ACGT", 0)
    bases = 0
    with (folder / FASTA).open("w") as out:
        for contig in contigs_of(fasta):
            write_contig(contig, out)
            upper = contig.sequence.upper()
            checksum = md5(upper.encode()).hexdigest()
            lines[contig.id] = f"@SQ\tSN:{contig.id}\tLN:{len(upper)}\tM5:{checksum}\n"
            counts = {letter: count + upper.count(letter) for letter, count in counts.items()}
            bases += len(upper)
    (folder / DICT).write_text("@HD\tVN:1.6\tSO:unsorted\n" + "".join(lines.values()))
    gc = (counts["G"] + counts["C"]) / max(sum(counts.values()), 1)
    write_json({"bases": bases, "gc": round(gc, 4)}, folder / FACTS)
