"""Risk of a disease: when an event happens, or whether, from a clinical table, by readable rules.

The outcome is a time to an event (`columns: {time, event}`, perhaps `entry`), the same by a
`horizon`, or a label; all else is as `bioloom.clinical.table` reads it. With `genotypes` and a
`score` each patient has a polygenic score as well (`bioloom.variants.genetic_score`), and with
`landmarks` several rows (`bioloom.clinical.landmarks`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bioloom.application import Application
from bioloom.clinical import cleaning, labels, landmarks, outcomes
from bioloom.clinical import table as clinical
from bioloom.options import column_names, complete_options
from bioloom.samples import Raw, persons
from bioloom.variants import genetic_score

OPTIONS: dict[str, Any] = (
    labels.OPTIONS | outcomes.OPTIONS | landmarks.OPTIONS | genetic_score.OPTIONS
)
COLUMNS: dict[str, Any] = labels.COLUMNS | outcomes.COLUMNS


def ingest(files: dict[str, Path], options: dict[str, Any]) -> Raw:
    """Patients with `label.time` and `label.event`, or a `label`, and perhaps a genetic score."""
    options = complete_options(options, OPTIONS, "datasets")
    raw = clinical.read_patients(files, options, COLUMNS, landmarks.read_outcome)
    if {*files} & {*genetic_score.SOURCES}:
        coded = clinical.are_coded(options, column_names(options["columns"], COLUMNS))
        people = persons(raw.samples)
        block, notes = genetic_score.read_genetic_score(files, people, options, coded=coded)
        raw = Raw(raw.samples.join(block), [*raw.notes, *notes])
    return landmarks.at_landmarks(raw, options, files["clinical"])


def defaults(task: dict[str, Any]) -> dict[str, Any]:
    """A sum of small trees, one tree alone, and the linear model of the outcome.

    With a genetic score also the trees without it, so that the report shows what it adds.
    """
    training = task["datasets"]["training"]
    timed = "time" in training.get("columns", {}) and "horizon" not in training
    kind = task.get("kind") or ("survival" if timed else "binary")
    linear = "cox" if kind == "survival" else "logistic_regression"
    others = ["table", *(["expression"] if "expression" in training else [])]
    without = {"no_genetic_score": {"features": {"embedder": "table", "blocks": others}}}
    return {
        "features": {"embedder": "table"},
        "model": {"name": "decision_tree", "trees": 300, "depth": 2},
        "baselines": (without if "genotypes" in training else {})
        | {
            linear: {"model": {"name": linear}},
            "one_tree": {"model": {"name": "decision_tree", "depth": 8}},
        },
    }


application = Application(
    kinds=("survival", "binary"),
    noun="persons",
    ingest=ingest,
    clean=cleaning.clean_patients,
    inputs=clinical.patient_columns,
    sources=("clinical",),
    optional_sources=(*clinical.OPTIONAL_SOURCES, *genetic_score.SOURCES),
    knowledge=genetic_score.KNOWLEDGE,
    private=True,
    tables=clinical.TABLES,
    divided={"clinical": ()},
    options=OPTIONS,
    columns=COLUMNS,
    clean_options=cleaning.CLEAN,
    defaults=defaults,
)
