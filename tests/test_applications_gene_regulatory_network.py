"""Regulation: edges, operons, promoters and candidates read; split without straddling; refused."""

import numpy as np
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.errors import DataError
from bioloom.features.extract import extract_features
from bioloom.splits.leakage import audit
from bioloom.splits.split import split_samples
from tests.toys import refused, write

APPLICATION = get_application("gene_regulatory_network")
GENES, LENGTH = 60, 400
COLUMNS = {"gene": "locus", "name": "name", "operon": "operon"}
PLACES = {"start": "start", "end": "end", "strand": "strand"}
COMPLEMENT = str.maketrans("ACGT", "TGCA")


@pytest.fixture
def files(tmp_path):
    """60 genes in operons of three; g0, g1 and g2 regulate 15 each."""
    rng = np.random.default_rng(0)
    genes = pd.DataFrame(
        {
            "locus": [f"g{i}" for i in range(GENES)],
            "name": [f"abc{i}" for i in range(GENES)],
            "operon": [f"o{i // 3}" for i in range(GENES)],
            "start": np.arange(GENES) * LENGTH + 300,
            "end": np.arange(GENES) * LENGTH + 600,
            "strand": ["+", "-"] * (GENES // 2),
        }
    )
    paths = {name: tmp_path / f"{name}.csv" for name in ("expression", "edges", "genes")}
    genes.to_csv(paths["genes"], index=False)
    values = pd.DataFrame(rng.normal(size=(GENES, 10)), index=genes["locus"])
    values.to_csv(paths["expression"])
    edges = [(f"abc{r}", f"g{t}") for r in range(3) for t in range(3 + 15 * r, 18 + 15 * r)]
    edges += [("abc1", "nowhere"), ("abc2", "abc2"), ("abc1", "g18")]
    pd.DataFrame(edges, columns=["regulator", "target"]).to_csv(paths["edges"], index=False)
    paths["genome"] = tmp_path / "genome.fasta"
    paths["genome"].write_text(">chr\n" + "".join(rng.choice(list("ACGT"), GENES * LENGTH + 900)))
    return paths


def options(**more):
    return {"columns": COLUMNS | PLACES, **more}


def cleaned(files, **more):
    return APPLICATION.clean(APPLICATION.ingest(files, options(**more)).samples, {})


def test_known_edges_and_as_many_drawn_as_asked(files):
    result = cleaned(files)
    samples = result.samples
    positives = samples[samples["label"] == "regulates"]
    assert len(positives) == 45
    assert set(positives["source"]) == {"g0", "g1", "g2"}
    negatives = samples[samples["label"] == "no known edge"]
    assert set(negatives["target"]) <= set(positives["target"])  # regulated, but by another one
    assert not samples["sample_id"].duplicated().any()
    assert not (samples["source"] == samples["target"]).any()
    assert negatives["source"].value_counts().to_dict() == dict.fromkeys(("g0", "g1", "g2"), 30)
    assert result.counts() == {
        "a gene without expression, or no gene": 1,
        "a gene that regulates itself": 1,
    }


@pytest.mark.parametrize("hold_out", ["operons", "regulators"])
def test_what_is_held_out_is_never_in_training(files, hold_out):
    samples = cleaned(files, hold_out=hold_out).samples
    held_out = {"operons": "target", "regulators": "source"}[hold_out]
    method = {"method": "cross_validation", "by": "group", "folds": 3, "valid": 0.3}
    splits = split_samples(samples, method, seed=1)
    for _, part in splits.groupby(["repeat", "fold"]):
        rows = samples.set_index("sample_id").loc[part["sample_id"]]
        ends = rows[held_out]
        unit = ends.str[1:].astype(int) // 3 if hold_out == "operons" else ends
        apart = pd.DataFrame({"unit": unit.to_numpy(), "split": part["split"].to_numpy()})
        assert (apart.groupby("unit")["split"].nunique() == 1).all()
    nodes = APPLICATION.ingest(files, options()).nodes
    report, _ = audit(samples, splits, {"limit": 0.5}, measure="ends", nodes=nodes)
    assert report["largest"] == 0.5  # the other end is known


def test_promoters_lie_before_the_gene_on_its_own_strand(files):
    genome = files["genome"].read_text().split("\n")[1]
    nodes = APPLICATION.ingest(files, options()).nodes.set_index("node_id")
    assert nodes.loc["g2", "name"] == "abc2"
    start = 2 * LENGTH + 300
    assert nodes.loc["g2", "sequence"] == genome[start - 200 : start + 50]
    end = LENGTH + 600
    assert nodes.loc["g1", "sequence"] == genome[end - 50 : end + 200].translate(COMPLEMENT)[::-1]
    assert nodes.filter(like="expression.").shape == (GENES, 10)


def test_candidates_are_all_pairs_that_are_not_known(files):
    samples = cleaned(files, candidates=True, only=["abc0", "g1"]).samples
    assert "label" not in samples
    assert set(samples["source"]) == {"g0", "g1"}
    assert len(samples) == 2 * (GENES - 1 - 15)


def test_a_list_of_regulators_says_whose_targets_are_wanted(files, tmp_path):
    names = tmp_path / "regulators.csv"
    names.write_text("regulator\nabc5\n")
    given = {key: files[key] for key in ("expression", "genes")} | {"regulators": names}
    samples = cleaned(given, candidates=True).samples
    assert len(samples) == GENES - 1
    assert set(samples["source"]) == {"g5"}


def test_edges_of_regulators_that_are_not_in_the_list_are_dropped(files, tmp_path):
    names = tmp_path / "regulators.txt"
    names.write_text("regulator\nabc0\ng1\n")
    result = cleaned(files | {"regulators": names})
    assert set(result.samples["source"]) == {"g0", "g1"}
    assert result.counts()["a regulator that is not in the list"] == 16
    names.write_text("regulator\nfoo\n")
    with pytest.raises(DataError, match="No edge of a regulator in the list"):
        cleaned(files | {"regulators": names})


def test_an_expression_table_and_edges_are_enough(files):
    edges = pd.read_csv(files["edges"])
    edges["regulator"] = edges["regulator"].str.replace("abc", "g")
    edges.to_csv(files["edges"], index=False)
    few = {key: files[key] for key in ("expression", "edges")}
    samples = APPLICATION.clean(APPLICATION.ingest(few, {}).samples, {}).samples
    assert (samples["label"] == "regulates").sum() == 45
    assert "sequence" not in APPLICATION.ingest(few, {}).nodes


def test_a_regulator_of_several_genes_gives_an_edge_for_each(files):
    edges = pd.read_csv(files["edges"]).replace({"regulator": {"abc0": "complex"}})
    edges.to_csv(files["edges"], index=False)
    samples = cleaned(files, aliases={"complex": "abc0;abc59"}).samples
    assert {"g0", "g59"} <= set(samples["source"])


@pytest.mark.parametrize("genes", ["abc0; abc59", " abc0 ;abc59;", "g0 ; g59"])
def test_genes_of_a_regulator_may_have_spaces_between_them(files, genes):
    edges = pd.read_csv(files["edges"]).replace({"regulator": {"abc0": "complex"}})
    edges.to_csv(files["edges"], index=False)
    samples = cleaned(files, aliases={"complex": genes}).samples
    assert {"g0", "g59"} <= set(samples["source"])


def test_a_name_in_its_own_case_goes_before_another(files):
    """dtx4 and DTX4 of zebrafish are two genes."""
    genes = pd.read_csv(files["genes"])
    genes.loc[1, "name"] = genes.loc[0, "name"].upper()
    genes.to_csv(files["genes"], index=False)
    read = APPLICATION.ingest(files, options())
    assert read.samples["source"].value_counts()["g0"] == 15
    assert read.notes == []
    edges = pd.read_csv(files["edges"])
    edges["regulator"] = edges["regulator"].str.replace("abc0", "ABC0").str.replace("abc2", "Abc2")
    edges.to_csv(files["edges"], index=False)
    read = APPLICATION.ingest(files, options())
    assert "g0" not in set(read.samples["source"])
    assert read.notes == ["1 names of genes are written in another case"]
    edges["regulator"] = edges["regulator"].str.replace("ABC0", "Abc0")
    edges.to_csv(files["edges"], index=False)
    refused(lambda: APPLICATION.ingest(files, options()), "2 genes are called Abc0: g0, g1")


def test_a_name_of_two_genes_is_refused_where_it_is_used(files):
    genes = pd.read_csv(files["genes"])
    genes.loc[[50, 51], "name"] = "twin"
    genes.to_csv(files["genes"], index=False)
    APPLICATION.ingest(files, options())
    refused(
        lambda: APPLICATION.ingest(files, options(candidates=True, only=["twin"])),
        "2 genes are called twin: g50, g51",
    )


def test_edges_of_which_none_is_left_are_told(files):
    raw = APPLICATION.ingest(files, options()).samples
    refused(lambda: APPLICATION.clean(raw, {"min_targets": 1000}), "No edge is left")


@pytest.mark.parametrize("edges", ["g0,g0\ng1,g1\n", "g0,g1\n", "g9,g0\n", "g0,g9\ng9,g9\n"])
def test_too_few_edges_to_learn_from_are_told(tmp_path, edges):
    """Of which none, or none of a regulator with targets enough, has expression."""
    expression = write(tmp_path / "e.csv", "gene,a,b,c\ng0,1,2,3\ng1,3,1,2\n")
    known = write(tmp_path / "d.csv", f"regulator,target\n{edges}")

    def learn():
        read = APPLICATION.ingest({"expression": expression, "edges": known}, {})
        return APPLICATION.clean(read.samples, {})

    refused(learn, "No edge (is left|has expression)")


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        ({"genes": None}, {"columns": {}}, "No edge has expression of both genes"),
        ({"edges": None}, {"candidates": False}, "There are no edges"),
        ({"edges": None}, {"candidates": True}, "Whose targets are wanted"),
        ({}, {"hold_out": "operon"}, "operons or regulators"),
        ({}, {"candidates": True, "only": ["xyz"]}, "No regulator has expression, such as xyz"),
        ({}, {"columns": {"gene": "locus", "operon": "opern"}}, "opern"),
    ],
)
def test_mistakes_are_named(files, change, more, message):
    kept = {name: path for name, path in files.items() if name not in change}
    with pytest.raises(DataError, match=message):
        APPLICATION.ingest(kept, options(**more) if "columns" not in more else more)


def test_without_edges_all_pairs_are_candidates(files):
    kept = {name: path for name, path in files.items() if name != "edges"}
    asked = {"only": [cleaned(files).samples["source"].iloc[0]]}
    told = APPLICATION.ingest(kept, options(**asked)).samples
    said = APPLICATION.ingest(kept, options(**asked, candidates=True)).samples
    pd.testing.assert_frame_equal(told, said)


def test_genes_listed_twice_are_refused(files):
    table = pd.read_csv(files["genes"])
    pd.concat([table, table.iloc[:1]]).to_csv(files["genes"], index=False)
    with pytest.raises(DataError, match="more than once"):
        cleaned(files)


@pytest.fixture
def knockouts(files):
    """Without g0 its targets fall, without g1 nothing does; both are lacking in two conditions."""
    values = pd.read_csv(files["expression"], index_col=0)
    rng = np.random.default_rng(1)
    for name, fall in (("no_g0", 6.0), ("no_g0_again", 6.0), ("no_g1", 0.0), ("no_g1_again", 0.0)):
        values[name] = rng.normal(size=GENES)
        values.iloc[3:18, values.columns.get_loc(name)] -= fall
    values.to_csv(files["expression"])
    lacking = [("no_g0", "abc0"), ("no_g0_again", "g0"), ("no_g1", "g1"), ("no_g1_again", "g1")]
    path = files["expression"].with_name("knockouts.csv")
    pd.DataFrame(lacking, columns=["condition", "gene"]).to_csv(path, index=False)
    return files | {"knockouts": path}


def test_what_changes_without_a_gene_is_a_z_score_over_the_other_conditions(knockouts):
    nodes = APPLICATION.ingest(knockouts, options()).nodes.set_index("node_id")
    expression = nodes.filter(like="expression.")
    assert [name for name in nodes if name.startswith("knockout.")] == [
        "knockout.g0",
        "knockout.g1",
    ]
    others = expression.drop(columns=["expression.no_g0", "expression.no_g0_again"])
    changed = expression[["expression.no_g0", "expression.no_g0_again"]].mean(axis=1)
    z = (changed - others.mean(axis=1)) / others.std(axis=1)
    np.testing.assert_allclose(nodes["knockout.g0"], z, rtol=1e-4)


def test_knock_outs_tell_the_targets_of_who_was_knocked_out(knockouts):
    """Simulated: the expression is noise but for the knock-out of g0."""
    raw = APPLICATION.ingest(knockouts, options())
    samples = APPLICATION.clean(raw.samples, {}).samples
    pairs = {"embedder": "table", "columns": [], "network": {"pairs": ["knockout", "correlation"]}}
    made = extract_features(samples, APPLICATION, pairs, nodes=raw.nodes)[0].X
    score = pd.Series(made.X[:, 0], index=pd.MultiIndex.from_frame(samples[["source", "target"]]))
    assert made.network.X.shape[1] == 0  # no features of nodes
    assert score["g2"].isna().all()  # it was not knocked out
    known = samples.set_index(["source", "target"])["label"]
    assert (
        score["g0"][known["g0"] == "regulates"].min()
        > score["g0"][known["g0"] != "regulates"].max()
    )
    assert score["g1"].max() < np.log1p(4)


def test_a_condition_without_expression_is_named(knockouts):
    write(knockouts["knockouts"], "condition,gene\nno_g0,g0\nno_g9,g9\n")
    refused(
        lambda: APPLICATION.ingest(knockouts, options()),
        "no condition 'no_g9'",
        "row 3",
        "no_g0|one",
    )


def test_knock_outs_are_a_feature_and_a_baseline_by_default(knockouts):
    datasets = {"training": dict.fromkeys(knockouts, "x.csv")}
    filled = APPLICATION.defaults({"datasets": datasets})
    assert "knockout" in filled["features"]["network"]["pairs"]
    alone = filled["baselines"]["knockout"]["features"]["network"]["pairs"]
    assert alone == ["strength", "knockout"]


def test_controls_lack_no_gene_and_what_was_not_measured_has_no_change(knockouts):
    values = pd.read_csv(knockouts["expression"], index_col=0)
    values.loc["g5", ["no_g0", "no_g0_again"]] = np.nan
    values.to_csv(knockouts["expression"])
    write(knockouts["knockouts"], "condition,gene\nno_g0,g0\nno_g0_again,g0\nno_g1,\n")
    nodes = APPLICATION.ingest(knockouts, options()).nodes.set_index("node_id")
    assert [name for name in nodes if name.startswith("knockout.")] == ["knockout.g0"]
    assert nodes["knockout.g0"].isna().tolist() == (nodes.index == "g5").tolist()
    write(knockouts["knockouts"], "condition,gene\nno_g0,nosuch\n")
    refused(lambda: APPLICATION.ingest(knockouts, options()), "No gene that was knocked out has")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strand": "forward"}, "strand of g0 is 'forward', not \\+ or -.*column strand"),
        ({"chromosome": "chr1"}, "g0 is on chr1.* it has chr, plasmid"),
        ({"end": 99_999}, "g0 is from 300 to 99999.*is it another genome"),
        ({"start": -3}, "g0 is from -3 to"),
    ],
)
def test_a_place_that_the_genome_does_not_have_is_refused(files, change, message):
    files["genome"].write_text(files["genome"].read_text() + "\n>plasmid\nACGT\n")
    genes = pd.read_csv(files["genes"]).assign(chromosome="chr")
    genes.assign(**change).to_csv(files["genes"], index=False)
    columns = COLUMNS | PLACES | {"chromosome": "chromosome"}
    refused(lambda: APPLICATION.ingest(files, {"columns": columns}), message)


def test_strands_by_ensembl_are_strands(files):
    plain = APPLICATION.ingest(files, options()).nodes
    genes = pd.read_csv(files["genes"])
    genes.assign(strand=genes["strand"].map({"+": 1, "-": -1})).to_csv(files["genes"], index=False)
    pd.testing.assert_frame_equal(APPLICATION.ingest(files, options()).nodes, plain)


def test_a_regulator_alone_leaves_nothing_to_tell_it_from(files):
    edges = pd.read_csv(files["edges"]).query("regulator == 'abc0'")
    edges.to_csv(files["edges"], index=False)
    refused(lambda: cleaned(files), "No pair without an edge can be drawn for 1 regulator")
