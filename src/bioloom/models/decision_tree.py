"""Decision trees whose rules can be read: one, or a sum of small ones.

Each is a regression tree on the Newton step of the loss (Friedman 2001, Ann Stat 29, 1189): of log
loss, of squared error, or of Cox's partial likelihood, where one tree is that of LeBlanc and
Crowley (1992, Biometrics 48, 411). Where events compete each cause has trees of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from bioloom.arrays import Shaped, Table, end_to_end, vectors
from bioloom.errors import DataError
from bioloom.models._estimator import Estimator, target_matrix
from bioloom.models._losses import Loss, Partial, loss_for
from bioloom.models._survival import baseline_hazard, free_of
from bioloom.models._tree import LEAF, MOST_CONDITIONS, Tree, in_words, read_tree

FEWEST = 5  # rows of a rule, which rules.csv tells the share of
PATIENCE = 30  # trees without a gain on valid rows
MOST_TOLD = 3  # columns, of a sample
CUTS = 20  # ways to cut a tree back that are tried
STEPS = 12  # by which the answers of one tree settle
FLAT = 1e-6  # the least curvature of a row that a tree looks at


@dataclass(kw_only=True)
class Model(Estimator):
    """Rules of at most `depth` conditions; numbers as they are, gaps go where they fit best.

    Of one tree, valid rows say how far it is cut back; of several, how many there are.
    """

    gives = ("classes", "labels", "values", "survival")
    takes = ("table", "vectors")
    scaled = False  # cuts are read in the units of the table

    trees: int = 1
    """At most."""
    depth: int = 3
    """Conditions of a rule, at most 8."""
    min_leaf: int = 10
    """Rows of a rule, at least 5."""
    learning_rate: float = 0.1
    """How much of a tree is taken, where there are several."""
    penalty: float = 1.0
    """Curvature that is added to that of a rule's rows, so that few rows move little."""
    class_weight: Literal["balanced"] | None = None
    """`balanced`: a rare class counts as much as a frequent one."""

    def fit(
        self,
        X: Shaped,
        y: Shaped,
        X_valid: Shaped,
        y_valid: Shaped,
        sample_weight: np.ndarray | None = None,
    ) -> Self:
        """Grow trees until valid rows say that it is enough."""
        if self.depth > MOST_CONDITIONS:
            raise DataError(
                f"A rule of {self.depth} conditions is hard to read",
                hint=f"`depth` is at most {MOST_CONDITIONS}",
            )
        if self.min_leaf < FEWEST:
            raise DataError(
                f"A rule of {self.min_leaf} rows tells who they are",
                hint=f"`min_leaf` is at least {FEWEST}",
            )
        values, valid = self._cells(X), self._cells(X_valid)
        loss, held = self._loss(y), self._loss(y_valid)
        weight = self._weight(y, sample_weight)
        self.names = names_of(self.taken(X))
        self.start = loss.start(weight)
        weight = np.broadcast_to(weight, (len(values), len(self.start)))
        self.grown: list[list[Tree]] = []
        scores, told = (np.tile(self.start, (len(rows), 1)) for rows in (values, valid))
        # Valid rows that no score can suit better, such as without an event, tell nothing.
        stops = len(valid) > 0 and bool(held.step(told)[0].any())
        best, keep = held.value(told) if stops else np.inf, 0
        most, cuts = self.stop or (self.trees, [])
        self.cuts: list[float] = []
        while len(self.grown) - keep < PATIENCE and len(self.grown) < most:
            slope, bend = loss.step(scores)
            trees: list[Tree] = []
            for k in range(len(self.start)):
                own = weight[:, k]
                ways = self._trees(values, own * slope[:, k], own * bend[:, k])
                if self.trees == 1:
                    ways = [self._settled(way, values, own, loss, k) for way in ways]
                told_by = [held.value(_added(told, k, way, valid)) if stops else 0 for way in ways]
                last = len(ways) - 1
                cut = round(cuts[k] * last) if self.stop else int(np.argmin(told_by))
                trees.append(ways[cut])
                self.cuts.append(cut / max(last, 1))
            for k, tree in enumerate(trees):
                scores, told = _added(scores, k, tree, values), _added(told, k, tree, valid)
            self.grown.append(trees)
            if not stops or (found := held.value(told)) < best:
                best, keep = found if stops else best, len(self.grown)
        self.grown = self.grown[:keep]
        self.hazard = np.zeros(0)
        if isinstance(loss, Partial):
            scores = self._scores(values)
            times = np.array(self.times)
            hazards = [baseline_hazard(scores[:, c], s, times) for c, s in enumerate(loss.sets)]
            self.hazard = np.array(hazards)
        return self

    @property
    def stopped(self) -> tuple[int, list[float]]:
        """How many trees were kept, and how far each was cut, from 0 (not) to 1 (all of it)."""
        return len(self.grown), self.cuts

    def _weight(self, y: Shaped, sample_weight: np.ndarray | None) -> np.ndarray:
        """How much each row counts, (N, 1), or for each label, (N, n_outputs).

        Rows of rare classes count more, where classes are balanced.
        """
        weight = (np.ones(len(y)) if sample_weight is None else sample_weight)[:, None]
        if self.class_weight is None or self.output not in ("classes", "labels"):
            return weight
        targets = target_matrix(y, self.output, self.n_outputs)
        if self.output == "classes":
            sizes = np.maximum((weight * targets).sum(axis=0), 1e-9)
            return weight * (weight.sum() / (self.n_outputs * sizes) @ targets.T)[:, None]
        yes, known = np.nan_to_num(targets), ~np.isnan(targets)
        sizes = [np.maximum((weight * part).sum(axis=0), 1e-9) for part in (yes, known - yes)]
        half = sum(sizes) / 2
        return weight * np.where(yes == 1, half / sizes[0], half / sizes[1])

    def _loss(self, y: Shaped) -> Loss:
        labels = end_to_end(y)
        survival = self.output == "survival"
        targets = labels if survival else target_matrix(y, self.output, self.n_outputs)
        return loss_for(self.output, self.n_outputs)(targets)

    def _cells(self, X: Shaped) -> np.ndarray:
        """A table's numbers with their gaps and a column of 0 and 1 a category, (N, D) float32."""
        X = self.taken(X)
        return X.dense() if isinstance(X, Table) else np.asarray(X, dtype=np.float32)

    def _trees(self, values: np.ndarray, slope: np.ndarray, bend: np.ndarray) -> list[Tree]:
        """The next tree, by the first and second derivatives (N,) of the loss; ways to cut it."""
        from sklearn.tree import DecisionTreeRegressor

        rows = bend > 0
        if not rows.any():
            return [LEAF]
        bend = np.maximum(bend[rows], FLAT)
        asked = values[rows], -slope[rows] / bend, bend
        options: dict[str, Any] = {
            "max_depth": self.depth,
            "min_samples_leaf": self.min_leaf,
            "random_state": self.seed,
        }
        if self.trees > 1:
            tree = DecisionTreeRegressor(**options).fit(*asked)
            return [read_tree(tree, asked[0], self.penalty, self.learning_rate)]
        path = DecisionTreeRegressor(**options).cost_complexity_pruning_path(*asked)
        alphas = np.unique(np.quantile(path.ccp_alphas, np.linspace(0, 1, CUTS))).clip(min=0)
        cut = [DecisionTreeRegressor(ccp_alpha=alpha, **options).fit(*asked) for alpha in alphas]
        return [read_tree(tree, asked[0], self.penalty, 1.0) for tree in cut]

    def _settled(
        self, tree: Tree, values: np.ndarray, weight: np.ndarray, loss: Loss, k: int
    ) -> Tree:
        """The tree with the best answer of each rule: one step is too far where it is alone."""
        ends, value = tree.ends(values), np.zeros(len(tree.value))
        for _ in range(STEPS):
            scores = np.tile(self.start, (len(values), 1))
            scores[:, k] += value[ends]
            slope, bend = (weight * part[:, k] for part in loss.step(scores))
            # drawn to 0 as by so many further rows with the mean answer
            down = np.bincount(ends, slope, len(value)) + self.penalty * value
            move = down / (np.bincount(ends, bend, len(value)) + self.penalty)
            value = value - move.clip(-1, 1)
        return replace(tree, value=value)

    def _scores(self, values: np.ndarray) -> np.ndarray:
        """The sum of all trees, (N, S)."""
        scores = np.tile(self.start, (len(values), 1))
        for trees in self.grown:
            for k, tree in enumerate(trees):
                scores[:, k] += tree.answers(values)
        return scores

    def outputs(self, X: Shaped) -> np.ndarray:
        """Probabilities, values, or the share without the event at each time, (N, n_outputs)."""
        answers = loss_for(self.output, self.n_outputs).answers(self._scores(self._cells(X)))
        if self.output != "survival":
            return answers
        return free_of([np.outer(answers[:, c], one) for c, one in enumerate(self.hazard)])

    def export(self, folder: Path, outputs: Sequence[str]) -> None:
        """Write rules.csv, which is read by people, and tree.csv, which is drawn."""
        self.rules().to_csv(folder / "rules.csv", index=False, float_format="%.4g")
        self.first_trees().to_csv(folder / "tree.csv", index=False, float_format="%.4g")

    def write_state(self, folder: Path) -> None:
        """Write model.safetensors, and the names of the columns (names.json)."""
        super().write_state(folder)
        (folder / "names.json").write_text(json.dumps(self.names) + "\n")

    def read_state(self, folder: Path) -> None:
        """Read both; DataError for a tree that leads nowhere."""
        super().read_state(folder)
        self.names = json.loads((folder / "names.json").read_text())
        size = len(self.names)
        if not all(tree.is_sound(size) for trees in self.grown for tree in trees):
            raise DataError("The trees are damaged", file=folder / "model.safetensors")

    def rules(self) -> pd.DataFrame:
        """`rule, answer, effect, share`: the different rules, those first that move most rows most.

        The effect of all trees with the rule adds to a value, or multiplies odds or a hazard;
        `answer` is the score that it is of (1 that of events that compete), `share` of the training
        rows follow the rule.
        """
        moved: dict[tuple[str, int], list[float]] = {}
        for trees in self.grown:
            for k, tree in enumerate(trees):
                for end, path in tree.paths().items():
                    value, share = float(tree.value[end]), float(tree.share[end])
                    known = moved.setdefault((in_words(path, self.names), k), [0.0, share])
                    known[0] += value
        order = sorted(moved, key=lambda rule: -abs(moved[rule][0]) * moved[rule][1])
        found = [(*rule, self._effect(moved[rule][0]), moved[rule][1]) for rule in order]
        return pd.DataFrame(found, columns=["rule", "answer", "effect", "share"])

    def first_trees(self) -> pd.DataFrame:
        """`answer, node, parent, condition, effect, share, trees` of the nodes of the first trees.

        There is one for each answer, and `trees` in all. The root has no parent (-1), and what ends
        a rule alone has an effect, as in `rules`. Of two nodes of a parent the first is where the
        value is low.
        """
        rows = []
        for k, tree in enumerate(self.grown[0] if self.grown else [LEAF] * len(self.start)):
            above: dict[int, tuple[int, str]] = {0: (-1, "")}
            for node in np.flatnonzero(tree.column >= 0):
                split = int(tree.column[node]), float(tree.cut[node])
                for below, at_most in ((tree.left[node], True), (tree.right[node], False)):
                    told = in_words([(*split, at_most)], self.names).removeprefix("if ")
                    above[int(below)] = int(node), told
            for one, (parent, told) in sorted(above.items()):
                ends = tree.column[one] < 0
                effect = self._effect(float(tree.value[one])) if ends else np.nan
                share = float(tree.share[one])
                rows.append((k, one, parent, told, effect, share, len(self.grown)))
        names = ["answer", "node", "parent", "condition", "effect", "share", "trees"]
        return pd.DataFrame(rows, columns=names)

    def _effect(self, value: float) -> float:
        return float(value if self.output == "values" else np.exp(value))

    def why(self, X: Shaped) -> list[str] | None:
        """The rule of each sample, or the columns that move it most and by how much.

        None where there are several answers; of events that compete it is about the one asked for.
        """
        if len(self.start) > 1 and self.output != "survival":
            return None
        taken = self.taken(X)
        values, names = self._cells(X), names_of(taken)
        if self.trees == 1:
            tree = self.grown[0][0] if self.grown else LEAF
            paths = tree.paths()
            ends = tree.ends(values)
            return [in_words(paths[e], names, row) for e, row in zip(ends, values, strict=True)]
        parts: dict[tuple[int, ...], np.ndarray] = {}
        for tree, *_ in self.grown:
            columns = tuple(np.unique(tree.column[tree.column >= 0]))
            parts[columns] = parts.get(columns, 0.0) + tree.answers(values)
        sign = "+" if self.output == "values" else "x"
        told = []
        for row in range(len(values)):
            moved = sorted(parts, key=lambda columns: -abs(parts[columns][row]))[:MOST_TOLD]
            told.append("; ".join(
                f"{' and '.join(f'{names[c]} {_shown(values[row, c])}' for c in columns)} "
                f"({sign} {self._effect(parts[columns][row]):.3g})"
                for columns in moved
            ))  # fmt: skip
        return told

    def state(self) -> dict[str, np.ndarray]:
        """All trees end to end, the number of nodes of each, the start, and the mean hazard."""
        trees = [tree for grown in self.grown for tree in grown]
        names = [part.name for part in fields(Tree)]
        nodes = {f"nodes.{name}": _end_to_end([getattr(t, name) for t in trees]) for name in names}
        sizes = np.array([len(tree.column) for tree in trees], dtype=np.int64)
        return {**nodes, "sizes": sizes, "start": self.start, "hazard": self.hazard}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over a state."""
        # Older models have one event, and no axis of causes.
        self.start, self.hazard = arrays["start"], np.atleast_2d(arrays["hazard"])
        ends = np.cumsum(arrays["sizes"])[:-1]
        parts = [np.split(arrays[f"nodes.{part.name}"], ends) for part in fields(Tree)]
        trees = [Tree(*nodes) for nodes in zip(*parts, strict=True)] if len(arrays["sizes"]) else []
        size = len(self.start)
        self.grown = [trees[i : i + size] for i in range(0, len(trees), size)]


def names_of(X: Shaped) -> list[str]:
    """Names of the columns of cells: those of a table, else numbers."""
    return X.names if isinstance(X, Table) else [f"x{i + 1}" for i in range(vectors(X).shape[1])]


def _shown(value: float) -> str:
    return "missing" if np.isnan(value) else f"{value:.7g}"


def _end_to_end(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0)


def _added(scores: np.ndarray, k: int, tree: Tree, values: np.ndarray) -> np.ndarray:
    """Scores (N, S) with what a tree says of score k."""
    added = scores.copy()
    added[:, k] += tree.answers(values)
    return added
