"""Older models converted: vectors are those of the network that was saved; the rest is refused."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from bioloom.cli.main import main
from bioloom.embedders import AMINO_ACIDS
from bioloom.embedders.huggingface.convert import convert
from bioloom.errors import DataError
from bioloom.features.engine import embed
from bioloom.files import shared_cache

if TYPE_CHECKING:  # else collection takes twice as long
    from transformers import BertForMaskedLM

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *AMINO_ACIDS]
PROTEINS = ["MKTAYIAKQR", "GIGKFLHSAKKFGKAF", "MKXT"]


def saved(folder: Path, words: list[str] = WORDS) -> BertForMaskedLM:
    """A BERT with a head, as transformers 4 wrote it, and its vocabulary in the folder above."""
    from transformers import BertConfig, BertForMaskedLM

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = BertConfig(vocab_size=len(WORDS), intermediate_size=24, **sizes)
    torch.manual_seed(0)
    model = BertForMaskedLM(config).eval()
    folder.mkdir(parents=True)
    config.save_pretrained(folder)
    weights = model.state_dict()
    # as the first ones were called
    weights = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma"): w for name, w in weights.items()
    }
    torch.save(weights, folder / "pytorch_model.bin")
    (folder.parent / "vocab.txt").write_text("\n".join(words))
    return model


def change_config(folder: Path, **changes) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.slow
def test_vectors_are_those_of_the_network(tmp_path):
    model = saved(tmp_path / "package/model")
    wheel = tmp_path / "package-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in sorted((tmp_path / "package").rglob("*")):
            archive.write(file, file.relative_to(tmp_path))
        archive.writestr("package/__init__.py", "raise RuntimeError('never imported')")
    assert main(["convert", str(wheel), str(tmp_path / "out")]) == 0
    convert(tmp_path / "package/model", tmp_path / "again")
    made = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("out", "again")]
    assert made[0] == made[1]
    options = {"embedder": "huggingface", "pooling": "tokens", "dtype": "float32"}
    X = embed(PROTEINS, options | {"model": str(tmp_path / "out")}).X
    again = embed(PROTEINS, options | {"model": str(tmp_path / "again")}).X
    np.testing.assert_array_equal(X.values, again.values)
    for i, protein in enumerate(PROTEINS):
        known = [WORDS.index(letter) if letter in WORDS else 1 for letter in protein]
        with torch.inference_mode():
            states = model.bert(torch.tensor([[2, *known, 3]])).last_hidden_state[0, 1:-1]
        np.testing.assert_allclose(X.item(i), states.numpy(), atol=2e-3)  # half precision


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "pytorch_model.bin").unlink(), "There is no pytorch_model.bin"),
        (lambda f: (f / "pytorch_model.bin").write_bytes(b"no"), "cannot be read"),
        (lambda f: torch.save({"a": object}, f / "pytorch_model.bin"), "cannot be read"),
        (lambda f: torch.save([1], f / "pytorch_model.bin"), "no tensors by name"),
        (lambda f: torch.save({"a": torch.ones(1)}, f / "pytorch_model.bin"), "weights lack"),
        (lambda f: (f / "config.json").write_text("{}"), "transformers cannot read"),
        (lambda f: change_config(f, hidden_size=15), "cannot be read"),
        (lambda f: change_config(f, hidden_act="nonsense"), "cannot be read"),
        (lambda f: change_config(f, intermediate_size=32), "is of shape"),
        (lambda f: (f / "vocab.txt").write_text("\n".join([*WORDS, "B"])), "26 words, and"),
        (lambda f: (f / "vocab.txt").write_text("[PAD]\nA"), "vocabulary has no"),
        (lambda f: (f / "vocab.txt").write_text("\n".join([*WORDS, "##ing"])), "row 26"),
        (lambda f: (f / "vocab.txt").write_text("\n".join([*WORDS, "A"])), "there twice"),
    ],
)
def test_anything_else_is_refused(tmp_path, change, message):
    folder = tmp_path / "package/model"
    saved(folder)
    (tmp_path / "package/vocab.txt").rename(folder / "vocab.txt")
    change(folder)
    with pytest.raises(DataError, match=message):
        convert(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Hostile:
    """What a pickle may ask for: any call, here one that leaves a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def test_a_model_that_would_run_code_runs_none(tmp_path):
    folder, trace = tmp_path / "package/model", tmp_path / "it_ran"
    saved(folder)
    torch.save({"a": torch.ones(1), "b": Hostile(trace)}, folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="cannot be read"):
        convert(folder, tmp_path / "out")
    assert not trace.exists()


def test_the_command_replaces_nothing(tmp_path, capsys):
    saved(tmp_path / "package/model")
    (tmp_path / "out").mkdir()
    with pytest.raises(SystemExit, match="2"):
        main(["convert", str(tmp_path / "package/model"), str(tmp_path / "out")])
    assert "something already" in capsys.readouterr().err
    assert not any((tmp_path / "out").iterdir())


ANTIBODIES = [
    # Variable domains of trastuzumab, heavy and light chain.
    "EVQLVESGGGLVQPGGSLRLSCAASGFNIKDTYIHWVRQAPGKGLEWVARIYPTNGYTRYADSVKGRFTISADTSKNTAYLQMNSLRAEDTAVYYC"
    "SRWGGDGFYAMDYWGQGTLVTVSS",
    "DIQMTQSPSSLSASVGDRVTITCRASQDVNTAVAWYQQKPGKAPKLLIYSASFLYSGVPSRFSGSRSGTDFTLTISSLQPEDFATYYCQQHYTTPP"
    "TFGQGTKVEIK",
]
ANTIBERTY = "30d910992b190013871bac49cdc032e01a19339f7d2b958ab99b0eb44638352a"
"""Of antiberty-0.1.3-py3-none-any.whl (MIT)."""


@pytest.mark.slow
def test_trained_weights_know_antibodies(tmp_path):
    """AntiBERTy says most residues that are masked one at a time; the commonest is one in seven."""
    wheel = shared_cache() / "downloads" / ANTIBERTY
    if not wheel.exists():
        pytest.skip("antiberty 0.1.3 has not been fetched")
    convert(wheel, tmp_path / "antiberty")
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("pytorch_model.bin")]
        head = torch.load(Path(archive.extract(name, tmp_path)), "cpu", weights_only=True)
    masked = [
        f"{protein[:i]}<mask>{protein[i + 1 :]}"
        for protein in ANTIBODIES
        for i in range(len(protein))
    ]
    options = {"embedder": "huggingface", "model": str(tmp_path / "antiberty")}
    X = embed(masked, options | {"pooling": "tokens"}).X
    places = [i for protein in ANTIBODIES for i in range(len(protein))]
    states = np.stack([X.item(row)[place] for row, place in enumerate(places)]).astype(np.float32)
    dense = "cls.predictions.transform.{}"
    x = torch.from_numpy(states) @ head[dense.format("dense.weight")].T
    x = torch.nn.functional.gelu(x + head[dense.format("dense.bias")])
    norm = (head[dense.format(f"LayerNorm.{part}")] for part in ("weight", "bias"))
    x = torch.nn.functional.layer_norm(x, x.shape[1:], *norm, eps=1e-12)
    x = x @ head["cls.predictions.decoder.weight"].T + head["cls.predictions.decoder.bias"]
    said = "".join(WORDS[number] for number in x.argmax(dim=1))
    truth = "".join(ANTIBODIES)
    accuracy = np.mean([a == b for a, b in zip(said, truth, strict=True)])
    commonest = max(truth.count(letter) for letter in set(truth)) / len(truth)
    assert accuracy > 0.8 > 0.2 > commonest
