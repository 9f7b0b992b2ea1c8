"""task.yaml of the results: a task with all that was filled in, which is marked as such."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

import yaml

MARK = "# filled in, the task's file does not say it:"


def described(content: Mapping[str, Any], filled: Collection[str]) -> str:
    """The sections of a task as YAML, each of those `filled` under a line that says so."""
    parts = []
    for name in sorted(content):
        text = yaml.safe_dump({name: content[name]}, allow_unicode=True, width=100)
        parts.append(f"{MARK}\n{text}" if name in filled else text)
    return "".join(parts)


def filled_in(text: str) -> list[str]:
    """The names of the sections that are marked in such a text."""
    return [line.partition(":")[0] for mark, line in pairwise(text.splitlines()) if mark == MARK]
