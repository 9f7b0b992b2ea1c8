"""Trimmed reads of a lane to a sorted BAM, each record with its read group and its mate's place."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import pysam

from bioloom import __version__
from bioloom.files import replacing, work_folder
from bioloom.formats.sample_sheet import Lane
from bioloom.reads.pairs import mark_pairs
from bioloom.reads.programs import program, require
from bioloom.reads.reference import BWA, DICT, FASTA

if TYPE_CHECKING:
    import mappy

Query = tuple[str, str, str]
BATCH = 10_000_000  # bases that bwa takes at once, whatever the threads: the answers are the same
READS = 1000  # long ones that mappy takes at once
PRESETS = {"ont": "map-ont", "pacbio": "map-hifi"}  # of minimap2
FAST = "level=1"  # compression of what is read once
SUPPLEMENTARY, REVERSE, UNMAPPED = 0x800, 0x10, 0x4


def align(
    lane: Lane, reads: Sequence[Path], index: Path, aligner: str, threads: int, bam: Path
) -> None:
    """Align one FASTQ file, or those of both mates, to the reference of an index folder.

    `aligner` is bwa (pybwa) or mappy (minimap2, for long reads), or a program on PATH: bwa-mem2 or
    minimap2. DataError where that is missing.
    """
    group, header = lane.read_group["ID"], _header(lane, index, aligner)
    with work_folder(bam) as work, replacing(bam) as sorted_:
        raw, fixed = work / "raw.bam", work / "fixed.bam"
        with pysam.AlignmentFile(str(raw), "wb", header=header, format_options=[FAST]) as out:
            for record in _records(lane, reads, index, aligner, threads):
                record.set_tag("RG", group)
                out.write(record)
        # Mates know each other's place, and by -m their qualities, which duplicates are chosen by.
        pysam.samtools.fixmate("--no-PG", "-m", "-O", f"bam,{FAST}", str(raw), str(fixed))
        raw.unlink()
        more = ["-@", str(threads - 1), "-T", f"{work}/part", "-o", str(sorted_)]
        pysam.samtools.sort("--no-PG", *more, str(fixed))


def _header(lane: Lane, index: Path, aligner: str) -> dict[str, Any]:
    with pysam.AlignmentFile(str(index / DICT), check_sq=False) as reference:
        header: dict[str, Any] = reference.header.to_dict()
    program = {"ID": "bioloom", "PN": "bioloom", "VN": __version__, "DS": f"aligned by {aligner}"}
    return header | {"RG": [lane.read_group], "PG": [program]}


def _records(
    lane: Lane, reads: Sequence[Path], index: Path, aligner: str, threads: int
) -> Iterator[pysam.AlignedSegment]:
    """Records of all reads, those of a pair one behind the other."""
    if aligner == "bwa":
        return _by_bwa(reads, index, threads)
    if aligner == "mappy":
        return _by_mappy(lane, reads, index, threads)
    command = [program(aligner, "aligner")]
    if aligner == "bwa-mem2":
        command += ["mem", "-K", str(BATCH), "-t", str(threads), str(index / aligner)]
    else:
        preset = PRESETS.get(lane.platform, "sr")
        command += ["-a", "-x", preset, "-t", str(threads), str(index / FASTA)]
    return _by_program([*command, *map(str, reads)])


def _by_program(command: list[str]) -> Iterator[pysam.AlignedSegment]:
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        with pysam.AlignmentFile(cast(IO[bytes], process.stdout), "r") as records:
            yield from records
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def _by_bwa(reads: Sequence[Path], index: Path, threads: int) -> Iterator[pysam.AlignedSegment]:
    from pybwa import BwaMem, BwaMemOptions

    is_paired = len(reads) == 2
    options = BwaMemOptions(
        threads=threads, interleaved_paired_end=is_paired, chunk_size=BATCH
    ).finalize()
    with BwaMem(index / BWA) as bwa:
        for batch in _batches(_queries(reads)):
            found = bwa.align(batch, options)
            if is_paired:
                mark_pairs(found)
            for records in found:
                yield from records


def _queries(reads: Sequence[Path]) -> Iterator[Query]:
    """Name, letters, qualities of reads; mates have one name and stand one behind the other."""
    import dnaio

    if len(reads) == 1:
        with dnaio.open(reads[0]) as single:
            for read in single:
                yield read.id, read.sequence, read.qualities
        return
    with dnaio.open(*reads) as pairs:
        for first, second in pairs:
            # Names that differ do so in the mate's mark, /1 or .1, as was checked.
            name = first.id if first.id == second.id else first.id[:-2]
            for read in (first, second):
                yield name, read.sequence, read.qualities


def _batches(queries: Iterable[Query]) -> Iterator[list[pysam.FastxRecord]]:
    """Lists of about BATCH bases, even in number, so that no pair is parted."""
    batch: list[pysam.FastxRecord] = []
    bases = 0
    for name, letters, qualities in queries:
        batch.append(pysam.FastxRecord(name=name, sequence=letters, quality=qualities))
        bases += len(letters)
        if bases >= BATCH and len(batch) % 2 == 0:
            yield batch
            batch, bases = [], 0
    if batch:
        yield batch


def _by_mappy(
    lane: Lane, reads: Sequence[Path], index: Path, threads: int
) -> Iterator[pysam.AlignedSegment]:
    """Reads in their order, mapped by threads: minimap2 runs without Python's lock."""
    require("mappy")
    import mappy

    preset = PRESETS.get(lane.platform, "sr")
    aligner = mappy.Aligner(str(index / FASTA), preset=preset)

    def primary(query: Query) -> list[mappy.Alignment]:
        return [hit for hit in aligner.map(query[1], MD=True) if hit.is_primary]

    queries = _queries(reads)
    with (
        pysam.AlignmentFile(str(index / DICT), check_sq=False) as reference,
        ThreadPoolExecutor(threads) as pool,
    ):
        while batch := list(islice(queries, READS)):
            for query, hits in zip(batch, pool.map(primary, batch), strict=True):
                yield from _records_of_hits(query, hits, reference.header)


def _records_of_hits(
    query: Query, hits: Sequence[mappy.Alignment], header: pysam.AlignmentHeader
) -> Iterator[pysam.AlignedSegment]:
    """The best hit as the primary record, others as supplementary ones; or one unmapped record."""
    import mappy

    name, letters, qualities = query
    if not hits:
        yield _record(query, UNMAPPED, header)
    turned = name, mappy.revcomp(letters), qualities[::-1]
    cigars = [_cigar(hit, len(letters)) for hit in hits]
    places = [
        f"{hit.ctg},{hit.r_st + 1},{'+' if hit.strand > 0 else '-'},{cigar},{hit.mapq},{hit.NM};"
        for hit, cigar in zip(hits, cigars, strict=True)
    ]
    for number, (hit, cigar) in enumerate(zip(hits, cigars, strict=True)):
        flag = (SUPPLEMENTARY if number else 0) | (0 if hit.strand > 0 else REVERSE)
        record = _record(query if hit.strand > 0 else turned, flag, header)
        record.reference_name, record.reference_start = hit.ctg, hit.r_st
        record.mapping_quality, record.cigarstring = hit.mapq, cigar
        record.set_tags([("NM", hit.NM), ("MD", hit.MD)])
        if others := "".join(places[:number] + places[number + 1 :]):
            record.set_tag("SA", others)
        yield record


def _record(query: Query, flag: int, header: pysam.AlignmentHeader) -> pysam.AlignedSegment:
    record = pysam.AlignedSegment(header)
    record.query_name, record.query_sequence, qualities = query
    record.flag, record.query_qualities = flag, pysam.qualitystring_to_array(qualities)
    return record


def _cigar(hit: mappy.Alignment, length: int) -> str:
    """The CIGAR of a hit, what is not aligned at the ends clipped softly."""
    before, after = hit.q_st, length - hit.q_en
    if hit.strand < 0:
        before, after = after, before
    clips = [f"{n}S" if n else "" for n in (before, after)]
    return f"{clips[0]}{hit.cigar_str}{clips[1]}"
