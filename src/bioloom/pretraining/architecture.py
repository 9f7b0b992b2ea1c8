"""An untrained masked language model from transformers config keys."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, AutoModelForMaskedLM, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from bioloom.errors import DataError
from bioloom.pretraining.documents import keep_documents_apart
from bioloom.pretraining.tokenizer import Codec

SPARE_POSITIONS = 2  # some models do not number positions from 0
FIXED = {"architectures", "dtype", "model_type", "transformers_version"}  # weights are float32


def build_model(architecture: dict[str, Any], codec: Codec, length: int) -> PreTrainedModel:
    """The network of an `architecture:` block, its weights drawn from torch's random state.

    The block holds `model_type` and config keys of that model. DataError: a model type that has
    no masked language model or reads rows as a whole, an unknown key, or values that do not fit.
    """
    keys = dict(architecture)
    model_type = keys.pop("model_type")
    if model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise DataError(
            f"architecture: transformers has no masked language model {model_type!r}",
            hint="bert, esm, modernbert, roberta and electra are some of those it has",
        )
    numbers = {f"{name}_token_id": codec.id(name) for name in ("pad", "cls", "sep", "mask")}
    numbers |= {"bos_token_id": codec.id("cls"), "eos_token_id": codec.id("sep")}
    ours = numbers | {"vocab_size": len(codec.tokenizer)}
    known = AutoConfig.for_model(model_type).to_dict()
    _check_keys(model_type, keys, {key: known[key] for key in known.keys() - ours - FIXED})
    keys.setdefault("max_position_embeddings", length + SPARE_POSITIONS)
    if keys["max_position_embeddings"] < length:
        raise DataError("architecture: max_position_embeddings is below `training: length`")
    try:
        config = AutoConfig.for_model(model_type, **ours, **keys)
        model = AutoModelForMaskedLM.from_config(config)
        keep_documents_apart(model, length, codec.first_letter)
    except DataError:
        raise
    except Exception as error:  # whatever the values lead to, far inside of transformers
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"architecture: transformers refuses it: {reason}") from error
    return model


def _check_keys(model_type: str, keys: dict[str, Any], known: dict[str, Any]) -> None:
    """DataError for a key that is not known, and for no number or one below 0 where 0 is least."""
    if unknown := sorted(keys.keys() - known):
        raise DataError(f"architecture: {model_type} has no key {', '.join(unknown)} to set")
    for key, value in keys.items():
        if not _is_number(known[key]):
            continue
        if not _is_number(value) or value < min(0, known[key]):
            raise DataError(f"architecture: {key} must be a number from 0 on, got {value!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
