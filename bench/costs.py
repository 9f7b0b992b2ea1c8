"""What the dear steps cost: CPU seconds and peak memory, each in a process of its own.

`python -m bench.costs` prints the table of `docs/costs.md`; `--only clusters` one line of it. Data
are simulated in the sizes that a genome has. Seconds depend on the machine: compare two commits on
one.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

LETTERS = "ARNDCQEGHILKMFPSTWYV"
PAIR_MODEL = {"name": "ensemble", "of": [{"name": "gnn"}, {"name": "pair_kernel"}]}
"""The application's."""
MIB = 2**10
"""Of the unit of `ru_maxrss` on Linux."""


def expression(rows: int, columns: int) -> pd.DataFrame:
    """Samples of two classes by the first of twenty factors that the columns share."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(rows, 20))
    X = (factors @ rng.normal(size=(20, columns)) * 0.3).astype(np.float32)
    X += rng.normal(size=X.shape).astype(np.float32)
    ids = [f"s{i}" for i in range(rows)]
    label = np.where(factors[:, 0] + 0.5 * rng.normal(size=rows) > 0, "yes", "no")
    table = pd.DataFrame(X, columns=[f"g{i}" for i in range(columns)])
    return pd.concat(
        [pd.DataFrame({"sample_id": ids, "group": ids, "label": label}), table], axis=1
    )


def proteins(count: int, families: int) -> list[str]:
    """Families whose members keep 30 to 95 % of the letters of their first one; some are equal."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(5.6, 0.6, families), 40, 2_000).astype(int)
    firsts = [rng.choice(list(LETTERS), length) for length in lengths]
    made = []
    for i in range(count):
        letters = firsts[i % families].copy()
        changed = rng.random(len(letters)) > rng.uniform(0.3, 1.0)
        letters[changed] = rng.choice(list(LETTERS), changed.sum())
        made.append("".join(letters))
    return made + made[: count // 20]


def explain() -> None:
    """Training, then `explain` of 200 samples of 7,000 columns."""
    from bioloom.application import get_application
    from bioloom.explanation.explain import explain
    from bioloom.features import Features
    from bioloom.training.train import train_task

    samples = expression(200, 7_000)
    ids, names = samples["sample_id"].to_numpy(), samples.columns[3:].to_numpy(str)
    features = Features(ids, samples[names].to_numpy(), names, "table")
    samples = samples[["sample_id", "group", "label"]]
    split = np.repeat(["train", "valid", "test"], [130, 30, 40])
    place = {"unit": range(200), "repeat": 0, "fold": 0, "split": split}
    splits = pd.DataFrame({"sample_id": ids, **place})
    application, model = "disease_diagnosis", {"name": "dnn"}
    options = {"application": application, "model": model}
    _, fitted, _ = train_task(samples, splits, {"features": features}, options, 1, [])
    _lap("training")
    given = samples, splits, features, fitted, get_application(application), {}
    explain(*given, embedder={"embedder": "table"}, weights=None, seed=1)
    _lap("explanation")


def clusters() -> None:
    """Clusters of 4,446 proteins at 40 % identity, then the audit of five folds of them."""
    from bioloom.similarity.sequence import compare, sequence_clusters

    texts = proteins(4_235, 1_500)
    sequence_clusters(texts, 0.4)
    _lap(f"clusters of {len(texts):,} proteins")
    nearest = compare(pd.DataFrame({"sequence": texts}), None, False)
    rows = np.arange(len(texts))
    for fold in range(5):
        nearest(rows[rows % 5 == fold], rows[rows % 5 != fold])
    _lap("audit of five folds")


def wide() -> None:
    """Suspicions and the audit of 500 samples of 60,000 columns."""
    _audit(500, 60_000)


def long() -> None:
    """Suspicions and the audit of 20,000 samples of 40 columns."""
    _audit(20_000, 40)


def _audit(rows: int, columns: int) -> None:
    from bioloom.similarity.table import compare, shortcuts
    from bioloom.splits.suspects import suspects

    samples = expression(rows, columns)
    _lap(f"a table of {rows:,} x {columns:,}, {rows * columns * 4 / 2**20:,.0f} MiB")
    suspects(samples)
    _lap("suspicions")
    tested = np.arange(rows) % 5 == 0
    compare(samples, None, False)(np.flatnonzero(tested), np.flatnonzero(~tested))
    _lap("nearest rows")
    shortcuts(samples, (samples["label"] == "yes").to_numpy())
    _lap("shortcuts")


def pairs() -> None:
    """A model of 2,000 pairs, then predictions of 621,504 pairs of 1,120 proteins."""
    from bioloom.arrays import Links, Network
    from bioloom.features import Features
    from bioloom.predictions.drift import drift
    from bioloom.predictions.predict import predict
    from bioloom.training.train import train_task

    rng, count, width = np.random.default_rng(0), 1_120, 256
    none = np.zeros((2, 0), dtype=np.int64), np.zeros(0, dtype=np.float32)
    nodes = np.array([f"p{i}" for i in range(count)])
    network = Network(nodes, rng.normal(size=(count, width)).astype(np.float32), *none)
    ends = np.stack(np.triu_indices(count, 1), axis=1)[: 621_504 + 2_000]
    ends = ends[rng.permutation(len(ends))]
    ids = np.array([f"p{a}|p{b}" for a, b in ends])
    names = [f"x{i}" for i in range(width)]
    samples = pd.DataFrame({"sample_id": ids, "group": ids})
    samples[["source", "target"]] = nodes[ends]
    X = Links(network, ends, np.zeros((len(ends), 0), dtype=np.float32))
    known = np.arange(2_000)
    labelled = samples.iloc[known].reset_index(drop=True)
    alike = network.X[ends[known]].prod(axis=1) @ rng.normal(size=width)
    labelled["label"] = np.where(alike > 0, "yes", "no")
    split = np.repeat(["train", "valid", "test"], [1_400, 300, 300])
    place = {"unit": known, "repeat": 0, "fold": 0, "split": split}
    splits = pd.DataFrame({"sample_id": labelled["sample_id"], **place})
    options = {"application": "protein_interaction", "model": PAIR_MODEL}
    made = Features(ids[known], X[known], np.array(names), "simulated")
    given = {"features": made}
    fitted, _, _ = train_task(labelled, splits, given, options, 1, [])
    _lap("training on 2,000 pairs")
    new = samples.iloc[2_000:].reset_index(drop=True)
    extracted = Features(ids[2_000:], X[np.arange(2_000, len(ids))], np.array(names), "simulated")
    drift(new, extracted, fitted)
    _lap("drift")
    fitted.settings["id"] = "simulated"  # that of a saved model
    predict(new, extracted, fitted, "simulated")
    _lap(f"predictions of {len(new):,} pairs")


CASES: dict[str, Callable[[], None]] = {
    case.__name__: case for case in (explain, clusters, wide, long, pairs)
}
_last = [0.0]


def _lap(what: str) -> None:
    """Print what came to its end, the CPU seconds since the last line, and the peak until now."""
    now = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    print(f"| {what} | {now - _last[0]:.1f} | {peak:,.0f} |", flush=True)
    _last[0] = now


def main() -> None:
    """Print a table: what, CPU seconds, MiB at most."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=CASES, action="append", help="only these")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        CASES[arguments.case]()
        return
    for name in arguments.only or CASES:
        command = [sys.executable, "-m", "bench.costs", "--case", name]
        subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})


if __name__ == "__main__":
    main()
