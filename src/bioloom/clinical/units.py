"""Values of one column in one unit: converted, or refused line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.formats import ucum

NO_UNIT = "no unit"
LONGEST = 20  # characters of a unit that a message shows


@dataclass(frozen=True)
class Wanted:
    """The unit that values are to have, and what is said of how others become it."""

    unit: str
    molar_mass: float | None = None
    convert: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    spellings: Mapping[str, str] = field(default_factory=dict)


def convert(
    values: pd.Series, units: pd.Series, wanted: Wanted
) -> tuple[pd.Series, pd.Series, dict[str, int]]:
    """Values in the wanted unit, why one is not (missing where it is), and spellings by use.

    A value that cannot be converted is missing. The wanted unit 1 is of numbers that have none.
    """
    made = pd.Series(np.nan, index=values.index)
    wrong = pd.Series(None, index=values.index, dtype="str")
    spelt: dict[str, int] = {}
    written = units.fillna("").str.strip()
    for name in written[values.notna()].unique():
        rows = (written == name) & values.notna()
        if not name and wanted.unit != "1":
            wrong[rows] = NO_UNIT
            continue
        code = ucum.canonical(name, wanted.spellings) if name else "1"
        terms = (code and wanted.convert.get(code)) or (
            ucum.conversion(code, wanted.unit, wanted.molar_mass) if code else None
        )
        if terms is None:
            # A longer text may be anything.
            shown = f"unit {name}" if len(name) <= LONGEST else "a long text as unit"
            wrong[rows] = shown + ("" if code else ", which is not known")
            continue
        made[rows] = values[rows] * terms[0] + terms[1]
        if code != name and name:
            spelt[f"{name} as {code}"] = int(rows.sum())
    return made, wrong, spelt


def read_conversions(given: Mapping[Any, Any], place: str) -> dict[str, tuple[float, float]]:
    """Unit -> factor and shift, of an option `convert`; DataError for what is none."""
    terms = {}
    for written, pair in given.items():
        code = ucum.canonical(str(written))
        numbers = isinstance(pair, list) and all(isinstance(n, int | float) for n in pair)
        if code is None or not numbers or len(pair) != 2:
            raise DataError(
                f"`{place}: convert` takes units with a factor and a shift, got {written}: {pair}",
                hint="such as `convert: {mmol/mol: [0.09148, 2.152]}`",
            )
        terms[code] = (float(pair[0]), float(pair[1]))
    return terms


def check_unit(unit: str, place: str) -> None:
    """DataError for a wanted unit that is not written in UCUM."""
    if (code := ucum.canonical(unit)) != unit:
        raise DataError(
            f"`{place}: unit` is no UCUM unit, got {unit!r}",
            hint=f"write {code!r}" if code else "such as mg/dL, or '1'",
        )


def hint(wanted: Wanted) -> str:
    """How units that cannot be converted are mended."""
    return (
        f"{wanted.unit} is wanted; say `molar_mass` between mass and amount of substance, "
        "`convert: {<unit>: [factor, shift]}`, or `spellings: {<written>: <UCUM>}`"
    )
