"""Hugging Face encoders of several families against transformers alone."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioloom.embedders import (
    AMINO_ACIDS,
    SequenceError,
    complete,
)
from bioloom.embedders.huggingface import load
from bioloom.embedders.huggingface.encoder import windows
from bioloom.embedders.huggingface.folder import weights_hash
from bioloom.errors import DataError
from bioloom.features.engine import embed
from bioloom.features.self_check import centred_cosine
from tests.tiny_models import configs, protein_bert, save_vocabulary

pytestmark = pytest.mark.slow

PROTEINS = ["MKTAYIAKQRQISFVK", "M", "GIGKFLHSAKKFGKAFVGEIMNS", "ACUOXZBW"]
proteins = st.lists(
    st.text(AMINO_ACIDS + "XBUZOJ", min_size=1, max_size=30), min_size=1, max_size=8
)


FAMILIES = ["esm", "esm_absolute", "bert", "roberta", "electra", "modernbert", "distilbert", "t5"]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    """Makes, once each, a small saved model of a family."""
    import torch

    made: dict[str, Path] = {}

    def make(family: str) -> Path:
        if family not in made:
            torch.manual_seed(0)
            made[family] = protein_bert(tmp_path_factory.mktemp(family), configs()[family])
        return made[family]

    return make


def _hf(folder: Path, **options) -> dict:
    return {"embedder": "huggingface", "model": str(folder), "dtype": "float32", **options}


def _plain_states(folder: Path, sequence: str) -> np.ndarray:
    """One sequence, no padding, nothing of this package."""
    import torch

    model, tokenizer = _loaded(folder)
    with torch.inference_mode():
        output = model(**tokenizer(sequence, return_tensors="pt"))
    return output.last_hidden_state[0].numpy()


@cache
def _loaded(folder: Path) -> tuple:
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    return model, AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_gives_the_vectors_of_transformers(family, model_folder, tmp_path, device):
    folder = model_folder(family)
    sequences = [*PROTEINS, "ACDEFGHIKLMNPQRSTVWY" * 2]
    expected = [_plain_states(folder, sequence) for sequence in sequences]
    mean = embed(sequences, _hf(folder), store=tmp_path)
    np.testing.assert_allclose(mean.X, [e[1:-1].mean(0) for e in expected], atol=2e-5)
    np.testing.assert_allclose(
        embed(sequences, _hf(folder, pooling="cls")).X, [e[0] for e in expected], atol=2e-5
    )
    tokens = embed(sequences, _hf(folder, pooling="tokens")).X
    assert tokens.lengths.tolist() == list(map(len, sequences))
    np.testing.assert_allclose(tokens.item(2), expected[2][1:-1], atol=5e-3)
    assert mean.run["batching"] == ("padded" if family == "t5" else "packed")
    assert mean.run["self_check"]["centred_cosine"] > 0.9999
    again = embed([*sequences, "MKV"], _hf(folder), store=tmp_path)
    assert again.run["encoded"] == 1
    np.testing.assert_array_equal(again.X[:-1], mean.X)
    assert embed(sequences, _hf(folder), store=tmp_path).run["encoded"] == 0


@pytest.mark.parametrize(
    ("family", "batching"),
    [
        ("convbert", "equal lengths"),  # convolves over padding
        ("deberta-v2", "padded"),  # attention of its own
        ("fnet", "equal lengths"),  # mixes all tokens, padding or not
        ("mobilebert", "padded"),  # sees the neighbours of a token, also beyond the end
        ("rembert", "padded"),
        ("roformer", "padded"),
    ],
)
def test_what_cannot_be_packed_is_found_out(family, batching, tmp_path):
    import torch
    from transformers import AutoConfig

    torch.manual_seed(0)
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    sizes |= {"vocab_size": 32, "hidden_size": 32, "max_position_embeddings": 80}
    sizes |= {"embedding_size": 32, "input_embedding_size": 32, "output_embedding_size": 32}
    sizes |= {"true_hidden_size": 32, "intra_bottleneck_size": 32, "pad_token_id": 0}
    config = AutoConfig.for_model(family, **sizes, initializer_range=0.2)
    folder = protein_bert(tmp_path, config)
    sequences = ["MKTAYIAKQRQISFVK", "MKTAY", "GIGKFLHSAKKFGKAFVGEIMNS", "A" * 50]
    got = embed(sequences, _hf(folder))
    assert got.run["batching"] == batching
    expected = [_plain_states(folder, sequence)[1:-1].mean(0) for sequence in sequences]
    np.testing.assert_allclose(got.X, expected, atol=1e-4)


def test_a_bias_on_attention_is_not_lost(tmp_path):
    import torch
    from transformers import T5Config

    torch.manual_seed(0)
    sizes = {"vocab_size": 32, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2}
    config = T5Config(**sizes, num_heads=4, decoder_start_token_id=0, initializer_factor=0.2)
    folder = protein_bert(tmp_path, config)
    got = embed(PROTEINS, _hf(folder))
    assert got.run["batching"] == "padded"
    np.testing.assert_allclose(
        got.X, [_plain_states(folder, p)[1:-1].mean(0) for p in PROTEINS], atol=1e-5
    )


def test_padding_counts_in_the_budget(model_folder):
    encoder = load(complete(_hf(model_folder("t5"))), None, "cpu", "float32")
    encoder.budget.size = 100
    lengths = [50, 7, 7, 7, 3]
    assert list(encoder._packs(lengths, padded=True)) == [[0, 1], [2, 3, 4]]
    assert list(encoder._packs(lengths, padded=False)) == [[0, 1, 2, 3, 4]]


def test_attention_in_one_piece_is_that_in_chunks(monkeypatch):
    """What a GPU without bf16 does, tried on the CPU."""
    import torch

    from bioloom.embedders.huggingface import packing

    monkeypatch.setattr(packing, "SCORE_BYTES", 1000)
    q, k, v = torch.randn(3, 4, 90, 8, generator=torch.Generator().manual_seed(0))
    for window in (None, 5):
        chunks, whole = torch.empty(2, 90, 4, 8)
        packing._attend(q, k, v, 0.3, window, chunks)
        packing._attend_whole(q, k, v, 0.3, window, whole)
        torch.testing.assert_close(chunks, whole)


def test_masks_are_scaled_row_by_row(model_folder):
    folder = model_folder("esm")
    sequences = ["MK<mask>AYIAK", "MKTAYIAKQR", "<mask><mask>TAYIAK"]
    X = embed(sequences, _hf(folder)).X
    expected = [_plain_states(folder, sequence)[1:-1].mean(0) for sequence in sequences]
    np.testing.assert_allclose(X, expected, atol=2e-5)


def test_letters_that_the_tokenizer_lacks_are_its_unknown_token(tmp_path):
    folder = protein_bert(tmp_path, configs()["bert"], AMINO_ACIDS)
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
    alone = embed(sequences[:1], options).X
    np.testing.assert_allclose(together[:1], alone, atol=1e-5)


@pytest.mark.parametrize("name", ["bert", "t5"])
def test_vectors_do_not_depend_on_the_number_of_threads(name, model_folder):
    import torch

    rng = np.random.default_rng(0)
    sequences = ["".join(rng.choice(list(AMINO_ACIDS), n)) for n in rng.integers(5, 120, 40)]
    before = torch.get_num_threads()
    vectors = []
    for threads in (1, 2, 4):
        torch.set_num_threads(threads)
        vectors.append(embed(sequences, _hf(model_folder(name))).X)
    torch.set_num_threads(before)
    np.testing.assert_array_equal(vectors[0], vectors[1])
    np.testing.assert_array_equal(vectors[0], vectors[2])


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


def test_thousands_of_residues_are_not_cut(model_folder):
    X = embed(["MKTAYIAKQR" * 400], _hf(model_folder("bert"), pooling="tokens")).X
    assert X.lengths.tolist() == [4_000]


def test_lack_of_memory_halves_the_batches(model_folder, monkeypatch, caplog):
    import torch

    encoder = load(complete(_hf(model_folder("bert"))), None, "cpu", "float32")
    texts = ["MKTAYIAK"] * 20
    expected = np.concatenate([s.values.numpy() for s in encoder.encode(texts)])
    pack, sizes = encoder._pack, []

    def small_memory(chunks, first):
        sizes.append(encoder.budget.size)
        if sum(map(len, chunks)) > 40:
            raise torch.OutOfMemoryError("out of memory")
        return pack(chunks, first)

    monkeypatch.setattr(encoder, "_pack", small_memory)
    got = np.concatenate([s.values.numpy() for s in encoder.encode(texts)])
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert sizes == sorted(sizes, reverse=True)
    assert encoder.budget.size <= 40
    assert caplog.text.count("out of memory: batches of 100 tokens or less") == 1
    assert caplog.text.count("out of memory") == 1
    with pytest.raises(SequenceError, match="62 tokens at once.*set `max_length`") as caught:
        list(encoder.encode(["MKT", "M" * 60, "MKV"]))
    assert caught.value.sequence == "M" * 60


def test_models_that_cannot_be_trusted_are_refused(model_folder, tmp_path):
    from safetensors.numpy import load_file, save_file

    with pytest.raises(DataError, match="needs `model"):
        embed(PROTEINS, {"embedder": "huggingface"})
    with pytest.raises(DataError, match="no folder 'some/model'"):
        embed(PROTEINS, {"embedder": "huggingface", "model": "some/model"})
    with pytest.raises(DataError, match="revision 'main' can move"):
        embed(PROTEINS, {"embedder": "huggingface", "model": "some/model", "revision": "main"})
    with pytest.raises(DataError, match="a{40} is not on this machine.*download"):
        embed(PROTEINS, {"embedder": "huggingface", "model": "a/b", "revision": "a" * 40})
    folder = tmp_path / "copy"
    shutil.copytree(model_folder("bert"), folder)
    weights = folder / "model.safetensors"
    arrays = load_file(weights)
    arrays.pop(next(name for name in sorted(arrays) if "query.weight" in name))
    save_file(arrays, weights, metadata={"format": "pt"})
    with pytest.raises(DataError, match="lack"):
        embed(PROTEINS, _hf(folder))
    arrays = load_file(model_folder("bert") / "model.safetensors")
    save_file(
        arrays | {"embeddings.word_embeddings.weight": np.zeros((9, 32), np.float32)}, weights
    )
    with pytest.raises(DataError, match=r"word_embeddings.weight is of shape \(9, 32\), by config"):
        embed(PROTEINS, _hf(folder))
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(DataError, match=f"cannot read the model.*{folder}"):
        embed(PROTEINS, _hf(folder))
    weights.unlink()
    with pytest.raises(DataError, match="no \\*.safetensors"):
        embed(PROTEINS, _hf(folder))


def test_the_encoder_of_t5_alone(tmp_path):
    """Transformers saves it with `is_encoder_decoder: false`, and reads it as both halves."""
    from transformers import T5EncoderModel

    folder = protein_bert(tmp_path, configs()["t5"])
    T5EncoderModel.from_pretrained(folder).save_pretrained(folder)
    assert not json.loads((folder / "config.json").read_text())["is_encoder_decoder"]
    expected = [
        T5EncoderModel.from_pretrained(folder)(**_tokenised(folder, p)).last_hidden_state[0, 1:-1]
        for p in PROTEINS
    ]
    np.testing.assert_allclose(
        embed(PROTEINS, _hf(folder)).X, [e.mean(0).detach() for e in expected], atol=2e-5
    )


def _tokenised(folder: Path, sequence: str):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)(sequence, return_tensors="pt")


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"weight_map": {"a": "../other/model.safetensors"}}, "names '../other/model.safetensors'"),
        ({"weight_map": {"a": "/abs.safetensors"}}, "names '/abs.safetensors'"),
        ({"weight_map": {"a": "sub/1.safetensors"}}, "names 'sub/1.safetensors'"),
        ({"weight_map": ["a"]}, "cannot read the model"),
        ({}, "cannot read the model"),
    ],
)
def test_weights_outside_the_folder_are_refused(index, message, model_folder, tmp_path):
    folder = shutil.copytree(model_folder("bert"), tmp_path / "model")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match=message):
        embed(PROTEINS, _hf(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "xyz", "auto_map": {"AutoModel": "model.XYZ"}}, "model type `xyz`"),
        ({"vocab_size": 20}, r"word_embeddings.weight is of shape \(32, 32\)"),
        (None, "cannot read the model: .*config.json"),
    ],
)
def test_a_config_that_does_not_fit_is_told(change, message, model_folder, tmp_path):
    folder = shutil.copytree(model_folder("bert"), tmp_path / "model")
    described = json.loads((folder / "config.json").read_text())
    (folder / "config.json").unlink()
    if change:
        (folder / "config.json").write_text(json.dumps(described | change))
    with pytest.raises(DataError, match=message):
        embed(PROTEINS, _hf(folder))


def test_code_in_a_models_folder_is_not_run(model_folder, tmp_path, caplog):
    folder = shutil.copytree(model_folder("bert"), tmp_path / "model")
    described = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(
            described | {"auto_map": {"AutoModel": "code.Model", "AutoConfig": "code.Config"}}
        )
    )
    (folder / "code.py").write_text("raise SystemExit('it ran')")
    X = embed(PROTEINS, _hf(folder)).X
    np.testing.assert_array_equal(X, embed(PROTEINS, _hf(model_folder("bert"))).X)
    assert "asks for code of its own, which is never run" in caplog.text


def test_more_tokens_than_embeddings_are_told(tmp_path):
    folder = protein_bert(tmp_path, configs()["bert"], AMINO_ACIDS + "XBUZOJabcd")
    with pytest.raises(DataError, match="the tokenizer has 35 tokens, the network knows 32"):
        embed(PROTEINS, _hf(folder))


@pytest.mark.parametrize("layout", ["nothing", "lower case", "other letters"])
def test_a_tokenizer_that_knows_no_letters_is_refused(layout, model_folder, tmp_path):
    letters = {"lower case": AMINO_ACIDS.lower(), "other letters": "0123456789"}
    folder = protein_bert(tmp_path, configs()["bert"], letters.get(layout, AMINO_ACIDS))
    if layout == "nothing":
        for file in folder.glob("tokenizer*"):
            file.unlink()
    with pytest.raises(DataError, match=r"tokenizer does not know the letters|cannot read"):
        embed(PROTEINS, _hf(folder))


def test_words_too_long_for_the_tokenizer_are_spaced(tmp_path):
    """BERT's tokenizer takes a word of over 100 letters as unknown, however known its pieces."""
    from transformers import BertTokenizer

    letters = [*AMINO_ACIDS, *"XUBZO"]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    save_vocabulary(tmp_path, words)
    config = configs()["bert"]
    config.vocab_size = len(words)
    protein_bert(tmp_path, config)
    for file in tmp_path.glob("tokenizer*"):
        file.unlink()
    tokenizer = BertTokenizer(str(tmp_path / "vocab.txt"), do_lower_case=False)
    tokenizer.save_pretrained(tmp_path)
    X = embed(["MKTAYIAKQR" * 15, "MKTAYIAKQR" * 16], _hf(tmp_path, pooling="tokens")).X
    assert X.lengths.tolist() == [150, 160]


@pytest.mark.parametrize(("template", "special"), [("$A [SEP]", 1), ("$A", 0)])
def test_no_token_before_the_sequence(template, special, model_folder, tmp_path):
    """As in ProtT5, which ends a sequence and does not begin it."""
    folder = shutil.copytree(model_folder("bert"), tmp_path / "model")
    file = folder / "tokenizer.json"
    described = json.loads(file.read_text())
    single = described["post_processor"]["single"]
    described["post_processor"]["single"] = single[1 : 2 + special]
    file.write_text(json.dumps(described))
    states = [_plain_states(folder, sequence) for sequence in PROTEINS]
    assert [len(s) for s in states] == [len(p) + special for p in PROTEINS]
    X = embed(PROTEINS, _hf(folder)).X
    expected = [s[: len(p)].mean(0) for s, p in zip(states, PROTEINS, strict=True)]
    np.testing.assert_allclose(X, expected, atol=2e-5)
    with pytest.raises(DataError, match="pooling cls needs a token before"):
        embed(PROTEINS, _hf(folder, pooling="cls"))


def test_more_tokens_than_positions_are_refused(model_folder):
    for family, most in (("bert", 80), ("roberta", 79)):
        with pytest.raises(DataError, match=f"max_length 90 is more than the {most} tokens"):
            embed(PROTEINS, _hf(model_folder(family), max_length=90))
    assert len(embed(["MKT" * 40], _hf(model_folder("esm"), max_length=200)).X) == 1  # rotary


def test_what_stands_for_a_mask_is_part_of_the_identity(model_folder, tmp_path):
    folder = shutil.copytree(model_folder("bert"), tmp_path / "maskless")
    settings_file = folder / "tokenizer_config.json"
    described = json.loads(settings_file.read_text())
    settings_file.write_text(json.dumps(described | {"mask_token": None}))
    a, b = (
        load(complete(_hf(folder, alphabet=alphabet)), None, "cpu", "float32").identity
        for alphabet in ("protein", "dna")
    )
    assert (a["mask"], b["mask"]) == ("X", "N")


def test_records_of_how_a_model_was_made_do_not_count(model_folder, tmp_path):
    folder = shutil.copytree(model_folder("bert"), tmp_path / "model")
    before = weights_hash(folder)
    (folder / "training.json").write_text('{"seconds": 3}')
    (folder / "NOTES.md").write_text("downloaded on a Tuesday")
    assert weights_hash(folder) == before
    (folder / "config.json").write_text("{}")
    assert weights_hash(folder) != before


def test_letters_that_are_words_are_spaced(model_folder, tmp_path):
    from transformers import BertConfig, BertModel, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *AMINO_ACIDS, *"XUBZO"]
    save_vocabulary(tmp_path, words)
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


@pytest.mark.parametrize("family", ["esm", "t5"])
def test_the_untrained_twin_keeps_nothing_but_the_make(family, model_folder, tmp_path):
    folder, store = model_folder(family), tmp_path / "store"
    trained = embed(PROTEINS, _hf(folder), store=store)
    twin = embed(PROTEINS, _hf(folder, untrained=1), store=store)
    assert twin.X.shape == trained.X.shape
    assert not np.allclose(twin.X, trained.X, atol=1e-2)
    assert twin.info["untrained"] == 1
    np.testing.assert_array_equal(twin.X, embed(PROTEINS, _hf(folder, untrained=1)).X)
    half = embed(PROTEINS, _hf(folder, untrained=1, dtype="bfloat16"))
    assert centred_cosine(half.X, twin.X).min() > 0.95  # one network in both precisions
