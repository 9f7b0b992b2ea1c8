"""One self-contained HTML page with everything measured: opens offline, fetches nothing.

An overview of all tasks, then for each its scores beside the baselines, curves, data quality,
split and leakage, explanation and model card. What a task does not have is left out.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

from bioloom import __version__
from bioloom.files import read_json, replacing
from bioloom.formats.bif import read_bif
from bioloom.kinds import get_kind
from bioloom.report import figures, pairs, patients
from bioloom.report.figures import Figure
from bioloom.report.logos import is_logo, logo
from bioloom.report.record import Facts
from bioloom.samples import read_table

VERDICTS = {
    "better": "Better than the best baseline",
    "equal": "No better than the best baseline",
    "worse": "Worse than the best baseline",
    "none": "Too few groups for a verdict",
}
DRAWN = ("histogram", "shares", "flags")  # of leakage.json, shown in another way than the rest
NAMED = ("embedder", "identity", "features")  # of features.json: in the card under another name
MOST_RULES = 12
SPELT = {name: name.upper() for name in ("svm", "dnn", "cnn", "gnn", "lstm", "clr")} | {
    "unirep": "UniRep"
}


def build_report(
    tasks: dict[str, dict[str, Path]], config: dict[str, dict[str, Any]], out: Path
) -> None:
    """Write the page for `tasks`: name -> its files, of which only `metrics` is needed.

    Files: `metrics`, `quality`, `leakage`, `features` (JSON), `explanation` (Parquet), `plots`
    (folder of CSV), `model` (folder), `task` (YAML); of a data set of reads `reads.<data set>`
    (JSON) and `multiqc.<data set>`, a page that is linked; of one whose labels are compared
    `scored.<data set>`, its metrics; of new data `drift.<data set>`. `config` has each task's
    `title` and `about` (source, licence, limits).
    """
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(score=score, signed=signed, plain=plain, words=words)
    views = [
        task_view(name, files, config.get(name, {}))
        | {"reads": _reads(files, Path(out).parent)}
        | {what: _of_each(what, files) for what in ("scored", "drift")}
        for name, files in tasks.items()
    ]
    page = environment.get_template("page.html").render(
        tasks=views, version=__version__, span=_span(views)
    )
    with replacing(out) as temporary:
        temporary.write_text(page, encoding="utf-8")


def task_view(name: str, files: dict[str, Path], config: dict[str, Any]) -> dict[str, Any]:
    """What the template shows of one task."""
    facts = Facts.of(files)
    metrics = facts.metrics
    records = {"quality": facts.quality, "leakage": facts.leakage, "features": facts.features}
    model = {**facts.model, **_members(files.get("model", Path()))}
    kind = get_kind(metrics["kind"])
    primary = kind.metric(metrics["primary"])
    outcome = metrics["outcome"]
    label = f"{primary.label}{_caution(metrics)}"
    usual = "difference" in metrics and kind.decisive is None
    return {
        "name": name,
        "task": files["task"].read_text(encoding="utf-8") if "task" in files else "",
        "title": config.get("title", words(name)),
        "metrics": metrics,
        "label": label,
        "output": kind.output,
        "outcome": outcome,
        "verdict": VERDICTS[outcome] if usual else words(metrics["verdict"]),
        "bounded": primary.bounded,
        "rows": score_rows(metrics),
        "model": model,
        "card": model_card(config.get("about", {}), model, records["features"]),
        "audit": [(key, value) for key, value in records["leakage"].items() if key not in DRAWN],
        **records,
        "forest": figures.forest(_primary_scores(metrics), label),
        "curves": _curves(files.get("plots"), metrics, label),
        "similarity": _similarity(records["leakage"]),
        "explanation": _explanation(files.get("explanation")) + _networks(files.get("model")),
        "rules": _rules(files.get("model"), kind.output),
    }


def score_rows(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a metric: label, direction, and value with interval of the model and each baseline."""
    models = {"model": metrics["test"], **metrics["baselines"]}
    names = [key for key in metrics["test"] if not key.endswith(("_low", "_high"))]
    rows = []
    for name in sorted(names, key=lambda key: key != metrics["primary"]):
        metric = get_kind(metrics["kind"]).metric(name)
        known = [scores[name] for scores in models.values() if name in scores]
        best = min(known) if metric.lower_is_better else max(known)
        cells = [
            {
                "value": scores.get(name),
                "low": scores.get(f"{name}_low"),
                "high": scores.get(f"{name}_high"),
                "best": scores.get(name) == best and metric.ordered,
            }
            for scores in models.values()
        ]
        label = f"{metric.label}{_caution(metrics)}"
        rows.append({"label": label, "lower": metric.lower_is_better, "cells": cells})
    return rows


def _caution(metrics: dict[str, Any]) -> str:
    """What stands behind each score of treatments that were not randomised."""
    return ", an association" if metrics.get("association") else ""


def model_card(
    about: dict[str, str], model: dict[str, Any], features: dict[str, Any]
) -> list[tuple[str, Any]]:
    """(name, value) of what a user of the model should know, in reading order."""
    output = get_kind(model["kind"]).output if "kind" in model else None
    classes = model.get("outputs", []) if output == "classes" else []
    fitted = model.get("quantile") or model.get("lines")
    coverage = model.get("coverage") if fitted else None
    held = "the mean outcome of patients alike" if "lines" in model else "the truth"
    card = [
        *((key, about.get(key)) for key in ("source", "licence", "limits")),
        ("predicts", words(model.get("kind", ""))),
        ("model", words(model.get("model", ""))),
        ("learnt from", _learnt(model)),
        ("weights of its members", model.get("members")),
        *((key, model.get(key)) for key in ("parameters", "features", "seed")),
        ("classes", classes),
        ("labels", model.get("outputs") if output == "labels" else None),
        ("positive class", classes[-1] if len(classes) == 2 else None),
        ("probabilities hold for", _share(model)),
        *((key, model.get(key)) for key in ("threshold", "threshold_rule", "temperature")),
        ("horizons", model.get("horizons")),
        ("sets and intervals", f"made to hold {held} for {coverage:.0%}" if coverage else ""),
        ("number of features", features.get("features")),
        *((key, value) for key, value in features.items() if key not in NAMED),
    ]
    return [(name, value) for name, value in card if value not in (None, "", [], {})]


def _members(folder: Path) -> dict[str, Any]:
    """Of a model made of several: `members`, the weight of each."""
    path = folder / "members.csv"
    if not path.is_file():
        return {}
    table = pd.read_csv(path)
    names = table["member"].map(words) + table.groupby("member").cumcount().map(
        lambda n: f" {n + 1}" if n else ""
    )
    return {"members": dict(zip(names, table["weight"].tolist(), strict=True))}


def _share(model: dict[str, Any]) -> str:
    """At which share of the positive class its probabilities are right, in words."""
    if "share" not in model:
        return ""
    share, name = model["share"], model["outputs"][-1]
    return f"{share:.1%} {name}, as in training; `prior` of a data set says another share"


def _learnt(model: dict[str, Any]) -> str:
    """From which rows the model for new data has learnt, in words."""
    if "refitted" not in model:
        return ""
    rows = f"{model['rows']:,}"
    if not model["refitted"]:
        return f"{rows} training rows, as the model that is scored"
    return f"all {rows} rows; the model that is scored had not learnt from those that score it"


def _primary_scores(metrics: dict[str, Any]) -> dict[str, dict[str, float]]:
    primary = metrics["primary"]
    ends = {"value": primary, "low": f"{primary}_low", "high": f"{primary}_high"}
    models = {"model": metrics["test"], **metrics["baselines"]}
    return {
        model: {end: scores[key] for end, key in ends.items() if key in scores}
        for model, scores in models.items()
        if primary in scores
    }


def _span(views: list[dict[str, Any]]) -> float:
    """The largest end of a difference's interval: half the width of the overview's strips."""
    differences = [view["metrics"].get("difference", {}) for view in views if view["bounded"]]
    ends = [abs(d[end]) for d in differences for end in ("low", "high") if end in d]
    return max(ends, default=0) or 1.0


def _curves(folder: Path | None, metrics: dict[str, Any], label: str) -> list[Figure]:
    against = metrics.get("difference", {}).get("against")
    draw = {
        "roc": figures.roc,
        "pr": figures.precision_recall,
        "calibration": figures.calibration,
        "confusion": figures.confusion,
        "per_class": figures.per_class,
        "strata": figures.strata,
        "coverage": figures.coverage,
        "seen": pairs.seen,
        "strongest_links": pairs.strongest_links,
        "distance_maps": pairs.distance_maps,
        "predicted_observed": figures.predicted_observed,
        "survival_groups": patients.survival_groups,
        "risk_calibration": patients.risk_calibration,
        "cumulative_incidence": patients.cumulative_incidence,
        "decision_curve": lambda table: patients.decision_curve(table, against),
        "subgroups": patients.subgroups,
        "policies": patients.policies,
        "overlap": patients.overlap,
        "per_target": lambda table: figures.per_target(table, against),
        "per_label": lambda table: figures.per_label(table, against),
        "metric_by_distance": lambda table: figures.by_distance(table, label),
        "learning_curve": lambda table: figures.learning_curve(
            table, label, metrics.get("labels_worth", "")
        ),
    }
    drawn = []
    for name, figure in draw.items():
        path = (folder or Path()) / f"{name}.csv"
        if not path.is_file() or (table := pd.read_csv(path)).empty:
            continue
        if name == "metric_by_distance" and table["model"].value_counts().max() < 2:
            continue  # too few test samples for a line
        drawn.append(figure(table))
    return drawn


def _reads(files: dict[str, Path], folder: Path) -> list[dict[str, Any]]:
    """Of each data set of reads: the hints of its samples, and a link from the page's folder."""
    found = []
    for name, file in files.items():
        what, _, dataset = name.partition(".")
        if what == "reads":
            page = files.get(f"multiqc.{dataset}")
            link = os.path.relpath(page, folder) if page else None
            samples = {sample: figures["hints"] for sample, figures in read_json(file).items()}
            found.append({"dataset": dataset, "page": link, "samples": samples})
    return found


def _of_each(what: str, files: dict[str, Path]) -> list[tuple[str, dict[str, Any]]]:
    """Of each data set that has a file `<what>.<data set>`: its name, and what the file says."""
    named = ((name.partition("."), file) for name, file in files.items())
    return [(dataset, read_json(file)) for (first, _, dataset), file in named if first == what]


def _similarity(leakage: dict[str, Any]) -> Figure | None:
    histogram = leakage.get("histogram")
    if not histogram:
        return None
    return figures.similarities(histogram["counts"], histogram["edges"], leakage.get("limit"))


def _explanation(path: Path | None) -> list[Figure]:
    """Importance of columns, or one map an item: a logo for DNA, else a heat map."""
    if path is None or not path.is_file() or not len(table := read_table(path)):
        return []
    items = table["item"].fillna("").astype(str)
    if (items == "").all():
        return [figures.importance(table)]
    maps = [rows for _, rows in table.groupby(items, sort=False)]
    return [logo(rows) if is_logo(rows) else figures.mutations(rows) for rows in maps]


def _rules(folder: Path | None, output: str) -> dict[str, Any]:
    """The rules of a model that has such: those that move most, how many there are, and of what."""
    path = (folder or Path()) / "rules.csv"
    if folder is None or not path.is_file():
        return {}
    table = pd.read_csv(path)
    moved = {"values": "adds", "survival": "multiplies the hazard by"}
    rows = [(rule.rule, rule.effect, rule.share) for rule in table.head(MOST_RULES).itertuples()]
    return {"rows": rows, "count": len(table), "moved": moved.get(output, "multiplies the odds by")}


def _networks(folder: Path | None) -> list[Figure]:
    """The Bayesian network of a model that is one, or that of each label: `network.<label>.bif`."""
    found = []
    for file in sorted(folder.glob("network*.bif")) if folder else ():
        network, of = read_bif(file), file.stem.removeprefix("network").removeprefix(".")
        found.append(patients.bayesian_network(network, network.names[-1], of))
    return found


def words(name: str) -> str:
    """A name in config as words: `no_foundation_model` -> `No foundation model`."""
    text = " ".join(SPELT.get(word, word) for word in str(name).split("_"))
    return text[:1].upper() + text[1:]


def score(value: float | None) -> str:
    """Three decimals, or three digits where the number is large."""
    if value is None:
        return "–"
    return (f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}").replace("-", "−")


def signed(value: float) -> str:
    """Three decimals with a sign."""
    return f"{value:+.3f}".replace("-", "−")


def plain(value: Any) -> str:
    """Any JSON value on one line, numbers in a readable form."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {plain(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
