"""The report's pages open offline, show what there is, and fit a phone."""

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.image import imread as read_png

from bioloom.bayes.network import Network, Node
from bioloom.evaluation.evaluate import evaluate
from bioloom.files import read_json, write_json
from bioloom.formats.bif import write_bif
from bioloom.formats.gfa import Segment
from bioloom.kinds import get_kind
from bioloom.reads.assembly.pictures import MOST, draw_graph
from bioloom.report.described import described, filled_in
from bioloom.report.layout import signed
from bioloom.report.new_data import _counts, new_data
from bioloom.report.overview import build_overview
from bioloom.report.page import _networks, _rules, build_page, score_table
from bioloom.report.picture import find_browser, take_picture
from bioloom.samples import read_written, write_table
from bioloom.svg import INK, write_svg
from tests.tiny_project import Project
from tests.toys import helix

N = 300
SEQUENCE = "GIGKFLHSAKKFGKAFVGEIMNS"
CHROMIUM = find_browser()
VOID = {"meta", "link", "br", "line", "circle", "path", "use", "image"}
WIDTHS = (390, 800, 1300)


def predictions(kind: str, rng: np.random.Generator) -> tuple[pd.DataFrame, ...]:
    """Samples, splits and held-out predictions of a toy task of a kind."""
    ids = [f"s{i}" for i in range(N)]
    samples = pd.DataFrame({"sample_id": ids, "group": rng.integers(0, 90, N)})
    splits = samples.rename(columns={"group": "unit"}).assign(
        repeat=0, fold=0, split=rng.choice(["train", "test"], N)
    )
    targets = [f"Compound {i}" for i in range(40)] if kind == "targets" else [None]
    classes = ["healthy", "ill"] if kind == "binary" else ["EWS", "BL", "NB", "RMS"]
    values = rng.normal(size=(N, len(targets)))
    codes = rng.integers(0, len(classes), N)
    if kind in ("binary", "multiclass"):
        samples["label"] = np.array(classes)[codes]
    elif kind == "value":
        samples["label"] = values[:, 0]
    else:
        labels = pd.DataFrame(values, columns=[f"label.{target}" for target in targets])
        samples = pd.concat([samples, labels], axis=1)
    tables = []
    for model, noise in (("model", 1.0), ("naive", 9.0), ("no_foundation_model", 1.5)):
        base = splits.drop(columns="split").assign(model=model)
        if kind in ("binary", "multiclass"):
            logits = np.eye(len(classes))[codes] * 3 / noise + rng.normal(size=(N, len(classes)))
            p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            said = pd.DataFrame(p, columns=[f"p.{name}" for name in classes])
            said["prediction"] = np.array(classes)[p.argmax(axis=1)]
            tables.append(pd.concat([base, said], axis=1)[splits["split"] == "test"])
            continue
        for i, target in enumerate(targets):
            said = values[:, i] + noise * rng.normal(size=N)
            tables.append(base.assign(target=target, prediction=said)[splits["split"] == "test"])
    return samples, splits, pd.concat(tables, ignore_index=True)


CHAINS = 40
STATES = ["C", "E", "H"]
FEW_STRUCTURES = {"structures": 2, "primary": "distance_mae"}
KINDS = ("binary", "multiclass", "value", "targets", "residues", "residue_pairs")


def chain_predictions(kind: str, rng: np.random.Generator) -> tuple[pd.DataFrame, ...]:
    """The same of chains: states of residues, or distances of residue pairs."""
    ids = [f"chain{i}" for i in range(CHAINS)]
    lengths = rng.integers(14, 24, CHAINS)
    samples = pd.DataFrame({"sample_id": ids, "group": ids})
    samples["sequence"] = [SEQUENCE[:length] for length in lengths]
    splits = pd.DataFrame({"sample_id": ids, "unit": range(CHAINS), "repeat": 0, "fold": 0})
    splits["split"] = np.where(np.arange(CHAINS) < 12, "test", "train")
    if kind == "residues":
        samples["label.residues"] = ["".join(rng.choice(STATES, length)) for length in lengths]
    else:
        traces = [helix(length) for length in lengths]
        samples["label.coordinates"] = [np.hstack([trace, trace]).ravel() for trace in traces]
    tables = []
    for model, noise in (("model", 1.0), ("naive", 9.0)):
        for row in range(12):
            if kind == "residues":
                truth = [STATES.index(letter) for letter in samples["label.residues"][row]]
                logits = np.eye(3)[truth] * 3 / noise + rng.normal(size=(len(truth), 3))
                p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
                said = pd.DataFrame(p, columns=[f"p.{name}" for name in STATES])
                said["prediction"] = np.array(STATES)[p.argmax(axis=1)]
                said["position"] = np.arange(1, len(truth) + 1)
            else:
                i, j = np.triu_indices(lengths[row], 1)
                distance = np.linalg.norm(traces[row][i] - traces[row][j], axis=1)
                distance = np.abs(distance + noise * rng.normal(size=len(i)))
                said = pd.DataFrame({"i": i + 1, "j": j + 1, "distance": distance, "spread": noise})
                said["contact"] = 1 / (1 + np.exp(distance - 8))
            tables.append(said.assign(model=model, sample_id=ids[row], repeat=0, fold=0))
    return samples, splits, pd.concat(tables, ignore_index=True)


def explanation(kind: str, rng: np.random.Generator) -> pd.DataFrame:
    """Importance of columns, the mutations of two peptides, or the masked stretches of a chain."""
    if kind.startswith("residue"):
        table = pd.DataFrame({"position": range(0, len(SEQUENCE), 5), "feature": "X"})
        importance = rng.normal(size=len(table))
        return table.assign(item="chain0", importance=importance, predicted="mostly H")
    if kind != "binary":
        table = pd.DataFrame({"feature": [f"expression.GENE{i}" for i in range(30)]})
        table["importance"] = np.sort(rng.exponential(size=30))[::-1]
        low, high = 0.8 * table["importance"], 1.2 * table["importance"]
        return table.assign(item="", position=0, low=low, high=high)
    rows = [
        (item, position, letter, rng.normal(), SEQUENCE[position], "ill")
        for item in ("Magainin-2 <b>", "second")
        for position in range(len(SEQUENCE))
        for letter in "ACDEFGHIKLMNPQRSTVWY"
        if letter != SEQUENCE[position]
    ]
    columns = ["item", "position", "feature", "importance", "reference", "predicted"]
    return pd.DataFrame(rows, columns=columns)


def task_files(folder: Path, kind: str) -> dict[str, Path]:
    """Everything that a task of a kind leaves behind for the report."""
    rng = np.random.default_rng(0)
    make = chain_predictions if kind.startswith("residue") else predictions
    samples, splits, held_out = make(kind, rng)
    nearest = splits[splits["split"] == "test"].drop(columns="split")
    nearest["similarity"] = rng.beta(2, 5, len(nearest)) * 0.4
    names = {"task": folder.name, "application": "disease_diagnosis", "kind": get_kind(kind)}
    settings = {"resamples": 100} | (FEW_STRUCTURES if kind == "residue_pairs" else {})
    options = {"options": settings, "seed": 1, "nearest": nearest}
    metrics, plots = evaluate(samples, splits, held_out, **names, **options)
    counts, edges = np.histogram(nearest["similarity"], bins=20, range=(0, 1))
    quality = {
        "rows_in": 5200,
        "rows_kept": 4642,
        "dropped": {"duplicate": 536, "same sequence with both labels": 22},
        "notes": ["Median length 28"],
        "groups": 90,
        "labels": {"healthy": 2600, "ill": 2042},
        "columns": {
            "age": {"type": "number", "missing": 3, "median": 61.0, "range": [31.0, 84.0]},
            "sex": {"type": "category", "missing": 0, "counts": {"f": 140, "m": 160}},
            "sequence": {"type": "text", "missing": 0, "length": [5.0, 190.0]},
        },
    }
    leakage = {
        "measure": "sequence identity",
        "limit": 0.4,
        "largest": 0.38,
        "sizes": {"train": 141, "valid": 0, "test": 159},
        "flags": ["length alone separates the classes with AUROC 0.81"],
        "above_limit": 0,
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
    }
    features = {"embedder": "unirep", "dtype": "float32", "sequences": 5200}
    model = {
        "model": "transformer",
        "kind": kind,
        "parameters": {"layers": 2, "width": 64, "dropout": 0.1},
        "outputs": ["healthy", "ill"],
        "threshold": 0.43,
        "coverage": 0.9,
        "seed": 1,
        "packages": {"torch": "2.13.0"},
        "inputs": {"results/task/training/samples.parquet": "6948bcbc" * 8},
    }
    for name, content in {"metrics": metrics, "quality": quality, "leakage": leakage}.items():
        write_json(content, folder / f"{name}.json")
    write_json(features, folder / "features.json")
    write_table(explanation(kind, rng), folder / "explanation.parquet")
    for name, table in plots.items():
        write_table(table, folder / "plots" / f"{name}.csv")
    (folder / "model").mkdir()
    (folder / "model" / "model.yaml").write_text(yaml.safe_dump(model))
    json_files = {key: folder / f"{key}.json" for key in ("metrics", "quality", "leakage")}
    return {
        **json_files,
        "features": folder / "features.json",
        "explanation": folder / "explanation.parquet",
        "plots": folder / "plots",
        "model": folder / "model",
    }


ABOUT = {
    "binary": {
        "title": "Antimicrobial peptides & more <i>",
        "about": {"source": "modlAMP 4.3.3", "licence": "BSD-3-Clause", "limits": "Not potency."},
    }
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the overview and a page of each kind, as results/ has them."""
    folder = tmp_path_factory.mktemp("results")
    overview, tasks = folder / "report.html", {}
    for kind in KINDS:
        files, page = task_files(folder / kind, kind), folder / kind / "report.html"
        build_page(kind, files, page, overview=overview, **ABOUT.get(kind, {}))
        tasks[kind] = {"metrics": files["metrics"], "page": page}
    build_overview(tasks, {kind: about["title"] for kind, about in ABOUT.items()}, overview)
    return folder


def pages(folder: Path) -> list[Path]:
    return [folder / "report.html", *(folder / kind / "report.html" for kind in KINDS)]


class Page(HTMLParser):
    """Ids, links and headings of a page, and whether its elements nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.unlabelled: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):  # noqa: D102
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values[key] for key in ("href", "src", "xlink:href") if key in values]
        if values.get("role") == "img" and not values.get("aria-label"):
            self.unlabelled.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):  # noqa: D102
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):  # noqa: D102
        if tag not in VOID:
            assert self.open.pop() == tag


def test_pages_are_well_formed_and_refer_only_to_the_results(report):
    for file in pages(report):
        page = Page(file.read_text())
        assert page.open == []
        assert len(page.ids) == len(set(page.ids))
        assert page.unlabelled == []
        inside = {link for link in page.links if link.startswith("#")}
        assert {link[1:] for link in inside} <= set(page.ids)
        for link in set(page.links) - inside:
            made = (file.parent / link).resolve()
            assert link.startswith("data:image/png") or made.is_relative_to(report.resolve())


def test_the_overview_has_a_line_a_task_that_leads_to_its_page(report):
    text = (report / "report.html").read_text()
    page = Page(text)
    assert text.count("<tr data-application=") == len(KINDS)
    assert {f"{kind}/report.html" for kind in KINDS} <= set(page.links)
    assert "<figure" not in text
    assert len(text) < 15_000 + 3_000 * len(KINDS)
    assert 'href="../report.html"' in (report / "binary/report.html").read_text()


def test_the_pages_show_every_part_of_every_kind(report):
    text = "".join(file.read_text() for file in pages(report)[1:])
    parts = {"scores": "Scores", "curves": "Curves", "quality": "Data", "card": "Model card"}
    for part, heading in (parts | {"leakage": "Split and leakage"}).items():
        assert f'<h2 id="{part}">{heading}</h2>' in text
    drawn = {"ROC", "Calibration", "Confusion matrix", "Predicted and observed", "Targets"}
    for figure in drawn | {"Classes", "Distance maps", "chain0"}:
        assert f"<h3>{figure}</h3>" in text
    assert "How much the score falls when a stretch is masked." in text
    assert "Better than the best baseline, no foundation model" in text
    assert "same sequence with both labels" in text
    assert "Length alone separates the classes" in text
    assert "BSD-3-Clause" in text
    assert "test patients in" in text
    assert f"stroke: {INK}" not in text  # every colour is the page's


def test_names_are_text_and_never_markup(report):
    for file in ("report.html", "binary/report.html"):
        text = (report / file).read_text()
        assert "Antimicrobial peptides &amp; more &lt;i&gt;" in text
        assert "<b>" not in text


def test_what_says_nothing_is_never_the_best():
    """A model that calls all has every positive one; one that knows the share is calibrated."""
    naive = {"auroc": 0.5, "recall": 1.0, "ece": 0.0}
    metrics = {
        "kind": "binary",
        "primary": "auroc",
        "test": {"auroc": 0.8, "recall": 0.6, "ece": 0.03},
        "baselines": {
            "naive": naive,
            "linear": {"auroc": 0.7, "recall": 0.7, "ece": 0.05},
            "degree": naive,
        },
    }
    rows = {row["label"]: [c["best"] for c in row["cells"]] for row in score_table(metrics)}
    assert rows["AUROC"] == rows["Calibration error (ECE)"] == [True, False, False, False]
    assert rows["Recall"] == [False, False, True, False]


def test_what_was_filled_in_is_marked(tmp_path):
    content = {"title": "Mine", "model": {"name": "dnn"}, "refit": False}
    text = described(content, ["model", "refit"])
    assert yaml.safe_load(text) == content
    assert filled_in(text) == ["model", "refit"]
    files = {"metrics": task_files(tmp_path / "toy", "binary")["metrics"]}
    files["task"] = tmp_path / "task.yaml"
    files["task"].write_text(text)
    build_page("toy", files, tmp_path / "report.html")
    shown = (tmp_path / "report.html").read_text()
    assert "<dt>Filled in by defaults</dt><dd>model, refit" in shown


def predicted(folder: Path, application: str) -> str:
    """The page of a task with predictions of two samples, of which one is told by a name."""
    metrics = read_json(task_files(folder, "binary")["metrics"]) | {"application": application}
    write_json(metrics, folder / "metrics.json")
    table = pd.DataFrame({"sample_id": [f"sample-{i}" for i in range(60)], "prediction": "ill"})
    table = table.assign(probability=0.75, abstain="", model_id="0123abc", **{"p.ill": 0.75})
    table.loc[:6, "abstain"] = "unlike the training data; unknown category"
    table.loc[7:9, "abstain"] = "unlike the training data"
    write_table(table, folder / "ward/predictions.parquet")
    files = {"metrics": folder / "metrics.json"}
    files["predictions.ward"] = folder / "ward/predictions.parquet"
    build_page("toy", files, folder / "report.html")
    return (folder / "report.html").read_text()


def test_the_first_predictions_are_shown_and_how_many_abstain(tmp_path):
    text = predicted(tmp_path / "toy", "protein_function")
    assert "60 proteins; 10 abstain" in text
    assert '<a href="ward/predictions.csv">' in text
    reason = '<th scope="row">unlike the training data</th><td>10</td>'
    assert reason in text
    assert "sample-4" in text
    assert "sample-5" not in text
    assert "0123abc" not in text


@pytest.mark.parametrize(
    ("columns", "classes"),
    [
        ({"prediction": ["A", "B", "A", None]}, {"A": 2, "B": 1}),
        ({"prediction": [0.1, 0.2, 0.3, np.nan]}, {}),
        ({"option": list("ABAB"), "recommended": [True, False, False, True]}, {"A": 1, "B": 1}),
        ({"i": [1, 2, 3, 4], "contact": 0.5}, {}),
    ],
)
def test_answers_of_every_kind_are_counted(tmp_path, columns, classes):
    table = pd.DataFrame(
        {"sample_id": ["x", "x", "y", "y"], **columns, "abstain": ["", "", "", "?"]}
    )
    write_table(table, tmp_path / "new/predictions.parquet")
    files = {"predictions.new": tmp_path / "new/predictions.parquet"}
    [said] = new_data(files, tmp_path, private=False)
    assert (said["samples"], said["rows"], said["abstain"]) == (2, 4, 1)
    assert said["reasons"] == {"?": 1}
    assert said["classes"] == classes
    assert len(said["first"]["rows"]) == 4


def test_no_person_is_shown_and_no_count_of_a_few(tmp_path):
    text = predicted(tmp_path / "toy", "disease_diagnosis")
    assert "60 patients; 10 abstain" in text
    assert "sample-" not in text
    folder = tmp_path / "toy"
    few = pd.read_parquet(folder / "ward/predictions.parquet").iloc[7:9]
    write_table(few, folder / "ward/predictions.parquet")
    files = {"metrics": folder / "metrics.json"}
    files["predictions.ward"] = folder / "ward/predictions.parquet"
    build_page("toy", files, folder / "report.html")
    assert "fewer than 5 patients; fewer than 5 abstain" in (folder / "report.html").read_text()


@pytest.mark.slow
def test_equal_results_give_an_equal_page(tmp_path):
    files = task_files(tmp_path / "binary", "binary")
    for name in ("first", "second"):
        build_page("binary", files, tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ({"a": 20, "b": 9, "c": 1}, {"a": 20, "others": 10}),  # 30 - 29 would tell of c
        ({"a": 20, "b": 4, "c": 3}, {"a": 20, "others": 7}),
        ({"a": 20, "b": 6}, {"a": 20, "b": 6}),
        ({"a": 3}, {"others": "fewer than 5"}),
        ({}, {}),
    ],
)
def test_no_rest_tells_how_rare_a_class_of_persons_is(counts, told):
    values = pd.Series([name for name, count in counts.items() for _ in range(count)], dtype=str)
    assert _counts(values, private=True) == told
    assert _counts(values, private=False) == counts


@pytest.mark.slow
def test_a_difference_without_an_interval_is_told_without(tmp_path):
    """As of an unbounded score whose resamples do not differ."""
    files = task_files(tmp_path / "toy", "binary")
    metrics = read_json(files["metrics"])
    against = metrics["difference"].pop("against")
    metrics["difference"] = {"against": against, "value": metrics["difference"]["value"]}
    primary = metrics["primary"]
    for scores in (metrics["test"], *metrics["baselines"].values()):
        for end in ("low", "high"):
            scores.pop(f"{primary}_{end}", None)
    write_json(metrics, files["metrics"])
    page, overview = tmp_path / "toy/report.html", tmp_path / "report.html"
    build_page("toy", files, page, overview=overview)
    build_overview({"toy": {"metrics": files["metrics"], "page": page}}, {}, overview)
    assert signed(metrics["difference"]["value"]) in overview.read_text()


def test_what_a_task_lacks_is_left_out(tmp_path):
    files = task_files(tmp_path / "bare", "binary")
    build_page("bare", {"metrics": files["metrics"]}, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert re.findall(r"<h2 id=\"(\w+)\">", text) == ["scores"]


def test_a_bayesian_network_is_drawn_for_each_label(tmp_path):
    a = Node("age <x>", ("0", "1"), (), np.array([0.5, 0.5]))
    label = Node("label", ("no", "yes"), (0,), np.full((2, 2), 0.5))
    for name in ("network.rash", "network.pain"):
        write_bif(Network((a, label)), tmp_path / f"model/{name}.bif")
    pain, rash = _networks(tmp_path / "model")
    assert (pain.title, rash.title) == ("Bayesian network of pain", "Bayesian network of rash")
    assert pain.caption.startswith("2 fields and 1 edges; 'label' is predicted.")
    assert "age_lt_xgt_" in pain.svg
    assert _networks(None) == _networks(tmp_path) == []


def test_rules_of_events_that_compete_are_told_to_be_in_the_file(tmp_path):
    files = task_files(tmp_path / "toy", "binary")
    write_json(read_json(files["metrics"]) | {"kind": "survival"}, files["metrics"])
    rules = pd.DataFrame({"rule": ["if age > 60", "all", "all"], "answer": [0, 0, 1]})
    write_table(rules.assign(effect=1.5, share=0.5), tmp_path / "toy/model/rules.csv")
    build_page("toy", {name: files[name] for name in ("metrics", "model")}, tmp_path / "toy.html")
    page = (tmp_path / "toy.html").read_text()
    assert "The 2 of 2 rules of the event that move" in page
    assert "and the 1 of events that compete (answer 1), are in" in page


@pytest.mark.slow
def test_new_data_that_drifted_and_that_are_scored_are_told(tmp_path):
    files = task_files(tmp_path / "toy", "binary")
    told = "DRIFT from training: 1 of 5 columns are distributed otherwise"
    write_json({"groups": 20, "told": told}, tmp_path / "drift.json")
    predictions = pd.DataFrame({"sample_id": ["a"], "prediction": ["no"], "abstain": [""]})
    write_table(predictions, tmp_path / "predictions.parquet")
    files |= {"drift.ward": tmp_path / "drift.json", "scored.other_hospital": files["metrics"]}
    files |= {"predictions.ward": tmp_path / "predictions.parquet"}
    build_page("toy", files, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert f"{told}." in page
    assert '<th scope="row">Other hospital</th>' in page


@pytest.mark.slow
@pytest.mark.parametrize("ends", [True, False])
def test_scores_by_number_of_labels_are_drawn_with_what_they_are_worth(tmp_path, ends):
    files = task_files(tmp_path / "toy", "binary")
    names, sizes = ["model"] * 2 + ["no_foundation_model"] * 2, [100, 1_000] * 2
    curve = {"model": names, "labels": sizes, "draw": "mean", "value": [0.7, 0.9, 0.6, 0.8]}
    table = pd.DataFrame(curve | {"rows": [101.5, 998] * 2})
    if ends:
        table = table.assign(low=table["value"] - 0.1, high=table["value"] + 0.1)
    write_table(table, files["plots"] / "learning_curve.csv")
    metrics = read_json(files["metrics"]) | {"labels_worth": "100 labels are worth about 562."}
    write_json(metrics, files["metrics"])
    build_page("toy", files, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "Score by number of labels" in page
    assert "100 labels are worth about 562." in page


def test_reads_are_linked_with_what_is_odd_of_them(tmp_path):
    files = {"metrics": task_files(tmp_path / "toy", "binary")["metrics"]}
    files |= {"multiqc.ward": tmp_path / "toy/ward/reads/multiqc.html"}
    files |= {"reads.ward": tmp_path / "toy/ward/reads/summary.json"}
    write_json({"S <1>": {"hints": ["adapter dimers"]}, "b": {"hints": []}}, files["reads.ward"])
    build_page("toy", files, tmp_path / "toy/report.html")
    text = (tmp_path / "toy/report.html").read_text()
    assert '<a href="ward/reads/multiqc.html">' in text
    assert "2 samples of ward" in text
    assert "S &lt;1&gt;: adapter dimers" in text
    assert "<li>b" not in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("unitigs", "told"), [(3, "All 3 are drawn"), (MOST + 5, "5 are left out")]
)
def test_an_assembly_is_shown_with_its_spectrum_and_its_graph(tmp_path, unitigs, told):
    files = {"metrics": task_files(tmp_path / "toy", "binary")["metrics"]}
    files["assembly.mine"] = made = tmp_path / "toy/mine/export"
    segments = [Segment(f"unitig_{i}", "A" * (1000 + i), 20.0) for i in range(unitigs)]
    graph = draw_graph(segments, [], made / "graph.svg")
    write_svg(lambda axes: axes.plot([1, 2], [3, 4], color=INK), (6, 3.5), made / "spectrum.svg")
    write_json({"contigs": {"n50": 1234}, "graph": graph}, made / "assembly.json")
    build_page("toy", files, tmp_path / "toy/report.html")
    text = (tmp_path / "toy/report.html").read_text()
    assert [title in text for title in ("K-mer spectrum", "Assembly graph", told)] == [True] * 3
    assert "1,234" in text
    assert '<a href="mine/export/">' in text
    assert f"stroke: {INK}" not in text
    Page(text)


@pytest.mark.slow
def test_a_run_leaves_a_page_of_each_task(project: Project):
    heart = project.path("results/heart/report.html").read_text()
    assert "Heart disease" in heart
    assert "6 patients; " in heart
    assert not re.findall(r"\bP\d{3}\b", heart)  # no patient's id
    assert "Filled in by defaults</dt><dd>baselines" in heart
    assert '<a href="../records/heart.md">' in heart
    links = set(Page(project.path("results/report.html").read_text()).links)
    assert links == {"heart/report.html", "liver/report.html"}


def chromium(folder: Path, *options: str) -> str:
    """What a headless browser says on standard output; it asks nothing of the network."""
    done = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--hide-scrollbars", "--virtual-time-budget=30000"),
            f"--user-data-dir={folder / 'profile'}",
            *options,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def with_script(page: Path, script: str) -> str:
    """The text of a page that a script of the test may run in."""
    text = re.sub(r"<meta http-equiv[^>]*>", "", page.read_text())
    return text.replace("</body>", f"<script>{script}</script></body>")


in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.mark.long
@in_chromium
def test_pages_fit_each_width_and_request_nothing(report, tmp_path):
    frames = []
    for n, page in enumerate(pages(report)):
        (tmp_path / f"{n}.html").write_text(with_script(page, MEASURE))
        frames += [
            f'<iframe src="{n}.html" style="width:{w}px;height:900px;border:0"></iframe>'
            for w in WIDTHS
        ]
    (tmp_path / "frames.html").write_text(f"<!doctype html><body>{LISTEN}{''.join(frames)}")
    dom = chromium(tmp_path, "--dump-dom", (tmp_path / "frames.html").as_uri())
    found = re.findall(r"measured (\d+) (\d+) (\d+) (\d+)", dom)
    measured = [tuple(map(int, each)) for each in found]
    assert len(measured) == len(frames)
    assert sorted({width for width, *_ in measured}) == sorted(WIDTHS)
    assert [(width, content) for width, content, *_ in measured if content > width] == []
    assert {requests for _, _, requests, _ in measured} == {0}
    # At the width of a phone no score is beyond the edge, however many baselines there are.
    assert {cut for width, _, _, cut in measured if width == min(WIDTHS)} == {0}


@pytest.mark.long
@in_chromium
@pytest.mark.parametrize("width", WIDTHS)
def test_a_picture_of_the_overview_has_something_in_it(report, tmp_path, width):
    take_picture(report / "report.html", tmp_path / "report.png", width)
    pixels = read_png(tmp_path / "report.png")
    assert pixels.shape[1:] == (width, 3)
    assert 300 < len(pixels) < 1500
    assert 0.01 < (pixels != pixels[0, 0]).any(axis=2).mean() < 0.5


@pytest.mark.long
@in_chromium
def test_the_overview_is_sorted_and_filtered_by_its_script(report, tmp_path):
    assert "<button" in chromium(tmp_path, "--dump-dom", (report / "report.html").as_uri())
    (tmp_path / "page.html").write_text(with_script(report / "report.html", SORT))
    dom = chromium(tmp_path, "--dump-dom", (tmp_path / "page.html").as_uri())
    scores = [read_json(report / kind / "metrics.json") for kind in KINDS]
    values = sorted((m["test"][m["primary"]] for m in scores), reverse=True)
    [order] = re.findall(r'id="order">([^<]*)<', dom)
    assert [float(value) for value in order.split()] == values
    assert re.findall(r'id="shown">([^<]*)<', dom) == ["0"]


MEASURE = """
const cut = () => [...document.querySelectorAll("table.models")]
  .filter((table) => table.scrollWidth > table.parentElement.clientWidth).length;
addEventListener("load", () => parent.postMessage(
  `measured ${innerWidth} ${document.documentElement.scrollWidth} ` +
  `${performance.getEntriesByType("resource").length} ${cut()};`, "*"));"""
LISTEN = """<script>
addEventListener("message", (event) => document.body.append(event.data));
</script>"""
SORT = """
const add = (id, text) => {
  const note = document.createElement("p");
  note.id = id;
  note.textContent = text;
  document.body.append(note);
};
[...document.querySelectorAll("thead button")].find((b) => b.textContent === "Score").click();
add("order", [...document.querySelectorAll("td.score")].map((c) => c.dataset.value).join(" "));
document.getElementById("filter").append(new Option("none", "none", true, true));
document.getElementById("filter").dispatchEvent(new Event("change"));
add("shown", [...document.querySelectorAll("tbody tr")].filter((r) => !r.hidden).length);"""


def test_rules_say_of_which_class_they_are_and_on_which_scale(tmp_path):
    rules = pd.DataFrame({"rule": ["if age > 60", "all"], "answer": [0, 2]})
    write_table(rules.assign(effect=1.5, share=0.5), tmp_path / "rules.csv")
    found = _rules(tmp_path, "classes", {"outputs": ["young", "middle", "old"]})
    assert [rule for rule, *_ in found["rows"]] == ["young: if age > 60", "old: all"]
    write_table(rules.assign(answer=0, effect=1.5, share=0.5), tmp_path / "rules.csv")
    for power, told in ((1.0, "adds"), (0.0, "adds to the logarithm")):
        model = {"outputs": ["label"], "power": power}  # as model.yaml has it
        assert _rules(tmp_path, "values", model)["moved"] == told


def test_names_that_pandas_takes_for_missing_or_numbers_are_names(tmp_path):
    table = pd.DataFrame({"class": ["None", "NA", "01", "+/+"], "value": [1.0, np.nan, 2.0, 3.0]})
    write_table(table, tmp_path / "a.csv")
    assert "'+/+" in (tmp_path / "a.csv").read_text()
    pd.testing.assert_frame_equal(
        read_written(tmp_path / "a.csv", ["class"]), table, check_dtype=False
    )
