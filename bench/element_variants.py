"""Variants of elements: the application's model beside its baselines, sites and elements held out.

`python -m bench.element_variants` prints a table. Data: MPSA of MAVE-NN, 5'
splice sites of nine letters, as variants of the sites that are spliced best and differ in three
letters or more: an element is one of these, a variant a site one letter from it, and its effect the
difference of log10 PSI. Five folds hold out places of an element, or whole elements; settings are
chosen inside of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import yaml

from bioloom.application import get_application
from bioloom.applications.gene_expression import defaults
from bioloom.features.extract import extract_features
from bioloom.sources import fetch
from bioloom.splits.split import split_samples
from bioloom.training.train import train_task

APPLICATION, SEED = "gene_expression", 1
MEMBER = "mavenn/examples/datasets/mpsa_data.csv.gz"
ELEMENTS, FEWEST, APART = 60, 60, 3
"""Sites that variants are of; reads from which on a site is taken; letters between two elements."""
DRAWS = 1_000


def variants() -> pd.DataFrame:
    """`element, wild, site, effect, reads`: a row a variant."""
    source = yaml.safe_load(Path("config.yaml").read_text())["sources"]["mavenn"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "mpsa.csv.gz"
        fetch(source | {"member": MEMBER}, path)
        table = pd.read_csv(path)
    table = table[table["tot_ct"] >= FEWEST].sort_values("y", ascending=False, kind="stable")
    letters = np.array([list(site) for site in table["x"]])
    chosen: list[int] = []
    for row, own in enumerate(letters):
        if all((own != letters[other]).sum() >= APART for other in chosen):
            chosen.append(row)
        if len(chosen) == ELEMENTS:
            break
    parts = []
    for row in chosen:
        near = table[(letters != letters[row]).sum(axis=1) == 1]
        wild, y = table["x"].iloc[row], table["y"].iloc[row]
        parts.append(near.assign(element=f"site_{wild}", wild=wild, effect=near["y"] - y))
    return pd.concat(parts)[["element", "wild", "x", "effect", "tot_ct"]]


def answers(columns: dict[str, str]) -> pd.DataFrame:
    """Held-out answers of the application's default models, with `label` and `group`."""
    application = get_application(APPLICATION)
    datasets = {"training": {"variants": "variants.csv"}}
    known = {"reference": "wild", "sequence": "x", "label": "effect", "weight": "tot_ct"}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "variants.csv"
        variants().to_csv(path, index=False)
        raw = application.ingest({"variants": path}, {"columns": known | columns})
    samples = application.clean(raw.samples, {}).samples
    task = defaults({"datasets": datasets})
    features = {"features": extract_features(samples, application, task["features"])[0]}
    splits = split_samples(samples, {"method": "cross_validation", "folds": 5}, SEED)
    options = task | {"application": APPLICATION, "preprocess": {}, "refit": False}
    _, _, held_out = train_task(samples, splits, features, options, SEED, [])
    return held_out.merge(samples[["sample_id", "label", "group", "element"]], on="sample_id")


def drawn(table: pd.DataFrame) -> Iterator[np.ndarray]:
    """Rows of whole elements, drawn with replacement."""
    rows = list(table.groupby("element").indices.values())
    rng = np.random.default_rng(SEED)
    for _ in range(DRAWS):
        yield np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])


def r2(y: np.ndarray, said: np.ndarray) -> float:
    """Of the rows together, their mean taken from themselves."""
    return float(1 - np.mean((y - said) ** 2) / np.var(y))


def main() -> None:
    """Print R2 of each model, and the difference to it, with intervals over drawn elements."""
    for held, columns in {
        "sites": {"element": "element"},
        "elements": {"element": "element", "group": "element"},
    }.items():
        found = answers(columns)
        said = found.pivot(index="sample_id", columns="model", values="prediction")
        first = found.drop_duplicates("sample_id").set_index("sample_id").loc[said.index]
        y, draws = first["label"].to_numpy(), list(drawn(first.reset_index()))
        print(
            f"| {held} held out: {len(y)} variants | R2 | variant_kernel less it |\n|---|---|---|"
        )
        for name in said:
            own, best = said[name].to_numpy(), said["model"].to_numpy()
            scores = [r2(y[rows], own[rows]) for rows in draws]
            less = [r2(y[rows], best[rows]) - r2(y[rows], own[rows]) for rows in draws]
            ends = [np.quantile(values, (0.025, 0.975)) for values in (scores, less)]
            (low, high), (least, most) = ends
            gain = f"{r2(y, best) - r2(y, own):+.3f} ({least:+.3f} to {most:+.3f})"
            print(f"| {name} | {r2(y, own):.3f} ({low:.3f} to {high:.3f}) | {gain} |", flush=True)


if __name__ == "__main__":
    main()
