"""Columns that identify a person, found by their names and by what is in them.

The kinds are those of `privacy.names`. It is a net and no proof: a name under a name that says
nothing, in a script without capitals, passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from bioloom.privacy import dates, names, values
from bioloom.privacy.values import DIRECT, FLAGS, SMALL_AREAS

OLDEST = 89
LEAST_SERIAL = 1000
LONGEST = 130  # years that a person may live; more is a typing error


@dataclass(frozen=True)
class Finding:
    """A column that may identify persons: of which kind, in how many rows, and how it is seen."""

    column: str
    kind: str
    count: int
    why: str


def find(
    table: pd.DataFrame,
    *,
    ids: Collection[str] = (),
    outcomes: Collection[str] = (),
    texts: Collection[str] = (),
) -> list[Finding]:
    """What of a table may identify persons, in the order of its columns.

    `ids` (of rows and patients) and `outcomes` have names of their own: they are looked at for what
    tells a person directly. `texts` are declared as free text: they are looked into.
    """
    columns = {str(name): cells_of(table[name]) for name in table}
    days = _days(columns)
    found = []
    for name, cells in columns.items():
        if cells.empty:
            continue
        if name in ids or name in outcomes:
            finding = _direct(name, cells, named=name in ids)
        elif name in texts:
            told = values.has_inside(Counter(cells))
            finding = Finding(name, told[0], told[2], told[1]) if told else None
        else:
            finding = _of(name, cells, days)
        found += [finding] if finding else []
    return found


def find_own(
    table: pd.DataFrame, persons: pd.Series, own: Mapping[str, Sequence[tuple[str, str]]]
) -> list[Finding]:
    """Columns of texts whose cells have what is known to tell who their own person is.

    `persons` says whose a row is, `own` what tells who it is: kind and text. Words of three letters
    are looked for as words, what has five or more letters and digits, and is no place, also inside
    of others. A cell of numbers is compared as a whole, with numbers of five or more digits that
    are no postcodes.
    """
    parts = {
        person: [(kind, names.words(text)) for kind, text in told] for person, told in own.items()
    }
    found = []
    for column in table:
        cells = cells_of(table[column])
        numeric = _numbers(cells) is not None and column != persons.name
        tell = _own_number if numeric else _own_kind
        whose = persons[cells.index].astype(str)
        kinds = Counter(
            kind
            for person, cell in zip(whose, cells, strict=True)
            if (kind := tell(names.words(cell), parts.get(person, [])))
        )
        if kinds:
            kind = kinds.most_common(1)[0][0]
            why = "the records tell it of the same person"
            found.append(Finding(str(column), kind, kinds.total(), why))
    return found


def _own_kind(words: list[str], own: list[tuple[str, list[str]]]) -> str | None:
    """The kind of the first text of a person that the words of a cell have."""
    whole, spaced = "".join(words), f" {' '.join(words)} "
    for kind, parts in own:
        joined = "".join(parts)
        apart = kind == names.NAMES and any(len(p) >= 3 and p in words for p in parts)
        # Paris is in comparison, and Essen in essential: a place is whole words.
        inside = f" {' '.join(parts)} " in spaced if kind == names.PLACES else joined in whole
        if apart or (len(joined) >= 5 and inside) or (joined and joined == whole):
            return kind
    return None


def _own_number(words: list[str], own: list[tuple[str, list[str]]]) -> str | None:
    """The kind of a person's text that is the same number, which may have lost its zeros in front.

    A count of cells may well be somebody's postcode, but hardly ever a record number.
    """
    whole = "".join(words).lstrip("0")
    for kind, parts in own:
        joined = "".join(parts)
        if kind != names.PLACES and len(joined) >= 5 and whole and joined.lstrip("0") == whole:
            return kind
    return None


def cells_of(column: pd.Series) -> pd.Series:
    """The cells that are filled, as text; whole numbers have no point."""
    filled = column.dropna()
    cells = filled.astype(object).map(lambda cell: str(cell).strip())
    return cells[cells != ""].str.replace(r"^([+-]?\d+)\.0+$", r"\1", regex=True)


def _direct(name: str, cells: pd.Series, *, named: bool) -> Finding | None:
    """What ids and outcomes are not either: names, e-mail addresses, numbers of persons."""
    numeric = _numbers(cells)
    kind = names.certain_kind(name) if named else None
    if kind in DIRECT and kind != names.NAMES:
        return Finding(name, str(kind), len(cells), "the name of the column")
    told = None if numeric is not None else values.of_texts(Counter(cells), scientific=True)
    return Finding(name, told[0], told[2], told[1]) if told and told[0] in DIRECT else None


def _of(name: str, cells: pd.Series, days: pd.DataFrame) -> Finding | None:
    numeric = _numbers(cells)
    if (per := names.age_unit(name)) is not None and numeric is not None:
        # 90 itself may stand for 90 and more, as the rule allows
        old = int((numeric.gt((OLDEST + 1) * per) & numeric.le(LONGEST * per)).sum())
        return Finding(name, names.AGES, old, "numbers above 89 years") if old else None
    if per is not None:
        years = pd.to_numeric(cells.str.extract(r"(?i)^(\d+)\s*(?:[yaj]|лет|岁)", expand=False))
        old = int(years.gt(OLDEST + 1).sum())
        if old:
            return Finding(name, names.AGES, old, "texts with numbers above 89 years")
    if cells.str.casefold().isin(FLAGS).all() or (
        numeric is not None and numeric.isin([0, 1]).all()
    ):
        return None
    if numeric is None:
        return _of_texts(name, cells)
    return _of_numbers(name, cells, numeric, days)


def _of_texts(name: str, cells: pd.Series) -> Finding | None:
    counts, kind = Counter(cells), names.certain_kind(name)
    scientific = names.has_word(name, names.SCIENCE)
    told = values.of_texts(counts, scientific=scientific or names.has_word(name, names.MEASURES))
    if told and (kind is None or told[0] in values.SURE):
        named = kind or names.possible_kind(name)
        vague = told[0] == names.RECORDS or (named, told[0]) == (names.FAXES, names.PHONES)
        return Finding(name, (named if vague else None) or told[0], told[2], told[1])
    if kind:
        return Finding(name, kind, len(cells), "the name of the column")
    role = names.has_word(name, names.PERSONS)
    if role or names.is_opaque(name):
        for what, test in {
            "initials": values.is_initials,
            "names of persons": values.is_person,
        }.items():
            rows = int(cells.map(test).sum())
            if rows >= 0.8 * len(cells) and (role or cells.nunique() >= 6):
                return Finding(name, names.NAMES, rows, what)
    possible = names.possible_kind(name)
    if possible and not scientific and values.are_unique(counts) and not _is_sequence(cells):
        return Finding(name, possible, len(cells), "its name, and cells that all differ")
    return None


def _of_numbers(
    name: str, cells: pd.Series, numeric: pd.Series, days: pd.DataFrame
) -> Finding | None:
    kind = names.certain_kind(name)
    possible = names.possible_kind(name)
    whole = (numeric % 1 == 0).all()
    measured = names.has_word(name, names.MEASURES)
    rows = len(cells)
    born, named = names.is_birth(name), names.DATES in (kind, possible)
    if named or (born and not measured):
        certain = (kind == names.DATES or born) and not measured
        found = _of_date_numbers(name, cells, numeric, born=born, certain=certain)
        if found is None and kind == names.DATES and not measured and not _are_counts(numeric):
            found = Finding(name, kind, rows, "the name of the column")
        if found or named:
            return found
    if not whole:
        return _of_decimals(name, cells, numeric, kind or possible)
    if kind == names.PLACES and cells.str.len().max() <= 3:
        small = int(cells.str.zfill(3).isin(SMALL_AREAS).sum())
        why = "areas of three digits with few people"
        return Finding(name, kind, small, why) if small else None
    if kind and not measured:
        return Finding(name, kind, rows, "the name of the column")
    if days_of := _same_days(numeric, days):
        return Finding(name, names.DATES, rows, f"the days of {days_of} as a spreadsheet counts")
    if measured or values.are_rows(numeric.astype(int).tolist()):
        return None
    if names.has_word(name, names.SCIENCE):
        return None
    told = values.of_numbers(Counter(cells), opaque=names.is_opaque(name))
    if told:
        return Finding(name, possible or told[0], rows, told[1])
    if possible and values.are_unique(Counter(cells)) and numeric.max() >= 1000:
        return Finding(name, possible, rows, "its name, and numbers that all differ")
    return None


def _of_date_numbers(
    name: str, cells: pd.Series, numeric: pd.Series, *, born: bool, certain: bool
) -> Finding | None:
    """Days or months written as numbers, and years of birth of those over 89; years may stay."""
    rows = int(cells.map(lambda cell: dates.from_digits(cell, serial=True) is not None).sum())
    if rows >= 0.9 * len(cells):
        return Finding(name, names.DATES, rows, "its name, and numbers that are days")
    months = int(cells.str.fullmatch(r"(?:18|19|20)\d\d(?:0[1-9]|1[0-2])").sum())
    if months >= 0.9 * len(cells):
        return Finding(name, names.DATES, months, "its name, and numbers that are months")
    # As 890519 or 19051989: of which order the digits are is not known.
    if certain and cells.map(dates.has_digits_of_a_day).mean() >= 0.9:
        return Finding(name, names.DATES, len(cells), "its name, and digits of a day and a month")
    years = numeric.between(1850, 2100)
    old = int((years & (numeric < date.today().year - OLDEST)).sum())
    if born and years.all() and old:
        return Finding(name, names.AGES, old, "years of birth of persons over 89")
    return None


def _are_counts(numeric: pd.Series) -> bool:
    """Whether numbers are years, or so small that they are hardly days since some year.

    Programs count days or seconds from 1582, 1960, 1970 and others: no range tells them all.
    """
    years = numeric.between(1850, 2100) & (numeric % 1 == 0)
    return bool((years | (numeric.abs() < LEAST_SERIAL)).all())


def _of_decimals(
    name: str, cells: pd.Series, numeric: pd.Series, kind: str | None
) -> Finding | None:
    """Degrees of a place; other decimals are measurements."""
    fine = cells.str.fullmatch(r"[+-]?\d{1,3}\.\d{3,}").mean() >= 0.5
    if kind == names.PLACES and fine and numeric.abs().max() <= 180:
        return Finding(name, names.PLACES, len(cells), "its name, and degrees")
    return None


def _is_sequence(cells: pd.Series) -> bool:
    """Letters of nucleotides or amino acids, also of a barcode with the number of its well."""
    letters = r"[ACDEFGHIKLMNPQRSTVWYUXBZ*-]{5,}(?:-\d{1,2})?"
    return bool(cells.str.fullmatch(letters).mean() >= 0.8)


def _numbers(cells: pd.Series) -> pd.Series | None:
    """The cells as numbers, None where one of them is none."""
    numeric = pd.to_numeric(cells, errors="coerce")
    return numeric.astype(float) if np.isfinite(numeric.astype(float)).all() else None


def _days(columns: dict[str, pd.Series]) -> pd.DataFrame:
    """The days of the columns that are dates, as a spreadsheet counts them."""
    found = {}
    for name, cells in columns.items():
        sample = cells.head(20)
        if len(sample) and sample.map(dates.is_full).mean() > 0.5:
            first = dates.day_first(cells) is not False
            read = cells.map(lambda cell, first=first: dates.read(cell, first))
            found[name] = read.dropna().map(dates.serial).astype(float)
    return pd.DataFrame(found)


def _same_days(numeric: pd.Series, days: pd.DataFrame) -> str | None:
    """The column of dates that these numbers repeat."""
    if len(numeric) < values.ENOUGH or not numeric.between(*dates.SERIALS).mean() > 0.5:
        return None
    same = days.sub(numeric, axis=0).eq(0).mean()
    return next((str(name) for name in same.index[same > 0.8]), None)
