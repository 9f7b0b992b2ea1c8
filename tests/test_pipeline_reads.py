"""Reads in the workflow: a sheet of FASTQ becomes one of what is ready, and faults stop any job."""

from __future__ import annotations

import gzip
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pysam
import pytest
import yaml

from bioloom.application import Application
from bioloom.files import read_json
from bioloom.formats.sample_sheet import read_sheet
from bioloom.pipeline.check import task_mistakes
from bioloom.pipeline.defaults import with_defaults
from bioloom.pipeline.reads import reads_of
from bioloom.pipeline.tasks import Task
from bioloom.samples import Cleaned, Raw
from tests.tiny_project import ROOT, Project
from tests.tiny_reads import Read, complement, write_fastq, write_reads
from tests.toys import write

# An application as a file of the project: it counts the reads of each sample.
APPLICATION = '''
"""Counts of reads."""

import pandas as pd
import pysam

from bioloom.application import Application
from bioloom.formats.sample_sheet import read_sheet
from bioloom.samples import Cleaned, Raw


def ingest(files, options):
    """A row a sample."""
    rows = []
    for lane in read_sheet(files["reads"]):
        with pysam.AlignmentFile(lane.bam) as reads:
            rows.append((lane.sample, reads.count("c1")))
    return Raw(pd.DataFrame(rows, columns=["sample_id", "reads"]))


application = Application(
    kinds=("binary",),
    ingest=ingest,
    clean=lambda raw, options: Cleaned(raw, raw.head(0)),
    inputs=lambda samples: samples,
    sources=("reads", "reference"),
    reads="aligned",
    defaults=lambda task: {"features": {"embedder": "table"}, "model": {"name": "svm"}},
)
'''
DATASETS = {"training": {"reads": "data/sheet.csv", "reference": "data/genome.fa"}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    """A working folder with a genome, reads of it, and a toy application of either kind."""
    for goal in ("aligned", "trimmed"):
        module = ModuleType(f"bioloom.applications.toy_{goal}")
        module.application = Application(
            kinds=("binary",),
            ingest=lambda files, options: Raw(pd.DataFrame()),
            clean=lambda raw, options: Cleaned(raw, raw),
            inputs=lambda samples: samples,
            sources=("reads",),
            optional_sources=("reference",),
            reads=goal,
            defaults=lambda task: {"features": {"embedder": "table"}, "model": {"name": "svm"}},
        )
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    make_data(tmp_path / "data")
    return tmp_path


def make_data(data: Path) -> None:
    """Two lanes of `S 1`, one of which is single, and a sample without reads."""
    rng = np.random.default_rng(0)
    genome = "".join(rng.choice(list("ACGT"), 3000))
    starts = rng.integers(0, 2700, 120)
    pairs = [(genome[s : s + 80], complement(genome[s + 200 : s + 280])) for s in starts]
    write_fastq(data / "one", pairs)
    write_fastq(data / "two", [(first,) for first, _ in pairs[:20]])
    write(data / "none.fq.gz", gzip.compress(b""))
    write(data / "genome.fa", f">c1\n{genome}\n")
    rows = ["S 1,1,one/R1.fastq.gz,one/R2.fastq.gz", "S 1,2,two/R1.fastq.gz,", "no,1,none.fq.gz,"]
    write(data / "sheet.csv", "\n".join(["sample,lane,fastq_1,fastq_2", *rows]) + "\n")


def task(application: str, **training) -> Task:
    content = {
        "application": application,
        "datasets": {"training": DATASETS["training"] | training},
    }
    return Task("toy", **with_defaults(content))


def test_aligned_reads_stand_in_for_fastq(folder: Path):
    one = task("toy_aligned", trim_quality=10)
    made = "results/toy/training/reads"
    assert one.source_files("training") == {
        "reads": f"{made}/aligned.csv",
        "reference": "data/genome.fa",
    }
    assert set(one.raw_files("training")) == {
        *one.source_files("training").values(),
        *(f"{made}/samples/{name}.bam{end}" for name in ("S_1", "no") for end in ("", ".csi")),
    }
    assert one.ingest_options("training") == {}
    assert one.reads_options("training") == {
        "adapters": "auto",
        "poly_g": None,
        "trim_quality": 10,
        "min_read_length": 30,
        "aligner": "auto",
    }
    assert one.report_files["multiqc.training"] == f"{made}/multiqc.html"


def test_data_sets_share_a_reference_that_is_ready(folder: Path):
    write(folder / "data/long.csv", "sample,fastq_1,platform\nx,two/R1.fastq.gz,ont\n")
    write(folder / "data/other.fa", ">c1\nACGT\n")
    more = {
        "long": DATASETS["training"] | {"reads": "data/long.csv"},
        "other": DATASETS["training"] | {"reference": "data/other.fa"},
    }
    content = {"application": "toy_aligned", "datasets": DATASETS | more}
    one = Task("toy", **with_defaults(content))
    training, long, other = (one.reads(name).index for name in one.datasets)
    assert training == long != other
    assert one.indexed(training) == ("data/genome.fa", ["bwa", "mappy"])
    assert one.indexed(other) == ("data/other.fa", ["bwa"])


@pytest.mark.parametrize("simulated", [0, 2])
def test_a_job_gets_the_reads_that_were_planned(folder: Path, simulated: int):
    planned = reads_of("data/sheet.csv", "aligned", "results/toy", simulated=simulated)
    again = reads_of(**planned.described)
    assert again == planned
    assert again.sample_bams.keys() == {lane.sample for lane in planned.fastq}
    assert list(again.sample_statistics.values()) == [Path(file) for file in planned.statistics]


def test_trimmed_reads_stand_in_for_fastq(folder: Path):
    one = task("toy_trimmed")
    made = "results/toy/training/reads"
    assert one.source_files("training")["reads"] == f"{made}/trimmed.csv"
    lanes = {f"{made}/trimmed/{lane}" for lane in ("S_1/1", "S_1/2", "no/1")}
    assert lanes < set(one.raw_files("training"))
    assert "aligner" not in one.reads_options("training")


def test_reads_that_are_aligned_are_taken_as_they_are(folder: Path):
    bam = write_reads(folder / "data/r.bam", [Read("r", 5, "4M", "ACGT")], {"c1": 3000})
    alone = task("toy_aligned", reads="data/r.bam")
    assert alone.source_files("training")["reads"] == "data/r.bam"
    assert "multiqc.training" not in alone.report_files
    assert alone.reads("training").alignments == {"reads": "data/r.bam"}
    # Measured all the same, and asked for where no page shows it.
    summary = "results/toy/training/reads/aligned_summary.json"
    assert alone.reads("training").reports == [summary]
    assert alone.report_files["reads.training"] == summary
    write(folder / "data/bams.csv", f"sample,bam\nx,{bam}\n")
    listed = task("toy_aligned", reads="data/bams.csv")
    assert listed.source_files("training")["reads"] == "data/bams.csv"
    for one in (alone, listed):
        assert "results/toy/training/reads/checked.json" in one.raw_files("training")
    assert str(bam) in listed.raw_files("training")
    assert listed.reads("training").alignments == {"x": str(bam)}


@pytest.mark.parametrize(
    ("application", "changes", "expected"),
    [
        ("toy_aligned", {}, None),
        ("toy_aligned", {"aligner": "star"}, "aligner.*is one of auto, bwa"),
        ("toy_aligned", {"aligner": "mappy"}, "S 1 has pairs"),
        ("toy_aligned", {"adapters": "trueseq"}, "Unknown adapters"),
        ("toy_aligned", {"min_read_length": 0}, "at least 1"),
        ("toy_aligned", {"adaptors": "none"}, "did you mean 'adapters'"),
        ("toy_aligned", {"reads": "data/bad.csv"}, "datasets.training.reads: .*row 3"),
        ("toy_trimmed", {"reads": "data/genome.fa"}, "Expected a sample sheet of FASTQ"),
        ("toy_trimmed", {"aligner": "bwa"}, "Unknown option 'aligner'"),
        (
            "toy_aligned",
            {"reads": {"url": "https://example.org/s.csv", "sha256": "0" * 64}},
            "sample sheet is read before any job",
        ),
    ],
)
def test_mistakes_are_told_before_any_job(folder: Path, application, changes, expected):
    write(folder / "data/bad.csv", "sample,fastq_1\na,one/R1.fastq.gz\nA,one/R2.fastq.gz\n")
    training = DATASETS["training"] | changes
    mistakes = task_mistakes(
        "toy", {"application": application, "datasets": {"training": training}}
    )
    assert bool(mistakes) == bool(expected), mistakes
    if expected:
        assert re.search(expected, mistakes[0]), mistakes


@pytest.mark.parametrize("application", ["genome_assembly", "variant_calling"])
def test_a_sheet_that_calls_samples_as_persons_starts_no_job(folder: Path, application):
    rows = ["sample,fastq_1", "Jane_Placeholder,one/R1.fastq.gz"]
    write(folder / "data/persons.csv", "\n".join(rows) + "\n")

    def told(**said) -> str:
        training = {"reads": "data/persons.csv", "reference": "data/genome.fa", **said}
        training |= {"truth": "data/genome.fa"} if application == "variant_calling" else {}
        content = {"application": application, "datasets": {"training": training}}
        return " ".join(task_mistakes("toy", content))

    # Files would be called by them, whatever results say.
    for said in ({}, {"privacy": {"sample": "pseudonym"}} if "variant" in application else {}):
        assert re.search(r"names \(fewer than 5\).*codes of your own", told(**said))
        assert "Jane" not in told(**said)
    assert "identify persons" not in told(not_identifiers=["sample"])
    write(folder / "data/persons.csv", "\n".join([*rows, rows[1]]) + "\n")
    assert "is there twice" in told()
    assert "Jane" not in told()


@pytest.mark.long
def test_from_fastq_to_what_ingest_reads(tmp_path: Path):
    project = Project.create(tmp_path)
    for file in project.path("tasks").iterdir():
        file.unlink()
    write(project.path("src/bioloom/applications/toy_reads.py"), APPLICATION)
    make_data(project.path("data"))
    content = {"application": "toy_reads", "datasets": DATASETS}
    write(project.path("tasks/toy.yaml"), yaml.safe_dump(content))
    made = project.path("results/toy/training")
    names = ("raw.parquet", "reads/multiqc.html", "reads/aligned_summary.json")
    targets = [f"results/toy/training/{name}" for name in names]
    project.snakemake("--cores", "2", *targets)

    raw = pd.read_parquet(made / "raw.parquet")
    assert raw.to_numpy().tolist() == [["S 1", 260]]  # and no sample without reads
    figures = read_json(made / "reads/aligned_summary.json")
    assert figures["no"]["hints"] == ["left out: 0 of 0 fragments are left after trimming"]
    assert (figures["S 1"]["mapped"], figures["S 1"]["fragments"]) == (1.0, 140)
    with pysam.AlignmentFile(str(made / "reads/samples/S_1.bam")) as reads:
        assert [group["SM"] for group in reads.header.to_dict()["RG"]] == ["S 1"] * 2
    page = (made / "reads/multiqc.html").read_text()
    for name in ("S_1.1", "S_1.2", "S_1"):
        assert f'"{name}"' in page
    assert project.planned(*targets) == set()

    project.configure(**{"tasks.toy.datasets.training.min_read_length": 50})
    planned = project.planned(*targets)
    assert {"trim toy training S_1 1", "align toy training S_1 1", "ingest toy training"} <= planned
    (made / "reads/samples/S_1.bam").unlink()
    write(project.path("data/two/R1.fastq.gz"), "@a\nACGT\n+\nIII\n")
    said = project.snakemake("--cores", "2", *targets, check=False)
    assert re.search(r"ERROR: Record 1, 'a', .*data/two/R1.fastq.gz", said)
    assert not (made / "reads/trimmed/S_1/2/trimmed.json").exists()


def test_every_sheet_of_the_documentation_is_read(folder: Path):
    text = (ROOT / "docs/reads.md").read_text()
    for number, body in enumerate(re.findall(r"```csv\n((?:.+\n)+)```", text)):
        for file in re.findall(r"[\w/]+\.(?:fastq\.gz|bam|cram)", body):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            write(folder / file, "")
        assert read_sheet(write(folder / f"{number}.csv", body))
