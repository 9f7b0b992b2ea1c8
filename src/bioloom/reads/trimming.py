"""FASTQ of a lane, checked and trimmed by cutadapt: adapters, poly-G, low quality, short reads."""

from __future__ import annotations

import errno
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bioloom.errors import DataError
from bioloom.files import replacing_folder, write_json
from bioloom.formats.fastq import Fastq, check_fastq, is_gzip
from bioloom.formats.sample_sheet import Lane
from bioloom.reads.choices import adapters_of
from bioloom.reads.programs import module
from bioloom.reads.survey import Survey, survey

# A run of G at the end, of ten or more. As an adapter it is trimmed whatever its quality, and
# counted apart.
POLY_G = "polyG=G{100};min_overlap=10"
# Solexa's scale went below 0; what Phred+64 cannot say is the lowest of Phred+33.
TO_33 = bytes(max(value - 31, 33) if value > 32 else value for value in range(256))


def trim(lane: Lane, options: Mapping[str, Any], threads: int, folder: Path) -> None:
    """Write `1.fastq.gz` (and `2.fastq.gz`), `cutadapt.json` and `trimmed.json` to the folder.

    Options: `adapters` (auto, none, a kit, or one or two sequences), `poly_g` (None: where reads
    show it), `trim_quality`, `min_read_length` (of both mates). Phred+64 becomes Phred+33.
    DataError for what `check_fastq` refuses; nothing is written then. A lane without reads gives
    files without reads.
    """
    found = check_fastq(lane.fastq)
    seen = survey(list(map(Path, lane.fastq)))
    adapters = adapters_of(options["adapters"], seen.kit, lane.platform)
    poly_g = seen.has_poly_g if options["poly_g"] is None else options["poly_g"]
    with replacing_folder(folder) as new, TemporaryDirectory(prefix="bioloom-trim-") as work:
        files = [_as_cutadapt_reads(fastq, Path(work), mate) for mate, fastq in enumerate(found, 1)]
        given = [fastq.file for fastq in found]
        _cutadapt(files, given, new, adapters, poly_g, options, threads)
        # The same text from the same reads, wherever the work was done.
        report = (new / "cutadapt.json").read_text()
        for name, fastq in zip(map(str, files), found, strict=True):
            report = report.replace(name, fastq.file)
        report = report.replace(str(new), str(folder))
        (new / "cutadapt.json").write_text(report)
        write_json(_record(found, seen, adapters, poly_g, json.loads(report)), new / "trimmed.json")


def _cutadapt(
    files: Sequence[Path],
    given: Sequence[str],
    folder: Path,
    adapters: tuple[str, ...],
    poly_g: bool,
    options: Mapping[str, Any],
    threads: int,
) -> None:
    """Write trimmed reads and `cutadapt.json`; DataError where it refuses the `given` files."""
    command = [*module("cutadapt"), "--quiet", f"--cores={threads}"]
    command += [f"--json={folder}/cutadapt.json", "--compression-level=1", "--times=2"]
    command += [f"--minimum-length={options['min_read_length']}"]
    if options["trim_quality"]:
        command += [f"--quality-cutoff={options['trim_quality']}"]
    for mate, (flag, out) in enumerate(zip("aA", "op", strict=True)):
        if mate < len(files):
            command += [f"-{flag}", adapters[mate]] if adapters else []
            command += [f"-{flag}", POLY_G] if poly_g else []
            command += [f"-{out}", f"{folder}/{mate + 1}.fastq.gz"]
    done = subprocess.run([*command, *map(str, files)], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr, flush=True)
    if done.returncode < 0 or os.strerror(errno.ENOSPC) in done.stderr:
        done.check_returncode()
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise DataError(
            f"cutadapt cannot read this: {said[-1] if said else f'code {done.returncode}'}",
            file=" and ".join(given),
            hint="names of mates differ in their mark alone, and no line is empty",
        )


def _as_cutadapt_reads(fastq: Fastq, folder: Path, mate: int) -> Path:
    """The file by a name that says whether it is compressed; a copy where it is of Phred+64."""
    import dnaio

    file = Path(fastq.file)
    link = folder / f"{mate}.fastq{'.gz' if is_gzip(file) else ''}"
    link.symlink_to(file.resolve())
    if fastq.quality_offset == 33:
        return link
    copy = folder / f"{mate}.phred33.fastq.gz"
    with dnaio.open(link) as reads, gzip.open(copy, "wb", compresslevel=1) as out:
        for read in reads:
            read.qualities = read.qualities.encode().translate(TO_33).decode()
            out.write(read.fastq_bytes())
    return copy


def _record(
    found: Sequence[Fastq],
    seen: Survey,
    adapters: tuple[str, ...],
    poly_g: bool,
    report: dict[str, Any],
) -> dict[str, Any]:
    """What went in and came out; pairs count once as `fragments`."""
    counts, bases = report["read_counts"], report["basepair_counts"]
    mates = [report["adapters_read1"], report["adapters_read2"]]
    cut = {
        mate: {
            "polyG" if adapter["name"] == "polyG" else "adapter": _cut_reads(adapter, fastq.longest)
            for adapter in adapters_of or []
        }
        for mate, (fastq, adapters_of) in enumerate(zip(found, mates, strict=False), 1)
    }
    return {
        "files": [asdict(fastq) for fastq in found],
        "adapters": list(adapters),
        "kit": seen.kit,
        "poly_g": poly_g,
        "fragments": counts["input"],
        "fragments_kept": counts["output"],
        "too_short": counts["filtered"]["too_short"],
        "bases": bases["input"],
        "bases_kept": bases["output"],
        "cut": cut,
        "dimers": seen.dimers,
        "frequent": seen.frequent,
    }


def _cut_reads(adapter: dict[str, Any], longest: int) -> dict[str, int]:
    """Reads that the adapter was cut off, and those of which nothing was left: dimers, no light."""
    lengths = adapter["three_prime_end"]["trimmed_lengths"]
    whole = sum(sum(entry["counts"]) for entry in lengths if entry["len"] >= longest)
    return {"reads": adapter["total_matches"], "whole_reads": whole}
