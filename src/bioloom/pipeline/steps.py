"""The steps of the pipeline: what each depends on, and what of it the report shows.

One table for all who ask: the rules (which sections of a task a step may see), code hashes (which
modules it runs), DVC (which params it has) and the report (which files it reads).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """A step; its name is that of its rule and its script."""

    sections: tuple[str, ...] = ()
    """Keys of a task's file."""
    shared: tuple[str, ...] = ()
    """Keys of config.yaml."""
    modules: tuple[str, ...] = ()
    """What it imports by the names in a task, beyond what its script imports: see `code`."""
    shown: dict[str, str] = field(default_factory=dict)
    """What the report shows: what it is -> file or folder in the task's results."""


STEPS: dict[str, Step] = {
    "describe": Step(
        ("application", "kind", "title", "about", "datasets", "clean", "split", "leakage")
        + ("trained", "features", "preprocess", "model", "baselines", "positive", "high_above")
        + ("threshold", "horizons", "transform", "refit", "evaluate", "explain"),
        ("sources",),
        shown={"task": "task.yaml"},
    ),
    "simulate": Step(("application", "datasets"), ("seed", "sources")),
    "trim": Step(("application", "datasets"), ("sources",)),
    "index_reference": Step(("application", "datasets"), ("sources",)),
    "align": Step(("application", "datasets"), ("sources",)),
    "merge_lanes": Step(("application", "datasets"), ("sources",)),
    "list_reads": Step(("application", "datasets"), ("sources",)),
    "check_alignments": Step(("application", "datasets"), ("sources",)),
    "index_reads": Step(("application", "datasets"), ("sources",)),
    "measure_alignments": Step(("application", "datasets"), ("sources",)),
    "summarise_reads": Step(("application", "datasets"), ("sources",)),
    "multiqc": Step(("application", "datasets"), ("sources",)),
    "ingest": Step(("application", "datasets", "kind"), ("sources",), ("application",)),
    "clean": Step(
        ("application", "clean"),
        modules=("application",),
        shown={"quality": "training/quality.json"},
    ),
    "split": Step(
        ("application", "split", "leakage"),
        ("seed",),
        ("application", "measures"),
        {"leakage": "leakage.json"},
    ),
    "pretrain": Step(shared=("seed", "pretrain", "sources")),
    "finetune": Step(("application", "kind", "features"), ("seed",), ("application", "kinds")),
    "embed_chunk": Step(
        ("application", "features", "baselines"), modules=("application", "embedder", "links")
    ),
    "extract_features": Step(
        ("application", "features", "baselines"),
        modules=("application", "embedder", "links"),
        shown={"features": "training/features.json"},
    ),
    "train": Step(
        ("application", "kind", "model", "baselines", "preprocess", "positive", "high_above")
        + ("threshold", "horizons", "transform", "refit"),
        ("seed",),
        ("application", "kinds", "model", "baselines"),
        {"model": "model"},
    ),
    "learning_curve": Step(
        ("application", "kind", "model", "baselines", "preprocess", "positive", "high_above")
        + ("threshold", "horizons", "transform", "evaluate"),
        ("seed",),
        ("application", "kinds", "model", "baselines"),
    ),
    "evaluate": Step(
        ("application", "kind", "evaluate"),
        ("seed",),
        ("application", "kinds"),
        {"metrics": "metrics.json", "plots": "plots"},
    ),
    "explain": Step(
        ("application", "features", "explain"),
        ("seed",),
        ("application", "kinds", "embedder", "model"),
        {"explanation": "explanation.parquet"},
    ),
    "predict": Step(("application", "datasets"), ("sources",), ("kinds", "model")),
    "explain_rows": Step(("application", "datasets"), ("sources",), ("kinds", "model")),
    "score": Step(
        ("application", "kind", "datasets", "clean", "model", "baselines", "preprocess")
        + ("positive", "high_above", "threshold", "horizons", "transform", "refit", "evaluate"),
        ("seed",),
        ("application", "kinds", "model", "baselines"),
    ),
    "rank_links": Step(("application",), modules=("application",)),
    "export": Step(("application", "datasets", "kind"), ("sources",), ("application",)),
    "pages": Step(
        ("application", "datasets", "title", "about"), modules=("application", "kinds", "model")
    ),
    "join_parts": Step(("datasets",)),
    "join_exports": Step(("application", "datasets"), modules=("application",)),
    "report_task": Step(("title", "about"), modules=("application", "kinds")),
    "report": Step(("title",), modules=("kinds",)),
}
"""In running order."""
