"""Which gene regulates which: expression and known edges in, ranked regulator-target edges out.

Sources: `expression` (genes x conditions); `edges` (regulator, target), which new data may lack;
optionally `genes` (names, operons, places on the genome), `genome` (FASTA) for the promoters,
`regulators` (a list) and `knockouts` (which gene a condition lacks). Samples: `sample_id, label,
group, source, target`; nodes: `node_id, name, sequence` (the promoter), `expression.<condition>`,
`knockout.<gene>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.arrays import EXPRESSION, KNOCKOUT
from bioloom.errors import DataError
from bioloom.formats.columns import numbers, require_columns, text, unique_ids
from bioloom.formats.edges import read_links
from bioloom.formats.expression import OPTIONS as MATRIX_OPTIONS
from bioloom.formats.expression import read_expression_source
from bioloom.formats.promoters import promoters
from bioloom.formats.table import READ_OPTIONS, read_options, read_source
from bioloom.links.knockouts import changes, lacking
from bioloom.options import Option, column_names, complete_options
from bioloom.samples import Cleaned, Raw
from bioloom.samples.cleaning import drop_rows, require_classes

REGULATES, NO_EDGE = "regulates", "no known edge"
OPTIONS: dict[str, Any] = {
    "columns": Option({}, about="the columns of the tables that have a role"),
    "read": Option({}, about="how each table is read, by source"),
    "aliases": Option({}, about="regulator to the gene it is made of; several joined by ;"),
    "candidates": Option(
        None,
        type=bool,
        about="instead of the known edges all others; so where no edges are given",
        of="rows",
    ),
    "only": Option([], about="regulators whose targets are asked for, where edges are not"),
    "hold_out": Option(
        "operons", about="what no test edge shares with training, operons or regulators"
    ),
}
COLUMNS: dict[str, Any] = {
    "regulator": Option("regulator", about="of `edges`"),
    "target": Option("target", about="of `edges`, the gene that is regulated"),
    "condition": Option("condition", about="of `knockouts`, as the expression names it"),
    "knocked_out": Option("gene", about="of `knockouts`, the gene that the condition lacks"),
    "gene": Option(None, about="of `genes`, the id that the expression has"),
    "name": Option(None, about="of `genes`, another name that edges may have"),
    "operon": Option(None, about="of `genes`"),
    "chromosome": Option(None, about="of `genes`, as the genome names it"),
    "start": Option(None, about="of `genes`, its first base, counted from 0"),
    "end": Option(None, about="of `genes`, the base behind it, counted from 0"),
    "strand": Option(None, about="of `genes`, + or -"),
}
CLEAN: dict[str, Any] = {
    "negatives": Option(4, about="pairs of a regulator without an edge, for each of its edges"),
    "min_targets": Option(10, about="of a regulator"),
    "seed": Option(1, about="of the negatives"),
}


def ingest(files: dict[str, Path], options: dict[str, Any]) -> Raw:
    """Raw pairs `sample_id, source, target, operon, measured, listed`, and `label` of known edges.

    `measured` says whether both ends have expression; only then they are nodes. `listed` says
    whether the regulator is in the source `regulators`, where there is one.
    """
    options = complete_options(options, OPTIONS, "datasets")
    if options["hold_out"] not in ("operons", "regulators"):
        raise DataError(f"`hold_out` is operons or regulators, got {options['hold_out']!r}")
    genes = _genes(files, options)
    measured = read_expression_source(files, "expression", options).columns
    ids = _Ids(genes, options["aliases"], files.get("genes"))
    edges, notes = _edges(files, ids, options)
    asked = options["candidates"]
    if edges is None if asked is None else asked:
        pairs = _candidates(files, ids, measured, edges, options)
    elif edges is None:
        raise DataError("There are no edges", hint="give `edges`, or set `candidates: true`")
    else:
        pairs = edges.assign(label=REGULATES)
    if pairs.empty:
        hint = "all that `only` or `regulators` ask for is known, or has no expression"
        raise DataError("No pair is left to predict", file=files["expression"], hint=hint)
    pairs["sample_id"] = pairs["source"] + "|" + pairs["target"]
    pairs["listed"] = pairs["source"].isin(_listed(files, ids, options) or pairs["source"])
    if not pairs["listed"].any():
        raise DataError(
            f"No edge of a regulator in the list; one is {pairs['sample_id'].iloc[0]}",
            file=files["regulators"],
            hint="the first column holds the regulators, by id or name",
        )
    pairs["measured"] = pairs["source"].isin(measured) & pairs["target"].isin(measured)
    if not pairs["measured"].any():
        raise DataError(
            f"No edge has expression of both genes; one is {pairs['sample_id'].iloc[0]}, a gene "
            f"with expression is {measured[0]}",
            file=files["expression"],
            hint="edges and expression need the same gene ids; `genes` with `name` translates",
        )
    operon = genes["operon"].reindex(pairs["target"]).to_numpy()
    pairs["operon"] = np.where(pd.isna(operon), pairs["target"], operon)
    held = {"operons": "operon", "regulators": "source"}[options["hold_out"]]
    pairs["group"] = pairs[held]
    first = ["sample_id", "group"]
    ordered = pairs[[*first, *pairs.columns.difference(first, sort=False)]]
    return Raw(ordered, notes + ids.notes, nodes(files, options))


def nodes(files: dict[str, Path], options: dict[str, Any]) -> pd.DataFrame:
    """Every gene with expression: `node_id, name, sequence`, and its measurements.

    Those are `expression.<condition>` and `knockout.<gene>`, its z-score without that gene.
    `sequence` is the promoter, 200 bases before the start of the gene and 50 after it, on the
    gene's strand; missing for genes whose place is not known.
    """
    options = complete_options(options, OPTIONS, "datasets")
    genes = _genes(files, options)
    measured = read_expression_source(files, "expression", options)
    knocked_out = changes(measured, _lacking(files, genes, measured, options))
    expression = measured.T
    table = pd.DataFrame({"node_id": expression.index})
    table["name"] = genes["name"].reindex(table["node_id"]).to_numpy()
    if "genome" in files:
        asked = genes[genes.index.isin(table["node_id"])]
        found = promoters(files["genome"], asked, files.get("genes", files["genome"]))
        table["sequence"] = [found.get(gene) or None for gene in table["node_id"]]
    expression = expression.add_prefix(EXPRESSION).reset_index(drop=True)
    knocked_out = knocked_out.add_prefix(KNOCKOUT).reset_index(drop=True)
    return pd.concat([table, expression, knocked_out], axis=1)


def _lacking(
    files: Mapping[str, Path],
    genes: pd.DataFrame,
    measured: pd.DataFrame,
    options: Mapping[str, Any],
) -> dict[str, set[str]]:
    """The conditions that lack each gene; nothing without the source `knockouts`."""
    if "knockouts" not in files:
        return {}
    path, roles = files["knockouts"], column_names(options["columns"], COLUMNS)
    table = read_source(path, "knockouts", options)
    ids = _Ids(genes, options["aliases"], files.get("genes"))
    columns = str(roles["condition"]), str(roles["knocked_out"])
    return lacking(table, *columns, measured, ids.of, path)


def _genes(files: Mapping[str, Path], options: Mapping[str, Any]) -> pd.DataFrame:
    """`name, operon, chromosome, start, end, strand` by gene id; empty without the source."""
    roles = column_names(options["columns"], COLUMNS)
    wanted = ("name", "operon", "chromosome", "start", "end", "strand")
    if "genes" not in files:
        return pd.DataFrame(columns=list(wanted), dtype="object")
    path = files["genes"]
    table = read_source(path, "genes", options)
    ids = unique_ids(table, roles["gene"], path)
    genes = pd.DataFrame(index=pd.Index(ids.to_numpy()))
    for role in wanted:
        name = roles[role]
        if name is None:
            genes[role] = None
            continue
        require_columns(table, [name], path)
        is_number = role in ("start", "end")
        values = numbers(table[name], path) if is_number else text(table[name])
        genes[role] = values.to_numpy()
    return genes


def _edges(
    files: Mapping[str, Path], ids: _Ids, options: Mapping[str, Any]
) -> tuple[pd.DataFrame | None, list[str]]:
    """Known edges `source, target` by gene id, one for each of a regulator's genes; and notes."""
    if "edges" not in files:
        return None, []
    roles = column_names(options["columns"], COLUMNS)
    read = read_options("edges", options)
    path = files["edges"]
    table, notes = read_links(path, str(roles["regulator"]), str(roles["target"]), **read)
    edges = pd.DataFrame(
        [
            (source, target)
            for a, b in zip(table["source"], table["target"], strict=True)
            for source in ids.of(a)
            for target in ids.of(b)
        ],
        columns=["source", "target"],
    )
    return edges.drop_duplicates(ignore_index=True), notes


class _Ids:
    """Gene ids of what a regulator or target is called: an id, a name, an alias, or several.

    A name that is written as in the table goes before one in another case.
    """

    def __init__(self, genes: pd.DataFrame, aliases: Mapping[str, str], path: Path | None) -> None:
        self.ids = set(genes.index)
        self.path = path
        named = genes["name"].dropna()
        self.by_name = named.index.to_series().groupby(named.to_numpy()).agg(list).to_dict()
        folded = named.str.lower().to_numpy()
        self.by_case = named.index.to_series().groupby(folded).agg(list).to_dict()
        self.aliases = {str(name): str(alias) for name, alias in aliases.items()}
        self.other_case: set[str] = set()

    def of(self, name: str) -> list[str]:
        """The ids, in the order given; an unknown name is its own id.

        DataError for a name that several genes have.
        """
        parts = map(str.strip, self.aliases.get(name, name).split(";"))
        return [self._id(part) for part in parts if part]

    def _id(self, name: str) -> str:
        if name in self.ids:
            return name
        found = self.by_name.get(name)
        if not found and (found := self.by_case.get(name.lower())):
            self.other_case.add(name)
        if found and len(found) > 1:
            raise DataError(
                f"{len(found)} genes are called {name}: {', '.join(found[:3])}",
                file=self.path,
                hint="use their ids, or write the name as the table does",
            )
        return found[0] if found else name

    @property
    def notes(self) -> list[str]:
        """How many names were found in another case."""
        count = len(self.other_case)
        return [f"{count} names of genes are written in another case"] if count else []


def _listed(files: Mapping[str, Path], ids: _Ids, options: Mapping[str, Any]) -> list[str]:
    """The ids of the source `regulators`, a table whose first column is read; empty without it."""
    if "regulators" not in files:
        return []
    table = read_source(files["regulators"], "regulators", options)
    names = text(table[table.columns[0]]).dropna()
    return [id for name in names for id in ids.of(name)]


def _candidates(
    files: Mapping[str, Path],
    ids: _Ids,
    measured: pd.Index,
    known: pd.DataFrame | None,
    options: Mapping[str, Any],
) -> pd.DataFrame:
    """All pairs of a regulator and another gene with expression that are not known edges."""
    regulators = [str(name) for name in options["only"]]
    regulators = regulators or _listed(files, ids, options)
    if not regulators and known is not None:
        regulators = known["source"].drop_duplicates().tolist()
    if not regulators:
        raise DataError(
            "Whose targets are wanted?",
            hint="give `only: [...]`, the source `regulators`, or known `edges`",
        )
    chosen = list(dict.fromkeys(part for name in regulators for part in ids.of(name)))
    unknown = [name for name in chosen if name not in measured]
    if len(unknown) == len(chosen):
        raise DataError(
            f"No regulator has expression, such as {unknown[0]}",
            file=files["expression"],
            hint="use the ids of the expression table, or names of the `genes` table",
        )
    pairs = pd.MultiIndex.from_product([chosen, measured], names=["source", "target"])
    pairs = pairs[pairs.get_level_values(0) != pairs.get_level_values(1)]
    if known is not None:
        pairs = pairs.difference(pd.MultiIndex.from_frame(known), sort=False)
    return pairs.to_frame(index=False)


def clean(raw: pd.DataFrame, options: dict[str, Any]) -> Cleaned:
    """Drop edges that cannot be learnt from, and draw other targets for each regulator.

    Negatives are genes that some other regulator is known to regulate: a gene of which nothing is
    known may well be a target. They are no proof that there is no edge.
    """
    options = complete_options(options, CLEAN, "clean")
    rules: dict[str, Any] = {
        "a gene without expression, or no gene": lambda s: ~s["measured"],
        "a regulator that is not in the list": lambda s: ~s["listed"],
        "a gene that regulates itself": lambda s: s["source"] == s["target"],
        "the same edge again": lambda s: s["sample_id"].duplicated(),
    }
    columns = ["sample_id", "group", "source", "target"]
    if "label" not in raw:
        samples, dropped = drop_rows(raw, rules)
        return Cleaned(samples[columns], dropped)
    rules["a regulator with fewer than min_targets targets"] = lambda s: (
        s.groupby("source")["target"].transform("size") < options["min_targets"]
    )
    samples, dropped = drop_rows(raw, rules)
    if samples.empty:
        counts = dropped["reason"].value_counts()
        raise DataError(
            f"No edge is left to learn from: {counts.iloc[0]} of {len(raw)} have {counts.index[0]}"
            if len(counts)
            else "There are no edges",
            hint="do edges and expression name genes alike? or lower `clean: min_targets`",
        )
    negatives = _negatives(samples, options)
    if negatives.empty:
        raise DataError(
            f"No pair without an edge can be drawn for {samples['source'].nunique()} regulator(s)",
            hint="they are targets of other regulators: give edges of several",
        )
    joined = pd.concat([samples, negatives], ignore_index=True)
    require_classes(joined)
    regulators, targets = samples["source"].nunique(), samples["target"].nunique()
    notes = [f"{len(samples)} edges of {regulators} regulators to {targets} genes"]
    wanted = options["negatives"] * len(samples)
    of_wanted = f" of {wanted}" if len(negatives) < wanted else ""
    notes.append(
        f"{len(negatives)}{of_wanted} pairs without a known edge drawn, regulator by regulator"
    )
    return Cleaned(joined[["sample_id", "label", *columns[1:]]], dropped, notes)


def _negatives(samples: pd.DataFrame, options: Mapping[str, Any]) -> pd.DataFrame:
    """`negatives` times as many targets for each regulator, drawn from those of the others."""
    rng = np.random.default_rng(options["seed"])
    by_regulator = bool((samples["group"] == samples["source"]).all())
    operon = samples.drop_duplicates("target").set_index("target")["group"].sort_index()
    tables = []
    for regulator, edges in samples.groupby("source"):
        others = operon.index.difference([*edges["target"], str(regulator)])
        count = min(len(others), options["negatives"] * len(edges))
        chosen = rng.choice(others.to_numpy(dtype=str), count, replace=False)
        group = regulator if by_regulator else operon[chosen].to_numpy()
        table = {"source": regulator, "target": chosen, "label": NO_EDGE, "group": group}
        tables.append(pd.DataFrame(table))
    drawn = pd.concat(tables, ignore_index=True)
    return drawn.assign(sample_id=drawn["source"] + "|" + drawn["target"])


def inputs(table: pd.DataFrame) -> list[str]:
    """The promoters of the nodes."""
    return table["sequence"].tolist()


def defaults(task: dict[str, Any]) -> dict[str, Any]:
    """A graph network with a kernel on expression and, with a genome, on promoters."""
    knockouts = ["knockout"] if "knockouts" in task["datasets"]["training"] else []
    pairs = ["correlation", "strength", "tempered_clr", *knockouts]
    network = {"profile": True, "context": 10, "pairs": pairs}
    gnn = {"name": "gnn", "width": 32, "weight_decay": 0.1, "hide": 1.0}
    letters = {"embedder": "kmer", "k": 4, "alphabet": "dna"}
    genome = "genome" in task["datasets"]["training"]
    features = letters if genome else {"embedder": "table", "columns": []}
    linear = {"name": "logistic_regression"}

    def alone(*pair: str) -> dict[str, Any]:
        pairs = {"embedder": "table", "columns": [], "network": {"pairs": [*pair]}}
        return {"features": pairs, "model": linear}

    return {
        "features": features | {"network": network},
        "model": {"name": "ensemble", "of": [gnn, {"name": "target_kernel"}]},
        "baselines": {
            **({} if "model" in task else {"gnn": {"model": gnn}}),
            "degree": {"model": {"name": "degree"}},
            "neighbours": {
                "features": {"embedder": "table", "columns": [], "network": {"profile": True}},
                "model": {"name": "neighbours"},
            },
            "correlation": alone("strength"),
            "clr": alone("clr"),
            **({"knockout": alone("strength", "knockout")} if knockouts else {}),
        },
    }


application = Application(
    kinds=("links",),
    noun="pairs",
    ingest=ingest,
    clean=clean,
    inputs=inputs,
    links=True,
    sources=("expression",),
    optional_sources=("edges", "genes", "genome", "regulators", "knockouts"),
    training_sources=("edges",),
    knowledge=("genes", "genome", "regulators"),
    measures=("ends",),
    directed=True,
    tables=dict.fromkeys(("edges", "genes", "regulators", "knockouts"), READ_OPTIONS)
    | {"expression": MATRIX_OPTIONS},
    options=OPTIONS,
    columns=COLUMNS,
    clean_options=CLEAN,
    defaults=defaults,
)
