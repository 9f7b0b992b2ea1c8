"""Any transformers encoder (ESM-2, Nucleotide Transformer, BERT, ModernBERT, T5 ...), packed.

`model` is a local folder, or a hub name with a pinned `revision` that was downloaded before or is
with `download: true`. Weights are safetensors; remote code is refused. A sequence of more tokens
than `max_length` goes through windows that overlap by `overlap` tokens; each token keeps the
vector of the window in which it lies nearest the middle. `tokens` are the tokenizer's tokens:
residues for ESM-2, 6-mers for Nucleotide Transformer, word pieces for texts.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from bioloom.devices import fast_dtype
from bioloom.embedders import POOLINGS
from bioloom.embedders._untrained import UNTRAINED
from bioloom.embedders.huggingface.encoder import HuggingFace
from bioloom.embedders.huggingface.letters import normalise as normalise
from bioloom.errors import DataError
from bioloom.options import Option

OPTIONS = {
    "model": Option(None, type=str, about="a folder, or the name of a repository"),
    "revision": Option(None, type=str, about="commit of the repository, 40 hexadecimal digits"),
    "download": Option(False, about="fetch the repository where it is not there"),
    "alphabet": Option(
        "protein", choices=("protein", "dna", "text"), about="of which letters sequences are"
    ),
    "layer": Option(-1, minimum=-1, about="of the states; 0 are the embeddings, -1 is the last"),
    "pooling": Option("mean", choices=POOLINGS, about="of the states of a sequence"),
    "segments": Option(None, minimum=1, type=int, about="rows a sequence, of `pooling: segments`"),
    "max_length": Option(
        None, minimum=8, type=int, about="tokens; what is longer goes through windows"
    ),
    "overlap": Option(None, minimum=0, type=int, about="tokens that two windows share"),
    "dtype": Option(
        "auto",
        choices=("auto", "bfloat16", "float32"),
        about="of the computation; auto is what the device does fast",
    ),
    "untrained": UNTRAINED,
}
COMMIT = re.compile("[0-9a-f]{40}")


def weights_source(options: dict[str, Any]) -> None:
    """None: `model` names a folder or a hub repository."""
    return None


def load(options: dict[str, Any], weights: Path | None, device: str, dtype: str) -> HuggingFace:
    """The encoder in `weights` or `options["model"]`; the network is read when first needed."""
    folder = Path(weights) if weights else _folder(options)
    if dtype == "auto":
        dtype = options["dtype"]
    return HuggingFace(folder, options, device, fast_dtype(device) if dtype == "auto" else dtype)


def check_model(options: dict[str, Any]) -> None:
    """Raise DataError unless `model` is a folder that is there, or a hub name with a revision."""
    if options["model"] is None:
        raise DataError("features: huggingface needs `model: <folder or hub name>`")
    if os.path.isdir(options["model"]):
        return
    if options["revision"] is None:
        raise DataError(
            f"features: there is no folder {options['model']!r}",
            hint="give a folder, or a hub name with the `revision` (commit) you mean",
        )
    if not COMMIT.fullmatch(options["revision"]):
        raise DataError(
            f"features: revision {options['revision']!r} can move; a commit cannot",
            hint="give its 40 hexadecimal digits",
        )


def _folder(options: dict[str, Any]) -> Path:
    check_model(options)
    name = options["model"]
    if os.path.isdir(name):
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    patterns = ["*.json", "*.txt", "*.model", "*.safetensors"]
    try:
        return Path(
            snapshot_download(
                name,
                revision=options["revision"],
                allow_patterns=patterns,
                local_files_only=not options["download"],
            )
        )
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        download = options["download"]
        where = "cannot be downloaded" if download else "is not on this machine"
        hint = "are name and revision right, the hub in reach, and the model open to all?"
        raise DataError(
            f"features: {name} at {options['revision']} {where}",
            hint=hint if download else "download it before, or set `download: true`",
        ) from error
