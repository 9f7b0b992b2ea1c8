"""What the report's pages share: the frame in layout.html, and how numbers and names are written.

A page is one file that opens offline and fetches nothing; what it has of a script may only run as
it was written here.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bioloom import __version__
from bioloom.files import replacing
from bioloom.metrics import digits

if TYPE_CHECKING:
    from jinja2 import Environment

UPPER = ("svm", "dnn", "cnn", "gnn", "lstm", "clr", "n50", "ng50", "nga50", "gc", "qv")
SPELT = {name: name.upper() for name in UPPER} | {
    "unirep": "UniRep",
    "kmer": "k-mer",
    "kmers": "k-mers",
    "100kb": "100 kb",
}
SIGNS = {"better": "▲", "worse": "▼", "equal": "●", "none": "○"}
"""What stands before a verdict, so that it is not told by its colour alone."""


def write_page(template: str, out: Path, **values: Any) -> None:
    """Write the page that a template of this folder makes of `values`."""
    page = _environment().get_template(template).render({"script": ""} | values)
    with replacing(out) as temporary:
        temporary.write_text(page, encoding="utf-8")


@cache
def _environment() -> Environment:
    """The templates of this folder, and what they may call."""
    from jinja2 import Environment, FileSystemLoader

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(digest=_digest, plain=plain, score=score, signed=signed)
    environment.filters.update(sentence=sentence, words=words)
    environment.globals.update(interval=interval, signs=SIGNS, version=__version__)
    return environment


def words(name: str) -> str:
    """A name in config as words: `no_foundation_model` -> `No foundation model`."""
    text = " ".join(SPELT.get(word, word) for word in str(name).split("_"))
    return text[:1].upper() + text[1:]


def score(value: float | None) -> str:
    """A number as `digits` writes it, with a minus."""
    return "–" if value is None else digits(value).replace("-", "−")


def signed(value: float) -> str:
    """The same with a sign."""
    return digits(value, "+").replace("-", "−")


def sentence(text: str) -> str:
    """A sentence with a capital, and names of columns in it as they are."""
    return text[:1].upper() + text[1:]


def interval(low: float | None, high: float | None, with_sign: bool = False) -> str:
    """The ends of an interval; nothing where there is none: templates hand on what is undefined."""
    told = signed if with_sign else score
    if isinstance(low, int | float) and isinstance(high, int | float):
        return f"{told(low)} to {told(high)}"
    return ""


def plain(value: Any) -> str:
    """Any JSON value on one line, numbers in a readable form."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {plain(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or isinstance(value, float) and value.is_integer():
        return f"{value:,.0f}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _digest(script: str) -> str:
    """The hash by which a browser knows a script that may run."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
