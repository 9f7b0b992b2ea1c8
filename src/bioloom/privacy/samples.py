"""Names of samples, as headers of BAM, CRAM and VCF have them, that may tell who a person is.

A name of a sample is told by its form alone, and one by one: a file may have a single one.
`PLACEHOLDER^JANE`, `Placeholder_Jane_1950-02-03` and `MRN_00123456` are found; `NA12878`, `HG002`
and `Tumour_rep1` are none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from bioloom.errors import DataError, unknown_name
from bioloom.privacy import dates, names, values
from bioloom.privacy.actions import PSEUDONYM, pseudonyms
from bioloom.privacy.small_cells import count_shown

SAMPLE = "sample"
"""What options call the names of samples."""
_BETWEEN = re.compile(r"[_^|;]+")
_DAY = re.compile(r"(?<!\d)(?:19|20)\d{6}(?!\d)")
_LABORATORY = re.compile(
    r"\b(?:samples?|probe|control|ctrl|case|patient|subject|individual|donor|proband|index|mother"
    r"|father|child|sibling|tumou?r|normal|germline|somatic|primary|relapse|metastasis|rep"
    r"|replicate|repeat|pool|batch|lane|lib|library|mock|treated|untreated|wild|mutant|mut|wt|ko"
    r"|blank|plasma|serum|tissue|biopsy|line|culture|exome|genome|panel|dna|rna|wgs|wes|mouse"
    r"|human|reference|sim|simulated)\b",
    re.IGNORECASE,
)
_FORMS = {
    names.EMAILS: values.MAIL,
    names.NATIONAL: values.SSN,
    names.PHONES: values.PHONE_IN_TEXT,
    names.RECORDS: values.RECORD_IN_TEXT,
    names.DATES: dates.IN_TEXT,
}


def kind_of(name: str) -> str | None:
    """The kind of identifier that the name of one sample looks like, None for none."""
    plain = _BETWEEN.sub(" ", name).strip()
    kind = next((kind for kind, form in _FORMS.items() if form.search(plain)), None)
    if kind is None and any(dates.from_digits(day) for day in _DAY.findall(plain)):
        return names.DATES
    words = [
        word for word in re.split(r"[.\s]+", plain) if word and not any(map(str.isdigit, word))
    ]
    if kind is None and all(len(word.strip(",")) > 2 for word in words):
        of_person = values.is_person(" ".join(words)) and not _LABORATORY.search(plain)
        return names.NAMES if of_person else None
    return kind


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
    kinds = Counter(kind for name in different if (kind := kind_of(name)))
    counts = ", ".join(f"{kind} ({count_shown(n)})" for kind, n in sorted(kinds.items()))
    if action == PSEUDONYM:
        codes = dict(zip(different, pseudonyms(pd.Series(different)), strict=True))
        return codes, [f"Privacy: pseudonym of {count_shown(len(different))} names of samples"]
    if kinds and SAMPLE not in not_identifiers:
        raise DataError(
            f"Names of samples may identify persons; nothing was written. They look like: {counts}",
            hint=f"say under the data set `privacy: {{{SAMPLE}: {PSEUDONYM}}}`; name samples in a "
            f"sample sheet; or, if they identify nobody, `not_identifiers: [{SAMPLE}]`",
        )
    kept = [f"Privacy: names of samples are kept, which look like: {counts}"] if kinds else []
    return {name: name for name in different}, kept
