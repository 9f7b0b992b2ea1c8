"""Pretraining: what is held out stays out, counting is right, and a killed run goes on exactly."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioloom.errors import DataError
from bioloom.files import read_json
from bioloom.pretraining import pretrain
from bioloom.pretraining.corpus import (
    Corpus,
    join_records,
    read_corpora,
    reverse_complement,
    split_corpus,
)
from bioloom.pretraining.settings import Settings, Tokenizer
from bioloom.pretraining.tokenizer import build_codec

SCRIPT = Path(__file__).parents[1] / "scripts/pretrain.py"
BERT = {
    "model_type": "bert",
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
TRAINING = {
    "steps": 30,
    "tokens_per_batch": 256,
    "length": 32,
    "block": 100,
    "learning_rate": 0.01,
    "held_out": 0.1,
    "checkpoint_every": 5,
    "precision": "float32",
}
SECTION = {"alphabet": "dna", "architecture": BERT | NO_DROPOUT, "training": TRAINING}


def random_dna(letters, seed=0):
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), letters))


def corpus_of(*texts, both_strands=False):
    text = np.frombuffer("".join(texts).encode(), dtype=np.uint8)
    ends = np.cumsum([len(t) for t in texts])
    stretches = np.stack([ends - [len(t) for t in texts], ends], axis=1)
    return Corpus(text, stretches, both_strands)


@pytest.fixture(scope="module")
def fasta(tmp_path_factory):
    """A genome that masked letters can be read off: runs of one letter."""
    path = tmp_path_factory.mktemp("corpus") / "genome.fasta"
    path.write_text(">genome\n" + "".join(letter * 300 for letter in "ACAACCACCA") + "\n")
    return path


# Corpus ----------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(10, 900), min_size=2, max_size=8),
    st.integers(0, 1000),
    st.sampled_from([0.05, 0.3, 0.6]),
)
def test_no_training_window_touches_a_held_out_position(lengths, seed, share):
    records = [random_dna(length, i) for i, length in enumerate(lengths)]
    if sum(lengths) < 700:
        records.append(random_dna(900, 99))
    split = split_corpus(*join_records(records), "dna", share=share, block=100, seed=seed)
    train, held_out = split
    used = np.zeros(len(train.text), dtype=int)
    for start, end in [*train.stretches, *held_out.stretches]:
        used[start:end] += 1
    assert (used == 1).all()  # every letter is on exactly one side
    assert len(train) + len(held_out) == len(train.text)
    ends = np.cumsum([len(record) for record in records])
    for start, end in train.stretches:  # and no stretch runs from one record into the next
        assert np.searchsorted(ends, start, "right") == np.searchsorted(ends, end - 1, "right")


def test_a_window_is_drawn_from_a_stretch_on_either_strand():
    corpus = corpus_of("AAAC" * 20, "AAAG" * 3, both_strands=True)
    rng = np.random.default_rng(0)
    windows = {corpus.draw(16, rng).tobytes().decode() for _ in range(300)}
    strands = ["AAAC" * 20, "GTTT" * 20, "AAAG" * 3, "CTTT" * 3]
    assert all(any(window in strand for strand in strands) for window in windows)
    assert {"AAAG" * 3, "CTTT" * 3} <= windows  # a short record is given whole
    assert {len(window) for window in windows} == {12, 16}


def test_the_other_strand():
    window = np.frombuffer(b"AACGTN", dtype=np.uint8)
    assert reverse_complement(window).tobytes() == b"NACGTT"


def test_letters_of_short_and_long_records_are_drawn_alike():
    corpus = corpus_of(*["A" * 10] * 10, "C" * 100)
    rng = np.random.default_rng(0)
    drawn = Counter(b"".join(corpus.draw(50, rng).tobytes() for _ in range(6000)))
    assert drawn[ord("A")] == pytest.approx(drawn[ord("C")], rel=0.1)


@pytest.mark.parametrize(("kind", "length"), [("characters", 22), ("kmer", 12), ("bpe", 22)])
def test_every_position_of_a_protein_is_drawn(kind, length):
    from bioloom.pretraining.rows import draw_rows

    protein = "ACDEFGHIKLMNPQRSTVWYBOUXZ"  # each position has a letter of its own
    corpus = corpus_of(protein)
    codec = build_codec(Tokenizer(kind, k=2, vocabulary=32), "protein", corpus, length)
    rows = draw_rows(corpus, codec, length=length, mask=0.1, seed=0, step=0, rows=range(60))
    seen = codec.tokenizer.convert_ids_to_tokens(np.unique(rows.tokens))
    assert set(protein) <= set("".join(seen))


def test_held_out_blocks_are_a_small_share_in_random_order():
    text, ends = join_records([random_dna(41_000)])
    train, held_out = split_corpus(text, ends, "dna", share=0.05, block=20_000, seed=1)
    assert 0.04 < len(held_out) / len(text) < 0.06
    assert len(train) + len(held_out) == len(text)
    _, half = split_corpus(text, ends, "dna", share=0.5, block=1000, seed=1)
    starts = half.stretches[:, 0]
    assert (np.diff(starts) < 0).any()
    assert len(set(starts.tolist())) == len(starts) > 15


def test_gaps_part_records_and_copies_are_dropped(tmp_path):
    path = tmp_path / "assembly.fa"
    path.write_text(f">a\n{'acgtt' * 4}{'N' * 50}{'GGGCC' * 4}\n>b\n{'GGGCC' * 4}\n>c\nACG\n")
    assert read_corpora({"a": path}, "dna") == ["ACGTT" * 4, "GGGCC" * 4]


def test_the_other_strand_of_a_record_is_a_copy_and_ids_do_not_matter(tmp_path):
    path, other = tmp_path / "a.fa", tmp_path / "b.fa"
    path.write_text(">a\nAACCAACCAAC\n>a\nGTTGGTTGGTT\n>empty\n>\nACACACACAC\n")
    other.write_text(">z\nGTGTGTGTGT\n")
    records = read_corpora({"one": path, "two": other}, "dna")
    assert records == ["AACCAACCAAC", "ACACACACAC"]


def test_proteins_are_read_from_genbank(tmp_path):
    path = tmp_path / "genome.gbk"
    cds = '     CDS             1..36\n                     /translation="{}"\n'
    path.write_text("FEATURES\n" + cds.format("MKLVACDEFGHI") + cds.format("MKLVW") + "ORIGIN\n")
    assert read_corpora({"genome": path}, "protein") == ["MKLVACDEFGHI"]


def test_a_folder_is_no_corpus(tmp_path):
    with pytest.raises(DataError, match="this is a folder"):
        read_corpora({"a": tmp_path}, "dna")


def test_a_letter_that_is_no_base_is_named_with_its_place(tmp_path):
    path = tmp_path / "protein.fa"
    path.write_text(">a\nACGTACGTAC\n>b\nMKLVACGTAC\n")
    with pytest.raises(DataError, match=r"b: 'L' at position 3.*row 3"):
        read_corpora({"a": path}, "dna")


# Tokens ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["characters", "kmer", "bpe"])
def test_the_saved_tokenizer_reads_what_training_read(kind, tmp_path):
    from transformers import AutoTokenizer

    corpus = corpus_of(random_dna(20_000))
    codec = build_codec(Tokenizer(kind, k=3, vocabulary=64), "dna", corpus, length=64)
    codec.tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = random_dna(50, seed=1)
    tokens = codec.encode([np.frombuffer(text.encode(), dtype=np.uint8)])[0].tolist()
    assert loaded(text)["input_ids"] == [codec.id("cls"), *tokens, codec.id("sep")]
    assert "".join(loaded.convert_ids_to_tokens(tokens)) == text
    assert loaded.mask_token_id == codec.id("mask")


def test_kmers_lie_side_by_side_and_unsure_letters_alone():
    codec = build_codec(Tokenizer("kmer", k=3), "dna", corpus_of("ACGT"), length=16)
    assert codec.tokenizer.tokenize("ACGTTNACGAC") == ["ACG", "T", "T", "N", "ACG", "A", "C"]


def test_bpe_measures_its_letters_a_token_all_over_the_corpus():
    corpus = corpus_of("A" * 20_000, random_dna(20_000))
    codec = build_codec(Tokenizer("bpe", vocabulary=64), "dna", corpus, length=64)
    tokens = sum(map(len, codec.encode(list(corpus.windows(256)))))
    assert codec.letters_per_token == pytest.approx(len(corpus) / tokens, rel=0.15)


def test_rows_are_full_and_do_not_depend_on_who_draws_them():
    from bioloom.pretraining.rows import IGNORED, draw_rows

    corpus = corpus_of(random_dna(40), random_dna(300, 1), random_dna(15, 2), both_strands=True)
    codec = build_codec(Tokenizer(), "dna", corpus, length=64)

    def draw(rows):
        return draw_rows(corpus, codec, length=64, mask=0.15, seed=3, step=7, rows=rows)

    whole, even, odd = draw(range(8)), draw(range(0, 8, 2)), draw(range(1, 8, 2))
    for both, first, second in zip(whole, even, odd, strict=True):
        assert (both[::2] == first).all()
        assert (both[1::2] == second).all()
    assert (whole.tokens != codec.id("pad")).all()
    assert (whole.documents[:, -1] > 0).any()  # several windows share a row
    chosen = whole.targets != IGNORED
    assert (chosen.sum(axis=1) == round(0.15 * 64)).all()
    assert (whole.targets[chosen] >= codec.first_letter).all()  # never a special token
    assert 0.5 < (whole.tokens[chosen] == codec.id("mask")).mean() < 1


@pytest.mark.parametrize("model_type", ["bert", "esm", "modernbert", "roberta", "data2vec-text"])
def test_a_document_in_a_row_is_read_as_if_alone(model_type):
    import torch

    from bioloom.pretraining.architecture import build_model
    from bioloom.pretraining.documents import forward_rows
    from bioloom.pretraining.rows import Rows

    codec = build_codec(Tokenizer(), "dna", corpus_of("ACGT"), length=24)
    torch.manual_seed(0)
    model = build_model(BERT | {"model_type": model_type}, codec, length=24).eval()
    tokens = np.random.default_rng(0).integers(5, 10, (1, 24))
    documents = np.repeat([[0, 1, 2]], [5, 12, 7], axis=1)
    device = torch.device("cpu")
    with torch.no_grad():
        together = forward_rows(model, Rows(tokens, tokens, documents), device)
        for number in range(3):
            inside = documents[0] == number
            one = tokens[:, inside]
            alone = forward_rows(model, Rows(one, one, np.zeros_like(one)), device)
            torch.testing.assert_close(together[:, inside], alone, atol=1e-5, rtol=1e-4)


def test_the_probe_leaves_torch_random_state_alone():
    import torch
    from transformers import AutoModelForMaskedLM

    from bioloom.pretraining.architecture import build_model

    codec = build_codec(Tokenizer(), "dna", corpus_of("ACGT"), length=24)
    torch.manual_seed(0)
    model, after = build_model(BERT, codec, length=24), torch.rand(1)
    torch.manual_seed(0)
    plain = AutoModelForMaskedLM.from_config(model.config)
    assert torch.rand(1) == after
    for mine, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(mine, theirs)


# Baselines -------------------------------------------------------------------------------------


def test_counting_agrees_with_counting_by_hand():
    from bioloom.pretraining.perplexity import SMOOTHING, count_baselines
    from bioloom.pretraining.rows import IGNORED, Rows

    train = "ACGTTACGGA" * 3
    codec = build_codec(Tokenizer(), "dna", corpus_of(train), length=8)
    text = "GACGTA"
    tokens = codec.encode([np.frombuffer(text.encode(), dtype=np.uint8)])[0][None]
    targets = np.full_like(tokens, IGNORED)
    targets[0, 3] = tokens[0, 3]
    rows = Rows(tokens, targets, np.zeros_like(tokens))
    losses = count_baselines(corpus_of(train), codec, rows)

    counts = Counter(train)
    p = (counts["G"] + 1) / (len(train) + 4)
    assert losses["unigram"][0] == pytest.approx(-math.log(p))
    (markov,) = [name for name in losses if name.startswith("markov")]
    order = int(markov.split("_")[1])
    assert order >= 2
    for name, offsets in ((markov, range(-1, -order - 1, -1)), ("neighbours_2", (-1, 1))):
        best = 0.0
        for strength in SMOOTHING:
            smoothed = p
            for size in range(1, len(offsets) + 1):
                near = offsets[:size]
                if min(near) < -3:  # before the row
                    break
                alike = [train[i] for i in range(max(0, -min(near)), len(train) - max(0, *near))
                         if all(train[i + o] == text[3 + o] for o in near)]  # fmt: skip
                smoothed = (alike.count("G") + strength * smoothed) / (len(alike) + strength)
            best = max(best, smoothed)
        assert losses[name][0] == pytest.approx(-math.log(best))


def test_a_large_vocabulary_has_contexts_too():
    from bioloom.pretraining.perplexity import count_baselines
    from bioloom.pretraining.rows import IGNORED, Rows

    train = "AAAAAACCCCCCGGGGGGTTTTTT" * 50
    corpus = corpus_of(train)
    codec = build_codec(Tokenizer("kmer", k=6), "dna", corpus, length=16)
    tokens = codec.encode([np.frombuffer(train.encode(), dtype=np.uint8)])[0][None, :16]
    targets = np.full_like(tokens, IGNORED)
    targets[0, 5:7] = tokens[0, 5:7]
    losses = count_baselines(corpus, codec, Rows(tokens, targets, np.zeros_like(tokens)))
    before, around = (next(k for k in losses if k.startswith(n)) for n in ("markov", "neighbours"))
    assert losses[before].max() < 0.1
    assert losses[around].max() < 0.1


def test_a_large_corpus_is_counted_in_part(monkeypatch):
    from bioloom.pretraining import perplexity

    monkeypatch.setattr(perplexity, "MOST_TOKENS", 3000)
    monkeypatch.setattr(perplexity, "PIECE", 100)
    monkeypatch.setattr(perplexity, "WINDOWS", 5)
    corpus = corpus_of("A" * 10_000 + "C" * 10_000 + "G" * 10_000)
    codec = build_codec(Tokenizer(), "dna", corpus, length=16)
    read = []
    encode = codec.encode
    monkeypatch.setattr(codec, "encode", lambda windows: read.extend(windows) or encode(windows))
    stream = perplexity._stream(corpus, codec)
    assert len(stream) == 3000
    assert len(read) == 30
    assert {chr(window[0]) for window in read} == set("ACG")  # from all over the corpus


def test_bits_are_of_the_letters_that_were_masked():
    from bioloom.pretraining.perplexity import summary
    from bioloom.pretraining.rows import IGNORED, Rows

    codec = build_codec(Tokenizer("kmer", k=3), "dna", corpus_of("ACGT"), length=16)
    tokens = codec.encode([np.frombuffer(b"ACGNTTT", dtype=np.uint8)])  # ACG, N, TTT
    targets = np.stack([tokens[0], tokens[0]])
    targets[:, 2] = IGNORED
    rows = Rows(targets, targets, np.zeros_like(targets))
    bits = {"model": np.full(4, 1.0), "unigram": np.full(4, 3.0)}  # each ACG or N
    scores = summary({name: b * math.log(2) for name, b in bits.items()}, rows, codec)
    assert scores["predictors"]["model"]["bits_per_letter"] == pytest.approx(4 / 8)
    assert scores["gain"]["value"] == pytest.approx((12 - 4) / 8)


# Training --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(fasta, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    section = SECTION | {"training": TRAINING | {"steps": 120}}
    record, run = pretrain(
        {"genome": fasta}, section, folder / "model", seed=1, threads=1, checkpoints=folder / "kept"
    )
    return folder, record, run


def test_it_learns_and_says_how_much(trained):
    folder, record, run = trained
    predictors = record["held_out"]["predictors"]
    assert predictors["unigram"]["perplexity"] > 3.5
    assert predictors["model"]["perplexity"] < 2.5
    assert next(p for n, p in predictors.items() if n.startswith("markov"))["perplexity"] < 1.2
    assert record["tokens_seen"] == 120 * 256
    assert read_json(folder / "model/training.json") == json.loads(json.dumps(record))


def test_training_json_has_all_settings_and_nothing_of_the_run(trained):
    folder, record, run = trained
    assert record["settings"]["training"]["clip"] == 1.0
    assert record["settings"]["tokenizer"] == {"kind": "characters", "k": 6, "vocabulary": 4096}
    assert not set(record) & set(run)
    assert {"device", "seconds", "tokens_per_second", "threads", "processes", "resumed"} <= set(run)
    assert "weight_decay: 0.01" in (folder / "model/README.md").read_text()


def test_a_finished_run_repeats_its_folder_from_the_checkpoint(fasta, tmp_path):
    section = SECTION | {"training": TRAINING | {"steps": 5}}

    def run(name, code):
        options = {"seed": 1, "threads": 1, "code": code, "checkpoints": tmp_path / "kept"}
        return pretrain({"genome": fasta}, section, tmp_path / name, **options)[1]

    def content(name):
        return {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}

    assert run("model", "one")["resumed"] == 0
    before = content("model")
    (tmp_path / "model/stale").touch()
    assert run("model", "one")["resumed"] == 1
    assert content("model") == before
    run("model_2", "one")
    (tmp_path / "kept" / f".model-{'0' * 16}.123.safetensors").touch()  # half written when killed
    assert run("model", "two")["resumed"] == 0  # other code, other key
    assert len(list((tmp_path / "kept").iterdir())) == 2  # one of each network


def test_the_embedder_reads_the_folder(trained):
    from bioloom.features.engine import embed

    folder, *_ = trained
    options = {"embedder": "huggingface", "model": str(folder / "model"), "alphabet": "dna"}
    embedding = embed(["AACGTGTAACG", "GGGTC"], options, device="cpu")
    assert embedding.X.shape == (2, BERT["hidden_size"])


@pytest.mark.long
def test_a_run_killed_with_sigkill_goes_on_bit_for_bit(fasta, tmp_path):
    section = SECTION | {"architecture": BERT, "training": TRAINING | {"steps": 100}}  # dropout too
    kept = tmp_path / ".bioloom/checkpoints"
    arguments = {
        "files": json.dumps({"genome": str(fasta)}),
        "options": json.dumps(section),
        "seed": "1",
        "threads": "1",
        "code": "abc",
        "model": "model",
        "run-record": "run.json",
    }
    command = [part for name, value in arguments.items() for part in (f"--{name}", value)]
    job = subprocess.Popen([sys.executable, SCRIPT, *command], cwd=tmp_path)
    while not list(kept.glob("[!.]*.safetensors")) and job.poll() is None:
        time.sleep(0.002)
    job.send_signal(signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL

    def run(folder, checkpoints):
        options = {"seed": 1, "threads": 1, "code": "abc", "checkpoints": checkpoints}
        return pretrain({"genome": fasta}, section, folder / "model", **options)[1]

    assert run(tmp_path, kept)["resumed"] == 1
    assert run(tmp_path / "whole", tmp_path / "elsewhere")["resumed"] == 0
    resumed, whole = (
        folder / "model/model.safetensors" for folder in (tmp_path, tmp_path / "whole")
    )
    assert resumed.read_bytes() == whole.read_bytes()
    for name in ("training.json", "README.md"):
        assert resumed.with_name(name).read_bytes() == whole.with_name(name).read_bytes()


@pytest.mark.long
def test_two_processes_train_the_same_network(fasta, tmp_path):
    from safetensors.numpy import load_file

    arguments = ["--files", json.dumps({"genome": str(fasta)}), "--options", json.dumps(SECTION)]
    arguments += ["--seed", "1", "--threads", "1", "--code", "abc", "--model", "model"]
    arguments += ["--run-record", "run.json"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*command, SCRIPT, *arguments], cwd=tmp_path, env=environment, check=True)
    pretrain(
        {"genome": fasta}, SECTION, tmp_path / "one", seed=1, threads=1, checkpoints=tmp_path / "c"
    )
    two = load_file(tmp_path / "model/model.safetensors")
    for name, weights in load_file(tmp_path / "one/model.safetensors").items():
        np.testing.assert_allclose(two[name], weights, atol=2e-3)
    assert read_json(tmp_path / "run.json")["processes"] == 2
    alone, shared = (read_json(tmp_path / f / "training.json") for f in ("one", "model"))
    assert alone["loss"] == [[step, pytest.approx(loss, rel=1e-3)] for step, loss in shared["loss"]]


def quick(fasta, folder, **training):
    section = SECTION | {"training": TRAINING | training}
    options = {"seed": 1, "threads": 1, "checkpoints": folder / "kept"}
    return pretrain({"genome": fasta}, section, folder / "model", **options)


def test_processes_must_share_the_rows_evenly(fasta, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(DataError, match="make `tokens_per_batch` a multiple of 96"):
        quick(fasta, tmp_path)


def test_processes_agree_on_precision_and_step(monkeypatch):
    from bioloom.pretraining import masked_lm

    others = [(5, "bfloat16"), (5, "float32")]
    monkeypatch.setattr(
        masked_lm.distributed,
        "all_gather_object",
        lambda out, mine: out.__setitem__(slice(2), others),
    )
    progress = masked_lm.Progress("float32", step=5)
    masked_lm._agree(progress, 2)
    assert progress.dtype == "bfloat16"
    others[1] = (0, "float32")
    with pytest.raises(DataError, match="shared disk"):
        masked_lm._agree(progress, 2)


def test_only_rank_0_tells_a_mistake_at_once(monkeypatch):
    from bioloom.pretraining import processes

    slept = []
    monkeypatch.setattr(processes.time, "sleep", slept.append)
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        with pytest.raises(DataError), processes.rank_0_speaks_first():
            raise DataError("a mistake")
    assert slept == [processes.HEAD_START]


# Mistakes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"training": {"step": 10}}, "Unknown option 'step' under `training`.*'steps'"),
        ({"training": {"steps": "many"}}, "steps` takes a whole number"),
        ({"training": {"mask": 1.5}}, "mask must lie between 0 and 1"),
        ({"training": {"learning_rate": 0.0}}, "learning_rate must be a number above 0"),
        ({"training": {"clip": -1.0}}, "clip must be a number above 0"),
        ({"training": {"weight_decay": -0.1}}, "weight_decay must be a number from 0"),
        ({"training": {"warmup": 1.5}}, "warmup must be from 0 to 1"),
        ({"tokenizer": {"kind": "kmer"}}, r"block \(letters\) must be at least 192"),
        ({"tokenizer": {"kind": "kmer", "k": 9}}, "over 100,000 dna k-mers"),
        ({"tokenizer": {"kind": "kmer", "k": 4}, "alphabet": "protein"}, "100,000 protein k-mers"),
        ({"tokenizer": {"kind": "words"}}, "kind must be one of characters"),
        ({"alphabet": "rna"}, "alphabet must be one of dna"),
        ({"architecture": {}}, "`model_type`"),
    ],
)
def test_a_mistake_in_the_block_is_named(change, expected):
    with pytest.raises(DataError, match=expected):
        Settings.from_config(SECTION | change)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"model_type": "gpt2"}, "no masked language model 'gpt2'"),
        ({"hidden_sise": 8}, "bert has no key hidden_sise"),
        ({"num_attention_heads": 3}, "transformers refuses it"),
        ({"num_attention_heads": 0}, "transformers refuses it"),
        ({"hidden_act": "foo"}, "transformers refuses it"),
        ({"hidden_size": "abc"}, "hidden_size must be a number"),
        ({"num_hidden_layers": -1}, "num_hidden_layers must be a number from 0"),
        ({"vocab_size": 10}, "bert has no key vocab_size to set"),
        ({"pad_token_id": 1}, "bert has no key pad_token_id to set"),
        ({"to_dict": 3}, "bert has no key to_dict to set"),
        ({"model_type": "deberta"}, "deberta does not keep the sequences of a row apart"),
        ({"max_position_embeddings": 8}, "below `training: length`"),
    ],
)
def test_a_mistake_in_the_architecture_is_named(change, expected):
    from bioloom.pretraining.architecture import build_model

    codec = build_codec(Tokenizer(), "dna", corpus_of("ACGT"), length=24)
    with pytest.raises(DataError, match=expected):
        build_model(BERT | change, codec, length=24)


def test_a_loss_that_is_no_number_leaves_no_checkpoint(fasta, tmp_path):
    with pytest.raises(DataError, match="no number by step 5.*lower `learning_rate`"):
        quick(fasta, tmp_path, learning_rate=1e30, warmup=0.0)
    assert not list(tmp_path.glob("kept/*"))
    assert not (tmp_path / "model").exists()


def test_too_little_to_measure_on_is_told_before_training(tmp_path, monkeypatch):
    from bioloom.pretraining import masked_lm

    monkeypatch.setattr(masked_lm, "train", lambda *_, **__: pytest.fail("it was trained"))
    path = tmp_path / "short.fa"
    path.write_text("".join(f">{i}\n{random_dna(12, i)}\n" for i in range(40)))
    with pytest.raises(DataError, match="do not fill one row"):
        quick(path, tmp_path, held_out=0.05)


def test_a_gpu_too_small_is_told(fasta, tmp_path, monkeypatch):
    import torch

    from bioloom.pretraining import masked_lm

    def full(*_, **__):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(masked_lm, "train", full)
    with pytest.raises(DataError, match="lower `tokens_per_batch`"):
        quick(fasta, tmp_path)


def test_a_corpus_too_small_to_hold_out_is_refused():
    with pytest.raises(DataError, match="too few blocks"):
        split_corpus(*join_records(["ACGT" * 20]), "dna", share=0.1, block=100, seed=0, least=50)


def test_a_task_names_a_network_that_pretrain_makes():
    from bioloom.pipeline.check import task_mistakes
    from bioloom.pipeline.tasks import Task

    content = {
        "application": "gene_expression",
        "datasets": {"training": {"sequences": __file__}},
        "split": {"method": "holdout"},
        "features": {"embedder": "huggingface", "model": "results/pretrained/ecoli"},
        "model": {"name": "svm"},
    }
    assert Task("promoters", **content).weights("features") == ["results/pretrained/ecoli"]
    assert task_mistakes("promoters", content, made=["ecoli"]) == []
    (mistake,) = task_mistakes("promoters", content, made=["ecoly"])
    assert "did you mean 'results/pretrained/ecoly'" in mistake
