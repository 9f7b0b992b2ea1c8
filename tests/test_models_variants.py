"""Variants of elements: answers are those of refits, a known effect is found, the rest refused."""

import numpy as np
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.errors import DataError
from bioloom.features.extract import extract_features
from bioloom.fitted.preprocess import Preprocess
from bioloom.models import get_model, variant_kernel
from bioloom.models._variants import Variants
from bioloom.predictions.predict import predict
from bioloom.splits.split import split_samples
from bioloom.training.train import train_task

APPLICATION = get_application("gene_expression")
COLUMNS = ["element", "position", "ref", "alt"]


def made(rows: int = 400, elements: tuple[str, ...] = ("a", "b"), seed: int = 0, length: int = 60):
    """Samples of which an effect is that of a stretch, and 1 more a CG made, 1 less a CG broken."""
    rng = np.random.default_rng(seed)
    parts = []
    for place, element in enumerate(elements):
        own = np.random.default_rng(place + 10)
        sequence = own.integers(0, 4, length + 10)
        site = np.repeat(own.normal(size=length // 6 + 1), 6)[:length]
        position = rng.integers(0, length, rows // len(elements))
        alt = (sequence[position + 5] + rng.integers(1, 4, len(position))) % 4
        table = pd.DataFrame({"element": element, "position": position + 1.0})
        for offset in range(-5, 6):
            letters = np.array(list("ACGT"))[sequence[position + 5 + offset]]
            table[f"base{offset:+d}" if offset else "ref"] = letters
        table["alt"] = np.array(list("ACGT"))[alt]
        after = table["alt"] + table["base+1"], table["base-1"] + table["alt"]
        before = table["ref"] + table["base+1"], table["base-1"] + table["ref"]
        gained = sum(pair.eq("CG") for pair in after) - sum(pair.eq("CG") for pair in before)
        table["label"] = site[position] / 2 + gained + 0.1 * rng.normal(size=len(position))
        parts.append(table)
    samples = pd.concat(parts, ignore_index=True).drop_duplicates(COLUMNS, ignore_index=True)
    samples["group"] = samples["element"] + ":" + samples["position"].astype(str)
    samples.insert(0, "sample_id", [f"s{i}" for i in range(len(samples))])
    return samples


def features(samples: pd.DataFrame):
    return extract_features(samples, APPLICATION, {"embedder": "table"})[0]


def fit(
    samples: pd.DataFrame, name: str = "variant_kernel", known: list[str] | None = None, **more
):
    """A model of the samples, and their prepared features; of `known` ones if these are given."""
    own = features(samples)
    model = get_model(name)
    X = own.rows(samples["sample_id"])
    prepare = Preprocess.fit(X, samples["label"].to_numpy(), {"scale": False}, model.takes,
                             constants=model.constants)  # fmt: skip
    X, y = prepare.transform(X), samples["label"].to_numpy()
    none = np.arange(0)
    fitted = model(output="values", n_outputs=1, seed=1, **more.pop("parameters", {}))
    return fitted.fit(X, y, X[none], y[none], **more), X


def test_left_out_answers_are_those_of_refits():
    samples = made(60)
    groups = samples["group"].to_numpy()
    fitted, X = fit(samples, groups=groups)
    rng = np.random.default_rng(2)
    weight = rng.uniform(0.3, 3, len(samples))
    answers, _ = fitted._answered(1.0, 0.3, groups, weight)
    for name in "ab":
        rows = np.flatnonzero(samples["element"] == name)
        kernel = fitted._kernel(fitted.known[rows], fitted.words[rows], rows, 1.0, 0.3)
        for number, strength in enumerate(variant_kernel.STRENGTHS):
            for group in np.unique(groups[rows]):
                out = groups[rows] == group
                inside = kernel[np.ix_(~out, ~out)] + np.diag(strength / weight[rows][~out])
                refit = kernel[np.ix_(out, ~out)] @ np.linalg.solve(inside, fitted.z[rows][~out])
                np.testing.assert_allclose(answers[number, rows[out]], refit, atol=1e-6)


def test_of_an_element_that_is_a_group_sites_are_left_out():
    samples, off = made(200), {"trees": False}
    whole, _ = fit(samples, groups=samples["element"].to_numpy(), parameters=off)
    sites, _ = fit(samples, groups=samples["group"].to_numpy(), parameters=off)
    assert whole.facts == sites.facts
    np.testing.assert_array_equal(whole.coefficients, sites.coefficients)
    one_site = samples[samples["group"] == samples["group"].value_counts().index[0]]
    lonely = pd.concat([one_site, samples[samples["element"] != one_site["element"].iloc[0]]])
    lonely = lonely.reset_index(drop=True)
    fitted, _ = fit(lonely, groups=lonely["element"].to_numpy(), parameters=off)
    assert abs(fitted.facts["left_out_r2"]) <= 1


def test_words_of_a_change_are_those_of_a_loop():
    samples = made(30)
    changes = fit(samples)[0].known.changes().toarray()
    letters = [f"base{o:+d}" if o else "ref" for o in range(-5, 6)]

    def counts(text: str) -> np.ndarray:
        found = []
        for k in range(1, 7):
            part = np.zeros(4**k)
            for i in range(len(text) - k + 1):
                word = ["ACGT".index(letter) for letter in text[i : i + k]]
                both = [word, [3 - letter for letter in word[::-1]]]
                part[min(sum(v * 4 ** (k - 1 - j) for j, v in enumerate(w)) for w in both)] += 1
            found.append(part / np.sqrt(k))
        return np.concatenate(found)

    for row, sample in samples.iterrows():
        before = "".join(sample[letters])
        after = before[:5] + sample["alt"] + before[6:]
        np.testing.assert_allclose(changes[row], counts(after) - counts(before), atol=1e-6)


def test_a_deletion_joins_what_was_around():
    table = made(20).assign(alt="-")
    known = fit(table)[0].known
    assert (known.alt == 4).all()
    one = known.changes().toarray()[:, :4].sum(axis=1)
    np.testing.assert_allclose(one, -1)  # a letter less


@pytest.mark.slow
def test_effects_of_new_sites_are_found_better_than_by_the_mean_nearby():
    samples = made(600)
    sites = samples["group"].unique()
    out = samples["group"].isin(np.random.default_rng(0).permutation(sites)[: len(sites) // 4])
    y, errors = samples["label"].to_numpy(), {}
    known = samples[~out].reset_index(drop=True)
    for name in ("variant_kernel", "nearby_mean"):
        given = {"groups": known["group"].to_numpy()} if name == "variant_kernel" else {}
        fitted, _ = fit(known, name, **given)
        X = features(samples).rows(samples["sample_id"][out])
        errors[name] = np.mean((fitted.predict(X) - y[out]) ** 2)
    assert errors["variant_kernel"] < 0.9 * min(errors["nearby_mean"], np.var(y[out]))


@pytest.mark.slow
def test_trees_sleep_where_they_do_not_help():
    samples = made(500)
    noise = np.random.default_rng(0).normal(size=len(samples))
    shuffled = samples.assign(label=noise)
    fitted, X = fit(shuffled, groups=samples["group"].to_numpy())
    assert not fitted.facts["trees"]
    assert fitted.facts["left_out_r2"] < 0.05
    assert np.abs(fitted.predict(X)).mean() < 0.5
    off, _ = fit(samples, parameters={"trees": False})
    assert off.correction is None


@pytest.mark.slow
def test_weights_are_by_moments_and_told():
    samples = made(500)
    rng = np.random.default_rng(0)
    tags = rng.choice([1, 50], len(samples))
    noisy = samples["label"] + rng.normal(size=len(samples)) * np.sqrt(4 / tags)
    fitted, _ = fit(samples.assign(label=noisy), sample_weight=tags / tags.mean())
    raw = tags.sum() ** 2 / (tags**2).sum()
    assert raw / 2 < fitted.facts["effective_rows"] < len(samples)


def test_rows_of_weight_nought_teach_nothing():
    samples, off = made(200), {"trees": False}
    weight = np.random.default_rng(0).choice([0.0, 1.0, 9.0], len(samples))
    wild = samples.assign(label=samples["label"] + np.where(weight > 0, 0, 1) * 3)
    fitted, X = fit(wild, sample_weight=weight / weight.mean(), parameters=off)
    said, some = fitted.predict(X), weight > 0
    assert np.corrcoef(said[some], samples["label"][some])[0, 1] > 0.9
    assert np.abs(fitted.coefficients[~some]).max() < 1e-6 * np.abs(fitted.coefficients).max()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["variant_kernel", "nearby_mean"])
def test_it_survives_saving(name, tmp_path):
    samples = made(500)
    fitted, X = fit(samples, name)
    fitted.save(tmp_path)
    loaded = get_model(name).load(tmp_path)
    np.testing.assert_allclose(loaded.outputs(X), fitted.outputs(X), atol=1e-12)
    none = X[np.arange(0)]
    assert loaded.predict(none).shape == (0,)


def test_a_table_of_something_else_is_refused():
    samples = made(30)
    for drop, said in [("alt", "no column alt"), ("position", "no column position")]:
        with pytest.raises(DataError, match=f"{said}. Hint: .*source `variants`"):
            fit(samples.drop(columns=drop))
    with pytest.raises(DataError, match="takes table, the features are vectors. Hint: .*table"):
        get_model("variant_kernel")(output="values", n_outputs=1, seed=1).taken(np.zeros((3, 2)))
    X = features(samples).rows(samples["sample_id"])
    X.values[:, list(X.columns).index("position")] += 0.5
    with pytest.raises(DataError, match="positions as they are"):
        Variants.read(X, "variant_kernel")


@pytest.mark.slow
@pytest.mark.parametrize("elements", [("a",), ("a", "b")])
def test_a_new_element_has_no_answer_but_the_reason(elements, tmp_path):
    """Also where training is of one element, whose column does not vary."""
    samples = made(300, elements)
    options = {"application": "gene_expression", "model": {"name": "variant_kernel"}}
    options["baselines"] = {"nearby_mean": {"model": {"name": "nearby_mean"}}}
    splits = split_samples(samples, {"method": "holdout"}, 1)
    fitted, _, held_out = train_task(
        samples, splits, {"features": features(samples)}, options, 1, []
    )
    assert set(held_out["model"]) == {"model", "naive", "nearby_mean"}
    fitted.save(tmp_path / "model")
    fitted = type(fitted).load(tmp_path / "model")
    new = made(40, ("a", "new"), seed=5).drop(columns=["label", "group"])
    far = new[new["element"] == "a"].iloc[[0]].assign(sample_id="far", position=200.0)
    new = pd.concat([new, far], ignore_index=True).assign(group="g")
    said = predict(new, features(new), fitted, "new").set_index("sample_id")
    unknown = (new["element"] == "new").to_numpy()
    assert said["prediction"].isna().tolist() == unknown.tolist()
    assert said["abstain"][unknown].str.contains("no variant of this element was in training").all()
    assert "no variant within 20 bases" in said.loc["far", "abstain"]
