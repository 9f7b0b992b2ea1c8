"""Expression from sequences, genome windows and matrices: read, cleaned, and from end to end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.evaluation.evaluate import evaluate
from bioloom.explanation.explain import explain
from bioloom.features.extract import extract_features
from bioloom.fitted import Fitted
from bioloom.kinds import get_kind
from bioloom.predictions.predict import predict
from bioloom.samples import Cleaned, check_samples, feature_columns, label_columns, write_table
from bioloom.similarity import measure_of
from bioloom.splits.leakage import audit
from bioloom.splits.split import split_samples
from bioloom.training.train import train_task
from tests.toys import refused, write

APPLICATION = get_application("gene_expression")
MATRIX = "gene\ta\tb\tc\nlacZ\t5\t1\t2\nlacI\t0\t2\t1\n"


def prepare(folder: Path, options: dict, clean: dict | None = None, **files: Path) -> Cleaned:
    """Ingest and clean as the workflow does: with a file between them."""
    write_table(APPLICATION.ingest(files, options).samples, folder / "raw.parquet")
    cleaned = APPLICATION.clean(pd.read_parquet(folder / "raw.parquet"), clean or {})
    check_samples(cleaned.samples, "samples")
    return cleaned


def test_bins_give_the_mean_bin_weighted_by_reads(tmp_path):
    table = "seq,b1,b2,b3,set\nacgu,1,0,3,training\nACGA,0,0,0,test\nAC GC,,2,0,test\n"
    path = write(tmp_path / "s.csv", table)
    options = {
        "columns": {"sequence": "seq", "split": "set"},
        "bins": {"b1": 1, "b2": 2, "b3": 3},
    }
    cleaned = prepare(tmp_path, options, sequences=path)
    samples = cleaned.samples
    assert samples["sequence"].tolist() == ["ACGT", "ACGC"]
    assert samples["label"].tolist() == [2.5, 2.0]
    assert samples["sample_weight"].tolist() == [4, 2]
    assert samples["split"].tolist() == ["training", "test"]
    assert cleaned.counts()["no label"] == 1
    assert feature_columns(samples) == ["sequence"]


def test_copies_become_one_sample_with_their_weighted_mean(tmp_path):
    rows = "A,1,1\nA,4,3\nC,2,0\nC,7,2\nG,,5\nG,3,1\nT,9,1\n"
    path = write(tmp_path / "s.csv", "x,y,n\n" + rows)
    options = {"columns": {"sequence": "x", "label": "y", "weight": "n"}}
    cleaned = prepare(tmp_path, options, sequences=path)
    samples = cleaned.samples.set_index("sequence")
    assert samples["label"].to_dict() == {"A": 3.25, "C": 7, "G": 3, "T": 9}
    assert samples["sample_weight"].to_dict() == {"A": 4, "C": 2, "G": 1, "T": 1}
    assert len(cleaned.dropped) == 3
    unlabelled = prepare(tmp_path, {"columns": {"sequence": "x"}}, sequences=path)
    assert len(unlabelled.samples) == 7
    assert not label_columns(unlabelled.samples)


def test_rows_of_few_reads_and_unknown_bases_are_dropped(tmp_path):
    path = write(tmp_path / "s.csv", "x,y,n\nACGT,1,9\nACGA,2,10\nANNN,3,10\nACGC,4,30\n")
    options = {"columns": {"sequence": "x", "label": "y", "weight": "n"}}
    cleaned = prepare(tmp_path, options, {"min_weight": 10}, sequences=path)
    assert cleaned.samples["label"].tolist() == [2, 4]
    assert cleaned.counts()["weight below min_weight"] == 1
    assert cleaned.counts()["more unknown bases than max_unknown"] == 1


def test_a_fasta_takes_its_values_from_a_table(tmp_path):
    fasta = write(tmp_path / "p.fa", ">a strong\nACGT\n>b\nAAAA\n>c\nCCCC\n")
    values = write(tmp_path / "v.tsv", "id\ttpm\tgene\nc\t3\tg\na\t1.5\tg\nz\t1\th\n")
    options = {"columns": {"label": "tpm", "group": "gene"}}
    read = APPLICATION.ingest({"sequences": fasta, "values": values}, options)
    raw = read.samples
    assert raw["sample_id"].tolist() == ["a", "c"]
    assert raw["label"].tolist() == [1.5, 3]
    assert raw["group"].tolist() == ["g", "g"]
    assert [note.split()[0] for note in read.notes] == ["1", "1"]
    refused(
        lambda: APPLICATION.ingest({"sequences": fasta}, options), "no table", "source `values`"
    )


def test_windows_are_cut_out_of_the_genome_and_grouped_by_chromosome(tmp_path):
    genome = write(tmp_path / "g.fa", ">chr1\nAACCGGTTNN\n>chr2\nacgtac\n")
    bed = write(
        tmp_path / "w.bed",
        "#a comment\nchr1\t0\t4\tone\t7\t+\nchr1\t0\t4\ttwo\t2.5\t-\nchr2\t2\t6\tthree\t1\t.\n",
    )
    options = {"columns": {"id": "name", "label": "score"}}
    samples = prepare(tmp_path, options, windows=bed, genome=genome).samples
    assert samples["sequence"].tolist() == ["AACC", "GGTT", "GTAC"]
    assert samples["group"].tolist() == ["chr1", "chr1", "chr2"]
    assert samples["label"].tolist() == [7, 2.5, 1]
    new = APPLICATION.ingest({"windows": bed, "genome": genome}, {}).samples
    assert new["sample_id"].tolist() == ["chr1:0-4(+)", "chr1:0-4(-)", "chr2:2-6(+)"]
    refused(lambda: APPLICATION.ingest({"windows": bed}, {}), "need the source `genome`")


def test_one_gene_of_a_matrix_is_predicted_from_the_others(tmp_path):
    path = write(tmp_path / "e.tsv", MATRIX)
    samples = prepare(tmp_path, {"columns": {"label": "lacZ"}}, expression=path).samples
    assert samples["label"].tolist() == [5, 1, 2]
    assert feature_columns(samples) == ["expression.lacI"]
    assert measure_of(APPLICATION.measures, samples) == "table"
    assert isinstance(APPLICATION.inputs(samples), pd.DataFrame)
    refused(
        lambda: APPLICATION.ingest({"expression": path}, {"columns": {"label": "lacA"}}),
        "no such gene.*samples: rows",
        "lacA",
    )


@pytest.mark.parametrize("gene", ["lacI", "expression.lacI"])
def test_a_gene_is_dropped_by_its_name_and_an_unknown_one_refused(tmp_path, gene):
    raw = APPLICATION.ingest({"expression": write(tmp_path / "e.tsv", MATRIX)}, {}).samples
    labelled = raw.assign(label=[5.0, 1.0, 2.0])
    for samples in (raw, labelled):
        kept = APPLICATION.clean(samples, {"drop": [gene]}).samples
        assert feature_columns(kept) == ["expression.lacZ"]
    for wrong in ("lacT", "label", "group"):
        refused(lambda name=wrong: APPLICATION.clean(labelled, {"drop": [name]}), "Unknown feature")


def test_a_phenotype_of_another_table_is_predicted_from_all_genes(tmp_path):
    matrix = write(tmp_path / "e.tsv", MATRIX)
    values = write(tmp_path / "v.csv", "id,rate,strain\na,0.5,x\nc,0.7,y\n")
    options = {"columns": {"label": "rate", "group": "strain"}}
    samples = prepare(tmp_path, options, expression=matrix, values=values).samples
    assert samples["sample_id"].tolist() == ["a", "c"]
    assert samples["label"].tolist() == [0.5, 0.7]
    assert samples["expression.lacZ"].tolist() == [5, 2]


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        ("x,y\nACGT,1\nACXT,2\n", {"label": "y"}, "'X' at position 3 .*row 3"),
        ("x,y\nACGT,1\nACCT,high\n", {"label": "y"}, "Expected a number.*row 3, column y"),
        (
            "x,y,n\nACGT,1,3\nACCT,2,-1\n",
            {"label": "y", "weight": "n"},
            "negative.*row 3, column n",
        ),
        ("x,y\nACGT,1\n", {"label": "Y"}, "no such column.*did you mean y"),
        ("x,y,n\nACGT,1,2\n", {"lable": "y"}, "'lable' under `columns`"),
    ],
)
def test_a_mistake_names_its_place(tmp_path, content, options, expected):
    path = write(tmp_path / "s.csv", content)
    columns = {"sequence": "x", **options}
    refused(lambda: APPLICATION.ingest({"sequences": path}, {"columns": columns}), expected)


def test_what_cannot_be_learnt_from_is_refused(tmp_path):
    path = write(tmp_path / "s.csv", "x,y,n\nACGT,1,1\nACGA,1,1\n")
    columns = {"sequence": "x", "label": "y"}
    raw = APPLICATION.ingest({"sequences": path}, {"columns": columns}).samples
    refused(lambda: APPLICATION.clean(raw, {}), "All 2 labels are equal")
    both = {"columns": columns, "bins": {"n": 1}}
    refused(lambda: APPLICATION.ingest({"sequences": path}, both), "`bins` gives label and weight")
    refused(lambda: APPLICATION.ingest({}, {}), "one of the sources sequences, windows, expression")


# From a file to predictions ------------------------------------------------------------------

ONE_HOT = {"embedder": "one_hot", "alphabet": "dna", "pooling": "tokens"}
POSITIONS = ONE_HOT | {"pooling": "positions"}
CONFIG = {
    "application": "gene_expression",
    "model": {"name": "lstm", "kernel": 3, "stride": 2, "batch_size": 16, "learning_rate": 0.005},
    "baselines": {"ridge": {"features": POSITIONS, "model": {"name": "logistic_regression"}}},
    "high_above": "median",
}


def library(path: Path, n: int = 400) -> Path:
    """Variants of a promoter with one site that counts: TATAAT at positions 5 to 10."""
    rng = np.random.default_rng(0)
    wild = np.array(list("GCCGCTATAATGCGCC"))
    changed = rng.random((n, len(wild))) < 0.2
    letters = np.where(changed, rng.choice(list("ACGT"), (n, len(wild))), wild)
    value = (letters == wild)[:, 5:11].sum(axis=1) + rng.normal(0, 0.2, n)
    rows = [
        f"{''.join(row)},{v:.3f},{reads}"
        for row, v, reads in zip(letters, value, rng.integers(1, 9, n), strict=True)
    ]
    return write(path, "\n".join(["x,y,reads", *rows, ""]))


@pytest.mark.slow
def test_from_a_table_to_predictions_and_logo(tmp_path):
    options = {"columns": {"sequence": "x", "label": "y", "weight": "reads"}}
    samples = prepare(tmp_path, options, sequences=library(tmp_path / "s.csv")).samples
    splits = split_samples(samples, {"method": "holdout", "test": 0.2, "valid": 0.15}, 1)
    measure = measure_of(APPLICATION.measures, samples)
    report, nearest = audit(samples, splits, {"limit": 0.95}, measure=measure)
    assert measure == "variants"
    assert report["largest"] <= 15 / 16
    features = {
        "features": extract_features(samples, APPLICATION, ONE_HOT)[0],
        "features.ridge": extract_features(samples, APPLICATION, POSITIONS)[0],
    }
    _, fitted, held_out = train_task(samples, splits, features, CONFIG, 1, [])
    metrics, plots = evaluate(
        samples,
        splits,
        held_out,
        task="tiny",
        application="gene_expression",
        kind=get_kind("value"),
        options={"primary": "r2", "resamples": 100},
        seed=1,
        nearest=nearest,
    )
    assert metrics["weights"] == "sample_weight"
    assert metrics["test"]["r2"] > 0.5 > metrics["baselines"]["naive"]["r2"]
    assert metrics["test"]["call_auroc"] > 0.8
    assert metrics["baselines"]["naive"]["call_auroc"] == 0.5
    assert (held_out["threshold"] == samples["label"].median()).all()

    maps = explain(
        samples,
        splits,
        features["features"],
        fitted,
        APPLICATION,
        {"items": 2, "mean_over": 40, "sites": {"site": "TATAAT"}},
        embedder=ONE_HOT,
        weights=None,
        seed=1,
    )
    mean = maps[maps["item"] == "mean of 40"]
    inside = mean["site"] == "site"
    assert mean.loc[inside, "position"].unique().tolist() == list(range(5, 11))
    assert mean.loc[inside, "importance"].mean() > 5 * mean.loc[~inside, "importance"].mean()
    assert (mean["low"] <= mean["importance"]).all()
    assert maps["item"].nunique() == 3

    fasta = write(tmp_path / "new.fa", ">wild\nGCCGCTATAATGCGCC\n>broken\nGCCGCGGCGCGGCGCC\n")
    new = prepare(tmp_path, {}, sequences=fasta).samples
    extracted = extract_features(new, APPLICATION, ONE_HOT)[0]
    fitted.save(tmp_path / "model")
    said = predict(new, extracted, Fitted.load(tmp_path / "model"), fasta).set_index("sample_id")
    assert said["call"].to_dict() == {"wild": "high", "broken": "low"}


def test_a_site_that_the_consensus_lacks_is_refused():
    from bioloom.explanation.mutagenesis import mark_sites

    table = pd.DataFrame({"position": [0, 1, 2], "reference": list("ACG")})
    assert mark_sites(table, {"x": "CG"})["site"].tolist() == ["", "x", "x"]
    refused(lambda: mark_sites(table, {"x": "TT"}), "x is 0 times", "consensus.*ACG")


FASTA = ">a\nTTTACACTTT\n>b\nGCGCAATT\n"


def ingest_variants(tmp_path, table: str, columns: dict | None = None, **options):
    files = {
        "variants": write(tmp_path / "v.csv", table),
        "elements": write(tmp_path / "e.fa", FASTA),
    }
    return APPLICATION.ingest(files, {"columns": columns or {}, **options}).samples


def test_variants_have_the_letters_around_and_a_site_is_a_group(tmp_path):
    samples = ingest_variants(tmp_path, "element,position,ref,alt\na,4,A,-\na,4,a,c\nb,8,T,G\n")
    assert samples["group"].tolist() == ["a:3", "a:3", "b:7"]
    assert samples["alt"].tolist() == ["-", "C", "G"]
    around = samples[[f"base{offset:+d}" for offset in (-3, -1, 1, 5)]]
    assert around.iloc[0].tolist() == ["T", "T", "C", "T"]
    assert around.iloc[2].isna().tolist() == [False, False, True, True]
    blocks = ingest_variants(tmp_path, "element,position,ref,alt\na,3,T,C\na,4,A,C\n", block=2)
    assert blocks["group"].tolist() == ["a:1", "a:1"]


def test_two_sequences_are_the_change_that_tells_them_apart(tmp_path):
    table = "wild,mutant\nTTTACA,TTTGCA\nTTTACA,TTACA\nTTTACA,GTTACG\nTTTACA,TTTACA\nGG,GA\n"
    files = {"variants": write(tmp_path / "v.csv", table)}
    columns = {"reference": "wild", "sequence": "mutant"}
    samples = APPLICATION.ingest(files, {"columns": columns}).samples
    assert samples["position"].iloc[[0, 1, 4]].tolist() == [4, 1, 2]
    assert samples["ref"].iloc[[0, 1, 4]].tolist() == ["A", "T", "G"]
    assert samples["alt"].iloc[[0, 1, 4]].tolist() == ["G", "-", "A"]
    assert samples["element"].nunique() == 2
    other = write(tmp_path / "other.csv", "wild,mutant\nGG,GA\n")
    alone = APPLICATION.ingest({"variants": other}, {"columns": columns}).samples
    assert alone["element"].tolist() == [samples["element"].iloc[4]]  # in whichever file
    cleaned = APPLICATION.clean(samples, {})
    assert cleaned.counts() == {"no change of one known letter": 2}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,4,C,T", "reference letter is C, but a is A at 4.*row 2.*column ref.*counted from 1"),
        ("a,11,C,T", "but a ends before at 11"),
        ("c,4,C,T", "`elements` has no sequence c.*row 2"),
        ("a,0,C,T", "a whole number from 1 to 16777216, got 0.*row 2.*column position"),
        ("a,127735434,C,T", "got 127735434.*within their element, not on a chromosome"),
        ("a,4,A,J", "'J' at position 1 is no letter"),
    ],
)
def test_a_variant_that_cannot_be_is_named(tmp_path, row, message):
    refused(lambda: ingest_variants(tmp_path, f"element,position,ref,alt\n{row}\n"), message)


def test_a_name_with_an_equals_sign_is_no_category(tmp_path):
    """m/z of metabolites: another order of columns in new data must find them again."""
    path = write(tmp_path / "m.csv", "sample,m/z=123.4,m/z=200.1\ns1,1,2\ns2,3,4\n")
    samples = APPLICATION.ingest(
        {"expression": path}, {"read": {"expression": {"samples": "rows"}}}
    )
    assert [*samples.samples][2:] == ["expression.m/z_123.4", "expression.m/z_200.1"]
