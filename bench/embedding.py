"""Feature extraction with a Transformer: packed bf16 against Hugging Face as people run it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer, EsmConfig, EsmModel, EsmTokenizer

from bench.timing import Goal, Suite
from bioloom.devices import fast_dtype
from bioloom.embedders import complete, huggingface
from bioloom.pooling import pool
from bioloom.self_check import centred_cosine

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
VOCABULARY = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>"]
SORTED_TOKENS = 2048  # of a batch of the sorted peer
PRODUCT_SIZE = 2048


def suite(tiny: bool, folder: Path) -> Suite:
    """A 35M-shape ESM-2 with random weights over >= 200 proteins of log-normal length."""
    model = make_model(folder / "esm2", layers=2 if tiny else 12)
    proteins = make_proteins(40 if tiny else 200, median=120 if tiny else 300)
    naive, limit = "huggingface, input order, fp32", "matrix product, fp32"
    cases: dict[str, Callable[[], Any]] = {
        naive: partial(padded, model, proteins, in_order(proteins), "float32"),
        "ours, fp32": partial(packed, model, proteins, "float32"),
        limit: partial(product, "float32"),
    }
    goals = [Goal("fp32 against padded input order", "ours, fp32", naive, 2.5)]
    if fast_dtype("cpu") == "bfloat16":
        ordered, ours, rate = "huggingface, sorted, bf16", "ours, bf16", "matrix product, bf16"
        cases |= {
            ordered: partial(padded, model, proteins, in_sort(proteins), "bfloat16"),
            ours: partial(packed, model, proteins, "bfloat16"),
            rate: partial(product, "bfloat16"),
        }
        goals += [
            Goal("bf16 against padded input order, fp32", ours, naive, 7.0),
            Goal("bf16 against sorted, bf16", ours, ordered, 1.4),
            # a model of two layers is mostly overhead
            Goal("bf16, fraction of the matrix rate", ours, rate, None if tiny else 0.45),
            Goal("matrix rate, bf16 over fp32", rate, limit),
        ]
    goals.append(Goal("fp32, fraction of the matrix rate", "ours, fp32", limit))
    flops = {name: operations(model, proteins) for name in cases}
    flops |= {name: 2.0 * PRODUCT_SIZE**3 for name in cases if name.startswith("matrix")}
    return Suite("embedding", cases, partial(agree, naive), goals, flops)


def make_model(folder: Path, layers: int) -> Path:
    """Save an ESM-2 of width 480 with random weights, and its tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join([*VOCABULARY, "<mask>"]))
    EsmTokenizer(str(folder / "vocab.txt"), model_max_length=1024).save_pretrained(folder)
    torch.manual_seed(0)
    config = EsmConfig(
        vocab_size=33,
        hidden_size=480,
        num_hidden_layers=layers,
        num_attention_heads=20,
        intermediate_size=1920,
        max_position_embeddings=1026,
        position_embedding_type="rotary",
        token_dropout=True,
        pad_token_id=1,
        mask_token_id=32,
    )
    EsmModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def make_proteins(n: int, median: int) -> list[str]:
    """Random proteins of log-normal length (sigma 0.6 in logs), as those of a proteome are.

    Each has its own composition: with one for all, means over long sequences would be the same
    vector, and a centred cosine would compare noise.
    """
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(np.log(median), 0.6, n), 30, 1022).astype(int)
    shares = rng.dirichlet(np.full(len(LETTERS), 3.0), n)
    pairs = zip(lengths, shares, strict=True)
    return ["".join(rng.choice(list(LETTERS), length, p=p)) for length, p in pairs]


def in_order(proteins: list[str], size: int = 16) -> list[list[int]]:
    """Batches of 16 as the input comes."""
    return [list(range(i, min(i + size, len(proteins)))) for i in range(0, len(proteins), size)]


def in_sort(proteins: list[str]) -> list[list[int]]:
    """Batches of like length with a token budget."""
    batches: list[list[int]] = [[]]
    for i in sorted(range(len(proteins)), key=lambda i: -len(proteins[i])):
        longest = len(proteins[batches[-1][0]]) + 2 if batches[-1] else 0
        if longest * (len(batches[-1]) + 1) > SORTED_TOKENS:
            batches.append([])
        batches[-1].append(i)
    return batches


@cache
def load(folder: Path, dtype: str) -> tuple[Any, Any]:
    """The model and tokenizer as transformers gives them."""
    model = AutoModel.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    return model, AutoTokenizer.from_pretrained(folder)


def padded(folder: Path, proteins: list[str], batches: list[list[int]], dtype: str) -> np.ndarray:
    """Mean residue vectors by transformers' own padded path."""
    model, tokenizer = load(folder, dtype)
    vectors = np.zeros((len(proteins), model.config.hidden_size), dtype=np.float32)
    for batch in batches:
        inputs = tokenizer([proteins[i] for i in batch], padding=True, return_tensors="pt")
        with torch.inference_mode():
            states = model(**inputs).last_hidden_state
        for i, rows in zip(batch, states, strict=True):
            vectors[i] = rows[1 : len(proteins[i]) + 1].mean(0, dtype=torch.float32)
    return vectors


@cache
def encoder(folder: Path, dtype: str) -> huggingface.HuggingFace:
    """The package's encoder."""
    options = complete({"embedder": "huggingface", "model": str(folder)})
    return huggingface.load(options, None, "cpu", dtype)


def packed(folder: Path, proteins: list[str], dtype: str) -> np.ndarray:
    """Mean residue vectors by the package: tokenised, packed, pooled."""
    network = encoder(folder, dtype)
    vectors = np.zeros((len(proteins), network.model.config.hidden_size), dtype=np.float32)
    for states in network.encode(proteins):
        vectors[states.order] = pool(states, "mean", None, network).values
    return vectors


def product(dtype: str) -> None:
    """One large matrix product, the limit."""
    a = torch.ones(PRODUCT_SIZE, PRODUCT_SIZE, dtype=getattr(torch, dtype))
    a @ a


def operations(folder: Path, proteins: list[str]) -> float:
    """Floating-point operations that the model needs for these proteins, none for padding."""
    config = load(folder, "float32")[0].config
    width, wide = config.hidden_size, config.intermediate_size
    lengths = np.array([len(protein) + 2 for protein in proteins], dtype=float)
    weights = 2 * (4 * width**2 + 2 * width * wide) * lengths.sum()
    return config.num_hidden_layers * (weights + 4 * width * (lengths**2).sum())


def agree(oracle: str, outputs: dict[str, Any]) -> dict[str, float]:
    """Lowest centred cosine of each case to the padded fp32 path; ours below 0.998 is a failure."""
    cosines = {
        name: float(centred_cosine(output, outputs[oracle]).min())
        for name, output in outputs.items()
        if output is not None
    }
    if min(cosine for name, cosine in cosines.items() if name.startswith("ours")) < 0.998:
        raise SystemExit(f"the vectors do not agree: {cosines}")
    return cosines
