"""One page a person: the answer and how sure it is, what it rests on, what is missing.

For the person's own file and whoever treats them: the pages hold values of single persons, as
predictions do, and lie beside these. All is in the page, so that it opens offline.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import get_application
from bioloom.files import file_names
from bioloom.kinds._calibration import COVERAGE
from bioloom.kinds.survival import FREE, RISK
from bioloom.report.layout import plain, write_page

TEMPLATE, INDEX = "person.html", "index"
MOST_ROWS = 12
"""Of a table of the explanation; the file beside the predictions has all."""
KEPT_OUT = ("sample_id", "model_id", "out_of_distribution", "abstain", "why", "threshold")
SHOWN = {
    "contributions": ("What each observed field contributes", "change"),
    "missing": ("How much each missing field would tell", "bits"),
}
"""Of the tables that models tell: title, and the column by whose size rows are chosen. They are of
the model before calibration; the others are for programs."""


def write_pages(
    samples: pd.DataFrame,
    predictions: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    model: Mapping[str, Any],
    application: str,
    about: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write `<id>.html` of each person in `predictions`, and `index.html`, into `folder`.

    `tables` are what the model tells of single rows (`explanation.rows`), `model` its name, `id`
    and number of `rows` that it learnt from, `about` the title and the section `about` of the task.
    A person who was left out has a page with the reason.
    """
    known = get_application(application).inputs(samples)
    assert isinstance(known, pd.DataFrame), "persons have tables"
    known = known.set_axis(samples["sample_id"].to_numpy(), axis=0)
    of_person = {name: dict(list(table.groupby("sample_id"))) for name, table in tables.items()}
    said = about.get("about") or {}
    shared = {
        "title": about["title"],
        "limits": said.get("limits", ""),
        "source": said.get("source", ""),
        "learnt": model.get("rows"),
        "model": str(model["model"]).replace("_", " "),
        "model_id": model["id"],
    }
    persons = [(str(name), rows) for name, rows in predictions.groupby("sample_id", sort=False)]
    # No person's page takes the place of the index.
    names = file_names([INDEX, *(person for person, _ in persons)])
    files = [f"{name}.html" for name in names[1:]]
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for (person, rows), file in zip(persons, files, strict=True):
        told = {name: of[person] for name, of in of_person.items() if person in of}
        view = view_of(person, rows, known, told)
        write_page(TEMPLATE, folder / file, **shared, **view)
        index.append({"file": file, "person": person, "doubts": view["doubts"]})
    write_page(TEMPLATE, folder / f"{INDEX}.html", **shared, index=index)


def view_of(
    person: str, rows: pd.DataFrame, known: pd.DataFrame, told: Mapping[str, pd.DataFrame]
) -> dict[str, Any]:
    """What the template shows of a person: its predictions, values and tables."""
    observed, missing = values(known, person)
    why = rows["why"].iloc[0] if "why" in rows else None
    return {
        "person": person,
        "answers": answers(rows),
        "doubts": doubts(rows),
        "why": "" if _absent(why) else str(why),
        "known": observed,
        "missing": missing,
        "tables": [shown(name, told[name]) for name in SHOWN if name in told],
    }


def answers(rows: pd.DataFrame) -> list[dict[str, str]]:
    """What is predicted of one person, a dict of words a row; none where there is no answer."""
    answered = rows.dropna(subset=["prediction"])
    answered = answered.sort_values("rank") if "rank" in answered else answered
    return [in_words(row) for _, row in answered.iterrows()]


def in_words(row: pd.Series) -> dict[str, str]:
    """The columns of an answer as name and value; intervals and sets say what they are to hold."""
    said, share = dict[str, str](), f"{COVERAGE:.0%}"
    has_risks = any(str(column).startswith(RISK) for column in row.index)  # the last one is it
    for column, value in row.items():
        name = str(column)
        if name in KEPT_OUT or name in ("low", "high") or name.startswith(FREE) or _absent(value):
            continue
        if name.startswith("p."):
            said[f"probability of {name[2:]}"] = f"{value:.1%}"
        elif name.startswith(RISK):
            said[f"risk by {name.removeprefix(RISK)}"] = f"{value:.1%}"
        elif name == "prediction_set":
            said[f"one of these, for {share} of persons"] = str(value)
        elif name == "probability":
            said[name] = f"{value:.1%}"
        elif name != "prediction" or not has_risks:
            said[name.replace("_", " ")] = _told(value)
    if not _absent(row.get("low")):
        ends = (row["low"], row["high"])
        known = f"{_told(ends[0])} to {_told(ends[1])}" if np.isfinite(ends).all() else ""
        said[f"interval, to hold {share}"] = known or "not known: too few rows to fit it"
    return said


def doubts(rows: pd.DataFrame) -> list[str]:
    """The reasons to doubt the answer, each once."""
    return list(dict.fromkeys(why for text in rows["abstain"] for why in text.split("; ") if why))


def values(known: pd.DataFrame, person: str) -> tuple[dict[str, str], list[str]]:
    """What is known of a person, by column, and the columns that are missing."""
    if person not in known.index:
        return {}, []
    row = known.loc[person]
    said = {str(name): _told(value) for name, value in row.items() if not _absent(value)}
    return said, [str(name) for name, value in row.items() if _absent(value)]


def shown(name: str, table: pd.DataFrame) -> dict[str, Any]:
    """A table of the explanation as head and rows of words, the strongest first."""
    title, strength = SHOWN[name]
    order = table[strength].abs().sort_values(ascending=False, kind="stable").index
    told = table.loc[order].drop(columns="sample_id")
    if told["outcome"].nunique() == 1:
        told = told.drop(columns="outcome")
    rows = [[_told(value) for value in row] for row in told.head(MOST_ROWS).to_numpy(object)]
    head = [str(column).replace("_", " ") for column in told]
    return {"title": title, "head": head, "rows": rows, "left": len(told) - len(rows)}


def _absent(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))


def _told(value: Any) -> str:
    """A value in a readable form."""
    if _absent(value):
        return "–"
    return plain(value.item() if isinstance(value, np.generic) else value)
