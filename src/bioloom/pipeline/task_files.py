"""Task files: YAML, one task each; `like:` names another task whose content a file changes.

A mapping is merged into that of the other file, key by key; anything else takes its place, and null
takes it away. The name of a file is that of its task.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bioloom.errors import DataError, unknown_name
from bioloom.limits import MOST_CONFIGURED, raised_by

Content = dict[str, Any]

METHODS = {"model": "name", "split": "method", "features": "embedder"}
"""Section -> its key by which its other keys go."""


@dataclass(frozen=True)
class TaskFile:
    """A file, what it says by itself, and the file that it is like."""

    path: Path
    own: Content
    like: TaskFile | None = None

    @property
    def content(self) -> Content:
        """The whole task: the other file's content under this one's."""
        own = {key: value for key, value in self.own.items() if key != "like"}
        return merged(self.like.content, own) if self.like else own

    @property
    def files(self) -> list[TaskFile]:
        """The file and all that it is like, nearest first."""
        return [self, *(self.like.files if self.like else [])]


def read_task_files(*folders: Path) -> dict[str, TaskFile]:
    """Task name -> its file, for all of some folders, in the order of their names in each."""
    files = dict[str, TaskFile]()
    for folder in folders:
        for path in _paths(folder):
            if path.stem in files:
                other = files[path.stem].path
                hint = "results are by name: call one otherwise"
                raise DataError(f"{other} is a task of this name, too", file=path, hint=hint)
            files[path.stem] = read_task_file(path)
    return files


def _paths(folder: Path) -> list[Path]:
    if not os.path.isdir(folder):
        hint = "`tasks` in config.yaml names the folders with one file a task"
        raise DataError(f"There is no folder {str(folder)!r} with tasks", hint=hint)
    if others := sorted(folder.glob("*.yml")):
        raise DataError("This is read as no task", file=others[0], hint="let its name end in .yaml")
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise DataError("No task in this folder", file=folder, hint="a task is a file <name>.yaml")
    return paths


def read_task_file(path: Path, likes: tuple[Path, ...] = ()) -> TaskFile:
    """A task file with those that it is like; `likes` are the files that led here."""
    own = _read_mapping(path)
    name = own.get("like")
    if name is None:
        return TaskFile(path, own)
    if not isinstance(name, str):
        raise DataError(f"`like` takes the name of one task, got {name!r}", file=path)
    # A path that ends in .yaml is relative to the file; a name is that of a file beside it.
    other = path.parent / (name if name.endswith(".yaml") else f"{name}.yaml")
    if not os.path.isfile(other):
        folder = Path(os.path.normpath(other.parent))
        known = sorted(file.stem for file in folder.glob("*.yaml") if file != path)
        error = unknown_name("task", name, known, " after `like:`")
        raise DataError(f"{path}: {error} ({folder / other.name} is not there)")
    led = (*likes, path)
    if other.resolve() in [file.resolve() for file in led]:
        circle = " is like ".join(file.stem for file in (*led, other))
        raise DataError(f"{circle}: a circle", file=path, hint="one of them must say all")
    return TaskFile(path, own, read_task_file(other, led))


def refuse_unfolding(content: Any, path: Path) -> None:
    """DataError where anchors that name anchors make a few lines into more than the limit."""
    sizes: dict[int, int] = {}  # of each list and mapping, which anchors share

    def size(value: Any) -> int:
        if not isinstance(value, list | dict):
            return 1
        if id(value) not in sizes:
            parts = value.values() if isinstance(value, dict) else value
            sizes[id(value)] = 1 + sum(map(size, parts))
        return sizes[id(value)]

    if (count := size(content)) > MOST_CONFIGURED:
        message = f"Its anchors unfold to {count:,} values, more than {MOST_CONFIGURED:,}"
        raise DataError(message, file=path, hint=raised_by("MOST_CONFIGURED"))


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> Content:
    """`over` merged into `under`; null removes a key.

    A section of another method takes over nothing of the one before: it has other options.
    """
    result = dict(under)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            below = result.get(key)
            below = below if isinstance(below, Mapping) else {}
            method = METHODS.get(key, "")
            before, after = below.get(method), value.get(method)
            is_other = after is not None and before not in (None, after)
            result[key] = merged({} if is_other else below, value)
        else:
            result[key] = value
    return result


# What is no text without quotes. YAML 1.1, which PyYAML reads, would also take a column `No` for
# false, an id 00012 for 10, 12:30 for 750 and 2021-03-04 for a date; here they are what they say.
_PLAIN = {
    "bool": ("true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": ("0|-?[1-9][0-9]*", "-0123456789"),
    "float": (
        r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "null": ("~|null|Null|NULL|", ["~", "n", "N", ""]),
    "merge": ("<<", "<"),
}


class Respelt(float):
    """A number that Python writes otherwise than the file does: 1.10, which as a word is no 1.1."""

    text: str
    """As it stands in the file."""


class _TaskLoader(yaml.SafeLoader):
    """Plain values alone, as of SafeLoader; what cannot be one has a row in the message.

    Refuses a key that a mapping has twice (YAML would take the last and say nothing), a mapping
    that holds itself, and a scalar that is not of the type that it is said to be (`!!int a`).
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            # A list or a mapping as key is SafeLoader's to refuse, and `<<` may come again.
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if (key.tag, key.value) in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value!r} is there twice", problem_mark=key.start_mark
                )
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            # Deep: the parts before the whole, which is how PyYAML sees a mapping in itself.
            return super().construct_object(node, deep=True)
        except (ValueError, LookupError, AttributeError) as error:  # of int(), datetime, ...
            kind = node.tag.rpartition(":")[2]
            problem = f"{node.value!r} is no {kind}; in quotes it is text"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from error


def _number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    value = loader.construct_yaml_float(node)
    if repr(value) == node.value:
        return value
    number = Respelt(value)
    number.text = node.value
    return number


_TaskLoader.add_constructor("tag:yaml.org,2002:float", _number)
_TaskLoader.yaml_implicit_resolvers = {}
for _kind, (_written, _first) in _PLAIN.items():
    _TaskLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_kind}", re.compile(f"(?:{_written})$"), list(_first)
    )


def read_yaml(path: Path) -> Any:
    """What a file of YAML says, as task files are read; DataError, with the row, for no YAML."""
    try:
        content = _TaskLoader(path.read_text(encoding="utf-8")).get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        row = mark.line + 1 if mark else None
        raise DataError(f"Not YAML: {error.problem}", file=path, row=row) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        problem = " ".join(str(error).split())
        raise DataError(f"Not YAML in UTF-8: {problem}", file=path) from error
    except RecursionError as error:
        message = "Not YAML of a task: brackets in brackets without end"
        raise DataError(message, file=path) from error
    refuse_unfolding(content, path)
    try:
        json.dumps(content)
    except TypeError as error:  # of what `!!timestamp` and the like make
        raise DataError(
            f"Not YAML of a task: {error}", file=path, hint="write it in quotes"
        ) from error
    return content


def _read_mapping(path: Path) -> Content:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise DataError("A task is a mapping, key: value", file=path)
    return content


def read_config(folder: Path = Path()) -> Content:
    """What config.yaml in a folder says; nothing where there is none."""
    path = folder / "config.yaml"
    content = read_yaml(path) if path.is_file() else None
    if content is not None and not isinstance(content, dict):
        raise DataError("Expected a mapping, key: value", file=path)
    return content or {}
