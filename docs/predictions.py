"""Keep the first predictions of runs for the documentation, one table an application.

Runs may be smaller ones, such as those of .ci/quick: what is shown is how predictions look.

`python docs/predictions.py disease_risk=results/heart_disease/new_men ...` writes
docs/predictions/disease_risk.csv.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parent / "predictions"
ROWS = 3


def keep(application: str, results: Path) -> None:
    """Write the table of an application from the results of a data set."""
    rows = pd.read_csv(results / "predictions.csv", dtype=str, keep_default_na=False, nrows=ROWS)
    rows = rows.drop(columns="why", errors="ignore")  # which tells values of a person
    rows.insert(0, "task", results.parent.name)
    rows.to_csv(FOLDER / f"{application}.csv", index=False)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        name, _, folder = argument.partition("=")
        keep(name, Path(folder))
