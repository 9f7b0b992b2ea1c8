"""The report is one file that opens offline, shows what there is, and fits a phone."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from bioloom.bayes.network import Network, Node
from bioloom.evaluation.evaluate import evaluate
from bioloom.files import read_json, write_json
from bioloom.formats.bif import write_bif
from bioloom.kinds import get_kind
from bioloom.report.page import _networks, build_report
from bioloom.samples import write_table
from tests.toys import helix

N = 300
SEQUENCE = "GIGKFLHSAKKFGKAFVGEIMNS"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
VOID = {"meta", "link", "br", "line", "circle", "path", "use", "image"}


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
    folder = tmp_path_factory.mktemp("results")
    out = folder / "report.html"
    build_report({kind: task_files(folder / kind, kind) for kind in KINDS}, ABOUT, out)
    return out


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


def test_page_is_well_formed_and_refers_only_to_itself(report):
    page = Page(report.read_text())
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert page.unlabelled == []
    for link in page.links:
        assert link.startswith(("#", "data:image/png"))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_page_shows_every_part_of_every_kind(report):
    text = report.read_text()
    assert text.count('<section class="task"') == len(KINDS)
    for heading in ("Scores", "Curves", "Data", "Split and leakage", "Explanation", "Model card"):
        assert f"<h3>{heading}</h3>" in text
    drawn = {"ROC", "Calibration", "Confusion matrix", "Predicted and observed", "Targets"}
    for figure in drawn | {"Classes", "Distance maps", "chain0"}:
        assert f"<h4>{figure}</h4>" in text
    assert "How much the score falls when a stretch is masked." in text
    assert "Better than the best baseline, no foundation model" in text
    assert "same sequence with both labels" in text.lower()
    assert "Length alone separates the classes" in text
    assert "BSD-3-Clause" in text
    assert "#010101" not in text  # every colour is the page's


def test_names_are_text_and_never_markup(report):
    text = report.read_text()
    assert "Antimicrobial peptides &amp; more &lt;i&gt;" in text
    assert "<b>" not in text


@pytest.mark.slow
def test_equal_results_give_an_equal_page(tmp_path):
    files = task_files(tmp_path / "binary", "binary")
    for name in ("first", "second"):
        build_report({"binary": files}, ABOUT, tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_what_a_task_lacks_is_left_out(tmp_path):
    files = task_files(tmp_path / "bare", "binary")
    build_report({"bare": {"metrics": files["metrics"]}}, {}, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "<h3>Scores</h3>" in text
    for heading in ("Curves", "Data", "Split and leakage", "Explanation", "Model card"):
        assert f"<h3>{heading}</h3>" not in text


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


def test_new_data_that_drifted_and_that_are_scored_are_told(tmp_path):
    files = task_files(tmp_path / "toy", "binary")
    told = "DRIFT from training: 1 of 5 columns are distributed otherwise"
    write_json({"groups": 20, "told": told}, tmp_path / "drift.json")
    files |= {"drift.ward": tmp_path / "drift.json", "scored.other_hospital": files["metrics"]}
    build_report({"toy": files}, {}, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert f"Ward: {told}." in page
    assert '<th scope="row">Other hospital</th>' in page


def test_scores_by_number_of_labels_are_drawn_with_what_they_are_worth(tmp_path):
    files = task_files(tmp_path / "toy", "binary")
    names, sizes = ["model"] * 2 + ["no_foundation_model"] * 2, [100, 1_000] * 2
    curve = {"model": names, "labels": sizes, "draw": "mean", "value": [0.7, 0.9, 0.6, 0.8]}
    table = pd.DataFrame(curve)
    table = table.assign(low=table["value"] - 0.1, high=table["value"] + 0.1)
    write_table(table, files["plots"] / "learning_curve.csv")
    metrics = read_json(files["metrics"]) | {"labels_worth": "100 labels are worth about 562."}
    write_json(metrics, files["metrics"])
    build_report({"toy": files}, {}, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "Score by number of labels" in page
    assert "100 labels are worth about 562." in page


def test_reads_are_linked_with_what_is_odd_of_them(tmp_path):
    files = {"metrics": task_files(tmp_path / "toy", "binary")["metrics"]}
    files |= {"multiqc.ward": tmp_path / "toy/ward/reads/multiqc.html"}
    files |= {"reads.ward": tmp_path / "toy/ward/reads/summary.json"}
    write_json({"S <1>": {"hints": ["adapter dimers"]}, "b": {"hints": []}}, files["reads.ward"])
    build_report({"toy": files}, {}, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert '<a href="toy/ward/reads/multiqc.html">' in text
    assert "2 samples of ward" in text
    assert "S &lt;1&gt;: adapter dimers" in text
    assert "<li>b" not in text


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [390, 1280])
def test_page_opens_in_chromium_without_requests_or_sideways_scrolling(report, tmp_path, width):
    frame = f'<iframe src="page.html" style="width:{width}px;height:900px;border:0"></iframe>'
    policy = re.compile(r"<meta http-equiv[^>]*>")
    page = policy.sub("", report.read_text()).replace("</body>", MEASURE + "</body>")
    (tmp_path / "page.html").write_text(page)
    (tmp_path / "frame.html").write_text(f"<!doctype html>{frame}{LISTEN}")
    dom = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=4000",
            "--dump-dom",
            (tmp_path / "frame.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    inner, content, requests = map(int, re.findall(r"measured (\d+) (\d+) (\d+)", dom)[-1])
    assert inner == width
    assert content <= width
    assert requests == 0


MEASURE = """<script>
addEventListener("load", () => parent.postMessage(
  `measured ${innerWidth} ${document.documentElement.scrollWidth} ` +
  performance.getEntriesByType("resource").length, "*"));
</script>"""
LISTEN = """<script>
addEventListener("message", (event) => document.body.append(event.data));
</script>"""
