"""Say what the variants of a VCF do to splicing: SpliceAI's delta scores, as INFO.

The weights, and the genes of `--genes grch37` and `grch38`, are Illumina's: CC BY-NC 4.0, for
academic and non-commercial use. They are fetched at the first call.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from bioloom.embedders import spliceai
from bioloom.errors import DataError
from bioloom.formats.genes import Gene, read_genes
from bioloom.sources import fetched
from bioloom.variants import splicing

HELP = "what variants do to splicing"
ENDING = ".vcf.gz"
BUILDS = ("grch37", "grch38")
GENES = "spliceai/annotations/{}.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Variants, genome, genes, and where scores go."""
    parser.add_argument("vcf", type=Path, help="VCF or BCF")
    parser.add_argument("--genome", type=Path, required=True, help="FASTA of the same build")
    parser.add_argument(
        "--genes", required=True, help=f"a GTF, a table of genes, or {' or '.join(BUILDS)}"
    )
    parser.add_argument("--out", type=Path, required=True, help=f"ends with {ENDING}")
    parser.add_argument(
        "--distance",
        type=int,
        default=splicing.DISTANCE,
        help=f"bases to each side that are looked at; default {splicing.DISTANCE}",
    )
    parser.add_argument(
        "--networks",
        type=int,
        default=splicing.NETWORKS,
        help=f"how many of the five are averaged; default {splicing.NETWORKS}",
    )
    parser.add_argument(
        "--masked",
        action="store_true",
        help="leave out gains of annotated sites and losses of others",
    )
    parser.add_argument(
        "--contigs", nargs="+", default=[], help="only records of these, as the VCF names them"
    )
    parser.add_argument("--weights", type=Path, help="the wheel with the networks; else fetched")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 ...; default: what is free")


def main(
    vcf: Path,
    genome: Path,
    genes: str,
    out: Path,
    distance: int,
    networks: int,
    masked: bool,
    contigs: list[str],
    weights: Path | None,
    device: str | None,
) -> None:
    """Write the VCF with its index; DataError for what cannot be read or does not fit together."""
    if not out.name.endswith(ENDING):
        raise DataError(f"Effects are written as {ENDING}", file=out)
    if not 1 <= distance <= spliceai.CHUNK:
        raise DataError(f"--distance is 1 to {spliceai.CHUNK}, got {distance}")
    splicing.refuse_unknown(contigs, vcf)  # before anything is fetched
    wheel = weights or fetched(spliceai.weights_source({}))
    known = _of_build(wheel, genes) if genes in BUILDS else read_genes(Path(genes))
    with splicing.networks(wheel, networks, device) as chances:
        told = splicing.write_effects(
            vcf, genome, known, chances, out, distance=distance, masked=masked, contigs=contigs
        )
    print(f"{out}: {told.scored} of {told.records} records have scores")
    if told.scored < told.records:
        print(
            "The others lie in no gene, or have no allele of one base, or more than "
            f"{2 * distance} in REF"
        )
    print(f"Weights: {spliceai.LICENCE}")


def _of_build(wheel: Path, build: str) -> dict[str, list[Gene]]:
    """The genes of a build that come with the weights."""
    with TemporaryDirectory(prefix="bioloom-") as folder:
        path = Path(folder, f"{build}.txt")
        try:
            with zipfile.ZipFile(wheel) as archive:
                path.write_bytes(archive.read(GENES.format(build)))
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise DataError(f"There are no genes of {build}", file=wheel) from error
        return read_genes(path)
