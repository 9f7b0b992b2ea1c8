"""The first page of the report: one line a task, which leads to the task's own page."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bioloom.files import read_json
from bioloom.report.layout import words, write_page
from bioloom.report.results import Result, difference_scales

WIDTH, MARGIN = 96, 5
"""Of the drawing of a difference, in CSS pixels; the margin is for a dot at its end."""


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
    scales = difference_scales(results)
    rows = [
        {
            "result": result,
            "page": os.path.relpath(tasks[result.task]["page"], Path(out).parent),
            "strip": _strip(result.difference, scales[result.metric]),
        }
        for result in results
    ]
    script = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
    applications = sorted({result.application for result in results})
    write_page(
        "overview.html", out, rows=rows, applications=applications, width=WIDTH, script=script
    )


def _strip(difference: Mapping[str, Any], widest: float) -> dict[str, float]:
    """Where a difference and its ends lie on an axis with zero in the middle, in CSS pixels."""
    return {
        end: round(WIDTH / 2 + (WIDTH / 2 - MARGIN) * difference[end] / widest, 1)
        for end in ("value", "low", "high")
        if end in difference
    }
