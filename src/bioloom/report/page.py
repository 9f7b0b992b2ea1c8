"""The page of one task with everything measured: opens offline, fetches nothing.

Its scores beside the baselines, predictions of new data, curves, data quality, split and leakage,
explanation and model card. What a task does not have is left out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bioloom.application import get_application
from bioloom.files import read_json
from bioloom.formats.bif import read_bif
from bioloom.kinds import get_kind, is_balanced
from bioloom.privacy.small_cells import count_shown
from bioloom.report import figures, pairs, patients
from bioloom.report.assembly import assemblies
from bioloom.report.described import filled_in
from bioloom.report.figures import Figure
from bioloom.report.layout import words, write_page
from bioloom.report.logos import is_logo, logo
from bioloom.report.new_data import new_data
from bioloom.report.record import Facts
from bioloom.report.results import Result
from bioloom.samples import read_table, read_written

DRAWN = ("histogram", "shares", "flags")  # of leakage.json, shown in another way than the rest
AUDITED = {
    "largest": "largest similarity",
    "quantiles": "similarity to the nearest",
    "distance": "distance to the nearest",
    "sizes": "mean sizes",
}
"""Keys of leakage.json as a reader knows them."""
NAMED = ("embedder", "identity", "features")  # of features.json: in the card under another name
HEADINGS = {
    "scores": "Scores",
    "scored": "On other data",
    "predicted": "Predictions of new data",
    "assembly": "Assembly",
    "curves": "Curves",
    "reads": "Reads",
    "quality": "Data",
    "leakage": "Split and leakage",
    "explanation": "Explanation",
    "rules": "Rules",
    "card": "Model card",
}
"""The parts of the page, of which a task has some."""
MOST_RULES = 12
NAMES = ("class", "target", "subgroup", "option", "received", "source", "event")
CLASSES = ("observed", "predicted")
"""Columns of plot tables that hold names; those of classes hold numbers in other tables."""
NAIVE = "naive"
"""The baseline that knows nothing of a sample."""


def build_page(
    name: str,
    files: dict[str, Path],
    out: Path,
    title: str | None = None,
    about: Mapping[str, str] | None = None,
    overview: Path | None = None,
) -> None:
    """Write the page of a task with its files, of which only `metrics` is needed.

    Files: `metrics`, `quality`, `leakage`, `features` (JSON), `explanation` (Parquet), `plots`
    (folder of CSV), `model` (folder), `task` (YAML); of a data set of reads `reads.<data set>`
    (JSON) and `multiqc.<data set>`, a page that is linked; of new data `predictions.<data set>`
    (Parquet), `drift.<data set>` (JSON) and, of genomes, `assembly.<data set>` (folder), and of
    those whose labels are compared `scored.<data set>`, their metrics. `about` is the task's
    source, licence and limits; `overview` is the page that leads to this one.
    """
    facts, folder = Facts.of(files), Path(out).parent
    metrics = facts.metrics
    application, kind = get_application(metrics["application"]), get_kind(metrics["kind"])
    result = Result(name, title or words(name), metrics)
    label = f"{result.metric.label}{_caution(metrics)}"
    model = {**facts.model, **_members(files.get("model", Path()))}
    task = files["task"].read_text(encoding="utf-8") if "task" in files else ""
    parts: dict[str, Any] = {
        "scores": score_table(metrics),
        "scored": _scored(name, files),
        "predicted": new_data(files, folder, application.private),
        "assembly": assemblies(files, folder),
        "curves": _curves(files.get("plots"), metrics, label),
        "reads": _reads(files, folder),
        "quality": facts.quality,
        "leakage": facts.leakage,
        "explanation": _explanation(files.get("explanation")) + _networks(files.get("model")),
        "rules": _rules(files.get("model"), kind.output, facts.model),
        "card": model_card(about or {}, model, facts.features, filled_in(task)),
    }
    write_page(
        "page.html",
        out,
        result=result,
        metrics=metrics,
        label=label,
        noun=application.noun,
        overview=os.path.relpath(overview, folder) if overview else "",
        headings={part: heading for part, heading in HEADINGS.items() if parts[part]},
        forest=figures.forest(_primary_scores(metrics), label),
        similarity=_similarity(facts.leakage),
        audit=audit(facts.leakage, application.private),
        model=model,
        task=task,
        **parts,
    )


def score_table(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a metric: label, direction, and value with interval of the model and each baseline.

    The best of a row is one of the models that say something: who calls all finds all, and who
    knows no more than how frequent a class is has no calibration error.
    """
    models = {"model": metrics["test"], **metrics["baselines"]}
    kind = get_kind(metrics["kind"])
    silent = _silent(metrics)
    names = [key for key in metrics["test"] if not key.endswith(("_low", "_high"))]
    rows = []
    for name in sorted(names, key=lambda key: key != metrics["primary"]):
        metric = kind.metric(name)
        known = [s[name] for model, s in models.items() if name in s and model not in silent]
        tells = metric.ordered and len(set(known)) > 1
        best = (min if metric.lower_is_better else max)(known, default=None)
        cells = [
            {
                "model": model,
                "value": scores.get(name),
                "low": scores.get(f"{name}_low"),
                "high": scores.get(f"{name}_high"),
                "best": tells and model not in silent and scores.get(name) == best,
            }
            for model, scores in models.items()
        ]
        label = f"{metric.label}{_caution(metrics)}"
        rows.append({"label": label, "lower": metric.lower_is_better, "cells": cells})
    return rows


def _silent(metrics: dict[str, Any]) -> set[str]:
    """The models that are no better than the naive one, where that is not the one to beat."""
    kind, primary = get_kind(metrics["kind"]), metrics["primary"]
    models = {"model": metrics["test"], **metrics["baselines"]}
    naive = metrics["baselines"].get(NAIVE, {}).get(primary)
    if naive is None or kind.decisive == NAIVE:
        return set()
    sign = -1 if kind.metric(primary).lower_is_better else 1
    return {name for name, s in models.items() if sign * (s.get(primary, naive) - naive) <= 0}


def _caution(metrics: dict[str, Any]) -> str:
    """What stands behind each score of treatments that were not randomised."""
    return ", an association" if metrics.get("association") else ""


def audit(leakage: dict[str, Any], private: bool) -> list[tuple[str, Any]]:
    """(name, value) of the leakage audit, but what is drawn; of persons no count of a few."""
    return [
        (
            AUDITED.get(name, name),
            count_shown(value, private) if isinstance(value, int) else _by_percent(value),
        )
        for name, value in leakage.items()
        if name not in DRAWN
    ]


def _by_percent(value: Any) -> Any:
    """Quantiles by their names as a reader knows them: `{"0.05": 0.4}` -> `{"5 %": 0.4}`."""
    if not isinstance(value, dict) or not all(name.startswith("0.") for name in value):
        return value
    return {f"{100 * float(share):g} %": number for share, number in value.items()}


def model_card(
    about: Mapping[str, str],
    model: dict[str, Any],
    features: dict[str, Any],
    filled: list[str],
) -> list[tuple[str, Any]]:
    """(name, value) of what a user of the model should know, in reading order."""
    output = get_kind(model["kind"]).output if "kind" in model else None
    classes = model.get("outputs", []) if output == "classes" else []
    fitted = model.get("quantile") or model.get("lines")
    coverage = model.get("coverage") if fitted else None
    held = "the mean outcome of patients alike" if "lines" in model else "the truth"
    is_table = features.get("embedder") == "table"
    card = [
        *((key, about.get(key)) for key in ("source", "licence", "limits")),
        ("predicts", words(model.get("kind", ""))),
        ("model", words(model.get("model", ""))),
        ("learnt from", _learnt(model)),
        ("weights of its members", model.get("members")),
        ("filled in by defaults", filled),
        *((key, model.get(key)) for key in ("parameters", "features", "seed")),
        ("classes", classes),
        ("labels", model.get("outputs") if output == "labels" else None),
        ("positive class", classes[-1] if len(classes) == 2 else None),
        ("probabilities hold for", _share(model)),
        *((key, model.get(key)) for key in ("threshold", "threshold_rule")),
        ("temperature", model.get("temperature") if output in ("classes", "labels") else None),
        ("horizons", model.get("horizons")),
        ("sets and intervals", f"made to hold {held} for {coverage:.0%}" if coverage else ""),
        ("number of features", features.get("features")),
        *(
            ("rows" if key == "sequences" and is_table else key, value)
            for key, value in features.items()
            if key not in NAMED
        ),
    ]
    return [(name, value) for name, value in card if value not in (None, "", [], {})]


def _members(folder: Path) -> dict[str, Any]:
    """Of a model made of several: `members`, the weight of each."""
    path = folder / "members.csv"
    if not path.is_file():
        return {}
    table = read_written(path)
    names = table["member"].map(words) + table.groupby("member").cumcount().map(
        lambda n: f" {n + 1}" if n else ""
    )
    if "remark" in table:
        names += table["remark"].fillna("").map(lambda said: f" ({said})" if said else "")
    return {"members": dict(zip(names, table["weight"].tolist(), strict=True))}


def _share(model: dict[str, Any]) -> str:
    """At which share of the positive class its probabilities are right, in words."""
    if "share" not in model:
        return ""
    share, name = model["share"], model["outputs"][-1]
    weighed = is_balanced(model.get("parameters", {}))
    why = "as its class weights have it" if weighed else "as in training"
    return f"{share:.1%} {name}, {why}; `prior` of a data set says another share"


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


def _curves(folder: Path | None, metrics: dict[str, Any], label: str) -> list[Figure]:
    against = metrics.get("difference", {}).get("against")
    draw = {
        "roc": lambda table: figures.roc(table, against),
        "pr": lambda table: figures.precision_recall(table, against),
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
        "metric_by_distance": lambda table: figures.by_distance(table, label, against),
        "learning_curve": lambda table: figures.learning_curve(
            table, label, against, metrics.get("labels_worth", "")
        ),
    }
    drawn = []
    for name, figure in draw.items():
        path = (folder or Path()) / f"{name}.csv"
        named = (*NAMES, *(CLASSES if name == "confusion" else ()))
        if not path.is_file() or (table := read_written(path, named)).empty:
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


def _scored(task: str, files: dict[str, Path]) -> list[dict[str, Any]]:
    """Of each labelled data set that is not trained on: what its metrics say."""
    found = []
    for name, file in files.items():
        what, _, dataset = name.partition(".")
        if what == "scored":
            found.append({"dataset": dataset, "result": Result(task, dataset, read_json(file))})
    return found


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


def _rules(folder: Path | None, output: str, model: Mapping[str, Any]) -> dict[str, Any]:
    """The rules of a model that has such: those that move most, how many there are, and of what.

    Of several classes or labels each rule says of which it is. And the first tree as a picture,
    where there is one answer.
    """
    path = (folder or Path()) / "rules.csv"
    if folder is None or not path.is_file():
        return {}
    table = read_written(path)
    others = 0
    if output == "survival":  # the page does not show the rules of events that compete
        others = int((table["answer"] > 0).sum())
        table = table[table["answer"] == 0]
    elif table["answer"].nunique() > 1:
        of = table["answer"].map(dict(enumerate(model["outputs"])))
        table = table.assign(rule=of + ": " + table["rule"])
    added = {1.0: "adds", 0.5: "adds to the square root", 0.0: "adds to the logarithm"}
    moved = {
        "values": added[model.get("power", 1.0)],
        "survival": "multiplies the hazard by",
    }
    rows = [(rule.rule, rule.effect, rule.share) for rule in table.head(MOST_RULES).itertuples()]
    told = moved.get(output, "multiplies the odds by")
    found: dict[str, Any] = {"rows": rows, "count": len(table), "others": others, "moved": told}
    if (drawn := folder / "tree.csv").is_file():
        tree = read_written(drawn)
        tree = tree[tree["answer"] == 0] if output == "survival" else tree
        if tree["answer"].max() == 0 and len(tree) > 1:
            found["tree"] = patients.tree(tree, told)
    return found


def _networks(folder: Path | None) -> list[Figure]:
    """The Bayesian network of a model that is one, or that of each label: `network.<label>.bif`."""
    found = []
    for file in sorted(folder.glob("network*.bif")) if folder else ():
        network, of = read_bif(file), file.stem.removeprefix("network").removeprefix(".")
        found.append(patients.bayesian_network(network, network.names[-1], of))
    return found
