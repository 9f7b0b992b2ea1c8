"""The one door to aligned reads: BAM or CRAM, told by content."""

from __future__ import annotations

from pathlib import Path

from bioloom.errors import DataError
from bioloom.reads.bam import Bam
from bioloom.reads.bgzf import MAGIC
from bioloom.reads.cram import Cram, read_cram_header
from bioloom.reads.header import Header, read_header


def open_reads(
    file: str | Path, reference: str | Path | None = None, index: str | Path | None = None
) -> Bam | Cram:
    """Aligned, coordinate-sorted reads, with `header` and `records(contig, start, end)`.

    `reference` is for CRAM. `index` is where an index is kept, or will be: not in the folder of the
    data, which may not be writable. DataError for anything else than sound BAM or CRAM.
    """
    path = Path(file)
    return Cram(path, reference, index) if _is_cram(path) else Bam(path, index)


def header_of(file: str | Path) -> Header:
    """The header of BAM or CRAM, without a look at the reads."""
    path = Path(file)
    return read_cram_header(path)[0] if _is_cram(path) else read_header(path)


def _is_cram(path: Path) -> bool:
    """Whether a file is CRAM; DataError for what is neither that nor BAM."""
    if not path.is_file():
        raise DataError("There is no such file", file=path)
    with path.open("rb") as stream:
        magic = stream.read(4)
    if magic in (b"CRAM", MAGIC):
        return magic == b"CRAM"
    hint = "FASTQ is named in a sample sheet; samtools sort -o reads.bam writes BAM from SAM"
    hint = hint if magic else "the file is empty"
    raise DataError("The file is neither BAM nor CRAM", file=path, hint=hint)
