"""What is particular to an application, on small and broken files.

What every application must do is in tests/test_examples.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bioloom.application import application_names, get_application
from bioloom.clinical.index_day import refuse_later_days
from bioloom.pipeline.check import task_mistakes
from bioloom.samples import (
    PATIENT,
    Cleaned,
    Raw,
    feature_columns,
    label_columns,
    persons,
    write_samples,
    write_table,
)
from bioloom.samples.quality import quality
from tests.tiny_project import ROOT
from tests.toys import refused, write

DATA = ROOT / "data"


def ingest(name: str, options: dict[str, Any], **files: Path) -> pd.DataFrame:
    return get_application(name).ingest(files, options).samples


def notes(name: str, options: dict[str, Any], **files: Path) -> list[str]:
    return get_application(name).ingest(files, options).notes


def prepare(name: str, options: dict, clean: dict, folder: Path, **files: Path) -> Cleaned:
    """Ingest and clean as the workflow does: with a file between them."""
    write_table(ingest(name, options, **files), folder / "raw.parquet")
    cleaned = get_application(name).clean(pd.read_parquet(folder / "raw.parquet"), clean)
    write_samples(cleaned.samples, folder / "samples.parquet")
    return cleaned


FEATURES = """\
line,TISSUE,MSI_FACTOR,TP53_mut,"loss, 10q (PTEN)"
101,lung,0,1,0
102,skin,1,0,1
103,lung,0,1,1
104,bone,,0,0
"""
RESPONSE = """\
line,Drug_1_IC50,Drug_2_IC50
101,-3.5,1
102,,2
103,2.25,3
999,0,0
"""
CLINICAL = """\
patient_id,Name,age,sex,PB.Blasts,group,diagnosis
a,Doe,39.5,F,76,x,yes
b,Roe,34,M,,y,no
c,Poe,NA,M,88,x,yes
d,Coe,70,F,5,y,no
"""
EXPRESSION = "gene\ta\tb\td\tz\nFLT3\t1.5\t-2\t0.25\t9\nHLA.A\t\t1\t2\t9\n"


def test_every_application_has_its_options_checked_with_the_config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in application_names():
        sources = get_application(name).sources
        for source in sources:
            write(tmp_path / source, "x")
        task = {
            "application": name,
            "datasets": {"training": {source: source for source in sources} | {"colums": 1}},
            "clean": {"no_such_option": 1},
            "split": {"method": "holdout"},
            "features": {"embedder": "table"},
            "model": {"name": "naive"},
        }
        message = "\n".join(task_mistakes("a", task))
        assert "'colums'" in message
        assert "'no_such_option' under `clean`" in message


# protein_function ----------------------------------------------------------------------------


def test_peptides_of_a_table_without_header(tmp_path):
    path = write(tmp_path / "p.csv", "4,1,UniProt,AMP\nglwskikEVG, 1\nGLWSK IKEVG*,1\nMKV,0\n")
    options = {
        "read": {"sequences": {"header": False, "skip": 1}},
        "columns": {"sequence": 1, "label": 2},
        "classes": {1: "antimicrobial", 0: "other"},
    }
    raw = ingest("protein_function", options, sequences=path)
    assert raw.to_dict("list") == {
        "sample_id": ["row_2", "row_3", "row_4"],
        "sequence": ["GLWSKIKEVG", "GLWSKIKEVG", "MKV"],
        "group": ["row_2", "row_3", "row_4"],
        "label": ["antimicrobial", "antimicrobial", "other"],
    }


def test_cleaning_proteins_counts_each_reason_once():
    rows = [
        ("MKVLA", "a"),
        ("MKVLA", "a"),  # duplicate
        ("MKVLC", "a"),
        ("MKVLC", "b"),  # both rows contradict each other
        ("MKVLD", "b"),
        ("MKVLE", "b"),
        ("MKVLF", "c"),  # rare
        ("MK", "a"),  # short
        ("MKVLG" * 9, "a"),  # long
        ("MXXXX", "a"),  # unknown residues
        (None, "a"),
        ("MKVLH", None),
        ("MKVLI", "a"),
    ]
    raw = pd.DataFrame(rows, columns=["sequence", "label"])
    raw["sample_id"] = raw["group"] = [f"s{i}" for i in range(len(raw))]
    options = {"min_length": 3, "max_length": 40, "min_class_size": 2}
    cleaned = get_application("protein_function").clean(raw, options)
    assert cleaned.counts() == {
        "no sequence": 1,
        "shorter than min_length": 1,
        "longer than max_length": 1,
        "more unknown residues than max_unknown": 1,
        "no label": 1,
        "sequence with contradicting labels": 2,
        "duplicate sequence": 1,
        "class smaller than min_class_size": 1,
    }
    assert cleaned.samples["sequence"].tolist() == ["MKVLA", "MKVLD", "MKVLE", "MKVLI"]
    new = get_application("protein_function").clean(raw.drop(columns="label"), options)
    assert new.samples["sequence"].tolist().count("MKVLA") == 2
    # What cannot be learnt from is predicted all the same; none, or too long a one, cannot be.
    assert {"MK", "MXXXX"} <= set(new.samples["sequence"])
    assert len(new.dropped) == 2


def test_one_class_is_refused():
    raw = pd.DataFrame({"sample_id": ["a", "b"], "sequence": ["MKV", "MKL"], "label": "x"})
    raw["group"] = raw["sample_id"]
    clean = get_application("protein_function").clean
    refused(lambda: clean(raw, {}), "all 2 samples are 'x'")
    refused(lambda: clean(raw, {"min_class_size": 3}), "got no sample")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (">a\nMKV\n>b\nMK-V\n", r"'-' at position 3 is no amino acid.*row 3"),
        (">a\nMK1\n", r"'1' at position 3.*row 1"),
        (">a\nMK*VL\n", r"'\*' at position 3"),
        (f">a\n{'ACGT' * 30}\n", "DNA or RNA.*translate"),
    ],
)
def test_a_bad_residue_names_its_place(tmp_path, content, expected):
    path = write(tmp_path / "p.fasta", content)
    refused(lambda: ingest("protein_function", {}, sequences=path), expected)


def test_a_protein_longer_than_any_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("bioloom.formats.residues.MOST_RESIDUES", 5)
    path = write(tmp_path / "p.faa", ">a\nMKVLA\n>b\nMKVLAG\n")
    refused(
        lambda: ingest("protein_function", {}, sequences=path), "6 residues; 5 are the most.*row 3"
    )


def test_a_virus_is_read_by_its_protein_ids(tmp_path):
    feature = "     CDS             1..9\n"
    for name in ("A1.1", "A2.1"):
        feature += f'                     /protein_id="{name}"\n'
        feature += '                     /translation="MKV"\n     CDS             1..9\n'
    path = write(tmp_path / "v.gb", feature)
    refused(lambda: ingest("protein_function", {}, sequences=path), "`locus: protein_id`")
    raw = ingest("protein_function", {"locus": "protein_id"}, sequences=path)
    assert raw["sample_id"].tolist() == ["A1.1", "A2.1"]


def test_a_fasta_takes_its_labels_from_a_table(tmp_path):
    fasta = write(tmp_path / "p.faa", ">a x\nMKVLA\n>b\nMKVLC\n>c\nMKVLD\n>e\nMKVLE\n")
    table = write(tmp_path / "t.tsv", "\tCOG\tfold\nd\tT\t1\nc\tT\t2\na\tK\t1\nb\tnone\t2\n")
    options = {"columns": {"id": 1, "label": "COG", "group": "fold"}, "unlabelled": ["none"]}
    raw = ingest("protein_function", options, sequences=fasta, table=table)
    assert raw["sample_id"].tolist() == ["a", "b", "c"]
    assert raw["label"].fillna("-").tolist() == ["K", "-", "T"]
    assert raw["group"].tolist() == ["1", "2", "2"]
    assert notes("protein_function", options, sequences=fasta, table=table) == [
        "1 items have no row in the table and are left out, such as e",
        "1 rows without an item are in the table and are left out, such as d",
    ]
    new = {"columns": {"id": 1}, "keep": {"COG": ["none"]}}
    unlabelled = ingest("protein_function", new, sequences=fasta, table=table)
    assert unlabelled["sample_id"].tolist() == ["b"]
    assert "label" not in unlabelled
    other = write(tmp_path / "o.tsv", "\tCOG\tfold\nx\tT\t1\n")
    refused(
        lambda: ingest("protein_function", options, sequences=fasta, table=other),
        "none of the ids.*one has a, this one x",
    )
    refused(
        lambda: ingest("protein_function", options, sequences=fasta), "there is no table.*p.faa"
    )


def test_shipped_peptides_are_whole(tmp_path):
    path = DATA / "new_peptides/peptides.fasta"
    cleaned = prepare("protein_function", {}, {}, tmp_path, sequences=path)
    assert len(cleaned.samples) == 200
    assert cleaned.samples["sequence"].is_unique


def test_a_sequence_without_group_joins_no_group_of_the_user(tmp_path):
    table = write(tmp_path / "p.csv", "id,sequence,y,g\na,MKVLA,x,\nb,MKVLC,y,2\nc,MKVLD,y,\n")
    options = {"columns": {"id": "id", "sequence": "sequence", "label": "y", "group": "g"}}
    groups = ingest("protein_function", options, sequences=table)["group"]
    assert groups[1] == "2"
    assert groups.is_unique


TABLES = ("csv", "parquet", "xlsx")

# drug_response -------------------------------------------------------------------------------


def test_cell_lines_are_found_by_their_number_and_keep_its_spelling(tmp_path):
    features = write(tmp_path / "f.csv", "line,TP53\n101.0,1\n102.0,0\n")
    response = write(tmp_path / "r.csv", "line,A\n102,2.5\n101,1.5\n")
    files = {"features": features, "response": response}
    raw = ingest("drug_response", {"columns": {"id": "line"}}, **files)
    assert raw["sample_id"].tolist() == ["101.0", "102.0"]
    assert raw["label.A"].tolist() == [1.5, 2.5]
    write(response, "line,A\nACH-1,2.5\n")
    hint = "one has 101.0, this one ACH-1"
    refused(lambda: ingest("drug_response", {"columns": {"id": "line"}}, **files), hint)


@pytest.mark.parametrize(
    ("one", "other"),
    [("683600", "683600.0"), ("683600.0", "683600"), ("12.00", "12"), ("007", "007.0")],
)
def test_a_number_with_a_point_and_one_without_are_one_cell_line(tmp_path, one, other):
    features = write(tmp_path / "f.csv", f"line,TP53\n{one},1\n5,0\n")
    response = write(tmp_path / "r.csv", f"line,A\n5.0,2.5\n{other},1.5\n")
    files = {"features": features, "response": response}
    raw = ingest("drug_response", {"columns": {"id": "line"}}, **files)
    assert raw["sample_id"].tolist() == [one, "5"]
    assert raw["label.A"].tolist() == [1.5, 2.5]


def test_a_cell_line_of_measurements_in_two_spellings_is_refused(tmp_path):
    features = write(tmp_path / "f.csv", "line,TP53\n683600,1\n5,0\n")
    response = write(tmp_path / "r.csv", "line,drug,y\n683600,A,1\n683600.0,B,2\n5,A,3\n")
    options = {"columns": {"id": "line", "drug": "drug", "response": "y"}}
    files = {"features": features, "response": response}
    refused(lambda: ingest("drug_response", options, **files), "two spellings.*row 3, column line")


LINES = {"id": "line", "tissue": "TISSUE", "msi": "MSI_FACTOR"}


def test_cell_lines_that_are_left_out_are_told(tmp_path):
    files = {
        "features": write(tmp_path / "f.csv", FEATURES),
        "response": write(tmp_path / "r.csv", RESPONSE),
    }
    options = {"columns": LINES, "response_suffix": "_IC50", "exclude": {"line": [102]}}
    cleaned = prepare("drug_response", options, {"min_cell_lines": 2}, tmp_path, **files)
    assert cleaned.samples["sample_id"].tolist() == ["101", "103"]
    assert cleaned.counts() == {"no measured response": 1}
    assert notes("drug_response", options, **files) == [
        "`exclude: line` left 3 of 4 rows",
        "2 cell lines of the response table have no selected features row",
    ]


def test_drugs_measured_in_few_cell_lines_are_left_out(tmp_path):
    files = {
        "features": write(tmp_path / "f.csv", FEATURES),
        "response": write(tmp_path / "r.csv", RESPONSE),
    }
    raw = ingest("drug_response", {"columns": LINES}, **files)
    clean = get_application("drug_response").clean
    cleaned = clean(raw, {"min_cell_lines": 3})
    assert label_columns(cleaned.samples) == ["label.Drug_2_IC50"]
    assert cleaned.notes[-1] == "1 of 2 drugs are left out"
    refused(lambda: clean(raw, {"min_cell_lines": 4}), "No drug was measured in 4 cell lines")
    refused(lambda: clean(raw, {"drugs": ["Drug_3"]}), "not measured: Drug_3.*like Drug_1_IC50")


def test_the_long_form_gives_the_same_and_averages_replicates(tmp_path):
    features = write(tmp_path / "f.csv", FEATURES)
    long = "line,drug,y\n101,A,1\n101,A,3\n102,B,5\n103,A,\n103,B,7\n"
    columns = LINES | {"drug": "drug", "response": "y"}
    response = write(tmp_path / "r.csv", long)
    raw = ingest("drug_response", {"columns": columns}, features=features, response=response)
    np.testing.assert_array_equal(raw["label.A"], [2, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(raw["label.B"], [np.nan, 5, 7, np.nan])
    broken = write(tmp_path / "b.csv", "line,drug,y\n101,A,1\n102,,2\n")
    refused(
        lambda: ingest("drug_response", {"columns": columns}, features=features, response=broken),
        "without cell line or drug.*row 3",
    )


def test_responses_of_other_cell_lines_are_refused(tmp_path):
    features = write(tmp_path / "f.csv", FEATURES)
    other = write(tmp_path / "r.csv", "line,Drug\nx,1\ny,2\n")
    refused(
        lambda: ingest("drug_response", {"columns": LINES}, features=features, response=other),
        "No cell line of the response table",
    )
    text = write(tmp_path / "t.csv", "line,Drug\n101,sensitive\n102,2\n")
    refused(
        lambda: ingest("drug_response", {"columns": LINES}, features=features, response=text),
        "Expected a number.*row 2, column Drug",
    )


# disease_diagnosis ---------------------------------------------------------------------------


def test_the_numbers_of_the_rows_are_no_feature(tmp_path):
    """The first column as pandas writes it by default, in CSV and Parquet."""
    table = pd.DataFrame({"id": list("abc"), "age": [30, 50, 40], "ill": ["yes", "no", "no"]})
    table.to_csv(tmp_path / "t.csv")
    table.set_axis([2, 5, 6], axis=0).to_parquet(tmp_path / "t.parquet")  # as a filter leaves it
    options = {"columns": {"id": "id", "label": "ill"}}
    for name in ("t.csv", "t.parquet"):
        raw = get_application("disease_diagnosis").ingest({"clinical": tmp_path / name}, options)
        assert feature_columns(raw.samples) == ["age"]
        assert raw.notes == ["Columns that number the rows are not read: 1"]


@pytest.mark.parametrize(
    ("ending", "names", "cells", "place"),
    [
        ("csv", "JaneDoe,JaneDoe", "1,2", "there twice: 2, 3"),
        *((ending, "JaneDoe,JohnDoe", "1,x", "a number.*row [12], column 3") for ending in TABLES),
        *((ending, "Jane\x01Doe,JohnDoe", "1,2", "name of a.*column 2") for ending in TABLES[:2]),
        *((ending, "JaneDoe,JohnDoe", "1\x01,2", "no text.*column 2") for ending in TABLES[:2]),
    ],
)
def test_the_names_of_columns_of_a_matrix_may_be_of_persons(tmp_path, ending, names, cells, place):
    path = tmp_path / f"e.{ending}"
    if ending == "csv":
        write(path, f"gene,{names}\nKIT,{cells}\n")
    else:
        table = pd.DataFrame([["KIT", *cells.split(",")]], columns=["gene", *names.split(",")])
        table.to_parquet(path) if ending == "parquet" else table.to_excel(path, index=False)
    clinical = write(tmp_path / "c.csv", "id,age,ill\nJaneDoe,50,yes\nJohnDoe,60,no\n")
    files = {"clinical": clinical, "expression": path}
    options = {"columns": {"id": "id", "label": "ill"}}
    assert "Doe" not in refused(lambda: ingest("disease_diagnosis", options, **files), place)


def test_expression_in_parquet_has_the_genes_that_were_its_index(tmp_path):
    clinical = write(tmp_path / "c.csv", "id,age,ill\na,30,yes\nb,50,no\n")
    matrix = pd.DataFrame({"a": [1.5, 2], "b": [3, 4.5]}, index=["TP53", "KIT"])
    matrix.to_parquet(tmp_path / "e.parquet")
    matrix.to_csv(tmp_path / "e.csv")
    options = {"columns": {"id": "id", "label": "ill"}}
    for name in ("e.csv", "e.parquet"):
        files = {"clinical": clinical, "expression": tmp_path / name}
        raw = ingest("disease_diagnosis", options, **files)
        assert raw["expression.TP53"].tolist() == [1.5, 3]
        assert raw["expression.KIT"].tolist() == [2, 4.5]


def test_genes_whose_names_become_one_are_refused(tmp_path):
    clinical = write(tmp_path / "c.csv", "id,age\na,30\nb,50\n")
    expression = write(tmp_path / "e.csv", "gene,a,b\nX=1,1,2\nX_1,3,4\n")
    files = {"clinical": clinical, "expression": expression}
    refused(lambda: ingest("disease_diagnosis", {"columns": {"id": "id"}}, **files), "become 'X_1'")


def test_what_of_patients_is_left_out_is_told_without_small_counts(tmp_path):
    files = {
        "clinical": write(tmp_path / "c.csv", CLINICAL),
        "expression": write(tmp_path / "e.tsv", EXPRESSION),
    }
    options = {"columns": {"id": "patient_id", "label": "diagnosis"}, "privacy": {"Name": "drop"}}
    assert notes("disease_diagnosis", options, **files) == [
        "Privacy: drop of Name (names), fewer than 5 cells",
        "fewer than 5 rows have no expression",
        "fewer than 5 samples of the expression matrix are not used",
    ]


def test_a_turned_matrix_is_told(tmp_path):
    clinical = write(tmp_path / "c.csv", CLINICAL)
    turned = write(tmp_path / "e.csv", "id,FLT3\na,1\nb,2\n")
    options = {"columns": {"id": "patient_id"}, "identifiers": ["Name"]}
    refused(
        lambda: ingest("disease_diagnosis", options, clinical=clinical, expression=turned),
        r"in its rows: `read: \{expression: \{samples: rows\}\}`",
    )
    right = options | {"read": {"expression": {"samples": "rows"}}}
    raw = ingest("disease_diagnosis", right, clinical=clinical, expression=turned)
    assert raw["expression.FLT3"].count() == 2


def test_persons_are_not_identified_by_columns(tmp_path):
    path = write(tmp_path / "c.csv", CLINICAL.replace("sex", "hospital_room"))
    columns = {"columns": {"id": "patient_id"}}
    message = refused(
        lambda: ingest("disease_diagnosis", columns, clinical=path),
        "1 column may identify.*c.csv",
        "\n  Name: names, fewer than 5 rows",
        "\n      Name: drop\n.*`not_identifiers: .Name.`",
    )
    assert "Doe" not in message
    options = columns | {"identifiers": ["hospital_room"], "not_identifiers": ["Name"]}
    raw = ingest("disease_diagnosis", options, clinical=path)
    assert feature_columns(raw) == ["Name", "age", "PB_Blasts", "group_", "diagnosis"]
    assert notes("disease_diagnosis", options, clinical=path) == [
        "Privacy: drop of hospital_room (as the task says), fewer than 5 cells",
        "Privacy: Name is kept, which looks like names, fewer than 5 rows",
    ]


@pytest.mark.parametrize("roles", [{"id": "stay"}, {"id": "row", "patient": "stay"}])
def test_a_patient_in_two_spellings_is_no_two_patients(tmp_path, roles):
    """They would be on both sides of a split."""
    path = write(tmp_path / "stays.csv", "stay,age,ill\nTest-7,50,1\nTEST-8,60,0\nTEST-7 ,51,1\n")
    options = {"columns": {**roles, "label": "ill"}}
    said = "two spellings; the other is in row 2.*row 4, column stay"
    refused(lambda: ingest("disease_diagnosis", options, clinical=path), said)


STAYS = """stay,age,admitted,died_on,operated,seen,ill
a,50,2021-02-01,2021-02-09,2021-02-03,2020-12-24,1
b,60,2021-03-05,,2021-03-05,2021-01-02,0
c,70,2021-04-07,2021-05-01,2021-04-01,,1
"""


@pytest.mark.slow
def test_what_happened_after_the_index_is_no_feature(tmp_path):
    path = write(tmp_path / "stays.csv", STAYS)
    columns = {"id": "stay", "label": "ill", "index": "admitted"}
    year = {"privacy": dict.fromkeys(["died_on", "operated", "seen"], "year")}

    def read(**said) -> pd.DataFrame:
        return ingest("disease_diagnosis", {"columns": columns} | year | said, clinical=path)

    message = refused(read, "after admitted is no feature: died_on in .*, operated in fewer than 5")
    assert "seen" not in message
    assert "privacy: {died_on: drop, operated: drop}" in message
    raw = read(drop=["died_on", "operated"])
    assert "admitted" not in raw
    dropped = dict.fromkeys(["died_on", "operated"], "drop")
    said = {"seen": "year", "admitted": "year"} | dropped
    assert read(privacy=said)["seen"].tolist()[:2] == [2020, 2021]
    forms = "{d}.{m}.{y} 20{y}{m}{d} {d}-MAR-{y} {d}MAR20{y} {d}/Mar/{y}:19:25 20{y}-{d}9"
    for form in f"{forms} 20{{y}}-W{{d}} MAR-{{y}}".split():  # in any form that the gate reads
        later = [form.format(d=d, m="03", y="21") for d in ("09", "05", "08")]
        rows = zip(STAYS.splitlines()[1:], later, strict=True)
        again = [f"{row},{day}" for row, day in rows]
        write(path, "\n".join([STAYS.splitlines()[0] + ",control_date", *again]) + "\n")
        refused(lambda: read(privacy=said | {"control_date": "year"}), "no feature: control_date")
    write(path, STAYS.replace("2021-03-05,,", ",,"))
    refused(read, "No index in rows 3")
    write(path, STAYS.replace("2021-03-05,,", "2021-02-30,,"))
    refused(read, "A date is needed.*row 3, column admitted")


@pytest.mark.parametrize(
    "cells",
    [
        ["2010-05", "2010-06", "2011-05-02", "2012-05-03", "2011-05-02", None],
        ["2008-05", "2008-06", "2008-07", "2012-05-03", "2012-05-03", None],
        ["2010-06", *["2008-05-02"] * 5],
    ],
)
def test_days_and_months_of_one_column_are_compared_with_the_index(cells):
    table = pd.DataFrame({"begun": ["2009-03-01"] * 6, "relapse": cells}, dtype="str")
    refused(lambda: refuse_later_days(table, "begun", [], Path("a.csv")), "no feature: relapse")
    table["relapse"] = ["Set 10", "Set 20", "May 20"] * 2  # exercises, by their name
    refuse_later_days(table, "begun", [], Path("a.csv"))


def test_visits_of_a_patient_stay_in_one_group(tmp_path):
    content = "visit,patient,age,y\n1,a,40,yes\n2,a,41,no\n3,b,50,no\n"
    path = write(tmp_path / "c.csv", content)
    options = {"columns": {"id": "visit", "patient": "patient", "label": "y"}}
    raw = ingest("disease_diagnosis", options, clinical=path)
    assert raw["group"].tolist() == ["a", "a", "b"]
    assert feature_columns(raw) == ["age"]
    message = refused(
        lambda: ingest("disease_diagnosis", {"columns": {"id": "patient"}}, clinical=path),
        "more than once.*row 3, column patient",
    )
    assert "'a'" not in message


@pytest.mark.parametrize(
    ("application", "roles", "more"),
    [
        ("disease_diagnosis", {"label": "drug"}, {}),
        ("precision_medicine", {"label": "drug"}, {}),
        ("disease_risk", {"label": "drug"}, {}),
        (
            "treatment_recommendation",
            {"outcome": "y", "arm": "drug"},
            {"good": "high", "assignment": "randomised"},
        ),
    ],
)
def test_patients_of_a_family_stay_in_one_group(tmp_path, application, roles, more):
    content = "visit,patient,family,age,drug,y\n1,a,f,40,A,2.5\n2,a,f,41,A,3.5\n3,b,f,50,B,1.5\n"
    path = write(tmp_path / "c.csv", content + "4,c,g,60,B,2\n")
    options = {"columns": {"id": "visit", "patient": "patient", "group": "family"} | roles} | more
    raw = ingest(application, options, clinical=path)
    assert raw["group"].tolist() == ["f", "f", "f", "g"]
    assert persons(raw).tolist() == ["a", "a", "b", "c"]
    assert not {"family", "patient", PATIENT} & set(feature_columns(raw))
    apart = write(tmp_path / "d.csv", content + "4,a,g,60,B,2\n")
    refused(
        lambda: ingest(application, options, clinical=apart), "1 patients are in several groups"
    )
    lacking = write(tmp_path / "e.csv", content + "4,c,,60,B,2\n")
    refused(lambda: ingest(application, options, clinical=lacking), "row without a group.*row 5")


def test_categories_of_many_patients_of_few_centres_are_kept(tmp_path):
    rows = [f"p{i},c{i % 4},{'mf'[i % 2]},{'yn'[i % 3 == 0]}" for i in range(120)]
    clinical = write(tmp_path / "c.csv", "id,centre,sex,y\n" + "\n".join(rows) + "\n")
    options = {"columns": {"id": "id", "group": "centre", "label": "y"}}
    raw = ingest("disease_diagnosis", options, clinical=clinical)
    cleaned = get_application("disease_diagnosis").clean(raw, {})
    assert set(cleaned.samples["sex"]) == {"m", "f"}
    told = quality(Raw(raw), cleaned, private=True)
    assert told["groups"] == 4
    assert "few" not in str(told["notes"])


def test_a_group_that_names_persons_is_asked_about(tmp_path):
    content = "id,surname,age,y\n" + "".join(
        f"{i},{name},{40 + i},{'yes' if i % 2 else 'no'}\n"
        for i, name in enumerate(["Smith", "Jones", "Taylor", "Brown", "Smith", "Jones"] * 4)
    )
    clinical = write(tmp_path / "c.csv", content)
    options = {"columns": {"id": "id", "group": "surname", "label": "y"}}
    refused(lambda: ingest("disease_diagnosis", options, clinical=clinical), "surname")


def test_new_patients_need_no_group(tmp_path):
    new = write(tmp_path / "n.csv", "id,age\na,40\nb,50\n")
    options = {"columns": {"id": "id", "group": "family"}}
    raw = ingest("disease_diagnosis", options, clinical=new)
    assert raw["group"].tolist() == ["a", "b"]


def test_expression_is_joined_by_patient_where_patients_are_grouped(tmp_path):
    clinical = write(tmp_path / "c.csv", "id,family,y\na,f,yes\nb,f,no\nc,g,no\n")
    expression = write(tmp_path / "e.tsv", "gene\ta\tb\tc\nFLT3\t1.5\t-2\t3\n")
    options = {"columns": {"id": "id", "group": "family", "label": "y"}}
    raw = ingest("disease_diagnosis", options, clinical=clinical, expression=expression)
    assert raw["group"].tolist() == ["f", "f", "g"]
    assert raw["expression.FLT3"].tolist() == [1.5, -2, 3]


def test_rows_without_label_and_values_out_of_range(tmp_path):
    content = "id,age,note,y\n1,40,a,yes\n2,400,b,no\n3,50,c,\n4,-1,d,no\n"
    raw = ingest(
        "disease_diagnosis",
        {"columns": {"id": "id", "label": "y"}},
        clinical=write(tmp_path / "c.csv", content),
    )
    clean = get_application("disease_diagnosis").clean
    cleaned = clean(raw, {"ranges": {"age": [0, 120]}, "drop": ["note"]})
    assert cleaned.counts()["no label"] == 1
    np.testing.assert_array_equal(cleaned.samples["age"], [40, np.nan, np.nan])
    assert "fewer than 5 values of age outside 0 to 120 are missing" in cleaned.notes
    refused(
        lambda: clean(raw, {"max_categories": 2}), "3 different texts.*column note.*drop: .note"
    )
    refused(lambda: clean(raw, {"ranges": {"note": [0, 1]}}), "needs a column of numbers")


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ([0, None], [None, 50, 130]),
        ([None, 120], [-1, 50, None]),
        ([None, None], [-1, 50, 130]),
        ([50, 50], [None, 50, None]),
    ],
)
def test_null_in_a_range_is_no_limit(limits, kept):
    raw = pd.DataFrame({"sample_id": list("abc"), "group": list("abc"), "age": [-1.0, 50, 130]})
    cleaned = get_application("disease_diagnosis").clean(raw, {"ranges": {"age": limits}})
    np.testing.assert_array_equal(cleaned.samples["age"], np.array(kept, float))


@pytest.mark.parametrize("limits", [[120, 0], 120, [0], ["0", "120"], [0, 60, 120], None])
def test_a_range_that_is_no_two_limits_is_refused(limits):
    raw = pd.DataFrame({"sample_id": list("abc"), "group": list("abc"), "age": [-1.0, 50, 130]})
    clean = get_application("disease_diagnosis").clean
    refused(lambda: clean(raw, {"ranges": {"age": limits}}), "for age", "lowest, highest")


@pytest.mark.parametrize("name", ["drug_response", "disease_diagnosis"])
def test_only_features_can_be_dropped_and_new_data_may_lack_them(name):
    ids = [f"s{i}" for i in range(4)]
    raw = pd.DataFrame({"sample_id": ids, "group": ids, "age": [1.0, 2, 3, 4], "leak": "a"})
    label = "label" if name == "disease_diagnosis" else "label.drug"
    trained = raw.assign(**{label: ["x", "y"] * 2 if label == "label" else 1.0})
    least = {"min_cell_lines": 1} if name == "drug_response" else {}

    def features(table, *names):
        options = {"drop": list(names)} | least
        return feature_columns(get_application(name).clean(table, options).samples)

    assert features(trained, "leak") == ["age"]
    refused(lambda: features(trained, "leek"), "'leek' under `clean: drop`.*did you mean 'leak'")
    for taken in ("sample_id", "group", label):
        refused(lambda taken=taken: features(trained, taken), f"Unknown feature '{taken}'")
    assert features(raw, "other", "leak") == ["age"]


def test_a_column_that_is_dropped_may_hold_anything(tmp_path):
    """Row numbers too: what `clean: drop` names must be there."""
    rows = "".join(f"{i},s{i},{i * i},{'n.d.' if i == 3 else i}\n" for i in range(8))
    path = write(tmp_path / "t.csv", f",id,age,x.y\n{rows}")
    columns = {"columns": {"id": "id"}}
    for name, source in (("disease_diagnosis", "clinical"), ("drug_response", "features")):
        refused(lambda n=name, s=source: ingest(n, columns, **{s: path}), "row 5, column x.y")
        raw = ingest(name, columns | {"drop": ["x_y", "1"]}, **{source: path})
        assert feature_columns(raw) == ["1", "age", "x_y"]
        assert raw["x_y"].tolist()[2:5] == ["2", "n.d.", "4"]


def test_an_error_shows_no_value_of_another_person(tmp_path):
    path = write(tmp_path / "c.csv", CLINICAL.replace("a,Doe", "patient-1,Doe"))
    options = {"columns": {"id": "patient_id", "label": "diagnosis"}}
    for column, value in {"patient_id": "patient-2", "sex": "f"}.items():
        wrong = options | {"exclude": {column: [value]}}
        message = refused(lambda wrong=wrong: ingest("disease_diagnosis", wrong, clinical=path))
        assert "did you mean" not in message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clinical", "expression", "labels", "rows"),
    [
        ("breast_cytology/patients.csv", None, {"benign": 342, "malignant": 197}, 539),
        ("breast_cytology/new_patients.csv", None, None, 30),
        ("aml_cytogenetics/clinical.csv", "expression.tsv.gz", {"no": 71, "yes": 33}, 104),
        ("aml_cytogenetics/new_clinical.csv", "new_expression.tsv.gz", None, 12),
    ],
)
def test_shipped_patients_are_whole(clinical, expression, labels, rows):
    path = DATA / clinical
    files = {"clinical": path}
    if expression:
        files["expression"] = path.parent / expression
    column = {"breast_cytology": "diagnosis", "aml_cytogenetics": "favourable_cytogenetics"}
    names = {"id": "patient_id"} | ({"label": column[path.parent.name]} if labels else {})
    raw = ingest("disease_diagnosis", {"columns": names}, **files)
    assert len(raw) == rows
    said = notes("disease_diagnosis", {"columns": names}, **files)
    assert not any("Privacy" in note for note in said)
    if labels:
        assert raw["label"].value_counts().to_dict() == labels
    if expression:
        block = raw.filter(like="expression.")
        assert block.shape[1] == 6283
        assert block.isna().all(axis=1).sum() == (0 if labels else 2)


def test_the_initiator_methionine_can_be_removed(tmp_path):
    table = write(tmp_path / "p.csv", "id,sequence,kind\na,MKVLA,x\nb,KVLAA,y\nc,KVLA,x\n")
    cleaned = prepare(
        "protein_function",
        {"columns": {"id": "id", "sequence": "sequence", "label": "kind"}},
        {"remove_initiator": True},
        tmp_path,
        sequences=table,
    )
    assert cleaned.samples["sequence"].tolist() == ["KVLA", "KVLAA"]
    assert cleaned.counts()["duplicate sequence"] == 1
    assert "The first methionine of 1 sequences was removed" in cleaned.notes


def test_labels_and_groups_stand_in_the_headers_of_fasta(tmp_path):
    fasta = write(
        tmp_path / "p.faa",
        ">P1 lac repressor label=binds DNA OS=Escherichia coli\nMKPVTLYDVA\n"
        ">P2 [label=none] [OS=Bacillus subtilis]\nMKQINVAAAL\n"
        ">P3 label=none\nMSTAVQWERT\n",
    )
    options = {"columns": {"label": "label", "group": "OS"}}
    samples = ingest("protein_function", options, sequences=fasta)
    assert list(samples["label"]) == ["binds DNA", "none", "none"]
    assert list(samples["group"][:2]) == ["Escherichia coli", "Bacillus subtilis"]
    assert samples["group"].nunique() == 3
    wrong = {"columns": {"label": "class"}}
    refused(lambda: ingest("protein_function", wrong, sequences=fasta), "class")


def test_cell_lines_of_one_patient_are_a_group(tmp_path):
    features = write(tmp_path / "f.csv", "line,donor,KRAS\na,x,1\nb,x,0\nc,,1\n")
    response = write(tmp_path / "r.csv", "line,erlotinib\na,1.5\nb,2.5\nc,0.5\n")
    options = {"columns": {"id": "line", "group": "donor"}}
    samples = ingest("drug_response", options, features=features, response=response)
    assert samples["group"].nunique() == 2
    assert samples["group"][0] == samples["group"][1] == "x"
    assert feature_columns(samples) == ["KRAS"]
