"""Structure of proteins from their sequence: secondary structure, or distances and coordinates.

Sources, one of them: `sequences` (FASTA), `structures` (a PDB or mmCIF file or a folder of them),
`chains` (the npz of data/protein_structure); `states` (FASTA of secondary structure by the same
ids) labels sequences, or takes the place of what was assigned to structures.
Samples: `sample_id, group, sequence` with `label.residues` or `label.coordinates`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.errors import DataError
from bioloom.files import file_names, join_texts
from bioloom.formats.chains import Chain, read_chains
from bioloom.formats.columns import no_partner
from bioloom.formats.fasta import read_fasta
from bioloom.formats.residues import AMBIGUOUS, standard_sequences
from bioloom.formats.structures import read_structures, write_trace
from bioloom.options import Option, complete_options
from bioloom.samples import COORDINATES, RESIDUE_LABELS, Cleaned, Raw, write_table
from bioloom.samples.cleaning import LENGTHS, drop_rows, sequence_rules
from bioloom.structures.distances import square
from bioloom.structures.folding import confidence, fold

SOURCES = ("sequences", "structures", "chains")
# DSSP's eight states (Kabsch & Sander 1983), and "-" and "P" of other writers for what is C here.
STATES = "HGIEBTSC"
COIL = str.maketrans("-P~", "CCC")
THREE = str.maketrans("HGIEBTSC", "HHHEECCC")
TARGETS = ("three_states", "eight_states", "distances")
OPTIONS: dict[str, Any] = {}
CLEAN: dict[str, Any] = {
    **LENGTHS,
    "target": Option(
        "three_states",
        about="three_states: helix H (H, G, I of DSSP), strand E (E, B), else C; eight_states: "
        "those of DSSP; distances: of C-betas, for contacts and coordinates",
    ),
    "max_samples": Option(None, about="so many at random, for a first look or a small machine"),
}
SEED = 1


def ingest(files: dict[str, Path], options: dict[str, Any]) -> Raw:
    """Raw samples `sample_id, sequence, group`, and `label.residues` where they are known."""
    complete_options(options, OPTIONS, "datasets")
    given = [source for source in SOURCES if source in files]
    if len(given) != 1:
        raise DataError(
            f"Expected one of the sources {', '.join(SOURCES)}, got {', '.join(given) or 'none'}",
            hint="`states` goes with sequences or structures",
        )
    source, path = given[0], files[given[0]]
    notes: list[str] = []
    if source == "sequences":
        records = read_fasta(path)
        samples = pd.DataFrame(
            {"sample_id": [r.id for r in records], "sequence": [r.sequence for r in records]},
            index=pd.Index([r.row for r in records]),
        )
        samples["sequence"] = standard_sequences(samples["sequence"], path)
    else:
        if source == "structures":
            chains, notes = read_structures(path)
        else:
            chains = read_chains(path)
        samples = _table(chains)
        if source == "structures" and "states" not in files:
            notes.append("Secondary structure was assigned by P-SEA from C-alphas, not by DSSP")
    if "states" in files:
        samples, left_out = _with_states(samples, files["states"])
        notes += left_out
    samples["group"] = samples["sample_id"]
    return Raw(samples.reset_index(drop=True), notes)


def _table(chains: list[Chain]) -> pd.DataFrame:
    columns = {"sample_id": "name", "sequence": "sequence", RESIDUE_LABELS: "states"}
    table = {name: [getattr(c, key) for c in chains] for name, key in columns.items()}
    points = [np.hstack([c.ca, c.cb]).astype(np.float32).ravel() for c in chains]
    return pd.DataFrame({**table, COORDINATES: points})


def _with_states(samples: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, list[str]]:
    """The samples that have states in the FASTA, with them, and a note on the others."""
    known = dict(zip(samples["sample_id"], samples["sequence"], strict=True))
    states: dict[str, str] = {}
    records = read_fasta(path)
    for record in records:
        text = record.sequence.upper().translate(COIL)
        if record.id not in known:
            continue
        if unknown := sorted(set(text) - set(STATES)):
            raise DataError(
                f"{unknown[0]!r} at position {text.index(unknown[0]) + 1} of {record.id} is no "
                "state of secondary structure",
                file=path,
                row=record.row,
                hint=f"states are {', '.join(STATES)}, or - for C",
            )
        if len(text) != len(known[record.id]):
            raise DataError(
                f"{record.id} has {len(text)} states for {len(known[record.id])} residues",
                file=path,
                row=record.row,
                hint="a state for each residue; C or - where there is none",
            )
        states[record.id] = text
    if not states:
        ids = pd.Series([record.id for record in records])
        raise no_partner("It has none of the sequences' ids", samples["sample_id"], ids, path)
    without = ~samples["sample_id"].isin(list(states))
    notes = [f"{without.sum()} sequences without states are left out"] if without.any() else []
    samples = samples[~without]
    return samples.assign(**{RESIDUE_LABELS: samples["sample_id"].map(states)}), notes


def clean(raw: pd.DataFrame, options: dict[str, Any]) -> Cleaned:
    """Drop what cannot be learnt from, with the reasons counted, and choose the label.

    New data keep their copies: each record of the user's file is to get a prediction.
    """
    options = complete_options(options, CLEAN, "clean")
    if options["target"] not in TARGETS:
        raise DataError(f"`clean: target` is one of {', '.join(TARGETS)}: {options['target']!r}")
    label = COORDINATES if options["target"] == "distances" else RESIDUE_LABELS
    labelled = label in raw
    rules = {**sequence_rules(options, AMBIGUOUS, "residues", labelled=labelled)}
    if RESIDUE_LABELS in raw and not labelled:
        raise DataError(
            "`clean: target: distances` needs coordinates, got states only",
            hint="train on `structures` or `chains`",
        )
    if labelled:
        rules["duplicate sequence"] = lambda s: s["sequence"].duplicated()
        rules["beyond max_samples"] = lambda s: ~_chosen(s, options["max_samples"])
    samples, dropped = drop_rows(raw, rules)
    columns = ["sample_id", "group", "sequence"]
    if labelled:
        samples = labels(samples, options)
        columns.insert(1, label)
    return Cleaned(samples[columns], dropped)


def labels(samples: pd.DataFrame, options: dict[str, Any]) -> pd.DataFrame:
    """The samples with states as `clean: target` asks for them: three in place of DSSP's eight."""
    options = complete_options(options, CLEAN, "clean")
    if options["target"] != "three_states" or RESIDUE_LABELS not in samples:
        return samples
    return samples.assign(**{RESIDUE_LABELS: samples[RESIDUE_LABELS].str.translate(THREE)})


def _chosen(samples: pd.DataFrame, size: int | None) -> pd.Series:
    order = np.random.default_rng(SEED).permutation(len(samples))
    return pd.Series(order < (len(samples) if size is None else size), index=samples.index)


def inputs(samples: pd.DataFrame) -> list[str]:
    """The sequences."""
    return samples["sequence"].tolist()


def write(
    samples: pd.DataFrame,
    predictions: pd.DataFrame,
    files: dict[str, Path],
    folder: Path,
    options: dict[str, Any],
) -> None:
    """Chains with their states (states.fasta), or structures as mmCIF and PDB, two files a chain.

    A structure is a C-alpha trace; its B-factor is the confidence of `folding.confidence`. What
    its files are called stands in index.csv: `sample_id, name`.
    """
    sequences = dict(zip(samples["sample_id"], samples["sequence"], strict=True))
    predicted = predictions[predictions["sample_id"].isin(list(sequences))]
    chains = predicted.groupby("sample_id", sort=False)
    if "contact" not in predictions:
        lines = [f">{name}\n{sequences[name]}\n{''.join(r['prediction'])}\n" for name, r in chains]
        (folder / "states.fasta").write_text("".join(lines))
        return
    index = pd.DataFrame({"sample_id": predicted["sample_id"].unique()})
    index["name"] = file_names(index["sample_id"].tolist())
    named = dict(zip(index["sample_id"], index["name"], strict=True))
    write_table(index, folder / "index.csv")
    for name, rows in chains:
        length = len(sequences[name])
        distance, spread = (square(rows[c].to_numpy(float), length) for c in ("distance", "spread"))
        (trace,) = fold([distance], [spread])
        write_trace(trace, sequences[name], confidence(distance, spread), folder / named[name])


def join(folders: list[Path], folder: Path) -> None:
    """The states, or the index, of all parts in one file, and their structures beside it."""
    for name, header in {"states.fasta": False, "index.csv": True}.items():
        if parts := [part / name for part in folders if (part / name).exists()]:
            join_texts(parts, folder / name, header=header)
    for part in folders:
        for file in part.iterdir():
            if file.name in ("states.fasta", "index.csv"):
                continue
            if (folder / file.name).exists():
                message = f"Structures of two parts are called {file.name}"
                raise DataError(message, hint="their ids differ by upper and lower case alone")
            shutil.copy2(file, folder)


def defaults(task: dict[str, Any]) -> dict[str, Any]:
    """A convolutional network on UniRep; of states also each residue by itself."""
    features = {"embedder": "unirep", "size": 256, "pooling": "tokens"}
    of_pairs = task.get("kind") == "residue_pairs"
    if of_pairs or task.get("clean", {}).get("target") == "distances":
        return {"features": features, "model": {"name": "distance_cnn"}}
    letters = {"embedder": "one_hot", "pooling": "tokens"}
    linear = {"name": "logistic_regression"}
    return {
        "features": features,
        "model": {"name": "cnn"},
        "baselines": {"residue_frequencies": {"features": letters, "model": linear}},
    }


application = Application(
    kinds=("residues", "residue_pairs"),
    noun="chains",
    ingest=ingest,
    clean=clean,
    inputs=inputs,
    sources=(),
    optional_sources=(*SOURCES, "states"),
    measures=("sequence",),
    alphabet="protein",
    divided={"sequences": ()},
    write=write,
    join=join,
    labels=labels,
    options=OPTIONS,
    clean_options=CLEAN,
    defaults=defaults,
)
