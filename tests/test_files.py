"""Files: whole or not at all, and the same bytes for the same content."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioloom.errors import DataError
from bioloom.features import Features, read_features, write_features
from bioloom.files import (
    file_names,
    read_json,
    replacing,
    replacing_folder,
    replacing_gzip,
    sha256,
    skops_io,
    work_folder,
    write_json,
    write_skops,
)
from bioloom.samples import read_table, write_table

FIT = """
import sys, numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.impute import SimpleImputer
from sklearn.svm import SVC
from bioloom.files import write_skops
waste = [object() for _ in range(int(sys.argv[1]))]  # other addresses
X = np.arange(40.0).reshape(20, 2)
write_skops(make_pipeline(SimpleImputer(), SVC()).fit(X, [0, 1] * 10), sys.argv[2])
"""


FORMULAS = ["=cmd|' /C calc'!A1", "@SUM(A1)", "+1+cmd|' /C calc'!A1", "-2+3", "\t=1", "+a", "--"]
TEXTS = ["-", "+", "-2", "+1.5e-3", "a=b", "P001", "", "1e5", "'=a"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_no_spreadsheet_runs_what_is_in_a_table(tmp_path: Path, suffix: str) -> None:
    table = pd.DataFrame({"=id": FORMULAS + TEXTS, "value": np.arange(16.0) - 8})
    for name in (f"table{suffix}", "table.parquet"):
        write_table(table, tmp_path / name)
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.parquet"), table)
    separator = "," if suffix == ".csv" else "\t"
    read = pd.read_csv(tmp_path / f"table{suffix}", sep=separator, keep_default_na=False)
    assert read["'=id"].tolist() == [f"'{text}" for text in FORMULAS] + TEXTS
    assert read["value"].tolist() == table["value"].tolist()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    write_json({"a": 1}, tmp_path / "a.json")
    with pytest.raises(ValueError, match="JSON"):
        write_json({"a": float("nan")}, tmp_path / "a.json")
    assert read_json(tmp_path / "a.json") == {"a": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_what_killed_writers_left_is_swept(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    with replacing(tmp_path / "table.parquet") as temporary:
        name = temporary.name
        left, alive = (
            tmp_path / name.replace(str(os.getpid()), str(owner))
            for owner in (gone.pid, os.getppid())
        )
        others = [tmp_path / ".gitignore", tmp_path / f".table.other-{gone.pid}.parquet"]
        for file in (temporary, left, alive, *others):
            file.touch()
    assert left.exists()  # this process has looked before
    again = "from bioloom.files import write_json; write_json(1, 'other.json')"
    subprocess.run([sys.executable, "-c", again], check=True, cwd=tmp_path)
    assert not left.exists()
    assert all(file.exists() for file in (alive, *others))


def test_a_folder_is_known_by_its_files_and_their_names(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder / "inner").mkdir(parents=True)
        (tmp_path / folder / "inner/file").write_text("content")
    before = sha256(tmp_path / "a")
    assert before == sha256(tmp_path / "b")
    (tmp_path / "a/.snakemake_timestamp").touch()
    assert sha256(tmp_path / "a") == before
    (tmp_path / "a/inner/file").rename(tmp_path / "a/inner/other")
    assert sha256(tmp_path / "a") != before


@pytest.mark.long
def test_skops_files_of_two_processes_are_equal(tmp_path: Path) -> None:
    files = [tmp_path / f"{waste}.skops" for waste in (0, 100_000)]
    for file in files:
        subprocess.run([sys.executable, "-c", FIT, file.stem, str(file)], check=True)
    assert files[0].read_bytes() == files[1].read_bytes()
    skops = skops_io()
    model = skops.load(files[0], trusted=skops.get_untrusted_types(file=files[0]))
    X = np.arange(40.0).reshape(20, 2)
    assert np.array_equal(model[-1].support_, model.fit(X, [0, 1] * 10)[-1].support_)


@pytest.mark.slow
def test_skops_keeps_content_and_shared_objects(tmp_path: Path) -> None:
    shared = np.arange(3)
    content = {"file": [shared, shared], "__id__": 7, "text": "12.npy", "none": None, "x": 0.1}
    write_skops(content, tmp_path / "x.skops")
    loaded = skops_io().load(tmp_path / "x.skops")
    first, second = loaded.pop("file")
    assert first is second
    assert np.array_equal(first, shared)
    assert loaded == {key: value for key, value in content.items() if key != "file"}


def test_files_are_readable_as_new_ones_are(tmp_path):
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("a")
        temporary.chmod(0o600)
    with replacing_folder(tmp_path / "folder") as made:
        (made / "b.txt").write_text("b")
        (made / "b.txt").chmod(0o600)
    (tmp_path / "new").write_text("new")
    modes = {(tmp_path / name).stat().st_mode for name in ("a.txt", "folder/b.txt", "new")}
    assert len(modes) == 1


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "folder"
    (tmp_path / ".folder.new-1").mkdir()  # what a killed process left
    with replacing_folder(folder) as made:
        (made / "a").write_text("a")
    with pytest.raises(FileNotFoundError), replacing_folder(folder) as made:
        (made / "no/folder").write_text("b")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "a"]


def test_a_work_folder_is_empty_and_gone_afterwards(tmp_path: Path) -> None:
    left = tmp_path / "a/.out.bam.work"
    left.mkdir(parents=True)
    (left / "part").touch()  # of a process that was killed
    with work_folder(tmp_path / "a/out.bam") as folder:
        assert list(folder.iterdir()) == []
        (folder / "part").touch()
    assert list((tmp_path / "a").iterdir()) == []


IDS = [f"s{i}" for i in range(50)]
MADE = {
    "table.parquet": (write_table, pd.DataFrame({"sample_id": IDS}), read_table),
    "record.json": (write_json, IDS, read_json),
    "features.npz": (
        write_features,
        Features(np.array(IDS), np.ones((50, 2), np.float32), np.array(["a", "b"]), "table"),
        read_features,
    ),
}


@pytest.mark.parametrize("damaged", [lambda old: b"", lambda old: old[:50], lambda old: old[::-1]])
@pytest.mark.parametrize("name", MADE)
def test_a_damaged_file_says_that_it_can_be_made_again(tmp_path: Path, name: str, damaged) -> None:
    write, content, read = MADE[name]
    path = tmp_path / name
    write(content, path)
    read(path)
    path.write_bytes(damaged(path.read_bytes()))
    with pytest.raises(DataError, match=rf"\(file .*{name}\). Hint: remove it"):
        read(path)


def test_each_id_has_a_file_name_of_its_own():
    ids = [
        "a/b",
        "a_b",
        "IFN-\u03b1",
        "IFN-\u03b2",
        "pep",
        "PEP",
        "x" * 300,
        "../x",
        "",
        "..",
        "ok.1",
    ]
    names = file_names(ids)
    assert len({name.lower() for name in names}) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) for name in names)
    assert max(map(len, names)) <= 80
    assert names[1] == "a_b"
    assert names[-1] == "ok.1"
    assert file_names(["a/b"]) == [names[0]]
    assert file_names([names[0]]) != [names[0]]


def test_a_compressed_file_tells_no_name_and_no_time(tmp_path, monkeypatch):
    for name, now in {"a": 1e9, "b": 2e9}.items():
        monkeypatch.setattr(time, "time", lambda now=now: now)
        with replacing_gzip(tmp_path / name / f"{name}.tsv.gz") as stream:
            stream.write(b"the same")
    one, other = ((tmp_path / name / f"{name}.tsv.gz").read_bytes() for name in "ab")
    assert one == other
    assert gzip.decompress(one) == b"the same"
