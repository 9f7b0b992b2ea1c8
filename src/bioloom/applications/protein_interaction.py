"""Which proteins are in one complex: sequences and known pairs in, a probability a pair out.

Sources: `sequences` (FASTA or GenBank) and `pairs` (TSV, CSV or PSI-MITAB 2.5) or `complexes` (a
table); optionally `expression` (genes x conditions), and `test_sequences` with `test_pairs` or
`test_complexes` of another organism, which is then the test set. Samples: `sample_id, label, group,
block, source, target`; nodes: `node_id, sequence, expression.<condition>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.errors import DataError
from bioloom.formats.columns import no_partner, require_columns
from bioloom.formats.edges import pairs_of, read_complexes, read_links
from bioloom.formats.expression import OPTIONS as MATRIX_OPTIONS
from bioloom.formats.expression import read_expression_source
from bioloom.formats.labels import class_labels
from bioloom.formats.proteins import read_sequences
from bioloom.formats.residues import standard_sequences
from bioloom.formats.table import READ_OPTIONS, read_options
from bioloom.options import Option, column_names, complete_options
from bioloom.samples import ENDS_BY, Cleaned, Raw, write_table
from bioloom.samples.cleaning import drop_rows, require_classes, unlabelled

INTERACTS, SEPARATE = "interacts", "does not interact"
OPTIONS: dict[str, Any] = {
    "columns": Option({}, about="the columns of the tables that have a role"),
    "read": Option({}, about="how each table is read, by source"),
    "classes": Option({}, about="label in the file to its name", of="labels"),
    "unlabelled": Option([], about="words that stand for no label", of="labels"),
    "locus": Option("locus_tag", about="GenBank qualifier that has the ids"),
    "test_locus": Option("locus_tag", about="the same of the other organism"),
    "all_interact": Option(
        False, about="the pairs are all positives, negatives are drawn", of="labels"
    ),
    "identity": Option(0.4, about="of sequences, from which they stay on one side of a split"),
}
COLUMNS: dict[str, Any] = {
    "source": Option("source", about="of `pairs`, one protein"),
    "target": Option("target", about="of `pairs`, the other one"),
    "label": Option(None, about="of `pairs`, whether they interact", of="labels"),
    "complex": Option("complex", about="of `complexes`, its name"),
    "members": Option("genes", about="of `complexes`, its proteins, joined by AND, ; or |"),
}
TABLES: dict[str, dict[str, Any]] = {
    "pairs": READ_OPTIONS,
    "complexes": READ_OPTIONS,
    "expression": MATRIX_OPTIONS,
}
CLEAN: dict[str, Any] = {
    "blocks": Option(5, about="sets of complexes that are held out together"),
    "negatives": Option(1, about="drawn pairs for each known one"),
    "seed": Option(1, about="of the drawn pairs"),
    "hold_out": Option(
        "both",
        choices=("both", "one"),
        about="whether both proteins of a test pair are new, or one",
    ),
}
FAMILIES = ["source_family", "target_family"]


def ingest(files: dict[str, Path], options: dict[str, Any]) -> Raw:
    """Raw pairs `sample_id, source, target`, and `label` and the families of both where known."""
    options = complete_options(options, OPTIONS, "datasets")
    parts, notes = [], list[str]()
    for prefix in _parts(files):
        sequences, left_out = _sequences(files[f"{prefix}sequences"], options[f"{prefix}locus"])
        pairs, told = _read_pairs(files, prefix, options, sequences.index)
        notes += [*left_out, *told]
        pairs["known"] = pairs[["source", "target"]].isin(sequences.index).all(axis=1)
        if not pairs["known"].any():
            raise DataError(
                f"No pair has both of its sequences; pairs have ids such as "
                f"{pairs['source'].iloc[0]}, sequences such as {sequences.index[0]}",
                file=files[f"{prefix}sequences"],
                hint="pairs and sequences need the same ids; `locus: old_locus_tag` takes others",
            )
        if "label" in pairs:
            pairs = pairs.assign(**_families(pairs, sequences, options["identity"], prefix))
        if prefix or len(_parts(files)) > 1:
            pairs = pairs.assign(split="test" if prefix else "train")
        parts.append(pairs)
    raw = pd.concat(parts, ignore_index=True)
    raw.insert(0, "sample_id", raw["source"] + "|" + raw["target"])
    proteins = nodes(files, options)
    measured = proteins.filter(regex="^expression[.]")
    if lacking := int(measured.isna().all(axis=1).sum()) if measured.columns.size else 0:
        notes.append(f"{lacking} of {len(proteins)} proteins have no expression")
    return Raw(raw.assign(group=raw["sample_id"]), notes, proteins)


def nodes(files: dict[str, Path], options: dict[str, Any]) -> pd.DataFrame:
    """`node_id, sequence, expression.<condition>` of the proteins that are in some pair."""
    options = complete_options(options, OPTIONS, "datasets")
    tables = []
    for prefix in _parts(files):
        sequences, _ = _sequences(files[f"{prefix}sequences"], options[f"{prefix}locus"])
        pairs, _ = _read_pairs(files, prefix, options, sequences.index)
        ends = set(pairs["source"]) | set(pairs["target"])
        kept = sequences[sequences.index.isin(ends)]
        table = pd.DataFrame({"node_id": kept.index, "sequence": kept.to_numpy()})
        if f"{prefix}expression" in files:
            file = files[f"{prefix}expression"]
            measured = read_expression_source(files, f"{prefix}expression", options).T
            if not table["node_id"].isin(measured.index).any():
                ids = pd.Series(measured.index.astype(str))
                raise no_partner("It has none of the proteins", table["node_id"], ids, file)
            measured = measured.reindex(table["node_id"]).add_prefix("expression.")
            table = pd.concat([table, measured.reset_index(drop=True)], axis=1)
        tables.append(table)
    joined = pd.concat(tables, ignore_index=True)
    twice = joined["node_id"].duplicated()
    if twice.any():
        example = joined["node_id"][twice].iloc[0]
        raise DataError(
            f"{twice.sum()} proteins are in both organisms, such as {example}",
            hint="ids must differ between `sequences` and `test_sequences`",
        )
    return joined


def _parts(files: Mapping[str, Path]) -> list[str]:
    """The prefixes of the sources: those to train on, and those of another organism to test on."""
    parts = ["", "test_"] if "test_sequences" in files else [""]
    for prefix in parts:
        given = [name for name in (f"{prefix}pairs", f"{prefix}complexes") if name in files]
        if len(given) != 1:
            raise DataError(
                f"Expected one of {prefix}pairs and {prefix}complexes, got {len(given)}",
                hint="`pairs` is a table of pairs or PSI-MITAB, `complexes` one of complexes",
            )
    return parts


def _sequences(path: Path, locus: str) -> tuple[pd.Series, list[str]]:
    """Sequence by id, and notes; of UniProt's `sp|P12345|NAME` the accession is the id."""
    table, notes = read_sequences(path, locus)
    sequences = standard_sequences(table["sequence"], path)
    ids = [name.split("|")[1] if name.count("|") == 2 else name for name in table["id"]]
    series = pd.Series(sequences.to_numpy(), index=ids)
    if series.index.has_duplicates:
        twice = series.index[series.index.duplicated()][0]
        raise DataError(f"The protein {twice} is there twice", file=path)
    return series, notes


def _read_pairs(
    files: Mapping[str, Path], prefix: str, options: Mapping[str, Any], ids: pd.Index
) -> tuple[pd.DataFrame, list[str]]:
    """The pairs as they are given, the ends of each in order; and notes."""
    pairs, notes = _given_pairs(files, prefix, options, ids)
    return pairs.assign(**_in_order(pairs)), notes


def _in_order(pairs: pd.DataFrame) -> dict[str, pd.Series]:
    """`source` and `target` of each pair, the lower one first."""
    turned = pairs["source"] > pairs["target"]
    return {
        "source": pairs["source"].mask(turned, pairs["target"]),
        "target": pairs["target"].mask(turned, pairs["source"]),
    }


def _given_pairs(
    files: Mapping[str, Path], prefix: str, options: Mapping[str, Any], ids: pd.Index
) -> tuple[pd.DataFrame, list[str]]:
    """`source, target`, and `label` where there is one; and notes.

    One row a row of the file; of complexes, each pair of different proteins once. `ids` are those
    of the sequences.
    """
    names = column_names(options["columns"], COLUMNS)
    path = files.get(f"{prefix}complexes")
    if path is not None:
        read = read_options(f"{prefix}complexes", options)
        complexes = read_complexes(path, str(names["complex"]), str(names["members"]), **read)
        found = sorted({(a, b) for a, b, _ in pairs_of(complexes)})
        if not found:
            raise DataError("No complex has two different proteins", file=path)
        return pd.DataFrame(found, columns=["source", "target"]).assign(label=INTERACTS), []
    path = files[f"{prefix}pairs"]
    read = read_options(f"{prefix}pairs", options)
    ends, label = (str(names["source"]), str(names["target"])), names["label"]
    table, notes = read_links(path, *ends, [label] if label else [], ids, **read)
    pairs = pd.DataFrame({"source": table["source"], "target": table["target"]})
    if label is not None:
        require_columns(table, [label], path)
        pairs["label"] = class_labels(table[label], options, path)
    elif options["all_interact"]:
        pairs["label"] = INTERACTS
    return pairs, notes


def _families(
    pairs: pd.DataFrame, sequences: pd.Series, identity: float, prefix: str
) -> dict[str, list[str]]:
    """The family of both proteins of each pair: clusters at `identity`, numbered."""
    from bioloom.similarity.sequence import sequence_clusters

    used = sequences[sequences.index.isin(pairs[["source", "target"]].to_numpy().ravel())]
    clusters = sequence_clusters(used.tolist(), identity)
    family = pd.Series([f"{prefix}{cluster}" for cluster in clusters], index=used.index)
    ends = ("source", "target")
    return {name: pairs[end].map(family).tolist() for name, end in zip(FAMILIES, ends, strict=True)}


def clean(raw: pd.DataFrame, options: dict[str, Any]) -> Cleaned:
    """Drop what is no pair, put complexes into blocks and draw negatives inside them.

    New data keep their pairs. Where negatives were given none are drawn. A pair whose proteins are
    in different blocks cannot be held out with either and is dropped. With `hold_out: one` there
    are no blocks, and the group of a pair names the families of both.
    """
    options = complete_options(options, CLEAN, "clean")
    labelled = "label" in raw
    rules: dict[str, Any] = {
        "a protein without a sequence": lambda s: ~s["known"],
        "a protein with itself": lambda s: s["source"] == s["target"],
    }
    if labelled:
        rules |= {
            "no label": unlabelled,
            "pair with contradicting labels": lambda s: (
                s.groupby("sample_id")["label"].transform("nunique") > 1
            ),
        }
    rules["the same pair again"] = lambda s: s["sample_id"].duplicated()
    samples, dropped = drop_rows(raw, rules)
    if not labelled:
        return Cleaned(samples[["sample_id", "group", "source", "target"]], dropped)
    parts = samples["split"] if "split" in samples else pd.Series("", index=samples.index)
    tables, notes = [], list[str]()
    for _, part in samples.groupby(parts, sort=False):
        table, straddling, told = _arrange(part.reset_index(drop=True), options)
        tables.append(table)
        dropped = pd.concat([dropped, straddling], ignore_index=True)
        notes += told
    samples = pd.concat(tables, ignore_index=True)
    require_classes(samples)
    columns = ["sample_id", "label", "group", "block", "source", "target", "split"]
    return Cleaned(samples[[name for name in columns if name in samples]], dropped, notes)


def _arrange(
    pairs: pd.DataFrame, options: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Pairs of one organism with group and block, negatives added; dropped pairs; notes."""
    from bioloom.links.blocks import make_blocks, make_units, matched_negatives

    ids, rows = np.unique(pairs[["source", "target"]].to_numpy(dtype=str), return_inverse=True)
    edges = rows.reshape(-1, 2)
    named = np.empty(len(ids), dtype=object)
    named[edges] = pairs[FAMILIES].to_numpy()
    family = pd.factorize(named)[0]
    one = options["hold_out"] == "one"
    blocks = 1 if one else options["blocks"]
    unit = make_units(edges, family, blocks, options["seed"])
    block = make_blocks(unit, edges, blocks)
    inside = block[edges[:, 0]] == block[edges[:, 1]]
    straddling = pairs.loc[~inside, ["sample_id"]].assign(reason="proteins in different blocks")
    notes = [f"{len(ids)} proteins in {len(np.unique(unit))} units of complexes and families"]
    if lost := int((~inside).sum()):
        notes.append(
            f"{lost} of {len(pairs)} labelled pairs ({lost / len(pairs):.0%}) join proteins of two "
            "blocks and are left out, so that no protein is on two sides of a split; fewer "
            "`clean: blocks` leave out fewer"
        )
    edges, pairs = edges[inside], pairs[inside]
    if pairs["label"].nunique() == 1 and pairs["label"].iloc[0] == INTERACTS:
        drawn = matched_negatives(edges, unit, block, options["negatives"], options["seed"])
        if not len(drawn):
            raise DataError(
                "No pair that does not interact can be drawn: all proteins are of one complex or "
                "family, or each interacts with each",
                hint="give pairs of other proteins, or pairs that do not interact with a label",
            )
        wanted = options["negatives"] * len(edges)
        notes.append(f"{len(drawn)} of {wanted} negatives drawn, matched by degree to positives")
        extra = pd.DataFrame({"source": ids[drawn[:, 0]], "target": ids[drawn[:, 1]]})
        extra["label"] = SEPARATE
        extra["sample_id"] = extra["source"] + "|" + extra["target"]
        if "split" in pairs:
            extra["split"] = pairs["split"].iloc[0]
        edges, pairs = np.vstack([edges, drawn]), pd.concat([pairs, extra], ignore_index=True)
    # Both units of a negative are in its block; it is resampled with the first.
    place = "" if "split" not in pairs else f"{pairs['split'].iloc[0]}_"
    if one:
        both = [ENDS_BY.join(sorted(f"{place}{end}" for end in pair)) for pair in family[edges]]
        return pairs.assign(group=both), straddling, notes
    groups = [f"{place}{name}" for name in unit[edges[:, 0]]]
    blocks = [f"{place}{name}" for name in block[edges[:, 0]]]
    return pairs.assign(group=groups, block=blocks), straddling, notes


def inputs(table: pd.DataFrame) -> list[str]:
    """The sequences of the nodes."""
    return table["sequence"].tolist()


def write(
    samples: pd.DataFrame,
    predictions: pd.DataFrame,
    files: dict[str, Path],
    folder: Path,
    options: dict[str, Any],
) -> None:
    """pairs.tsv: the rows of the user's file in their order, with what is predicted of each.

    A pair that is given twice, or with its ends turned, has its prediction in each row.
    """
    options = complete_options(options, OPTIONS, "datasets")
    sequences, _ = _sequences(files["sequences"], options["locus"])
    given, _ = _given_pairs(files, "", options, sequences.index)
    ends = _in_order(given)
    # Of a pair that comes again one row has the prediction.
    said = predictions.sort_values("prediction", kind="stable").drop_duplicates("sample_id")
    chances = [name for name in map(str, said) if name.startswith("p.")]
    said = said[["sample_id", "prediction", *chances, "abstain"]]
    keys = (ends["source"] + "|" + ends["target"]).rename("sample_id")
    rows = (
        given[["source", "target"]].assign(sample_id=keys).merge(said, on="sample_id", how="left")
    )
    write_table(rows.drop(columns="sample_id"), folder / "pairs.tsv")


def defaults(task: dict[str, Any]) -> dict[str, Any]:
    """A graph network with a kernel on UniRep and, where there is expression, on co-expression."""
    known = "expression" in task["datasets"]["training"]
    network = {"network": {"context": 10, "pairs": ["tempered_clr"]}} if known else {}
    gnn = {"name": "gnn", "hide": 1.0, "width": 16, "weight_decay": 0.1}
    unirep = {"embedder": "unirep", "size": 256, "pooling": "mean"}
    linear = {"name": "logistic_regression", "C": 0.01}
    return {
        "features": unirep | network,
        "model": {"name": "ensemble", "of": [gnn, {"name": "pair_kernel"}]},
        "baselines": {
            **({} if "model" in task else {"gnn": {"model": gnn}}),
            "single_scores": {"model": {"name": "pair_kernel", "pairing": False}},
            "sequence_only": {"features": unirep, "model": linear},
            "degree": {"model": {"name": "degree"}},
        },
    }


application = Application(
    kinds=("links",),
    noun="pairs",
    ingest=ingest,
    clean=clean,
    inputs=inputs,
    links=True,
    sources=("sequences",),
    optional_sources=(
        "pairs",
        "complexes",
        "expression",
        "test_sequences",
        "test_pairs",
        "test_complexes",
        "test_expression",
    ),
    measures=("links",),
    tables={f"{part}{name}": options for part in ("", "test_") for name, options in TABLES.items()},
    options=OPTIONS,
    columns=COLUMNS,
    clean_options=CLEAN,
    write=write,
    defaults=defaults,
)
