"""The model card: what a pretrained network is, learnt from, and is not good for."""

from __future__ import annotations

from typing import Any

import yaml


def model_card(record: dict[str, Any]) -> str:
    """README.md of a pretrained folder, in the form of a Hugging Face model card."""
    settings = record["settings"]
    alphabet, length = settings["alphabet"], settings["training"]["length"]
    meta = {"library_name": "transformers", "pipeline_tag": "fill-mask", "tags": ["biology"]}
    corpora = "\n".join(
        f"- {name}, sha256 `{checksum}`" for name, checksum in record["corpora"].items()
    )
    return f"""---
{yaml.safe_dump(meta, sort_keys=False)}---
# A {settings["architecture"]["model_type"]} masked language model of {alphabet} sequences

{record["parameters"]:,} parameters, pretrained with bioloom on {record["letters"]["train"]:,}
letters for {record["steps"]:,} steps; {record["letters"]["held_out"]:,} more of the
{record["records"]:,} records (parts between gaps) were held out
({record["tokens_seen"]:,} tokens, {record["dtype"]}, seed {record["seed"]}).

## Corpora
{corpora}

## Held-out prediction of masked letters
{_table(record["held_out"])}

{_verdict(record["held_out"])}

The baselines count k-mers in the training letters and are shown the true neighbours of each
masked token, which favours them. {record["letters"]["held_out"]:,} letters were held out by
position (long records in blocks) or by record; repeats and homologous sequences were not kept
apart.

## Use
`features: {{embedder: huggingface, model: <this folder>, alphabet: {alphabet}}}`. Sequences in
upper case; at most {length} tokens at a time. Trained on the corpora above alone: do not
expect it to know other organisms or protein families.

## Recipe
```yaml
{yaml.safe_dump(settings, sort_keys=False)}```
"""


def _table(held_out: dict[str, Any]) -> str:
    lines = ["| predictor | perplexity a masked token | bits a letter |", "|---|---|---|"]
    lines += [
        f"| {name} | {scores['perplexity']:.4g} | {scores['bits_per_letter']:.4f} |"
        for name, scores in held_out["predictors"].items()
    ]
    return "\n".join(lines)


def _verdict(held_out: dict[str, Any]) -> str:
    gain = held_out["gain"]
    interval = f"{gain['value']:+.4f} bits a letter ({gain['low']:+.4f} to {gain['high']:+.4f})"
    if gain["low"] > 0:
        return f"The network beats the best baseline, {gain['against']}, by {interval}."
    if gain["high"] < 0:
        return f"The best baseline, {gain['against']}, beats the network: {interval}."
    return f"No better than the best baseline, {gain['against']}: {interval}."
