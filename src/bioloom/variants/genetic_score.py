"""The polygenic score of a data set's persons, as a column beside their other features.

Sources: `genotypes` (a VCF, gVCF or BCF, or a folder of them, one a chromosome or one a person),
`score` (a scoring file of the PGS Catalog), and perhaps `reference` (FASTA) and `callable` (BED).
The sum is no risk by itself: it is a number that a model may use. With `group_scores`, the sums of
a reference group that the task names, it is the percentile among them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bioloom.errors import DataError
from bioloom.formats.builds import LENGTHS, build_called, builds_of, plain
from bioloom.formats.columns import numbers, places, require_columns
from bioloom.formats.intervals import read_windows
from bioloom.formats.pgs import Score, read_score
from bioloom.formats.table import read_table
from bioloom.formats.vcf import opened, samples_of
from bioloom.options import Option
from bioloom.privacy.actions import pseudonyms
from bioloom.privacy.small_cells import FEWEST_PERSONS, count_shown
from bioloom.variants.regions import joined
from bioloom.variants.score_alleles import ABSENT, AMBIGUOUS, LIKE_REFERENCE, NO_BASE, STATES

if TYPE_CHECKING:
    from bioloom.variants.polygenic import Sums
    from bioloom.variants.reference import Reference

GROUP = "group_scores"
SOURCES = ("genotypes", "score", "reference", "callable", GROUP)
KNOWLEDGE = ("score", "reference", GROUP)
OPTIONS: dict[str, Any] = {
    "genotype_build": Option(
        None, type=str, choices=tuple(LENGTHS), about="of the genotypes, where their header is mute"
    ),
    "min_match": Option(
        0.75,
        type=float,
        minimum=0,
        maximum=1,
        about="share of the score's rows, and of its weight, that each person must have",
    ),
    "missing_genotype": Option(
        "mean",
        choices=("mean", "zero"),
        about="what a missing one adds: what it does on average, or nothing",
    ),
    "dosage": Option(
        "GT", choices=("GT", "DS"), about="field that counts: called alleles, or their expectation"
    ),
    "weights": Option(
        None,
        type=str,
        choices=("ratios", "logarithms"),
        about="what the score's weights are, where its header does not say",
    ),
    "reference_group": Option(
        None, type=str, about="whose sums `group_scores` are, such as `controls of the cohort`"
    ),
    "match": Option(
        "position", choices=("position", "rsid"), about="by what variants of the score are found"
    ),
}
BLOCK = "genetic."
SUM = "sum"  # the column of `group_scores`
SMALLEST_GROUP = 100  # persons among whom a percentile is one
NO_GROUP = "The sum of a polygenic score is no risk, and no percentile: no reference group is named"
VCF = (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
ROUNDING = 1e-9


def read_genetic_score(
    files: Mapping[str, Path],
    patients: pd.Series,
    options: Mapping[str, Any],
    *,
    coded: bool = False,
) -> tuple[pd.DataFrame, list[str]]:
    """The column `genetic.<pgs_id>` of the rows' patients, empty where one has no genotypes.

    With `group_scores` it is `genetic.<pgs_id>_percentile`, from 0 to 100.
    The `patients` may be `coded`, as pseudonyms of what the genotypes call them.
    And notes on what was used and left out, in counts. DataError for positions of another build,
    and where a person has less than `min_match` of the score's rows, or of its weight.
    """
    # With numba, which tables without genotypes have no use for.
    from bioloom.variants.polygenic import Scorer
    from bioloom.variants.reference import Reference

    if lacking := {"genotypes", "score"} - {*files}:
        given = ", ".join(name for name in SOURCES if name in files)
        raise DataError(f"{given} without the source {min(lacking)!r}")
    if "callable" in files and "reference" not in files:
        hint = "add `reference`, the FASTA that the genotypes were called on"
        raise DataError("`callable` does not say which base the reference has", hint=hint)
    vcfs = _vcfs(files["genotypes"])
    people = {file: samples_of(file) for file in vcfs}
    names = sorted({name for own in people.values() for name in own})
    ids = pseudonyms(pd.Series(names, dtype="str")) if coded else names
    found = places(patients, pd.Index(ids, dtype="str"))
    wanted = np.unique(found[found >= 0])
    if not len(wanted):
        raise DataError(
            "The genotypes have no patient of the clinical table",
            file=files["genotypes"],
            hint="samples of the VCF must be named by the patient ids of the clinical table",
        )
    place = {names[number]: at for at, number in enumerate(wanted)}
    reference = Reference(files["reference"]) if "reference" in files else None
    score = read_score(files["score"], options["weights"])
    counted = _counted(vcfs, options["dosage"])
    rows, notes = _placed(score, vcfs, reference, options, files["score"])
    scorer = Scorer(
        rows,
        len(place),
        field=options["dosage"],
        by_name=options["match"] == "rsid",
        reference=reference,
    )
    for file, samples in people.items():
        if own := {name: place[name] for name in samples if name in place}:
            scorer.add_file(file, own)
    if "callable" in files:
        windows = read_windows(files["callable"])
        parts = zip(windows["chrom"].map(plain), windows["start"], windows["end"], strict=True)
        scorer.add_callable(joined(parts))
    sums = scorer.finish()
    _refuse_few(sums, rows, options["min_match"], files["genotypes"])
    values, filling = _values(sums, options["missing_genotype"], files["genotypes"])
    group = _group(files.get(GROUP), options["reference_group"])
    name, outside = f"{BLOCK}{score.name}", list[str]()
    if group is not None:
        values, outside = _percentiles(values, group, files[GROUP])
        name = f"{name}_percentile"
    by_person = np.full(len(names) + 1, np.nan)  # the last one for who has none
    by_person[wanted] = values
    notes = [*score.notes, *notes, counted, *_told(score, sums, rows), *filling]
    notes.append(NO_GROUP if group is None else _of_group(len(group), options["reference_group"]))
    notes += outside
    without, extra = (found < 0).sum(), len(names) - len(wanted)
    notes += [f"{count_shown(without)} rows have no genotypes"] if without else []
    notes += [f"{count_shown(extra)} persons of the genotypes are not used"] if extra else []
    return pd.DataFrame({name: by_person[found]}, index=patients.index), notes


def _group(file: Path | None, name: str | None) -> np.ndarray | None:
    """The sums of the persons of the reference group, sorted; None where there is none."""
    if file is None and name is None:
        return None
    if file is None or name is None:
        raise DataError(
            f"A percentile needs both the source `{GROUP}` and the `reference_group` that it is of",
            hint=f"a table with a column `{SUM}`, a row a person, of the same score and genotypes "
            "of the same kind",
        )
    table = read_table(file)
    require_columns(table, [SUM], file)
    sums = numbers(table[SUM], file)
    if (lacking := sums.index[sums.isna()]).size:
        raise DataError("A person without a sum", file=file, row=lacking[0], column=SUM)
    if len(sums) < SMALLEST_GROUP:
        raise DataError(
            f"A reference group of {len(sums)} persons is too small",
            file=file,
            hint=f"a percentile is among {SMALLEST_GROUP} or more",
        )
    return np.sort(sums.to_numpy(float))


def _percentiles(values: np.ndarray, group: np.ndarray, file: Path) -> tuple[np.ndarray, list[str]]:
    """The share of the group below each value, (P,), in percent; equal ones count half.

    And a note on values outside of the group. DataError where all of many are: one person may have
    the highest risk of all, but not everybody.
    """
    known = values[np.isfinite(values)]
    outside = int(((known < group[0]) | (known > group[-1])).sum())
    if outside == len(known) >= FEWEST_PERSONS:
        raise DataError(
            "No sum of a patient lies within those of the reference group",
            file=file,
            hint="were both made of the same score, the same rows and weights?",
        )
    below, upto = (np.searchsorted(group, values, side=side) for side in ("left", "right"))
    notes = [
        f"{count_shown(outside)} persons lie outside of the reference group: percentile 0 or 100"
    ]
    percent = np.where(np.isnan(values), np.nan, 50 * (below + upto) / len(group))
    return percent, notes if outside else []


def _of_group(size: int, name: str) -> str:
    return (
        f"Percentiles are among {size} persons: {name}. They hold for patients of the same "
        "ancestry who were genotyped alike, which no file tells"
    )


def _vcfs(path: Path) -> list[Path]:
    """The file, or those of a folder in the order of their names."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.name.lower().endswith(VCF))
    if not found:
        raise DataError("The folder has no VCF", file=path, hint=f"endings are {', '.join(VCF)}")
    return found


def _placed(
    score: Score,
    vcfs: Sequence[Path],
    reference: Reference | None,
    options: Mapping[str, Any],
    file: Path,
) -> tuple[pd.DataFrame, list[str]]:
    """The score's rows with positions on the build of the genotypes, and a note on it."""
    if options["match"] == "rsid":
        rows = _left_out(score.rows, score.rows["rsid"] == "", "no rsID")
        return rows, ["The score's rows are found by rsID, not by position"]
    if not score.has_positions:
        raise DataError(
            "The score has no positions",
            file=file,
            hint="take the file with harmonised positions from the PGS Catalog, or say `match: "
            "rsid` where the VCF has IDs",
        )
    build = _build(vcfs, reference, options["genotype_build"])
    placed = score.on(build)
    if placed is None:
        told = [name for name in (score.build, score.harmonised) if name]
        raise DataError(
            f"The score is of {' and '.join(told) or 'a build that it does not name'}, "
            f"the genotypes are of {build}",
            file=file,
            hint=f"take the file harmonised to {build} from the PGS Catalog"
            + ("" if told else f", or write `#genome_build={build}` above its table"),
        )
    how = ", harmonised" if score.harmonised == build else ""
    rows = _left_out(score.rows.assign(**placed), placed["pos"] == 0, "no position")
    return rows, [f"Positions of the score are of {build}{how}"]


def _left_out(rows: pd.DataFrame, which: pd.Series, reason: str) -> pd.DataFrame:
    """The rows, some of which cannot be read unless there is another reason."""
    return rows.assign(unread=rows["unread"].mask(which & (rows["unread"] == ""), reason))


def _build(vcfs: Sequence[Path], reference: Reference | None, said: str | None) -> str:
    """The build that headers, the reference and the task agree on; DataError where none tells."""
    told: dict[str, Path] = {}
    for vcf in vcfs:
        with opened(vcf) as variants:
            contigs = variants.header.contigs
            found = builds_of({str(name): contigs[name].length for name in contigs})
            words = re.findall(r"assembly=\"?([^,>\"]+)", str(variants.header))
        found |= {build for build in map(build_called, words) if build}
        told |= dict.fromkeys(found, vcf)
    if reference:
        told |= dict.fromkeys(builds_of(reference.lengths), reference.file)
    if len(told) > 1:
        where = " and ".join(f"{build} by {file.name}" for build, file in sorted(told.items()))
        raise DataError(f"Genotypes and reference are of two builds: {where}")
    build = next(iter(told), said)
    if build is None:
        hint = "say `genotype_build: GRCh37` or `GRCh38`"
        raise DataError("The header does not tell the genotypes' build", file=vcfs[0], hint=hint)
    if said and said != build:
        message = f"`genotype_build: {said}`, but the header says {build}"
        raise DataError(message, file=told[build])
    return build


def _counts(sums: Sums, rows: pd.DataFrame, used: bool) -> str:
    """How many rows were found in which way, or left out for which reason."""
    state = sums.state[(rows["unread"] == "").to_numpy()]
    shown = range(LIKE_REFERENCE, len(STATES)) if used else range(LIKE_REFERENCE)
    counts = {STATES[n]: int((state == n).sum()) for n in reversed(shown)}
    if not used:
        reasons = rows["unread"][rows["unread"] != ""].value_counts(sort=False)
        counts |= {str(reason): int(count) for reason, count in reasons.items()}
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count) or "none"


def _told(score: Score, sums: Sums, rows: pd.DataFrame) -> list[str]:
    """What was used of a score, in counts."""
    used, total = int(sums.used.sum()), rows["size"].sum()
    share = rows["size"][sums.used].sum() / total if total else 0.0
    least = min(sums.rows) / len(rows), min(sums.size) / total if total else 0.0
    return [
        f"{score.name}: {used} of {len(rows)} rows and {share:.3f} of the weight are used: "
        f"{_counts(sums, rows, used=True)}; left out: {_counts(sums, rows, used=False)}",
        f"Each person has at least {least[0]:.3f} of the rows and {least[1]:.3f} of the weight",
    ]


def _refuse_few(sums: Sums, rows: pd.DataFrame, least: float, file: Path) -> None:
    """DataError where a person has too little of the score, by rows or by weight."""
    total = rows["size"].sum()
    by_rows, by_size = sums.rows / len(rows), sums.size / total if total else sums.size
    few = np.minimum(by_rows, by_size) < least - ROUNDING
    if not few.any():
        return
    left_out = f"left out: {_counts(sums, rows, used=False)}"
    who = "All persons" if few.all() else f"{count_shown(few.sum())} persons"
    raise DataError(
        f"{who} have less than {least:g} of the score: at most {by_rows[few].max():.3f} of its "
        f"rows and {by_size[few].max():.3f} of its weight; {int(sums.used.sum())} of {len(rows)} "
        f"rows are used, {left_out}",
        file=file,
        hint=_mending(sums, rows),
    )


def _mending(sums: Sums, rows: pd.DataFrame) -> str:
    """What helps against the reason that most of the weight is left out for."""
    unread = (rows["unread"] != "").to_numpy()
    size = rows["size"].to_numpy() + ROUNDING
    lost = {n: size[(sums.state == n) & ~unread].sum() for n in range(LIKE_REFERENCE)}
    worst = max(lost, key=lambda n: lost[n])
    if size[unread].sum() > lost[worst]:
        return "rows that cannot be read are left out where a lower `min_match` says so"
    return {
        ABSENT: "sites of a WGS VCF where nobody has a variant are missing in it, not reference: "
        "give gVCFs, or `callable` (BED) and `reference` (FASTA); a lower `min_match` makes sums "
        "that depend on what was called",
        NO_BASE: "a block does not hold the bases of the reference: give `reference` (FASTA)",
        AMBIGUOUS: "palindromes need `allelefrequency_effect` in the score, and INFO/AF or "
        "genotypes of 50 persons",
    }.get(worst, "is the score of this build and these genotypes?")


def _values(sums: Sums, missing: str, file: Path) -> tuple[np.ndarray, list[str]]:
    """The sums as the task fills what is missing, and a note on it."""
    gaps = int((len(sums.value) - sums.people[sums.used]).sum())
    if not gaps:
        return sums.value, []
    if missing == "zero":
        return sums.value, [f"{gaps} missing genotypes add nothing (`missing_genotype: zero`)"]
    if sums.unfillable.any():
        raise DataError(
            f"What {int(sums.unfillable.sum())} rows add at the mean is not known, and genotypes "
            "are missing there",
            file=file,
            hint="the score may have a column allelefrequency_effect, or one file all persons; "
            "`missing_genotype: zero` lets them add nothing",
        )
    how = "at the mean by the score's frequency, or else by all persons here"
    return sums.filled(), [f"{gaps} missing genotypes are {how}"]


def _counted(vcfs: Sequence[Path], field: str) -> str:
    """A note on what copies are; DataError where a file does not have the field that is asked."""
    has_dosages = False
    for vcf in vcfs:
        with opened(vcf) as variants:
            formats = set(variants.header.formats)
        if field not in formats:
            raise DataError(f"The genotypes have no {field}", file=vcf, hint="see `dosage`")
        has_dosages |= "DS" in formats
    other = "; the files have expected copies, too: `dosage: DS`"
    return f"Copies are those of {field}" + (other if field == "GT" and has_dosages else "")
