"""The command line: what it prints, what it leaves, and how it ends."""

import re
import shutil
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from bioloom.application import application_names, get_application
from bioloom.arrays import vectors
from bioloom.cli import check, compare, init, predict, run
from bioloom.cli.main import main
from bioloom.devices import claim_devices
from bioloom.errors import DataError
from bioloom.features.engine import embed
from bioloom.files import write_json
from bioloom.formats.sample_sheet import read_sheet
from bioloom.formats.table import names_in_text
from bioloom.models import model_names
from bioloom.pipeline.defaults import with_defaults
from bioloom.pipeline.task_files import read_task_file
from bioloom.pipeline.tasks import Task
from tests.tiny_models import configs, protein_bert
from tests.tiny_project import ROOT, Project, environment
from tests.toys import refused, write

CARRIED = ("Snakefile", "config.yaml", "workflow", "scripts", "envs", "profiles", "tasks", "data")
"""What a wheel has beside the package."""


def bioloom(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of the program, in a folder."""
    done = subprocess.run(
        ["python", str(ROOT / "src/bioloom/cli/main.py"), *arguments],
        cwd=folder,
        env=environment() | {"PYTHONPATH": str(ROOT / "src")},
        text=True,
        capture_output=True,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("application", application_names())
def test_a_new_project_of_each_application_passes_its_check(application, tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    assert main(["init", str(folder), "--application", application]) == 0
    monkeypatch.chdir(folder)
    project = check.project_here()
    [task] = project.tasks.values()
    assert task.application == application
    assert main(["check"]) == 0
    assert "results/" in Path(".gitignore").read_text()
    comments = Path(f"tasks/{task.name}.yaml").read_text().count("# ")
    assert comments >= 7, "a first task says what its lines are for"


def test_a_first_task_fetches_nothing_where_one_does():
    shipped = ("disease_diagnosis", "disease_risk", "treatment_recommendation")
    for application in shipped:
        assert init._named_sources(init._task(application)[1]) == []


COLUMNS = """
application: disease_diagnosis
datasets:
  training: {clinical: a.csv, columns: {id: row, label: %s}, exclude: {%s: [1]}}
"""


@pytest.mark.parametrize(
    ("label", "exclude", "told"),
    [
        ("ill", "age", None),
        ("sick", "age", "There is no such column; the table has age, ill (file a.csv, column sick"),
        ("ill", "Age", "column Age). Hint: did you mean age?"),
    ],
)
def test_check_reads_the_header_and_no_more(label, exclude, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("tasks").mkdir()
    Path("tasks/mine.yaml").write_text(COLUMNS % (label, exclude))
    Path("a.csv").write_text("age,ill\n" + "50,yes\n" * 50 + "a row of four,,,\n")
    if told is None:
        assert main(["check"]) == 0
        return
    with pytest.raises(SystemExit) as ended:
        main(["check"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "ERROR: tasks/mine.yaml: datasets.training: " in said
    assert told in said


def test_check_reads_the_header_of_the_table_beside_a_fasta(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("tasks").mkdir()
    task = "application: protein_function\ndatasets:\n  training: {sequences: a.fa, table: a.csv, "
    Path("tasks/mine.yaml").write_text(task + "columns: {id: nam, label: active}}\n")
    Path("a.fa").write_text(">p1\nMKV\n")
    Path("a.csv").write_text("name,active\np1,yes\n")
    with pytest.raises(SystemExit):
        main(["check"])
    assert "the table has name, active (file a.csv, column nam)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "content", "options", "names"),
    [
        ("a.csv", "x;y\n1;2\n", {}, ["x", "y"]),
        ("a.tsv", "lines\nabove\nx\ty\n1\t2\n", {"skip": 2}, ["x", "y"]),
        ("a.csv", "1,2\n", {"header": False}, ["1", "2"]),
        ("a.csv", "x,y\n1,2,3,4\n", {}, None),
        ("a.parquet", "no Parquet", {}, None),
    ],
)
def test_names_of_columns_are_in_the_first_lines(file, content, options, names, tmp_path):
    (tmp_path / file).write_text(content)
    assert names_in_text(tmp_path / file, **options) == names


def test_a_file_to_predict_that_is_not_there_is_named(tmp_path):
    task = {"application": "disease_risk", "datasets": {"training": {"clinical": "a.csv"}}}
    trained = predict.TrainedModel(tmp_path, task)
    refused(lambda: trained.predict(tmp_path / "new.csv"), f"no such file.*{tmp_path}/new.csv")


def test_a_folder_that_is_not_empty_stays_as_it_was(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SystemExit) as ended:
        main(["init", str(tmp_path)])
    assert ended.value.code == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_project_begins_in_an_empty_repository(tmp_path):
    (tmp_path / ".git").mkdir()
    assert main(["init", str(tmp_path)]) == 0
    assert (tmp_path / "config.yaml").exists()


def test_a_file_is_no_project(tmp_path):
    refused(
        lambda: init.main(write(tmp_path / "f", ""), init.FIRST), "a folder, and this is a file"
    )


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ("seed: [", "Not YAML"),
        ("- seed", "Expected a mapping"),
        ("seed: 1\nseed: 2", "'seed' is there twice (file config.yaml, row 2)"),
    ],
)
@pytest.mark.parametrize("command", ["check", "run", "predict model new.csv --out out.csv"])
def test_a_broken_config_is_told_in_one_line(command, config, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("model").mkdir()
    write(Path("model/model.yaml"), "reading: {application: disease_risk, datasets: {a: {}}}")
    write(Path("new.csv"), "id,age\n1,50\n")
    write(Path("config.yaml"), config)
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


def test_results_that_were_not_pulled_are_named(tmp_path):
    write_json({"kind": "binary"}, tmp_path / "metrics.json")
    message = refused(lambda: compare.compared(tmp_path, tmp_path), "dvc pull")
    assert "training/samples.parquet" in message


def test_what_is_missing_is_told_before_a_job(tmp_path, monkeypatch, capsys):
    main(["init", str(tmp_path / "mine")])
    monkeypatch.chdir(tmp_path / "mine")
    [data, *_] = sorted(Path("data").rglob("*.csv"))
    data.unlink()
    with pytest.raises(SystemExit):
        main(["check"])
    assert f"no such file '{data}'" in capsys.readouterr().err


@pytest.mark.parametrize("name", model_names())
def test_each_model_says_what_it_is(name, capsys):
    main(["models", name])
    assert capsys.readouterr().out.startswith(f"{name}: ")


@pytest.mark.parametrize("name", application_names())
def test_each_application_says_what_it_reads(name, capsys):
    main(["applications", name])
    lines = capsys.readouterr().out.splitlines()
    assert "predicts" in lines[1]
    options = [line for line in lines if line.startswith("    ")]
    told = r"    [\w.<>]+:( .+?)?( \(one of .+\))?  \S.*"
    assert [line for line in options if not re.fullmatch(told, line)] == []


def test_jobs_are_told_by_name_with_how_many_are_done():
    said = """
rule train:
    input: a
    jobid: 3
    wildcards: task=heart
    resources: tmpdir=/tmp
3 of 10 steps (30%) done
at work: train heart: model, partition 3 of 16
rule extract_features:
    wildcards: task=heart, dataset=ward, features=features
""".splitlines()
    lines = list(run.told(said))
    assert [line.split() for line in lines] == [
        ["train", "heart"],
        "[3/10] train heart: model, partition 3 of 16".split(),
        ["[3/10]", "extract", "features", "heart,", "ward,", "features"],
    ]


def test_a_column_that_decides_alone_is_told_beside_the_score(tmp_path):
    assert run.doubts(tmp_path / "leakage.json") == []
    flag = "death_day alone separates the classes: AUROC 1.00"
    write_json({"flags": [flag]}, tmp_path / "leakage.json")
    assert run.doubts(tmp_path / "leakage.json") == [flag]


def test_a_failure_ends_with_its_one_line():
    said = [
        "rule ingest:",
        "ERROR: 1 column may identify persons",
        "  seen: dates, 9 rows",
        "  Hint: say",
        "    privacy:",
        "RuleException:",
        "  of the workflow",
        "Error in rule ingest:",
        "ERROR: 1 column may identify persons",
        "  seen: dates, 9 rows",
        "  Hint: say",
        "    privacy:",
    ]
    assert run.failure(2, said) == "\n".join(said[1:5])  # with what the task file needs, once
    assert run.failure(1, ["Traceback", "boom"]) == "Traceback\nboom"
    unknown = "snakemake: error: unrecognized arguments: --no-such-option"
    assert run.failure(2, ["usage: snakemake", unknown]).endswith(unknown)


def test_a_result_of_a_task_that_is_not_read_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks/more").mkdir(parents=True)
    (tmp_path / "tasks/more/cytology.yaml").touch()
    tasks = ["heart", "ward"]
    run.refuse_unknown(["--cores", "2", "results/heart/metrics.json", "results/report.html"], tasks)
    run.refuse_unknown(["results/pretrained/dna/model.safetensors"], tasks)
    with pytest.raises(DataError, match=r"'hart'. Hint: did you mean 'heart'"):
        run.refuse_unknown(["results/hart/metrics.json"], tasks)
    with pytest.raises(DataError, match=r"Hint: --config 'tasks=\[tasks, tasks/more\]'"):
        run.refuse_unknown(["results/heart/model", "results/cytology/model"], tasks)


@pytest.mark.slow
def test_a_finished_project_is_told_compared_and_used(project: Project, tmp_path):
    code, said, _ = bioloom(project.folder, "run")
    assert code == 0
    assert "Nothing changed" in said
    assert "heart: AUROC" in said
    assert "Report: results/report.html" in said

    before = {path for path in project.folder.rglob("*") if ".snakemake" not in path.parts}
    out = ("--out", "mine.csv")
    code, _, errors = bioloom(
        project.folder, "predict", "results/heart/model", "data/ward.csv", *out
    )
    assert code == 0, errors
    mine = project.path("mine.csv")
    assert mine.read_bytes() == project.path("results/heart/ward/predictions.csv").read_bytes()
    after = {path for path in project.folder.rglob("*") if ".snakemake" not in path.parts}
    assert after - before == {mine}

    # On another machine, with nothing but the model's folder.
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(project.path("results/heart/model"), elsewhere / "heart")
    shutil.copy(project.path("data/ward.csv"), elsewhere / "new.csv")
    code, _, errors = bioloom(elsewhere, "predict", "heart", "new.csv", *out)
    assert code == 0, errors
    assert (elsewhere / "mine.csv").read_bytes() == mine.read_bytes()

    heart, liver = project.path("results/heart"), project.path("results/liver")
    assert compare.compared(heart, heart)["differences"]["second"]["value"] == 0
    refused(lambda: compare.compared(heart, liver / "model"), "No results")


@pytest.mark.slow
def test_a_mistake_in_data_is_the_last_thing_said_and_ends_with_2(project: Project):
    path = project.path("data/heart.csv")
    path.write_text(path.read_text().replace("disease", "ill", 1))
    code, _, errors = bioloom(project.folder, "run")
    assert code == 2
    assert errors.splitlines()[-1].startswith("ERROR: ")
    assert "disease" in errors.splitlines()[-1]
    with pytest.raises(RuntimeError, match="ended with 2") as ended:
        project.snakemake()
    assert str(ended.value).splitlines()[-1] == errors.splitlines()[-1]
    code, _, errors = bioloom(
        project.folder, "predict", "results/heart/model", "data/none.csv", "--out", "x.csv"
    )
    assert code == 2
    assert "none.csv" in errors
    ward = project.path("data/ward.csv").read_text().splitlines()
    lacking = [line.split(",", 2)[::2] for line in ward]  # without the age
    project.path("data/lacking.csv").write_text("\n".join(map(",".join, lacking)) + "\n")
    code, _, errors = bioloom(
        project.folder, "predict", "results/heart/model", "data/lacking.csv", "--out", "x.csv"
    )
    assert code == 2
    assert re.search(r"missing: age \(file .*data/lacking.csv\)", errors)
    assert not project.path("x.csv").exists()
    code, _, errors = bioloom(
        project.folder, "predict", "results/heart/model", "data/ward.csv", "--out", "x.xlsx"
    )
    assert (code, "as CSV" in errors) == (2, True)


def test_new_data_are_read_as_the_training_data_were(tmp_path):
    trained = {
        "application": "disease_risk",
        "datasets": {"training": {"clinical": "a.csv", "columns": {"id": "p", "label": "chd"}}},
        "clean": {"drop": ["x"]},
    }
    task = predict.new_task(trained, tmp_path, {"clinical": "b.csv"})
    assert task["datasets"]["new"] == {
        "clinical": str(Path("b.csv").resolve()),
        "columns": {"id": "p"},
    }
    assert task["clean"] == {"drop": ["x"]}
    assert "training" not in task["datasets"]
    risk = get_application("disease_risk")
    assert predict.by_source(["b.csv", "expression=c.csv"], risk) == {
        "clinical": "b.csv",
        "expression": "c.csv",
    }
    refused(lambda: predict.by_source(["clinicl=b.csv"], risk), "clinical")
    refused(lambda: predict.by_source(["b.csv", "c.csv"], risk), "Two files")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a: [", "Not YAML"),
        ("", "A task is a mapping"),
        ("datasets: {}", "no task"),
        ("application: disease_risk\ndatasets: {}", "no task"),
        ("application: [a]\ndatasets: {training: {}}", "no task"),
        ("application: disease_risk\ndatasets: {training: }", "`training` takes options by name"),
        (
            "application: disease_risk\ndatasets: {training: {columns: [a]}}",
            "`training: columns` takes a mapping",
        ),
        (
            "application: variant_calling\ndatasets: {training: {reference: {source: g}}}",
            "Unknown source 'g'",
        ),
        (None, "no such file"),
    ],
)
def test_a_task_that_says_nothing_is_refused_by_name(content, told, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.yaml").write_text("model: dnn")
    if content is not None:
        (tmp_path / "mine.yaml").write_text(content)
    refused(lambda: predict.load(tmp_path / "model", tmp_path / "mine.yaml"), told, "mine.yaml")
    refused(lambda: predict.load(tmp_path / "model"), "is not known")


def test_labels_of_a_scored_data_set_are_not_asked_of_new_data(tmp_path):
    columns = {"id": "record", "label": "diagnosis"}
    trained = {
        "application": "disease_diagnosis",
        "datasets": {
            "outside": {"clinical": "o.csv", "columns": columns, "scored": True},
            "training": {"clinical": "t.csv", "columns": columns},
        },
    }
    new = predict.new_task(trained, tmp_path, {"clinical": "b.csv"})["datasets"]["new"]
    assert new["columns"] == {"id": "record"}
    assert "scored" not in new
    trained["datasets"]["ward"] = {"clinical": "w.csv", "columns": {"id": "patient"}}
    new = predict.new_task(trained, tmp_path, {"clinical": "b.csv"})["datasets"]["new"]
    assert new["columns"] == {"id": "patient"}


def test_a_file_of_no_source_is_refused_where_none_is_usual():
    application = get_application("gene_expression")
    refused(lambda: predict.by_source(["a.fa"], application), "`<source>=<file>`, of sequences")


def test_what_a_model_was_trained_with_is_found_in_its_project(tmp_path):
    """Wherever the command runs; what is not there is told, not looked for elsewhere."""
    (tmp_path / "ref").mkdir()
    (tmp_path / "ref/g.fa").touch()
    trained = {
        "application": "variant_calling",
        "datasets": {"training": {"reads": "a.bam", "reference": "ref/g.fa"}},
        "features": {"embedder": "huggingface", "model": "my/esm", "finetune": "lora"},
    }
    model = tmp_path / "results/t/model"
    refused(lambda: predict.new_task(trained, model, {"reads": "b.bam"}), "ref/g.fa")
    refused(lambda: predict.new_task(trained, model, {"reads": "b"}, (tmp_path,)), "fine-tuned")
    (tmp_path / "results/t/finetuned").mkdir(parents=True)
    task = predict.new_task(trained, model, {"reads": "b.bam"}, (tmp_path,))
    assert task["datasets"]["new"]["reference"] == str(tmp_path / "ref/g.fa")
    assert task["features"]["model"] == str(tmp_path / "results/t/finetuned")
    assert "finetune" not in task["features"]


def test_what_is_said_of_one_data_set_is_not_said_of_the_next(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my/esm").mkdir(parents=True)
    trained = {
        "application": "protein_function",
        "datasets": {"training": {}, "screen": {"sequences": "a.fa", "prior": 0.01, "read": {}}},
        "features": [{"embedder": "huggingface", "model": "my/esm"}, {"embedder": "kmer", "k": 2}],
    }
    task = predict.new_task(trained, tmp_path, {"sequences": "b.fa"})
    assert set(task["datasets"]["new"]) == {"sequences", "read"}
    assert task["features"][0]["model"] == str(tmp_path / "my/esm")


def test_how_training_data_are_made_is_not_said_of_new_data(tmp_path):
    """Reads of one's own are neither simulated nor altered, and are not examples to learn from."""
    (tmp_path / "g.fa").touch()
    made = {"simulate": {"depths": [8]}, "spike_in": {}, "block": 100, "reference": "g.fa"}
    trained = {"application": "variant_calling", "datasets": {"training": made}}
    task = predict.new_task(trained, tmp_path, {"reads": "b.bam"}, (tmp_path,))
    assert set(task["datasets"]["new"]) == {"reads", "reference", "block"}
    made = {"simulate": {}, "examples": 800, "max_reads": 9}
    trained = {"application": "genome_assembly", "datasets": {"training": made}}
    task = predict.new_task(trained, tmp_path, {"reads_1": "b.fastq.gz"}, (tmp_path,))
    assert set(task["datasets"]["new"]) == {"reads_1", "max_reads"}


@pytest.mark.long
def test_a_wheel_carries_the_workflow(tmp_path):
    """Built from a copy, and installed into an environment with the dependencies alone."""
    unwanted = shutil.ignore_patterns("*.egg-info", "__pycache__")
    (tmp_path / "code").mkdir()
    for part in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "src", *CARRIED):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        options = {"ignore": unwanted} if copy is shutil.copytree else {}
        copy(ROOT / part, tmp_path / "code" / part, **options)
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env/bin/python"
    [site] = (tmp_path / "env").rglob("site-packages")
    (site / "dependencies.pth").write_text(f"{Path(pytest.__file__).parents[1]}\n")

    def run_in(folder: Path, *command: object) -> str:
        given = {name: v for name, v in environment().items() if name != "PYTHONPATH"}
        done = subprocess.run(
            list(map(str, command)), cwd=folder, env=given, text=True, capture_output=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    built = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path)
    run_in(tmp_path, *pip, *built, tmp_path / "code")
    [wheel] = tmp_path.glob("*.whl")
    run_in(tmp_path, *pip, "--python", python, "install", "--no-deps", wheel)
    assert (site / "bioloom/py.typed").exists()
    show = "from bioloom.pipeline.home import HOME; print(HOME)"
    assert run_in(tmp_path, python, "-c", show).strip() == str(tmp_path / "env/share/bioloom")
    program = tmp_path / "env/bin/bioloom"
    run_in(tmp_path, program, "init", "mine")
    plan = run_in(tmp_path / "mine", program, "run", "--dry-run")
    assert "train breast_cytology" in plan
    run_in(tmp_path / "mine", program, "run", "--until", "split")
    assert (tmp_path / "mine/results/breast_cytology/leakage.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".npz", ".parquet", ".h5"])
def test_embedded_sequences_are_those_of_the_engine(ending, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    protein_bert(Path("bert"), configs()["bert"])
    sequences = {"a": "MKTAYIAK", "b": "GIGKFLHSAKKF"}
    Path("in.fasta").write_text("".join(f">{name}\n{s}\n" for name, s in sequences.items()))
    assert main(["embed", "in.fasta", "--model", "bert", "--out", f"out{ending}"]) == 0
    options = {"embedder": "huggingface", "model": "bert", "pooling": "mean"}
    expected = vectors(embed(list(sequences.values()), options, weights=Path("bert")).X)
    if ending == ".npz":
        with np.load("out.npz") as made:
            found, ids = made["X"], made["id"].tolist()
    elif ending == ".parquet":
        table = pd.read_parquet("out.parquet").set_index("id")
        found, ids = table.to_numpy(), table.index.tolist()
    else:
        with h5py.File("out.h5") as file:
            ids = list(file)
            found = np.stack([file[name][:] for name in ids])
    assert ids == list(sequences)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.long
def test_a_run_that_is_asked_to_end_says_so_in_one_line(tmp_path):
    """By `timeout` and Slurm, twice."""
    script = '''
import sys
from bioloom.cli import run
from bioloom.pipeline.project import Project
run.project_here = lambda **_: Project(1, {}, {}, {})
slow = """
import time
print(1, flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(2)
"""
run.SNAKEMAKE = (sys.executable, "-c", slow)
run.told = lambda lines: lines
sys.exit(run.main([]))
'''
    told = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment() | {"PYTHONPATH": str(ROOT / "src")},
    )
    assert told.stdout.readline() == "1\n"
    told.terminate()
    time.sleep(0.5)
    told.terminate()
    _, errors = told.communicate(timeout=60)
    assert (told.returncode, errors) == (130, "Interrupted. The same command goes on from here.\n")


@pytest.mark.slow
def test_a_reader_who_has_seen_enough_ends_the_program():
    """As `head` does."""
    told = subprocess.Popen(
        [sys.executable, "-m", "bioloom", "applications"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment() | {"PYTHONPATH": str(ROOT / "src")},
    )
    told.stdout.close()
    assert (told.wait(60), told.stderr.read()) == (128 + signal.SIGPIPE, "")


def test_vectors_of_another_ending_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["embed", "in.fasta", "--model", "unirep", "--out", "out.csv"])
    assert ".npz, .parquet, .h5" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["embed", "in.csv", "--model", "unirep", "--out", "out.npz"])
    assert "got a table" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_named():
    with claim_devices("cpu") as taken:
        assert taken == ["cpu"]
    refused(lambda: claim_devices("cpu, foo").__enter__(), "no device 'foo'")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked by a call of Linux")
def test_what_a_killed_run_had_started_ends_with_it(tmp_path):
    """Snakemake would else wait for a reader that is gone, and hold the folder's lock."""
    script = """
import sys, time
from bioloom.cli import run
run.SNAKEMAKE = (sys.executable, "-c", "import time; time.sleep(60)")
print(run.started().pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env=environment() | {"PYTHONPATH": str(ROOT / "src")},
    )
    child = Path("/proc") / parent.stdout.readline().strip()
    assert child.exists()
    parent.kill()
    parent.wait()
    end = time.monotonic() + 20
    while child.exists() and "Z" not in (child / "stat").read_text().split()[2]:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_training_says_of_an_outcome_is_not_said_of_new_data(tmp_path):
    new = write(tmp_path / "new.csv", "id,age,site\n1,50,a\n")
    training = {
        "clinical": "t.csv",
        "columns": {"id": "id", "time": "days", "event": "dead", "arm": "given"},
        "event": 1,
        "horizon": 1826,
        "assignment": "observed",
        "good": "high",
        "landmarks": [0, 90],
        "privacy": {"died_on": "drop", "site": "keep"},
        "types": {"dead": "category", "age": "number"},
        "not_identifiers": ["days"],
    }
    trained = {"application": "treatment_recommendation", "datasets": {"training": training}}
    found = predict.new_task(trained, tmp_path, {"clinical": str(new)})["datasets"]["new"]
    assert found == {
        "clinical": str(new),
        "columns": {"id": "id"},
        "landmarks": [0, 90],
        "privacy": {"site": "keep"},
        "types": {"age": "number"},
    }


def test_what_is_said_of_features_of_records_is_said_of_new_ones(tmp_path):
    """The columns of a table of events are none of them."""
    events = write(tmp_path / "e.csv", "patient,time,code,value\n1,2020-01-01,crp,5\n")
    training = {
        "clinical": "t.csv",
        "columns": {"label": "died"},
        "records": {"columns": {"patient": "patient"}},
        "types": {"crp": "category"},
    }
    trained = {"application": "disease_risk", "datasets": {"training": training}}
    found = predict.new_task(trained, tmp_path, {"clinical": str(events)})["datasets"]["new"]
    assert found["types"] == {"crp": "category"}


def test_names_of_samples_are_those_of_the_next_file(tmp_path):
    """Neither is a sample called by another's name, nor do its names pass the privacy gate."""
    (tmp_path / "g.fa").touch()
    said = {"sample": "father", "not_identifiers": ["sample"], "privacy": {"sample": "pseudonym"}}
    training = {"reads": "a.bam", "reference": "g.fa", "haploid": ["chrY"], **said}
    trained = {"application": "variant_calling", "datasets": {"training": training}}
    task = predict.new_task(trained, tmp_path, {"reads": "b.bam"}, (tmp_path,))
    assert set(task["datasets"]["new"]) == {"reads", "reference", "haploid", "privacy"}


def test_rows_that_were_left_out_are_not_looked_for_in_new_data(tmp_path):
    """Nor does a model tell their ids."""
    said = {"columns": {"id": "p", "label": "ill"}, "keep": {"p": [1]}, "exclude": {"age": [2]}}
    datasets = {"training": {"clinical": "a.csv", **said}, "ward": {"clinical": "w.csv", **said}}
    trained = {"application": "disease_diagnosis", "datasets": datasets}
    new = predict.new_task(trained, tmp_path, {"clinical": "b.csv"})["datasets"]["new"]
    assert set(new) == {"clinical", "columns"}
    assert new["columns"] == {"id": "p"}
    task = Task("t", **with_defaults(trained))
    assert task.reading["datasets"] == {"training": {"columns": said["columns"]}}


def test_rules_that_come_with_new_patients_may_ask_for_any_column(tmp_path):
    patients = write(tmp_path / "b.csv", "p,age,pregnant\n1,50,no\n")
    trained = {
        "application": "treatment_recommendation",
        "datasets": {"training": {"clinical": "a.csv", "columns": {"id": "p", "arm": "got"}}},
    }
    known = {"age": {"type": "number"}}
    given = {"clinical": str(patients)}
    for more, dropped in ({}, True), ({"contraindications": "r.csv"}, False):
        new = predict.new_task(trained, tmp_path, given | more, (), known)["datasets"]["new"]
        assert ("pregnant" in new.get("privacy", {})) == dropped


def test_pairs_to_predict_are_those_that_are_given(tmp_path):
    said = {"expression": "e.csv", "edges": "d.csv", "aliases": {"ihf": "a"}}
    asked = said | {"candidates": True, "only": ["araC"]}
    datasets = {"training": said, "targets": asked}
    trained = {"application": "gene_regulatory_network", "datasets": datasets}
    given = {"expression": "x.csv", "edges": "mine.csv"}
    new = predict.new_task(trained, tmp_path, given)["datasets"]["new"]
    assert set(new) == {"expression", "edges", "aliases", "only"}
    rest = predict.new_task(trained, tmp_path, {"expression": "x.csv"})["datasets"]["new"]
    assert rest["only"] == ["araC"]  # whose targets are asked for, where no pairs are given


def test_a_model_is_used_as_it_was_trained_whatever_its_task_says_since(tmp_path):
    """Its task.yaml is written before it is trained anew."""
    training = {"clinical": "a.csv", "columns": {"id": "p", "label": "ill"}}
    reading = {
        "application": "disease_diagnosis",
        "features": {"embedder": "table"},
        "datasets": {"training": {"columns": training["columns"]}},
    }
    (tmp_path / "model").mkdir()
    write(tmp_path / "model/model.yaml", yaml.safe_dump({"reading": reading}))
    said = {"application": "disease_diagnosis", "clean": {"drop": ["age"]}, "kind": "value"}
    said |= {"datasets": {"training": training, "ward": {"clinical": "w.csv"}}}
    write(tmp_path / "task.yaml", yaml.safe_dump(said))
    found = predict.load(tmp_path / "model").task
    assert found == reading | {"datasets": said["datasets"]}
    write(tmp_path / "task.yaml", yaml.safe_dump(said | {"application": "precision_medicine"}))
    refused(lambda: predict.load(tmp_path / "model"), "another application", "bioloom run")


def test_predictions_never_take_the_place_of_data(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("model").mkdir()
    reading = "reading: {application: disease_risk, datasets: {training: {}}}"
    write(Path("model/model.yaml"), reading)
    mine = write(tmp_path / "mine.csv", "id,age\n1,50\n")
    Path("linked.csv").symlink_to(mine)
    Path("folder.csv").mkdir()
    for out, told in (
        ("./mine.csv", "place of the data"),
        ("linked.csv", "place of the data"),
        ("folder.csv", "a folder"),
    ):
        with pytest.raises(SystemExit):
            main(["predict", "model", "mine.csv", "--out", out])
        assert told in capsys.readouterr().err
    assert mine.read_text() == "id,age\n1,50\n"


def test_a_task_file_of_a_project_says_how_a_model_reads(tmp_path, monkeypatch):
    """As the project reads it: what it is like, words as they are written, sources by name."""
    project = tmp_path / "project"
    (project / "tasks").mkdir(parents=True)
    model = project / "results/t/model"
    model.mkdir(parents=True)
    write(model / "model.yaml", "model: dnn")
    base = "application: disease_risk\ndatasets:\n  training: {clinical: a.csv, columns: {id: no}"
    write(project / "tasks/base.yaml", base + ", types: {yes: category}}\n")
    write(project / "tasks/mine.yaml", "like: base\nclean: {ranges: {00012: [0, 1.10]}}\n")
    found = predict.load(model, project / "tasks/mine.yaml")
    training = found.task["datasets"]["training"]
    assert (training["columns"], training["types"]) == ({"id": "no"}, {"yes": "category"})
    (tmp_path / "made").mkdir()
    content = predict.new_task(found.task, model, {"clinical": "b.csv"})
    found._write_project(tmp_path / "made", content)  # with numbers as the file spells them
    written = read_task_file(tmp_path / "made/tasks/predicted.yaml").content
    assert written["clean"] == {"ranges": {"00012": [0, 1.1]}}

    # A file of that name above the project is another one.
    for folder in (tmp_path, project):
        write(folder / "g.fa", ">a\nA\n")
    source = f"{{url: 'https://a/t.vcf', sha256: {'0' * 63}a}}"
    write(project / "config.yaml", f"sources: {{truth: {source}}}")
    said = "application: variant_calling\ndatasets: {training: {reads: a.bam, reference: g.fa, "
    write(project / "tasks/calls.yaml", said + "truth: {source: truth}}}\n")
    found = predict.load(model, project / "tasks/calls.yaml")
    assert found.task["datasets"]["training"]["truth"]["url"] == "https://a/t.vcf"
    new = predict.new_task(found.task, model, {"reads": "b.bam"}, found.places)
    assert new["datasets"]["new"]["reference"] == str(project / "g.fa")

    write(project / "results/t/task.yaml", base + "}\n")
    monkeypatch.chdir(model)
    found = predict.load(".")
    assert found.task["datasets"]["training"]["columns"] == {"id": "no"}
    assert found.places[0] == project


@pytest.mark.long
@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_predicting_that_is_asked_to_end_leaves_no_data(asked, tmp_path):
    script = '''
import sys
from pathlib import Path
from bioloom.cli import predict, run
slow = """
import subprocess
job = subprocess.Popen(['sleep', '60'])
print(1, flush=True)
try:
    job.wait()
except KeyboardInterrupt:
    job.wait()  # as Snakemake does
"""
run.SNAKEMAKE = (sys.executable, "-c", slow)
begun = predict.started
def started(*options, **more):
    process = begun(*options, **more)
    print(process.stdout.readline(), end="", flush=True)
    return process
predict.started = started
sys.exit(predict.main(Path("model"), ["new.csv"], Path("out.csv"), None))
'''
    (tmp_path / "model").mkdir()
    reading = "reading: {application: disease_risk, datasets: {training: {columns: {id: id}}}}"
    write(tmp_path / "model/model.yaml", reading)
    write(tmp_path / "new.csv", "id,age\n1,50\n")
    (tmp_path / "temporary").mkdir()
    places = {"PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(tmp_path / "temporary")}
    told = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment() | places,
    )
    assert told.stdout.readline() == "1\n"
    time.sleep(0.5)
    told.send_signal(asked)
    _, errors = told.communicate(timeout=60)
    assert (told.returncode, errors) == (130, "Interrupted. Nothing was written.\n")
    assert not [*(tmp_path / "temporary").iterdir()]


SIGNATURE = {
    "age": {"type": "number"},
    "stage": {"type": "category", "values": ["1", "2", "3a"]},
    "a_b": {"type": "category", "values": ["x"]},
}


def test_a_few_rows_are_read_as_the_columns_of_training_were(tmp_path):
    """A category may have numbers alone, and a column that training did not have is not read."""
    new = write(tmp_path / "new.csv", "id,age,stage,a.b,Name\n1,50,2,x,Ann\n")
    training = {"clinical": "t.csv", "columns": {"id": "id", "label": "ill"}}
    trained = {"application": "disease_diagnosis", "datasets": {"training": training}}
    given, here = {"clinical": str(new)}, (Path(),)
    found = predict.new_task(trained, tmp_path, given, here, SIGNATURE)["datasets"]["new"]
    assert found["types"] == {"stage": "category", "a.b": "category"}
    assert found["privacy"] == {"Name": "drop"}
    # A rule may ask for any column.
    ruled = SIGNATURE | {"option.A": {"type": "option"}}
    found = predict.new_task(trained, tmp_path, given, here, ruled)["datasets"]["new"]
    assert "privacy" not in found


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".xlsx"])
def test_how_a_table_is_read_is_said_of_those_of_its_form(ending, tmp_path):
    new = tmp_path / f"new{ending}"
    table = pd.DataFrame({"id": ["a"], "age": [50]})
    if ending == ".csv":
        table.to_csv(new, index=False)
    else:
        (table.to_parquet if ending == ".parquet" else table.to_excel)(new, index=False)
    training = {
        "clinical": "t.csv",
        "columns": {"id": "id", "label": "ill", "group": "family"},
        "types": {"ill": "category", "age": "number"},
        "read": {"clinical": {"separator": ",", "missing": [9]}, "expression": {"missing": ["x"]}},
    }
    trained = {"application": "disease_diagnosis", "datasets": {"training": training}}
    found = predict.new_task(trained, tmp_path, {"clinical": str(new)})["datasets"]["new"]
    assert found == {
        "clinical": str(new),
        "columns": {"id": "id"},
        "types": {"age": "number"},
        "read": {"clinical": {"missing": [9]} | ({"separator": ","} if ending == ".csv" else {})},
    }


def test_knowledge_of_training_holds_for_new_data(tmp_path):
    """A genome, rules and scores, of all applications; not measurements."""
    (tmp_path / "g.fa").touch()
    said = {"windows": "w.bed", "genome": "g.fa", "values": "v.csv", "columns": {"label": "y"}}
    trained = {"application": "gene_expression", "datasets": {"training": said}}
    task = predict.new_task(trained, tmp_path, {"windows": "b.bed"}, (tmp_path,))
    assert set(task["datasets"]["new"]) == {"windows", "genome", "columns"}
    task = predict.new_task(trained, tmp_path, {"sequences": "b.fa"})
    assert set(task["datasets"]["new"]) == {"sequences", "columns"}
    for name in application_names():
        application = get_application(name)
        known = {*application.all_sources} - {*application.label_sources}
        assert {*application.knowledge} <= known


def test_a_mistake_is_told_without_the_task_that_was_made():
    for place in ("datasets.new: ", "datasets.new.", ""):
        told = predict._without_place(f"tasks/predicted.yaml: {place}read: no table")
        assert told == "read: no table"


def test_a_sheet_is_read_from_where_the_command_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("raw", "sheets", "project"):
        (tmp_path / folder).mkdir()
    write(tmp_path / "raw/r.fastq.gz", b"")
    sheet = write(tmp_path / "sheets/s.csv", "sample,fastq_1\na,raw/r.fastq.gz\n")
    trained = {"application": "genome_assembly", "datasets": {"training": {"examples": 8}}}
    content = predict.new_task(trained, tmp_path, {"reads": str(sheet)})
    predict.TrainedModel(tmp_path, trained)._write_project(tmp_path / "project", content)
    written = read_task_file(tmp_path / "project/tasks/predicted.yaml").content
    [lane] = read_sheet(written["datasets"]["new"]["reads"])
    assert lane.fastq == [str(tmp_path / "raw/r.fastq.gz")]


def test_what_a_project_has_stored_is_used_from_elsewhere(tmp_path, monkeypatch):
    for folder in ("mine/resources", "elsewhere", "made"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    trained = {"application": "disease_risk", "datasets": {"training": {}}}
    model = predict.TrainedModel(tmp_path, trained, (tmp_path / "mine", Path()))
    content = predict.new_task(trained, tmp_path, {"clinical": "b.csv"})
    model._write_project(tmp_path / "made", content)
    assert (tmp_path / "made/resources").resolve() == tmp_path / "mine/resources"


def test_new_patients_need_no_group_to_pass_the_check(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tasks").mkdir()
    write(Path("t.csv"), "id,age,family,ill\n1,50,f,yes\n2,60,g,no\n")
    write(Path("n.csv"), "id,age\n1,50\n")
    columns = "columns: {id: id, group: family"
    said = f"application: disease_diagnosis\ndatasets:\n  training: {{clinical: t.csv, {columns}, "
    ward = f"  ward: {{clinical: n.csv, {columns}}}}}\n"
    write(Path("tasks/a.yaml"), f"{said}label: ill}}}}\n{ward}")
    assert main(["check"]) == 0
