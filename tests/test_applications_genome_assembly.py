"""Genome assembly: examples from the reads themselves, reads in doubt, the files that come out."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioloom.applications.genome_assembly import application
from bioloom.arrays import Ragged
from bioloom.embedders.read_evidence import NAMES, PROPOSED, READ, WIDTH, columns_of
from bioloom.files import read_json
from bioloom.formats.fasta import read_fasta
from bioloom.kinds import get_kind
from bioloom.metrics.correction import correction_scores
from bioloom.models import get_model
from bioloom.reads.assembly.others import PROGRAMS
from bioloom.reads.assembly.places import NOWHERE, canonical_kmers
from bioloom.reads.choices import KITS
from bioloom.reads.evidence import describe
from bioloom.reads.learning import ErrorModel, corrupt, error_model, propose
from bioloom.reads.regions import regions
from bioloom.reads.sequences import Reads, decode, encode
from bioloom.reads.simulate import profile_of, simulate_pairs, write_fastq
from bioloom.samples import RESIDUE_LABELS
from tests.tiny_reads import from_matrix
from tests.toys import refused

GENOME = np.random.default_rng(0).integers(0, 4, 12_000).astype(np.uint8)
SIMULATE = {"depth": 12.0, "error_rate": 0.02}


def simulated(depth: float = 12, error_rate: float = 0.02) -> tuple[Reads, np.ndarray]:
    pairs = simulate_pairs([GENOME], depth, np.random.default_rng(1), profile_of(error_rate))
    return from_matrix(*(a.reshape(-1, 150) for a in pairs[:2])), pairs.truth.ravel()


@pytest.fixture(scope="module")
def genome(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("genome") / "genome.fasta"
    file.write_text(f">genome\n{decode(GENOME)}\n")
    return file


@pytest.fixture
def fastq(tmp_path) -> dict[str, Path]:
    files = {f"reads_{mate}": tmp_path / f"{mate}.fastq.gz" for mate in (1, 2)}
    pairs = simulate_pairs([GENOME], 12, np.random.default_rng(1), profile_of(0.02))
    write_fastq(pairs, *files.values())
    return files


@pytest.mark.slow
def test_examples_have_errors_where_their_labels_have_none(genome):
    raw = application.ingest({"genome": genome}, {"simulate": SIMULATE, "examples": 60})
    samples = application.clean(raw.samples, {}).samples
    assert len(samples) == 60
    strands = decode(GENOME) + decode(3 - GENOME[::-1])
    true = samples[RESIDUE_LABELS].map(lambda label: label in strands)
    assert true.mean() > 0.9
    differ = [
        sum(a != b for a, b in zip(read, label, strict=True))
        for read, label in zip(samples["sequence"], samples[RESIDUE_LABELS], strict=True)
    ]
    assert np.mean(differ) > 1
    assert raw.notes[0] == "The reads are simulated"
    assert get_kind("letters").outputs(samples, None) == list("ACGT")


def test_reads_in_doubt_are_named_by_file_and_record(fastq):
    samples = application.ingest(fastq, {}).samples
    assert RESIDUE_LABELS not in samples
    assert 0 < len(samples) < 200
    lines = [gzip.open(file, "rt").read().splitlines() for file in fastq.values()]
    for name, read in zip(samples["sample_id"], samples["sequence"], strict=True):
        file, record = map(int, name.split(":"))
        assert lines[file - 1][4 * record - 3] == read


@pytest.mark.parametrize(("share", "told"), [(0.0, False), (0.2, True)])
def test_adapters_that_nobody_trims_are_told_with_their_kit(fastq, share, told):
    for file, adapter in zip(fastq.values(), KITS["nextera"], strict=True):
        lines = gzip.open(file, "rt").read().splitlines()
        for i in range(1, int(share * len(lines)), 4):
            lines[i] = lines[i][: -len(adapter)] + adapter
        gzip.open(file, "wt").write("\n".join(lines) + "\n")
    notes = application.ingest(fastq, {}).notes
    assert any(note.startswith("Adapters (nextera) are in the reads") for note in notes) == told


@pytest.mark.slow
def test_what_a_model_says_is_written_and_every_change_is_logged(fastq, genome, tmp_path):
    files = fastq | {"reference": genome}
    samples = application.ingest(fastq, {}).samples
    kind = get_kind("letters")
    said = kind.rows(samples, list("ACGT"))
    said = said.assign(prediction=said["read"], out_of_distribution=False)
    application.write(samples, said, files, tmp_path / "out", {})
    log = pd.read_csv(tmp_path / "out/changes.tsv.gz", sep="\t", dtype=str)
    changed = 0
    for number, file in enumerate(fastq.values(), start=1):
        before = gzip.open(file, "rt").read().splitlines()
        after = gzip.open(tmp_path / f"out/corrected_{number}.fastq.gz", "rt").read().splitlines()
        assert (before[::4], before[3::4]) == (after[::4], after[3::4])
        for record, (one, other) in enumerate(zip(before[1::4], after[1::4], strict=True), 1):
            rows = log[(log["file"] == str(number)) & (log["record"] == str(record))]
            pairs = enumerate(zip(one, other, strict=True), start=1)
            found = [[str(i), a, b] for i, (a, b) in pairs if a != b]
            assert found == rows[["position", "read", "corrected"]].to_numpy().tolist()
            changed += len(found)
    report = read_json(tmp_path / "out/assembly.json")
    assert report["correction"]["letters_changed"] == changed == len(log) > 1000
    # The predictions undo what the spectrum did to reads in doubt: that is the model's doing.
    assert report["correction"]["decision"] == "apply"
    assert report["against_reference"]["genome_fraction"] > 0.9
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {
        "contigs.fasta", "assembly.gfa", "graph.svg", "spectrum.svg", "corrected_1.fastq.gz",
    }  # fmt: skip


@pytest.mark.slow
def test_reads_unlike_the_training_data_stay_as_the_spectrum_has_them(genome, tmp_path):
    options = {"simulate": SIMULATE}
    samples = application.ingest({"genome": genome}, options).samples
    said = get_kind("letters").rows(samples, list("ACGT"))
    said = said.assign(prediction="A", out_of_distribution=True)
    application.write(samples, said, {"genome": genome}, tmp_path, options)
    report = read_json(tmp_path / "assembly.json")
    gains = report["gain_against_simulated_truth"]
    assert report["correction"]["decision"] == "abstain"
    assert gains["autoencoder"] == gains["spectrum_equal_rounds"] > 0.9 > gains["none"] == 0


@pytest.mark.slow
def test_reads_without_errors_and_reads_too_short_are_no_matter(tmp_path):
    circle = decode(GENOME[:3000]) * 2
    reads = [circle[i : i + 100] for i in range(0, 3000, 10)] + ["", "ACGT"]
    text = "".join(f"@{i}\n{read}\n+\n{'I' * len(read)}\n" for i, read in enumerate(reads))
    (tmp_path / "reads.fastq").write_text(text)
    files = {"reads_1": tmp_path / "reads.fastq"}
    samples = application.ingest(files, {}).samples
    assert samples["sequence"].str.len().tolist() == [100]
    said = get_kind("letters").rows(samples, list("ACGT"))
    said = said.assign(prediction=said["read"], out_of_distribution=False)
    application.write(samples, said, files, tmp_path, {})
    assert gzip.open(tmp_path / "corrected_1.fastq.gz", "rt").read() == text
    assert read_json(tmp_path / "assembly.json")["correction"]["decision"] == "abstain"


@pytest.mark.slow
@pytest.mark.parametrize("assembler", ["megahit", "spades"])
def test_another_assembler_works_on_corrected_reads(assembler, fastq, genome, tmp_path):
    if shutil.which(PROGRAMS[assembler]) is None:
        pytest.skip(f"{assembler} is not installed")
    options = {"assembler": assembler}
    samples = application.ingest(fastq, options).samples
    said = get_kind("letters").rows(samples, list("ACGT"))
    said = said.assign(prediction=said["read"], out_of_distribution=False)
    out = tmp_path / "out"
    out.mkdir()
    application.write(samples, said, fastq | {"reference": genome}, out, options)
    report = read_json(out / "assembly.json")
    assert assembler in report["assembled_by"].lower()
    assert report["against_reference"]["genome_fraction"] > 0.9
    assert report["against_reference"]["misassemblies"] == 0
    assert len(read_fasta(out / "contigs.fasta")) == report["contigs"]["contigs"]
    assert (out / "assembly.gfa").exists() == (assembler == "spades")
    assert not list(out.glob(".*"))


def test_an_assembler_that_is_not_there_is_told_before_any_work(fastq, monkeypatch):
    monkeypatch.setenv("PATH", "")
    refused(lambda: application.ingest(fastq, {"assembler": "megahit"}), "no megahit on PATH")


def test_lanes_of_a_sheet_are_one_data_set(fastq, tmp_path):
    one, two = fastq.values()
    rows = f"sample,lane,fastq_1,fastq_2\na,1,{one},{two}\na,2,{two},\n"
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(rows.replace(f"{two},\n", f"{tmp_path / 'copy.fastq.gz'},\n"))
    (tmp_path / "copy.fastq.gz").write_bytes(two.read_bytes())
    samples = application.ingest({"reads": sheet}, {}).samples
    assert set(samples["sample_id"].str[0]) <= {"1", "2", "3"}
    second, third = (samples[samples["sample_id"].str.startswith(n)] for n in ("2:", "3:"))
    assert second["sequence"].tolist() == third["sequence"].tolist()
    sheet.write_text(
        rows.replace("a,2", "b,2").replace(f"{two},\n", f"{sheet.parent / 'copy.fastq.gz'},\n")
    )
    refused(lambda: application.ingest({"reads": sheet}, {}), "of one sample, and here are a, b")


def test_sources_that_make_no_reads_are_refused(fastq, genome):
    one, two = fastq["reads_1"], fastq["reads_2"]
    refused(
        lambda: application.ingest({}, {}),
        "Expected `reads`, or `reads_1` and `reads_2`, or `genome`",
    )
    refused(lambda: application.ingest({"genome": genome}, {}), "with `simulate`, got genome")
    refused(lambda: application.ingest({"reads_2": two}, {}), "`reads_2` goes with `reads_1`")
    two.write_bytes(gzip.compress(b"@a\nACGT\n+\nIIII\n"))
    refused(
        lambda: application.ingest(fastq, {}),
        "mates are out of step.*2.fastq.gz",
    )
    refused(
        lambda: application.ingest({"reads_1": one}, {"simulate": {"depht": 3}}),
        "got reads_1, simulate",
    )
    simulate = {"simulate": {"depht": 3}}
    refused(lambda: application.ingest({"genome": genome}, simulate), "'depht' under `simulate`")


def swapped(lines: list[str]) -> list[str]:
    """The first two records in the other order."""
    return lines[4:8] + lines[:4] + lines[8:]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (swapped, "out of step: record 1 is"),
        (lambda lines: lines[4:], "out of step: record 1 is"),
        (lambda lines: lines[:40] + lines[44:], "out of step: record 11 is"),
        (lambda lines: lines[:-4], "ends after record 479"),
    ],
)
def test_mates_that_are_out_of_step_are_told_by_name(fastq, change, expected):
    lines = gzip.open(fastq["reads_2"], "rt").read().splitlines()
    fastq["reads_2"].write_bytes(gzip.compress("\n".join([*change(lines), ""]).encode()))
    refused(lambda: application.ingest(fastq, {}), expected, "2.fastq.gz")


def test_the_error_model_is_that_of_the_reads_and_makes_such_errors():
    reads, truth = simulated(30)
    model = error_model(reads, propose(reads))
    for quality in (37, 25, 11):
        rows = reads.qualities == quality
        true = (reads.codes != truth)[rows].mean()
        assert model.rates[quality].mean() == pytest.approx(true, rel=0.35)
    assert model.changes[0, 1] == pytest.approx(0.5, abs=0.06)
    again = corrupt(reads._replace(codes=truth), model, np.random.default_rng(1))
    assert (again.codes != truth).mean() == pytest.approx((reads.codes != truth).mean(), rel=0.15)


def test_no_errors_are_made_where_none_fall():
    reads, _ = simulated(2)
    never = ErrorModel(np.zeros((256, 10)), np.full((4, 4), 0.25))
    assert (corrupt(reads, never, np.random.default_rng(1)).codes == reads.codes).all()


def test_evidence_counts_each_base_in_its_place():
    texts = ["ACGTTGCATGCATTAGCCAGTAGCATTTCAGGA"] * 3
    codes = encode("".join(texts))
    reads = Reads(codes, np.full(len(codes), 30, np.uint8), np.arange(4) * 33)
    raw = reads._replace(codes=codes.copy())
    raw.codes[5] = 4
    (text,) = describe(raw, reads, np.array([0]))
    assert len(text) == 33 * WIDTH
    values, offsets = columns_of([text, text])
    assert offsets.tolist() == [0, 33, 66]
    assert (values[:33, PROPOSED].argmax(1) == codes[:33]).all()
    assert not values[5, READ].any()
    assert values[0, NAMES.index("quality")] == np.float16(30 / 40)
    # Of the k-mers that begin at a letter those with its own base occur three times, others never.
    first = values[:17, NAMES.index("count_17_0=A") :][:, :4]
    assert ((first > 0) == (np.arange(4) == codes[:17, None])).all()
    assert not values[17:33, NAMES.index("count_17_0=A")].any()


def test_a_region_holds_reads_as_a_whole():
    reads, _ = simulated(20, 0.0)
    region = regions(reads)
    places = np.array([_place(decode(read)) for read in reads.codes.reshape(-1, 150)])
    assert 0 < (region == NOWHERE).mean() < 0.4
    region[places < 0] = NOWHERE  # a read with an indel
    inside = [places[region == number] for number in set(region) - {NOWHERE}]
    spans = sorted((at.min(), at.max() + 150) for at in inside)
    assert all(one[1] - other[0] < 31 for one, other in zip(spans, spans[1:], strict=False))


def _place(read: str) -> int:
    genome = decode(GENOME)
    return max(genome.find(read), genome.find(decode(3 - encode(read)[::-1])))


def test_canonical_kmers_are_the_same_on_both_strands():
    there, known, _ = canonical_kmers(GENOME[:100], 31)
    back, *_ = canonical_kmers(3 - GENOME[:100][::-1], 31)
    assert (there == back[::-1]).all()
    assert known.all()
    assert not canonical_kmers(np.full(40, 4, np.uint8), 31)[1].any()


def test_gain_by_hand():
    before = np.array([True, True, True, False, False])
    after = np.array([False, True, False, True, False])
    scores = correction_scores(before, after, np.ones((5, 1)))
    assert scores["gain"] == pytest.approx(1 / 3)
    assert scores["sensitivity"] == pytest.approx(2 / 3)
    assert scores["precision"] == pytest.approx(2 / 3)
    assert scores["errors_left"] == pytest.approx(2 / 5)


def _evidence(n: int, helpful: bool) -> tuple[Ragged, Ragged]:
    """Reads of which a tenth of the proposed letters are wrong, as the counts say, or not."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 40 * n)
    proposed = np.where(rng.random(len(truth)) < 0.1, (truth + 1) % 4, truth)
    values = np.zeros((len(truth), len(NAMES)), np.float32)
    values[:, PROPOSED] = values[:, READ] = np.eye(4)[proposed]
    values[:, 10:] = np.tile(np.eye(4)[truth], 5) if helpful else rng.random((len(truth), 20))
    offsets = np.arange(n + 1) * 40
    return Ragged(values, offsets), Ragged(truth, offsets)


@pytest.mark.slow
@pytest.mark.parametrize("helpful", [True, False])
def test_the_autoencoder_changes_what_the_counts_tell_and_else_nothing(helpful, tmp_path, capsys):
    X, y = _evidence(60, helpful)
    model = get_model("denoising_autoencoder")(
        output="classes", n_outputs=4, seed=1, unit="residue", width=8, batch_size=4
    )
    few = np.arange(60) < 45
    model.fit(X[few], y[few], X[~few], y[~few])
    called = model.predict_proba(X).argmax(axis=1)
    proposed = X.values[:, PROPOSED].argmax(axis=1)
    if helpful:
        assert (called != y.values).mean() < 0.6 * (proposed != y.values).mean()
        assert "change at" in capsys.readouterr().err
    else:
        assert (called == proposed).all()
        assert "change nothing: 0 of" in capsys.readouterr().err
    model.save(tmp_path)
    again = type(model).load(tmp_path)
    assert np.allclose(again.predict_proba(X), model.predict_proba(X), atol=1e-6)
    refitted = model.refitted(X[few], y[few])
    assert refitted.threshold == model.threshold
    assert np.allclose(refitted.predict_proba(X), model.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(("name", "columns"), [("as_read", READ), ("spectrum", PROPOSED)])
def test_models_that_learn_nothing_give_the_letters_scaled_or_not(name, columns, tmp_path):
    X, y = _evidence(5, True)
    model = get_model(name)(output="classes", n_outputs=4, seed=1, unit="residue")
    p = model.fit(X, y, X, y).predict_proba(X)
    scaled = Ragged((X.values - X.values.mean(0)) / (X.values.std(0) + 1e-6), X.offsets)
    assert (p.argmax(1) == X.values[:, columns].argmax(1)).all()
    assert np.allclose(p, model.predict_proba(scaled))
    model.save(tmp_path)
    assert np.allclose(type(model).load(tmp_path).predict_proba(X), p)


def test_qualities_of_phred_64_are_for_a_sheet(fastq):
    for file in fastq.values():
        lines = gzip.decompress(file.read_bytes()).decode().splitlines()
        lines[3::4] = ["".join(chr(ord(mark) + 31) for mark in line) for line in lines[3::4]]
        file.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode()))
    refused(lambda: application.ingest(fastq, {}), "Phred\\+64.*reads: sheet.csv")
