"""Protein pairs: complexes, pair tables and PSI-MITAB read, split without straddling, refused."""

import numpy as np
import pandas as pd
import pytest

from bioloom.application import get_application
from bioloom.fitted.signature import check_signature, make_signature, reasons_to_abstain
from bioloom.formats.edges import read_complexes, read_links
from bioloom.samples import Raw, feature_columns, is_links, write_table
from bioloom.samples.quality import quality
from bioloom.splits.leakage import audit
from bioloom.splits.split import split_samples
from tests.toys import refused, write

APPLICATION = get_application("protein_interaction")
COMPLEXES, SUBUNITS = 20, 3


def proteins(count: int, prefix: str = "p", seed: int = 0) -> str:
    rng = np.random.default_rng(seed)
    letters = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    return "".join(f">{prefix}{i}\n{''.join(rng.choice(letters, 120))}\n" for i in range(count))


@pytest.fixture
def files(tmp_path):
    sequences = tmp_path / "proteins.fasta"
    sequences.write_text(proteins(COMPLEXES * SUBUNITS))
    members = [
        " AND ".join(f"p{SUBUNITS * i + j}({j + 1})" for j in range(SUBUNITS))
        for i in range(COMPLEXES)
    ]
    complexes = tmp_path / "complexes.tsv"
    table = pd.DataFrame({"complex": [f"c{i}" for i in range(COMPLEXES)], "genes": members})
    table.to_csv(complexes, sep="\t", index=False)
    return {"sequences": sequences, "complexes": complexes}


def prepared(files, options=None, **clean):
    raw = APPLICATION.ingest(files, options or {}).samples
    write_table(raw, files["sequences"].parent / "raw.parquet")
    return APPLICATION.clean(pd.read_parquet(files["sequences"].parent / "raw.parquet"), clean)


def test_complexes_become_pairs_with_as_many_negatives(files):
    cleaned = prepared(files)
    samples = cleaned.samples
    assert samples["label"].value_counts()["interacts"] == COMPLEXES * 3
    assert is_links(samples)
    assert feature_columns(samples) == []
    complex_of = {f"p{i}": i // SUBUNITS for i in range(COMPLEXES * SUBUNITS)}
    same = samples["source"].map(complex_of) == samples["target"].map(complex_of)
    assert (same == (samples["label"] == "interacts")).all()
    assert quality(Raw(samples), cleaned, private=False)["rows_kept"] == len(samples)


def test_no_protein_is_in_two_parts_of_a_split(files):
    samples = prepared(files).samples
    options = {"method": "cross_validation", "by": "block", "folds": 5, "valid": 0.15}
    splits = split_samples(samples, options, seed=1)
    ends = samples.set_index("sample_id")
    for _, part in splits.groupby(["repeat", "fold"]):
        rows = ends.loc[part["sample_id"]].assign(split=part["split"].to_numpy())
        long = rows.melt(id_vars="split", value_vars=["source", "target"])
        assert (long.groupby("value")["split"].nunique() == 1).all()
    report, items = audit(samples, splits, {"limit": 0.4}, measure="links", nodes=nodes(files))
    assert report["largest"] < 0.4
    assert set(items["sample_id"]) == set(samples["sample_id"])


def test_where_one_new_end_is_enough_no_pair_is_left_out(files, tmp_path):
    rng = np.random.default_rng(0)
    ends = np.unique(np.sort(rng.integers(0, COMPLEXES * SUBUNITS, (400, 2)), axis=1), axis=0)
    ends = ends[ends[:, 0] != ends[:, 1]]
    table = pd.DataFrame({"source": ends[:, 0], "target": ends[:, 1]}).map(lambda i: f"p{i}")
    pairs = tmp_path / "pairs.tsv"
    table.assign(linked=rng.choice(["yes", "no"], len(table))).to_csv(pairs, sep="\t", index=False)
    given = {"sequences": files["sequences"], "pairs": pairs}
    raw = APPLICATION.ingest(given, {"columns": {"label": "linked"}})
    cleaned = APPLICATION.clean(raw.samples, {"hold_out": "one"})
    assert len(cleaned.samples) == len(table)
    splits = split_samples(cleaned.samples, {"method": "auto"}, 1)
    split = splits["split"].to_numpy()
    assert 0.1 < (split == "test").mean() <= 0.2
    known = set(cleaned.samples.loc[split == "train", ["source", "target"]].to_numpy().ravel())
    seen = cleaned.samples[["source", "target"]].isin(known).sum(axis=1)[split == "test"]
    assert set(seen) <= {0, 1}
    assert (seen == 1).mean() > 0.5
    report, _ = audit(cleaned.samples, splits, {}, measure="links", nodes=raw.nodes)
    assert report["groups_across_splits"] == 0
    folds = {"method": "cross_validation", "by": "end"}
    refused(lambda: split_samples(cleaned.samples, folds, 1), "tested twice")


def test_a_split_by_end_is_of_pairs(files):
    samples = prepared(files).samples
    refused(lambda: split_samples(samples, {"by": "end"}, 1), "hold_out: one")


def test_relatives_are_held_out_together(files):
    """A protein of one complex that equals one of another joins the two."""
    text = files["sequences"].read_text().split(">")
    sequence = next(t for t in text if t.startswith("p0\n")).split("\n")[1]
    changed = [f"p3\n{sequence}\n" if t.startswith("p3\n") else t for t in text]
    files["sequences"].write_text(">".join(changed))
    positives = prepared(files).samples.query("label == 'interacts'").set_index("sample_id")
    assert positives.loc["p0|p1", "group"] == positives.loc["p3|p4", "group"]


def nodes(files):
    return APPLICATION.ingest(files, {}).nodes


def test_nodes_have_sequences_and_expression(files, tmp_path):
    expression = tmp_path / "expression.csv"
    expression.write_text("gene,a,b\np0,1,2\np5,3,4\n")
    table = APPLICATION.ingest({**files, "expression": expression}, {}).nodes
    assert len(table) == COMPLEXES * SUBUNITS
    assert table.set_index("node_id").loc["p5", ["expression.a", "expression.b"]].tolist() == [3, 4]
    assert table["expression.a"].notna().sum() == 2
    assert len(APPLICATION.inputs(table)) == len(table)


def test_another_organism_is_the_test_set(files, tmp_path):
    other = tmp_path / "other.fasta"
    other.write_text(proteins(12, prefix="q", seed=1))
    pairs = tmp_path / "other.tsv"
    pairs.write_text(
        "complex\tgenes\n" + "\n".join(f"d{i}\tq{2 * i};q{2 * i + 1}" for i in range(6))
    )
    both = {**files, "test_sequences": other, "test_complexes": pairs}
    samples = prepared(both).samples
    assert samples.groupby("split")["source"].agg(lambda s: s.str[0].unique().item()).to_dict() == {
        "train": "p",
        "test": "q",
    }
    splits = split_samples(
        samples, {"method": "column", "column": "split", "by": "block", "valid": 0.2}, seed=1
    )
    assert set(splits["split"]) == {"train", "valid", "test"}
    assert len(APPLICATION.ingest(both, {}).nodes) == COMPLEXES * SUBUNITS + 12


def test_new_pairs_keep_their_rows_and_are_never_refused_for_their_ids(files, tmp_path):
    pairs = tmp_path / "new.tsv"
    pairs.write_text("a\tb\np9\tp1\np2\tp7\np1\tp9\np4\tp4\n")
    new = {"sequences": files["sequences"], "pairs": pairs}
    cleaned = prepared(new, {"columns": {"source": "a", "target": "b"}})
    assert cleaned.samples["sample_id"].tolist() == ["p1|p9", "p2|p7"]
    assert cleaned.counts() == {"a protein with itself": 1, "the same pair again": 1}
    signature = make_signature(prepared(files).samples)
    check_signature(cleaned.samples, signature, pairs)
    assert not reasons_to_abstain(cleaned.samples, signature).any()


def test_predictions_stand_in_the_rows_of_the_file_as_it_was_given(files, tmp_path):
    pairs = tmp_path / "new.tsv"
    pairs.write_text("a\tb\np9\tp1\np2\tp7\np1\tp9\np4\tp4\n")
    new, options = {"sequences": files["sequences"], "pairs": pairs}, {"source": "a", "target": "b"}
    said = {"p1|p9": ("interacts", 0.9, ""), "p2|p7": ("separate", 0.2, "")}
    rows = [(name, *what) for name, what in said.items()]
    rows += [("p1|p9", None, None, "the same pair again"), ("p4|p4", None, None, "with itself")]
    predictions = pd.DataFrame(rows, columns=["sample_id", "prediction", "p.interacts", "abstain"])
    samples = prepared(new, {"columns": options}).samples
    application = get_application("protein_interaction")
    application.write(samples, predictions, new, tmp_path, {"columns": options})
    written = pd.read_csv(tmp_path / "pairs.tsv", sep="\t")
    assert (written["source"] + " " + written["target"]).tolist() == [
        "p9 p1",
        "p2 p7",
        "p1 p9",
        "p4 p4",
    ]
    assert written["p.interacts"].fillna(-1).tolist() == [0.9, 0.2, 0.9, -1]
    assert written["abstain"].fillna("").tolist() == ["", "", "", "with itself"]


def test_pairs_with_both_labels_get_no_negatives(files, tmp_path):
    rng = np.random.default_rng(0)
    ends = [sorted(rng.choice(60, 2, replace=False)) for _ in range(300)]
    rows = [f"p{a}\tp{b}\t{'yes' if i % 2 else 'no'}" for i, (a, b) in enumerate(ends)]
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("source\ttarget\tbinds\n" + "\n".join(rows))
    given = {"sequences": files["sequences"], "pairs": pairs}
    cleaned = prepared(given, {"columns": {"label": "binds"}}, blocks=3)
    assert set(cleaned.samples["label"]) == {"yes", "no"}
    lost = cleaned.counts()["proteins in different blocks"]
    assert lost > 0
    assert any(note.startswith(f"{lost} of ") and "two blocks" in note for note in cleaned.notes)
    in_block = cleaned.samples.melt(id_vars="block", value_vars=["source", "target"])
    assert (in_block.groupby("value")["block"].nunique() == 1).all()
    assert len(cleaned.samples) + len(cleaned.dropped) == 300


def test_positive_pairs_of_a_table(files, tmp_path):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("source,target\n" + "\n".join(f"p{i},p{i + 1}" for i in range(0, 60, 2)))
    given = {"sequences": files["sequences"], "pairs": pairs}
    samples = prepared(given, {"all_interact": True}).samples
    assert samples["label"].value_counts().to_dict()["interacts"] == 30
    assert samples["label"].nunique() == 2


def test_psi_mitab(tmp_path):
    path = tmp_path / "pairs.mitab"
    other = "\t".join(["-"] * 13)
    path.write_text(f"#ID A\tID B\nuniprotkb:P1|intact:EBI-1\tuniprotkb:P2\t{other}\n")
    assert read_links(path)[0].to_numpy().tolist() == [["P1", "P2"]]
    plain = tmp_path / "pairs.txt"
    plain.write_text(f"uniprotkb:P1\tuniprotkb:P2\t{other}\n")
    assert read_links(plain)[0].to_numpy().tolist() == [["P1", "P2"]]
    path.write_text("uniprotkb:P1\tuniprotkb:P2\n")
    refused(lambda: read_links(path), "15 tab-separated columns or more, got 2.*row 1")
    path.write_text(f"uniprotkb:P1\t-\t{other}\n")
    refused(lambda: read_links(path), "no interactions")


def mitab(source: str, target: str, expansion: str = "-", negative: str = "false") -> str:
    """A line of MITAB 2.7; the identifiers as given."""
    fields = [source, target, *["-"] * 40]
    fields[15], fields[35] = expansion, negative
    return "\t".join(fields) + "\n"


def test_pairs_of_mitab_that_do_not_interact_or_lack_a_partner_are_left_out_and_counted(tmp_path):
    lines = [
        mitab("uniprotkb:P1", "uniprotkb:P2"),
        mitab("uniprotkb:P1", "uniprotkb:P3", negative="true"),
        mitab("uniprotkb:P1", "-"),
        mitab("-", "uniprotkb:P2"),
        mitab("uniprotkb:P2", "uniprotkb:P3", expansion='psi-mi:"MI:1060"(spoke expansion)'),
    ]
    path = write(tmp_path / "a.mitab", "".join(lines))
    links, notes = read_links(path)
    assert links["target"].to_dict() == {1: "P2", 5: "P3"}
    assert notes == [
        "1 pairs that were found not to interact are left out",
        "2 interactions with one partner are left out",
        "1 pairs are expanded from complexes",
    ]


@pytest.mark.parametrize(
    ("line", "note"),
    [
        (mitab("x:a", "x:b", negative="True"), "1 pairs that were found not to interact"),
        (mitab("x:a", "x:b", negative=" TRUE "), "1 pairs that were found not to interact"),
        (mitab("x:a", "-", negative="true"), "1 pairs that were found not to interact"),
        (mitab("x:a", ""), "1 interactions with one partner"),
        (mitab(" - ", "x:b"), "1 interactions with one partner"),
        (mitab("-", "-"), "1 interactions with one partner"),
        (mitab("|", "x:b"), "1 interactions with one partner"),
        (mitab("- | -", "x:b"), "1 interactions with one partner"),
    ],
)
def test_an_odd_line_of_mitab_is_left_out_by_its_reason(tmp_path, line, note):
    whole = [mitab("x:p1", "x:p2"), mitab("x:p2", "x:p3", negative="-")]
    links, notes = read_links(write(tmp_path / "a.mitab", "".join([whole[0], line, whole[1]])))
    assert links["source"].to_dict() == {1: "p1", 3: "p2"}
    assert notes == [f"{note} are left out"]


def test_a_word_for_missing_among_the_labels_of_pairs_is_refused_unless_it_is_unlabelled(
    files, tmp_path
):
    pairs = write(tmp_path / "p.csv", "source,target,y\np0,p1,yes\np2,p3,no\np4,p5,NA\n")
    given = {"sequences": files["sequences"], "pairs": pairs}
    options = {"columns": {"label": "y"}}
    refused(lambda: APPLICATION.ingest(given, options), '"NA" may be missing.*row 4, column y')
    raw = APPLICATION.ingest(given, options | {"unlabelled": ["NA"]}).samples
    assert raw["label"].fillna("-").tolist() == ["yes", "no", "-"]


def test_of_the_identifiers_of_mitab_those_of_the_sequences_are_taken(tmp_path):
    fields = [
        "entrez gene:6416",
        "entrez gene:2318",
        "biogrid:1|uniprot/swiss-prot:P1",
        "refseq:N2",
    ]
    path = write(tmp_path / "a.mitab", "\t".join([*fields, *["-"] * 11]) + "\n")
    links, _ = read_links(path, wanted={"P1"})
    assert links.to_numpy().tolist() == [["P1", "2318"]]


def test_what_is_left_out_of_the_files_of_databases_stands_in_the_notes(files, tmp_path):
    pairs = "".join(mitab(f"x:p{i}", f"x:p{i + 1}") for i in range(0, 40, 2)) + mitab("x:p0", "-")
    given = {"sequences": files["sequences"], "pairs": write(tmp_path / "a.mitab", pairs)}
    read = APPLICATION.ingest(given, {"all_interact": True})
    assert len(read.samples) == 20
    assert read.notes == ["1 interactions with one partner are left out"]


def test_uniprot_headers_give_their_accession(files, tmp_path):
    fasta = tmp_path / "u.fasta"
    fasta.write_text(proteins(2).replace(">p0", ">sp|P12345|X_ECOLI").replace(">p1", ">tr|Q9|Y"))
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("source\ttarget\nP12345\tQ9\n")
    assert prepared({"sequences": fasta, "pairs": pairs}).samples["source"].tolist() == ["P12345"]


def test_members_of_complexes(tmp_path):
    path = tmp_path / "complexes.csv"
    path.write_text('id,genes\nA,"b1(2) AND b2()"\nB,"b3;b4 | b3"\n')
    members = [group.members for group in read_complexes(path, id="id")]
    assert members == [["b1", "b2"], ["b3", "b4"]]
    path.write_text('id,genes\nA,"b1 and b2"\n')
    refused(lambda: read_complexes(path, id="id"), "joined by AND or ;.*row 2.*genes")


def test_broken_files_are_told(files, tmp_path):
    pairs = tmp_path / "pairs.tsv"
    given = {"sequences": files["sequences"], "pairs": pairs}
    pairs.write_text("source\tpartner\np1\tp2\n")
    refused(lambda: APPLICATION.ingest(given, {}), "no such column.*target")
    pairs.write_text("source\ttarget\np1\t\n")
    refused(lambda: APPLICATION.ingest(given, {}), "without both ends.*row 2.*target")
    pairs.write_text("source\ttarget\nx1\tx2\n")
    refused(lambda: APPLICATION.ingest(given, {}), "No pair has both of its sequences.*x1")
    refused(lambda: APPLICATION.ingest({"sequences": files["sequences"]}, {}), "got 0")
    refused(lambda: APPLICATION.ingest({**files, "pairs": pairs}, {}), "got 2")
    pairs.write_text("source\ttarget\tlabel\np1\tp2\tyes\np2\tp3\tyes\n")
    labelled = {"columns": {"label": "label"}}
    refused(lambda: prepared(given, labelled), "two classes")
    refused(lambda: APPLICATION.ingest(files, {"locus": "gene", "identitiy": 1}), "identitiy")


def test_an_id_in_both_organisms_is_refused(files):
    both = {**files, "test_sequences": files["sequences"], "test_complexes": files["complexes"]}
    refused(lambda: APPLICATION.ingest(both, {}).nodes, "in both organisms")


def test_expression_of_other_names_is_refused_and_what_lacks_it_is_told(tmp_path):
    sequences = write(tmp_path / "proteins.fasta", proteins(6))
    pairs = write(tmp_path / "pairs.tsv", "source\ttarget\np0\tp1\np2\tp3\n")
    expression = write(tmp_path / "expression.csv", "gene,a,b\nGENE0,1,2\nGENE1,3,4\n")
    given = {"sequences": sequences, "pairs": pairs, "expression": expression}
    options = {"all_interact": True}
    refused(lambda: APPLICATION.ingest(given, options), "none of the proteins", "p0", "GENE0")
    write(expression, "gene,a,b\np0,1,2\np5,3,4\np3,,\n")
    assert "3 of 4 proteins have no expression" in APPLICATION.ingest(given, options).notes
    write(expression, "gene,a\n" + "".join(f"p{i},{i}\n" for i in range(6)))
    assert not any("expression" in note for note in APPLICATION.ingest(given, options).notes)
