"""F1 of called variants on thinned real reads: ours, the likelihood and bcftools.

`python -m bench.variants --reads x.bam --reference ref.fa --truth t.vcf.gz --confident c.bed`
prints a row of a table for SNPs and one for indels of each depth. Fragments are left out by their
names, `--draws` times for each depth. One half of the region trains, on all depths at once, and the
other is scored, and the other way round; thresholds are those of the half that trains. The model
that ships is taken as it is. Differences to bcftools at its best threshold have 95 % intervals by
resampling blocks of loci, `--block` bases each, and are of genotypes, which must be exact.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from bioloom.applications.variant_calling import application
from bioloom.evaluation.intervals import draw_groups, paired_interval
from bioloom.evaluation.test_set import read_test_set, scores_of
from bioloom.features import align, own_sections
from bioloom.features.extract import extract_features
from bioloom.fitted import Fitted
from bioloom.kinds import get_kind
from bioloom.pipeline.home import HOME
from bioloom.samples import VARIANT
from bioloom.training.recipe import make_recipes
from bioloom.training.train import Partition, fit, labels_of, predict_rows

APPLICATION, SHIPPED = "variant_calling", HOME / "data/models/variant_calling"
BASELINES = ("likelihood", "bcftools_20", "bcftools", "bcftools_best")
BEST = "bcftools_best"
VALID = 3  # of so many blocks that train one stops the network and chooses its threshold
RESAMPLES, SEED = 1000, 1
KIND = get_kind("genotypes")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for source in ("reads", "reference", "truth", "confident"):
        parser.add_argument(f"--{source}", type=Path, required=True)
    parser.add_argument("--depths", type=float, nargs="+", default=[5.0, 8.0, 12.0, 30.0])
    parser.add_argument("--draws", type=int, default=3, help="of the fragments of each depth")
    parser.add_argument("--seed", type=int, default=1, help="of these draws")
    parser.add_argument("--block", type=int, default=1000, help="bases resampled together")
    asked = parser.parse_args()
    files = {name: getattr(asked, name) for name in ("reads", "reference", "truth", "confident")}
    depths = [depth for depth in asked.depths for _ in range(asked.draws)]
    thinned = {"depths": depths, "theta": 0.0, "theta_indel": 0.0, "seed": asked.seed}
    raw = application.ingest(files, {"spike_in": thinned, "block": asked.block})
    samples = application.clean(raw.samples, {}).samples
    answers = held_out(samples)
    people = samples[f"{VARIANT}person"]
    depth = people.map(dict(zip(sorted(set(people), key=number), depths, strict=True)))
    others = [name for name in dict.fromkeys(answers["model"]) if name != BEST]
    print(f"| depth | of | {' | '.join([*others, BEST])} | model less best | shipped less best |")
    print("|---" * (len(others) + 5) + "|")
    for value in asked.depths:
        part = samples[depth == value]
        for variant, metric in (("SNPs", "snp_f1"), ("indels", "indel_f1")):
            print(f"| {value:g} | {variant} | {' | '.join(row(part, answers, metric))} |")


def number(person: str) -> int:
    """Which of the samples that a sample became this is, from 1."""
    return int(person.rpartition("_")[2])


def held_out(samples: pd.DataFrame) -> pd.DataFrame:
    """What each model says of the half that it has not seen, as held_out.parquet has it."""
    sections = application.defaults({})
    baselines = {name: sections["baselines"][name] for name in BASELINES}
    options = {"application": APPLICATION, "model": sections["model"], "baselines": baselines}
    made = {
        file: extract_features(samples, application, section)[0]
        for file, section in own_sections(baselines).items()
    }
    features = extract_features(samples, application, sections["features"])[0]
    labels = labels_of(samples, options)
    recipes = make_recipes({"features": features} | made, options, labels.kind)
    shipped = Fitted.load(SHIPPED)
    known = align(features, shipped.settings["feature_names"], shipped.settings["features"])
    places = samples["group"].str.rpartition(":")
    blocks = pd.Series(list(zip(places[0], places[2].astype(int), strict=True)))
    units = blocks.rank(method="dense").to_numpy(int)
    left = units <= units.max() / 2
    tables = []
    for fold, test in enumerate((left, ~left)):
        trains = np.flatnonzero(~test)
        valid = units[trains] % VALID == 0
        for name in ("model", *BASELINES):
            # What learns nothing has its threshold from all of the half.
            train, stops = (trains[~valid], trains[valid]) if name == "model" else (trains, trains)
            rows = {"train": train, "valid": stops, "test": np.flatnonzero(test)}
            fitted = fit(recipes[name], labels, Partition(0, fold, rows, units), samples, SEED)
            said = predict_rows(fitted, recipes[name].features, samples[test])
            tables.append(said.assign(model=name, repeat=0, fold=fold))
        said = predict_rows(shipped, known, samples[test])
        tables.append(said.assign(model="shipped", repeat=0, fold=fold))
    return pd.concat(tables, ignore_index=True)


def row(samples: pd.DataFrame, answers: pd.DataFrame, metric: str) -> list[str]:
    """The scores of all models on some samples, and the differences to the best threshold's."""
    said = answers[answers["sample_id"].isin(samples["sample_id"])]
    tested = said.loc[said["model"] == "model", ["sample_id", "repeat", "fold"]]
    tested = tested.merge(samples[["sample_id", "group"]], on="sample_id")
    tested = tested.assign(unit=pd.factorize(tested["group"])[0], split="test")
    test = read_test_set(samples, tested.drop(columns="group"), said, KIND, {})
    draws = draw_groups(test.groups, RESAMPLES, SEED)
    drawn = {name: s[metric] for name, s in scores_of(test, samples, KIND, None, draws).items()}
    found = [
        paired_interval(drawn[name], drawn[BEST], test.groups, KIND.metric(metric))
        for name in ("model", "shipped")
    ]
    scores = [f"{values[0]:.3f}" for name, values in drawn.items() if name != BEST]
    differences = [f"{f['value']:+.3f} ({f['low']:+.3f} to {f['high']:+.3f})" for f in found]
    return [*scores, f"{drawn[BEST][0]:.3f}", *differences]


if __name__ == "__main__":
    main()
