"""The reporting record of a task: what a reader of a study asks, answered by what the run knows.

Clinical tasks follow TRIPOD+AI (Collins et al. 2024, BMJ 385, e078378), the others DOME (Walsh et
al. 2021, Nature Methods 18, 1122). Items are put in our words. What no file of the run says is said
to be unknown, for an author to fill in: nothing is made up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bioloom import __version__
from bioloom.application import get_application
from bioloom.files import read_json, replacing
from bioloom.kinds import get_kind
from bioloom.metrics import told_difference
from bioloom.privacy.small_cells import count_shown

UNKNOWN = "*not known to this run*"
BAR = r"\|"
"""A bar that ends no cell of a table, such as that of a code `http://loinc.org|2339-0`."""


@dataclass(frozen=True)
class Facts:
    """What a run wrote of one task; a file that is not there is empty."""

    task: dict[str, Any]
    metrics: dict[str, Any]
    quality: dict[str, Any]
    leakage: dict[str, Any]
    features: dict[str, Any]
    model: dict[str, Any]

    @classmethod
    def of(cls, files: Mapping[str, Path]) -> Facts:
        """Read the files of a task, by what they are (`report.page.build_page`)."""
        described = files.get("model", Path()) / "model.yaml"
        yamls = {"task": files.get("task"), "model": described}
        names = ("metrics", "quality", "leakage", "features")
        return cls(
            **{name: _read(path, _yaml) for name, path in yamls.items()},
            **{name: _read(files.get(name), read_json) for name in names},
        )

    def about(self, key: str) -> str | None:
        """What the task's `about` says of its source, licence or limits."""
        return (self.task.get("about") or {}).get(key)


def _read(path: Path | None, read: Callable[[Path], Any]) -> dict[str, Any]:
    return read(path) if path is not None and path.is_file() else {}


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


Answer = Callable[[Facts], str | None]


def write_record(name: str, files: Mapping[str, Path], out: Path) -> None:
    """Write the record of a task with these files."""
    with replacing(out) as temporary:
        temporary.write_text(record(name, Facts.of(files)), encoding="utf-8")


def record(name: str, facts: Facts) -> str:
    """The record of a task as Markdown."""
    clinical = get_application(facts.task["application"]).private
    items = TRIPOD if clinical else DOME
    which = "TRIPOD+AI" if clinical else "DOME"
    lines = [
        f"# Reporting record of {facts.task.get('title') or name} ({which})",
        "",
        f"Written by bioloom {__version__} from the files of the run. What is {UNKNOWN},",
        "an author must say.",
    ]
    for section, asked in items.items():
        lines += ["", f"## {section}", "", "| item | answer |", "|---|---|"]
        for item, answer in asked.items():
            said = " ".join((answer(facts) or UNKNOWN).split())
            lines.append(f"| {item} | {said.replace('|', BAR)} |")
    return "\n".join(lines) + "\n"


def _unknown(facts: Facts) -> None:
    return None


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {_plain(value)}" for key, value in values.items())


def _counts(facts: Facts, counts: Mapping[str, Any]) -> str:
    """Counts by name; of persons none of a few."""
    private = get_application(facts.task["application"]).private
    shown = {n: count_shown(c, private) if isinstance(c, int) else c for n, c in counts.items()}
    return _listed(shown)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{_listed(value)}}}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_plain, value)) + "]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _outcome(facts: Facts) -> str:
    kind = get_kind(facts.metrics["kind"])
    said = f"{kind.name.replace('_', ' ')}"
    labels = facts.quality.get("labels")
    if isinstance(labels, Mapping):
        said += f"; {_counts(facts, labels)} in the cleaned data"
    if positive := facts.metrics.get("positive"):
        said += f"; the positive class is {positive}"
    if horizons := facts.model.get("horizons"):
        said += f"; risks by {_plain(horizons)}"
    return said


def _cleaning(facts: Facts) -> str:
    dropped = facts.quality.get("dropped", {})
    left = f"; left out: {_counts(facts, dropped)}" if dropped else "; none is left out"
    notes = "; ".join(facts.quality.get("notes", []))
    return (
        f"{facts.quality['rows_kept']} of {facts.quality['rows_in']} rows kept{left}"
        + (f". {notes}" if notes else "")
        if "rows_kept" in facts.quality
        else ""
    )


def _predictors(facts: Facts) -> str:
    columns = facts.quality.get("columns", {})
    made = f"{facts.features.get('features', '')} features by {facts.features.get('identity', '')}"
    return f"{made}; of the columns {', '.join(columns)}" if columns else made


def _missing(facts: Facts) -> str | None:
    columns = facts.quality.get("columns", {})
    gaps = {name: c["missing"] for name, c in columns.items() if c.get("missing")}
    told = f"missing values: {_counts(facts, gaps)}. " if gaps else "no value is missing. "
    return told + "Gaps of numbers are filled with the training median, unless the model takes them"


def _sizes(facts: Facts) -> str:
    n = facts.metrics["n"]
    return (
        f"{n['train']} training, {n['valid']} validation and {n['test']} test samples of "
        f"{n['test_groups']} groups; {n['folds']} folds, {n['repeats']} repeats. No sample "
        "size was calculated beforehand by this run"
    )


def _split(facts: Facts) -> str | None:
    leakage = facts.leakage
    said = [leakage.get("split")]
    if "groups_across_splits" in leakage:
        said.append(f"{leakage['groups_across_splits']} groups on two sides")
    if leakage.get("largest") is not None:
        said.append(
            f"largest similarity of a test to a training sample {leakage['largest']:.3g} "
            f"({leakage['measure']})"
        )
    return "; ".join(filter(None, said)) or None


def _training(facts: Facts) -> str:
    options = {k: v for k, v in (facts.task.get("model") or {}).items() if k not in ("name", "of")}
    name = facts.model.get("model", (facts.task.get("model") or {}).get("name", ""))
    members = [m["name"] for m in (facts.task.get("model") or {}).get("of", [])]
    said = f"{name}" + (f" of {', '.join(members)}" if members else "")
    said += f" ({_listed(options)})" if options else " with its defaults"
    return said + f"; seed {facts.model.get('seed', '')}"


def _final(facts: Facts) -> str | None:
    if "refitted" not in facts.model:
        return None
    rows = facts.model.get("rows", "")
    what = f"refitted on all {rows} rows" if facts.model["refitted"] else f"{rows} training rows"
    return f"model for new data: {what}; model.yaml has parameters and digests of its inputs"


def _calibration(facts: Facts) -> str | None:
    told = []
    if facts.model.get("threshold") is not None:
        told.append(
            f"threshold {_plain(facts.model['threshold'])} by the rule "
            f"{facts.model.get('threshold_rule')}"
        )
    temperature = facts.model.get("temperature")
    if temperature and get_kind(facts.metrics["kind"]).output in ("classes", "labels"):
        told.append(f"log probabilities divided by temperature {temperature:.3g}")
    if facts.model.get("quantile") or facts.model.get("lines"):
        told.append(f"sets or intervals made to hold the truth for {facts.model['coverage']:.0%}")
    return "; ".join(told) or None


def _scores(facts: Facts) -> str:
    test = facts.metrics["test"]
    names = [name for name in test if not name.endswith(("_low", "_high"))]
    kind = get_kind(facts.metrics["kind"])
    ordered = sorted(names, key=lambda name: name != facts.metrics["primary"])
    return "; ".join(kind.metric(name).told(test) for name in ordered)


def _measures(facts: Facts) -> str:
    return f"{get_kind(facts.metrics['kind']).metric(facts.metrics['primary']).label} decides"


def _confidence(facts: Facts) -> str:
    drawn = facts.metrics["bootstrap"]
    return f"{drawn['level']:.0%} intervals of {drawn['resamples']} resamples of whole groups"


def _comparison(facts: Facts) -> str:
    names = ", ".join(facts.metrics["baselines"])
    difference = facts.metrics.get("difference")
    told = f"baselines {names}; {facts.metrics['verdict']}"
    return f"{told}: {told_difference(difference)}" if difference else told


def _doubts(facts: Facts) -> str:
    flags = [*facts.metrics.get("flags", []), *facts.leakage.get("flags", [])]
    return "; ".join(flags) or "the run raised no flag"


def _fairness(facts: Facts) -> str | None:
    columns = (facts.task.get("evaluate") or {}).get("subgroups")
    return f"scores by {', '.join(columns)} in plots/subgroups.csv" if columns else None


def _scored(facts: Facts) -> str | None:
    datasets = (facts.task.get("datasets") or {}).items()
    scored = [name for name, said in datasets if isinstance(said, dict) and said.get("scored")]
    return f"scored on {', '.join(scored)}, which nothing was trained on" if scored else None


def _availability(facts: Facts) -> str:
    packages = _listed(facts.model.get("packages", {}))
    return f"bioloom {__version__}, Apache-2.0; {packages}; results/<task>/model, snakemake.lock"


def _limits(facts: Facts) -> str | None:
    return facts.about("limits")


def _source(facts: Facts) -> str | None:
    source, licence = facts.about("source"), facts.about("licence")
    return f"{source}; licence: {licence}" if source and licence else source


def _weights(facts: Facts) -> str:
    weighted = facts.metrics.get("weights", "none")
    chosen = (facts.task.get("model") or {}).get("class_weight")
    return f"class weights: {chosen or 'none'}; sample weights: {weighted}"


TRIPOD: dict[str, dict[str, Answer]] = {
    "Title, background and aims": {
        "1 what is predicted, in whom": lambda f: f.task.get("title"),
        "3 context, existing models, intended use": _unknown,
        "4 development or evaluation": lambda _: "development, with internal validation",
    },
    "Data": {
        "5a source of data": _source,
        "5b dates of recruitment and follow-up": _unknown,
        "6 setting, eligibility, treatments received": _unknown,
        "7 preparation and quality": _cleaning,
        "8 outcome": _outcome,
        "9 predictors": _predictors,
        "10 sample size": _sizes,
        "11 missing data": _missing,
    },
    "Analysis": {
        "12a how data were divided": _split,
        "12c model, its building and internal validation": _training,
        "12e measures of performance": lambda f: f"{_measures(f)}; {_confidence(f)}",
        "12f the final model": _final,
        "13 class imbalance": _weights,
        "14 fairness": _fairness,
        "15 output, threshold and calibration": _calibration,
        "16 data of other places or times": _scored,
        "17 ethical approval": _unknown,
    },
    "Open science": {
        "18a funding": _unknown,
        "18b conflicts of interest": _unknown,
        "18c protocol and registration": _unknown,
        "18e sharing of data": lambda f: f.about("licence"),
        "18f sharing of code": _availability,
        "19 patient and public involvement": _unknown,
    },
    "Results": {
        "20 flow and characteristics of participants": _cleaning,
        "21 numbers of participants and outcomes in each part": _sizes,
        "22 full model": _final,
        "23a performance with intervals": _scores,
        "23b against simpler models": _comparison,
    },
    "Discussion": {
        "25 interpretation": _unknown,
        "26 limitations": lambda f: "; ".join(filter(None, (_limits(f), _doubts(f)))),
        "27 usability with poor or missing inputs": lambda _: (
            "new data are checked against the signature of training; predictions say why to abstain"
        ),
    },
}
"""Section -> item (our words, their numbers) -> answer."""


DOME: dict[str, dict[str, Answer]] = {
    "Data": {
        "provenance": _source,
        "outcome and numbers": lambda f: f"{_outcome(f)}. {_sizes(f)}",
        "cleaning": _cleaning,
        "splits and redundancy between them": _split,
        "availability": lambda f: f.about("licence"),
    },
    "Optimization": {
        "algorithm and parameters": _training,
        "features and encoding": _predictors,
        "final model": _final,
        "threshold and calibration": _calibration,
        "fitting: over or under": lambda _: (
            "stopped by validation rows where the model can; naive and simple baselines beside it"
        ),
        "availability of configuration": lambda _: "task.yaml beside this record's model",
    },
    "Model": {
        "interpretability": lambda _: "explanation.parquet: permutation, mutagenesis or rules",
        "software": _availability,
        "execution time": _unknown,
    },
    "Evaluation": {
        "method": _split,
        "performance": _scores,
        "comparison": _comparison,
        "confidence": _confidence,
        "independent data": _scored,
        "limits and doubts": lambda f: "; ".join(filter(None, (_limits(f), _doubts(f)))),
    },
}
"""Section -> item -> answer."""
