"""Reads of a data set: the rows of its sample sheet, and the files that the rules make of them.

Imported by the Snakefile, so nothing heavy is imported here.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from bioloom.errors import DataError
from bioloom.formats.sample_sheet import ALONE, Lane, is_sheet, read_sheet
from bioloom.privacy.samples import check_sheet
from bioloom.reads.choices import adapters_of, aligner_of


@dataclass(frozen=True)
class Reads:
    """A source of reads, and `folder` for what is made of it."""

    source: str
    goal: str  # "aligned" or "trimmed"
    folder: str
    rows: tuple[Lane, ...]  # of the sample sheet, if it is one
    index: str | None = None  # the folder of the reference that reads are aligned to
    simulated: tuple[str, ...] = ()  # files with the truth of reads that rules simulate

    @property
    def described(self) -> dict[str, Any]:
        """What `reads_of` makes it of again, in a job."""
        samples = len(self.simulated)
        return {
            "source": self.source,
            "goal": self.goal,
            "folder": self.folder,
            "simulated": samples,
        }

    @property
    def sources(self) -> list[str]:
        """The file that is given, if none is simulated."""
        return [] if self.simulated else [self.source]

    @cached_property
    def fastq(self) -> list[Lane]:
        """The lanes that the rules trim."""
        return [lane for lane in self.rows if lane.fastq]

    @property
    def given(self) -> list[str]:
        """Files of aligned reads that came as such."""
        return [lane.bam for lane in self.rows if lane.bam] if self.rows else [self.source]

    @property
    def sheet(self) -> str:
        """The sample sheet that the rules make."""
        return f"{self.folder}/{self.goal}.csv"

    @property
    def ready(self) -> str:
        """What `ingest` gets: that sheet, or the source where no rule has to make anything."""
        return self.sheet if self.fastq else self.source

    @property
    def summary(self) -> str:
        """Figures of each sample, and what looks odd."""
        return f"{self.folder}/{self.goal}_summary.json"

    @property
    def report(self) -> str:
        """What MultiQC makes of all lanes and samples."""
        return f"{self.folder}/multiqc.html"

    @property
    def reports(self) -> list[str]:
        """What tells of the reads; MultiQC only where rules trim any."""
        return [self.summary, self.report] if self.fastq else [self.summary]

    @property
    def checked(self) -> str:
        """What was found of the files that came aligned."""
        return f"{self.folder}/checked.json"

    @property
    def files(self) -> list[str]:
        """The files behind the sheet that `ingest` gets, which it opens, too."""
        if self.goal == "trimmed":
            return [self.trimmed(lane) for lane in self.fastq]
        made = [self.bam(sample) for sample in self.samples]
        given = [*self.given, self.checked] if self.given else []
        beside = [*(f"{bam}.csi" for bam in made), *self.simulated]
        return [*made, *beside, *(file for file in given if file != self.source)]

    @cached_property
    def alignments(self) -> dict[str, str]:
        """BAM or CRAM by the sample's name in file names; that of a file alone is `reads`."""
        if self.goal == "trimmed":
            return {}
        if not self.rows:
            return {ALONE: self.source}
        return {lane.folder: lane.bam or self.bam(lane.folder) for lane in self.rows}

    @property
    def indexes(self) -> str:
        """The folder of indexes that jobs share which each read a part."""
        return f"{self.folder}/indexes"

    @property
    def index_files(self) -> list[str]:
        """Those of the aligned reads."""
        return [f"{self.indexes}/{sample}" for sample in self.alignments]

    @property
    def statistics(self) -> list[str]:
        """The folders of figures of these."""
        return [self.statistics_of(sample) for sample in self.alignments]

    def statistics_of(self, sample: str) -> str:
        """That of one of them."""
        return f"{self.folder}/statistics/{sample}"

    @property
    def trimmed_lanes(self) -> list[tuple[Lane, Path]]:
        """The lanes with their folders."""
        return [(lane, Path(self.trimmed(lane))) for lane in self.fastq]

    @property
    def sample_bams(self) -> dict[str, Path]:
        """The BAM of each sample with FASTQ, by its name; none where reads are trimmed only."""
        is_aligned = self.goal == "aligned"
        return {lane.sample: Path(self.bam(lane.folder)) for lane in self.fastq if is_aligned}

    @property
    def sample_statistics(self) -> dict[str, Path]:
        """The folders of figures, by the samples' names."""
        names = {lane.folder: lane.sample for lane in self.rows}
        return {names.get(n, n): Path(self.statistics_of(n)) for n in self.alignments}

    @cached_property
    def _lanes(self) -> dict[str, list[Lane]]:
        lanes: dict[str, list[Lane]] = {}
        for lane in self.fastq:
            lanes.setdefault(lane.folder, []).append(lane)
        return lanes

    @property
    def samples(self) -> list[str]:
        """The samples with FASTQ, by their names in file names."""
        return list(self._lanes)

    def lanes_of(self, sample: str) -> list[Lane]:
        """The lanes of one of them."""
        return self._lanes.get(sample, [])

    def lane(self, sample: str, number: str) -> Lane:
        """One lane, by its names in file names."""
        return next(lane for lane in self.lanes_of(sample) if lane.number == number)

    def trimmed(self, lane: Lane) -> str:
        """The folder of a lane's trimmed reads."""
        return f"{self.folder}/trimmed/{lane.folder}/{lane.number}"

    def aligned(self, lane: Lane) -> str:
        """The BAM of a lane."""
        return f"{self.folder}/aligned/{lane.folder}/{lane.number}.bam"

    def bam(self, sample: str) -> str:
        """The BAM of a sample."""
        return f"{self.folder}/samples/{sample}.bam"


def reads_of(
    source: str, goal: str, folder: str, index: str | None = None, simulated: int = 0
) -> Reads:
    """The reads of a source, or of so many simulated samples.

    DataError for a sample sheet with faults.
    """
    if simulated:
        return _simulated(goal, folder, index, simulated)
    path = Path(source)
    if is_sheet(path) and os.path.isfile(path):
        place, time = path.resolve(), path.stat().st_mtime_ns
        return _of_sheet(place, Path.cwd(), time, source, goal, folder, index)
    return Reads(source, goal, folder, (), index)


@cache
def _simulated(goal: str, folder: str, index: str | None, count: int) -> Reads:
    names = [f"{folder}/simulated/simulated_{n}" for n in range(1, count + 1)]
    lanes = tuple(
        Lane(sample, f"{name}_1.fastq.gz", f"{name}_2.fastq.gz", lane="1", library=sample)
        for name in names
        for sample in [Path(name).name]
    )
    truth = tuple(f"{name}.vcf.gz" for name in names)
    return Reads("", goal, folder, lanes, index, truth)


@cache
def _of_sheet(
    _place: Path, _working: Path, _time: int, source: str, goal: str, folder: str, index: str | None
) -> Reads:
    """Each of many jobs asks for it again and again."""
    return Reads(source, goal, folder, tuple(read_sheet(source)), index)


def check_reads(
    reads: Reads, options: Mapping[str, Any], not_identifiers: Collection[str] = ()
) -> None:
    """Raise DataError for what no rule makes the goal of, and for options that fit no lane.

    And for samples of a sheet that are called as persons may be, where `not_identifiers` do not
    say that they are none.
    """
    if not all(os.path.exists(source) for source in reads.sources):  # told elsewhere, or fetched
        if is_sheet(reads.source):
            hint = "name a file here; what it names may be anywhere"
            raise DataError("A sample sheet is read before any job runs", hint=hint)
        return
    if reads.rows and not reads.simulated:
        called = {
            column: [getattr(lane, column) for lane in reads.rows]
            for column in ("sample", "lane", "library")
        }
        check_sheet(called, not_identifiers, Path(reads.source))
    if reads.goal == "trimmed" and reads.given:
        hint = "samtools fastq writes FASTQ" if reads.rows else "its columns: sample, fastq_1"
        raise DataError(f"Expected a sample sheet of FASTQ, got {reads.given[0]}", hint=hint)
    for lane in reads.fastq:
        adapters_of(options["adapters"], None, lane.platform)
        aligner_of(options.get("aligner", "auto"), lane)
