"""A reference made ready for alignment, once, in a folder of the results.

The folder has `reference.fa` (one record a contig, named by its first word) with its index,
`reference.dict` (a SAM header with M5 of each contig), and what the aligners want.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from hashlib import md5
from pathlib import Path

import pysam

from bioloom.errors import DataError
from bioloom.files import replacing_folder
from bioloom.formats.fasta import iter_fasta

FASTA, DICT, BWA = "reference.fa", "reference.dict", "bwa"
LINE = 60  # letters


def index_reference(fasta: str | Path, aligners: Iterable[str], folder: Path) -> None:
    """Write the folder; DataError for a FASTA that names a contig twice or has an empty one."""
    with replacing_folder(folder) as new:
        (new / DICT).write_text("@HD\tVN:1.6\tSO:unsorted\n" + _copy(fasta, new / FASTA))
        pysam.faidx(str(new / FASTA))
        for aligner in aligners:
            if aligner == "bwa":
                from pybwa import BwaIndex

                BwaIndex.index(new / FASTA, prefix=new / BWA)
                shutil.copyfile(new / DICT, new / f"{BWA}.dict")  # its own says where it was made
            elif aligner == "bwa-mem2":
                run = [program(aligner), "index", "-p", f"{new / aligner}", f"{new / FASTA}"]
                subprocess.run(run, check=True)


def program(name: str) -> str:
    """The path of a program that a task asks for; DataError if there is none."""
    if path := shutil.which(name):
        return path
    raise DataError(f"There is no {name} on PATH", hint="install it, or leave `aligner` out")


def _copy(fasta: str | Path, copy: Path) -> str:
    """Write the sequences in lines of one length, as an index needs them; their @SQ lines."""
    lines: dict[str, str] = {}
    with copy.open("w") as out:
        for record in iter_fasta(fasta):
            if record.id in lines or not record.id or not record.sequence:
                what = "is there twice" if record.id in lines else "lacks a name or a sequence"
                message = f"The contig {record.id!r} {what}"
                hint = "a contig's name is the first word of its header"
                raise DataError(message, file=fasta, row=record.row, hint=hint)
            letters = record.sequence
            checksum = md5(letters.upper().encode()).hexdigest()
            lines[record.id] = f"@SQ\tSN:{record.id}\tLN:{len(letters)}\tM5:{checksum}\n"
            out.write(f">{record.id}\n")
            out.writelines(f"{letters[at : at + LINE]}\n" for at in range(0, len(letters), LINE))
    return "".join(lines.values())
