"""The first page of the report: one line a task, which leads to the task's own page."""

from __future__ import annotations

import os
from collections.abc import Mapping
from math import isfinite
from pathlib import Path

from bioloom.files import read_json
from bioloom.report.layout import words, write_page
from bioloom.report.results import Result, scales

WIDTH, MARGIN = 96, 5
"""Of the drawing of a score, in CSS pixels; the margin is for a dot at its end."""


def build_overview(
    tasks: Mapping[str, Mapping[str, Path]], titles: Mapping[str, str], out: Path
) -> None:
    """Write the page for `tasks`: name -> its `metrics` (JSON) and its `page`, which is linked.

    A task without a title goes by its name. The page has no figure and stays light: a hundred
    tasks open at once. Its script sorts and filters the lines, which all stand there without it.
    """
    results = [
        Result(name, titles.get(name, words(name)), read_json(files["metrics"]))
        for name, files in tasks.items()
    ]
    drawn = scales(results)
    rows = [
        {
            "result": result,
            "page": os.path.relpath(tasks[result.task]["page"], Path(out).parent),
            "strip": _strip(result, drawn.get(result.metric)),
        }
        for result in results
    ]
    script = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    applications = sorted({result.application for result in results})
    write_page(
        "overview.html", out, rows=rows, applications=applications, width=WIDTH, script=script
    )


def _strip(result: Result, scale: tuple[float, float] | None) -> dict[str, float]:
    """Where a score, its ends and the best baseline lie, in CSS pixels; better is to the right."""
    worst, best = scale or (0.0, 0.0)
    room = WIDTH - 2 * MARGIN
    return {
        name: round(MARGIN + room * (value - worst) / (best - worst or 1.0), 1)
        for name in ("value", "low", "high", "baseline")
        if (value := getattr(result, name)) is not None and isfinite(value)
    }
