"""One page of all lanes (cutadapt) and samples (samtools), made by the program MultiQC."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bioloom.files import read_json, replacing
from bioloom.formats.sample_sheet import Lane
from bioloom.reads.programs import module

# MultiQC cuts what looks like a suffix off names, and samples whose names are alike then overwrite
# each other: only our own suffixes go.
CONFIG = {
    "fn_clean_exts": [{"type": "regex", "pattern": r"\.(stats|flagstat|idxstats|coverage)$"}],
    "fn_clean_trim": [],
    "sp": {"samtools/idxstats": {"fn": "*.idxstats"}},
    "show_analysis_time": False,
    "show_analysis_paths": False,
}
# What differs in each page of the same reads: names of the page itself, and its compressed data,
# which tell when they were compressed.
OF_ONE_RUN = re.compile(r'^((?:reportUuid|configCreationDate) = )".*";$', re.MULTILINE)
COMPRESSED = re.compile(r'(?<=id="mqc_compressed_plotdata">)[A-Za-z0-9+/=]+')


def multiqc(
    title: str, lanes: Sequence[tuple[Lane, Path]], statistics: Sequence[Path], report: Path
) -> None:
    """Write the page from the folders of trimmed lanes and of the samples' statistics.

    A lane is called <sample>.<lane> there, a sample by its name in file names. The same reads make
    the same bytes.
    """
    with replacing(report) as page, TemporaryDirectory(prefix="bioloom-multiqc-") as work:
        for lane, folder in lanes:
            name = lane.read_group["ID"]
            record = read_json(folder / "cutadapt.json")
            record["input"] |= {"path1": name, "path2": None}  # which it would name the lane by
            (Path(work) / f"{name}.json").write_text(json.dumps(record, indent=1))
        command = [*module("multiqc"), "--quiet", "--no-ansi", "--no-ai", "--force"]
        command += ["--no-version-check", "--no-megaqc-upload", "--no-data-dir", "--title", title]
        command += ["--cl-config", json.dumps(CONFIG), "--outdir", str(page.parent.resolve())]
        command += ["--filename", page.name, work, *map(str, statistics)]
        subprocess.run(command, check=True)
        text = OF_ONE_RUN.sub(r'\1"";', page.read_text(encoding="utf-8"))
        page.write_text(COMPRESSED.sub(_undated, text), encoding="utf-8")


def _undated(compressed: re.Match[str]) -> str:
    content = gzip.decompress(base64.b64decode(compressed[0]))
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()
