"""Feature extraction with a Transformer: packed bf16 against Hugging Face as people run it.

`python -m bench.embedding` prints what our encoder, in fp32 on one core, spends its time on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer, EsmConfig, EsmModel, EsmTokenizer

from bench.timing import Goal, Size, Suite
from bioloom.devices import fast_dtype
from bioloom.embedders import complete, huggingface
from bioloom.embedders._pooling import pool
from bioloom.features.self_check import centred_cosine

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
VOCABULARY = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>"]
# Layers and width of ESM-2 by its size; 20 heads, and four times as wide inside.
SHAPES = {"tiny": (2, 480), "35M": (12, 480), "150M": (30, 640), "650M": (33, 1280)}
SORTED_TOKENS = 2048  # of a batch of the sorted peer
PRODUCT_SIZE = 2048
ROUNDS = 3
NAIVE = "huggingface, input order, fp32"
LONG = {"fp32": "float32", "bf16": "bfloat16"}


def suite(size: Size, folder: Path) -> Suite:
    """A 35M-shape ESM-2 with random weights over proteins of log-normal length."""
    if size == "tiny":  # a model of two layers is mostly overhead: no fraction of the matrix rate
        return cpu_suite("tiny", make_proteins(40, median=120), folder, {"naive": 7, "sorted": 1.4})
    goals = {"naive": 7, "sorted": 1.4, "rate": 0.45}
    few = size == "usual"
    return cpu_suite("35M", make_proteins(40 if few else 200), folder, goals, 2 if few else ROUNDS)


def cpu_suite(
    shape: str,
    proteins: list[str],
    folder: Path,
    goals: dict[str, float | None],
    rounds: int = ROUNDS,
) -> Suite:
    """Ours in fp32 and, where that is faster, in bf16, against padded and sorted batches.

    `goals` of bf16: ratios to `naive` and `sorted` batches, the fraction of the matrix `rate`.
    """
    model, quick = make_model(folder / "esm2", shape), fast_dtype("cpu") == "bfloat16"
    bf16 = "bf16" if quick else "fp32"
    ordered, limit = f"huggingface, sorted, {bf16}", "matrix product, fp32"
    cases: dict[str, Callable[[], Any]] = {
        NAIVE: partial(padded, model, proteins, in_order(proteins), "float32"),
        ordered: partial(padded, model, proteins, in_sort(proteins), LONG[bf16]),
        "ours, fp32": partial(packed, model, proteins, "float32"),
        limit: partial(product, "float32"),
    }
    judged = [Goal("fp32 against padded input order", "ours, fp32", NAIVE, 2.5)]
    judged.append(Goal("fp32, fraction of the matrix rate", "ours, fp32", limit))
    skipped = {}
    if quick:
        ours, rate = "ours, bf16", "matrix product, bf16"
        cases |= {ours: partial(packed, model, proteins, "bfloat16")}
        cases |= {rate: partial(product, "bfloat16")}
        judged += [
            Goal("bf16 against padded input order, fp32", ours, NAIVE, goals.get("naive")),
            Goal("bf16 against sorted, bf16", ours, ordered, goals.get("sorted")),
            Goal("bf16, fraction of the matrix rate", ours, rate, goals.get("rate")),
            Goal("matrix rate, bf16 over fp32", rate, limit),
        ]
    else:
        judged.append(Goal("fp32 against sorted, fp32", "ours, fp32", ordered))
        skipped = {"bf16": "this processor multiplies bf16 no faster than fp32"}
    work = work_of(model, proteins, cases, PRODUCT_SIZE)
    check = partial(agree, NAIVE)
    return Suite(f"embedding, {shape} shape", cases, check, judged, work, rounds, skipped=skipped)


def make_model(folder: Path, shape: str) -> Path:
    """Save an ESM-2 of this shape with random weights, and its tokenizer."""
    layers, width = SHAPES[shape]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join([*VOCABULARY, "<mask>"]))
    EsmTokenizer(str(folder / "vocab.txt"), model_max_length=1024).save_pretrained(folder)
    torch.manual_seed(0)
    config = EsmConfig(
        vocab_size=33,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=20,
        intermediate_size=4 * width,
        max_position_embeddings=1026,
        position_embedding_type="rotary",
        token_dropout=True,
        pad_token_id=1,
        mask_token_id=32,
    )
    EsmModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def make_proteins(n: int, median: int = 300) -> list[str]:
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


def in_sort(proteins: list[str], tokens: int = SORTED_TOKENS) -> list[list[int]]:
    """Batches of like length with a token budget."""
    batches: list[list[int]] = [[]]
    for i in sorted(range(len(proteins)), key=lambda i: -len(proteins[i])):
        longest = len(proteins[batches[-1][0]]) + 2 if batches[-1] else 0
        if longest * (len(batches[-1]) + 1) > tokens:
            batches.append([])
        batches[-1].append(i)
    return batches


@cache
def load(folder: Path, dtype: str, device: str) -> tuple[Any, Any]:
    """The model and tokenizer as transformers gives them."""
    model = AutoModel.from_pretrained(folder, dtype=getattr(torch, dtype), add_pooling_layer=False)
    return model.eval().to(device), AutoTokenizer.from_pretrained(folder)


def padded(
    folder: Path, proteins: list[str], batches: list[list[int]], dtype: str, device: str = "cpu"
) -> np.ndarray:
    """Mean residue vectors by transformers' own padded path."""
    model, tokenizer = load(folder, dtype, device)
    vectors = np.zeros((len(proteins), model.config.hidden_size), dtype=np.float32)
    for batch in batches:
        texts = [proteins[i] for i in batch]
        inputs = tokenizer(texts, padding=True, return_tensors="pt").to(device)
        with torch.inference_mode():
            states = model(**inputs).last_hidden_state
        for i, rows in zip(batch, states, strict=True):
            vectors[i] = rows[1 : len(proteins[i]) + 1].mean(0, dtype=torch.float32).cpu()
    return vectors


@cache
def encoder(folder: Path, dtype: str, device: str) -> huggingface.HuggingFace:
    """The package's encoder."""
    options = complete({"embedder": "huggingface", "model": str(folder)})
    return huggingface.load(options, None, device, dtype)


def packed(folder: Path, proteins: list[str], dtype: str, device: str = "cpu") -> np.ndarray:
    """Mean residue vectors by the package: tokenised, packed, pooled."""
    network = encoder(folder, dtype, device)
    vectors = np.zeros((len(proteins), network.model.config.hidden_size), dtype=np.float32)
    for states in network.encode(proteins):
        vectors[states.order] = pool(states, "mean", None, network).values
    return vectors


def product(dtype: str, device: str = "cpu", size: int = PRODUCT_SIZE) -> None:
    """One large matrix product, the limit."""
    a = torch.ones(size, size, dtype=getattr(torch, dtype), device=device)
    a @ a


def work_of(
    folder: Path, proteins: list[str], cases: dict[str, Callable[[], Any]], size: int
) -> dict[str, float]:
    """Floating-point operations of each case: what the proteins need, none for padding."""
    config = EsmConfig.from_pretrained(folder)
    width, wide = config.hidden_size, config.intermediate_size
    lengths = np.array([len(protein) + 2 for protein in proteins], dtype=float)
    weights = 2 * (4 * width**2 + 2 * width * wide) * lengths.sum()
    needed = config.num_hidden_layers * (weights + 4 * width * (lengths**2).sum())
    return {name: 2.0 * size**3 if name.startswith("matrix") else needed for name in cases}


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


def main() -> None:
    """Print the operations of torch that take a hundredth of the time or more, as a table."""
    from torch.profiler import ProfilerActivity, profile

    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        model, proteins = make_model(Path(folder), "35M"), make_proteins(40)
        packed(model, proteins[:4], "float32")
        with profile(activities=[ProfilerActivity.CPU]) as measured:
            packed(model, proteins, "float32")
    operations = measured.key_averages()
    whole = sum(one.self_cpu_time_total for one in operations)
    print("| operation | share of the time |\n|---|---|")
    for one in sorted(operations, key=lambda one: -one.self_cpu_time_total):
        if one.self_cpu_time_total >= 0.01 * whole:
            print(f"| `{one.key}` | {one.self_cpu_time_total / whole:.2f} |")


if __name__ == "__main__":
    main()
