"""The peer: bcftools mpileup, call and norm (Li 2011), as they are in pysam."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pysam
import pysam.bcftools
from pysam.version import __bcftools_version__ as bcftools_version

from bioloom.formats.vcf import Called, read_calls, samples_of
from bioloom.reads.bam import Bam
from bioloom.reads.cram import Cram
from bioloom.variants.alleles import decode
from bioloom.variants.reference import Reference

# All reads however deep, none that may lie elsewhere, and pairs without the flag of a proper one.
PILEUP = ("-d", "100000", "-q", "1", "-A", "-a", "FORMAT/AD")
CALL = ("-m", "-v", "-f", "GQ")
BESIDE = 1000  # bases: a record that begins there may be of an allele inside
SETTINGS = (
    f"{bcftools_version} mpileup {' '.join(PILEUP)} -f reference, with BAQ as by default, "
    f"| call {' '.join(CALL)} --ploidy-file of `ploidy` and `haploid` | norm -f reference"
)


def bcftools_calls(
    reads: Bam | Cram,
    sample: str,
    reference: Reference,
    ploidy: Mapping[str, int],
    regions: Iterable[tuple[str, int, int]],
) -> list[Called]:
    """What bcftools calls of a sample, unfiltered, in regions and `BESIDE` them.

    Its reference is a copy without ambiguity, by which no CRAM can be decoded.
    """
    wanted = [
        (contig, max(0, start - BESIDE), min(reference.lengths[contig], end + BESIDE))
        for contig, start, end in regions
    ]
    if not wanted:  # bcftools fails on a BED of no line
        return []
    with TemporaryDirectory(prefix="bioloom-bcftools-") as folder:
        work = Path(folder)
        fasta, copies = _plain(reference, {r[0] for r in wanted}, work), work / "ploidy.tsv"
        bed = work / "regions.bed"
        bed.write_text("".join(f"{name}\t{start}\t{end}\n" for name, start, end in wanted))
        lines = [f"{name} 1 {reference.lengths[name]} . {n}\n" for name, n in ploidy.items()]
        copies.write_text("".join(lines) + "* * * . 2\n")
        piled, called, normal = (str(work / name) for name in ("piled", "called", "normal"))
        file = reads.file
        if isinstance(reads, Cram):
            reads.write_bam(bed, file := work / "part.bam")
        verbosity = pysam.set_verbosity(0)
        try:
            where = "-T", str(bed), "-f", str(fasta), str(file)
            _run("mpileup", *PILEUP, "-Ou", "-o", piled, *where)
            _run("call", *CALL, "--ploidy-file", str(copies), "-Ou", "-o", called, piled)
            _run("norm", "-f", str(fasta), "-Ob", "-o", normal, called)
        finally:
            pysam.set_verbosity(verbosity)
        known = samples_of(normal)
        return read_calls(normal, sample if sample in known else known[0])


def _run(command: str, *options: str) -> None:
    getattr(pysam.bcftools, command)(*options, catch_stdout=False)


def _plain(reference: Reference, contigs: Container[str], folder: Path) -> Path:
    """These contigs with each ambiguous letter as VCF writes it, in upper case."""
    copy = folder / "reference.fa"
    with copy.open("w") as out:
        for name, length in reference.lengths.items():
            if name in contigs:
                out.write(f">{name}\n{decode(reference.codes(name, 0, length))}\n")
    return copy
