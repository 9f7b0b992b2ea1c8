"""GFA 1: an assembly graph. Segments come before links, and overlaps are nM, as viewers need it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from bioloom.files import replacing


class Segment(NamedTuple):
    """A sequence of the graph, and how often its letters were read."""

    name: str
    sequence: str
    coverage: float


class Link(NamedTuple):
    """The end of one oriented segment is the start of the other."""

    source: str
    source_reverse: bool
    target: str
    target_reverse: bool
    overlap: int  # letters


def write_gfa(segments: Iterable[Segment], links: Iterable[Link], path: str | Path) -> None:
    """Write a graph, with the depth of each segment as the tag DP."""
    with replacing(path) as temporary, temporary.open("w") as stream:
        stream.write("H\tVN:Z:1.0\n")
        for name, sequence, coverage in segments:
            stream.write(f"S\t{name}\t{sequence}\tLN:i:{len(sequence)}\tDP:f:{coverage:.2f}\n")
        for link in links:
            one, other = ("-" if r else "+" for r in (link.source_reverse, link.target_reverse))
            places = f"{link.source}\t{one}\t{link.target}\t{other}"
            stream.write(f"L\t{places}\t{link.overlap}M\n")


def read_gfa(path: str | Path) -> tuple[list[Segment], list[Link]]:
    """The segments and links of a graph; lines of other kinds are passed over.

    The coverage is the tag DP, else that of the k-mers that were counted (KC) a letter.
    """
    segments, links = [], []
    with Path(path).open() as stream:
        for line in stream:
            kind, *fields = line.rstrip("\n").split("\t")
            if kind == "S":
                name, sequence, *rest = fields
                tags = {tag[:2]: tag[5:] for tag in rest}
                coverage = tags.get("DP") or float(tags.get("KC", 0)) / max(len(sequence), 1)
                segments.append(Segment(name, sequence, float(coverage)))
            elif kind == "L":
                source, one, target, other, overlap = fields[:5]
                letters = int(overlap.removesuffix("M"))
                links.append(Link(source, one == "-", target, other == "-", letters))
    return segments, links
