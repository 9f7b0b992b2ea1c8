"""What the cells of a column are, told by their form: the names of columns may say nothing.

Forms are of whole cells, but for what stands inside a text. Check digits are checked where a number
has them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bioloom.privacy import dates
from bioloom.privacy.names import (
    ACCOUNTS,
    BIOMETRIC,
    DATES,
    EMAILS,
    FREE_TEXT,
    NAMES,
    NATIONAL,
    NETWORK,
    OTHER,
    PHONES,
    PHOTOS,
    PLACES,
    RECORDS,
    URLS,
    VEHICLES,
)

ENOUGH = 8
"""Cells of a column below which nothing is told by how different they are."""
UNIQUE = 0.95
FLAGS = frozenset("0 1 yes no y n true false t f ja nein oui non si sí tak nie + - x".split())
# Areas of three digits with 20,000 people or fewer (census of 2000): their ZIP codes say 000.
SMALL_AREAS = frozenset(
    "036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893".split()
)
MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+(?:@|\s?[\[(]at[\])]\s?)[\w-]+(?:\.[\w-]+)+")
URL = re.compile(r"\b(?:https?|ftp)://\S+|\bwww\.\S+\.\S+", re.IGNORECASE)
SSN = re.compile(r"(?<![\d-])\d{3}[- ]\d{2}[- ]\d{4}(?![\d-])")
PHONE_IN_TEXT = re.compile(
    r"(?<![\w.])(?:\+\d[\d ()./-]{7,}\d|\(\d{3}\) ?\d{3}[-. ]\d{4}|\d{3}[-. ]\d{3}[-. ]\d{4})(?!\w)"
)
RECORD_IN_TEXT = re.compile(
    r"\b(?:mrn[\s.:#-]*|(?:record|chart|patient|case|account|akte|fall|dossier)\b[\s.:#]*)"
    r"(?:no\.?|number|nr\.?|id)?[\s.:#]*\d{4,}\b",
    re.IGNORECASE,
)
IPV4 = re.compile(
    r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.])"
)
INSIDE: dict[str, re.Pattern[str]] = {
    "an e-mail address": MAIL,
    "a web address": URL,
    "a number like that of social security": SSN,
    "a phone number": PHONE_IN_TEXT,
    "a network address": IPV4,
    "a record number": RECORD_IN_TEXT,
    "a date": dates.IN_TEXT,
}


@dataclass(frozen=True)
class Form:
    """What cells are when at least a `share` of them matches and so many of them are different."""

    kind: str
    why: str
    matches: Callable[[str], object]
    share: float = 0.0
    different: float = 0.0  # a share of the cells
    fewest: int = 1  # different values


def _like(pattern: str, flags: int = 0) -> Callable[[str], object]:
    return re.compile(pattern, flags).fullmatch


def _is_phone(cell: str) -> bool:
    digits = sum(mark.isdigit() for mark in cell)
    return 8 <= digits <= 15 and bool(_PHONE(cell)) and not dates.is_full(cell)


def _any_of(*patterns: str) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


_PHONE = _like(
    r"(?:tel\.?:? ?)?(?:"
    + _any_of(
        r"\+\d{1,3}[ ./()-]?[\d ./()-]{6,}",
        r"00\d{2}[ ./-][\d ./-]{6,}",
        r"\(?0\d{1,5}\)?[ ./-]+[\d ./-]{5,}",
        r"\(\d{3}\) ?\d{3}[-. ]\d{4}",
        r"(?:1[-. ])?\d{3}[-. ]\d{3}[-. ]\d{4}",
        r"\d{2,3}-\d{4}-\d{4}",
    )
    + r")(?: ?(?:x|ext\.?) ?\d+)?",
    re.IGNORECASE,
)
_STREET = re.compile(
    _any_of(
        r"\d+\w? (?:\w+ ){0,3}(?:street|st\.?|road|rd\.?|avenue|ave\.?|lane|ln|drive|dr\.?"
        r"|boulevard|blvd|way|court|place|square)(?:$|[ ,;])",
        r"(?:stra(?:ß|ss)e|str\.|weg|platz|gasse|straat|laan|gatan|vägen) \d",
        r"\b(?:rue|calle|via|rua|ulica|avenida|plaza|viale|piazza|улица)\b[\s\w.'’]+,? ?\d",
        r"\d+,? (?:rue|bis|avenue) ",
        r"\bul\. ?\w+,? ?\d",
        r"\b(?:sokak|caddesi|mah\.)",
        r"\bP\.? ?O\.? Box \d",
        r"(?:路|街|町|丁目)\d+",
    ),
    re.IGNORECASE,
)
_WORD = r"[^\W\d_a-z]['’]?[^\W\d_]*(?:-[^\W\d_]+)?\.?"
_PARTICLE = r"(?:de|der|den|di|da|del|della|do|dos|la|le|van|von|ter|ten|zu|al|bin)"
_LAST = rf"{_WORD}(?:[ -](?:{_WORD}|{_PARTICLE}))*"
_PERSON = re.compile(
    rf"{_WORD}(?: (?:{_WORD}|{_PARTICLE}))*? {_WORD}|{_LAST}, ?{_WORD}(?: {_WORD})*"
)
# By _ codes are joined, too: BCR_ABL, Val_Ala.
_JOINED = re.compile(r"(?=.*[^\W\d_][a-z]{3})(?!.*(?:^|_)[^_](?:_|$)).*")
_MEDICAL = re.compile(
    r"(?:itis|oma|omas|emia|aemia|osis|pathy|ectomy|otomy|plasty|therapy|ine|ate|mab|nib|cin|ol)\b"
    r"|\b(?:disease|syndrome|cancer|carcinoma|acute|chronic|type|grade|stage|left|right|upper|lower"
    r"|lung|breast|colon|heart|liver|kidney|brain|bone|skin|blood|cell|hospital|clinic|ward|center"
    r"|centre|group|arm|high|low|non|not|other|unknown|never|former|current|north|south|east|west"
    r"|white|black|african|american|asian|european|hispanic|latino|native|year|month|week|day|visit"
    r"|dose|day|cohort|site|university|test|score|scale|failure|infection|injury|screen|pain)\b",
    re.IGNORECASE,
)
_STATES = frozenset(
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM "
    "NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC".split()
)


def is_person(cell: str) -> bool:
    """Whether a cell has the form of a person's name: `Jane Placeholder`, `PLACEHOLDER^JANE`."""
    if "_" in cell and not _JOINED.fullmatch(cell):
        return False
    plain = re.sub("[_^]+", " ", cell).strip()  # as files and DICOM have it
    return len(plain) <= 50 and bool(_PERSON.fullmatch(plain)) and not _MEDICAL.search(plain)


def is_initials(cell: str) -> bool:
    """Whether a cell is two capitals, which are no state."""
    return bool(re.fullmatch(r"[A-Z]\.? ?[A-Z]\.?", cell)) and cell not in _STATES


def _is_iban(cell: str) -> bool:
    bare = cell.replace(" ", "").upper()
    if not re.fullmatch(r"[A-Z]{2}\d\d[A-Z0-9]{11,30}", bare):
        return False
    return int("".join(str(int(mark, 36)) for mark in bare[4:] + bare[:4])) % 97 == 1


def _is_vehicle(cell: str) -> bool:
    return (
        bool(re.fullmatch(r"[A-HJ-NPR-Z0-9]{17}", cell)) and 3 <= sum(map(str.isdigit, cell)) < 17
    )


def _is_key(cell: str) -> bool:
    """A text made by a machine: letters of both cases and digits, long and without a space."""
    if not re.fullmatch(r"[A-Za-z0-9+/_-]{20,}={0,2}", cell):
        return False
    cases = [any(map(test, cell)) for test in (str.islower, str.isupper, str.isdigit)]
    return all(cases) and len(set(cell)) >= 12


def _is_hash(cell: str) -> bool:
    return len(cell) in (32, 40, 56, 64, 96, 128) and bool(re.fullmatch("[0-9a-fA-F]+", cell))


def _is_ipv6(cell: str) -> bool:
    return cell.count(":") >= 4 and bool(re.fullmatch(r"[0-9a-fA-F:]{6,39}(?:/\d+)?", cell))


_ADDRESS = r"(?:https?|ftp)://\S+|www\.\S+|[\w-]+\.(?:com|org|net|de|io)/\S+"
_UUID = r"\{?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}?"
_CITIZEN = _any_of(
    r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]",  # Italy
    r"\d{17}[\dXx]",  # China
    r"\d{3}\.\d{3}\.\d{3}-\d\d",  # Brazil
    r"\d{6}[-+]\d{4}",  # Sweden
    r"\d{8}-?[A-HJ-NP-TV-Z]",  # Spain
    r"[A-CEGHJ-PR-TW-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D]",  # United Kingdom
)
_PICTURE = r".*\.(?:jpe?g|png|gif|bmp|tiff?|heic|dcm|webp)"
_DEGREES = r"[(\[]?-?\d{1,3}\.\d{3,}°?\s?[NS]?[,;/ ]\s*-?\d{1,3}\.\d{3,}°?\s?[EW]?[)\]]?"
_POSTCODE = _any_of(
    r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}",
    r"[A-Z]\d[A-Z] ?\d[A-Z]\d",
    r"\d{4} ?[A-Z]{2}",
    r"\d{5}-\d{4}|\d{2}-\d{3}|\d{4}-\d{3}",
)
_FORMS = (
    Form(EMAILS, "e-mail addresses", MAIL.fullmatch),
    Form(URLS, "web addresses", _like(_ADDRESS)),
    Form(NETWORK, "addresses of devices", _like(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}"), 0.3),
    Form(NETWORK, "IP addresses", _like(IPV4.pattern + r"(?:[:/]\d{1,5})?"), 0.5),
    Form(NETWORK, "IP addresses", _is_ipv6, 0.5),
    Form(OTHER, "UUIDs", _like(_UUID), 0.3),
    Form(NATIONAL, "numbers like those of social security", SSN.fullmatch, 0.3),
    Form(NATIONAL, "numbers like those of citizens", _like(_CITIZEN), 0.5, 0.5, 2),
    Form(ACCOUNTS, "IBANs", _is_iban, 0.3),
    Form(PHOTOS, "names of pictures", _like(_PICTURE, re.IGNORECASE)),
    Form(DATES, "dates", dates.is_full),
    Form(DATES, "months of a year", dates.is_month, 0.5),
    Form(DATES, "dates", dates.is_short, 0.8, 0.2, 3),
    Form(DATES, "dates", dates.is_doubtful, 0.8, 0.2, 3),
    Form(PHONES, "phone numbers", _is_phone, 0.3),
    Form(PLACES, "coordinates", _like(_DEGREES), 0.5),
    Form(PLACES, "streets", _STREET.search, 0.3),
    Form(PLACES, "postcodes", _like(_POSTCODE), 0.8, 0.5, 5),
    Form(VEHICLES, "vehicle numbers", _is_vehicle, 0.8, 0.5, 2),
    Form(OTHER, "hashes, which can be turned back by trying all", _is_hash, 0.5, 0.5, 2),
    Form(BIOMETRIC, "long codes", _is_key, 0.8, 0.8, 3),
    Form(NAMES, "names of persons", is_person, 0.8, 0.25, 5),
)
DIRECT = (EMAILS, NATIONAL, ACCOUNTS, PHONES, NAMES)
"""What ids and outcomes must not be either."""
SURE = (*DIRECT[:-1], URLS, NETWORK, DATES, VEHICLES, FREE_TEXT)
"""What the form of cells tells better than the name of their column."""


def of_texts(cells: Counter[str], *, scientific: bool) -> tuple[str, str, int] | None:
    """Kind, why and how many cells, of cells that are no numbers; None where they tell nothing."""
    total = cells.total()
    for form in _FORMS:
        found = {cell: count for cell, count in cells.items() if form.matches(cell)}
        count = sum(found.values())
        enough = len(found) >= max(form.fewest, form.different * total)
        if count and count >= form.share * total and enough:
            return form.kind, form.why, count
    if not scientific and _are_codes(cells):
        return RECORDS, "codes of one form, none twice", total
    return _of_sentences(cells)


def _of_sentences(cells: Counter[str]) -> tuple[str, str, int] | None:
    """Free text, and what stands in it."""
    inside = {
        what: sum(count for cell, count in cells.items() if form.search(cell))
        for what, form in INSIDE.items()
    }
    if told := [what for what, count in inside.items() if count]:
        rows = sum(n for cell, n in cells.items() if any(f.search(cell) for f in INSIDE.values()))
        return FREE_TEXT, f"in texts {', '.join(told)}", rows
    long = sum(n for cell, n in cells.items() if len(cell) >= 25 and len(cell.split()) >= 4)
    if long >= max(2, 0.3 * cells.total()) and len(cells) > 0.5 * cells.total():
        return FREE_TEXT, "sentences", long
    return None


def has_inside(cells: Counter[str]) -> tuple[str, str, int] | None:
    """What stands in texts that are declared as such."""
    found = _of_sentences(cells)
    return found if found and found[1] != "sentences" else None


# Accessions of sequences, variants, proteins and terms, and places on chromosomes.
_SCIENTIFIC = _like(
    r"rs\d+|ss\d+|COS[MV]\d+|ENS[A-Z]*\d+(?:\.\d+)?|[NX][CGMRPTW]_\d+(?:\.\d+)?|(?:GSM|GSE|SR[RXSP]|ER[RXSP]"
    r"|DR[RXSP]|SAM[NED]A?|PRJ[A-Z]+|CHEMBL|HGNC:|GO:|HP:|MONDO:|DOID:|OMIM:?|MIM:?|CHEBI:|hsa|R-HSA-)\d+|(?:DB|K)\d{5}"
    r"|[OPQ]\d[A-Z0-9]{3}\d(?:-\d+)?|[A-NR-Z]\d(?:[A-Z][A-Z0-9]{2}\d){1,2}|(?:chr)?[\dXYM]+[:_-]\d+.*"
    r"|[A-Z]\d\d(?:\.\w+)?|[A-Z]\d\d[A-Z]{2}\d\d|[cgpmn]\..*|[ACGTUN-]+|.*[*()=>].*"
)


def _are_codes(cells: Counter[str]) -> bool:
    """Whether cells are letters and four digits or more in one form, and none is there twice."""
    total = cells.total()
    if total < ENOUGH or len(cells) < UNIQUE * total:
        return False
    if sum(bool(_SCIENTIFIC(cell)) for cell in cells) > 0.2 * len(cells):
        return False
    told = [
        c
        for c in cells
        if re.fullmatch(
            r"[A-Za-z#]+[- _/#]?\d[\dA-Za-z/_-]*|\d[\d-]*[A-Za-z][\dA-Za-z-]*|\d+(?:-\d+)+", c
        )
    ]
    told = [c for c in told if sum(map(str.isdigit, c)) >= (4 if re.search("[A-Za-z]", c) else 7)]
    forms = Counter(re.sub("[A-Za-z]", "A", re.sub(r"\d", "9", cell)) for cell in told)
    starts = Counter(match[0] for cell in told if (match := re.match("[A-Za-z]+", cell)))
    most = max([*forms.values(), *starts.values()], default=0)
    return most >= 0.8 * len(cells)


def are_unique(cells: Counter[str]) -> bool:
    """Whether cells are many, nearly all different, and no decimals: what an id is like."""
    total = cells.total()
    decimals = sum(
        n for cell, n in cells.items() if re.fullmatch(r"[+-]?\d*\.\d*[1-9]\d*(e.*)?", cell)
    )
    return total >= ENOUGH and len(cells) >= 0.9 * total and decimals < 0.1 * total


def are_rows(numbers: Sequence[int]) -> bool:
    """Whether numbers count the rows."""
    return len(numbers) > 1 and all(b - a == 1 for a, b in pairwise(numbers))


def of_numbers(digits: Counter[str], *, opaque: bool) -> tuple[str, str] | None:
    """Kind and why of whole numbers, all cells of a column as digits; None where they tell nothing.

    A measurement has numbers of many lengths; those of a register have one.
    """
    total, different = digits.total(), len(digits)

    def share(test: Callable[[str], object]) -> float:
        return sum(count for cell, count in digits.items() if test(cell)) / total

    width, most = Counter(map(len, digits.elements())).most_common(1)[0]
    constant = most >= UNIQUE * total
    if total >= 3 and width == 8 and share(dates.from_digits) >= UNIQUE:
        return DATES, "eight digits that are days"
    if total < ENOUGH or not constant:
        return None
    if (
        width in (10, 13)
        and digits
        and share(lambda c: c[0] == "1" and dates.from_digits(c)) >= UNIQUE
    ):
        return DATES, "seconds since 1970"
    if width == 10 and share(_like(r"[2-9]\d\d[2-9]\d{6}")) >= UNIQUE:
        return PHONES, "ten digits as of phones"
    if different < ENOUGH:
        return None
    for length, check in _CHECKS:
        if width == length and share(check) >= UNIQUE:
            return (ACCOUNTS if check is _luhn else NATIONAL), "numbers with check digits"
    if width == 9:
        return NATIONAL, "nine digits"
    unique = different >= UNIQUE * total
    # Of measurements, too, most may have six digits, but hardly ever all.
    long = width >= (6 if most == total else 7)
    if unique and (long or any(cell[0] == "0" for cell in digits) and width >= 4):
        return RECORDS, f"{width} digits, none twice"
    if opaque and width == 5 and different >= 0.9 * total:
        return PLACES, "five digits"
    return None


def _luhn(cell: str) -> bool:
    doubled = [int(d) * (1 + (i % 2)) for i, d in enumerate(reversed(cell))]
    return sum(n // 10 + n % 10 for n in doubled) % 10 == 0


def _weighted(cell: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(cell, weights, strict=False))


def _pesel(cell: str) -> bool:
    return _weighted(cell, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def _bsn(cell: str) -> bool:
    return _weighted(cell, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def _cpf(cell: str) -> bool:
    first = _weighted(cell, range(10, 1, -1)) * 10 % 11 % 10
    return first == int(cell[9]) and _weighted(cell, range(11, 1, -1)) * 10 % 11 % 10 == int(
        cell[10]
    )


def _nhs(cell: str) -> bool:
    return (11 - _weighted(cell, range(10, 1, -1)) % 11) % 11 == int(cell[9])


def _nir(cell: str) -> bool:
    return 97 - int(cell[:13]) % 97 == int(cell[13:])


_CHECKS: tuple[tuple[int, Callable[[str], bool]], ...] = (
    (9, _bsn), (10, _nhs), (10, _luhn), (11, _pesel), (11, _cpf), (12, _luhn), (15, _nir),
    (15, _luhn), (16, _luhn),
)  # fmt: skip
