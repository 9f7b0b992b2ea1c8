"""What a Bayesian network tells of rows beyond the answer, as tables of columns.

`patients`: the most probable state, how sure, and which fields are missing, outside or impossible
together. `posterior`: each state. `missing`: bits that a missing field would give on average.
`contributions`: what each observed field changes. `what_if`: the answer if a field were observed to
be in each of its states. Rows of evidence of probability 0 are in `patients` alone, and so is no
state in `what_if` that the other evidence rules out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from bioloom.bayes.cases import AboutField, about, entropy, log_odds
from bioloom.bayes.coding import MISSING
from bioloom.models._fields import Fields
from bioloom.models._outcome import Outcome

Tables = dict[str, dict[str, np.ndarray]]
_FIRST = ("row", "outcome")
_OF_FIELD = (*_FIRST, "field", "field_state")
_SAID = ("state", "probability")
_OPEN = ("entropy_bits", "observed", "missing", "outside", "impossible")
COLUMNS = {
    "patients": (*_FIRST, *_SAID, *_OPEN),
    "posterior": (*_FIRST, *_SAID),
    "missing": (*_FIRST, "field", "bits"),
    "contributions": (*_OF_FIELD, "answer", "without", "with", "change"),
    "what_if": (*_OF_FIELD, "is_so", "plausibility", "answer", "value"),
}
DIGITS = 9  # of differences: what is left of equal numbers is none
STRONGEST = {"missing": "bits", "contributions": "change"}
"""Tables in which a row's lines come in the order of this column, the strongest first."""


def tell(
    fields: Fields, outcomes: Mapping[str, Outcome], evidence: np.ndarray, doubts: np.ndarray
) -> Tables:
    """The tables of rows with these states (N, columns), by the names of their outcomes."""
    parts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, outcome in outcomes.items():
        for table, columns in _of_outcome(fields, outcome, evidence, doubts).items():
            parts[table].append({"outcome": name} | columns)
    return {table: _joined(table, parts[table]) for table in COLUMNS}


def _of_outcome(
    fields: Fields, outcome: Outcome, evidence: np.ndarray, doubts: np.ndarray
) -> dict[str, dict[str, Any]]:
    belief, answers = outcome.ask(evidence), Answers(outcome)
    rows, states = np.flatnonzero(belief.possible), np.array(outcome.states)
    patients = _patients(outcome, belief.p[rows], rows, len(evidence)) | {
        "observed": (evidence >= 0).sum(axis=1),
        "missing": _listed(evidence == MISSING, [*fields]),
        "outside": doubts,
        "impossible": outcome.impossible(evidence),
    }
    posterior = {
        "row": np.repeat(rows, len(states)),
        "state": np.tile(states, len(rows)),
        "probability": belief.p[rows].ravel(),
    }
    parts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for place, (name, field) in enumerate(fields.items()):
        told = about(outcome.network, outcome.unknown(evidence), outcome.place, place)
        of_states, codes = np.array(field.names), evidence[:, place]
        parts["missing"].append(_missing(told, name, rows[codes[rows] == MISSING]))
        seen = rows[codes[rows] >= 0]
        parts["contributions"].append(
            _contribution(told, name, seen, of_states[codes[seen]], belief.p[seen], answers)
        )
        parts["what_if"].append(_what_if(told, name, rows, of_states, codes, answers))
    of_fields = {name: _stacked(tables) for name, tables in parts.items()}
    return {"patients": patients, "posterior": posterior} | of_fields


def _patients(outcome: Outcome, p: np.ndarray, rows: np.ndarray, size: int) -> dict[str, Any]:
    """The answers `p` of these rows among all of them: the best state, and how sure it is."""
    first = p.argmax(axis=1) if len(p) else np.zeros(0, np.int64)
    columns = {
        "row": np.arange(size),
        "state": _spread(np.array(outcome.states)[first], rows, size, ""),
        "probability": _spread(p.max(axis=1, initial=0), rows, size, np.nan),
        "entropy_bits": _spread(entropy(p), rows, size, np.nan),
    }
    if outcome.means is not None:
        low, high = outcome.interval(p)
        for name, values in {"mean": p @ outcome.means, "low": low, "high": high}.items():
            columns[name] = _spread(values, rows, size, np.nan)
    return columns


def _listed(chosen: np.ndarray, names: list[str]) -> np.ndarray:
    """The names that each row (N, names) has, joined."""
    pairs = [zip(row, names, strict=True) for row in chosen]
    return np.array(["; ".join(n for own, n in row if own) for row in pairs], dtype=object)


class Answers:
    """What is told of a posterior (..., K): probabilities of classes, or the mean of a number.

    Of two classes the last one alone, for the other says the same.
    """

    def __init__(self, outcome: Outcome) -> None:
        states = outcome.states
        self.means = outcome.means
        self.chosen = np.arange(len(states))[1 if len(states) == 2 else 0 :]
        self.names = np.array(["mean"] if self.means is not None else states, dtype=object)
        if self.means is None:
            self.names = self.names[self.chosen]

    def of(self, p: np.ndarray) -> np.ndarray:
        """The answers (..., A)."""
        return p[..., self.chosen] if self.means is None else (p @ self.means)[..., None]

    def strength(self, p: np.ndarray) -> np.ndarray:
        """The same as something that adds up: log odds, or the mean."""
        return log_odds(self.of(p)) if self.means is None else self.of(p)


def _missing(told: AboutField, name: str, rows: np.ndarray) -> dict[str, Any]:
    return {"row": rows, "field": name, "bits": told.information[rows].round(DIGITS)}


def _contribution(
    told: AboutField,
    name: str,
    rows: np.ndarray,
    states: np.ndarray,
    p: np.ndarray,
    answers: Answers,
) -> dict[str, Any]:
    """What the answer is with the field and without it; the change of log odds, or of the mean."""
    before, size = told.without[rows], len(answers.names)
    return {
        "row": np.repeat(rows, size),
        "field": name,
        "field_state": np.repeat(states, size),
        "answer": np.tile(answers.names, len(rows)),
        "without": answers.of(before).ravel(),
        "with": answers.of(p).ravel(),
        "change": (answers.strength(p) - answers.strength(before)).ravel().round(DIGITS),
    }


def _what_if(
    told: AboutField,
    name: str,
    rows: np.ndarray,
    states: np.ndarray,
    codes: np.ndarray,
    answers: Answers,
) -> dict[str, Any]:
    plausible = told.plausible[rows]
    row, state = np.nonzero(plausible)
    size = len(answers.names)
    return {
        "row": np.repeat(rows[row], size),
        "field": name,
        "field_state": np.repeat(states[state], size),
        "is_so": np.repeat(codes[rows[row]] == state, size),
        "plausibility": np.repeat(plausible[row, state], size),
        "answer": np.tile(answers.names, len(row)),
        "value": answers.of(told.what_if[rows[row], state]).ravel(),
    }


def _spread(values: np.ndarray, rows: np.ndarray, size: int, empty: Any) -> np.ndarray:
    """Values of some rows among all of them."""
    spread = np.full(size, empty, dtype=object if isinstance(empty, str) else float)
    spread[rows] = values
    return spread


def _stacked(parts: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Columns of several tables end to end; a text alone is that of all rows of its table."""
    columns: dict[str, list[np.ndarray]] = defaultdict(list)
    for part in parts:
        for name, values in part.items():
            repeated = isinstance(values, str)
            columns[name].append(np.full(len(part["row"]), values, object) if repeated else values)
    return {name: np.concatenate(values) for name, values in columns.items()}


def _joined(table: str, parts: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """All outcomes of a table, row after row; numbers have columns of their own at the end."""
    stacked = _stacked(parts)
    names = (*COLUMNS[table], *(name for name in stacked if name not in COLUMNS[table]))
    keys = [stacked["row"]]
    if table in STRONGEST:
        keys.insert(0, -np.abs(stacked[STRONGEST[table]]))
    order = np.lexsort(keys)
    return {name: stacked[name][order] for name in names}
