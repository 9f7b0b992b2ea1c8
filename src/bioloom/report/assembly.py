"""What the report shows of genomes that were assembled: spectrum, graph and figures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bioloom.files import read_json
from bioloom.report.figures import Figure
from bioloom.report.layout import words
from bioloom.svg import inline

SPECTRUM = (
    "K-mers by how often they occur in the reads, before correction: those of errors are left of "
    "the orange line, those of the genome lie around the dashed one."
)
GRAPH = (
    "Unitigs are lines, about as long as they are and as wide as their coverage says; thin lines "
    "join the ends that overlap."
)


def assemblies(files: dict[str, Path], folder: Path) -> list[dict[str, Any]]:
    """Of each data set that was assembled: figures, pictures, and a link from the page's `folder`.

    `assembly.<data set>` of `files` are the folders that the application has written.
    """
    parts = [(*name.partition(".")[::2], file) for name, file in files.items()]
    return [_one(dataset, made, folder) for what, dataset, made in parts if what == "assembly"]


def _one(dataset: str, made: Path, folder: Path) -> dict[str, Any]:
    figures = read_json(made / "assembly.json")
    graph = None
    if "graph" in figures:
        caption = f"{GRAPH} {_left_out(figures['graph'])}"
        graph = _picture(made / "graph.svg", "Assembly graph", caption, wide=True)
    return {
        "dataset": dataset,
        "figures": [(name, _named(value)) for name, value in figures.items()],
        "spectrum": _picture(made / "spectrum.svg", "K-mer spectrum", SPECTRUM),
        "graph": graph,
        "link": f"{os.path.relpath(made, folder)}/",
    }


def _picture(file: Path, title: str, caption: str, *, wide: bool = False) -> Figure:
    return Figure(inline(file.read_text(encoding="utf-8")), title, caption, wide)


def _left_out(graph: dict[str, int]) -> str:
    """How many unitigs the picture does not have, in words."""
    drawn, left_out = graph["unitigs_drawn"], graph["unitigs"] - graph["unitigs_drawn"]
    if not left_out:
        return f"All {drawn:,} are drawn."
    return (
        f"The {drawn:,} of the largest connected components are drawn, {left_out:,} are left out: "
        "Bandage opens assembly.gfa, which has all."
    )


def _named(value: Any) -> Any:
    """The figures of a part by their names as a reader knows them."""
    return (
        {words(name): figure for name, figure in value.items()}
        if isinstance(value, dict)
        else value
    )
