"""A genome from short reads: what the k-mer spectrum leaves in doubt is corrected, then assembled.

Sources: `reads` (a sample sheet of one sample's lanes, which are trimmed), or `reads_1` and
`reads_2` (FASTQ of both mates as it is; `reads_1` alone for single reads), or `genome` (FASTA) with
the option `simulate`; `reference` (FASTA) to compare the assembly with.
Samples: `sample_id, group, sequence` (a read), `text.evidence`, and `label.residues` where the data
set is one to learn from (`examples`): reads of its own whose errors were put there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bioloom.application import Application
from bioloom.errors import DataError
from bioloom.files import write_json
from bioloom.options import Option, complete_options
from bioloom.privacy.samples import shown
from bioloom.samples import RESIDUE_LABELS, Cleaned, Raw
from bioloom.samples.cleaning import drop_rows

if TYPE_CHECKING:
    from bioloom.reads.assembly.assemble import Contigs
    from bioloom.reads.learning import Proposal
    from bioloom.reads.sequences import Reads
    from bioloom.reads.simulate import Pairs

EVIDENCE = "text.evidence"
OWN = "own"
OPTIONS: dict[str, Any] = {
    "examples": Option(
        None,
        type=int,
        minimum=1,
        about="reads to learn from, of a data set to train on",
        of="labels",
    ),
    "max_reads": Option(
        5000,
        minimum=1,
        about="of the reads in doubt; the others stay as the spectrum corrects them",
    ),
    "assembler": Option(OWN, choices=(OWN, "megahit", "spades"), about="own, or a program on PATH"),
    "simulate": Option(None, type=dict, about="reads of `genome` are simulated", of="rows"),
    "not_identifiers": Option(
        [],
        about="`[sample]` where names in the sheet only look like those of persons",
        of="rows",
    ),
}
SIMULATE: dict[str, Any] = {
    "depth": Option(30.0, type=float, above=0, about="reads over a base"),
    "error_rate": Option(0.003, type=float, minimum=0, maximum=0.2, about="wrong letters a base"),
    "seed": Option(1, minimum=0, about="of the draw"),
    "start": Option(1, minimum=1, about="where the part of the first record begins, from 1"),
    "length": Option(
        None,
        type=int,
        minimum=1,
        about="bases of the part; to the end of the record where it is not said",
    ),
}
CLEAN: dict[str, Any] = {}
SEED = 1
FEWEST = 1000  # bases to simulate reads of


@contextmanager
def fastq_files(files: dict[str, Path], options: dict[str, Any]) -> Iterator[list[list[Path]]]:
    """The FASTQ files of each lane; those that are simulated are there inside the block alone."""
    mates = [files[name] for name in ("reads_1", "reads_2") if name in files]
    simulated = options["simulate"] is not None
    if (
        simulated != ("genome" in files)
        or [simulated, bool(mates), "reads" in files].count(True) != 1
    ):
        got = ", ".join([*files, *["simulate"] * simulated]) or "none"
        raise DataError(
            "Expected `reads`, or `reads_1` and `reads_2`, or `genome` with `simulate`, got " + got
        )
    if mates and "reads_1" not in files:
        raise DataError("`reads_2` goes with `reads_1`", hint="single reads are `reads_1`")
    if not simulated:
        yield [mates] if mates else _lanes(files["reads"])
        return
    from bioloom.reads.simulate import write_fastq

    with TemporaryDirectory(prefix="bioloom-reads-") as folder:
        paths = [Path(folder) / f"simulated_{mate}.fastq.gz" for mate in (1, 2)]
        write_fastq(simulated_pairs(files["genome"], options["simulate"]), *paths)
        yield [paths]


def _lanes(sheet: Path) -> list[list[Path]]:
    """The FASTQ files of each row of a sample sheet, which is of one sample."""
    from bioloom.formats.sample_sheet import read_sheet

    lanes = read_sheet(sheet)
    if len(names := sorted({lane.sample for lane in lanes})) > 1:
        raise DataError(
            f"An assembly is of one sample, and here are {shown(names)}",
            file=sheet,
            hint="a sheet and a data set for each",
        )
    if any(not lane.fastq for lane in lanes):
        raise DataError("Expected FASTQ, got aligned reads", file=sheet, column="bam")
    return [list(map(Path, lane.fastq)) for lane in lanes]


def simulated_genome(genome: Path, options: dict[str, Any]) -> np.ndarray:
    """The codes of the bases that reads are simulated of; unknown ones are left out."""
    from bioloom.formats.fasta import read_fasta
    from bioloom.reads.sequences import encode

    record = read_fasta(genome)[0]
    first = options["start"] - 1
    last = None if options["length"] is None else first + options["length"]
    codes = encode(record.sequence[first:last])
    codes = codes[codes < 4]
    if len(codes) < FEWEST:
        message = f"{len(codes)} bases of {record.id} are too few to simulate reads of"
        raise DataError(message, file=genome, hint="look at `start` and `length`")
    return codes


def simulated_pairs(genome: Path, options: dict[str, Any]) -> Pairs:
    """The pairs of reads that `simulate` asks for."""
    from bioloom.reads.simulate import profile_of, simulate_pairs

    options = complete_options(options, SIMULATE, "simulate")
    rng, profile = np.random.default_rng(options["seed"]), profile_of(options["error_rate"])
    return simulate_pairs([simulated_genome(genome, options)], options["depth"], rng, profile)


def ingest(files: dict[str, Path], options: dict[str, Any]) -> Raw:
    """Reads to learn from, or the reads in doubt; notes tell what the spectrum shows.

    DataError also for mates that are out of step: the names of all pairs are compared.
    """
    from bioloom.formats.fastq import check_fastq
    from bioloom.reads.assembly.others import version_of
    from bioloom.reads.lanes import load
    from bioloom.reads.learning import propose

    options = complete_options(options, OPTIONS, "datasets")
    if options["assembler"] != OWN:
        version_of(options["assembler"])  # before an hour of work
    with fastq_files(files, options) as lanes:
        for mates in lanes:
            for found in check_fastq(mates):
                if found.quality_offset != 33:
                    raise DataError(
                        "Qualities of Phred+64 are converted where reads are trimmed",
                        file=found.file,
                        hint="give them in a sheet: `reads: sheet.csv`",
                    )
        reads, first = load(lanes)
        adapters = _adapters(lanes) if "reads_1" in files else []
    proposal = propose(reads)
    notes = _notes(reads, proposal, simulated=options["simulate"] is not None) + adapters
    if options["examples"] is not None:
        return Raw(_examples(reads, proposal, options["examples"]), notes)
    weak = np.flatnonzero(proposal.weak)
    if len(weak) > options["max_reads"]:
        notes.append(f"Of {len(weak)} reads in doubt {options['max_reads']} are samples")
        weak = np.sort(np.random.default_rng(SEED).permutation(weak)[: options["max_reads"]])
    if not len(weak):
        # The longest read stands for all: a data set is not empty.
        weak = np.array([np.argmax(np.diff(reads.offsets))])
    return Raw(_doubtful(reads, proposal, weak, first), notes)


def _notes(reads: Reads, proposal: Proposal, *, simulated: bool) -> list[str]:
    spectrum = proposal.spectrum
    n = len(reads.offsets) - 1
    changed = int((proposal.reads.codes != reads.codes).sum())
    return ["The reads are simulated"] * simulated + [
        f"{n} reads, {len(reads.codes)} letters",
        f"By the {spectrum.k}-mer spectrum: genome of {spectrum.genome_size} bases, k-mer coverage "
        f"{spectrum.coverage:.1f}, heterozygosity {spectrum.heterozygosity:.4f}; "
        f"k-mers are solid from {spectrum.threshold} on",
        f"The spectrum changed {changed} letters ({changed / max(len(reads.codes), 1):.2%}); "
        f"{int(proposal.weak.sum())} reads stay in doubt",
    ]


def _adapters(lanes: list[list[Path]]) -> list[str]:
    """A note where reads that nobody trims have adapters."""
    from bioloom.reads.survey import survey

    kits = sorted({found.kit for found in map(survey, lanes) if found.kit})
    told = f"Adapters ({', '.join(kits)}) are in the reads; a sample sheet, `reads`, trims them"
    return [told] if kits else []


def _examples(reads: Reads, proposal: Proposal, count: int) -> pd.DataFrame:
    from bioloom.reads.assembly.places import NOWHERE
    from bioloom.reads.learning import draw_examples
    from bioloom.reads.regions import regions
    from bioloom.reads.sequences import decode

    region = regions(proposal.reads)
    rng = np.random.default_rng(SEED)
    found = draw_examples(reads, proposal, region != NOWHERE, count, rng)
    return pd.DataFrame(
        {
            "sample_id": [f"{example.replicate}:{example.read + 1}" for example in found],
            "group": [f"region_{region[example.read]}" for example in found],
            RESIDUE_LABELS: [decode(example.truth) for example in found],
            "sequence": [decode(example.letters) for example in found],
            EVIDENCE: [example.evidence for example in found],
        }
    )


def _doubtful(
    reads: Reads, proposal: Proposal, chosen: np.ndarray, first: np.ndarray
) -> pd.DataFrame:
    """The reads at places `chosen`, called <file>:<record>; `first` are those that begin a file."""
    from bioloom.reads.evidence import describe
    from bioloom.reads.sequences import decode

    bounds = reads.offsets
    file = np.searchsorted(first, chosen, side="right")
    record = chosen - first[file - 1] + 1
    ids = [f"{a}:{b}" for a, b in zip(file, record, strict=True)]
    return pd.DataFrame(
        {
            "sample_id": ids,
            "group": ids,
            "sequence": [decode(reads.codes[bounds[i] : bounds[i + 1]]) for i in chosen],
            EVIDENCE: describe(reads, proposal.reads, chosen),
        }
    )


def clean(raw: pd.DataFrame, options: dict[str, Any]) -> Cleaned:
    """All samples: ingest took those that there is something to say of."""
    complete_options(options, CLEAN, "clean")
    return Cleaned(*drop_rows(raw, {}))


def inputs(samples: pd.DataFrame) -> list[str]:
    """The evidence of each read, as text."""
    return samples[EVIDENCE].tolist()


def write(
    samples: pd.DataFrame,
    predictions: pd.DataFrame,
    files: dict[str, Path],
    folder: Path,
    options: dict[str, Any],
) -> None:
    """Corrected reads (FASTQ, with a log of the changes), contigs, graph, and their figures.

    A letter that the model changed is taken where the read is like the training data.
    """
    from bioloom import __version__
    from bioloom.reads.assembly.assemble import assemble
    from bioloom.reads.assembly.others import assemble_by, version_of
    from bioloom.reads.assembly.write import write_assembly
    from bioloom.reads.corrected import file_of, write_corrected
    from bioloom.reads.lanes import load, mates_of
    from bioloom.reads.learning import propose

    options = complete_options(options, OPTIONS, "datasets")
    with fastq_files(files, options) as lanes:
        reads, first = load(lanes)
        proposal = propose(reads)
        spectrum, final, by_model = corrected(proposal, first, predictions)
        total = write_corrected(sum(lanes, []), reads, spectrum, final, folder)
    if options["assembler"] == OWN:
        assembly: Contigs = assemble(final, mates=mates_of(lanes, reads, first))
        by = f"bioloom {__version__}"
    else:
        number = iter(range(1, 1 + sum(map(len, lanes))))
        written = [[file_of(folder, next(number)) for _ in mates] for mates in lanes]
        assembly = assemble_by(options["assembler"], written, folder)
        by = version_of(options["assembler"])
    report: dict[str, Any] = {
        "reads": len(reads.offsets) - 1,
        "simulated": options["simulate"] is not None,
        "assembled_by": by,
        "correction": {
            "decision": "apply" if by_model else "abstain",
            "letters_changed": total,
            "letters_changed_by_the_spectrum_alone": int((spectrum.codes != reads.codes).sum()),
            "letters_changed_by_the_autoencoder": by_model,
            "reads_in_doubt_after_the_spectrum": int(proposal.weak.sum()),
        },
    }
    if options["simulate"] is not None:
        stages = {"spectrum": proposal.reads, "spectrum_equal_rounds": spectrum}
        gains = _gains(reads, stages | {"autoencoder": final}, files["genome"], options)
        report["gain_against_simulated_truth"] = gains
    reference = _reference(files, options)
    figures = write_assembly(assembly, reads, proposal.spectrum, reference, folder)
    write_json(report | figures, folder / "assembly.json")


def corrected(
    proposal: Proposal, first: np.ndarray, predictions: pd.DataFrame
) -> tuple[Reads, Reads, int]:
    """The reads by the spectrum alone, those by the model too, and how many letters it changed.

    Reads unlike the training data, and those without an answer, stay as the spectrum has them;
    `first` are the reads that begin a file.
    """
    from bioloom.reads.learning import correct_again
    from bioloom.reads.sequences import encode

    said = predictions[~predictions["out_of_distribution"].astype(bool)]
    said = said[said["prediction"].notna()]
    number = said["sample_id"].str.extract(r"(\d+):(\d+)").astype(np.int64)
    read = first[number[0].to_numpy() - 1] + number[1].to_numpy() - 1
    proposed = proposal.reads
    at = proposed.offsets[read] + said["position"].to_numpy(np.int64) - 1
    codes = proposed.codes.copy()
    codes[at] = encode("".join(said["prediction"]))
    by_model = int((codes != proposed.codes).sum())
    spectrum = correct_again(proposed)
    final = correct_again(proposed._replace(codes=codes)) if by_model else spectrum
    return spectrum, final, by_model


def _reference(files: dict[str, Path], options: dict[str, Any]) -> dict[str, str] | None:
    """What to compare an assembly with: a file, what was simulated of, or nothing."""
    from bioloom.formats.fasta import read_fasta
    from bioloom.reads.sequences import decode

    if "reference" in files:
        return {record.id: record.sequence.upper() for record in read_fasta(files["reference"])}
    if options["simulate"] is None:
        return None
    asked = complete_options(options["simulate"], SIMULATE, "simulate")
    return {"simulated": decode(simulated_genome(files["genome"], asked))}


def _gains(
    reads: Reads, stages: dict[str, Reads], genome: Path, options: dict[str, Any]
) -> dict[str, float]:
    """(TP - FP) / (TP + FN) of each stage; without correction it is 0."""
    truth = simulated_pairs(genome, options["simulate"]).truth
    # The first mates come before the second ones, as in the files.
    right = truth.swapaxes(0, 1).ravel()
    errors = max(int((reads.codes != right).sum()), 1)
    gains = {name: 1 - int((r.codes != right).sum()) / errors for name, r in stages.items()}
    return {"none": 0.0} | gains


def defaults(task: dict[str, Any]) -> dict[str, Any]:
    """The autoencoder on the evidence of k-mers, beside the spectrum alone."""
    return {
        "features": {"embedder": "read_evidence"},
        "model": {"name": "denoising_autoencoder"},
        "baselines": {"spectrum": {"model": {"name": "spectrum"}}},
    }


application = Application(
    kinds=("letters",),
    noun="reads",
    ingest=ingest,
    clean=clean,
    inputs=inputs,
    sources=(),
    optional_sources=("reads", "reads_1", "reads_2", "genome", "reference"),
    training_options=frozenset({"examples"}),
    reads="trimmed",
    measures=("sequence",),
    alphabet="dna",
    write=write,
    shown="assembly",
    options=OPTIONS,
    clean_options=CLEAN,
    defaults=defaults,
)
