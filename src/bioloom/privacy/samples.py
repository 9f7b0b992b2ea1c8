"""Names of samples, as headers of BAM, CRAM and VCF have them, that may tell who a person is.

A name of a sample is told by its form alone, and one by one: a file may have a single one.
`PLACEHOLDER^JANE`, `Placeholder_Jane_1950-02-03` and `MRN_00123456` are found; `NA12878`, `HG002`
and `Tumour_rep1` are none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from bioloom.errors import DataError, unknown_name
from bioloom.privacy import dates, names, values
from bioloom.privacy.actions import PSEUDONYM, pseudonyms
from bioloom.privacy.small_cells import count_shown

SAMPLE = "sample"
"""What options call the names of samples."""
_BETWEEN = re.compile(r"[_^|;]+")
_DAY = re.compile(r"(?<!\d)(?:19|20)\d{6}(?!\d)")
_NUMBERED = re.compile(r"(\w*[a-z])\d{1,2}")  # `Doe1`; of capitals it is a code: `HG02`, `BRCA1`
_CAPITAL = re.compile(r"[^\W\d_a-z](?:[a-z]|[^\W\d_]{2,}|['’][^\W\d_]+)")
_NO_NAMES = frozenset(
    "dr prof professor mr mrs miss mme herr frau sir jr sr sample samples probe control ctrl "
    "case patient subject individual donor proband index mother father parent child sibling "
    "sister brother twin trio tumor tumour normal germline somatic primary relapse recurrence "
    "metastasis metastatic rep replicate repeat pool batch lane lib library run plate well set "
    "mock treated untreated treatment vehicle dmso wild mutant mut wt ko het hom knock knockout "
    "clone parental passage resistant sensitive positive negative pos neg blank plasma serum "
    "saliva urine swab tissue biopsy ffpe frozen fresh line culture cell cells organoid pbmc "
    "exp experiment cond condition bio tech exome genome panel dna rna cdna cfdna ctdna wgs wes "
    "seq chip atac input igg amplicon nanopore illumina pacbio hifi mouse rat human reference "
    "ref sim simulated test training validation truth baseline follow followup pre post before "
    "after day week month year time point visit dose cohort arm group site type grade stage "
    "high low left right upper lower male female healthy affected unaffected disease cancer "
    "acute chronic other unknown lung breast colon rectum heart liver kidney brain bone marrow "
    "skin blood muscle spleen ovary prostate pancreas stomach lymph node thyroid bladder whole "
    "tcga gtex ceph giab icgc hapmap encode hela hek jurkat".split()
)
"""Titles, and words of laboratories."""
_MEDICAL = tuple(
    "carcinoma sarcoma adenoma melanoma blastoma lymphoma glioma myeloma leukemia leukaemia mab "
    "tinib".split()
)
"""How words of medicine end, and names of persons do not."""
_FORMS = {
    names.EMAILS: values.MAIL,
    names.NATIONAL: values.SSN,
    names.PHONES: values.PHONE_IN_TEXT,
    names.RECORDS: values.RECORD_IN_TEXT,
    names.DATES: dates.IN_TEXT,
}


def kind_of(name: str, *, of_run: bool = False) -> str | None:
    """The kind of identifier that the name of one sample looks like, None for none.

    A date in the name of a lane or a library is that of a run (`of_run`), and no person's.
    """
    plain = _BETWEEN.sub(" ", name).strip()
    forms = {kind: form for kind, form in _FORMS.items() if not (of_run and kind == names.DATES)}
    said = (plain, name)  # 27_01_1950 is a day as it is written
    kind = next((kind for kind, form in forms.items() if any(map(form.search, said))), None)
    is_dated = not of_run and any(dates.from_digits(day) for day in _DAY.findall(plain))
    if kind is None and is_dated:
        return names.DATES
    return names.NAMES if kind is None and len(_of_persons(plain)) > 1 else kind


def _of_persons(plain: str) -> list[str]:
    """The words that may be of a person: no code, initial or title, and none of a laboratory."""
    words = [_NUMBERED.sub(r"\1", word) for word in re.split(r"[.,\s+-]+", plain)]
    capital = [word for word in words if _CAPITAL.fullmatch(word)]
    return [
        word
        for word in capital
        if word.lower() not in _NO_NAMES and not word.lower().endswith(_MEDICAL)
    ]


def shown(known: Sequence[str]) -> str:
    """Names as a message may have them: where one may be of a person their number."""
    if any(map(kind_of, known)):
        return "a name not shown" if len(known) == 1 else f"{len(known)} names not shown"
    return ", ".join(known)


def called(
    known: Sequence[str], privacy: Mapping[str, str], not_identifiers: Collection[str]
) -> tuple[dict[str, str], list[str]]:
    """What each sample is called in results, and notes on what was done.

    Raises DataError that lists the kinds, and never a name, where the task says nothing of them.
    """
    for name in (*privacy, *not_identifiers):
        if name != SAMPLE:
            raise unknown_name("name", str(name), (SAMPLE,), " under `privacy`")
    if (action := privacy.get(SAMPLE)) not in (None, PSEUDONYM):
        raise unknown_name("action", str(action), (PSEUDONYM,), f" under `privacy: {SAMPLE}`")
    different = list(dict.fromkeys(known))
    counts = _counts(different)
    if action == PSEUDONYM:
        codes = dict(zip(different, pseudonyms(pd.Series(different)), strict=True))
        return codes, [f"Privacy: pseudonym of {count_shown(len(different))} names of samples"]
    if counts and SAMPLE not in not_identifiers:
        raise DataError(
            f"Names of samples may identify persons; nothing was written. They look like: {counts}",
            hint=f"say under the data set `privacy: {{{SAMPLE}: {PSEUDONYM}}}`; name samples in a "
            f"sample sheet; or, if they identify nobody, `not_identifiers: [{SAMPLE}]`",
        )
    kept = [f"Privacy: names of samples are kept, which look like: {counts}"] if counts else []
    return {name: name for name in different}, kept


def check_sheet(
    known: Mapping[str, Sequence[str]], not_identifiers: Collection[str], file: Path
) -> None:
    """DataError for names in a sample sheet, which files are called by, that may be of persons.

    `known` are those of each of its columns. A pseudonym in results would not undo that, and the
    sheet is where names are given.
    """
    if SAMPLE in not_identifiers:
        return
    for column, called_so in known.items():
        if counts := _counts(dict.fromkeys(called_so), of_run=column != SAMPLE):
            raise DataError(
                f"Names may identify persons; nothing was written. They look like: {counts}",
                file=file,
                column=column,
                hint="files and logs are called by them: write codes of your own into the sheet; "
                "or, if none of its names identifies anybody, say under the data set "
                f"`not_identifiers: [{SAMPLE}]`",
            )


def _counts(different: Iterable[str], *, of_run: bool = False) -> str:
    """The kinds of identifiers that names look like, with their counts; nothing for none."""
    kinds = Counter(kind for name in different if (kind := kind_of(name, of_run=of_run)))
    return ", ".join(f"{kind} ({count_shown(n)})" for kind, n in sorted(kinds.items()))
