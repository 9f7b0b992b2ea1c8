"""LoRA fine-tuning of a Hugging Face encoder on the training rows of a task.

Samples and their one partition in, a folder out that the `huggingface` embedder loads: the merged
weights, the tokenizer, finetuning.json and a model card. Test rows are left out before anything is
looked at; valid rows only choose the epoch. A sequence goes through the embedder's own tokenizer,
and a long one through its windows, so that training sees the states which features are made of.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from bioloom.application import Application
from bioloom.devices import claim_devices, repeatable
from bioloom.embedders import complete, huggingface
from bioloom.embedders.huggingface.encoder import HuggingFace
from bioloom.embedders.huggingface.folder import unused_parts
from bioloom.files import replacing_folder, write_json
from bioloom.finetuning.card import model_card
from bioloom.finetuning.lora import Settings, Tuner
from bioloom.finetuning.rows import labelled_rows, outputs_of
from bioloom.options import complete_options

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PACKAGES = ("bioloom", "peft", "torch", "transformers")


def finetune(
    samples: pd.DataFrame,
    splits: pd.DataFrame,
    application: Application,
    embedder: dict[str, Any],
    options: dict[str, Any],
    folder: Path,
    *,
    weights: Path | None,
    seed: int,
    task: str,
) -> dict[str, Any]:
    """Fine-tune the `embedder`, write `folder` as a whole, and return its finetuning.json.

    `weights` is a folder with the network before; None: the embedder's `model` names it.
    DataError: labels that are not one a sequence, several partitions, a loss that diverges, too
    little memory.
    """
    given = complete_options(options, asdict(Settings()), "features: finetune")
    settings, section = Settings(**given), complete(embedder)
    kind, train, valid = labelled_rows(samples, splits, application, section)
    with claim_devices(None) as [device], repeatable(seed, device, warn_only=True):
        encoder = huggingface.load(section, weights, device, "float32")
        encoder.budget.size = settings.batch_tokens
        tuner = Tuner(encoder, settings, seed, outputs_of(train))
        progress = tuner.fit(train, valid)
        record = {
            "task": task,
            "embedder": embedder,
            "weights_sha256_before": encoder.identity["weights_sha256"],
            "settings": asdict(settings),
            "seed": seed,
            "kind": kind.name,
            "rows": {"train": len(train.texts), "valid": len(valid.texts)},
            "max_length": encoder.max_length,
            "overlap": encoder.overlap,
            **tuner.described(),
            **progress,
            "versions": {name: version(name) for name in PACKAGES},
        }
        _write(folder, tuner.merged(), encoder, record)
    return record


def _write(
    folder: Path, model: PreTrainedModel, encoder: HuggingFace, record: dict[str, Any]
) -> None:
    """The folder under another name, then renamed: it is there as a whole or not at all."""
    unused = unused_parts(model)
    state = {k: v for k, v in model.state_dict().items() if not k.startswith(unused)}
    with replacing_folder(folder) as made:
        model.save_pretrained(made, state_dict=state)
        encoder.tokens.tokenizer.save_pretrained(made)
        write_json(record, made / "finetuning.json")
        (made / "README.md").write_text(model_card(record))
