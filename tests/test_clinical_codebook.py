"""Codes of registers: declared by column, or told and left as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.clinical.codebook import CODEBOOK, apply
from bioloom.formats.table import read_table
from bioloom.options import complete_options
from tests.toys import refused

N = 40
BOOK = {
    "age": {"missing": [999]},
    "sbp": {"missing": [-9]},
    "weight": {"missing": [999]},
    "smoker": {"missing": [9], "values": {1: "yes", 2: "no"}},
    "sex": {
        "site": "site",
        "values": {"N": {1: "male", 2: "female"}, "S": {1: "male", 0: "female"}},
    },
    "diabetes": {"asked": "complete", "asked_values": [1, 2]},
}


def applied(table: pd.DataFrame, book: dict, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """The table after a codebook as a task file has it."""
    whole = {name: complete_options(said, CODEBOOK, name) for name, said in book.items()}
    return apply(table, whole, path)


@pytest.fixture
def register(tmp_path) -> tuple[Path, pd.DataFrame]:
    """A register with codes, and what is true."""
    rng = np.random.default_rng(3)
    site, male = np.repeat(["N", "S"], N // 2), rng.random(N) < 0.5
    truth = pd.DataFrame({"age": rng.integers(40, 80, N), "sbp": rng.integers(100, 160, N)})
    truth = truth.astype(float).assign(weight=rng.integers(50, 110, N).astype(float))
    truth.loc[[3, 17], "age"] = np.nan
    truth.loc[[5, 9, 31], "sbp"] = np.nan
    truth.loc[11, "weight"] = np.nan
    truth.loc[2, "weight"] = 99  # is one
    truth["pain"] = np.r_[9, 0, rng.integers(0, 10, N - 2)].astype(float)
    truth["smoker"] = rng.choice(["yes", "no"], N)
    truth.loc[7, "smoker"] = np.nan
    truth["sex"] = np.where(male, "male", "female")
    truth["diabetes"] = rng.integers(0, 2, N).astype(float)
    truth.loc[20:23, "diabetes"] = np.nan
    written = truth.assign(
        id=[f"P{i}" for i in range(N)],
        site=site,
        age=truth["age"].fillna(999),
        sbp=truth["sbp"].fillna(-9),
        weight=truth["weight"].fillna(999),
        smoker=truth["smoker"].map({"yes": 1, "no": 2}).fillna(9),
        sex=np.where(male, 1, np.where(site == "N", 2, 0)),
        diabetes=truth["diabetes"].fillna(0),
        complete=np.where(truth["diabetes"].isna(), 0, 2),
        died=rng.integers(0, 2, N),
    )
    written.to_csv(tmp_path / "register.csv", index=False)
    return tmp_path / "register.csv", truth


def test_a_codebook_makes_of_codes_what_is_true(register):
    path, truth = register
    options = {"columns": {"id": "id", "label": "died"}, "codebook": BOOK}
    raw = get_application("disease_diagnosis").ingest({"clinical": path}, options)
    for name in truth:
        expected = truth[name].astype("str") if truth[name].dtype == object else truth[name]
        pd.testing.assert_series_equal(raw.samples[name], expected, check_dtype=False)
    assert any("diabetes: fewer than 5 rows were never asked" in note for note in raw.notes)


def test_a_code_for_missing_is_a_number_in_any_spelling(tmp_path):
    cells = ["36.5", "99.90", "99.9", " 99.9", "9.99e1", "NK", "99.91"]
    table = pd.DataFrame({"temp": cells}, index=range(2, 9), dtype="str")
    left = applied(table, {"temp": {"missing": [99.9, "NK"]}}, tmp_path)[0]["temp"]
    assert left.dropna().tolist() == ["36.5", "99.91"]
    numbers = table.assign(temp=[36.5, 99.9, 99.9, 99.9, 99.9, None, 99.91])
    left = applied(numbers, {"temp": {"missing": ["99.90"]}}, tmp_path)[0]["temp"]
    assert left.dropna().tolist() == [36.5, 99.91]


def test_without_a_codebook_codes_are_told_and_stay(register, capsys):
    path, _ = register
    table, notes = applied(read_table(path), {"sex": BOOK["sex"]}, path)
    told = "\n".join(notes)
    for code in ("age: 999", "sbp: -9", "weight: 999"):
        assert code in told
    assert "pain" not in told
    assert "weight: 99 " not in told
    assert "codebook: {age: {missing: [999]}}" in capsys.readouterr().err
    assert (pd.to_numeric(table["age"]) == 999).sum() == 2


def test_a_value_that_no_codebook_has_is_told_beside_those_that_it_has(register):
    path, _ = register
    table = read_table(path)
    table.loc[14, "sbp"] = "0"
    notes = applied(table, BOOK, path)[1]
    assert any(note.startswith("sbp: 0 in") for note in notes)


def test_a_sex_of_two_codebooks_is_refused_until_it_is_said(register):
    path, _ = register
    refused(lambda: applied(read_table(path), {}, path), "which is which", "column sex", "site")
    one = {"sex": {"values": {1: "male", 2: "female"}}}
    refused(lambda: applied(read_table(path), one, path), "says nothing, in row 2", "column sex")


def test_units_that_another_column_tells(tmp_path):
    table = pd.DataFrame(
        {"crea": ["1.1", "97", "88", ""], "unit": ["mg/dL", "\u00b5mol/L", "umol/l", ""]},
        index=[2, 3, 4, 5],
    ).replace("", None)
    book = {"crea": {"unit": "mg/dL", "unit_column": "unit", "molar_mass": 113.12}}
    made, notes = applied(table.astype("str"), book, tmp_path)
    assert list(made) == ["crea"]
    assert made["crea"].round(4).tolist()[:3] == [1.1, 1.0973, 0.9955]
    assert any("umol/l as umol/L" in note for note in notes)
    without = {"crea": {"unit": "mg/dL", "unit_column": "unit"}}
    refused(lambda: applied(table.astype("str"), without, tmp_path), "umol/l: row 4", "molar_mass")


def test_values_of_another_unit_are_told(tmp_path):
    rng = np.random.default_rng(1)
    milligrams = np.exp(rng.normal(0, 0.3, 60)).round(2)
    table = pd.DataFrame({"crea": np.where(np.arange(60) < 12, milligrams * 88.4, milligrams)})
    [note] = applied(table.astype("str"), {}, tmp_path)[1]
    assert note.startswith("crea: 12 values are")
    assert "another unit?" in note
    skewed = pd.DataFrame({"crea": np.exp(rng.normal(0, 2.5, 300))})
    assert applied(skewed.astype("str"), {}, tmp_path)[1] == []


@pytest.mark.slow
def test_real_tables_raise_no_doubt():
    data = Path(__file__).parents[1] / "data"
    for path in data.glob("*/patients.csv"):
        assert applied(read_table(path), {}, path)[1] == []
