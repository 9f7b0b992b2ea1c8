"""AnnData files, written here by h5py as anndata does: dense, by rows and by columns."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from bioloom.application import get_application
from bioloom.errors import DataError
from bioloom.formats.h5ad import read_h5ad

VALUES = np.array([[0, 2, 0], [1, 0, 0.5]])


@pytest.fixture(params=["dense", "csr_matrix", "csc_matrix"])
def path(request, tmp_path):
    h5py = pytest.importorskip("h5py")
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


def test_an_observation_column_or_a_gene_is_the_label(path):
    ingest = get_application("gene_expression").ingest
    raw = ingest({"expression": path}, {"columns": {"label": "dose"}}).samples
    assert raw["label"].tolist() == [0.5, 2]
    assert raw["expression.lacZ"].tolist() == [0, 1]
    raw = ingest({"expression": path}, {"columns": {"label": "HLA.A"}}).samples
    assert raw["label"].tolist() == [0, 0.5]
    assert "expression.HLA.A" not in raw


def test_another_file_is_refused(tmp_path):
    pytest.importorskip("h5py")
    path = tmp_path / "a.h5ad"
    path.write_text("no HDF5")
    with pytest.raises(DataError, match="no AnnData file"):
        read_h5ad(path)
