"""The model card of a fine-tuned folder."""

from __future__ import annotations

from typing import Any


def model_card(record: dict[str, Any]) -> str:
    """README.md of the folder, in the form of a Hugging Face model card."""
    rows, settings = record["rows"], record["settings"]
    lines = [
        f"| {loss['epoch']} | {loss['train_loss']:.4f} | {loss['valid_loss']:.4f} |"
        for loss in record["losses"]
    ]
    return f"""---
library_name: transformers
pipeline_tag: feature-extraction
---
# {record["embedder"]["model"]}, fine-tuned for {record["task"]}

LoRA (rank {settings["rank"]}, alpha {settings["alpha"]}) of {record["adapted_layers"]} linear
layers, merged into the weights: {record["trained_parameters"]:,} parameters were trained by bioloom
on {rows["train"]:,} labelled sequences ({record["kind"]}, seed {record["seed"]},
{record["device"]}, {record["dtype"]}). Weights before: sha256
`{record["weights_sha256_before"]}`.

| epoch | train loss | valid loss |
|---|---|---|
{chr(10).join(lines)}

The weights are those of epoch {record["best_epoch"]}, which {rows["valid"]:,} valid rows chose.
Features of the training rows were fitted to their labels: score nothing on them. finetuning.json
has all settings.
"""
