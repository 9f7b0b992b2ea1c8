"""Records of a region of a CRAM file, decoded by pysam: slower than BAM, with the same answers.

htslib looks for a reference where the header or the environment says, and calls a wrong one a
truncated file. Here it is given, and its checksums (M5) are compared before anything is decoded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from pathlib import Path
from tempfile import TemporaryDirectory

import pysam

from bioloom.errors import DataError
from bioloom.files import replacing
from bioloom.reads.bam import Bam
from bioloom.reads.header import Header, contig_number, not_sorted
from bioloom.reads.records import Records

# What pysam raises. Its words are not passed on: they name the wrong cause.
ERRORS = (OSError, ValueError, RuntimeError, pysam.SamtoolsError)


class Cram:
    """A coordinate-sorted CRAM file: `header`, and `records` of a region."""

    def __init__(
        self,
        file: str | Path,
        reference: str | Path | None = None,
        index: str | Path | None = None,
    ) -> None:
        """Take the index that an earlier pass left at `index`, or make it now.

        The one beside the file may be of another file. `reference` is the FASTA that the reads were
        aligned to; only a file that holds its own can be read without. DataError for a file that is
        damaged, cut off or not sorted.
        """
        self.file = Path(file)
        self.reference = Path(reference) if reference else None
        self._folder = TemporaryDirectory(prefix="bioloom-cram-")
        self._index = Path(index) if index else Path(self._folder.name) / "index.crai"
        self.header, self._contigs = read_cram_header(self.file)
        if not self._index.exists():
            with _whole(self.file), replacing(self._index) as temporary:
                self._check_order()
                pysam.samtools.index("-o", str(temporary), str(self.file))
        self._fasta = self._link_reference()
        self._checked: set[str] = set()

    def _check_order(self) -> None:
        """One pass over the places alone, which are decoded without a reference."""
        last, fields = (0, -1), "required_fields=12"  # RNAME and POS
        with pysam.AlignmentFile(str(self.file), "rc", format_options=[fields]) as reads:
            for number, read in enumerate(reads.fetch(until_eof=True), 1):
                contig = read.reference_id if read.reference_id >= 0 else 1 << 31
                place = (contig, read.reference_start)
                if place < last:
                    raise not_sorted(self.header, number, place, last, self.file)
                last = place

    def records(self, contig: str, start: int, end: int) -> Records:
        """Records of any flag aligned over [start, end) of a contig, in the file's order."""
        number = contig_number(self.header, contig, start, end, self.file)
        fasta = self._checked_reference(contig, self._contigs[number])
        part = Path(self._folder.name) / "part.bam"
        try:
            with quiet():
                count = self._write(part, fasta, contig, start, end)
        except ERRORS as error:
            raise self._not_decoded(contig) from error
        bam = Bam(part)
        if bam.index.records.sum() != count:
            raise self._not_decoded(contig)
        return bam.records(contig, start, end)

    def _write(self, part: Path, fasta: str | None, contig: str, start: int, end: int) -> int:
        """Write the region's records as BAM, not compressed; how many."""
        index, count = str(self._index), 0
        with (
            pysam.AlignmentFile(
                str(self.file), "rc", index_filename=index, reference_filename=fasta
            ) as reads,
            pysam.AlignmentFile(str(part), "wb0", header=reads.header) as out,
        ):
            for read in reads.fetch(contig, start, end) if start < end else ():
                out.write(read)
                count += 1
        return count

    def write_bam(self, regions: Path, part: Path) -> None:
        """Write the records over the regions of a BED as BAM, for programs with other references.

        The reference of a contig is compared when `records` of it are asked for.
        """
        given = ["-T", self._fasta] if self._fasta else []
        wanted = ["-b", "-M", "-L", str(regions), *given, "-o", str(part), "-X"]
        try:
            with quiet():
                pysam.samtools.view(*wanted, str(self.file), str(self._index), catch_stdout=False)
        except ERRORS as error:
            raise self._not_decoded(self.header.contigs[0]) from error

    def _link_reference(self) -> str | None:
        """A link to the FASTA: beside it an index is written, which its folder may not allow."""
        if not self.reference:
            return None
        if not self.reference.is_file():
            raise DataError("There is no such reference", file=self.reference)
        link = Path(self._folder.name) / self.reference.name
        link.symlink_to(self.reference.resolve())
        return str(link)

    def _checked_reference(self, contig: str, tags: dict[str, str]) -> str | None:
        """The FASTA for htslib; DataError where it lacks the contig, or has another sequence of it.

        None where nothing tells whether it is the right one: htslib would lay the reads of a file
        that holds its own reference on any.
        """
        wanted = tags.get("M5")
        if not self._fasta or not wanted:
            # htslib would take it from there in silence, and on another machine from nowhere.
            place = tags.get("UR", "").removeprefix("file:")
            if Path(place).is_file():
                raise self._not_decoded(contig, place)
            return None
        if contig in self._checked:
            return self._fasta
        try:
            with quiet(), pysam.FastaFile(self._fasta) as fasta:
                letters = fasta.fetch(contig).upper() if contig in fasta.references else None
        except ERRORS as error:
            hint = "FASTA, as text or compressed by bgzip"
            raise DataError("No reference", file=self.reference, hint=hint) from error
        if letters is None:
            message = f"The reference has no contig {contig!r}, which the reads lie on"
            raise DataError(message, file=self.reference)
        found = md5(letters.encode()).hexdigest()
        if found != wanted:
            raise DataError(
                f"Another reference: the M5 of {contig} is {found}, in {self.file} {wanted}",
                file=self.reference,
                hint="give the FASTA that the reads were aligned to",
            )
        self._checked.add(contig)
        return self._fasta

    def _not_decoded(self, contig: str, place: str = "the FASTA that they lie on") -> DataError:
        tags = self._contigs[self.header.contigs.index(contig)]
        if not self.reference:
            message = f"The reads on {contig} cannot be decoded without their reference"
            hint = f"give `reference`, {place}"
        elif "M5" not in tags:
            message = f"The header has no checksum (M5) of {contig} to know its reference by"
            hint = "write the file again with one: samtools view -C -T <FASTA>"
        else:
            message = f"The CRAM file is damaged on {contig}"
            hint = "compare its size or checksum with the original"
        return DataError(message, file=self.file, hint=hint)


def read_cram_header(file: Path) -> tuple[Header, list[dict[str, str]]]:
    """The header, and the tags of each contig; DataError for a file that is damaged."""
    with _whole(file), pysam.AlignmentFile(str(file), "rc") as reads:
        contigs = reads.header.to_dict().get("SQ", [])
        text = str(reads.header)
    names = tuple(contig["SN"] for contig in contigs)
    return Header(names, tuple(contig["LN"] for contig in contigs), text, 0), contigs


@contextmanager
def _whole(file: Path) -> Iterator[None]:
    """Tell as DataError what is wrong with the file, in other words than pysam's."""
    try:
        with quiet():
            yield
    except DataError:
        raise
    except ERRORS as error:
        raise DataError(
            "The CRAM file is cut off or damaged",
            file=file,
            hint="copy or download the file again, and compare sizes or checksums",
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """No messages of htslib, and no look for a reference on the net."""
    before = {name: os.environ.get(name) for name in ("REF_PATH", "REF_CACHE")}
    verbosity = pysam.set_verbosity(0)
    os.environ.update(REF_PATH=os.devnull, REF_CACHE="")
    try:
        yield
    finally:
        pysam.set_verbosity(verbosity)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
