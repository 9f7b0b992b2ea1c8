"""What the values of a table's columns mean, by a codebook: codes, missing values, units.

Registers write 999 for an age that nobody knows, 1 and 2 for a sex that another site calls 1 and 0,
and two units into one column. A code of one column is a measurement in another (9 on a scale of
pain), so nothing is recoded but by column; what only looks like a code is told and stays.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bioloom.clinical import units
from bioloom.errors import DataError, in_yaml
from bioloom.formats.columns import (
    likely_type,
    numbers,
    require_columns,
    rows_told,
    text,
    without_point,
)
from bioloom.options import Option
from bioloom.privacy.small_cells import FEW, count_shown

CODEBOOK: dict[str, Any] = {
    "missing": Option([], about="values that stand for none"),
    "values": Option({}, about="code to what it means; with `site` such a mapping for each site"),
    "site": Option(None, type=str, about="column of the site, where codes differ by it"),
    "asked": Option(None, type=str, about="column that says whether this one was asked"),
    "asked_values": Option([], about="values of `asked` where it was"),
    "unit": Option(None, type=str, about="that all values are put into, in UCUM"),
    "unit_column": Option(None, type=str, about="column with the unit of each value"),
    "molar_mass": Option(None, type=float, above=0, about="g/mol, between mass and amount"),
    "convert": Option({}, about="another unit to the [factor, shift] that make `unit` of it"),
    "spellings": Option({}, about="how a unit is written to what it is in UCUM"),
}
LIKELY_CODES = [
    *(0.0, -1.0, 99.9, 999.9),
    *(sign * float(digit * n) for sign in (1, -1) for digit in "789" for n in (1, 2, 3, 4)),
]
"""What registers often write for a missing value."""
SEX = re.compile(r"sex|gender|geschlecht|sexe|sexo|sesso", re.IGNORECASE)
FEWEST = 10  # values by which a column is judged
ANOTHER_UNIT = 8  # times as large, with nothing between


def apply(
    table: pd.DataFrame, codebook: Mapping[str, Any], path: Path
) -> tuple[pd.DataFrame, list[str]]:
    """The table with what the codebook says of its columns, and notes.

    Raises DataError, with rows and no value, for a code that the codebook does not have, for units
    that are not converted, and for codes of sex that cannot be of one codebook.
    """
    require_columns(table, map(str, codebook), path)
    changed, dropped, notes = dict[str, pd.Series](), list[str](), list[str]()
    for name, said in codebook.items():
        others = [said[key] for key in ("site", "asked", "unit_column") if said[key]]
        require_columns(table, others, path)
        column = table[str(name)]
        if said["missing"]:
            column = _without_codes(column, said["missing"])
            count = count_shown(column.isna().sum() - table[str(name)].isna().sum())
            notes.append(f"{name}: {count} values are codes of a missing one")
        if said["asked"]:
            column, unasked = _asked(column, table[said["asked"]], said["asked_values"])
            notes.append(f"{name}: {count_shown(unasked)} rows were never asked")
        if said["values"]:
            sites = table[said["site"]] if said["site"] else None
            column = _named(column, said["values"], sites, path)
        if said["unit"]:
            column, told = _in_unit(column, table, said, path)
            notes += told
            dropped += [said["unit_column"]] if said["unit_column"] else []
        changed[str(name)] = column
    table = table.assign(**changed).drop(columns=[*dict.fromkeys(dropped)])
    uncoded = [name for name in map(str, table) if not codebook.get(name, {}).get("values")]
    _refuse_sexes(table, uncoded, path)
    return table, notes + _suspicious(table, uncoded, path)


def _keys(column: pd.Series) -> pd.Series:
    """Cells as codes are compared: 1.0 is 1."""
    return without_point(text(column))


def _words(values: Iterable[Any]) -> list[str]:
    return list(without_point(pd.Series([str(value) for value in values], dtype="str")))


def _without_codes(column: pd.Series, codes: list[Any]) -> pd.Series:
    numbers = pd.to_numeric(pd.Series([str(code) for code in codes], dtype="str"), errors="coerce")
    same_number = pd.to_numeric(column, errors="coerce").isin(numbers.dropna())
    same_number &= ~_keys(column).str.fullmatch(r"0\d+").fillna(False)  # a code of its own
    return column.mask(same_number | _keys(column).isin(_words(codes)))


def _asked(column: pd.Series, asked: pd.Series, values: list[Any]) -> tuple[pd.Series, int]:
    """The column where it was asked, and how many rows never were."""
    shown = _keys(asked).isin(_words(values))
    return column.where(shown), int((~shown).sum())


def _named(
    column: pd.Series, values: Mapping[Any, Any], sites: pd.Series | None, path: Path
) -> pd.Series:
    """The words that codes stand for; DataError for a code, or a site, of which nothing is said."""
    cells = _keys(column)
    if sites is None:
        books, places = {"": values}, pd.Series("", column.index)
    else:
        books, places = {str(site): book for site, book in values.items()}, text(sites)
    if not all(isinstance(book, Mapping) for book in books.values()):
        raise DataError("`values` of a `site` are codes by site", column=str(column.name))
    made = pd.Series(None, column.index, dtype="str")
    for site, book in books.items():
        words = dict(zip(_words(book), map(str, book.values()), strict=True))
        made = made.where(places != site, cells.map(words))
    unknown = column.index[cells.notna() & made.isna()]
    if len(unknown):
        raise DataError(
            f"Codes of which the codebook says nothing, in row {rows_told(unknown)}",
            file=path,
            column=str(column.name),
            hint="add them to `values`, or to `missing`",
        )
    return made


def _in_unit(
    column: pd.Series, table: pd.DataFrame, said: Mapping[str, Any], path: Path
) -> tuple[pd.Series, list[str]]:
    """The numbers in the wanted unit; DataError that names the rows of units that do not fit."""
    name = str(column.name)
    place = f"codebook: {name}"
    units.check_unit(said["unit"], place)
    if not said["unit_column"]:
        raise DataError(f"`{place}: unit` needs the `unit_column` of the table")
    terms = units.read_conversions(said["convert"], place)
    wanted = units.Wanted(said["unit"], said["molar_mass"], terms, said["spellings"])
    values = numbers(column, path)
    made, wrong, spelt = units.convert(values, text(table[said["unit_column"]]), wanted)
    bad = wrong.dropna()
    if len(bad):
        told = [f"{reason}: row {rows_told(rows.index)}" for reason, rows in bad.groupby(bad)]
        raise DataError(
            f"{len(bad)} values have another unit than {said['unit']} ({'; '.join(told)})",
            file=path,
            column=name,
            hint=units.hint(wanted),
        )
    return made, [f"{name}: {unit} in {count_shown(n)} rows" for unit, n in spelt.items()]


def _refuse_sexes(table: pd.DataFrame, names: list[str], path: Path) -> None:
    """DataError for a sex in more codes than two: 0 and 1 of one site are 1 and 2 of another."""
    for name in names:
        if SEX.fullmatch(name) and likely_type(table[name]) == "number":
            if table[name].dropna().nunique() > 2:
                raise DataError(
                    "A sex in more than two codes: which is which, at which site?",
                    file=path,
                    column=name,
                    hint=f"`codebook: {{{in_yaml(name)}: {{site: <column>, values: {{<site>: "
                    "{1: male, 2: female}}}}}`, or without `site` one list of `values`",
                )


def _suspicious(table: pd.DataFrame, names: list[str], path: Path) -> list[str]:
    """Notes on values that look like codes: usual ones that stand far outside of all others.

    And on those that look as if they were of another unit.
    """
    notes = []
    for name in names:
        if likely_type(table[name]) != "number":
            continue
        values = pd.to_numeric(table[name], errors="coerce").dropna()
        notes += _of_two_units(name, values)
        others = values[~values.isin(LIKELY_CODES)]
        if len(others) < FEWEST or others.nunique() < 3:
            others = values[values.between(values.quantile(0.25), values.quantile(0.75))]
        low, high = others.min(), others.max()
        width = max(high - low, 1.0)
        for code in sorted(set(values[values.isin(LIKELY_CODES)])):
            below_all = code < 0 <= low or code < low - width / 2
            if len(values) >= FEWEST and (below_all or code > high + max(width, 2 * abs(high)) / 2):
                count = count_shown((values == code).sum())
                notes.append(
                    f"{name}: {code:.15g} in {count} rows is far from all others: is it missing? "
                    f"`codebook: {{{in_yaml(name)}: {{missing: [{code:.15g}]}}}}`"
                )
    for note in notes:
        print(f"{path}: {note}", file=sys.stderr)
    return notes


def _of_two_units(name: str, values: pd.Series) -> list[str]:
    """A note where numbers above 0 are of two sizes with nothing between, as of two units."""
    values = values[~values.isin(LIKELY_CODES)].sort_values()
    if values.nunique() < FEWEST or values.iloc[0] <= 0:
        return []
    ratios = (values / values.shift()).to_numpy()[1:]
    place = int(ratios.argmax())
    low, high = place + 1, len(values) - place - 1
    if ratios[place] < ANOTHER_UNIT or min(low, high) < FEW:
        return []
    larger = f"{count_shown(high)} values are {ratios[place]:.0f} times as large as all others"
    return [
        f"{name}: {larger}, or more: are they of another unit? `codebook: {{{in_yaml(name)}: "
        "{unit: ..., unit_column: ...}}` converts what a column tells"
    ]
