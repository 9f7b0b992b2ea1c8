"""Dates as people write them: found, and read to a day."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta

_YEAR = r"(?P<y>(?:18|19|20)\d\d)"
_MONTHS = (
    "jan gen ene sty oca янв", "feb fev fév lut şub sub фев", "mar mär mrt maa мар",
    "apr avr abr abril kwi nis апр", "may mai mei maj mag маи май", "jun jui giu cze haz июн",
    "jul lug lip tem июл", "aug aoû aou ago sie ağu agu авг", "sep set wrz eyl сен",
    "oct okt out ott paź paz eki окт", "nov lis kas ноя", "dec dez déc dic gru ara дек",
)  # fmt: skip
_NUMBER = {word: number for number, names in enumerate(_MONTHS, 1) for word in names.split()} | {
    "juillet": 7,
    "juil": 7,
}
_ANY_MONTH = "|".join(sorted(map(re.escape, _NUMBER), key=len, reverse=True))
_WORD = rf"(?P<w>{_ANY_MONTH})[^\W\d_]*\.?"
_BARE = f"(?P<w>{_ANY_MONTH})"  # beside digits a longer word may be that of a code
_BETWEEN = "[ ./_-]"
_ZONE = r"(?: ?(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))"
_TIME = rf"(?:[T :]+\d{{1,2}}:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?{_ZONE}?)?"
_CLOCK = r"(?:[01]\d|2[0-4]):?[0-5]\d(?::?[0-5]\d(?:[.,]\d+)?)?"
_OF_WEEK = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[.,]* )?"
# Days with a year of four digits; a and b are day and month in either order.
FULL = [
    rf"{_YEAR}[-/._](?P<m>\d{{1,2}})[-/._](?P<d>\d{{1,2}})",
    rf"{_YEAR}\s?年\s?(?P<m>\d{{1,2}})\s?月\s?(?P<d>\d{{1,2}})\s?日",
    rf"(?P<a>\d{{1,2}})[-/._] ?(?P<b>\d{{1,2}})[-/._] ?{_YEAR}",
    rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th)?{_BETWEEN}*(?:de )?{_WORD}[ ./,_-]*(?:de )?{_YEAR}",
    rf"{_WORD} (?P<d>\d{{1,2}})(?:st|nd|rd|th)?[ ./,_-]+{_YEAR}",
    rf"{_BARE}[./_-](?P<d>\d{{1,2}})[./_-]{_YEAR}",
    rf"{_YEAR}{_BETWEEN}{_BARE}{_BETWEEN}(?P<d>\d{{1,2}})",
    rf"{_YEAR}{_BARE}(?P<d>\d{{1,2}})",
]
_WITH_CLOCK = [
    rf"{_YEAR}(?P<m>\d\d)(?P<d>\d\d)(?:[T ]{_CLOCK}{_ZONE}?|{_CLOCK}{_ZONE})",
    rf"{_WORD} +(?P<d>\d{{1,2}}) {_CLOCK}(?: [A-Z]{{3,4}})? {_YEAR}",
]
_FULL = [
    re.compile(_OF_WEEK + form, re.IGNORECASE)
    for form in [*(form + _TIME for form in FULL), *_WITH_CLOCK]
]
# Days that may be codes: n is the number of a day in its year.
_DOUBTFUL = [
    re.compile(form)
    for form in (
        rf"(?P<a>\d{{1,2}}) (?P<b>\d{{1,2}}) {_YEAR}",
        rf"{_YEAR} (?P<m>\d{{1,2}}) (?P<d>\d{{1,2}})",
        rf"{_YEAR}-(?P<n>\d{{3}})",
    )
]
_SHORT = re.compile(r"(?P<a>\d{1,2})([-/._])(?P<b>\d{1,2})\2(?P<y>\d\d)" + _TIME)
_SHORT_WORD = re.compile(
    rf"(?P<d>\d{{1,2}})({_BETWEEN}?){_BARE}\2(?P<y>\d\d)" + _TIME, re.IGNORECASE
)
_MONTHS_OF_YEARS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"{_YEAR}[-/.](?P<m>\d\d?)",
        r"(?P<m>\d\d?)[-/.](?P<y>(?:19|20)\d\d)",
        rf"{_WORD}{_BETWEEN}+(?P<y>(?:19|20)\d\d)",
        rf"{_BARE}(?P<y>(?:19|20)\d\d)",
        rf"{_YEAR}-?W(?P<week>\d\d)(?:-?[1-7])?",
    )
]
_SHORT_MONTH = re.compile(rf"{_BARE}{_BETWEEN}['’]?(?P<y>\d\d)", re.IGNORECASE)
IN_TEXT = re.compile(
    r"(?<![\d.])(?:\d{4}[-/]\d{1,2}[-/]\d{1,2}|\d{1,2}[-/._]\d{1,2}[-/._](?:19|20)\d\d)(?!\d)"
    r"|\d{4}年\d{1,2}月\d{1,2}日"
    rf"|\b\d{{1,2}}\.?[ /-](?:{_ANY_MONTH})[^\W\d]*\.?[ /-](?:19|20)\d\d\b"
    rf"|\b(?:{_ANY_MONTH})[/-]\d{{1,2}}[/-](?:19|20)\d\d\b"
    rf"|\b(?:{_ANY_MONTH})[^\W\d_]*\.? \d{{1,2}}(?:st|nd|rd|th)?, ?(?:19|20)\d\d\b"
    rf"|(?<![^\W_])\d{{1,2}}(?:{_ANY_MONTH})(?:19|20)\d\d(?![^\W_])"
    rf"|(?<![^\W_])(?:19|20)\d\d([/-]?)(?:{_ANY_MONTH})\1\d{{1,2}}(?![^\W_])"
    rf"|(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[T ]{_CLOCK}(?!\d)"
    rf"|\b\d\d-(?:{_ANY_MONTH})-\d\d\b|\b\d\d/(?:{_ANY_MONTH})/\d\d\b",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"(\d+)(?:\.0+)?")
_EPOCH, _SHEET = date(1970, 1, 1), date(1899, 12, 30)
SERIALS = (10_000, 60_000)  # days of 1927 to 2064 as a spreadsheet counts them


def is_full(cell: str) -> bool:
    """Whether a cell is a day with a year of four digits."""
    return _read(cell, True) is not None or _read(cell, False) is not None


def is_short(cell: str) -> bool:
    """Whether a cell may be a day with a year of two digits, such as 24.12.99 or 24-DEC-99."""
    return any(_read_short(cell, days_first) for days_first in (True, False))


def is_doubtful(cell: str) -> bool:
    """Whether a cell may be a day or a month as well as a code: 27 01 1945, 2019-069, Mar-19."""
    months = _SHORT_MONTH.fullmatch(cell) is not None
    return months or any(_read(cell, days_first, _DOUBTFUL) for days_first in (True, False))


def is_month(cell: str) -> bool:
    """Whether a cell is a month or a week of a year, which are finer than a year."""
    return _SHORT_MONTH.fullmatch(cell) is None and begin(cell) is not None


def begin(cell: str) -> date | None:
    """The first day of a cell that is a month or a week."""
    for form in (*_MONTHS_OF_YEARS, _SHORT_MONTH):
        match = form.fullmatch(cell)
        if not match:
            continue
        parts, year = match.groupdict(), int(match["y"])
        if "week" in parts:
            return _week(year, int(parts["week"]))
        month = int(parts["m"]) if "m" in parts else _NUMBER[parts["w"].lower()]
        return _day(year, month, 1) if year > 99 else _past(year, month, 1)
    return None


def from_digits(cell: str, serial: bool = False) -> date | None:
    """The day of eight digits, of seconds or milliseconds since 1970, or of a spreadsheet.

    With an hour, as of HL7, there are 12 or 14 digits.
    """
    match = _DIGITS.fullmatch(cell)
    if match and len(match[1]) in (12, 14) and re.match("(?:18|19|20)", match[1]):
        day = _day(int(match[1][:4]), int(match[1][4:6]), int(match[1][6:8]))
        if day and match[1][8:10] < "24" and max(match[1][10:12], match[1][12:14]) < "60":
            return day
    number = int(match[1]) if match else -1
    if 18_000_101 <= number <= 21_001_231:
        return _day(number // 10_000, number // 100 % 100, number % 100)
    if 400_000_000_000 <= number < 4_200_000_000_000:
        number //= 1000
    if 400_000_000 <= number < 4_200_000_000:
        return _EPOCH + timedelta(seconds=number)
    if serial and SERIALS[0] <= number < SERIALS[1]:
        return _SHEET + timedelta(days=number)
    return None


def has_digits_of_a_day(cell: str) -> bool:
    """Whether six or eight digits are a day, a month and a year in some order, one zero lost."""
    if not re.fullmatch(r"\d{5,8}", cell):
        return False
    digits = cell.zfill(6 if len(cell) < 7 else 8)
    year = len(digits) - 4
    orders = [(digits[year:], digits[:year]), (digits[:4], digits[4:])]
    return any(
        _day(2000, int(part[a : a + 2]), int(part[2 - a : 4 - a])) is not None
        and (len(rest) == 2 or "1850" <= rest <= "2100")
        for part, rest in orders
        for a in (0, 2)
    )


def day_first(cells: Iterable[str]) -> bool | None:
    """Whether 02/03/2020 is the 2nd of March, by other cells that tell; None where none does."""
    forms = (_FULL[2], _SHORT, _DOUBTFUL[0])
    for cell in cells:
        match = next(filter(None, (form.fullmatch(cell) for form in forms)), None)
        if match and (int(match["a"]) > 12) != (int(match["b"]) > 12):
            return int(match["a"]) > 12
        if match and cell[match.end("a")] == ".":
            return True
    return None


def read(cell: str, days_first: bool) -> date | None:
    """The day that a cell says, None where it says none."""
    if found := _read(cell, days_first) or from_digits(cell, serial=True):
        return found
    return _read_short(cell, days_first) or _read(cell, days_first, _DOUBTFUL)


def year(cell: str) -> int | None:
    """The year of a cell that is a day, a month or a year."""
    found = read(cell, True) or read(cell, False) or begin(cell)
    if found:
        return found.year
    match = re.search(r"(?<!\d)(?:18|19|20)\d\d(?!\d)", cell)
    return int(match[0]) if match else None


def serial(day: date) -> int:
    """The number of a day in a spreadsheet."""
    return (day - _SHEET).days


def _read(
    cell: str, days_first: bool, forms: Iterable[re.Pattern[str]] = tuple(_FULL)
) -> date | None:
    for form in forms:
        match = form.fullmatch(cell)
        if not match:
            continue
        parts = match.groupdict()
        year = int(parts["y"])
        if "n" in parts:
            return _day_of_year(year, int(parts["n"]))
        if "a" in parts:
            return _day(year, *_orders(match)[0 if days_first else 1])
        word = (parts.get("w") or "").lower()
        month = int(parts["m"]) if parts.get("m") else _NUMBER[word]
        return _day(year, month, int(parts["d"]))
    return None


def _read_short(cell: str, days_first: bool) -> date | None:
    """The day of a cell with a year of two digits."""
    if match := _SHORT.fullmatch(cell):
        return _past(int(match["y"]), *_orders(match)[0 if days_first else 1])
    if match := _SHORT_WORD.fullmatch(cell):
        return _past(int(match["y"]), _NUMBER[match["w"].lower()], int(match["d"]))
    return None


def _past(year: int, month: int, day: int) -> date | None:
    """The last such day of a year of two digits that is not to come."""
    found = _day(2000 + year, month, day)
    return _day(1900 + year, month, day) if found is None or found > date.today() else found


def _orders(match: re.Match[str]) -> list[tuple[int, int]]:
    a, b = int(match["a"]), int(match["b"])
    return [(b, a), (a, b)]


def _week(year: int, number: int) -> date | None:
    try:
        return date.fromisocalendar(year, number, 1)
    except ValueError:
        return None


def _day_of_year(year: int, number: int) -> date | None:
    found = date(year, 1, 1) + timedelta(days=number - 1)
    return found if found.year == year else None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
