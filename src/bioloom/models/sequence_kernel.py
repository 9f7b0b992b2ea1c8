"""An exact kernel model of sequences: ridge on the words (k-mers) that two of them share.

Which words count is chosen by answers to rows whose group was left out:

    spectrum   words of several lengths wherever they are (of DNA on either strand), and short
               ones by about where they are
    register   short words by their exact position, as an RBF kernel: which of them go together
    both       the mean of the two

Of values, rows count by the variance that their weight leaves, found by moments of left-out errors:
a row of ten times the reads is no ten times as exact.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self, cast

import numpy as np

from bioloom.arrays import Ragged, Shaped
from bioloom.embedders import BASES
from bioloom.models import kernel
from bioloom.models._kernels import effective_rows, landmarks, missed, variance_weights
from bioloom.models._words import Letters, View, placed, spectrum

LENGTHS = {4: (3, 4, 5, 6), 20: (1, 2, 3)}
"""Of words of the spectrum, by the size of the alphabet."""
PLACED, APART = {4: 3, 20: 2}, 20
"""The length of its words by about where they are, and letters between two such places."""
REGISTER = {4: (1, 2, 3), 20: (1, 2)}
"""Lengths of words by their exact position."""
KERNELS = {"spectrum": 1.0, "both": 0.5, "register": 0.0}
"""The share of the spectrum in each."""
CHECKED = 500
"""Rows of which the error of landmarks is told, none of them a landmark."""


@dataclass(kw_only=True)
class Model(kernel.Model):
    """Kernel ridge on shared words; classes and labels as `kernel` tells them."""

    takes = ("tokens",)
    scaled = False  # letters are letters

    strands: bool = True
    """Of DNA: a word and its reverse complement are one, where its position does not count."""

    def fit(  # type: ignore[override]
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
        groups: np.ndarray | None = None,
        columns: np.ndarray | None = None,
    ) -> Self:
        """Learn from the training rows; valid rows are not used.

        `groups (N,)` are left out together where kernel and strength are chosen; `columns (D,)`
        are the letters that the columns of tokens stand for.
        """
        drawn, groups = kernel.rows_and_groups(len(X), groups, self.seed)
        tokens, own = cast(Ragged, self.taken(X))[drawn], np.asarray(y)[drawn]
        self.letters = Letters.learn(tokens, columns)
        texts, marks = self.letters.read(tokens), landmarks(len(drawn), self.seed)
        self._know(texts[marks])
        parts = compared(self.views, texts)
        best = np.inf
        self.facts: dict[str, Any] = {
            "letters": self.letters.alphabet,
            "rows": len(drawn),
            "losses": {},
        }
        for name, share in KERNELS.items():
            found = self._best(mixed(parts, share), marks, own, groups)
            self.facts["losses"][name] = float(found[0])
            if found[0] < best:
                best, self.coefficients, self.told, errors = found
                self.facts["kernel"] = name
        chosen = mixed(parts, KERNELS[self.facts["kernel"]])
        if sample_weight is not None and self.output == "values":
            weight = variance_weights(errors, sample_weight[drawn])
            self.facts["effective_rows"] = effective_rows(weight)
            _, self.coefficients, self.told, _ = self._best(chosen, marks, own, groups, weight)
        if len(marks) < len(drawn):
            others = np.setdiff1d(np.arange(len(drawn)), marks)
            rows = np.random.default_rng(self.seed).permutation(others)[:CHECKED]
            views = [[view.against(texts[rows]) for view in part] for part in self.views]
            exact = mixed(compared(views, texts[rows]), KERNELS[self.facts["kernel"]])
            error = missed(chosen[rows], chosen[marks], exact)
            self.facts |= {"landmarks": len(marks), "missed_by_landmarks": error}
        return self

    def _know(self, texts: Ragged) -> None:
        """Take these for the sequences that others are compared with."""
        self.known = texts
        size, longest = len(self.letters.alphabet), int(texts.lengths.max(initial=1))
        strands, places = self.strands and size == len(BASES), longest // APART + 2
        counts = [partial(spectrum, k=k, size=size, strands=strands) for k in LENGTHS[size]]
        counts.append(partial(placed, k=PLACED[size], size=size, apart=APART, places=places))
        exact = [partial(placed, k=k, size=size, apart=1, places=longest) for k in REGISTER[size]]
        self.views = [[View.of(count, texts) for count in part] for part in (counts, exact)]

    def _compared(self, X: Shaped) -> Iterator[np.ndarray]:
        texts, share = self.letters.read(cast(Ragged, self.taken(X))), KERNELS[self.facts["kernel"]]
        for rows in np.array_split(np.arange(len(texts)), len(texts) // kernel.BLOCK + 1):
            yield mixed(compared(self.views, texts[rows]), share)

    def state(self) -> dict[str, np.ndarray]:
        """Landmarks, how letters are read, coefficients and the regression."""
        return {
            "known": self.known.values.astype(np.uint8),
            "offsets": self.known.offsets,
            "place": self.letters.place,
            "cut": self.letters.cut,
            "coefficients": self.coefficients,
            "told": self.told,
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over a state."""
        self.letters = Letters(self.facts["letters"], arrays["place"], arrays["cut"])
        self.coefficients, self.told = arrays["coefficients"], arrays["told"]
        self._know(Ragged(arrays["known"].astype(np.int64), arrays["offsets"]))

    def write_state(self, folder: Path) -> None:
        """Write model.safetensors, and kernel.json: what was chosen, and on how many rows."""
        super().write_state(folder)
        (folder / "kernel.json").write_text(json.dumps(self.facts, indent=1) + "\n")

    def read_state(self, folder: Path) -> None:
        """Read both."""
        self.facts = json.loads((folder / "kernel.json").read_text())
        super().read_state(folder)


def compared(views: list[list[View]], texts: Ragged) -> tuple[np.ndarray, np.ndarray]:
    """The kernels of spectrum and register of sequences with the known ones, (N, L) each.

    Of the spectrum one half is words wherever they are, the other those by about where they are.
    """
    anywhere, exact = views
    spoken, register = (
        np.empty((len(texts), part[0].turned.shape[1]), np.float32) for part in views
    )
    for rows in np.array_split(np.arange(len(texts)), len(texts) // kernel.BLOCK + 1):
        block = texts[rows]
        *words, about = (view.products(view.counts(block)) for view in anywhere)
        spoken[rows] = (sum(words) / len(words) + about) / 2
        apart = sum(view.distances(view.counts(block)) for view in exact) / len(exact)
        register[rows] = np.exp(-apart / 2)
    return spoken, register


def mixed(parts: tuple[np.ndarray, np.ndarray], share: float) -> np.ndarray:
    """So much of the first kernel, the rest of the second."""
    if share in (0, 1):
        return parts[0] if share else parts[1]
    return np.float32(share) * parts[0] + np.float32(1 - share) * parts[1]
