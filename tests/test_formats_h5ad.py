"""AnnData files, written here by h5py as anndata does: dense, by rows and by columns."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from bioloom.application import get_application
from bioloom.formats import _h5ad_process
from bioloom.formats.h5ad import read_h5ad
from tests.toys import refused, write

VALUES = np.array([[0, 2, 0], [1, 0, 0.5]])


@pytest.fixture(params=["dense", "csr_matrix", "csc_matrix"])
def path(request, tmp_path):
    with h5py.File(tmp_path / "a.h5ad", "w") as file:
        if request.param == "dense":
            file["X"] = VALUES
        else:
            kind = sparse.csr_array if "csr" in request.param else sparse.csc_array
            group, matrix = file.create_group("X"), kind(VALUES)
            group.attrs["encoding-type"] = request.param
            for part in ("data", "indices", "indptr"):
                group[part] = getattr(matrix, part)
        obs, var = file.create_group("obs"), file.create_group("var")
        obs.attrs["_index"], var.attrs["_index"] = "cell", "_index"
        obs.attrs["column-order"] = ["dose", "strain"]
        obs["cell"], var["_index"] = ["c1", "c2"], ["lacZ", "lacI", "HLA.A"]
        obs["dose"] = [0.5, 2.0]
        strain = obs.create_group("strain")
        strain["codes"], strain["categories"] = np.array([1, -1], dtype=np.int8), ["x", "y"]
    return tmp_path / "a.h5ad"


def test_matrix_and_observations_are_read(path):
    matrix, obs = read_h5ad(path)
    expected = pd.DataFrame(VALUES, ["c1", "c2"], ["lacZ", "lacI", "HLA.A"], dtype="float32")
    pd.testing.assert_frame_equal(matrix, expected)
    assert obs["dose"].tolist() == [0.5, 2]
    assert obs["strain"].fillna("-").tolist() == ["y", "-"]


@pytest.mark.slow
def test_an_observation_column_or_a_gene_is_the_label(path):
    ingest = get_application("gene_expression").ingest
    raw = ingest({"expression": path}, {"columns": {"label": "dose"}}).samples
    assert raw["label"].tolist() == [0.5, 2]
    assert raw["expression.lacZ"].tolist() == [0, 1]
    raw = ingest({"expression": path}, {"columns": {"label": "HLA.A"}}).samples
    assert raw["label"].tolist() == [0, 0.5]
    assert "expression.HLA.A" not in raw


@pytest.fixture
def group(tmp_path) -> Iterator[tuple[Any, Path]]:
    """The `obs` of a file of three observations, to be filled, and its path."""
    path = tmp_path / "b.h5ad"
    with h5py.File(path, "w") as file:
        file["X"] = np.eye(3)
        obs, var = file.create_group("obs"), file.create_group("var")
        for side in (obs, var):
            side.attrs["_index"] = "name"
            side["name"] = ["a", "b", "c"]
        obs.attrs["column-order"] = ["x"]
        yield obs, path


def column(group: tuple[Any, Path]) -> list[Any]:
    """The column x of the file."""
    obs, path = group
    obs.file.flush()
    _, table = read_h5ad(path)
    return table["x"].astype(object).where(table["x"].notna(), None).tolist()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([4, 5, 6], [4, None, 6]),
        ([True, True, False], [True, None, False]),
        ([" x", "y", "NA"], ["x", None, None]),  # as in any table
    ],
)
def test_nullable_columns_are_read(group, values, expected):
    item = group[0].create_group("x")
    item["values"], item["mask"] = values, [False, True, False]
    assert column(group) == expected


@pytest.mark.slow
def test_an_index_of_nullable_strings_is_read(group):
    obs, _ = group
    del obs["name"]
    item = obs.create_group("name")
    item["values"], item["mask"] = ["s1", "s2", "s3"], [False] * 3
    obs["x"] = [1.5, 2, np.nan]
    assert column(group) == [1.5, 2, None]
    assert read_h5ad(group[1])[0].index.tolist() == ["s1", "s2", "s3"]


def test_codes_of_anndata_0_7_are_what_they_stand_for(group):
    obs, _ = group
    obs["__categories/x"] = [24.0, 0.0]
    obs["x"] = np.array([1, 0, -1], dtype=np.int8)
    obs["x"].attrs["categories"] = obs["__categories/x"].ref
    assert column(group) == [0, 24, None]


@pytest.mark.slow
def test_categories_that_are_nullable_or_none_are_read(group):
    item = group[0].create_group("x")
    item["codes"] = np.array([-1, -1, -1], dtype=np.int8)
    item["categories"] = np.array([], dtype="S1")
    assert column(group) == [None, None, None]
    del item["categories"], item["codes"]
    item["codes"] = np.array([1, 0, -1], dtype=np.int8)
    categories = item.create_group("categories")
    categories["values"], categories["mask"] = ["u", "v"], [False, False]
    assert column(group) == ["v", "u", None]


def test_a_column_of_an_unknown_encoding_is_named(group):
    group[0].create_group("x").attrs["encoding-type"] = "awkward-array"
    refused(lambda: column(group), "/obs/x has the unknown encoding awkward-array")


def test_an_id_that_is_there_twice_is_refused(group):
    obs, _ = group
    obs["x"] = [1, 2, 3]
    obs["name"][2] = "a"
    refused(lambda: column(group), "also in row 1.*row 3, column obs")


def test_a_matrix_above_the_limit_is_refused(path, monkeypatch):
    monkeypatch.setattr("bioloom.formats.h5ad.MOST_VALUES", 5)
    refused(lambda: read_h5ad(path), "2 x 3 values are more than 5")


def test_another_or_a_damaged_file_is_refused(group):
    obs, path = group
    obs.file.flush()
    whole = path.read_bytes()
    refused(lambda: read_h5ad(write(path, "no HDF5")), "AnnData file cannot be read")
    refused(lambda: read_h5ad(write(path, whole[: len(whole) // 2])), "AnnData file cannot be read")
    refused(lambda: read_h5ad(path.with_name("none.h5ad")), "no such file")


@pytest.mark.parametrize(
    ("name", "expected"), [("SIGSEGV", "ended with SIGSEGV"), ("SIGXCPU", "10 s of CPU time")]
)
def test_a_crash_and_a_loop_inside_hdf5_are_told(tmp_path, monkeypatch, name, expected):
    path = write(tmp_path / "a.h5ad", "any")
    script = path.with_name("dies.py")
    write(script, f"import os, signal\nos.kill(os.getpid(), signal.{name})\n")
    monkeypatch.setattr("bioloom.formats._h5ad_process.__file__", str(script))
    refused(lambda: read_h5ad(path), expected)


@pytest.mark.slow
def test_a_loop_is_ended_with_its_reason(tmp_path, monkeypatch):
    path, module = write(tmp_path / "a.h5ad", "any"), Path(_h5ad_process.__file__)
    script = write(
        path.with_name("loops.py"),
        f"import sys\nsys.path.insert(0, {str(module.parent)!r})\nimport {module.stem} as process\n"
        "process.read = lambda path, most: any(iter(int, 1))\nprocess.main()\n",
    )
    monkeypatch.setattr("bioloom.formats._h5ad_process.__file__", str(script))
    monkeypatch.setattr("bioloom.formats.h5ad.H5AD_SECONDS", 1)
    refused(lambda: read_h5ad(path), "could not be read in 1 s of CPU time")


@pytest.mark.slow
def test_the_zeros_of_a_small_file_have_room(tmp_path, monkeypatch):
    """A sparse matrix takes the memory of a dense one, whatever its file's size."""
    path, shape = tmp_path / "sparse.h5ad", (7_000, 10_000)
    with h5py.File(path, "w") as file:
        group = file.create_group("X")
        group.attrs["encoding-type"] = "csr_matrix"
        group["data"], group["indices"] = [2.0], [3]
        group["indptr"] = np.repeat([0, 1], [1, shape[0]])
        for side, size in zip(("obs", "var"), shape, strict=True):
            names = file.create_group(side)
            names.attrs["_index"], names["name"] = "name", [f"{side}{i}" for i in range(size)]
    monkeypatch.setattr("bioloom.formats.h5ad.H5AD_MEMORY", 2**28)
    matrix, _ = read_h5ad(path)
    assert matrix.shape == shape
    assert matrix.iloc[0, 3] == 2
