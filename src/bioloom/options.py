"""Options from config over their defaults: the one way that a section of a task is read."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, Literal

from bioloom.errors import DataError, unknown_name

WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    list: "a list",
    dict: "a mapping",
}


@dataclass(frozen=True)
class Option:
    """One option: its default and what it may be (None only if the default is)."""

    default: Any
    choices: tuple[Any, ...] = ()
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    type: Any = None  # where the default does not tell
    several: bool = False  # of a role in `columns`: whether it may have a list of them
    about: str = ""  # what it is, with its unit, for a reader
    options: Mapping[str, Any] | None = None  # of a section: what it takes
    each: Mapping[str, Any] | None = None  # of sections by names that are the user's
    items: Option | None = None  # of a list: what each of its values may be; it is not empty
    of: Literal["", "rows", "labels", "columns"] = ""
    """What of one data set it is about, so that it need not hold for the next one of a model.

    Which rows or samples it has, and what is done with these; its labels; or columns, which the
    next one may lack. All else holds for all data of a model.
    """

    def complete(self, place: str, value: Any) -> Any:
        """The value, its sections with all they take; DataError when it is not allowed."""
        self._check(place, value)
        if value is not None and self.options is not None:
            return complete_options(value, self.options, place)
        if value is not None and self.each is not None:
            return {
                name: complete_options(section, self.each, f"{place}: {name}")
                for name, section in value.items()
            }
        if value is not None and self.items is not None:
            if not value:
                raise DataError(f"`{place}` is not empty")
            return [self.items.complete(place, item) for item in value]
        return value

    def _check(self, place: str, value: Any) -> None:
        expected = self.type or type(self.default)
        if value is None and self.default is None or expected is type(None):
            return
        allowed = (int, float) if expected is float else (expected,)
        if not isinstance(value, allowed) or (isinstance(value, bool) and expected is not bool):
            number = expected in (int, float) and isinstance(value, str)
            hint = "YAML takes 1e-3 as text: write 0.001 or 1.0e-3" if number else None
            wanted = WORDS.get(expected, expected.__name__)
            raise DataError(f"`{place}` takes {wanted}, got {value!r}", hint=hint)
        if self.choices and value not in self.choices:
            known = ", ".join(map(str, self.choices))
            raise DataError(f"`{place}` is one of {known}, got {value!r}")
        if not self._within(value):
            raise DataError(f"`{place}` is {self._range()}, got {value!r}")

    def _within(self, value: Any) -> bool:
        return not (
            (self.minimum is not None and value < self.minimum)
            or (self.above is not None and value <= self.above)
            or (self.maximum is not None and value > self.maximum)
        )

    def _range(self) -> str:
        limits = {"at least": self.minimum, "above": self.above, "at most": self.maximum}
        return " and ".join(f"{words} {n}" for words, n in limits.items() if n is not None)


def flat(options: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Option]]:
    """All options with their names; those of a section come after it, as `section.name`.

    >>> [name for name, _ in flat({"a": 1, "b": Option({}, each={"c": 2})})]
    ['a', 'b', 'b.<name>.c']
    """
    for name, given in options.items():
        option = given if isinstance(given, Option) else Option(given)
        yield f"{above}{name}", option
        yield from flat(option.options or {}, f"{above}{name}.")
        yield from flat(option.each or {}, f"{above}{name}.<name>.")


def of_fields(kind: type) -> dict[str, Option]:
    """The fields of a dataclass as options: what one is, is the text that stands below it."""
    about = {key: text for base in reversed(kind.__mro__) for key, text in _said(base).items()}
    return {
        field.name: Option(_default(field), about=about.get(field.name, ""))
        for field in fields(kind)
    }


def _said(kind: type) -> dict[str, str]:
    """The texts that stand below the fields of a class."""
    if not kind.__module__.startswith("bioloom."):
        return {}
    [body] = ast.parse(inspect.getsource(kind)).body
    assert isinstance(body, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in zip(body.body, body.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if isinstance(text.value.value, str)
    }


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    return None if field.default_factory is MISSING else field.default_factory()


def complete_options(
    options: Mapping[str, Any], defaults: Mapping[str, Any], section: str
) -> dict[str, Any]:
    """`options` over `defaults`; DataError for an unknown key or a value that is not allowed.

    A default is an `Option`, or a value whose type is asked for; None leaves any. Sections in it
    are complete, too.
    """
    if not isinstance(options, Mapping):
        raise DataError(f"`{section}` takes options by name, got {options!r}")
    known = {
        name: default if isinstance(default, Option) else Option(default)
        for name, default in defaults.items()
    }
    full = {name: option.default for name, option in known.items()}
    for key, value in options.items():
        if key not in known:
            raise unknown_name("option", key, known, f" under `{section}`")
        full[key] = known[key].complete(f"{section}: {key}", value)
    return full


def left_of(given: Mapping[str, Any], known: Mapping[str, Any], *about: str) -> dict[str, Any]:
    """What is given without the options that are of one of these (`Option.of`)."""
    return {name: value for name, value in given.items() if of(known.get(name)) not in about}


def of(option: Any) -> str:
    """What of one data set an option is about; nothing where it is a default alone."""
    return option.of if isinstance(option, Option) else ""


def column_names(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The user's column for each of our roles, or a list of them where the role may have `several`.

    A number is the name of a column without one.
    """
    spelt = {
        role: str(name) if isinstance(name, int) and not isinstance(name, bool) else name
        for role, name in options.items()
    }
    names = complete_options(spelt, defaults, "columns")
    for role, name in names.items():
        if isinstance(name, list | dict):
            _check_names(role, name, getattr(defaults[role], "several", False))
    return {
        role: [*map(str, name)] if isinstance(name, list) else None if name is None else str(name)
        for role, name in names.items()
    }


def _check_names(role: str, names: Any, several: bool) -> None:
    if not several:
        raise DataError(f"`columns: {role}` names one column, got {names!r}")
    if not isinstance(names, list) or not names or not all(isinstance(n, str | int) for n in names):
        raise DataError(f"`columns: {role}` takes a column or a list of columns, got {names!r}")


def named_columns(names: Mapping[str, Any]) -> list[str]:
    """All columns that have a role, of what `column_names` gives."""
    given = [name if isinstance(name, list) else [name] for name in names.values() if name]
    return [column for columns in given for column in columns]
