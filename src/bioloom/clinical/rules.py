"""Rules by which a treatment is not for a patient: contraindications and interactions of drugs.

They come from tables of the user's and are a filter that no score can override. What a rule asks
for and a patient's row does not tell counts as if the rule applied: the treatment is excluded, and
the text says that it is not known. Drugs are matched exactly, by substance, and never by a similar
name; a drug that no table has is refused, of a patient as of a treatment, and so is a treatment of
which it is not said what drugs it is made of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bioloom.errors import DataError, unknown_name
from bioloom.formats.columns import likely_type, numbers, require_columns, text
from bioloom.formats.table import READ_OPTIONS, read_source
from bioloom.options import Option
from bioloom.privacy.small_cells import FEW
from bioloom.samples import OPTION, WORDS
from bioloom.samples.arms import UNKNOWN
from bioloom.samples.arms import named as shown

SOURCES = ("contraindications", "interactions", "drugs")
TABLES = dict.fromkeys(SOURCES, READ_OPTIONS)
OPTIONS: dict[str, Any] = {
    "substances": Option({}, about="arm to the substances that it gives, as rules name them")
}
COLUMNS: dict[str, Any] = {
    "drugs": Option(None, about="what a patient takes; several joined by ; or |")
}
CONDITION = re.compile(r"(?P<column>.+?)\s*(?P<sign><=|>=|!=|<|>|=)\s*(?P<value>.+)")
COMPARED: Mapping[str, Callable[[pd.Series, Any], pd.Series]] = {
    "<": pd.Series.lt,
    "<=": pd.Series.le,
    ">": pd.Series.gt,
    ">=": pd.Series.ge,
    "=": pd.Series.eq,
    "!=": pd.Series.ne,
}
NO_DRUG = "none"


def read_exclusions(
    files: Mapping[str, Path],
    table: pd.DataFrame,
    options: Mapping[str, Any],
    column: str | None,
    path: Path,
    arms: pd.Series | None,
) -> pd.DataFrame:
    """`option.<arm>` of the rows of `table`: the rules that exclude it, missing where none does.

    Also `words.<arm>` of what rules compare with words (`samples.arms`).

    `files` may have `contraindications` (`option`, `condition`), `interactions` (`substance`,
    `with`) and `drugs` (`name`, `substance`); `options` has the `substances` of each arm; `column`
    names the patients' drugs. `arms` are those of the training data, with the patients of each, and
    None of new data. DataError for a rule that cannot be read or names what is not there, for a
    drug that no table has, and for an arm of which `substances` says nothing.
    """
    reasons: dict[str, list[pd.Series]] = {}
    words: dict[str, list[pd.Series]] = {}
    if "contraindications" in files:
        for option, found, met in _contraindications(files, table, options, path, arms):
            reasons.setdefault(option, []).append(found)
            if met is not None:
                words.setdefault(option, []).append(met)
    substances = {str(arm): _substances(arm, given) for arm, given in options["substances"].items()}
    _check_arms(substances, arms, "`substances`")
    if "interactions" in files:
        if column is None or not substances:
            raise DataError(
                "`interactions` needs to know which drugs patients take, and what options are",
                hint="`columns: {drugs: ...}` and `substances: {<option>: [<substance>]}`",
            )
        # Options that a rule names stand in a table of rules: they are no patients' values.
        _check_listed(pd.Series(FEW, [*reasons]) if arms is None else arms, substances)
        for option, found in _interactions(files, table, options, column, path, substances):
            reasons.setdefault(option, []).append(found)
    elif column is not None:
        raise DataError("`columns: drugs` is read for `interactions`, a source that is not given")
    columns = {f"{OPTION}{arm}": _joined(found, "; ") for arm, found in reasons.items()}
    columns |= {f"{WORDS}{arm}": _joined(met, "\n") for arm, met in words.items()}
    return pd.DataFrame(columns, index=table.index)


def _joined(found: list[pd.Series], mark: str) -> pd.Series:
    """What is said of each row in one text, missing where there is nothing."""
    rows = zip(*found, strict=True)
    texts = [mark.join(filter(None, row)) or None for row in rows]
    return pd.Series(texts, found[0].index, dtype="str")


def _check_arms(named: Iterable[str], arms: pd.Series | None, where: str) -> None:
    """Raise DataError for a name that no patient of the training data got."""
    for name in named:
        if arms is not None and name not in arms:
            raise DataError(f"Unknown option {name!r} in {where}", hint=f"known: {shown(arms)}")


def _check_listed(arms: pd.Series, substances: Mapping[str, set[str]]) -> None:
    """Raise DataError for an arm of which nobody says what is in it: nothing could exclude it."""
    absent = arms[~arms.index.isin([*substances])]
    if len(absent):
        raise DataError(
            f"`substances` lacks options: {shown(absent)}",
            hint="list each option with what it is made of; one without drugs has []",
        )


def _contraindications(
    files: Mapping[str, Path],
    table: pd.DataFrame,
    options: Mapping[str, Any],
    path: Path,
    arms: pd.Series | None,
) -> list[tuple[str, pd.Series, pd.Series | None]]:
    """Each rule's option, and what it says of each row: an empty text where it does not apply.

    And which word it met, where it does not apply for it is another than the rule's.
    """
    file = files["contraindications"]
    rules = read_source(file, "contraindications", options)
    require_columns(rules, ["option", "condition"], file)
    found = []
    for number, row in enumerate(rules.index, start=1):
        option, condition = (str(rules.loc[row, name]).strip() for name in ("option", "condition"))
        _check_arms([option], arms, f"rule {number} of {file}")
        match = CONDITION.fullmatch(condition)
        if match is None:
            raise DataError(
                f"Rule {number} is no condition",
                file=file,
                row=row,
                column="condition",
                hint="a column, one of < <= > >= = !=, and a value, such as `creatinine > 2`",
            )
        if match["column"] not in table:
            raise DataError(
                f"Rule {number} asks for a column that the patients do not have: {match['column']}",
                file=file,
                row=row,
                column="condition",
                hint=f"the columns of {path.name} may be meant, by their names there",
            )
        place = {"file": file, "row": row, "column": "condition"}
        applies, known, words = _applied(match, table, path, place, trained=arms is not None)
        said = pd.Series("", index=table.index).mask(applies, f"rule {number}")
        said = said.mask(~known, f"rule {number} ({match['column']} {UNKNOWN})")
        if words is not None:
            words = (f"rule {number}: {match['column']} = " + words).where(said.eq(""), "")
        found.append((option, said, words))
    return found


def _applied(
    rule: re.Match[str], table: pd.DataFrame, path: Path, place: dict[str, Any], *, trained: bool
) -> tuple[pd.Series, pd.Series, pd.Series | None]:
    """For which rows a condition holds, of which its column is known, and the words that it meets.

    `path` is the file of the `table`, and `place` where the rule stands.
    A word that is not the rule's excludes by != anyway: by = it is told.
    """
    column, sign, value = rule["column"], rule["sign"], rule["value"].strip()
    limit = pd.to_numeric(value, errors="coerce")
    # A category such as 1, 2, 3a may have nothing but numbers among few patients.
    is_word = sign in ("=", "!=") and pd.isna(limit)
    if not is_word and likely_type(table[column]) == "number" and table[column].notna().any():
        if pd.isna(limit):
            raise DataError(f"{column} is a number, and the rule's value is none", **place)
        values = numbers(table[column], path)
        return COMPARED[sign](values, limit), values.notna(), None
    if sign not in ("=", "!=") and table[column].notna().any():
        raise DataError(f"{column} is text, which is compared by = and != alone", **place)
    words, own = _one_spelling(text(table[column])), _one_spelling(pd.Series([value], dtype="str"))
    # A misspelt value would never apply. New patients may be few, and need not have it.
    if trained and not words.isin(own).any():
        raise DataError(f"No patient has the value of the rule for {column}", **place)
    applies = COMPARED[sign](words, own[0]).fillna(False).astype(bool)
    return applies, words.notna(), words if sign == "=" else None


def _one_spelling(words: pd.Series) -> pd.Series:
    """Words as rules compare them: Yes is yes, and 4.0 is 4; codes of many digits keep them all."""
    plain = words.str.casefold().str.replace(r"\s+", " ", regex=True)
    values = pd.to_numeric(plain, errors="coerce")
    return plain.mask(values.abs() < 1e15, values.map("{:.15g}".format))


def _interactions(
    files: Mapping[str, Path],
    table: pd.DataFrame,
    options: Mapping[str, Any],
    column: str,
    path: Path,
    substances: Mapping[str, set[str]],
) -> list[tuple[str, pd.Series]]:
    """Each arm, and by which interactions a drug of each row forbids it."""
    file = files["interactions"]
    pairs = read_source(file, "interactions", options)
    require_columns(pairs, ["substance", "with"], file)
    listed = [{_key(name) for name in pair} for pair in _pairs(pairs, file)]
    known = _dictionary(files, options)
    for substance in set().union(*listed):
        known.setdefault(substance, set()).add(substance)
    made = {arm: _made_of(arm, given, known) for arm, given in substances.items()}
    require_columns(table, [column], path)
    taken = [_taken(cell, known, path, row, column) for row, cell in text(table[column]).items()]
    found = []
    for arm, own in made.items():
        rules = [(n, pair) for n, pair in enumerate(listed, start=1) if pair & own]
        said = [_forbidding(drugs, own, rules) for drugs in taken]
        found.append((arm, pd.Series(said, index=table.index, dtype="str")))
    return found


def _made_of(arm: str, given: set[str], known: Mapping[str, set[str]]) -> set[str]:
    """The substances of an arm's drugs; DataError for one that no table has."""
    for name in sorted(given):
        if name not in known:
            raise unknown_name("substance", name, known, f" of {arm} in `substances`")
    return set().union(*(known[name] for name in given))


def _pairs(pairs: pd.DataFrame, file: Path) -> Iterable[Any]:
    """The rows of the interactions; DataError for one with an empty cell."""
    gaps = pairs[["substance", "with"]].isna()
    if gaps.to_numpy().any():
        row = pairs.index[gaps.any(axis=1)][0]
        raise DataError("An interaction is of two substances", file=file, row=row)
    return pairs[["substance", "with"]].itertuples(index=False)


def _dictionary(files: Mapping[str, Path], options: Mapping[str, Any]) -> dict[str, set[str]]:
    """Name of a drug -> its substances: a name may have several, a substance several names."""
    if "drugs" not in files:
        return {}
    named = read_source(files["drugs"], "drugs", options)
    require_columns(named, ["name", "substance"], files["drugs"])
    known: dict[str, set[str]] = {}
    for name, substance in named[["name", "substance"]].dropna().itertuples(index=False):
        known.setdefault(_key(name), set()).add(_key(substance))
        known.setdefault(_key(substance), set()).add(_key(substance))
    return known


def _taken(
    cell: Any, known: Mapping[str, set[str]], path: Path, row: Any, column: str
) -> set[str] | None:
    """The substances of one row's drugs, None where they are not known; DataError for another."""
    if pd.isna(cell) or not str(cell).strip():
        return None
    names = [_key(name) for name in re.split("[;|]", str(cell)) if name.strip()]
    names = [] if names == [NO_DRUG] else names
    if strange := [name for name in names if name not in known]:
        raise DataError(
            f"{len(strange)} drugs of a patient are in no table",
            file=path,
            row=row,
            column=column,
            hint="list each by its exact name and substance in the source `drugs`; several drugs "
            "are separated by ;, and `none` says that there are none",
        )
    return set().union(*(known[name] for name in names))


def _forbidding(drugs: set[str] | None, own: set[str], rules: list[tuple[int, set[str]]]) -> str:
    """By which of an arm's interactions it is not for one who takes these drugs."""
    if drugs is None:
        return f"interactions (drugs {UNKNOWN})" if rules else ""
    hits = [n for n, pair in rules if any({a, b} == pair for a in own for b in drugs)]
    return "; ".join(f"interaction {n}" for n in hits)


def _substances(arm: str, given: Any) -> set[str]:
    """What an arm is made of."""
    if not isinstance(given, list):
        raise DataError(
            f"`substances: {arm}` takes a list, got {given!r}", hint="an arm without drugs has []"
        )
    return {_key(name) for name in given}


def _key(name: Any) -> str:
    """A name as it is compared: exactly, but for upper and lower case."""
    return str(name).strip().casefold()
