"""Values of one column in one unit: converted, or refused line by line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bioloom.formats import ucum

NO_UNIT = "no unit"


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
            wrong[rows] = f"unit {name}" + ("" if code else ", which is not known")
            continue
        made[rows] = values[rows] * terms[0] + terms[1]
        if code != name and name:
            spelt[f"{name} as {code}"] = int(rows.sum())
    return made, wrong, spelt


def hint(wanted: Wanted) -> str:
    """How units that cannot be converted are mended."""
    return (
        f"{wanted.unit} is wanted; say `molar_mass` between mass and amount of substance, "
        "`convert: {<unit>: [factor, shift]}`, or `spellings: {<written>: <UCUM>}`"
    )
