"""A mistake in config.yaml or a task file is one readable line, before any job runs."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from bioloom.application import get_application
from bioloom.errors import DataError
from bioloom.models import members_of
from bioloom.options import column_names
from bioloom.pipeline.check import task_mistakes
from bioloom.pipeline.defaults import with_defaults
from bioloom.pipeline.project import read_project, with_sources
from bioloom.pipeline.task_files import merged, read_task_file, read_task_files
from bioloom.pipeline.tasks import Task
from tests.toys import refused

ROOT = Path(__file__).parents[1]
SHIPPED = ("tasks", "tasks/more")
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text()) | {"tasks": list(SHIPPED)}
PEPTIDES = with_sources(
    read_task_file(ROOT / "tasks/antimicrobial_peptides.yaml").content, CONFIG["sources"]
)


@pytest.fixture
def project(monkeypatch):
    monkeypatch.chdir(ROOT)
    return read_project(CONFIG)


def mistakes(change):
    changed = deepcopy(PEPTIDES)
    change(changed)
    return "\n".join(task_mistakes("peptides", changed))


def write_tasks(folder, **tasks):
    """A config with these tasks, in files of `folder`."""
    for name, content in tasks.items():
        (folder / f"{name}.yaml").write_text(content)
    return {"tasks": str(folder)}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda t: t.update(feature={}), "did you mean 'features'"),
        (lambda t: t.update(application="protein_funktion"), "did you mean 'protein_function'"),
        (lambda t: t["model"].update(name="tranformer"), "did you mean 'transformer'"),
        (
            lambda t: t["features"].update(embedder="unirap"),
            "Unknown embedder 'unirap'. Hint: did you mean 'unirep'",
        ),
        (lambda t: t["features"].update(pool="mean"), "did you mean 'pooling'"),
        (lambda t: t["datasets"]["training"].update(sequences="no.csv"), "no such file 'no.csv'"),
        (
            lambda t: t["datasets"]["training"].update(sequences="n" * 300),
            "File name too long: 'nnn",
        ),
        (lambda t: t["datasets"]["training"].pop("sequences"), "non-empty|'sequences' is missing"),
        (lambda t: t["datasets"]["training"].update(columns=None), "columns: None is not of type"),
        (lambda t: t.pop("application"), "'application' is a required property"),
        (lambda t: t["baselines"].update(naive={"model": {"name": "svm"}}), "naive"),
        (lambda t: t["datasets"].pop("training"), "`training` is missing"),
        (lambda t: t["clean"].update(min_lenght=3), "clean: .*did you mean 'min_length'"),
        (lambda t: t["split"].update(identiy=0.4), "split: .*did you mean 'identity'"),
        (lambda t: t["split"].update(test=2), "split: .*test` is above 0"),
        (lambda t: t["split"].update(method="holdot"), "split: .*did you mean 'holdout'"),
        (lambda t: t["model"].update(name="distance_cnn"), "model: .* does not predict binary"),
        (lambda t: t["model"]["of"][0].update(dropuot=0), "model: .*did you mean 'dropout'"),
        (lambda t: t["model"]["of"][0].update(name="tranformer"), "did you mean 'transformer'"),
        (
            lambda t: t.update(model={"name": "dnn", "search": {"widht": [1]}}),
            "model: .*did you mean 'width'",
        ),
        (
            lambda t: t["baselines"]["dipeptides"]["model"].update(c=1),
            "baselines.dipeptides.model: .*'c'",
        ),
        (lambda t: t["datasets"]["training"].update(colums={}), "did you mean 'columns'"),
        (lambda t: t["datasets"]["training"].update(columns={"lable": 1}), "mean 'label'"),
        (
            lambda t: t["datasets"]["training"].update(columns=5),
            "columns: 5 is not of type 'object'",
        ),
        (lambda t: t["datasets"]["training"].update(read={"sequence": {}}), "mean 'sequences'"),
        (lambda t: t.update(evaluate={"primary": "aurco"}), "evaluate.primary: .*mean 'auroc'"),
        (lambda t: t.update(positive=True), "positive: true and false .* in quotes"),
        (lambda t: t["datasets"]["training"].update(keep={"a": [True]}), "keep: true and false"),
        (
            lambda t: t["datasets"]["training"].update(classes={True: "x"}),
            "classes: true and false",
        ),
        (
            lambda t: t["datasets"]["training"].update(columns={"id": False}),
            "columns: true and",
        ),
        (lambda t: t["datasets"]["training"].update(read={"sequences": {"skp": 1}}), "mean 'skip'"),
        (lambda t: t["datasets"]["training"].update(read={"table": {"skip": 1}}), "is not given"),
        (lambda t: t["features"].update(model=5), "features.model: 5 is not of type 'string'"),
        (lambda t: t["datasets"]["training"].update(sequences=5), "a source is a path"),
        (lambda t: t["datasets"]["training"]["sequences"].update(sha256="abc"), "64 hexadecimal"),
        (
            lambda t: t["datasets"]["training"]["sequences"].update(member="../../x"),
            "names no file",
        ),
        (lambda t: t["datasets"]["training"]["sequences"].update(member=5), "expected text, got 5"),
        (lambda t: t["datasets"].update(model=t["datasets"]["training"]), "'model' is taken"),
        (lambda t: t["datasets"].update(plots=t["datasets"]["training"]), "'plots' is taken"),
        (lambda t: t["datasets"].update({"New": t["datasets"]["training"]}), "name 'New' is not"),
        (lambda t: t["datasets"].update({1: t["datasets"]["training"]}), "name 1 is not"),
        (lambda t: t.update(features={"embedder": "huggingface", "model": "no"}), "no folder 'no'"),
        (lambda t: t.update(features={"embedder": "huggingface"}), "needs `model: <folder"),
        (lambda t: t.update(features={"embedder": "table", "blocs": []}), "did you mean 'blocks'"),
    ],
)
def test_a_mistake_is_named(change, expected, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert re.search(expected, mistakes(change))


def test_every_mistake_has_a_line(monkeypatch):
    def change(task):
        task["model"]["name"] = "nothing"
        task["features"]["embedder"] = "nothing"

    monkeypatch.chdir(ROOT)
    assert mistakes(change).count("\n") == 1


def test_a_mistake_names_its_file(tmp_path):
    text = "application: disease_diagnosis\ndatasets: {training: {clinical: no.csv}}\n"
    config = write_tasks(tmp_path, heart=text)
    with pytest.raises(DataError, match=r"heart.yaml: datasets.*no such file 'no.csv'"):
        read_project(config)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: [1\nc: 2\n", "row 3"),
        ("title: a\nmodel: {name: svm}\ntitle: b\n", "'title' is there twice .*row 3"),
        ("1: a\n1: b\n", "'1' is there twice .*row 2"),
        ("? [a]\n: b\n", "unhashable key .*row 1"),
        ("title: a\nsplit: &a\n  b: *a\n", "recursive .*row 2"),
        ("title: a\nsplit: !!timestamp 2026-02-30\n", "'2026-02-30' is no timestamp.*row 2"),
        ("title: a\nsplit: [!!timestamp 2026-02-20]\n", "date is not JSON.*write it in quotes"),
        ("title: !!bool maybe\n", "'maybe' is no bool.*row 1"),
        ("title: !!python/object/apply:os.getcwd []\n", "constructor for the tag .*row 1"),
        ("title: " + "[" * 9999, "brackets in brackets"),
        ("- a\n", "a mapping"),
        ("like: hart\n", "t.yaml: Unknown task 'hart'.* did you mean 'heart'"),
        ("like: [a]\n", "the name of one task"),
        ("like: t\n", "t is like t: a circle"),
        ("like: other\n", "other is like t is like other: a circle"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, text, expected):
    config = write_tasks(tmp_path, heart="{}", t=text, other="like: t\n")
    with pytest.raises(DataError, match=expected) as error:
        read_project(config)
    assert "\n" not in str(error.value)


def test_tasks_in_the_config_are_refused_with_what_to_do():
    with pytest.raises(DataError, match="move the block heart to tasks/heart.yaml"):
        read_project({"tasks": {"heart": {}}})


def test_a_task_of_another_ending_is_told(tmp_path):
    write_tasks(tmp_path, a="{}")
    (tmp_path / "b.yml").touch()
    refused(lambda: read_task_files(tmp_path), "read as no task", "b.yml", ".yaml")


def test_tasks_may_lie_in_several_folders(project, tmp_path):
    text = (ROOT / "tasks/heart_disease.yaml").read_text()
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
        write_tasks(tmp_path / name, **{name: text})
    both = CONFIG | {"tasks": [str(tmp_path / "theirs"), str(tmp_path / "ours")]}
    assert list(read_project(both).tasks) == ["theirs", "ours"]
    twice = CONFIG | {"tasks": [*both["tasks"], f"{tmp_path}/ours/"]}
    assert list(read_project(twice).tasks) == ["theirs", "ours"]
    write_tasks(tmp_path / "ours", theirs=text)
    refused(lambda: read_project(both), "theirs/theirs.yaml is .* name, too", "ours/theirs.yaml")
    refused(lambda: read_project({"tasks": []}), "config: tasks")
    refused(lambda: read_project({"tasks": ["tasks", 3]}), "config: tasks.1")


def test_a_column_without_a_name_is_its_number():
    links = get_application("protein_interaction").columns
    assert column_names({"source": 1, "target": 2}, links)["target"] == "2"


def test_a_task_that_is_like_another_changes_its_content(tmp_path):
    first = "title: a\nsplit: {method: holdout, by: row}\nbaselines: {b: {model: {name: svm}}}\n"
    write_tasks(tmp_path, a=first, b="like: a\nsplit: {by: null, test: 0.1}\n")
    second = "like: ../b.yaml\nbaselines: null\nhigh_above: [1]\n"
    (tmp_path / "sub").mkdir()
    write_tasks(tmp_path / "sub", c=second)
    file = read_task_file(tmp_path / "sub/c.yaml")
    split = {"method": "holdout", "test": 0.1}
    assert file.content == {"title": "a", "split": split, "high_above": [1]}
    assert [part.path.name for part in file.files] == ["c.yaml", "b.yaml", "a.yaml"]


@pytest.mark.slow
def test_each_shipped_task_can_be_deleted_unless_another_is_like_it(project, tmp_path):
    for name, file in project.files.items():
        likes = [f.path for f in project.files.values() if name in [p.path.stem for p in f.files]]
        config = CONFIG | {"tasks": [str(tmp_path / name / folder) for folder in SHIPPED]}
        (tmp_path / name / SHIPPED[-1]).mkdir(parents=True)
        for other in (f.path for f in project.files.values() if f.path not in likes):
            (tmp_path / name / other).symlink_to(ROOT / other)
        assert read_project(config).tasks.keys() == project.tasks.keys() - {p.stem for p in likes}
        for other in likes[1:]:
            (tmp_path / name / other).symlink_to(ROOT / other)
            with pytest.raises(DataError, match=f"{other.name}: .*{file.path.name}"):
                read_project(config)


def test_training_does_not_see_the_data_sets(project):
    options = project.tasks["antimicrobial_peptides"].seen("train")
    assert {"datasets", "split", "features", "clean"}.isdisjoint(options)


def test_weights_and_artifacts_are_fetched_to_places_named_by_checksum(project):
    assert project.remote_sources
    for path, source in project.remote_sources.items():
        assert path.split("/")[1] == source["sha256"][:12]


def test_an_unknown_source_is_named(tmp_path):
    text = "application: protein_function\n"
    text += "datasets: {training: {sequences: {source: modlmap, member: a}}}\n"
    config = write_tasks(tmp_path, peptides=text) | {"sources": CONFIG["sources"]}
    with pytest.raises(DataError, match="Unknown source 'modlmap'.*did you mean 'modlamp'"):
        read_project(config)


def test_the_files_of_a_folder_count_and_not_its_age(tmp_path):
    (tmp_path / "chains").mkdir()
    for name in ("b.pdb", "a.pdb"):
        (tmp_path / "chains" / name).touch()
    sources = {"structures": str(tmp_path / "chains"), "sequences": "my.fasta"}
    task = Task("chains", "protein_structure", {"training": sources}, {}, {}, {})
    (tmp_path / "chains/.hidden").touch()
    (tmp_path / "chains/broken.pdb").symlink_to("nowhere")
    files = task.raw_files("training")
    assert [Path(file).name for file in files if "chains" in file] == ["a.pdb", "b.pdb"]
    assert "my.fasta" in files


def test_a_folder_of_all_files_is_refused(tmp_path, monkeypatch):
    """As `clinical: /` is: walking through a disk, and planning with it, would never end."""
    monkeypatch.setattr("bioloom.files.MOST_FILES", 3)
    (tmp_path / "all").mkdir()
    for n in range(4):
        (tmp_path / f"all/{n}.pdb").touch()
    text = "application: protein_structure\ndatasets: {training: {structures: %s}}\n"
    config = write_tasks(tmp_path, chains=text % (tmp_path / "all"))
    with pytest.raises(DataError, match="chains.yaml: datasets.training: More than 3 files.*all"):
        read_project(config)
    (tmp_path / "all/0.pdb").unlink()
    read_project(config)


@pytest.mark.parametrize(
    ("application", "model"),
    [
        ("disease_diagnosis", "residual_dnn"),
        ("drug_response", "response_kernel"),
        ("gene_expression", "lstm"),
        ("gene_regulatory_network", "gnn"),
        ("protein_function", "transformer"),
        ("protein_interaction", "gnn"),
        ("protein_structure", "cnn"),
    ],
)
def test_application_and_data_are_a_whole_task(application, model, tmp_path):
    (tmp_path / "file").touch()
    code = get_application(application)
    sources = code.sources + code.training_sources or ("sequences",)
    said = {"application": application}
    said["datasets"] = {"training": {source: str(tmp_path / "file") for source in sources}}
    assert task_mistakes("mine", said) == []
    task = Task("mine", **with_defaults(said))
    named = {task.model["name"], *(m["name"] for m in members_of(task.model["name"], task.model))}
    assert model in named
    assert (task.split, task.leakage["limit"]) == ({"method": "auto"}, "auto")
    learnt = task.features["embedder"] == "unirep"
    assert ("no_foundation_model" in task.baselines) == learnt


def test_distances_have_a_network_of_their_own():
    said = {"application": "protein_structure", "datasets": {"training": {}}}
    filled = with_defaults(said | {"clean": {"target": "distances"}})
    assert filled["model"] == {"name": "distance_cnn"}


def test_what_a_task_says_is_not_filled_in():
    said = {
        "application": "protein_function",
        "datasets": {"training": {}},
        "split": {"method": "holdout"},
        "features": {"embedder": "huggingface", "model": "my/esm2"},
        "model": {"name": "logistic_regression"},
    }
    filled = with_defaults(said)
    assert filled.items() >= said.items()
    assert "leakage" not in filled
    assert filled["baselines"].keys() == {"no_foundation_model", "untrained", "dipeptides"}
    assert with_defaults(said | {"baselines": {}})["baselines"] == {}


def test_all_mistakes_are_told_with_an_unknown_source_of_a_corpus(tmp_path):
    config = write_tasks(tmp_path, heart="application: disease\ndatasets: {}\n")
    config |= {
        "pretrain": {
            "dna": {"architecture": {"model_type": "bert"}, "corpora": {"a": {"source": "nothing"}}}
        }
    }
    with pytest.raises(DataError) as error:
        read_project(config)
    assert "pretrain.dna.corpora: Unknown source 'nothing'" in str(error.value)
    assert "heart.yaml" in str(error.value)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("{id: [a, b]}", "`columns: id` names one column"),
        ("{label: []}", "a column or a list of columns"),
        ("{label: [[a]]}", "a column or a list of columns"),
        ("{label: [a, b]}", None),
    ],
)
def test_roles_that_may_have_several_columns(tmp_path, columns, expected):
    (tmp_path / "c.csv").touch()
    training = f"{{training: {{clinical: {tmp_path}/c.csv, columns: {columns}}}}}"
    content = f"application: disease_diagnosis\ndatasets: {training}\n"
    config = write_tasks(tmp_path, heart=content)
    if expected is None:
        assert "heart" in read_project(config).tasks
    else:
        refused(lambda: read_project(config), expected)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, "`training` is missing; `trained: <folder>` names"),
        ({"trained": "nowhere"}, "trained: no model in 'nowhere'"),
        ({"trained": "data/models/variant_calling"}, "predicts genotypes, the task .*binary"),
    ],
)
def test_without_training_data_a_finished_model_is_named(content, expected, monkeypatch):
    monkeypatch.chdir(ROOT)
    datasets = {"new": {"clinical": "data/breast_cytology/new_patients.csv"}}
    task = {"application": "disease_diagnosis", "datasets": datasets, **content}
    assert re.search(expected, "\n".join(task_mistakes("x", task)))


def test_training_and_a_finished_model_exclude_each_other(monkeypatch):
    monkeypatch.chdir(ROOT)
    datasets = {"training": {"clinical": "data/breast_cytology/patients.csv"}}
    task = {"application": "disease_diagnosis", "datasets": datasets, "trained": "x"}
    assert "takes the place of" in "\n".join(task_mistakes("x", task))


@pytest.mark.parametrize(
    "word",
    ["No", "yes", "on", "Off", "y", "2021-03-04", "2021-03-04 10:00:00", "00012", "0x1F", "0o17"]
    + ["+5", "-0", "1_000", "12:30", "1:30.5", "1e5", "+", "-", "=", "1.2.3", ".", "0b11"],
)
def test_a_word_of_the_data_is_what_it_says(tmp_path, word):
    (tmp_path / "t.yaml").write_text(f"keep: {{batch: [{word}]}}\nclasses: {{{word}: a}}\n")
    content = read_task_file(tmp_path / "t.yaml").content
    assert content == {"keep": {"batch": [word]}, "classes": {word: "a"}}


def test_numbers_truth_and_nothing_are_no_words(tmp_path):
    text = "[1, -2, 0, 1.5, -.5, 1.0e-3, true, False, null, ~, .inf]"
    (tmp_path / "t.yaml").write_text(f"all: {text}\n")
    values = [1, -2, 0, 1.5, -0.5, 0.001, True, False, None, None, float("inf")]
    assert read_task_file(tmp_path / "t.yaml").content["all"] == values


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("keep: {ec: [1.1, 1.10]}", "keep: 1.10 is a word of the data only in quotes, .* 1.1$"),
        ("classes: {2.50: a}", "classes: 2.50 is a word"),
        ("read: {clinical: {missing: [-9.00]}}", "read: -9.00 is a word"),
        ("read: {clinical: {not_missing: [true]}}", "read: true and false"),
        ("keep: {ec: [1.1, -3, '1.10']}", None),
    ],
)
def test_a_number_that_would_lose_its_spelling_is_asked_for_in_quotes(tmp_path, words, expected):
    (tmp_path / "h.csv").write_text("id,ec\n")
    text = "application: disease_diagnosis\nsplit: {method: auto, test: 0.20}\n"
    text += f"datasets: {{training: {{clinical: {tmp_path}/h.csv, {words}}}}}\n"
    (tmp_path / "t.yaml").write_text(text)
    task = read_task_file(tmp_path / "t.yaml").content
    found = [line for line in task_mistakes("t", task) if "word" in line]
    assert re.search(expected, "\n".join(found)) if expected else not found


@pytest.mark.parametrize("name", ["{task}.csv", "a{2024}.csv", "a<b>.csv", "folder/{x}.fasta"])
def test_a_name_that_snakemake_would_fill_in_is_refused(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("x\n")
    given = file if file.parent == tmp_path else file.parent
    training = {"clinical": str(given)}
    content = {"application": "disease_diagnosis", "datasets": {"training": training}}
    config = write_tasks(tmp_path, heart=yaml.safe_dump(content))
    refused(lambda: read_project(config), "Snakemake takes '[{<]' in .*rename the file")


def test_regulation_is_not_learnt_without_edges(tmp_path):
    (tmp_path / "e.csv").touch()
    training = {"expression": str(tmp_path / "e.csv")}
    content = {"application": "gene_regulatory_network", "datasets": {"training": training}}
    config = write_tasks(tmp_path, a=yaml.safe_dump(content))
    refused(lambda: read_project(config), "training: the source 'edges' is missing")


@pytest.mark.parametrize(
    ("sources", "read", "expected"),
    [
        ({"windows": "w.bed", "genome": "g.fasta"}, {"windows": {"skip": 1}}, "read without skip"),
        (
            {"windows": "w.tsv", "genome": "g.fasta"},
            {"genome": {"skip": 1}},
            "table 'genome'",
        ),
        ({"windows": "w.parquet", "genome": "g.fasta"}, {"windows": {"skip": 1}}, "without skip"),
        ({"expression": "e.h5ad"}, {"expression": {"samples": "rows"}}, "without samples"),
        ({"windows": "w.tsv.gz", "genome": "g.fasta"}, {"windows": {"skip": 1}}, None),
    ],
)
def test_an_option_that_nothing_reads_is_refused(tmp_path, sources, read, expected):
    files = {name: str(tmp_path / file) for name, file in sources.items()}
    for file in files.values():
        Path(file).touch()
    training = {**files, "read": read, "columns": {"label": "signal"}}
    content = {"application": "gene_expression", "datasets": {"training": training}}
    config = write_tasks(tmp_path, a=yaml.safe_dump(content))
    if expected:
        refused(lambda: read_project(config), expected)
    else:
        read_project(config)


@pytest.mark.parametrize(
    ("application", "misspelt", "meant"),
    [
        ("variant_calling", "truht", "truth"),
        ("variant_calling", "referenec", "reference"),
        ("gene_expression", "genom", "genome"),
        ("protein_function", "colums", "columns"),
    ],
)
def test_a_misspelt_source_is_told_as_one(tmp_path, application, misspelt, meant):
    training = {misspelt: "a.file"}
    content = {"application": application, "datasets": {"training": training}}
    config = write_tasks(tmp_path, a=yaml.safe_dump(content))
    refused(lambda: read_project(config), f"Unknown option '{misspelt}'.*did you mean '{meant}'")


def test_anchors_that_unfold_without_end_are_told(tmp_path):
    """A few lines of YAML become billions of values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    (tmp_path / "t.yaml").write_text("\n".join(lines))
    refused(lambda: read_task_files(tmp_path), "unfold to .* values, more than 1,000,000.*t.yaml")


def test_a_section_of_another_method_takes_over_no_option():
    under = {"model": {"name": "ensemble", "of": [{"name": "dnn"}]}, "split": {"by": "group"}}
    other = merged(under, {"model": {"name": "svm", "C": 3}, "split": {"method": "holdout"}})
    assert other["model"] == {"name": "svm", "C": 3}
    assert other["split"] == {"by": "group", "method": "holdout"}
    other = merged(other, {"split": {"method": "auto"}})
    assert other["split"] == {"method": "auto"}
    letters = {"features": {"embedder": "one_hot", "pooling": "tokens"}}
    kmers = {"features": {"embedder": "kmer", "k": 2}}
    assert merged(letters, kmers) == kmers
    assert merged(kmers, {"features": {"k": 3}}) == {"features": {"embedder": "kmer", "k": 3}}
    assert merged(under, {"model": {"class_weight": "balanced"}})["model"] == under["model"] | {
        "class_weight": "balanced"
    }
    assert merged(under, {"model": {"name": "ensemble"}})["model"] == under["model"]
