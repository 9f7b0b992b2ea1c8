"""Sections of a task file, and what the parts of its `features` ask for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bioloom.embedders import parts_of, weights_source

Section = dict[str, Any]
Features = Section | list[Section]
"""A `features` section: one part, or several side by side."""
Source = str | dict[str, str]

RESULTS = "results"
PRETRAINED = f"{RESULTS}/pretrained"
"""Where the networks of the `pretrain` blocks lie: `features: model` names them by it."""


def is_pretrained(part: Section) -> bool:
    """Whether a `pretrain` block makes the model of a part of a `features` section."""
    return str(part.get("model", "")).startswith(f"{PRETRAINED}/")


def is_users_folder(weights: str) -> bool:
    """Whether weights are a folder of the user's, not one that Snakemake made or a fetched file."""
    return os.path.isdir(weights) and not Path(weights).is_relative_to(RESULTS)


def embedder_options(part: Section) -> Section:
    """What of a part of a `features` section is for its embedder."""
    return without(part, "input", "network", "finetune")


def features_weights(part: Section) -> Source | None:
    """Where the weights of a part of a `features` section come from, if it has any."""
    model = part.get("model")
    if model and (is_pretrained(part) or os.path.isdir(model)):
        return str(model)
    return weights_source(embedder_options(part))


def weights_by_part(features: Features, files: Sequence[Path]) -> dict[str, Path]:
    """The weights that a job is given, by the names of the parts, in whose order they come.

    The one part of a section takes what there is: what `finetune` leaves lies elsewhere.
    """
    parts = parts_of(features)
    named = [name for name, part in parts.items() if len(parts) == 1 or features_weights(part)]
    return dict(zip(named, files, strict=False))


def without(section: Mapping[str, Any], *keys: str) -> Section:
    """A section without some of its keys."""
    return {key: value for key, value in section.items() if key not in keys}


def to_json(section: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    """A section as sorted JSON: the form in which a rule's params carry it."""
    return json.dumps(_keys_as_text(section), sort_keys=True)


def _keys_as_text(value: Any) -> Any:
    """Nested content whose keys are text, as in JSON: codes of patients' records may be numbers."""
    if isinstance(value, Mapping):
        return {str(key): _keys_as_text(part) for key, part in value.items()}
    return [_keys_as_text(part) for part in value] if isinstance(value, list) else value
