"""An untrained masked language model from transformers config keys."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, AutoModelForMaskedLM, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from bioloom.errors import DataError
from bioloom.pretraining.masked_lm import attend_within_documents
from bioloom.pretraining.tokenizer import Codec

SPARE_POSITIONS = 2  # some models do not number positions from 0


def build_model(architecture: dict[str, Any], codec: Codec, length: int) -> PreTrainedModel:
    """The network of an `architecture:` block, its weights drawn from torch's random state.

    The block holds `model_type` and config keys of that model. DataError: a model type that has
    no masked language model, an unknown key, or sizes that do not fit together.
    """
    keys = dict(architecture)
    model_type = keys.pop("model_type")
    if model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise DataError(
            f"architecture: transformers has no masked language model {model_type!r}",
            hint="bert, esm, modernbert, roberta and electra are some of those it has",
        )
    known = AutoConfig.for_model(model_type)
    if unknown := sorted(key for key in keys if not hasattr(known, key)):
        raise DataError(f"architecture: {model_type} has no key {', '.join(unknown)}")
    keys.setdefault("max_position_embeddings", length + SPARE_POSITIONS)
    if keys["max_position_embeddings"] < length:
        raise DataError("architecture: max_position_embeddings is below `training: length`")
    numbers = {f"{name}_token_id": codec.id(name) for name in ("pad", "cls", "sep", "mask")}
    numbers |= {"bos_token_id": codec.id("cls"), "eos_token_id": codec.id("sep")}
    config = AutoConfig.for_model(model_type, vocab_size=len(codec.tokenizer), **numbers, **keys)
    try:
        model = AutoModelForMaskedLM.from_config(config)
        attend_within_documents(model)
    except (ValueError, TypeError) as error:
        raise DataError(f"architecture: transformers refuses it: {error}") from error
    return model
