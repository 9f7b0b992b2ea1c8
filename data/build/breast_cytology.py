"""Write data/breast_cytology/: WDBC out of scikit-learn, with ids, and 30 patients as new data.

    python data/build/breast_cytology.py

Needs only scikit-learn. The same files, byte for byte, each time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer

NEW_PATIENTS = 30
SEED = 1


def main(folder: Path) -> None:
    """Write patients.csv (with `diagnosis`) and new_patients.csv (without)."""
    data = load_breast_cancer(as_frame=True)
    table = data.data.rename(columns=lambda name: name.replace(" ", "_"))
    # UCI's patient numbers are not in scikit-learn's copy: the row number stands in for them.
    table.insert(0, "patient_id", [f"WDBC-{row:03d}" for row in range(1, len(table) + 1)])
    table.insert(1, "diagnosis", data.target_names[data.target])

    new = np.sort(np.random.default_rng(SEED).choice(len(table), NEW_PATIENTS, replace=False))
    folder.mkdir(parents=True, exist_ok=True)
    table.drop(index=new).to_csv(folder / "patients.csv", index=False)
    table.loc[new].drop(columns="diagnosis").to_csv(folder / "new_patients.csv", index=False)


if __name__ == "__main__":
    main(Path(__file__).parents[1] / "breast_cytology")
