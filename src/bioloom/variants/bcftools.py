"""The peer: bcftools mpileup, call and norm (Li 2011), as they are in pysam."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pysam
import pysam.bcftools

from bioloom.formats.vcf import Called, read_calls, samples_of
from bioloom.variants.alleles import decode, encode
from bioloom.variants.reference import Reference

# All reads however deep, none that may lie elsewhere, and pairs without the flag of a proper one.
PILEUP = ("-d", "100000", "-q", "1", "-A", "-a", "FORMAT/AD")
CALL = ("-m", "-v", "-f", "GQ")
SETTINGS = "mpileup " + " ".join(PILEUP) + " | call " + " ".join(CALL) + " | norm -f reference"


def bcftools_calls(
    bam: Path, sample: str, reference: Reference, ploidy: Mapping[str, int]
) -> list[Called]:
    """What bcftools calls of a sample, unfiltered; its reference is a copy without ambiguity."""
    with TemporaryDirectory(prefix="bioloom-bcftools-") as folder:
        work = Path(folder)
        fasta, copies = _plain(reference.file, work), work / "ploidy.tsv"
        lines = [f"{name} 1 {reference.lengths[name]} . {n}\n" for name, n in ploidy.items()]
        copies.write_text("".join(lines) + "* * * . 2\n")
        piled, called, normal = (str(work / name) for name in ("piled", "called", "normal"))
        verbosity = pysam.set_verbosity(0)
        try:
            _run("mpileup", *PILEUP, "-Ou", "-o", piled, "-f", str(fasta), str(bam))
            _run("call", *CALL, "--ploidy-file", str(copies), "-Ou", "-o", called, piled)
            _run("norm", "-f", str(fasta), "-Ob", "-o", normal, called)
        finally:
            pysam.set_verbosity(verbosity)
        known = samples_of(normal)
        return read_calls(normal, sample if sample in known else known[0])


def _run(command: str, *options: str) -> None:
    getattr(pysam.bcftools, command)(*options, catch_stdout=False)


def _plain(reference: Path, folder: Path) -> Path:
    """The reference with each ambiguous letter as VCF writes it, in upper case."""
    copy = folder / "reference.fa"
    with pysam.FastxFile(str(reference)) as records, copy.open("w") as out:
        for record in records:
            out.write(f">{record.name}\n{decode(encode(str(record.sequence)))}\n")
    return copy
