"""Altered files by the hundred thousand: each is read, or refused by a DataError.

    python -m tests.fuzz --inputs 100000 --workers 2
    python -m tests.fuzz --target fasta --seed 17 --keep folder   # one input again, as files

An input is a target, such as a reader with a sound file, and a seed that alters one of its files.
Targets get inputs by their weights: a reader takes a thousandth of a second, an ingest a hundred
times as long. Workers have limits of memory and of processor time; one that hangs or crashes is
replaced, and its input is counted.
"""

from __future__ import annotations

import argparse
import gzip
import io
import multiprocessing
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from bioloom.application import application_names
from bioloom.errors import DataError
from bioloom.formats.chains import read_chains
from bioloom.formats.edges import read_complexes, read_links
from bioloom.formats.expression import read_expression
from bioloom.formats.fasta import read_fasta
from bioloom.formats.fastq import check_fastq
from bioloom.formats.fhir import read_fhir
from bioloom.formats.genbank import read_proteins
from bioloom.formats.h5ad import read_h5ad
from bioloom.formats.intervals import read_windows
from bioloom.formats.meds import read_meds
from bioloom.formats.omop import read_omop
from bioloom.formats.sample_sheet import read_sheet
from bioloom.formats.structures import read_structures
from bioloom.formats.table import read_table
from bioloom.formats.vcf import read_calls
from bioloom.pipeline.defaults import with_defaults
from bioloom.pipeline.project import read_project
from bioloom.pipeline.tasks import Task
from bioloom.reads.alignments import open_reads

EXAMPLES = Path(__file__).parent / "examples"
RAM = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a disk is slower than most readers
SLOWEST = 10.0  # seconds of the processor that an input may take
HANGING = 1800.0  # seconds without an end: a run at the lowest priority may wait long for ten
MEMORY = 1 << 30  # bytes that it may ask for
TURNS = 10_000  # inputs of a worker, until another takes its place
Run = Callable[[Path], object]


@dataclass(frozen=True)
class Target:
    """What reads `files` (name -> sound content) in a folder; all but `kept` are altered."""

    name: str
    files: dict[str, bytes]
    run: Run
    kept: tuple[str, ...] = ()
    weight: int = 1
    """Inputs that it gets while an ingest gets one."""


# Sound files --------------------------------------------------------------------------------------

FASTA = b">a first\nMKTAYIAKQRQISFVKSHFSRQ\nLEERLGLIEVQ\n>b\nGIGKFLHSAKKFGKAFVGEIMNS\n"
TABLE = b"id,sequence,label,dose\na,MKT,yes,0.5\nb,GIG,no,12\nc,AAK,,1e-3\nd,WWW,yes,NA\n"
BED = b"chr1\t10\t60\tfirst\t0\t+\nchr1\t80\t130\tsecond\t0\t-\nchr2\t0\t50\tthird\t0\t+\n"
SHEET = b"sample,fastq_1,fastq_2,lane\nme,a_1.fastq,a_2.fastq,1\n"
FASTQ = b"".join(b"@read%d\n%s\n+\n%s\n" % (i, b"ACGTTGCA" * 4, b"IIIIHHGG" * 4) for i in range(6))
VCF = b"""##fileformat=VCFv4.3
##contig=<ID=c,length=900>
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tone
c\t101\t.\ta\tG\t50\tPASS\t.\tGT\t0/1
c\t104\t.\tT\tG,*\t7.5\tPASS\t.\tGT\t1/2
"""
MITAB = b"".join(
    b"\t".join(
        [f"uniprotkb:P0000{a}".encode(), f"uniprotkb:P0000{b}".encode(), *[b"-"] * 7]
        + [b"taxid:83333", b"taxid:83333", b'psi-mi:"MI:0915"(physical)', b"-", b"-", b"-"]
    )
    + b"\n"
    for a, b in [(1, 2), (2, 3), (3, 4)]
)
GENBANK = b"""LOCUS       X               60 bp    DNA     circular BCT 01-JAN-2000
FEATURES             Location/Qualifiers
     CDS             1..60
                     /gene="thrL"
                     /locus_tag="b0001"
                     /product="leader peptide"
                     /translation="MKRISTTITTTITITTGNGAG"
ORIGIN
        1 atgaaacgca ttagcaccac cattaccacc accatcacca ttaccacagg taacggtgcg
//
"""


def _pdb() -> bytes:
    """Four residues with their backbones."""
    lines = []
    for residue, name in enumerate(("ALA", "GLY", "SER", "LEU"), 1):
        for atom in ("N", "CA", "C"):
            x, y, z = (3.8 * residue + 0.5 * len(lines) % 3, len(lines) * 0.7, residue * 1.1)
            lines.append(
                f"ATOM  {len(lines) + 1:5d}  {atom:<3s} {name} A{residue:4d}    "
                f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00 20.00           {atom[0]}\n"
            )
    return "".join([*lines, "END\n"]).encode()


def _mmcif() -> bytes:
    """The same as mmCIF."""
    fields = "group_PDB id type_symbol label_atom_id label_comp_id label_asym_id label_seq_id "
    fields += "Cartn_x Cartn_y Cartn_z occupancy B_iso_or_equiv auth_asym_id auth_seq_id "
    fields += "pdbx_PDB_ins_code pdbx_PDB_model_num"
    lines = ["data_x", "loop_", *(f"_atom_site.{name}" for name in fields.split())]
    for line in _pdb().decode().splitlines()[:-1]:
        atom, name, number = line[12:16].strip(), line[17:20], int(line[22:26])
        place = f"{line[30:38]} {line[38:46]} {line[46:54]}"
        lines.append(
            f"ATOM {line[6:11]} {atom[0]} {atom} {name} A {number} {place} 1 20 A {number} ? 1"
        )
    return "\n".join([*lines, "#", ""]).encode()


def _frame() -> pd.DataFrame:
    return pd.DataFrame(
        {"id": list("abcd"), "age": [50.5, None, 61, 70], "n": [1, 2, 3, 4], "sick": list("yyny")}
    )


def _parquet() -> bytes:
    made = io.BytesIO()
    _frame().to_parquet(made)
    return made.getvalue()


def _npz() -> bytes:
    """Two chains, as the data that ship."""
    made = io.BytesIO()
    places = np.arange(21, dtype=np.int16).reshape(7, 3)
    np.savez(
        made,
        chain=np.array(["1abc_A", "2abc_B"]),
        offsets=np.array([0, 3, 7]),
        sequence=np.frombuffer(b"MKTGIGK", np.uint8),
        states=np.frombuffer(b"CHHCEEC", np.uint8),
        ca_step=places,
        cb_from_ca=places,
        unit=np.array(0.1),
    )
    return made.getvalue()


def _h5ad() -> bytes:
    import h5py

    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        file["X"] = np.array([[0, 2, 0], [1, 0, 0.5]])
        for name, index in {"obs": ["c1", "c2"], "var": ["lacZ", "lacI", "araC"]}.items():
            group = file.create_group(name)
            group.attrs["_index"], group["_index"] = "_index", index
        file["obs"]["dose"] = [0.5, 2.0]
        file["obs"].attrs["column-order"] = ["dose"]
    return made.getvalue()


FHIR = b"""{"resourceType":"Patient","id":"A","gender":"male","birthDate":"1950-02"}
{"resourceType":"Patient","id":"B","link":[{"other":{"reference":"Patient/A"},"type":"replaced-by"}]}
{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"code":"2339-0"}]},%s}
{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"IMP"},%s}
""" % (
    b'"subject":{"reference":"Patient/B"},"effectiveDateTime":"2022-01-02T08:00:00Z",'
    b'"valueQuantity":{"value":99,"unit":"mg/dL","code":"mg/dL"}',
    b'"subject":{"reference":"Patient/A"},"period":{"start":"2022-01-01T10:00:00+01:00"}',
)
PERSON = b"person_id,gender_concept_id,year_of_birth,month_of_birth\n1,8507,1950,3\n2,0,1961,\n"
MEASURED = "measurement_date,measurement_datetime,value_as_number,unit_concept_id,unit_source_value"
MEASUREMENT = f"""person_id,measurement_concept_id,{MEASURED},operator_concept_id
1,3004501,2022-03-01,2022-03-01 08:00:00,99,8840,mg/dL,0
2,3004501,2022-03-02,,4.1,0,mmol/L,4171756
""".encode()


def _meds() -> bytes:
    made = io.BytesIO()
    times = pd.to_datetime(["2022-01-01 08:00", None, "1950-02-01"], format="mixed")
    table = pd.DataFrame({"subject_id": [1, 1, 2], "time": times})
    table = table.assign(code=["LAB", "SEX//F", "MEDS_BIRTH"], numeric_value=[5.5, None, None])
    table.to_parquet(made)
    return made.getvalue()


def _xlsx() -> bytes:
    import openpyxl

    written, made, book = io.BytesIO(), io.BytesIO(), openpyxl.Workbook()
    for row in (["id", "seen", "crp"], ["a", pd.Timestamp("2022-03-04"), "3,5"], ["b", 44624, 7]):
        book.active.append(row)
    book.save(written)
    with zipfile.ZipFile(written) as dated, zipfile.ZipFile(made, "w") as same:
        for name in dated.namelist():  # without the time, so that a seed makes the same file again
            content = re.sub(rb"\d\d:\d\d:\d\dZ", b"00:00:00Z", dated.read(name))
            content = re.sub(rb"20\d\d-\d\d-\d\dT", b"2020-01-01T", content)
            same.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return made.getvalue()


# Targets ------------------------------------------------------------------------------------------


def _reader(name: str, read: Run, content: bytes, file: str = "", **beside: bytes) -> Target:
    """A target that reads one file; `beside` are others, by their names without ".fastq"."""
    file = file or f"x.{name}"
    files = {file: content, **{f"{other}.fastq": text for other, text in beside.items()}}
    weight = 2 if name == "h5ad" else 40  # that one starts a process
    return Target(name, files, lambda folder: read(folder / file), weight=weight)


def _fastq_pair(path: Path) -> object:
    return check_fastq([path, path.with_name("x_2.fastq")])


def _alignments(path: Path) -> object:
    reads = open_reads(path)
    contigs = zip(reads.header.contigs, reads.header.lengths, strict=True)
    return [reads.records(name, 0, min(900, length)) for name, length in contigs]


def readers() -> list[Target]:
    """One a format of the user's files."""
    sheets = [_reader("xlsx", read_table, _xlsx())] if find_spec("openpyxl") else []
    bam = (EXAMPLES / "variant_calling/reads.bam").read_bytes()
    return [
        *sheets,
        _reader("fasta", read_fasta, FASTA),
        _reader("csv", read_table, TABLE),
        _reader("tsv", read_table, TABLE.replace(b",", b"\t")),
        _reader("parquet", read_table, _parquet()),
        _reader("bed", read_windows, BED),
        _reader("fhir", partial(read_fhir, time_zone="UTC"), FHIR, "x.ndjson"),
        _reader("meds", partial(read_meds, time_zone="UTC"), _meds(), "x.parquet"),
        Target(
            "omop",
            {"person.csv": PERSON, "measurement.csv": MEASUREMENT},
            partial(read_omop, time_zone="UTC"),
            weight=10,
        ),
        _reader("genbank", read_proteins, GENBANK, "x.gb"),
        _reader("pdb", read_structures, _pdb()),
        _reader("cif", read_structures, _mmcif()),
        _reader("npz", read_chains, _npz()),
        _reader("h5ad", read_h5ad, _h5ad()),
        _reader(
            "expression", read_expression, b"gene\ta\tb\nlacZ\t1\t2\nlacI\t0.5\t1e3\n", "x.tsv"
        ),
        _reader("vcf", read_calls, VCF),
        _reader("bam", _alignments, bam),
        _reader("fastq", _fastq_pair, FASTQ, "x_1.fastq", x_2=FASTQ),
        _reader("fastq_gz", _fastq_pair, gzip.compress(FASTQ), "x_1.fastq", x_2=FASTQ),
        _reader("sheet", read_sheet, SHEET, "sheet.csv", a_1=FASTQ, a_2=FASTQ),
        _reader("mitab", read_links, MITAB),
        _reader(
            "complexes", read_complexes, b"complex,genes\none,a;b;c\ntwo,b AND d(2)\n", "x.csv"
        ),
    ]


def ingests() -> list[Target]:
    """Ingest and clean of each data set of each application's example."""
    return [
        target
        for application in application_names()
        for target in _ingests_of(application, EXAMPLES / application)
    ]


def _ingests_of(application: str, folder: Path) -> list[Target]:
    content = yaml.safe_load((folder / "task.yaml").read_text())
    task = Task("example", **with_defaults(content))
    made = []
    for dataset in task.datasets:
        files = {n: file for n, file in task.source_files(dataset).items() if file}
        sound = {file: (folder / file).read_bytes() for file in files.values()}
        run = partial(_ingest, task, dataset, files)
        made.append(Target(f"{application}.{dataset}", sound, run))
    return made


def _ingest(task: Task, dataset: str, files: dict[str, str], folder: Path) -> object:
    paths = {name: folder / file for name, file in files.items()}
    raw = task.code.ingest(paths, task.ingest_options(dataset))
    return task.code.clean(raw.samples, task.clean)


def configs() -> list[Target]:
    """The task file of each example, and a config.yaml, as the Snakefile reads them."""
    made = []
    for application in application_names():
        folder = EXAMPLES / application
        beside = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
        files = beside | {"tasks/one.yaml": beside["task.yaml"], "config.yaml": b"seed: 1\n"}
        made.append(Target(f"config.{application}", files, _read_config, tuple(beside), 6))
    return made


def _read_config(folder: Path) -> object:
    with chdir(folder):
        try:
            config = yaml.safe_load(Path("config.yaml").read_text())
        except (yaml.YAMLError, ValueError):  # which Snakemake tells
            return None
        return read_project(config) if isinstance(config, dict) else None


@cache
def targets() -> dict[str, Target]:
    """All of them, by name."""
    return {target.name: target for target in (*readers(), *ingests(), *configs())}


# Alterations --------------------------------------------------------------------------------------

TOKENS = (
    *("", "NA", "nan", "None", "null", "-", ".", "?", "0", "-0", "-1", "1e400", "-1e-400", "inf"),
    *(
        "1,234",
        "1.234,5",
        "0x10",
        "1_000",
        "٣",
        "é",
        "\u200b",
        "\ufeff",
        "\x00",
        "\x1a",
        "\r",
        "\r\n",
    ),
    *("\t", ",", ";", "|", "\n", "\n\n", '"', "'", '""', "#", ">", "@", "+", "*", "/", "..", "<b>"),
    *(
        "{x}",
        "$(x)",
        "=1+1",
        "True",
        "yes",
        "2020-13-45",
        "X" * 5000,
        "9" * 400,
        "[",
        "]",
        "{}",
        ":",
    ),
)


def altered(content: bytes, rng: random.Random) -> bytes:
    """The content after one to four changes, of bytes, tokens, lines or the whole."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        content = rng.choice(CHANGES)(content, rng)
    return content


def _span(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.choice((1, 1, 4, 30, 1000)))


def _flip(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return (
        content[:start]
        + bytes(b ^ (1 << rng.randrange(8)) for b in content[start:end][:8])
        + (content[start + 8 :] if end - start > 8 else content[end:])
    )


def _delete(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + content[end:]


def _repeat(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:end] + content[start:end] * rng.choice((1, 2, 50)) + content[end:]


def _noise(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + rng.randbytes(rng.choice((1, 4, 30))) + content[end:]


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _token(content: bytes, rng: random.Random) -> bytes:
    """Another token in the place of a cell or a word."""
    start = rng.randrange(len(content) + 1)
    end = start
    while end < len(content) and content[end : end + 1] not in b"\t,; \n":
        end += 1
    return content[:start] + rng.choice(TOKENS).encode() + content[end:]


def _lines(content: bytes, rng: random.Random) -> bytes:
    """A line that is gone, comes twice, is another's, or all in another order."""
    lines = content.split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    way = rng.randrange(4)
    if way == 0:
        del lines[one]
    elif way == 1:
        lines.insert(other, lines[one])
    elif way == 2:
        lines[one], lines[other] = lines[other], lines[one]
    else:
        rng.shuffle(lines)
    return b"\n".join(lines)


def _whole(content: bytes, rng: random.Random) -> bytes:
    """Compressed, in another encoding, with other separators or ends of lines, or empty."""
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: gzip.compress(content),
        lambda: b"\xef\xbb\xbf" + content,
        lambda: content.decode("latin-1").encode("utf-16"),
        lambda: content.replace(b"\n", b"\r\n"),
        lambda: content.replace(b",", b";"),
        lambda: content.replace(b"\t", b" "),
        lambda: content * 2,
        lambda: b"",
    )
    return rng.choice(ways)()


def _inside(content: bytes, rng: random.Random) -> bytes:
    """What is compressed, altered before it is."""
    if content[:2] != b"\x1f\x8b":
        return _token(content, rng)
    try:
        return gzip.compress(altered(gzip.decompress(content), rng))
    except (OSError, EOFError, zlib.error):
        return content


CHANGES = (
    _flip,
    _delete,
    _repeat,
    _noise,
    _cut,
    _token,
    _token,
    _token,
    _lines,
    _lines,
    _whole,
    _inside,
)


def run_sound(target: Target, folder: Path) -> object:
    """Read the files as they are."""
    for name, content in target.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return target.run(folder)


def write_input(target: Target, seed: int, folder: Path) -> None:
    """The target's files with one of them altered."""
    rng = random.Random(f"{target.name} {seed}")
    chosen = rng.choice([name for name in target.files if name not in target.kept])
    for name, content in target.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(altered(content, rng) if name == chosen else content)


# Runs ---------------------------------------------------------------------------------------------

SUCCESS, REFUSED = "success", "DataError"


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bioloom-fuzz-", dir=RAM) as folder:
        yield Path(folder)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what readers and libraries say on the way."""
    with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def outcome(target: Target, seed: int) -> str:
    """How one input ends: success, DataError, or the exception with its place."""
    with _folder() as folder:
        write_input(target, seed, folder)
        try:
            with _quiet():
                target.run(folder)
        except DataError:
            return REFUSED
        except Exception as error:  # noqa: BLE001, which is what is looked for
            own = [f for f in traceback.extract_tb(error.__traceback__) if "bioloom" in f.filename]
            last = own[-1]
            return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
    return SUCCESS


def _work(turns: list[str], first: int, step: int, last: int, place: Any, results: Any) -> None:
    """Run the next inputs of a worker; `place` says which one it is at, and since when.

    The system ends it when an input has taken its time. What libraries in C write is not shown. It
    ends by itself after so many that what they keep is not counted as memory of the next one.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    known = targets()
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, resource.RLIM_INFINITY))
    for number in range(first, min(last, first + step * TURNS), step):
        name = turns[number % len(turns)]
        place[0], place[1] = number, time.monotonic()
        signal.setitimer(signal.ITIMER_PROF, SLOWEST)
        results.put((number, name, outcome(known[name], number)))
        place[0] = number + step


def _compile(names: list[str]) -> None:
    """Read sound files: loops that are compiled then are found by the workers."""
    for name in names:
        with _folder() as folder, _quiet():
            run_sound(targets()[name], folder)


def fuzz(names: list[str], inputs: int, workers: int, first: int = 0) -> Counter[tuple[str, str]]:
    """(target, outcome) -> how often, of so many inputs from the seed `first` on.

    The targets take turns, each as often as its weight says. What is neither success nor DataError
    is printed the first time that it comes.
    """
    context = multiprocessing.get_context("fork")
    turns = [name for name in names for _ in range(targets()[name].weight)]
    warm = context.Process(target=_compile, args=(names,))
    warm.start()
    warm.join()
    results, counts = context.SimpleQueue(), Counter[tuple[str, str]]()
    places = [context.Array("d", [first + n, time.monotonic()], lock=False) for n in range(workers)]
    last = first + inputs

    def start(n: int, at: int) -> Any:
        places[n][0], places[n][1] = at, time.monotonic()
        process = context.Process(target=_work, args=(turns, at, workers, last, places[n], results))
        process.start()
        return process

    def note(number: int, name: str, said: str) -> None:
        if said not in (SUCCESS, REFUSED) and (name, said) not in counts:
            print(f"{name} --seed {number}: {said}", flush=True)
        counts[name, said] += 1

    running = {n: start(n, first + n) for n in range(workers)}
    told = time.monotonic()
    while running:
        while not results.empty():
            note(*results.get())
        for n, process in list(running.items()):
            at, since = int(places[n][0]), places[n][1]
            hangs = time.monotonic() - since > HANGING and at < last
            if process.is_alive() and not hangs:
                continue
            process.kill() if hangs else None
            process.join()
            del running[n]
            if at < last and (hangs or process.exitcode):
                slow = process.exitcode == -signal.SIGPROF
                said = "hangs" if hangs else "slow" if slow else "crashes"
                note(at, turns[at % len(turns)], said)
                at += workers
            if at < last:
                running[n] = start(n, at)
        if time.monotonic() - told > 60:
            told = time.monotonic()
            print(f"{counts.total():,} inputs", file=sys.stderr, flush=True)
        time.sleep(0.02)
    while not results.empty():
        note(*results.get())
    return counts


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--first", type=int, default=0, help="the seed to begin with")
    parser.add_argument("--target", action="append", help="of these alone")
    parser.add_argument("--seed", type=int, help="one input, in this process, with its traceback")
    parser.add_argument("--keep", type=Path, help="where to leave the files of that input")
    chosen = parser.parse_args()
    names = chosen.target or [*targets()]
    if chosen.seed is not None:
        folder = chosen.keep or Path(tempfile.mkdtemp(prefix="bioloom-fuzz-"))
        write_input(targets()[names[0]], chosen.seed, folder)
        print(f"{folder}: {targets()[names[0]].run(folder)}")
        return
    counts = fuzz(names, chosen.inputs, chosen.workers, chosen.first)
    table = pd.Series(counts).unstack(fill_value=0)
    print(table.assign(inputs=table.sum(axis=1)).to_string())
    total = table.sum()
    print(f"{counts.total():,} inputs: {', '.join(f'{n:,} {name}' for name, n in total.items())}")
    sys.exit(bool(set(total.index) - {SUCCESS, REFUSED}))


if __name__ == "__main__":
    main()
