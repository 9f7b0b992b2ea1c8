"""The one door to aligned reads: BAM or CRAM, told by content."""

from __future__ import annotations

from pathlib import Path

from bioloom.errors import DataError
from bioloom.reads.bam import Bam
from bioloom.reads.bgzf import MAGIC
from bioloom.reads.cram import Cram


def open_reads(
    file: str | Path, reference: str | Path | None = None, index: str | Path | None = None
) -> Bam | Cram:
    """Aligned, coordinate-sorted reads, with `header` and `records(contig, start, end)`.

    `reference` is for CRAM. `index` is where an index is kept, or will be: not in the folder of the
    data, which may not be writable. DataError for anything else than sound BAM or CRAM.
    """
    path = Path(file)
    if not path.is_file():
        raise DataError("There is no such file", file=path)
    with path.open("rb") as stream:
        magic = stream.read(4)
    if magic == b"CRAM":
        return Cram(path, reference, index)
    if magic == MAGIC:
        return Bam(path, index)
    hint = "FASTQ is named in a sample sheet; samtools sort -o reads.bam writes BAM from SAM"
    hint = hint if magic else "the file is empty"
    raise DataError("The file is neither BAM nor CRAM", file=path, hint=hint)
