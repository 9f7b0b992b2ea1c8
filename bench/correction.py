"""Correction gain on simulated reads of a real genome: spectrum, autoencoder and BayesHammer.

`python -m bench.correction genome.fasta --depth 30 10 --error 0.003 0.015 --seed 1 2` prints a row
of a table each: (TP - FP) / (TP + FN) of letters against the truth, and CPU seconds, one thread.
The autoencoder is trained on the same reads as `tasks/ecoli_assembly.yaml` does it; the spectrum
has as many rounds. BayesHammer is that of SPAdes, where it is on PATH: a read that it drops or cuts
counts as it was. With `--flat` errors fall evenly over all letters, and qualities tell nothing;
with `--art` the reads are those of ART, where it is on PATH.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml
from pysam import FastxFile

from bench.art import art_pairs
from bench.assembly import measured
from bioloom.applications.genome_assembly import application, corrected, simulated_genome
from bioloom.features.extract import extract_features
from bioloom.fitted import Fitted
from bioloom.metrics.correction import correction_scores
from bioloom.pipeline.home import HOME
from bioloom.predictions.predict import predict
from bioloom.reads.lanes import load
from bioloom.reads.learning import correct_again, propose
from bioloom.reads.sequences import encode
from bioloom.reads.simulate import Pairs, profile_of, simulate_pairs, write_fastq
from bioloom.splits.split import split_samples
from bioloom.training.train import train_task

TASK = HOME / "tasks/ecoli_assembly.yaml"
SEED = 1
METHODS = ("spectrum", "autoencoder", "bayeshammer")
SPADES = "spades.py"
FLAT = (30,)  # Phred, of all letters


def main() -> None:
    """Print as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("genome", type=Path, help="FASTA, of which the first record is taken")
    parser.add_argument("--depth", type=float, nargs="+", default=[30.0, 10.0])
    parser.add_argument("--error", type=float, nargs="+", default=[0.003, 0.015])
    parser.add_argument("--length", type=int, default=300_000, help="bases of the genome")
    parser.add_argument("--start", type=int, default=1_000_001, help="the first of them, from 1")
    parser.add_argument("--seed", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--flat", action="store_true", help="errors whatever quality and place")
    parser.add_argument("--art", action="store_true", help="reads of ART, another simulator")
    asked = parser.parse_args()
    genome = simulated_genome(asked.genome, {"start": asked.start, "length": asked.length})
    methods = [name for name in asked.only if name != "bayeshammer" or shutil.which(SPADES)]
    print(f"| depth | errors | seed | {' | '.join(methods)} | CPU seconds |")
    print("|---" * (len(methods) + 4) + "|")
    for depth, error, seed in product(asked.depth, asked.error, asked.seed):
        profile = profile_of(error)
        if asked.flat:
            profile = profile._replace(qualities=FLAT)
        if asked.art:
            pairs = art_pairs(genome, depth, error, seed)
        else:
            pairs = simulate_pairs([genome], depth, np.random.default_rng(seed), profile)
        gains, seconds = zip(*(gain_of(name, pairs) for name in methods), strict=True)
        told = " | ".join(f"{gain:.4f}" for gain in gains)
        took = ", ".join(f"{each:.0f}" for each in seconds)
        print(f"| {depth:g} | {error:g} | {seed} | {told} | {took} |", flush=True)


def gain_of(method: str, pairs: Pairs) -> tuple[float, float]:
    """The gain of a method of this file, in a process of its own, and its CPU seconds."""
    with TemporaryDirectory() as folder:
        files = [Path(folder, f"reads_{mate}.fastq.gz") for mate in (1, 2)]
        made = Path(folder, "corrected.npy")
        write_fastq(pairs, *files)
        code = f"import sys; from bench.correction import {method}; {method}(*sys.argv[1:])"
        seconds, _ = measured([sys.executable, "-c", code, *map(str, files), str(made)])
        after = np.load(made)
    # The first mates come before the second ones, as in the files.
    read, right = (letters.swapaxes(0, 1) for letters in (pairs.letters, pairs.truth))
    wrong = (read != right).ravel(), (after.reshape(read.shape) != right).ravel()
    return float(correction_scores(*wrong, np.ones(right.size))["gain"]), seconds


def spectrum(first: str, second: str, made: str) -> None:
    """Write the letters that the k-mer spectrum makes of the reads."""
    reads, _ = load([[Path(first), Path(second)]])
    np.save(made, correct_again(propose(reads).reads).codes)


def autoencoder(first: str, second: str, made: str) -> None:
    """Write those that a task makes of them whose network learns from the same reads."""
    files = {"reads_1": Path(first), "reads_2": Path(second)}
    task = yaml.safe_load(TASK.read_text())
    features = application.defaults(task)["features"]
    examples, doubtful = (
        application.clean(application.ingest(files, options).samples, {}).samples
        for options in ({"examples": task["datasets"]["training"]["examples"]}, {})
    )
    learnt, asked = (
        extract_features(rows, application, features)[0] for rows in (examples, doubtful)
    )
    splits = split_samples(examples, task["split"], SEED)
    options = {"application": task["application"], "preprocess": {}}
    options["model"] = application.defaults(task)["model"]
    fitted, *_ = train_task(examples, splits, {"features": learnt}, options, SEED, [])
    with TemporaryDirectory() as folder:
        fitted.save(model := Path(folder, "model"))
        answers = predict(doubtful, asked, Fitted.load(model), first)
    reads, begins = load([[Path(first), Path(second)]])
    _, final, _ = corrected(propose(reads), begins, answers)
    np.save(made, final.codes)


def bayeshammer(first: str, second: str, made: str) -> None:
    """Write those of SPAdes; reads are known by their numbers and mates."""
    reads, _ = load([[Path(first), Path(second)]])
    letters = reads.codes.reshape(2, -1, reads.offsets[1])
    with TemporaryDirectory() as folder:
        command = [SPADES, "--only-error-correction", "--phred-offset", "33", "-t", "1"]
        subprocess.run([*command, "-1", first, "-2", second, "-o", folder], check=True)
        for file in Path(folder, "corrected").glob("*.fastq.gz"):
            for record in FastxFile(str(file)):  # its lines with + say more than those with @
                number, mate = str(record.name).removeprefix("simulated.").split("/")
                if len(str(record.sequence)) == letters.shape[2]:
                    letters[int(mate) - 1, int(number)] = encode(str(record.sequence))
    np.save(made, letters)


if __name__ == "__main__":
    main()
