"""VCF and BCF: genotypes of one sample read, records of several written, bgzipped and indexed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pysam

from bioloom.errors import DataError
from bioloom.files import replacing
from bioloom.formats.text import open_text
from bioloom.privacy.samples import shown

SPANNED = "*"
PASSED: tuple[list[str], ...] = ([], ["PASS"], ["."])


class Called(NamedTuple):
    """A genotype at a place; `start` is 0-based, `genotype` indexes `alleles`, the reference first.

    An allele "*" is one that another record deletes.
    """

    contig: str
    start: int
    alleles: tuple[str, ...]
    genotype: tuple[int, ...]
    phased: bool = False
    quality: float = float("nan")


def read_calls(path: str | Path, sample: str | None = None) -> list[Called]:
    """The genotypes of a sample that hold an alternative allele and pass, in the file's order.

    `sample` may be left out where the file has one. Left out are records whose FILTER is not PASS
    (or not said), genotypes with a missing allele, and alleles that are no letters (<DEL>).
    DataError for what is no VCF, and for a sample that the file does not have.
    """
    file = Path(path)
    with opened(file) as variants:
        name = _sample(list(variants.header.samples), sample, file)
        return [call for record in variants if (call := _call(record, name))]


def unknown_places(path: str | Path, sample: str | None = None) -> list[tuple[str, int, int]]:
    """Where a sample's genotype is not told: (contig, start, end) of the records, 0-based.

    Their FILTER is not PASS, an allele is missing, or it is no letters.
    """
    file = Path(path)
    with opened(file) as variants:
        name = _sample(list(variants.header.samples), sample, file)
        return [(r.chrom, r.start, r.stop) for r in variants if not _is_told(r, name)]


def samples_of(path: str | Path) -> list[str]:
    """The samples of a file, in order; DataError for what is no VCF."""
    with opened(Path(path)) as variants:
        return list(variants.header.samples)


@contextmanager
def opened(file: Path) -> Iterator[pysam.VariantFile]:
    """The file, without htslib's messages; what it raises as DataError."""
    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(str(file)) as variants:
            yield variants
    except (OSError, ValueError, IndexError, NotImplementedError) as error:
        if isinstance(error, DataError):
            raise
        if not file.exists():
            raise DataError("There is no such VCF", file=file) from None
        if file.is_file():
            _tell_fault(file)
        hint = "VCF, as text or bgzipped, or BCF"
        raise DataError("The file is no sound VCF", file=file, hint=hint) from error
    finally:
        pysam.set_verbosity(verbosity)


def _tell_fault(file: Path) -> None:
    """Raise DataError where a text is cut, or a row of it has not the columns of the header."""
    with open_text(file) as lines:
        try:
            first = next(lines, "")
        except UnicodeDecodeError:  # BCF
            return
        if not first.startswith("##fileformat=VCF"):
            return
        columns = 0
        for row, line in enumerate(lines, start=2):
            count = line.count("\t") + 1
            if line.startswith("#CHROM"):
                columns = count
            elif not line.startswith("#") and count != columns:
                message = f"The header names {columns} columns, here are {count}"
                raise DataError(message, file=file, row=row, hint="is the file cut?")


def _sample(known: list[str], sample: str | None, file: Path) -> str:
    if sample is None and len(known) == 1:
        return known[0]
    if sample is None or sample not in known:
        message = "Which sample?" if sample is None else f"No sample {shown([sample])!r}"
        raise DataError(message, file=file, hint=f"it has {shown(known) or 'no genotypes'}")
    return sample


def _is_told(record: pysam.VariantRecord, sample: str) -> bool:
    """Whether a record passes, and says which letters the sample has."""
    genotype, alleles = record.samples[sample].get("GT"), record.alleles or ()
    if not genotype or None in genotype or list(record.filter) not in PASSED:
        return False
    letters = [alleles[a].upper() for a in genotype]
    return all(allele == SPANNED or not set(allele) - set("ACGTN") for allele in letters)


def _call(record: pysam.VariantRecord, sample: str) -> Called | None:
    genotype = record.samples[sample].get("GT")
    if not _is_told(record, sample) or not any(genotype):
        return None
    letters = tuple(allele.upper() for allele in record.alleles or ())
    phased = bool(record.samples[sample].phased) and len(genotype) > 1
    quality = float("nan") if record.qual is None else float(record.qual)
    return Called(record.chrom, record.start, letters, tuple(genotype), phased, quality)


@dataclass(frozen=True)
class Field:
    """A declared field of INFO or FORMAT."""

    name: str
    number: str
    type: str
    description: str


class Record(NamedTuple):
    """A line of a VCF; `start` is 0-based, `samples` are the values of `FORMAT` in its order."""

    contig: str
    start: int
    alleles: list[str]
    quality: float | None
    filters: list[str]
    info: str
    samples: list[list[str]]


def write_vcf(
    path: str | Path,
    records: Iterable[Record],
    *,
    contigs: Mapping[str, int],
    samples: list[str],
    filters: Mapping[str, str],
    info: list[Field],
    format: list[Field],
    index: bool = True,
) -> None:
    """Write VCF 4.3, sorted in the order of `contigs`, bgzipped, with an index beside it."""
    file = Path(path)
    order = {name: number for number, name in enumerate(contigs)}
    lines = ["##fileformat=VCFv4.3"]
    lines += [f"##contig=<ID={name},length={length}>" for name, length in contigs.items()]
    lines += [f'##FILTER=<ID={name},Description="{text}">' for name, text in filters.items()]
    for kind, fields in (("INFO", info), ("FORMAT", format)):
        lines += [
            f'##{kind}=<ID={f.name},Number={f.number},Type={f.type},Description="{f.description}">'
            for f in fields
        ]
    columns = "CHROM POS ID REF ALT QUAL FILTER INFO FORMAT".split()
    lines.append("#" + "\t".join([*columns, *samples]))
    keys = ":".join(field.name for field in format)
    for record in sorted(records, key=lambda r: (order[r.contig], r.start, r.alleles)):
        quality = "." if record.quality is None else f"{record.quality:.4g}"
        chosen = ";".join(record.filters) or "PASS"
        fixed = record.contig, str(record.start + 1), ".", record.alleles[0]
        alternatives = ",".join(record.alleles[1:]) or "."
        values = [":".join(sample) for sample in record.samples]
        lines.append("\t".join([*fixed, alternatives, quality, chosen, record.info, keys, *values]))
    with replacing(file) as temporary, pysam.BGZFile(str(temporary), "wb", None) as out:
        out.write(("\n".join(lines) + "\n").encode())
    if index:
        index_vcf(file)


def join_vcf(parts: Sequence[str | Path], path: str | Path) -> None:
    """Write the records of bgzipped files of one header one after the other, with an index.

    Where the files are sorted, and each lies behind the one before, so is what is written.
    """
    file = Path(path)
    with replacing(file) as temporary, pysam.BGZFile(str(temporary), "wb", None) as out:
        for number, part in enumerate(parts):
            with pysam.BGZFile(str(part), "r", None) as lines:
                for line in lines:
                    if not number or not line.startswith(b"#"):
                        out.write(line + b"\n")
    index_vcf(file)


def index_vcf(file: Path) -> None:
    """An index beside the file: .tbi, or .csi where a contig is too long for one."""
    with opened(file) as variants:
        lengths = [contig.length or 0 for contig in variants.header.contigs.values()]
    pysam.tabix_index(str(file), preset="vcf", force=True, csi=max(lengths, default=0) >= 1 << 29)
